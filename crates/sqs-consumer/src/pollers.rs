//! The number of receives that should be in flight.

use crate::queue::MAX_BATCH;

/// The number of receives that should be in flight: one more after a full batch, one fewer after a sparse one.
#[derive(Debug)]
pub(crate) struct Pollers {
    wanted: usize,
    max: usize,
}

impl Pollers {
    pub(crate) fn new(max: usize) -> Self {
        Self { wanted: 1, max }
    }

    pub(crate) fn wanted(&self) -> usize {
        self.wanted
    }

    /// Records one receive. A full batch means that more messages are waiting. If the batch was limited by permits
    /// instead, the handlers are the bottleneck, and another poller would not help.
    pub(crate) fn observe(&mut self, requested: usize, received: usize) {
        if requested == MAX_BATCH && received >= requested {
            self.wanted = (self.wanted + 1).min(self.max);
        } else if received * 4 < requested {
            self.wanted = (self.wanted - 1).max(1);
        }
    }

    /// Starts over with one poller, after a pause.
    pub(crate) fn reset(&mut self) {
        self.wanted = 1;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn grows_with_full_batches_and_shrinks_with_sparse_ones() {
        let mut pollers = Pollers::new(3);
        let mut wanted = |requested, received| {
            pollers.observe(requested, received);
            pollers.wanted()
        };
        assert_eq!(wanted(10, 5), 1, "half full changes nothing");
        assert_eq!(wanted(10, 10), 2);
        assert_eq!(wanted(10, 10), 3);
        assert_eq!(wanted(10, 10), 3, "never more than the maximum");
        assert_eq!(wanted(4, 4), 3, "limited by permits");
        assert_eq!(wanted(10, 2), 2);
        assert_eq!(wanted(10, 0), 1);
        assert_eq!(wanted(1, 0), 1, "never fewer than one");
    }
}
