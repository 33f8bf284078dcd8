//! From JSON that somebody sent to an event that may be published.

mod data;
mod fields;

use contracts::{
    ContactPreferencesChanged, CustomerEnrolled, CustomerErased, CustomerNumber, CustomerRenamed,
};
use envelope::{EncodeError, Envelope, Event, Metadata};
use jiff::{SignedDuration, Timestamp};
use serde_json::Value;
use uuid::Uuid;

use self::fields::{Errors, Fields};
use crate::Emits;
use crate::problem::{Kind, Problem};

/// How far ahead of ours the CRM's clock may be.
const FUTURE_TOLERANCE: SignedDuration = SignedDuration::from_mins(5);

const EVENT_ID: &str =
    "must be a UUID such as \"0b5e4e0c-3f0d-4e0e-9a53-5f6f0d1c2b3a\", and not the nil UUID";
const OCCURRED_AT: &str = "must be an RFC 3339 timestamp with an offset, such as \"2026-03-01T12:00:00Z\"";

/// An event that is refused, and what could be read of it all the same. Nothing of this is personal but the number.
#[derive(Debug)]
pub(crate) struct Rejected {
    pub(crate) problem: Problem,
    pub(crate) event_type: Option<&'static str>,
    pub(crate) event_id: Option<Uuid>,
    pub(crate) customer_number: Option<CustomerNumber>,
}

/// Makes the event that `value` describes, or names every field that is wrong.
pub(crate) fn read(value: &Value, now: Timestamp) -> Result<Envelope, Box<Rejected>> {
    let mut errors = Errors::default();
    let mut found = Found::default();
    let envelope = Fields::of(value, String::new(), &mut errors).and_then(|mut fields| {
        let envelope = event(&mut fields, &mut found, now);
        fields.finish();
        envelope
    });
    let problem = match envelope {
        Some(Ok(envelope)) if errors.is_empty() => return Ok(envelope),
        _ if !errors.is_empty() => Problem::invalid(errors.named, errors.left_out),
        // Reading and checking disagree, or an event cannot be written: a defect here, not of the caller's event.
        _ => Problem::new(Kind::Internal, "the event could not be put together"),
    };
    Err(Box::new(Rejected {
        problem,
        event_type: found.event_type,
        event_id: found.event_id,
        customer_number: found.customer_number,
    }))
}

/// What was found right, whatever else is wrong.
#[derive(Debug, Default)]
struct Found {
    event_type: Option<&'static str>,
    event_id: Option<Uuid>,
    customer_number: Option<CustomerNumber>,
}

fn event(
    fields: &mut Fields<'_, '_>,
    found: &mut Found,
    now: Timestamp,
) -> Option<Result<Envelope, EncodeError>> {
    found.event_type = event_type(fields);
    found.customer_number = fields.text("customer_number");
    let event_id = match fields.optional("event_id") {
        Some(value) => {
            let text = fields.string("event_id", value, EVENT_ID);
            found.event_id = text.and_then(|text| parse_event_id(fields, text));
            found.event_id
        }
        None => Some(Uuid::new_v4()),
    };
    let occurred_at = match fields.optional("occurred_at") {
        Some(value) => {
            let text = fields.string("occurred_at", value, OCCURRED_AT);
            text.and_then(|text| parse_occurred_at(fields, text, now))
        }
        None => Some(now),
    };
    // Stand-ins where something is wrong: the errors then keep the event from being used.
    let metadata = Metadata::first(event_id.unwrap_or_default(), occurred_at.unwrap_or(now), now);
    let customer_number = found.customer_number.clone();
    match found.event_type {
        Some(CustomerEnrolled::TYPE) => with_data(fields, data::enrolled, customer_number, metadata),
        Some(CustomerRenamed::TYPE) => with_data(fields, data::renamed, customer_number, metadata),
        Some(ContactPreferencesChanged::TYPE) => {
            with_data(fields, data::preferences_changed, customer_number, metadata)
        }
        Some(CustomerErased::TYPE) => match fields.optional("data") {
            Some(_) => with_data(fields, data::erased, customer_number, metadata),
            None => Some(Envelope::new(metadata, &CustomerErased { customer_number: customer_number? })),
        },
        _ => {
            // Without a type nothing can be said about the data.
            fields.optional("data");
            None
        }
    }
}

fn with_data<E: Event>(
    fields: &mut Fields<'_, '_>,
    read: data::Read<E>,
    customer_number: Option<CustomerNumber>,
    metadata: Metadata,
) -> Option<Result<Envelope, EncodeError>> {
    let event = fields
        .object("data", "must be an object with the event's data", |data| read(data, customer_number))?;
    Some(Envelope::new(metadata, &event))
}

fn event_type(fields: &mut Fields<'_, '_>) -> Option<&'static str> {
    let types = envelope::events::<Emits>();
    let names: Vec<_> = types.iter().map(|event_type| event_type.name).collect();
    let expected = format!("must be one of {}", names.join(", "));
    let value = fields.required("type", &expected)?;
    let text = fields.string("type", value, &expected)?;
    let known = names.into_iter().find(|name| *name == text);
    if known.is_none() {
        fields.wrong("type", "unknown-type", expected);
    }
    known
}

fn parse_event_id(fields: &mut Fields<'_, '_>, text: &str) -> Option<Uuid> {
    // Only the hyphenated form: of several spellings of one id, each would look like another to a search.
    let id = Uuid::try_parse(text).ok().filter(|id| text.len() == 36 && !id.is_nil());
    if id.is_none() {
        fields.wrong("event_id", "wrong-value", EVENT_ID.to_owned());
    }
    id
}

fn parse_occurred_at(fields: &mut Fields<'_, '_>, text: &str, now: Timestamp) -> Option<Timestamp> {
    let timestamp =
        Some(text).filter(|text| is_rfc_3339(text)).and_then(|text| text.parse::<Timestamp>().ok());
    let detail = match timestamp {
        Some(timestamp) if timestamp < Timestamp::UNIX_EPOCH => "must not be before 1970-01-01T00:00:00Z",
        Some(timestamp) if timestamp.duration_since(now) > FUTURE_TOLERANCE => {
            "must not be more than five minutes in the future; check the sender's clock"
        }
        Some(timestamp) => return Some(timestamp),
        None => OCCURRED_AT,
    };
    fields.wrong("occurred_at", "wrong-value", detail.to_owned());
    None
}

/// The shape of an RFC 3339 timestamp; the parser takes more than that (other ISO 8601 forms, zone names).
fn is_rfc_3339(text: &str) -> bool {
    let shape = |pattern: &str, text: &str| {
        pattern.len() == text.len()
            && pattern.bytes().zip(text.bytes()).all(|(pattern, byte)| match pattern {
                b'0' => byte.is_ascii_digit(),
                b'T' => matches!(byte, b'T' | b't'),
                b'+' => matches!(byte, b'+' | b'-'),
                other => byte == other,
            })
    };
    let Some((seconds, rest)) = text.split_at_checked("0000-00-00T00:00:00".len()) else { return false };
    let offset = match rest.strip_prefix('.') {
        Some(fraction) => {
            let offset = fraction.trim_start_matches(|digit: char| digit.is_ascii_digit());
            let digits = fraction.len() - offset.len();
            if !(1..=9).contains(&digits) {
                return false;
            }
            offset
        }
        None => rest,
    };
    shape("0000-00-00T00:00:00", seconds) && (matches!(offset, "Z" | "z") || shape("+00:00", offset))
}

#[cfg(test)]
mod tests;
