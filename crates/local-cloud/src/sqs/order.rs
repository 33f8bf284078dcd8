//! In which order a queue hands out its messages.
//!
//! A standard queue returns the oldest message that is ready. A FIFO queue has the order of its message groups: it
//! returns as many messages of one group as possible before it goes on to the next, and none of a group whose first
//! message is in flight (SQS developer guide, "FIFO queue delivery logic"). A group that becomes available again goes to
//! the end of the line.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::Arc;

/// The key of a message in its queue; later messages have larger ones.
pub(super) type Key = u64;

#[derive(Debug)]
pub(super) enum Order {
    Standard(BTreeSet<Key>),
    Fifo(Groups),
}

impl Order {
    pub(super) fn new(fifo: bool) -> Self {
        if fifo { Self::Fifo(Groups::default()) } else { Self::Standard(BTreeSet::new()) }
    }

    pub(super) fn clear(&mut self) {
        *self = Self::new(matches!(self, Self::Fifo(_)));
    }

    /// Returns whether a message can be received.
    pub(super) fn any_ready(&self) -> bool {
        match self {
            Self::Standard(ready) => !ready.is_empty(),
            Self::Fifo(groups) => !groups.line.is_empty(),
        }
    }

    /// Adds a message, or records that it became ready or ceased to be.
    pub(super) fn set(&mut self, key: Key, group: Option<&Arc<str>>, ready: bool) {
        match (self, group) {
            (Self::Standard(set), _) if ready => {
                set.insert(key);
            }
            (Self::Standard(set), _) => {
                set.remove(&key);
            }
            (Self::Fifo(groups), Some(group)) => groups.set(key, group, ready),
            (Self::Fifo(_), None) => {}
        }
    }

    pub(super) fn remove(&mut self, key: Key, group: Option<&Arc<str>>) {
        match (self, group) {
            (Self::Standard(ready), _) => {
                ready.remove(&key);
            }
            (Self::Fifo(groups), Some(group)) => groups.remove(key, group),
            (Self::Fifo(_), None) => {}
        }
    }

    /// Walks through the messages that can be received. `visit` returns whether to continue; it must not be given
    /// a message twice, so what it does to them is reported to the order after the walk.
    pub(super) fn walk(&self, visit: impl FnMut(Key) -> bool) {
        match self {
            Self::Standard(ready) => walk_standard(ready, visit),
            Self::Fifo(groups) => groups.walk(visit),
        }
    }

    /// Sends a group to the end of the line, after some of its messages were received and stayed visible.
    pub(super) fn requeue(&mut self, group: Option<&Arc<str>>) {
        if let (Self::Fifo(groups), Some(group)) = (self, group) {
            groups.requeue(group);
        }
    }
}

fn walk_standard(ready: &BTreeSet<Key>, mut visit: impl FnMut(Key) -> bool) {
    for key in ready {
        if !visit(*key) {
            return;
        }
    }
}

#[derive(Debug, Default)]
pub(super) struct Groups {
    by_name: HashMap<Arc<str>, Group>,
    /// The groups whose first message is ready, in the order in which they became available.
    line: BTreeMap<u64, Arc<str>>,
    next_place: u64,
}

#[derive(Debug, Default)]
struct Group {
    /// Whether each message is ready.
    messages: BTreeMap<Key, bool>,
    place: Option<u64>,
}

impl Groups {
    fn set(&mut self, key: Key, name: &Arc<str>, ready: bool) {
        self.by_name.entry(Arc::clone(name)).or_default().messages.insert(key, ready);
        self.place(name);
    }

    fn remove(&mut self, key: Key, name: &Arc<str>) {
        let Some(group) = self.by_name.get_mut(name) else { return };
        group.messages.remove(&key);
        self.place(name);
    }

    /// Puts a group into the line, or takes it out, according to its first message.
    fn place(&mut self, name: &Arc<str>) {
        let Some(group) = self.by_name.get_mut(name) else { return };
        let available = group.messages.first_key_value().is_some_and(|(_, ready)| *ready);
        match group.place {
            None if available => {
                group.place = Some(self.next_place);
                self.line.insert(self.next_place, Arc::clone(name));
                self.next_place += 1;
            }
            Some(place) if !available => {
                group.place = None;
                self.line.remove(&place);
            }
            _ => {}
        }
        if group.messages.is_empty() {
            self.by_name.remove(name);
            if self.by_name.is_empty() {
                self.by_name.shrink_to_fit();
            }
        }
    }

    fn requeue(&mut self, name: &Arc<str>) {
        if let Some(place) = self.by_name.get_mut(name).and_then(|group| group.place.take()) {
            self.line.remove(&place);
        }
        self.place(name);
    }

    fn walk(&self, mut visit: impl FnMut(Key) -> bool) {
        for group in self.line.values().filter_map(|name| self.by_name.get(name)) {
            for (key, _) in group.messages.iter().take_while(|(_, ready)| **ready) {
                if !visit(*key) {
                    return;
                }
            }
        }
    }
}
