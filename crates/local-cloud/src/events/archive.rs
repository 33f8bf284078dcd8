//! Archives of a bus's events.

use std::collections::VecDeque;
use std::sync::Arc;

use event_pattern::Pattern;
use jiff::{SignedDuration, Timestamp};
use serde_json::{Value, json};

use super::time::seconds;
use crate::budget::{Budget, Share};

/// What one archive keeps. The oldest events make room for new ones.
const MAX_BYTES: usize = 8 * 1024 * 1024;
/// What an event takes beside its text.
const OVERHEAD: usize = 256;

#[derive(Debug)]
pub(super) struct Archive {
    pub(super) arn: String,
    pub(super) bus: String,
    pub(super) source_arn: String,
    pub(super) description: Option<String>,
    pub(super) kms_key: Option<String>,
    pub(super) pattern: Option<(String, Pattern)>,
    /// Zero keeps events for good.
    pub(super) retention_days: u32,
    created: Timestamp,
    events: VecDeque<Arc<Archived>>,
    bytes: usize,
}

#[derive(Debug)]
pub(super) struct Archived {
    pub(super) occurred: Timestamp,
    pub(super) id: String,
    pub(super) text: String,
    kept: Timestamp,
    _share: Share,
}

impl Archive {
    /// Creates an empty archive.
    pub(super) fn new(arn: String, bus: String, source_arn: String) -> Self {
        Self {
            arn,
            bus,
            source_arn,
            description: None,
            kms_key: None,
            pattern: None,
            retention_days: 0,
            created: Timestamp::now(),
            events: VecDeque::new(),
            bytes: 0,
        }
    }

    /// Returns whether an event of a bus belongs into the archive.
    pub(super) fn takes(&self, bus: &str, event: &Value) -> bool {
        self.bus == bus && self.pattern.as_ref().is_none_or(|(_, pattern)| pattern.matches(event))
    }

    /// Keeps an event, in memory from the budget of all archives.
    pub(super) fn keep(&mut self, occurred: Timestamp, id: &str, text: &str, budget: &Budget) {
        self.expire();
        let mut dropped = 0;
        while self.bytes + text.len() > MAX_BYTES && self.drop_oldest() {
            dropped += 1;
        }
        let share = loop {
            if let Some(share) = budget.take(OVERHEAD + text.len()) {
                break Some(share);
            }
            if !self.drop_oldest() {
                break None;
            }
            dropped += 1;
        };
        if dropped > 0 {
            tracing::warn!(archive = self.arn, dropped, "an archive is full: its oldest events were dropped");
        }
        let Some(share) = share else {
            tracing::warn!(archive = self.arn, "an event was not archived: other archives take all memory");
            return;
        };
        self.bytes += text.len();
        let (id, text, kept) = (id.to_owned(), text.to_owned(), Timestamp::now());
        self.events.push_back(Arc::new(Archived { occurred, id, text, kept, _share: share }));
    }

    /// Drops what is older than the archive keeps events.
    pub(super) fn expire(&mut self) {
        if self.retention_days == 0 {
            return;
        }
        let age = SignedDuration::from_hours(24 * i64::from(self.retention_days));
        let Ok(oldest) = Timestamp::now().checked_sub(age) else { return };
        while self.events.front().is_some_and(|event| event.kept < oldest) {
            self.drop_oldest();
        }
    }

    fn drop_oldest(&mut self) -> bool {
        let Some(event) = self.events.pop_front() else { return false };
        self.bytes -= event.text.len();
        true
    }

    /// Returns the events that occurred from one point in time until before another.
    pub(super) fn between(&self, start: Timestamp, end: Timestamp) -> Vec<Arc<Archived>> {
        self.events.iter().filter(|event| (start..end).contains(&event.occurred)).cloned().collect()
    }

    pub(super) fn shown(&self, name: &str) -> Value {
        json!({
            "ArchiveName": name,
            "EventSourceArn": self.source_arn,
            "State": "ENABLED",
            "RetentionDays": self.retention_days,
            "SizeBytes": self.bytes,
            "EventCount": self.events.len(),
            "CreationTime": seconds(self.created),
        })
    }

    pub(super) fn answer(&self) -> Value {
        json!({"ArchiveArn": self.arn, "State": "ENABLED", "CreationTime": seconds(self.created)})
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn archive() -> Archive {
        Archive::new("arn".to_owned(), "b".to_owned(), "source".to_owned())
    }

    #[test]
    fn a_full_archive_keeps_the_newest() {
        let (mut archive, budget) = (archive(), Budget::new(100 * 1024 * 1024));
        let text = "x".repeat(1024 * 1024);
        for second in 0..10 {
            archive.keep(Timestamp::from_second(second).unwrap(), "id", &text, &budget);
        }
        let kept = archive.between(Timestamp::UNIX_EPOCH, Timestamp::MAX);
        let seconds: Vec<_> = kept.iter().map(|event| event.occurred.as_second()).collect();
        assert_eq!(seconds, [2, 3, 4, 5, 6, 7, 8, 9]);
        assert_eq!(archive.shown("a")["SizeBytes"], MAX_BYTES);
    }

    #[test]
    fn archives_share_their_memory() {
        let budget = Budget::new(3 * (OVERHEAD + 1));
        let (mut first, mut second) = (archive(), archive());
        for _ in 0..3 {
            first.keep(Timestamp::UNIX_EPOCH, "id", "x", &budget);
        }
        second.keep(Timestamp::UNIX_EPOCH, "id", "x", &budget);
        assert_eq!(second.shown("a")["EventCount"], 0);
        first.keep(Timestamp::UNIX_EPOCH, "id", "xx", &budget);
        assert_eq!(first.shown("a")["EventCount"], 2, "a longer one took the place of two");
        second.keep(Timestamp::UNIX_EPOCH, "id", "", &budget);
        assert_eq!(second.shown("a")["EventCount"], 1);
    }
}
