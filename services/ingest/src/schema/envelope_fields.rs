//! The fields beside an event's data that are not the customer's: which event it is, and when it happened.

use std::borrow::Cow;

use jiff::Timestamp;
use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use uuid::Uuid;

/// The schema of `event_id`.
pub(crate) struct EventId;

impl JsonSchema for EventId {
    fn schema_name() -> Cow<'static, str> {
        "EventId".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({
            "description": "Identifies the event for good. If absent, derived from the request's webhook-id and the event's place in the list; generated for a request without a signature.",
            "type": "string",
            "format": "uuid",
            "not": {"const": Uuid::nil()},
            "x-expected":
                "must be a UUID such as \"0b5e4e0c-3f0d-4e0e-9a53-5f6f0d1c2b3a\", and not the nil UUID",
        })
    }
}

/// The schema of `occurred_at`.
pub(crate) struct OccurredAt;

impl JsonSchema for OccurredAt {
    fn schema_name() -> Cow<'static, str> {
        "OccurredAt".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({
            "description": "When it happened, as RFC 3339 writes it: from 1970-01-01T00:00:00Z to 2099, and at most five \
                minutes in the future; an event that is right but for that is answered with 409. If absent, the time of signing, or that of \
                arrival without a signature. Decides which of two changes of the same field \
                is the later one.",
            "type": "string",
            "format": "date-time",
            "maxLength": 35,
            "pattern": pattern(),
            "x-expected":
                "must be an RFC 3339 timestamp of 1970 to 2099, with an offset, such as \"2026-03-01T12:00:00Z\"",
        })
    }
}

/// The form of a timestamp: seconds up to 59, fractions up to nanoseconds, and always an offset. The first day of 1970 has
/// none east of Greenwich, where it began before 1970 did.
fn pattern() -> String {
    let time = "[Tt]([01][0-9]|2[0-3]):[0-5][0-9]:[0-5][0-9](\\.[0-9]{1,9})?";
    let offset = "([01][0-9]|2[0-3]):[0-5][0-9]";
    let later = "(1970-01-(0[2-9]|[123][0-9])|1970-(0[2-9]|1[0-2])-[0-9]{2}|(19(7[1-9]|[89][0-9])|20[0-9]{2})-[0-9]{2}-[0-9]{2})";
    format!("^({later}{time}([Zz]|[+-]{offset})|1970-01-01{time}([Zz]|[+-]00:00|-{offset}))$")
}

/// Parses an id in its hyphenated form, the only one accepted: with several spellings of one id, a search by one of
/// them would miss the others.
pub(crate) fn parse_event_id(text: &str) -> Option<Uuid> {
    Uuid::try_parse(text).ok().filter(|id| text.len() == 36 && !id.is_nil())
}

/// Parses a timestamp. Its form is left to the schema: the parser also takes other forms of ISO 8601.
pub(crate) fn parse_occurred_at(text: &str) -> Option<Timestamp> {
    text.parse().ok()
}
