//! The attribute names of an outbox item: what `idempotency` writes into a table and the Pipe's
//! input template reads from its stream. Every attribute is a scalar, because a Pipe's template
//! cannot take a DynamoDB map apart without its type descriptors.

/// Name of the partition key attribute of every table with an outbox.
pub const PARTITION_KEY: &str = "pk";
/// What the partition key of an outbox item starts with; the event id follows.
pub const KEY_PREFIX: &str = "OUTBOX#";
/// What the partition key of a marker starts with, which may carry an announcement as well; the handler, `#` and the id of
/// the event that was handled follow.
pub const MARKER_PREFIX: &str = "EVENT#";
/// EventBridge's `source`.
pub const SOURCE: &str = "source";
/// EventBridge's `detail-type`.
pub const EVENT_TYPE: &str = "event_type";
/// The event's data as JSON text.
pub const DATA: &str = "data";
/// Epoch seconds after which DynamoDB may remove the item.
pub const EXPIRES_AT: &str = "expires_at";
/// The metadata fields that are written as strings; an absent one is written as `""`, so that the
/// template always finds it.
pub const METADATA_STRINGS: [&str; 6] =
    ["event_id", "occurred_at", "published_at", "correlation_id", "causation_id", "trace"];
/// The metadata field that is written as the string `true`, or `""`. Services of an earlier version write none.
pub const SILENT: &str = "silent";
/// The metadata field that is written as a number.
pub const SCHEMA_VERSION: &str = "schema_version";
/// How long an outbox item is kept, in days.
pub const RETENTION_DAYS: i64 = 14;
