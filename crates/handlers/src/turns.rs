//! The order in which events of one customer that get in each other's way are handled.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};

use tokio::sync::OwnedMutexGuard;

/// Grants turns: one at a time for each customer, in the order of the requests, within this process.
///
/// Events that change one item and fail on its condition could each try again after a random pause. Of fifty, all but one
/// would fail again and again, and some give up. Those that failed once take turns instead, and so does what arrives
/// meanwhile, so only events in other processes are left to collide with.
#[derive(Clone, Debug, Default)]
pub(crate) struct Turns {
    waiting: Arc<Mutex<Queues>>,
}

/// Those who wait for a turn, by customer.
type Queues = HashMap<String, Weak<tokio::sync::Mutex<()>>>;

/// A turn. It ends when this is dropped.
#[derive(Debug)]
pub(crate) struct Turn(#[expect(dead_code, reason = "held until it is dropped")] OwnedMutexGuard<()>);

impl Turns {
    /// Waits until the turns of the same customer that were asked for earlier have ended.
    pub(crate) async fn take(&self, customer_number: &str) -> Turn {
        let queue = self.queue(customer_number);
        Turn(queue.lock_owned().await)
    }

    /// Waits likewise if there are such turns; if not, there is nothing to wait for.
    pub(crate) async fn take_behind_others(&self, customer_number: &str) -> Option<Turn> {
        let queue = self.waiting().get(customer_number).and_then(Weak::upgrade)?;
        Some(Turn(queue.lock_owned().await))
    }

    fn queue(&self, customer_number: &str) -> Arc<tokio::sync::Mutex<()>> {
        let mut waiting = self.waiting();
        // As many as messages in flight at most.
        waiting.retain(|_, queue| queue.strong_count() > 0);
        if let Some(queue) = waiting.get(customer_number).and_then(Weak::upgrade) {
            return queue;
        }
        let queue = Arc::default();
        waiting.insert(customer_number.to_owned(), Arc::downgrade(&queue));
        queue
    }

    fn waiting(&self) -> MutexGuard<'_, Queues> {
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use tokio::time::timeout;

    use super::*;

    #[tokio::test(start_paused = true)]
    async fn a_customer_has_one_turn_at_a_time_and_others_do_not_wait_for_it() {
        let turns = Turns::default();
        let first = turns.take("1").await;
        let brief = Duration::from_millis(1);
        timeout(brief, turns.take("2")).await.expect("another customer's turn");
        timeout(brief, turns.take("1")).await.expect_err("the same customer's");
        drop(first);
        timeout(brief, turns.take("1")).await.expect("the turn has ended");
    }

    #[tokio::test(start_paused = true)]
    async fn what_arrives_waits_behind_others_if_there_are_any() {
        let turns = Turns::default();
        assert!(turns.take_behind_others("1").await.is_none());
        let first = turns.take("1").await;
        let brief = Duration::from_millis(1);
        timeout(brief, turns.take_behind_others("1")).await.expect_err("a turn has not ended");
        assert!(timeout(brief, turns.take_behind_others("2")).await.unwrap().is_none());
        drop(first);
        assert!(turns.take_behind_others("1").await.is_none(), "nobody is left");
    }

    #[tokio::test]
    async fn customers_without_a_turn_are_forgotten() {
        let turns = Turns::default();
        for customer in 0..100 {
            drop(turns.take(&customer.to_string()).await);
        }
        assert_eq!(turns.waiting().len(), 1);
    }
}
