//! How much is in flight.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use tokio::sync::Notify;

/// The messages in flight: how many there are, and their bytes.
#[derive(Debug)]
pub(crate) struct InHand {
    messages: AtomicUsize,
    bytes: AtomicUsize,
    /// The bytes from which on nothing more is received.
    max_bytes: usize,
    /// Notified when the last message is settled, and when there is room again.
    eased: Notify,
}

impl InHand {
    pub(crate) fn new(max_bytes: usize) -> Arc<Self> {
        Arc::new(Self {
            messages: AtomicUsize::new(0),
            bytes: AtomicUsize::new(0),
            max_bytes,
            eased: Notify::new(),
        })
    }

    pub(crate) fn messages(&self) -> usize {
        self.messages.load(Ordering::Acquire)
    }

    /// Returns whether there is room for more messages.
    pub(crate) fn has_room(&self) -> bool {
        self.bytes.load(Ordering::Relaxed) < self.max_bytes
    }

    /// Counts a message until the result is dropped.
    pub(crate) fn add(self: &Arc<Self>, bytes: usize) -> Weight {
        self.messages.fetch_add(1, Ordering::AcqRel);
        self.bytes.fetch_add(bytes, Ordering::Relaxed);
        Weight { of: Arc::clone(self), bytes }
    }

    /// Waits until the last message is settled, or there is room again.
    pub(crate) async fn eased(&self) {
        self.eased.notified().await;
    }

    /// Waits until no message is in flight.
    pub(crate) async fn until_empty(&self) {
        while self.messages() > 0 {
            self.eased().await;
        }
    }
}

/// A message's share of the messages in flight.
#[derive(Debug)]
pub(crate) struct Weight {
    of: Arc<InHand>,
    bytes: usize,
}

impl Drop for Weight {
    fn drop(&mut self) {
        let before = self.of.bytes.fetch_sub(self.bytes, Ordering::Relaxed);
        let limit = self.of.max_bytes;
        let made_room = before >= limit && before - self.bytes < limit;
        if self.of.messages.fetch_sub(1, Ordering::AcqRel) == 1 || made_room {
            self.of.eased.notify_one();
        }
    }
}
