//! The deduplication ids that a FIFO queue has seen within the last five minutes.

use std::collections::{HashMap, VecDeque};
use std::time::Duration;

use sha2::{Digest as _, Sha256};
use tokio::time::Instant;
use uuid::Uuid;

/// SQS developer guide, "Exactly-once processing": the deduplication interval.
const INTERVAL: Duration = Duration::from_mins(5);
/// How many ids a queue remembers: far more than AWS's 3,000 messages a second with batching leave in the interval.
const MOST: usize = 1_000_000;

type Key = [u8; 32];

/// The message that an id stands for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Sent {
    pub(super) message_id: Uuid,
    pub(super) sequence_number: u64,
}

#[derive(Debug, Default)]
pub(super) struct Deduplication {
    seen: HashMap<Key, Sent>,
    by_age: VecDeque<(Instant, Key)>,
}

/// Returns the id for content-based deduplication: the SHA-256 of the body.
pub(super) fn id_of_content(body: &str) -> String {
    hex::encode(Sha256::digest(body.as_bytes()))
}

impl Deduplication {
    /// Returns the message that was sent with this id before. With the scope `messageGroup`, `group` is given.
    pub(super) fn find(&mut self, id: &str, group: Option<&str>, now: Instant) -> Option<Sent> {
        self.forget_old(now);
        self.seen.get(&key(id, group)).copied()
    }

    pub(super) fn remember(&mut self, id: &str, group: Option<&str>, sent: Sent, now: Instant) {
        let key = key(id, group);
        if self.seen.insert(key, sent).is_none() {
            self.by_age.push_back((now, key));
        }
        if self.by_age.len() > MOST {
            self.forget_oldest();
        }
    }

    pub(super) fn clear(&mut self) {
        *self = Self::default();
    }

    fn forget_old(&mut self, now: Instant) {
        while self.by_age.front().is_some_and(|(at, _)| *at + INTERVAL <= now) {
            self.forget_oldest();
        }
        if self.by_age.is_empty() && self.seen.capacity() > 0 {
            self.clear();
        }
    }

    fn forget_oldest(&mut self) {
        if let Some((_, key)) = self.by_age.pop_front() {
            self.seen.remove(&key);
        }
    }
}

fn key(id: &str, group: Option<&str>) -> Key {
    let mut digest = Sha256::new();
    digest.update(id.as_bytes());
    if let Some(group) = group {
        digest.update([0]);
        digest.update(group.as_bytes());
    }
    digest.finalize().into()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_id_is_forgotten_after_five_minutes() {
        let mut ids = Deduplication::default();
        let sent = Sent { message_id: Uuid::new_v4(), sequence_number: 1 };
        let start = Instant::now();
        ids.remember("a", None, sent, start);
        assert_eq!(ids.find("a", None, start + INTERVAL - Duration::from_millis(1)), Some(sent));
        assert_eq!(ids.find("a", Some("g"), start), None, "another scope");
        assert_eq!(ids.find("a", None, start + INTERVAL), None);
        assert_eq!(ids.by_age.len() + ids.seen.len(), 0);
    }
}
