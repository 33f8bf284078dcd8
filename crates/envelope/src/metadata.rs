//! What is known about an event besides its data.

use std::fmt;

use jiff::Timestamp;
use serde::de::{Error, Visitor};
use serde::{Deserialize, Deserializer, Serialize};
use uuid::Uuid;

/// What is known about an event besides its data.
///
/// An event that came through an outbox has passed a Pipe's input template, which renders every value
/// as a JSON string and an absent one as `""`; reading therefore takes a number or a string for
/// `schema_version`, and `""` as absent.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Metadata {
    /// Identifies the event for as long as it lives; every redelivery and replay carries the same one.
    pub event_id: Uuid,
    /// When it happened, according to its producer.
    pub occurred_at: Timestamp,
    /// When it was handed to the bus (or written to the outbox).
    pub published_at: Timestamp,
    /// Version of the shape of `data`.
    #[serde(deserialize_with = "number_or_string")]
    pub schema_version: u32,
    /// The id of the event that started the chain this one belongs to.
    pub correlation_id: Uuid,
    /// The id of the event that caused this one, unless it is the first.
    #[serde(default, deserialize_with = "empty_as_none", skip_serializing_if = "Option::is_none")]
    pub causation_id: Option<Uuid>,
    /// The trace context of the producer in the form of the
    /// [X-Ray tracing header](https://docs.aws.amazon.com/xray/latest/devguide/xray-concepts.html#xray-concepts-tracingheader).
    #[serde(default, deserialize_with = "empty_as_none", skip_serializing_if = "Option::is_none")]
    pub trace: Option<String>,
    /// Whether this is an event from an archive that is on the bus again. What it causes is new and does not have this mark.
    #[serde(default, deserialize_with = "bool_or_string", skip_serializing_if = "is_false")]
    pub replayed: bool,
    /// Whether nobody is notified of the event or of anything that it causes, because it is replayed long after the fact.
    #[serde(default, deserialize_with = "bool_or_string", skip_serializing_if = "is_false")]
    pub silent: bool,
}

/// The name of [`Metadata::replayed`] on the wire. An event that was not replayed has no such field, so that a pattern can
/// match its absence.
pub const REPLAYED: &str = "replayed";

impl Metadata {
    /// Creates the metadata of an event that nothing in this layer caused: it starts a new chain.
    #[must_use]
    pub fn first(event_id: Uuid, occurred_at: Timestamp, now: Timestamp) -> Self {
        Self {
            event_id,
            occurred_at,
            published_at: now,
            schema_version: 1,
            correlation_id: event_id,
            causation_id: None,
            trace: None,
            replayed: false,
            silent: false,
        }
    }

    /// Creates the metadata of an event that `parent` caused: it stays in the parent's chain, and is as silent.
    #[must_use]
    pub fn caused_by(parent: &Self, event_id: Uuid, occurred_at: Timestamp, now: Timestamp) -> Self {
        Self {
            correlation_id: parent.correlation_id,
            causation_id: Some(parent.event_id),
            silent: parent.silent,
            ..Self::first(event_id, occurred_at, now)
        }
    }
}

fn number_or_string<'de, D: Deserializer<'de>>(deserializer: D) -> Result<u32, D::Error> {
    struct Number;
    impl Visitor<'_> for Number {
        type Value = u32;

        fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
            f.write_str("a whole number, or a string that holds one")
        }

        fn visit_u64<E: Error>(self, number: u64) -> Result<u32, E> {
            u32::try_from(number).map_err(E::custom)
        }

        fn visit_str<E: Error>(self, text: &str) -> Result<u32, E> {
            text.parse().map_err(E::custom)
        }
    }
    deserializer.deserialize_any(Number)
}

/// Reads a mark. A Pipe leaves it as text, and as another text if the item had none: only `true` counts.
fn bool_or_string<'de, D: Deserializer<'de>>(deserializer: D) -> Result<bool, D::Error> {
    #[derive(Deserialize)]
    #[serde(untagged)]
    enum Either {
        Bool(bool),
        Text(String),
    }
    Ok(match Option::<Either>::deserialize(deserializer)? {
        None => false,
        Some(Either::Bool(bool)) => bool,
        Some(Either::Text(text)) => text == "true",
    })
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "what serde passes")]
fn is_false(value: &bool) -> bool {
    !value
}

fn empty_as_none<'de, D, T>(deserializer: D) -> Result<Option<T>, D::Error>
where
    D: Deserializer<'de>,
    T: std::str::FromStr<Err: std::fmt::Display>,
{
    match Option::<String>::deserialize(deserializer)? {
        None => Ok(None),
        Some(text) if text.is_empty() => Ok(None),
        Some(text) => text.parse().map(Some).map_err(D::Error::custom),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn now() -> Timestamp {
        "2026-03-01T12:00:00.25Z".parse().unwrap()
    }

    #[test]
    fn survives_a_round_trip() {
        let first = Metadata::first(Uuid::new_v4(), now(), now());
        let caused = Metadata {
            trace: Some("Root=1-x".into()),
            ..Metadata::caused_by(&first, Uuid::new_v4(), now(), now())
        };
        for metadata in [first, caused] {
            let json = serde_json::to_string(&metadata).unwrap();
            assert_eq!(serde_json::from_str::<Metadata>(&json).unwrap(), metadata);
        }
    }

    #[test]
    fn a_caused_event_stays_in_its_chain() {
        let first = Metadata::first(Uuid::new_v4(), now(), now());
        let second = Metadata::caused_by(&first, Uuid::new_v4(), now(), now());
        let third = Metadata::caused_by(&second, Uuid::new_v4(), now(), now());
        assert_eq!(third.correlation_id, first.event_id);
        assert_eq!(third.causation_id, Some(second.event_id));
        assert!(!third.silent);
    }

    #[test]
    fn silence_is_inherited_and_a_replay_is_not() {
        let told_again =
            Metadata { replayed: true, silent: true, ..Metadata::first(Uuid::new_v4(), now(), now()) };
        let caused = Metadata::caused_by(&told_again, Uuid::new_v4(), now(), now());
        assert_eq!((caused.replayed, caused.silent), (false, true));
        let json = serde_json::to_string(&Metadata::first(Uuid::new_v4(), now(), now())).unwrap();
        assert!(!json.contains(REPLAYED) && !json.contains("silent"), "{json}");
    }

    #[test]
    fn reads_what_a_pipe_template_renders() {
        let id = Uuid::new_v4();
        let json = format!(
            r#"{{"event_id":"{id}","occurred_at":"2026-03-01T12:00:00Z","published_at":"2026-03-01T12:00:00Z",
                "schema_version":"3","correlation_id":"{id}","causation_id":"","trace":""}}"#
        );
        let metadata: Metadata = serde_json::from_str(&json).unwrap();
        assert_eq!(metadata.schema_version, 3);
        assert_eq!((metadata.causation_id, metadata.trace), (None, None));
        assert!(!metadata.silent);
        for (text, silent) in [("true", true), ("", false), ("null", false)] {
            let marked = json.replace("\"trace\":", &format!("\"silent\":\"{text}\",\"trace\":"));
            assert_eq!(serde_json::from_str::<Metadata>(&marked).unwrap().silent, silent, "{text}");
        }
    }
}
