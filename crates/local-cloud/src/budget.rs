//! How much memory what clients store may take together: the messages of all queues, all topics, all identities.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

/// A budget in bytes; cheap to clone.
#[derive(Clone, Debug)]
pub(crate) struct Budget {
    free: Arc<AtomicUsize>,
}

/// Bytes taken from a budget, which get them back when this is dropped.
#[derive(Debug)]
pub(crate) struct Share {
    bytes: usize,
    of: Budget,
}

impl Budget {
    pub(crate) fn new(bytes: usize) -> Self {
        Self { free: Arc::new(AtomicUsize::new(bytes)) }
    }

    /// Returns `None` if fewer bytes are left.
    pub(crate) fn take(&self, bytes: usize) -> Option<Share> {
        self.free
            .fetch_update(Ordering::Relaxed, Ordering::Relaxed, |free| free.checked_sub(bytes))
            .ok()
            .map(|_| Share { bytes, of: self.clone() })
    }
}

impl Drop for Share {
    fn drop(&mut self) {
        self.of.free.fetch_add(self.bytes, Ordering::Relaxed);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_dropped_can_be_taken_again() {
        let budget = Budget::new(10);
        let share = budget.take(7).unwrap();
        assert!(budget.take(4).is_none());
        drop(share);
        assert!(budget.take(10).is_some());
    }
}
