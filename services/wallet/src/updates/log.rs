//! What phones report of failures.
//!
//! Anybody can send anything here, and Apple's own texts name the phone and the pass. So no text is logged, but which of the
//! known failures it is about.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use serde::Deserialize;
use tokio::time::Instant;

/// The most messages of a report that are looked at.
const MOST: usize = 20;
/// How many lines are written within a minute: enough to see what goes wrong.
const LINES: usize = 60;
const MINUTE: Duration = Duration::from_mins(1);

/// A part of Apple's messages, in lower case, and the word for it.
const KNOWN: [(&str, &str); 8] = [
    ("authentication failure", "authentication"),
    ("unauthorized", "authentication"),
    ("unexpected response code", "status"),
    ("response was malformed", "malformed-answer"),
    ("signature", "signature"),
    ("invalid data", "invalid-pass"),
    ("timed out", "timeout"),
    ("ssl", "tls"),
];

/// The body of a report.
#[derive(Debug, Deserialize)]
pub(super) struct Report {
    logs: Vec<String>,
}

/// Writes what is known of reports. Clones share the number of lines.
#[derive(Clone, Debug, Default)]
pub(super) struct Reports(Arc<Mutex<Option<Minute>>>);

#[derive(Clone, Copy, Debug)]
struct Minute {
    began: Instant,
    lines: usize,
}

impl Reports {
    /// Logs what is known of the messages, as long as there were few of late.
    pub(super) fn log(&self, report: &Report) {
        for text in report.logs.iter().take(MOST) {
            if self.has_room(Instant::now()) {
                tracing::warn!(reason = reason(text), "phone failed to update a pass");
            }
        }
    }

    fn has_room(&self, now: Instant) -> bool {
        let mut minute = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let current = minute.filter(|minute| now.duration_since(minute.began) < MINUTE);
        let Minute { began, lines } = current.unwrap_or(Minute { began: now, lines: 0 });
        *minute = Some(Minute { began, lines: lines + 1 });
        lines < LINES
    }
}

fn reason(text: &str) -> &'static str {
    let text = text.to_lowercase();
    KNOWN.iter().find(|(part, _)| text.contains(part)).map_or("other", |(_, word)| word)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_word_of_a_report_is_kept() {
        let text = "[2026-03-01 12:00:00 +0100] Get pass task (pass type pass.com.example, serial number 1, if-modified-since \
                    (null); with web service url https://wallet.example.com) encountered error: Authentication failure";
        assert_eq!(reason(text), "authentication");
        assert_eq!(reason("Ada Lovelace"), "other");
    }

    #[test]
    fn a_flood_of_reports_is_cut_off_until_the_minute_is_over() {
        let reports = Reports::default();
        let start = Instant::now();
        assert!((0..LINES).all(|_| reports.has_room(start)));
        assert!(!reports.has_room(start + MINUTE / 2));
        assert!(reports.has_room(start + MINUTE));
    }
}
