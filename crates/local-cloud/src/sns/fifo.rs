//! FIFO topics: sequence numbers, and deduplication over five minutes on the topic, not on its queues.

use std::collections::{HashMap, VecDeque};
use std::time::Duration;

use tokio::time::Instant;

/// How long a message is recognised as a duplicate (SNS developer guide, "Message deduplication for FIFO topics").
const WINDOW: Duration = Duration::from_mins(5);
/// Bounds the memory of a topic. AWS's throughput quota of 300 messages a second gives 90,000 in five minutes.
const MAX_REMEMBERED: usize = 100_000;
/// AWS's sequence numbers have 20 digits.
const FIRST_NUMBER: u64 = 10_000_000_000_000_000_000;

/// What a publisher is told about its message.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Receipt {
    pub(super) message_id: String,
    pub(super) sequence_number: Option<String>,
}

/// The order of a FIFO topic. Whoever holds it publishes alone.
#[derive(Debug, Default)]
pub(super) struct Order {
    published: u64,
    receipts: HashMap<String, Receipt>,
    /// Keys of `receipts`, oldest first.
    ages: VecDeque<(Instant, String)>,
}

impl Order {
    /// Returns the receipt of the message that was published with this key within the window, if any.
    pub(super) fn earlier(&mut self, key: &str, now: Instant) -> Option<Receipt> {
        self.forget(now);
        self.receipts.get(key).cloned()
    }

    /// Numbers a message and remembers it by its key.
    pub(super) fn next(&mut self, key: String, message_id: String, now: Instant) -> Receipt {
        self.published += 1;
        let number = FIRST_NUMBER + self.published;
        let receipt = Receipt { message_id, sequence_number: Some(number.to_string()) };
        self.receipts.insert(key.clone(), receipt.clone());
        self.ages.push_back((now, key));
        self.forget(now);
        receipt
    }

    fn forget(&mut self, now: Instant) {
        while let Some((at, _)) = self.ages.front()
            && (now.duration_since(*at) >= WINDOW || self.ages.len() > MAX_REMEMBERED)
            && let Some((_, key)) = self.ages.pop_front()
        {
            self.receipts.remove(&key);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_is_remembered_for_five_minutes() {
        let (mut order, start) = (Order::default(), Instant::now());
        let first = order.next("k".to_owned(), "1".to_owned(), start);
        assert_eq!(first.sequence_number.as_deref(), Some("10000000000000000001"));
        assert_eq!(order.earlier("k", start + WINDOW - Duration::from_secs(1)), Some(first));
        assert_eq!(order.earlier("other", start), None);
        assert_eq!(order.earlier("k", start + WINDOW), None);
        let second = order.next("k".to_owned(), "2".to_owned(), start + WINDOW);
        assert_eq!(second.sequence_number.as_deref(), Some("10000000000000000002"));
    }

    #[test]
    fn memory_is_bounded() {
        let (mut order, now) = (Order::default(), Instant::now());
        for i in 0..=MAX_REMEMBERED {
            order.next(i.to_string(), String::new(), now);
        }
        assert_eq!(order.receipts.len(), MAX_REMEMBERED);
        assert_eq!(order.earlier("0", now), None);
    }
}
