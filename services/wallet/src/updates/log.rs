//! What phones report of failures.
//!
//! Anybody can send anything here, and Apple's own texts name the phone and the pass. So no text is logged, but which of the
//! known failures it is about.

use serde::Deserialize;

/// The most messages that are looked at.
const MOST: usize = 20;

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

impl Report {
    /// Logs what is known of the messages.
    pub(super) fn log(&self) {
        for text in self.logs.iter().take(MOST) {
            tracing::warn!(reason = reason(text), "phone failed to update a pass");
        }
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
}
