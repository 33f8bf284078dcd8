//! The queue between the threads that end spans and the one that exports them.

use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use super::waiting::Waiting;

/// What the threads that end spans and the one that exports them share.
#[derive(Debug)]
pub(super) struct Shared {
    waiting: Mutex<Waiting>,
    /// A batch may leave earlier than the worker expects.
    earlier: Condvar,
    /// All spans have left.
    empty: Condvar,
}

impl Shared {
    pub(super) fn new(waiting: Waiting) -> Self {
        Self { waiting: Mutex::new(waiting), earlier: Condvar::new(), empty: Condvar::new() }
    }

    pub(super) fn lock(&self) -> MutexGuard<'_, Waiting> {
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Wakes the worker if it would sleep too long.
    pub(super) fn wake(&self, waiting: &Waiting) {
        if waiting.is_closed() || waiting.is_earlier_than_expected() {
            self.earlier.notify_one();
        }
    }

    /// Waits until every span has left. Returns how many have not by then.
    pub(super) fn wait_until_empty(&self, limit: Duration) -> usize {
        let waiting = self.lock();
        let wait = self.empty.wait_timeout_while(waiting, limit, |waiting| waiting.len() > 0);
        let (waiting, _) = wait.unwrap_or_else(PoisonError::into_inner);
        waiting.len()
    }

    /// Sleeps until a batch may leave earlier than expected, or this time is over.
    pub(super) fn sleep<'a>(
        &self,
        waiting: MutexGuard<'a, Waiting>,
        time: Duration,
    ) -> MutexGuard<'a, Waiting> {
        self.earlier.wait_timeout(waiting, time).unwrap_or_else(PoisonError::into_inner).0
    }

    /// Tells those who wait for it that all spans have left.
    pub(super) fn emptied(&self) {
        self.empty.notify_all();
    }
}
