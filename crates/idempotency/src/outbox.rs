//! The outbox: events written to the table of the change that announces them.
//!
//! The table's stream carries the item to a Pipe, which puts the event on the bus. The attribute names come from
//! [`envelope::outbox`], because the Pipe's template reads them too.

use std::collections::HashMap;

use aws_sdk_dynamodb::types::AttributeValue;
use envelope::{Envelope, outbox};
use jiff::{SignedDuration, Timestamp};
use uuid::Uuid;

/// Returns the item that announces `event`, written at `now`.
///
/// Every attribute is a scalar, and an absent metadata field is `""`. The key contains the event id, so an event that
/// is announced again replaces its item. A replacement is not an INSERT, so the Pipe does not send the event a second
/// time.
#[must_use]
pub fn item(event: &Envelope, now: Timestamp) -> HashMap<String, AttributeValue> {
    let metadata = &event.metadata;
    // In the order of METADATA_STRINGS.
    let strings = [
        metadata.event_id.to_string(),
        metadata.occurred_at.to_string(),
        metadata.published_at.to_string(),
        metadata.correlation_id.to_string(),
        metadata.causation_id.map(|id| id.to_string()).unwrap_or_default(),
        metadata.trace.clone().unwrap_or_default(),
    ];
    let silent = if metadata.silent { "true" } else { "" };
    let expires_at = now.as_second().saturating_add(retention().as_secs());
    let mut item: HashMap<_, _> = outbox::METADATA_STRINGS
        .iter()
        .zip(strings)
        .map(|(name, value)| ((*name).to_owned(), AttributeValue::S(value)))
        .collect();
    item.extend([
        (outbox::PARTITION_KEY.to_owned(), AttributeValue::S(key(metadata.event_id))),
        (outbox::SOURCE.to_owned(), AttributeValue::S(event.source.clone())),
        (outbox::EVENT_TYPE.to_owned(), AttributeValue::S(event.event_type.clone())),
        (outbox::SCHEMA_VERSION.to_owned(), AttributeValue::N(metadata.schema_version.to_string())),
        (outbox::SILENT.to_owned(), AttributeValue::S(silent.to_owned())),
        (outbox::DATA.to_owned(), AttributeValue::S(event.data.get().to_owned())),
        (outbox::EXPIRES_AT.to_owned(), AttributeValue::N(expires_at.to_string())),
    ]);
    item
}

/// Returns the partition key of the item that announces the event with this id.
#[must_use]
pub fn key(event_id: Uuid) -> String {
    format!("{}{event_id}", outbox::KEY_PREFIX)
}

/// Returns how long an outbox item, and with it a marker, is kept.
pub(crate) fn retention() -> SignedDuration {
    SignedDuration::from_hours(outbox::RETENTION_DAYS * 24)
}

#[cfg(test)]
mod tests {
    use envelope::Metadata;
    use serde_json::{Value, json, value::RawValue};

    use super::*;

    fn event(metadata: Metadata) -> Envelope {
        Envelope {
            source: "foostore.loyalty".into(),
            event_type: "MemberErased".into(),
            customer_number: Some("123456789012".into()),
            metadata,
            data: RawValue::from_string(r#"{"customer_number":"123456789012"}"#.into()).unwrap(),
        }
    }

    fn first() -> Metadata {
        let occurred_at = "2026-03-01T12:00:00.5Z".parse().unwrap();
        Metadata::first(Uuid::from_u128(7), occurred_at, "2026-03-01T12:00:01Z".parse().unwrap())
    }

    #[test]
    fn has_exactly_the_attributes_of_the_template() {
        let item = item(&event(first()), "2026-03-01T12:00:02Z".parse().unwrap());
        let id = "00000000-0000-0000-0000-000000000007";
        let expected = [
            ("pk", AttributeValue::S(format!("OUTBOX#{id}"))),
            ("source", AttributeValue::S("foostore.loyalty".into())),
            ("event_type", AttributeValue::S("MemberErased".into())),
            ("event_id", AttributeValue::S(id.into())),
            ("occurred_at", AttributeValue::S("2026-03-01T12:00:00.5Z".into())),
            ("published_at", AttributeValue::S("2026-03-01T12:00:01Z".into())),
            ("schema_version", AttributeValue::N("1".into())),
            ("correlation_id", AttributeValue::S(id.into())),
            ("causation_id", AttributeValue::S(String::new())),
            ("trace", AttributeValue::S(String::new())),
            ("silent", AttributeValue::S(String::new())),
            ("data", AttributeValue::S(r#"{"customer_number":"123456789012"}"#.into())),
            ("expires_at", AttributeValue::N("1773576002".into())),
        ];
        let expected: HashMap<_, _> =
            expected.into_iter().map(|(name, value)| (name.to_owned(), value)).collect();
        assert_eq!(item, expected);
    }

    #[test]
    fn every_metadata_field_survives_the_round_trip() {
        let trace = Some("Root=1-5759e988-bd862e3fe1be46a994272793;Sampled=1".to_owned());
        let metadata = Metadata {
            trace,
            silent: true,
            ..Metadata::caused_by(&first(), Uuid::from_u128(8), first().occurred_at, first().published_at)
        };
        let item = item(&event(metadata.clone()), Timestamp::UNIX_EPOCH);
        // A Pipe's template renders every value as a string.
        let rendered = |name: &str| match &item[name] {
            AttributeValue::S(text) | AttributeValue::N(text) => json!(text),
            _ => Value::Null,
        };
        let mut read = serde_json::Map::new();
        for name in outbox::METADATA_STRINGS.iter().chain([&outbox::SILENT, &outbox::SCHEMA_VERSION]) {
            read.insert((*name).to_owned(), rendered(name));
        }
        assert_eq!(serde_json::from_value::<Metadata>(Value::Object(read)).unwrap(), metadata);
    }
}
