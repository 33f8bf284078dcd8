//! What an item keeps about when it falls due, and the item once it has.

use std::collections::HashMap;

use aws_sdk_dynamodb::types::AttributeValue;
use envelope::{Envelope, Metadata};
use jiff::Timestamp;
use serde_json::value::RawValue;
use tracing::Span;
use uuid::Uuid;

/// How many buckets there are. Each is a partition of the index, which takes 1,000 writes a second, and the share of the
/// work that one task does at a time. More would cost more queries while nothing is due. The bucket of an item is part of it, so the number must not change.
pub const BUCKETS: u8 = 8;

/// The bucket of items that are parked.
pub const PARKED: &str = "parked";

/// The attribute with the bucket, the partition key of the index.
pub const DUE_BUCKET: &str = "due_bucket";
/// The attribute with the time, the sort key of the index.
pub const DUE_AT: &str = "due_at";
const DUE_EVENT_ID: &str = "due_event_id";
const DUE_CORRELATION_ID: &str = "due_correlation_id";
const DUE_TRACE_ID: &str = "due_trace_id";
const DUE_CUSTOMER_NUMBER: &str = "due_customer_number";
const DUE_SILENT_UNTIL: &str = "due_silent_until";
pub(crate) const PARKED_BUCKET: &str = "parked_bucket";
pub(crate) const PARKED_REASON: &str = "parked_reason";
pub(crate) const PARKED_AT: &str = "parked_at";

/// Every attribute that the sweeper keeps on an item. An update that ends an item's being due removes them all; a put of the
/// whole item leaves them out.
pub const ATTRIBUTES: [&str; 10] = [
    DUE_BUCKET,
    DUE_AT,
    DUE_EVENT_ID,
    DUE_CORRELATION_ID,
    DUE_TRACE_ID,
    DUE_CUSTOMER_NUMBER,
    DUE_SILENT_UNTIL,
    PARKED_BUCKET,
    PARKED_REASON,
    PARKED_AT,
];

/// Keeps the ids of what falls due apart from all others.
const NAMESPACE: Uuid = Uuid::from_u128(0x6c1d_0f5e_5a3b_4f0e_9d43_8f0b_27c4_51aa);

/// The attributes of an item.
pub type Item = HashMap<String, AttributeValue>;

/// When an item falls due, and the event that said so.
///
/// ```
/// use sweeper::Due;
///
/// let due = Due::at("2026-12-01T00:00:00Z".parse().unwrap());
/// let attributes = due.attributes("DISCOUNT#123456789012#SUMMER");
/// assert_eq!(attributes[sweeper::DUE_AT].as_s().unwrap(), "2026-12-01T00:00:00.000000000Z");
/// assert!(attributes.contains_key(sweeper::DUE_BUCKET));
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Due {
    at: Timestamp,
    origin: Origin,
}

/// The event because of which an item falls due, as far as it is known.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Origin {
    pub(crate) event_id: Option<Uuid>,
    correlation_id: Option<Uuid>,
    pub(crate) trace_id: Option<String>,
    pub(crate) customer_number: Option<String>,
    /// When a silent event set the time: what had fallen due before is as silent, and what falls due later is news.
    silent_until: Option<Timestamp>,
}

impl Due {
    /// Creates the time at which an item falls due.
    #[must_use]
    pub fn at(at: Timestamp) -> Self {
        Self { at, origin: Origin::default() }
    }

    /// Keeps which event set the time: what happens then stays in its chain, and its trace names the event's, in which the
    /// current span must be.
    #[must_use]
    pub fn caused_by(self, event: &Envelope) -> Self {
        let metadata = &event.metadata;
        let trace = telemetry::context::trace_id_of(&Span::current())
            .or_else(|| telemetry::context::origin_of(metadata.trace.as_deref(), None));
        let origin = Origin {
            event_id: Some(metadata.event_id),
            correlation_id: Some(metadata.correlation_id),
            trace_id: trace.map(|id| id.to_string()),
            customer_number: event.customer_number.clone(),
            silent_until: metadata.silent.then(Timestamp::now),
        };
        Self { origin, ..self }
    }

    /// Returns the attributes to set on the item with this partition key. The key appears in log lines, so it holds neither
    /// a name nor an address.
    #[must_use]
    pub fn attributes(&self, key: &str) -> Item {
        let Origin { event_id, correlation_id, trace_id, customer_number, silent_until } = &self.origin;
        let optional = [
            (DUE_EVENT_ID, event_id.map(|id| id.to_string())),
            (DUE_CORRELATION_ID, correlation_id.map(|id| id.to_string())),
            (DUE_TRACE_ID, trace_id.clone()),
            (DUE_CUSTOMER_NUMBER, customer_number.clone()),
            (DUE_SILENT_UNTIL, silent_until.map(sortable)),
        ];
        let optional = optional.into_iter().filter_map(|(name, value)| Some((name, value?)));
        [(DUE_BUCKET, bucket(key)), (DUE_AT, sortable(self.at))]
            .into_iter()
            .chain(optional)
            .map(|(name, value)| (name.to_owned(), AttributeValue::S(value)))
            .collect()
    }
}

/// Returns the bucket of the item with this key.
pub(crate) fn bucket(key: &str) -> String {
    let hash = Uuid::new_v5(&NAMESPACE, key.as_bytes());
    bucket_name(hash.as_bytes()[15] % BUCKETS)
}

/// Returns the name of a bucket, from 0 on.
pub(crate) fn bucket_name(number: u8) -> String {
    format!("{number:02}")
}

/// Writes a time so that the order of texts is that of times, from the year 0 to 9999.
pub(crate) fn sortable(at: Timestamp) -> String {
    format!("{at:.9}")
}

/// An item that has fallen due.
#[derive(Clone, Debug)]
pub struct DueItem {
    /// Its partition key.
    pub key: String,
    /// When it fell due.
    pub due_at: Timestamp,
    /// The time when it was read.
    pub now: Timestamp,
    /// All its attributes, read consistently.
    pub item: Item,
    /// Identifies that this item fell due at this time because of this event.
    pub id: Uuid,
    pub(crate) origin: Origin,
    /// Whether the time could be read; otherwise it is `now`.
    pub(crate) well_formed: bool,
}

impl DueItem {
    /// Reads an item of `service`'s table.
    pub(crate) fn read(service: &str, key: &str, item: Item, now: Timestamp) -> Self {
        let text = |name: &str| item.get(name).and_then(|value| value.as_s().ok());
        let at = text(DUE_AT).and_then(|at| at.parse::<Timestamp>().ok());
        let due_at = at.unwrap_or(now);
        let id = |name: &str| text(name).and_then(|id| id.parse().ok());
        let origin = Origin {
            event_id: id(DUE_EVENT_ID),
            correlation_id: id(DUE_CORRELATION_ID),
            trace_id: text(DUE_TRACE_ID).cloned(),
            customer_number: text(DUE_CUSTOMER_NUMBER).cloned(),
            silent_until: text(DUE_SILENT_UNTIL).and_then(|at| at.parse().ok()),
        };
        // Of the event too: a later event may set a time that has been before.
        let event = origin.event_id.unwrap_or_default();
        let name = format!("{service}\n{key}\n{}\n{event}", sortable(due_at));
        let id = Uuid::new_v5(&NAMESPACE, name.as_bytes());
        Self { key: key.to_owned(), due_at, now, item, id, origin, well_formed: at.is_some() }
    }

    /// Returns a later time at which the item falls due again because of the same event.
    #[must_use]
    pub fn again_at(&self, at: Timestamp) -> Due {
        Due { at, origin: self.origin.clone() }
    }

    pub(crate) fn correlation_id(&self) -> Uuid {
        self.origin.correlation_id.unwrap_or(self.id)
    }

    /// Returns the cause of what happens now: the same for every sweeper and attempt.
    pub(crate) fn cause(&self, service: &str, kind: &str) -> Envelope {
        let metadata = Metadata {
            correlation_id: self.correlation_id(),
            causation_id: self.origin.event_id,
            silent: self.origin.silent_until.is_some_and(|until| self.due_at <= until),
            ..Metadata::first(self.id, self.due_at, self.now)
        };
        Envelope {
            source: service.to_owned(),
            event_type: kind.to_owned(),
            customer_number: self.origin.customer_number.clone(),
            metadata,
            data: RawValue::NULL.to_owned(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(text: &str) -> Timestamp {
        text.parse().unwrap()
    }

    #[test]
    fn texts_are_in_the_order_of_their_times() {
        let times = [
            "0000-01-02T00:00:00Z",
            "1969-12-31T23:59:59.9Z",
            "2026-01-01T00:00:00Z",
            "2026-01-01T00:00:00.000000001Z",
            "2026-01-01T00:00:00.1Z",
            "2026-01-01T00:00:01Z",
            "9999-12-30T00:00:00Z",
        ];
        let texts: Vec<_> = times.map(|time| sortable(at(time))).into();
        assert!(texts.is_sorted(), "{texts:?}");
    }

    #[test]
    fn keys_spread_over_all_buckets_and_stay_in_theirs() {
        let mut counts = HashMap::<_, u32>::new();
        for number in 0..16_000 {
            *counts.entry(bucket(&format!("DISCOUNT#{number}"))).or_default() += 1;
        }
        assert_eq!(counts.len(), usize::from(BUCKETS));
        assert!(counts.values().all(|count| (1_700..2_300).contains(count)), "{counts:?}");
        // Written out: with other buckets, items that exist would never be found.
        assert_eq!(bucket("DISCOUNT#123456789012#SUMMER"), "07");
    }

    #[test]
    fn the_id_is_a_function_of_key_time_and_event() {
        let event = Uuid::from_u128(7);
        let read = |service, key: &str, time, event: Uuid| {
            let due = Due { at: at(time), origin: Origin { event_id: Some(event), ..Origin::default() } };
            DueItem::read(service, key, due.attributes(key), at("2027-01-01T00:00:00Z"))
        };
        let one = read("discounts", "a", "2026-01-01T00:00:00Z", event);
        assert_eq!(one.id, read("discounts", "a", "2026-01-01T00:00:00.000Z", event).id);
        for other in [
            read("rewards", "a", "2026-01-01T00:00:00Z", event),
            read("discounts", "b", "2026-01-01T00:00:00Z", event),
            read("discounts", "a", "2026-01-01T00:00:01Z", event),
            read("discounts", "a", "2026-01-01T00:00:00Z", Uuid::from_u128(8)),
        ] {
            assert_ne!(one.id, other.id);
        }
        let cause = one.cause("discounts", "DiscountDue").metadata;
        assert_eq!((cause.event_id, cause.causation_id), (one.id, Some(event)));
        assert_eq!(cause.occurred_at, at("2026-01-01T00:00:00Z"));
    }
}
