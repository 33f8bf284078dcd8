//! The messages of one queue: which are ready, delayed or in flight, and until when.
//!
//! Nothing here reads a clock or runs in the background: every call is passed the time and first catches up with what is
//! due by then. Every operation takes O(log n) for each message that it touches.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use tokio::time::Instant;

use super::message::Message;
use super::order::{Key, Order};

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Place {
    Ready,
    Delayed { until: Instant },
    InFlight { until: Instant },
}

impl Place {
    fn until(self) -> Option<Instant> {
        match self {
            Self::Ready => None,
            Self::Delayed { until } | Self::InFlight { until } => Some(until),
        }
    }
}

#[derive(Debug)]
struct Entry {
    message: Message,
    place: Place,
    /// How often it was received in this queue; the number of its last receive.
    receives: u32,
    /// When it was last received.
    last_received: Option<Instant>,
}

/// The state of a message that a receipt refers to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Standing {
    pub(super) in_flight: bool,
    /// Whether the receipt is of the last receive.
    pub(super) is_last: bool,
    pub(super) last_received: Option<Instant>,
}

/// Counts as `GetQueueAttributes` returns them.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Counts {
    pub(super) ready: usize,
    pub(super) in_flight: usize,
    pub(super) delayed: usize,
}

/// How messages are taken.
#[derive(Clone, Copy, Debug)]
pub(super) struct Take {
    pub(super) most: usize,
    pub(super) visibility: Duration,
    /// After how many receives a message goes to the dead-letter queue.
    pub(super) max_receives: Option<u32>,
}

#[derive(Debug)]
pub(super) struct Backlog {
    entries: BTreeMap<Key, Entry>,
    order: Order,
    timers: BTreeSet<(Instant, Key)>,
    ages: BTreeSet<(Instant, Key)>,
    counts: Counts,
    next_key: Key,
}

impl Backlog {
    pub(super) fn new(fifo: bool) -> Self {
        Self {
            entries: BTreeMap::new(),
            order: Order::new(fifo),
            timers: BTreeSet::new(),
            ages: BTreeSet::new(),
            counts: Counts::default(),
            next_key: 0,
        }
    }

    /// Makes visible what is due, and drops messages older than `retention`.
    pub(super) fn catch_up(&mut self, now: Instant, retention: Duration) {
        while let Some((at, key)) = self.timers.first().copied().filter(|(at, _)| *at <= now) {
            self.timers.remove(&(at, key));
            self.put(key, Place::Ready);
        }
        while let Some((_, key)) = self.ages.first().copied().filter(|(at, _)| *at + retention <= now) {
            self.remove(key);
        }
    }

    /// Adds a message, which cannot be received before `delayed_until`.
    pub(super) fn add(&mut self, message: Message, delayed_until: Option<Instant>) {
        let key = self.next_key;
        self.next_key += 1;
        let place = delayed_until.map_or(Place::Ready, |until| Place::Delayed { until });
        self.ages.insert((message.since, key));
        self.order.set(key, message.group_id.as_ref(), place == Place::Ready);
        if let Some(until) = place.until() {
            self.timers.insert((until, key));
        }
        *self.count_of(place) += 1;
        self.entries.insert(key, Entry { message, place, receives: 0, last_received: None });
    }

    /// Receives messages. Returns what `receive` makes of each, and the messages that go to the dead-letter queue.
    pub(super) fn take<T>(
        &mut self,
        take: Take,
        now: Instant,
        mut receive: impl FnMut(Key, u32, &mut Message) -> T,
    ) -> (Vec<T>, Vec<Message>) {
        let (mut picked, mut dead) = (Vec::new(), Vec::new());
        self.order.walk(|key| {
            if picked.len() >= take.most {
                return false;
            }
            let receives = self.entries.get(&key).map_or(0, |entry| entry.receives);
            if take.max_receives.is_some_and(|max| receives >= max) { &mut dead } else { &mut picked }
                .push(key);
            true
        });
        let dead = dead.into_iter().filter_map(|key| self.remove(key)).collect();

        let mut received = Vec::with_capacity(picked.len());
        let mut groups: Vec<Arc<str>> = Vec::new();
        for key in picked {
            let Some(entry) = self.entries.get_mut(&key) else { continue };
            entry.receives += 1;
            entry.last_received = Some(now);
            entry.message.receive_count += 1;
            received.push(receive(key, entry.receives, &mut entry.message));
            if take.visibility.is_zero() {
                groups.extend(entry.message.group_id.clone());
                groups.dedup();
            } else {
                self.put(key, Place::InFlight { until: now + take.visibility });
            }
        }
        for group in &groups {
            self.order.requeue(Some(group));
        }
        (received, dead)
    }

    /// Removes the first message that is ready, without receiving it.
    pub(super) fn pop(&mut self) -> Option<Message> {
        let mut first = None;
        self.order.walk(|key| {
            first = Some(key);
            false
        });
        self.remove(first?)
    }

    /// Returns `None` if the message no longer exists.
    pub(super) fn standing(&self, key: Key, receive: u32) -> Option<Standing> {
        let entry = self.entries.get(&key)?;
        Some(Standing {
            in_flight: matches!(entry.place, Place::InFlight { .. }),
            is_last: entry.receives == receive,
            last_received: entry.last_received,
        })
    }

    pub(super) fn message(&self, key: Key) -> Option<&Message> {
        self.entries.get(&key).map(|entry| &entry.message)
    }

    /// Hides a message until then, or makes it visible at once.
    pub(super) fn hide(&mut self, key: Key, until: Option<Instant>) {
        self.put(key, until.map_or(Place::Ready, |until| Place::InFlight { until }));
    }

    pub(super) fn remove(&mut self, key: Key) -> Option<Message> {
        let entry = self.entries.remove(&key)?;
        self.ages.remove(&(entry.message.since, key));
        if let Some(until) = entry.place.until() {
            self.timers.remove(&(until, key));
        }
        *self.count_of(entry.place) -= 1;
        self.order.remove(key, entry.message.group_id.as_ref());
        Some(entry.message)
    }

    pub(super) fn clear(&mut self) {
        self.entries.clear();
        self.order.clear();
        self.timers.clear();
        self.ages.clear();
        self.counts = Counts::default();
    }

    /// Changes until when delayed messages are hidden: the delay of a FIFO queue also applies to messages in it.
    pub(super) fn delay_again(&mut self, delay: Duration, now: Instant) {
        let delayed: Vec<_> = self
            .entries
            .iter()
            .filter(|(_, entry)| matches!(entry.place, Place::Delayed { .. }))
            .map(|(key, entry)| (*key, entry.message.since + delay))
            .collect();
        for (key, until) in delayed {
            self.put(key, if until > now { Place::Delayed { until } } else { Place::Ready });
        }
    }

    pub(super) fn counts(&self) -> Counts {
        self.counts
    }

    pub(super) fn any_ready(&self) -> bool {
        self.order.any_ready()
    }

    /// Returns when the next message becomes visible.
    pub(super) fn next_event(&self) -> Option<Instant> {
        self.timers.first().map(|(at, _)| *at)
    }

    fn put(&mut self, key: Key, place: Place) {
        let Some(entry) = self.entries.get_mut(&key) else { return };
        let before = std::mem::replace(&mut entry.place, place);
        self.order.set(key, entry.message.group_id.as_ref(), place == Place::Ready);
        if let Some(until) = before.until() {
            self.timers.remove(&(until, key));
        }
        if let Some(until) = place.until() {
            self.timers.insert((until, key));
        }
        *self.count_of(before) -= 1;
        *self.count_of(place) += 1;
    }

    fn count_of(&mut self, place: Place) -> &mut usize {
        match place {
            Place::Ready => &mut self.counts.ready,
            Place::Delayed { .. } => &mut self.counts.delayed,
            Place::InFlight { .. } => &mut self.counts.in_flight,
        }
    }
}
