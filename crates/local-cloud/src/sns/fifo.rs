//! FIFO topics: sequence numbers, and deduplication over five minutes on the topic, not on its queues.

use std::collections::{HashMap, VecDeque};
use std::time::Duration;

use tokio::time::Instant;

use crate::budget::{Budget, Share};

/// How long a message is recognised as a duplicate (SNS developer guide, "Message deduplication for FIFO topics").
const WINDOW: Duration = Duration::from_mins(5);
/// Bounds the memory of a topic. AWS's throughput quota of 300 messages a second gives 90,000 in five minutes.
const MAX_REMEMBERED: usize = 100_000;
/// What a remembered message takes besides its key, about.
const REMEMBERED_BYTES: usize = 256;
/// AWS's sequence numbers have 20 digits.
const FIRST_NUMBER: u64 = 10_000_000_000_000_000_000;

/// What a publisher learns about its message.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Receipt {
    pub(super) message_id: String,
    pub(super) sequence_number: Option<String>,
}

/// The order of a FIFO topic. Its holder is the only publisher.
#[derive(Debug, Default)]
pub(super) struct Order {
    published: u64,
    receipts: HashMap<String, (Receipt, Share)>,
    /// Keys of `receipts`, oldest first.
    ages: VecDeque<(Instant, String)>,
}

impl Order {
    /// Returns the receipt of the message that was published with this key within the window, if any.
    pub(super) fn earlier(&mut self, key: &str, now: Instant) -> Option<Receipt> {
        self.forget(now);
        self.receipts.get(key).map(|(receipt, _)| receipt.clone())
    }

    /// Numbers a message and remembers it by its key. If memory is short, the oldest messages are forgotten first.
    pub(super) fn next(&mut self, key: String, message_id: String, now: Instant, budget: &Budget) -> Receipt {
        self.published += 1;
        let number = FIRST_NUMBER + self.published;
        let receipt = Receipt { message_id, sequence_number: Some(number.to_string()) };
        let bytes = REMEMBERED_BYTES + key.len() * 2;
        let share = loop {
            if let Some(share) = budget.take(bytes) {
                break share;
            }
            if !self.forget_oldest() {
                return receipt;
            }
        };
        self.receipts.insert(key.clone(), (receipt.clone(), share));
        self.ages.push_back((now, key));
        self.forget(now);
        receipt
    }

    fn forget(&mut self, now: Instant) {
        while let Some((at, _)) = self.ages.front()
            && (now.duration_since(*at) >= WINDOW || self.ages.len() > MAX_REMEMBERED)
        {
            self.forget_oldest();
        }
    }

    fn forget_oldest(&mut self) -> bool {
        let Some((_, key)) = self.ages.pop_front() else { return false };
        self.receipts.remove(&key).is_some()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_is_remembered_for_five_minutes() {
        let (mut order, start, budget) = (Order::default(), Instant::now(), Budget::new(10_000));
        let first = order.next("k".to_owned(), "1".to_owned(), start, &budget);
        assert_eq!(first.sequence_number.as_deref(), Some("10000000000000000001"));
        assert_eq!(order.earlier("k", start + WINDOW - Duration::from_secs(1)), Some(first));
        assert_eq!(order.earlier("other", start), None);
        assert_eq!(order.earlier("k", start + WINDOW), None);
        let second = order.next("k".to_owned(), "2".to_owned(), start + WINDOW, &budget);
        assert_eq!(second.sequence_number.as_deref(), Some("10000000000000000002"));
    }

    #[test]
    fn the_oldest_are_forgotten_when_memory_is_short() {
        let (mut order, now, budget) = (Order::default(), Instant::now(), Budget::new(3 * 258));
        for key in ["1", "2", "3", "4"] {
            order.next(key.to_owned(), String::new(), now, &budget);
        }
        assert_eq!((order.receipts.len(), order.earlier("1", now)), (3, None));
        assert!(order.earlier("2", now).is_some());
        order.forget(now + WINDOW);
        assert!(budget.take(3 * 258).is_some());
    }
}
