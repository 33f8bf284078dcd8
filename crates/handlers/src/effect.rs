//! The effect that a handler decides on, before it is committed.

use aws_sdk_dynamodb::error::BuildError;
use aws_sdk_dynamodb::types::builders::{ConditionCheckBuilder, DeleteBuilder, PutBuilder, UpdateBuilder};
use aws_sdk_dynamodb::types::{Put, TransactWriteItem};
use envelope::{EncodeError, Envelope, Event, Metadata};
use jiff::Timestamp;
use sqs_consumer::Done;
use thiserror::Error;
use uuid::Uuid;

/// What one event leads to: items to write and events to announce, all or nothing.
///
/// A write without a table name goes to the handler's own table. A condition that does not hold means that the item
/// has changed since the handler read it: the handler is then called again, and returns a new effect.
///
/// An announcement belongs to the event that causes it: it occurred when that event did and stays in its chain and its
/// trace. Its id is a function of the causing event's id and its own type, so the same event is announced however often
/// the cause is handled.
///
/// DynamoDB accepts 100 items in a transaction
/// ([`TransactWriteItems`](https://docs.aws.amazon.com/amazondynamodb/latest/APIReference/API_TransactWriteItems.html)),
/// one of which is the marker.
#[derive(Debug)]
#[must_use = "an effect that is not returned never happens"]
pub struct Effect {
    outcome: &'static str,
    refusal: Option<&'static str>,
    record: Option<PutBuilder>,
    writes: Vec<Write>,
    announcements: Vec<Result<Envelope, EncodeError>>,
}

#[derive(Debug)]
enum Write {
    Put(PutBuilder),
    Update(UpdateBuilder),
    Delete(DeleteBuilder),
    Check(ConditionCheckBuilder),
}

/// An effect that cannot be written, whatever the table holds.
#[derive(Debug, Error)]
pub(crate) enum InvalidEffect {
    /// A write lacks a part that DynamoDB needs.
    #[error(transparent)]
    Write(#[from] BuildError),
    /// An announcement cannot be written as JSON.
    #[error(transparent)]
    Announcement(#[from] EncodeError),
}

impl Effect {
    /// Creates an effect with this outcome, one of a fixed set of words. Without writes and announcements, only the
    /// event's marker is written.
    pub const fn new(outcome: &'static str) -> Self {
        Self { outcome, refusal: None, record: None, writes: Vec::new(), announcements: Vec::new() }
    }

    /// Creates an effect with the outcome `applied`.
    pub const fn applied() -> Self {
        Self::new(Done::APPLIED.outcome)
    }

    /// Creates an effect that refuses the event for good: once it is committed, the message ends with this permanent
    /// failure, one of a fixed set of words. Use it where the refusal itself has an effect, such as an announcement to
    /// the caller that waits for the outcome.
    ///
    /// The refusal is final. It is committed with the marker and the [record](Self::record), so a redelivery, or a redrive
    /// from the dead-letter queue, is refused again without any effect, whatever the handler decides by then: with the
    /// same reason, or with `refused-before` and the earlier reason as its cause if the handler would not refuse it now.
    ///
    /// ```
    /// use handlers::Effect;
    ///
    /// let effect = Effect::refused("balance-insufficient");
    /// // … `.announce(&RedemptionRefused { … })`
    /// # drop(effect);
    /// ```
    pub const fn refused(reason: &'static str) -> Self {
        let refusal = Some(reason);
        Self { outcome: reason, refusal, record: None, writes: Vec::new(), announcements: Vec::new() }
    }

    /// Creates an empty effect with the outcome `ignored`: the event requires nothing of this service.
    pub const fn ignored() -> Self {
        Self::new(Done::IGNORED.outcome)
    }

    /// Records the event: writes a whole item that must not exist yet and outlasts the marker, such as an entry of a ledger
    /// under the event's id. If the item exists, the event was handled before and has the outcome `duplicate`, even
    /// after its marker has expired. An effect has one record at most.
    pub fn record(mut self, put: PutBuilder) -> Self {
        self.record = Some(put);
        self
    }

    /// Writes a whole item.
    pub fn put(self, put: PutBuilder) -> Self {
        self.write(Write::Put(put))
    }

    /// Changes parts of an item.
    pub fn update(self, update: UpdateBuilder) -> Self {
        self.write(Write::Update(update))
    }

    /// Removes an item.
    pub fn delete(self, delete: DeleteBuilder) -> Self {
        self.write(Write::Delete(delete))
    }

    /// Requires a condition of an item that the effect does not change.
    pub fn check(self, check: ConditionCheckBuilder) -> Self {
        self.write(Write::Check(check))
    }

    /// Announces an event through the outbox in the handler's table.
    pub fn announce<E: Event>(mut self, event: &E) -> Self {
        // Placeholders: only the schema version is known here; the rest comes from the cause, at the commit.
        let metadata = Metadata::first(Uuid::nil(), Timestamp::UNIX_EPOCH, Timestamp::UNIX_EPOCH);
        self.announcements.push(Envelope::new(metadata, event));
        self
    }

    fn write(mut self, write: Write) -> Self {
        self.writes.push(write);
        self
    }

    /// Returns the outcome of the message once the effect is written.
    pub(crate) fn done(&self) -> Done {
        if self.record.is_none() && self.writes.is_empty() && self.announcements.is_empty() {
            Done::without_effect(self.outcome)
        } else {
            Done::new(self.outcome)
        }
    }

    /// Returns the reason if the event is refused.
    pub(crate) fn refusal(&self) -> Option<&'static str> {
        self.refusal
    }

    /// Returns the items to write, and the announcements as events caused by `cause`.
    pub(crate) fn into_parts(self, table: &str, cause: &Metadata) -> Result<Parts, InvalidEffect> {
        let record = self.record.map(|put| at_home(put, table).build()).transpose()?;
        let writes = self.writes.into_iter().map(|write| write.build(table)).collect::<Result<_, _>>()?;
        let mut announced = Vec::<Envelope>::with_capacity(self.announcements.len());
        for announcement in self.announcements {
            let announcement = announcement?;
            let earlier = announced.iter().filter(|one| one.event_type == announcement.event_type).count();
            announced.push(caused_by(cause, announcement, earlier));
        }
        Ok(Parts { record, writes, announcements: announced })
    }
}

/// What an effect consists of.
#[derive(Debug)]
pub(crate) struct Parts {
    pub(crate) record: Option<Put>,
    pub(crate) writes: Vec<TransactWriteItem>,
    pub(crate) announcements: Vec<Envelope>,
}

/// Names the handler's table, unless the write names another.
fn at_home(put: PutBuilder, table: &str) -> PutBuilder {
    let table = put.get_table_name().clone().unwrap_or_else(|| table.to_owned());
    put.table_name(table)
}

impl Write {
    fn build(self, table: &str) -> Result<TransactWriteItem, BuildError> {
        let item = TransactWriteItem::builder();
        let item = match self {
            Self::Put(put) => item.put(at_home(put, table).build()?),
            Self::Update(update) => {
                let table = update.get_table_name().clone().unwrap_or_else(|| table.to_owned());
                item.update(update.table_name(table).build()?)
            }
            Self::Delete(delete) => {
                let table = delete.get_table_name().clone().unwrap_or_else(|| table.to_owned());
                item.delete(delete.table_name(table).build()?)
            }
            Self::Check(check) => {
                let table = check.get_table_name().clone().unwrap_or_else(|| table.to_owned());
                item.condition_check(check.table_name(table).build()?)
            }
        };
        Ok(item.build())
    }
}

/// Returns the id of the first announcement of type `E` that `cause` leads to.
///
/// ```
/// # use serde::{Deserialize, Serialize};
/// # #[derive(Serialize, Deserialize)] struct PointsEarned;
/// # impl envelope::Event for PointsEarned {
/// #     const TYPE: &'static str = "PointsEarned"; const SOURCE: &'static str = "foostore.crm";
/// #     fn customer_number(&self) -> &str { "" }
/// # }
/// let now = jiff::Timestamp::now();
/// let cause = envelope::Metadata::first(uuid::Uuid::new_v4(), now, now);
/// assert_eq!(handlers::announcement_id::<PointsEarned>(&cause), handlers::announcement_id::<PointsEarned>(&cause));
/// ```
#[must_use]
pub fn announcement_id<E: Event>(cause: &Metadata) -> Uuid {
    numbered_id(cause, E::TYPE, 0)
}

/// Returns the id of an announcement that `earlier` others of its type precede.
fn numbered_id(cause: &Metadata, event_type: &str, earlier: usize) -> Uuid {
    match earlier {
        0 => Uuid::new_v5(&cause.event_id, event_type.as_bytes()),
        _ => Uuid::new_v5(&cause.event_id, format!("{event_type}#{}", earlier + 1).as_bytes()),
    }
}

/// Returns the announcement with the metadata of an event caused by `cause`; `earlier` others of the same type precede
/// it, and make its id distinct.
///
/// Its trace context is that of the current span, in which the cause is being handled, because neither the table's
/// stream nor a Pipe carries one.
fn caused_by(cause: &Metadata, announcement: Envelope, earlier: usize) -> Envelope {
    let event_id = numbered_id(cause, &announcement.event_type, earlier);
    let metadata = Metadata {
        schema_version: announcement.metadata.schema_version,
        trace: telemetry::context::current_header(),
        ..Metadata::caused_by(cause, event_id, cause.occurred_at, Timestamp::now())
    };
    Envelope { metadata, ..announcement }
}

#[cfg(test)]
mod tests {
    use aws_sdk_dynamodb::types::{AttributeValue, Put};
    use serde::{Deserialize, Serialize};

    use super::*;

    #[derive(Serialize, Deserialize)]
    struct TierAscended {
        customer_number: String,
    }

    impl Event for TierAscended {
        const TYPE: &'static str = "TierAscended";
        const SOURCE: &'static str = "foostore.loyalty";
        const SCHEMA_VERSION: u32 = 3;

        fn customer_number(&self) -> &str {
            &self.customer_number
        }
    }

    fn cause() -> Metadata {
        let occurred_at = "2026-03-01T12:00:00Z".parse().unwrap();
        Metadata::first(Uuid::from_u128(7), occurred_at, occurred_at)
    }

    fn announced(effect: Effect) -> Vec<Envelope> {
        effect.into_parts("rewards", &cause()).unwrap().announcements
    }

    #[test]
    fn an_announcement_stays_in_the_chain_of_its_cause() {
        let event = TierAscended { customer_number: "123456789012".into() };
        let announced = announced(Effect::applied().announce(&event));
        let metadata = &announced[0].metadata;
        assert_eq!(
            (metadata.correlation_id, metadata.causation_id),
            (Uuid::from_u128(7), Some(Uuid::from_u128(7)))
        );
        assert_eq!(metadata.occurred_at, cause().occurred_at);
        assert_eq!(metadata.schema_version, 3);
        assert!(metadata.published_at > cause().published_at);
    }

    #[test]
    fn ids_are_a_function_of_the_cause_and_the_type() {
        let event = TierAscended { customer_number: "123456789012".into() };
        let ids = |effect| announced(effect).iter().map(|event| event.metadata.event_id).collect::<Vec<_>>();
        let twice = || Effect::applied().announce(&event).announce(&event);
        assert_eq!(ids(twice()), ids(twice()));
        // Written out: if an upgrade changed these ids, retried events would be announced again under new ones.
        let expected = [b"TierAscended".as_slice(), b"TierAscended#2"];
        assert_eq!(ids(twice()), expected.map(|name| Uuid::new_v5(&cause().event_id, name)));
        assert_eq!(ids(twice())[0], announcement_id::<TierAscended>(&cause()));
    }

    #[test]
    fn a_write_goes_to_the_handlers_table_unless_it_names_another() {
        let put = || Put::builder().item("pk", AttributeValue::S("x".into()));
        let effect = Effect::applied().record(put()).put(put()).put(put().table_name("other"));
        let parts = effect.into_parts("rewards", &cause()).unwrap();
        let tables: Vec<_> = parts.writes.iter().map(|write| write.put().unwrap().table_name()).collect();
        assert_eq!(tables, ["rewards", "other"]);
        assert_eq!(parts.record.unwrap().table_name(), "rewards");
    }

    #[test]
    fn a_write_without_an_item_is_invalid() {
        let effect = Effect::applied().put(Put::builder());
        assert!(effect.into_parts("rewards", &cause()).is_err());
    }
}
