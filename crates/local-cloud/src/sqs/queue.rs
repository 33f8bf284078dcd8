//! One queue: its attributes, tags and messages behind one lock, which is never held over an await.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::sync::Notify;
use tokio::time::Instant;

use super::attempts::{Attempts, Returned};
use super::attributes::{Attributes, MAX_WAIT};
use super::backlog::{Backlog, Counts, Standing, Take};
use super::deduplication::{Deduplication, Sent};
use super::errors::{invalid_receipt_handle, invalid_value, no_such_queue, over_limit, purge_in_progress};
use super::message::{Message, Received, Wanted};
use super::receipt_handle::{Receipt, Seal};
use super::redrive::RedrivePolicy;
use crate::reply::AwsError;

/// How many messages a queue may have in flight (SQS developer guide, "Amazon SQS message quotas").
const MAX_IN_FLIGHT: usize = 120_000;
/// The longest that a message may stay in flight after one receive.
const MAX_TOTAL_VISIBILITY: Duration = Duration::from_hours(12);
/// How long after a purge the next one is refused.
const PURGE_INTERVAL: Duration = Duration::from_mins(1);
/// The first sequence number of a queue. AWS's have 20 digits, too.
const FIRST_SEQUENCE_NUMBER: u64 = 10_000_000_000_000_000_000;

#[derive(Debug)]
pub(super) struct Queue {
    pub(super) name: String,
    pub(super) arn: Arc<str>,
    pub(super) url: String,
    pub(super) fifo: bool,
    /// Distinguishes a queue from an earlier one of the same name.
    pub(super) id: u64,
    /// When it was created, in seconds since the epoch.
    pub(super) created: i64,
    /// AWS keeps the deduplication scope that a queue was created with, whatever the attribute is set to later.
    deduplication_by_group: bool,
    seal: Seal,
    state: Mutex<State>,
    signal: Notify,
}

#[derive(Debug)]
struct State {
    attributes: Attributes,
    modified: i64,
    tags: BTreeMap<String, String>,
    backlog: Backlog,
    deduplication: Deduplication,
    attempts: Attempts,
    purged: Option<Instant>,
    deleted: bool,
    next_sequence_number: u64,
}

/// What identifies a new queue.
#[derive(Debug)]
pub(super) struct Identity {
    pub(super) name: String,
    pub(super) arn: String,
    pub(super) url: String,
    pub(super) id: u64,
}

/// How a consumer receives messages.
#[derive(Debug)]
pub(super) struct Receive {
    pub(super) most: usize,
    /// Defaults to the queue's.
    pub(super) visibility: Option<Duration>,
    pub(super) wanted: Wanted,
    /// The id under which a receive from a FIFO queue can be repeated.
    pub(super) attempt_id: Option<String>,
    /// Whether it waits for messages; a long poll does not fail when too many are in flight.
    pub(super) waits: bool,
}

/// What a message must comply with.
#[derive(Clone, Copy, Debug)]
pub(super) struct SendRules {
    pub(super) fifo: bool,
    pub(super) max_bytes: usize,
    pub(super) content_based_deduplication: bool,
}

impl Queue {
    pub(super) fn new(
        identity: Identity,
        attributes: Attributes,
        tags: BTreeMap<String, String>,
        seal: Seal,
    ) -> Self {
        let now = now_ms() / 1000;
        Self {
            name: identity.name,
            arn: identity.arn.into(),
            url: identity.url,
            fifo: attributes.fifo.is_some(),
            id: identity.id,
            created: now,
            deduplication_by_group: attributes.fifo.is_some_and(|fifo| fifo.deduplication_by_group),
            seal,
            state: Mutex::new(State {
                backlog: Backlog::new(attributes.fifo.is_some()),
                attributes,
                modified: now,
                tags,
                deduplication: Deduplication::default(),
                attempts: Attempts::default(),
                purged: None,
                deleted: false,
                next_sequence_number: FIRST_SEQUENCE_NUMBER,
            }),
            signal: Notify::new(),
        }
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Returns the state as it is at this time, unless the queue was deleted.
    fn at(&self, now: Instant) -> Result<MutexGuard<'_, State>, AwsError> {
        let mut state = self.lock();
        if state.deleted {
            return Err(no_such_queue());
        }
        let retention = state.attributes.retention();
        state.backlog.catch_up(now, retention);
        Ok(state)
    }

    /// Wakes those who wait: one if a message is ready, all if one becomes visible sooner than they expect.
    fn wake(&self, state: &State, earlier: Option<Instant>, now: Instant) {
        if state.backlog.any_ready() {
            self.signal.notify_one();
        }
        let next = state.backlog.next_event();
        let matters = next.is_some_and(|at| at <= now + Duration::from_secs(MAX_WAIT.into()));
        if matters && next != earlier {
            self.signal.notify_waiters();
        }
    }

    /// Returns what a message sent to this queue must comply with.
    pub(super) fn send_rules(&self) -> SendRules {
        let state = self.lock();
        SendRules {
            fifo: self.fifo,
            max_bytes: state.attributes.max_message_bytes,
            content_based_deduplication: state
                .attributes
                .fifo
                .is_some_and(|fifo| fifo.content_based_deduplication),
        }
    }

    /// Returns how long a receive waits that does not say so itself.
    pub(super) fn wait(&self) -> Duration {
        self.lock().attributes.wait()
    }

    pub(super) fn attributes(&self) -> Attributes {
        self.lock().attributes.clone()
    }

    /// Changes attributes: `change` gets a copy, which is kept if it succeeds.
    pub(super) fn change_attributes(
        &self,
        now: Instant,
        change: impl FnOnce(&mut Attributes) -> Result<(), AwsError>,
    ) -> Result<(), AwsError> {
        let mut state = self.at(now)?;
        let mut changed = state.attributes.clone();
        change(&mut changed)?;
        let earlier = state.backlog.next_event();
        if self.fifo && changed.delay() != state.attributes.delay() {
            state.backlog.delay_again(changed.delay(), now);
        }
        state.attributes = changed;
        state.modified = now_ms() / 1000;
        self.wake(&state, earlier, now);
        Ok(())
    }

    pub(super) fn modified(&self) -> i64 {
        self.lock().modified
    }

    pub(super) fn redrive(&self) -> Option<RedrivePolicy> {
        self.lock().attributes.redrive.clone()
    }

    pub(super) fn tags(&self) -> BTreeMap<String, String> {
        self.lock().tags.clone()
    }

    pub(super) fn change_tags(&self, change: impl FnOnce(&mut BTreeMap<String, String>)) {
        change(&mut self.lock().tags);
    }

    pub(super) fn counts(&self, now: Instant) -> Result<Counts, AwsError> {
        Ok(self.at(now)?.backlog.counts())
    }

    /// Adds a message that was sent. `delay` defaults to the queue's. Returns what was sent before if a FIFO
    /// queue has seen the deduplication id.
    pub(super) fn send(&self, mut message: Message, delay: Option<Duration>) -> Result<Sent, AwsError> {
        let now = message.since;
        let mut state = self.at(now)?;
        let delay = delay.unwrap_or_else(|| state.attributes.delay());
        if let Some(id) = message.deduplication_id.clone().filter(|_| self.fifo) {
            let group = message.group_id.clone().filter(|_| self.deduplication_by_group);
            if let Some(sent) = state.deduplication.find(&id, group.as_deref(), now) {
                return Ok(sent);
            }
            message.sequence_number = Some(state.next_sequence_number());
            state.deduplication.remember(&id, group.as_deref(), message.as_sent(), now);
        }
        let sent = message.as_sent();
        let earlier = state.backlog.next_event();
        state.backlog.add(message, (!delay.is_zero()).then(|| now + delay));
        self.wake(&state, earlier, now);
        Ok(sent)
    }

    /// Adds a message that comes from another queue, without delay or deduplication: with its history, or as a new one.
    /// Returns it if this queue was deleted.
    pub(super) fn take_over(
        &self,
        mut message: Message,
        as_new: bool,
        now: Instant,
    ) -> Result<(), Box<Message>> {
        let Ok(mut state) = self.at(now) else { return Err(Box::new(message)) };
        if as_new {
            message.renew(now_ms(), now);
        }
        if self.fifo {
            message.sequence_number = Some(state.next_sequence_number());
            // SQS developer guide, "Using dead-letter queues": moving resets the enqueue time in FIFO queues only.
            message.since = now;
        }
        let earlier = state.backlog.next_event();
        state.backlog.add(message, None);
        self.wake(&state, earlier, now);
        Ok(())
    }

    /// Receives what is ready. Returns it with the messages to move to the dead-letter queue, which has them after
    /// `max_receives`.
    pub(super) fn receive(
        &self,
        receive: &Receive,
        max_receives: Option<u32>,
        now: Instant,
    ) -> Result<(Vec<Received>, Vec<Message>), AwsError> {
        let mut state = self.at(now)?;
        let visibility = receive.visibility.unwrap_or_else(|| state.attributes.visibility());
        let attempt = receive.attempt_id.as_ref().filter(|_| self.fifo);
        if let Some(id) = attempt
            && let Some(received) = self.repeat(&mut state, id, &receive.wanted, visibility, now)
        {
            return Ok((received, Vec::new()));
        }
        let room = MAX_IN_FLIGHT.saturating_sub(state.backlog.counts().in_flight);
        if room == 0 && !self.fifo && !receive.waits {
            return Err(over_limit(format!("More than {MAX_IN_FLIGHT} messages are in flight.")));
        }
        let take = Take { most: receive.most.min(room), visibility, max_receives };
        let earlier = state.backlog.next_event();
        let time = now_ms();
        let mut returned = Returned::new();
        let (received, dead) = state.backlog.take(take, now, |key, receive_number, message| {
            message.first_received.get_or_insert(time);
            returned.push((key, receive_number));
            let receipt = Receipt { queue: self.id, message: key, receive: receive_number };
            message.received(self.seal.encode(receipt), &receive.wanted)
        });
        if !received.is_empty() {
            if let Some(id) = attempt {
                state.attempts.remember(id.clone(), returned, now);
            }
            self.wake(&state, earlier, now);
        }
        Ok((received, dead))
    }

    /// Returns what the receive with this id returned, hidden anew, if all of it is still in flight.
    fn repeat(
        &self,
        state: &mut State,
        id: &str,
        wanted: &Wanted,
        visibility: Duration,
        now: Instant,
    ) -> Option<Vec<Received>> {
        let returned = state.attempts.take(id, now)?;
        let mut received = Vec::with_capacity(returned.len());
        for (key, receive) in &returned {
            state
                .backlog
                .standing(*key, *receive)
                .filter(|standing| standing.in_flight && standing.is_last)?;
            let receipt = Receipt { queue: self.id, message: *key, receive: *receive };
            received.push(state.backlog.message(*key)?.received(self.seal.encode(receipt), wanted));
        }
        let earlier = state.backlog.next_event();
        for (key, _) in &returned {
            state.backlog.hide(*key, (!visibility.is_zero()).then(|| now + visibility));
        }
        state.attempts.remember(id.to_owned(), returned, now);
        self.wake(state, earlier, now);
        Some(received)
    }

    /// Removes the first message that is ready, to move it to another queue.
    pub(super) fn pop(&self, now: Instant) -> Result<Option<Message>, AwsError> {
        Ok(self.at(now)?.backlog.pop())
    }

    /// Deletes the message of a receipt. On a standard queue the receipt must be of its last receive, or nothing happens
    /// (API reference, `DeleteMessage`); on a FIFO queue the message must also be in flight.
    pub(super) fn delete(&self, handle: &str, now: Instant) -> Result<(), AwsError> {
        let receipt = self.receipt(handle)?;
        let mut state = self.at(now)?;
        let Some(standing) = state.backlog.standing(receipt.message, receipt.receive) else {
            return Ok(());
        };
        self.check_not_expired(handle, standing)?;
        if standing.is_last {
            let earlier = state.backlog.next_event();
            state.backlog.remove(receipt.message);
            self.wake(&state, earlier, now);
        }
        Ok(())
    }

    /// Changes for how long the message of a receipt is hidden. On a standard queue this also works after the timeout
    /// has run out, and with a receipt of an earlier receive.
    pub(super) fn change_visibility(
        &self,
        handle: &str,
        visibility: Duration,
        now: Instant,
    ) -> Result<(), AwsError> {
        let receipt = self.receipt(handle)?;
        let mut state = self.at(now)?;
        let Some(standing) = state.backlog.standing(receipt.message, receipt.receive) else {
            return Err(invalid_value(
                handle,
                "ReceiptHandle",
                "Message does not exist or is not available for visibility timeout change.",
            ));
        };
        self.check_not_expired(handle, standing)?;
        let total = standing.last_received.map_or(Duration::ZERO, |at| now - at) + visibility;
        if total > MAX_TOTAL_VISIBILITY {
            return Err(invalid_value(
                visibility.as_secs(),
                "VisibilityTimeout",
                "Total VisibilityTimeout for the message is beyond the limit [43200 seconds].",
            ));
        }
        let earlier = state.backlog.next_event();
        state.backlog.hide(receipt.message, (!visibility.is_zero()).then(|| now + visibility));
        self.wake(&state, earlier, now);
        Ok(())
    }

    fn receipt(&self, handle: &str) -> Result<Receipt, AwsError> {
        self.seal
            .decode(handle)
            .filter(|receipt| receipt.queue == self.id)
            .ok_or_else(|| invalid_receipt_handle(handle))
    }

    fn check_not_expired(&self, handle: &str, standing: Standing) -> Result<(), AwsError> {
        if self.fifo && !(standing.in_flight && standing.is_last) {
            return Err(invalid_value(handle, "ReceiptHandle", "The receipt handle has expired."));
        }
        Ok(())
    }

    /// Removes all messages, and forgets the deduplication ids.
    pub(super) fn purge(&self, now: Instant) -> Result<(), AwsError> {
        let mut state = self.at(now)?;
        if state.purged.is_some_and(|at| now < at + PURGE_INTERVAL) {
            return Err(purge_in_progress(&self.name));
        }
        state.purged = Some(now);
        state.backlog.clear();
        state.deduplication.clear();
        state.attempts.clear();
        Ok(())
    }

    /// Frees what the queue holds, also if somebody still waits for its messages.
    pub(super) fn mark_deleted(&self) {
        let mut state = self.lock();
        state.deleted = true;
        state.backlog.clear();
        state.deduplication.clear();
        state.attempts.clear();
        self.signal.notify_waiters();
    }

    /// Drops messages whose retention is over.
    pub(super) fn drop_expired(&self, now: Instant) {
        drop(self.at(now));
    }

    pub(super) fn next_event(&self) -> Option<Instant> {
        self.lock().backlog.next_event()
    }

    /// Completes when there may be something to receive.
    pub(super) fn signalled(&self) -> tokio::sync::futures::Notified<'_> {
        self.signal.notified()
    }
}

impl State {
    fn next_sequence_number(&mut self) -> u64 {
        let number = self.next_sequence_number;
        self.next_sequence_number += 1;
        number
    }
}

/// Returns the time in milliseconds since the epoch.
pub(super) fn now_ms() -> i64 {
    jiff::Timestamp::now().as_millisecond()
}
