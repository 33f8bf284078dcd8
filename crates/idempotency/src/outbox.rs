//! The outbox: events written to the table of the change that announces them.
//!
//! The table's stream carries the item to a Pipe, which puts the event on the bus. The attribute names come from
//! [`envelope::outbox`], because the Pipe's filter and its template read them too.
//!
//! An announcement is a part of the marker of the event that caused it, or a separate item ([`Announcing`]). Both stay as
//! long as a marker, so that what the Pipe could not put on the bus can be announced again.

use std::collections::HashMap;
use std::hash::BuildHasher;

use aws_sdk_dynamodb::types::builders::UpdateBuilder;
use aws_sdk_dynamodb::types::{AttributeValue, Update};
use envelope::{Envelope, outbox};
use jiff::{SignedDuration, Timestamp};
use uuid::Uuid;

/// Where an announcement is written.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Announcing {
    /// In the marker of the event that causes it, one item in place of two. Of several announcements, the first; each of
    /// the others is an item, because a Pipe makes one event of a record.
    ///
    /// The table's Pipe must take it: one of an earlier version passes such an item over.
    #[default]
    WithMarker,
    /// Each in a separate item, as earlier versions did.
    Separately,
}

impl Announcing {
    /// The environment variable that names it. A service that finds none was deployed with templates of an earlier
    /// version, and so was its Pipe: it announces [`Separately`](Self::Separately).
    pub const VARIABLE: &str = "OUTBOX_ITEMS";
}

/// A text that is no [`Announcing`].
#[derive(Clone, Copy, Debug, thiserror::Error)]
#[error("expected with-marker or separate")]
pub struct UnknownAnnouncing;

impl std::str::FromStr for Announcing {
    type Err = UnknownAnnouncing;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        match text {
            "with-marker" => Ok(Self::WithMarker),
            "separate" => Ok(Self::Separately),
            _ => Err(UnknownAnnouncing),
        }
    }
}

/// Returns the item that announces `event` and nothing else, written at `now`.
///
/// The key contains the event id, so an event that is announced again replaces its item. A replacement is not an INSERT, so
/// the Pipe does not send the event a second time.
#[must_use]
pub fn item(event: &Envelope, now: Timestamp) -> HashMap<String, AttributeValue> {
    let mut item = attributes(event);
    item.insert(outbox::PARTITION_KEY.to_owned(), AttributeValue::S(key(event.metadata.event_id)));
    item.insert(outbox::EXPIRES_AT.to_owned(), AttributeValue::N(expiry(now).to_string()));
    item
}

/// Returns the attributes that announce `event`, in whatever item. Every one is a scalar, and an absent metadata field is
/// `""`.
pub(crate) fn attributes(event: &Envelope) -> HashMap<String, AttributeValue> {
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
    let mut attributes: HashMap<_, _> = outbox::METADATA_STRINGS
        .iter()
        .zip(strings)
        .map(|(name, value)| ((*name).to_owned(), AttributeValue::S(value)))
        .collect();
    attributes.extend([
        (outbox::SOURCE.to_owned(), AttributeValue::S(event.source.clone())),
        (outbox::EVENT_TYPE.to_owned(), AttributeValue::S(event.event_type.clone())),
        (outbox::SCHEMA_VERSION.to_owned(), AttributeValue::N(metadata.schema_version.to_string())),
        (outbox::SILENT.to_owned(), AttributeValue::S(silent.to_owned())),
        (outbox::DATA.to_owned(), AttributeValue::S(event.data.get().to_owned())),
    ]);
    attributes
}

/// Returns the partition key of the item that announces the event with this id.
#[must_use]
pub fn key(event_id: Uuid) -> String {
    format!("{}{event_id}", outbox::KEY_PREFIX)
}

/// Returns the partition key of the marker that `handler` has handled the event with this id.
#[must_use]
pub fn marker_key(handler: &str, event_id: Uuid) -> String {
    format!("{}{handler}#{event_id}", outbox::MARKER_PREFIX)
}

/// Returns whether an item announces an event, be it a marker or not.
#[must_use]
pub fn announces<S: BuildHasher>(item: &HashMap<String, AttributeValue, S>) -> bool {
    item.contains_key(outbox::DATA)
}

/// Returns the removal of the announcement from a marker with this key, which stays a marker. It fails if there is no such
/// item any more, rather than to leave one that is no marker.
///
/// What the marker announced has been announced or will be: the table's stream keeps the inserted item, from which the Pipe
/// reads.
#[must_use]
pub fn withdrawal(marker_key: &str) -> UpdateBuilder {
    let others = [outbox::SOURCE, outbox::EVENT_TYPE, outbox::SCHEMA_VERSION, outbox::SILENT, outbox::DATA];
    let names = outbox::METADATA_STRINGS.into_iter().chain(others);
    // Some of them are reserved words.
    let update = Update::builder()
        .key(outbox::PARTITION_KEY, AttributeValue::S(marker_key.to_owned()))
        .condition_expression("attribute_exists(#pk)")
        .expression_attribute_names("#pk", outbox::PARTITION_KEY);
    let removed: Vec<_> = names.clone().map(|name| format!("#{name}")).collect();
    names
        .fold(update, |update, name| update.expression_attribute_names(format!("#{name}"), name))
        .update_expression(format!("REMOVE {}", removed.join(", ")))
}

/// Returns when an outbox item or a marker that is written at `now` expires, in seconds since 1970.
pub(crate) fn expiry(now: Timestamp) -> i64 {
    let retention = SignedDuration::from_hours(outbox::RETENTION_DAYS * 24);
    now.as_second().saturating_add(retention.as_secs())
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
