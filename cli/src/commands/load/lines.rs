//! The hop lines in the log: one for each message at each service, whether or not its trace is sampled.

use jiff::Timestamp;
use serde::Deserialize;
use serde::de::IgnoredAny;
use uuid::Uuid;

use super::expected::{Expected, Kind};

/// What a service did with a message.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Hop {
    /// Its place in the layer.
    pub(super) service: usize,
    pub(super) at: Timestamp,
    pub(super) event_id: Uuid,
    /// The event that the chain began with.
    pub(super) correlation_id: Uuid,
    pub(super) kind: Option<Kind>,
    pub(super) outcome: Outcome,
    pub(super) waiting_ms: Option<u64>,
    pub(super) processing_ms: u64,
}

/// The outcome of a message, as far as it matters for what follows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Outcome {
    /// It will come again.
    Again,
    /// It was dead-lettered.
    DeadLettered,
    /// It had its effect, or had had it before.
    Applied,
    /// Notifications were requested.
    Notified,
    /// A mail was sent.
    Mailed,
    /// It was handled in another way, such as being out of date.
    Handled,
}

impl Outcome {
    fn of(outcome: &str) -> Self {
        match outcome {
            "retry" | "released" => Self::Again,
            "dead-letter" => Self::DeadLettered,
            "applied" | "duplicate" => Self::Applied,
            "notified" => Self::Notified,
            "sent" => Self::Mailed,
            _ => Self::Handled,
        }
    }
}

/// The fields of a line. Borrowed, since a text with escapes is in none of those that are needed.
#[derive(Deserialize)]
struct Fields<'a> {
    message: &'a str,
    timestamp: &'a str,
    event_id: Option<&'a str>,
    correlation_id: Option<&'a str>,
    event_type: Option<&'a str>,
    outcome: Option<&'a str>,
    waiting_ms: Option<u64>,
    processing_ms: Option<u64>,
    item: Option<IgnoredAny>,
}

impl Hop {
    /// Reads a line of `service`. `None` unless it is about a message or request with an event.
    pub(super) fn read(service: &str, line: &str, expected: &Expected) -> Option<Self> {
        let fields: Fields<'_> = serde_json::from_str(line).ok()?;
        // An item that fell due is no message: time caused it, not the load.
        if fields.message != "event" || fields.item.is_some() {
            return None;
        }
        Some(Self {
            service: expected.place(service)?,
            at: fields.timestamp.parse().ok()?,
            event_id: fields.event_id?.parse().ok()?,
            correlation_id: fields.correlation_id?.parse().ok()?,
            kind: fields.event_type.and_then(|name| expected.kind(name)),
            outcome: Outcome::of(fields.outcome?),
            waiting_ms: fields.waiting_ms,
            processing_ms: fields.processing_ms.unwrap_or_default(),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hop_lines_are_told_from_others() {
        let expected = Expected::of_the_layer().unwrap();
        let line = r#"{"timestamp":"2026-11-27T22:21:20.666897Z","level":"INFO","service":"email","message":"event",
            "event_type":"NotificationRequested","event_id":"5266e823-3aa7-5f35-9d6e-7a5c7e3a5b6d",
            "correlation_id":"378ad01f-e17b-49d3-a148-ad6cfcf671de","customer_number":"200000000003","attempt":1,
            "waiting_ms":10,"processing_ms":64,"outcome":"sent","error":"a \"quoted\" text"}"#;
        let hop = Hop::read("email", line, &expected).unwrap();
        assert_eq!((hop.outcome, hop.waiting_ms, hop.processing_ms), (Outcome::Mailed, Some(10), 64));
        assert_eq!(hop.kind, expected.kind("NotificationRequested"));
        assert_eq!(hop.correlation_id.to_string(), "378ad01f-e17b-49d3-a148-ad6cfcf671de");
        for other in [
            line.replace("\"event\"", "\"drained\""),
            line.replace("\"attempt\"", "\"item\":\"A\\\"B\",\"attempt\""),
            line.replace("\"event_id\"", "\"other\""),
            "panicked".to_owned(),
        ] {
            assert_eq!(Hop::read("email", &other, &expected), None, "{other}");
        }
        assert_eq!(Hop::read("nobody", line, &expected), None);
    }

    #[test]
    fn a_message_that_comes_again_has_no_outcome_yet() {
        assert_eq!(
            ["retry", "released", "dead-letter", "stale"].map(Outcome::of),
            [Outcome::Again, Outcome::Again, Outcome::DeadLettered, Outcome::Handled]
        );
    }
}
