//! Archives of a bus's events.

use std::collections::VecDeque;

use event_pattern::Pattern;
use jiff::{SignedDuration, Timestamp};
use serde_json::{Value, json};

use super::time::seconds;

/// What one archive keeps. The oldest events make room for new ones.
const MAX_BYTES: usize = 4 * 1024 * 1024;

#[derive(Debug)]
pub(super) struct Archive {
    pub(super) arn: String,
    pub(super) bus: String,
    pub(super) source_arn: String,
    pub(super) description: Option<String>,
    pub(super) pattern: Option<(String, Pattern)>,
    /// Zero keeps events for good.
    pub(super) retention_days: u32,
    created: Timestamp,
    events: VecDeque<Archived>,
    bytes: usize,
}

#[derive(Clone, Debug)]
pub(super) struct Archived {
    pub(super) occurred: Timestamp,
    pub(super) id: String,
    pub(super) text: String,
    kept: Timestamp,
}

impl Archive {
    /// Creates an empty archive.
    pub(super) fn new(arn: String, bus: String, source_arn: String) -> Self {
        Self {
            arn,
            bus,
            source_arn,
            description: None,
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

    pub(super) fn keep(&mut self, occurred: Timestamp, id: &str, text: &str) {
        self.bytes += text.len();
        let event = Archived { occurred, id: id.to_owned(), text: text.to_owned(), kept: Timestamp::now() };
        self.events.push_back(event);
        self.expire();
        let mut dropped = 0;
        while self.bytes > MAX_BYTES && self.drop_oldest() {
            dropped += 1;
        }
        if dropped > 0 {
            tracing::warn!(archive = self.arn, dropped, "an archive is full: its oldest events were dropped");
        }
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
    pub(super) fn between(&self, start: Timestamp, end: Timestamp) -> Vec<Archived> {
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
