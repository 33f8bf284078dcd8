//! Keeps the messages in flight invisible to other consumers by extending their visibility, in batches, before it ends.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use futures_util::future::join_all;
use tokio::sync::{Mutex as AsyncMutex, Notify};
use tokio::time::{Instant, sleep_until};

use crate::metrics::Metrics;
use crate::queue::{MAX_BATCH, Queue, QueueError, Receipt, Rejected, VisibilityChange};

/// The messages in flight, and when each becomes visible again.
pub(crate) struct InFlightMessages {
    entries: Mutex<Entries>,
    /// Notified when the first message is in flight.
    first: Notify,
    /// Locked while extension calls are in flight.
    extending: AsyncMutex<()>,
    visibility: Duration,
}

#[derive(Default)]
struct Entries {
    next: u64,
    by_number: HashMap<u64, Entry>,
}

struct Entry {
    receipt: Receipt,
    /// When the message becomes visible again.
    visible_at: Instant,
    /// When its visibility is to be extended.
    extend_at: Instant,
    /// Whether an extension is in flight.
    extending: bool,
    /// Whether a failed extension has been logged.
    logged: bool,
}

/// A message in flight. Dropping it ends its extensions.
pub(crate) struct InFlight {
    messages: Arc<InFlightMessages>,
    number: u64,
}

impl InFlightMessages {
    pub(crate) fn new(visibility: Duration) -> Arc<Self> {
        Arc::new(Self {
            entries: Mutex::default(),
            first: Notify::new(),
            extending: AsyncMutex::new(()),
            visibility,
        })
    }

    /// Adds a message that was received at `now`.
    pub(crate) fn add(self: &Arc<Self>, receipt: Receipt, now: Instant) -> InFlight {
        let mut entries = self.lock();
        let number = entries.next;
        entries.next += 1;
        if entries.by_number.is_empty() {
            self.first.notify_one();
        }
        let entry = Entry {
            receipt,
            visible_at: now + self.visibility,
            extend_at: now + self.before_expiry(),
            extending: false,
            logged: false,
        };
        entries.by_number.insert(number, entry);
        InFlight { messages: Arc::clone(self), number }
    }

    /// Returns the time from a receive or an extension to the next extension. It leaves a third of the visibility: late
    /// enough that most messages are done by then, early enough to retry a failed extension.
    fn before_expiry(&self) -> Duration {
        self.visibility * 2 / 3
    }

    fn lock(&self) -> MutexGuard<'_, Entries> {
        // Nothing panics while holding the lock; even if it were poisoned, the map would be consistent.
        self.entries.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Returns the messages to extend now, together with those due shortly after, so that batches are fuller.
    fn take_due(&self, now: Instant) -> Vec<(u64, VisibilityChange)> {
        let horizon = now + self.visibility / 12;
        let mut entries = self.lock();
        let mut due: Vec<_> = Vec::new();
        if entries.by_number.values().any(|entry| entry.extend_at <= now) {
            for (number, entry) in &mut entries.by_number {
                if entry.extend_at <= horizon {
                    entry.extending = true;
                    let receipt = entry.receipt.clone();
                    due.push((*number, VisibilityChange { receipt, timeout: self.visibility }));
                }
            }
        }
        due
    }

    /// Returns when the next extension is due, if any message is in flight.
    fn next_due(&self) -> Option<Instant> {
        self.lock().by_number.values().map(|entry| entry.extend_at).min()
    }

    /// Schedules the next extension after a successful one whose call started `at`. SQS counts from the call's arrival,
    /// so counting from its start errs on the safe side.
    fn extended(&self, number: u64, at: Instant) {
        if let Some(entry) = self.lock().by_number.get_mut(&number) {
            entry.extending = false;
            entry.visible_at = at + self.visibility;
            entry.extend_at = at + self.before_expiry();
        }
    }

    /// Schedules the next attempt after a failed extension. Returns whether the failure is to be logged.
    fn failed(&self, number: u64, now: Instant, for_good: bool) -> bool {
        let mut entries = self.lock();
        let Some(entry) = entries.by_number.get_mut(&number) else {
            return false; // Settled in the meantime, which invalidated its receipt handle: expected, nothing to log.
        };
        entry.extending = false;
        let logged = std::mem::replace(&mut entry.logged, true);
        if for_good || now >= entry.visible_at {
            // The receipt is no longer valid or the message is already visible again, so there is nothing to extend.
            entries.by_number.remove(&number);
        } else {
            // A quarter of the time left allows several more attempts before the message becomes visible.
            let left = entry.visible_at - now;
            entry.extend_at = now + (left / 4).max(Duration::from_millis(500));
        }
        !logged
    }

    /// Extends messages that are close to becoming visible. Never returns; the caller aborts its task.
    pub(crate) async fn extend<Q: Queue>(self: Arc<Self>, queue: Arc<Q>, metrics: Metrics) {
        loop {
            match self.next_due() {
                None => self.first.notified().await,
                Some(due) => {
                    // A message added while this sleeps is due later than those already in flight, so it wakes the loop
                    // only if all of those have been settled.
                    tokio::select! {
                        () = sleep_until(due) => {}
                        () = self.first.notified() => {}
                    }
                    self.round(&*queue, &metrics).await;
                }
            }
        }
    }

    /// Extends the messages that are due, in concurrent batches.
    async fn round<Q: Queue>(&self, queue: &Q, metrics: &Metrics) {
        let _extending = self.extending.lock().await;
        let due = self.take_due(Instant::now());
        let batches: Vec<(Vec<u64>, Vec<VisibilityChange>)> =
            due.chunks(MAX_BATCH).map(|batch| batch.iter().cloned().unzip()).collect();
        let calls = batches.iter().map(|(numbers, changes)| async move {
            let started = Instant::now();
            let result = queue.change_visibility(changes).await;
            let code = result.as_ref().err().map(|error| error.code.as_str());
            metrics.call("extend_visibility", started.elapsed(), code);
            self.apply(numbers, changes, started, result, metrics);
        });
        join_all(calls).await;
    }

    /// Applies the result of one batch to its entries.
    fn apply(
        &self,
        numbers: &[u64],
        changes: &[VisibilityChange],
        started: Instant,
        result: Result<Vec<Rejected>, QueueError>,
        metrics: &Metrics,
    ) {
        let now = Instant::now();
        let (rejected, all) = match result {
            Ok(rejected) => (rejected, None),
            Err(error) => (Vec::new(), Some(error.code)),
        };
        for (index, (number, change)) in numbers.iter().zip(changes).enumerate() {
            let refused = rejected.iter().find(|refused| refused.index == index);
            let Some(code) = all.as_deref().or(refused.map(|refused| refused.code.as_str())) else {
                metrics.extended(None);
                self.extended(*number, started);
                continue;
            };
            let for_good = refused.is_some_and(|refused| refused.sender_fault);
            metrics.extended(Some(code));
            if self.failed(*number, now, for_good) {
                // The handler continues: effects are idempotent, and stopping it would make a redelivery certain
                // instead of likely.
                tracing::warn!(
                    message_id = change.receipt.message_id(),
                    error = code,
                    for_good,
                    "visibility not extended: the message may be redelivered while it is being handled"
                );
            }
        }
    }
}

impl InFlight {
    /// Ends the extensions and waits for one that is in flight. SQS applies visibility changes in order of arrival, so
    /// a late extension would otherwise overwrite the visibility that the caller sets next.
    pub(crate) async fn release(self) {
        let entry = self.messages.lock().by_number.remove(&self.number);
        if entry.is_some_and(|entry| entry.extending) {
            drop(self.messages.extending.lock().await);
        }
    }
}

impl Drop for InFlight {
    fn drop(&mut self) {
        self.messages.lock().by_number.remove(&self.number);
    }
}
