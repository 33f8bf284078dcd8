//! The queue between the threads that end spans and the one that exports them.

use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::sync::watch;

use super::waiting::Waiting;

/// What the threads that end spans and the one that exports them share.
#[derive(Debug)]
pub(super) struct Shared {
    waiting: Mutex<Waiting>,
    /// A batch may leave earlier than the worker expects.
    earlier: Condvar,
    /// All spans have left.
    empty: Condvar,
    progress: watch::Sender<Progress>,
}

/// How the export goes on.
#[derive(Clone, Copy, Debug, Default)]
struct Progress {
    /// How many spans have left so far.
    departed: u64,
    /// Whether none has left since an attempt failed, or since somebody waited in vain.
    stalled: bool,
}

impl Shared {
    pub(super) fn new(waiting: Waiting) -> Self {
        Self {
            waiting: Mutex::new(waiting),
            earlier: Condvar::new(),
            empty: Condvar::new(),
            progress: watch::Sender::default(),
        }
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

    /// Tells those who wait that a batch has left.
    pub(super) fn has_left(&self, waiting: &Waiting) {
        self.progress.send_replace(Progress { departed: waiting.departed(), stalled: false });
        if waiting.len() == 0 {
            self.empty.notify_all();
        }
    }

    /// Notes that no batch leaves at the moment, so that nobody waits for one.
    pub(super) fn stall(&self) {
        self.progress.send_modify(|progress| progress.stalled = true);
    }

    /// Waits until so many spans have left, but no longer than `limit`, and not while none leave.
    pub(super) async fn departed(&self, count: u64, limit: Duration) {
        let mut progress = self.progress.subscribe();
        let reached = progress.wait_for(|progress| progress.departed >= count || progress.stalled);
        if tokio::time::timeout(limit, reached).await.is_err() {
            self.stall();
        }
    }
}
