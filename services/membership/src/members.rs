//! The table of members: one item each, under the key `MEMBER#<customer number>`.
//!
//! What is known of an erased customer from events that occurred after the erasure waits for their enrolment in a
//! separate item, `PENDING#<customer number>`. It expires, so that a change without an enrolment does not keep a name for
//! good, while the tombstone stays.

use std::collections::HashMap;

use aws_clients::{AwsError, DynamoDb, service};
use aws_sdk_dynamodb::types::builders::{DeleteBuilder, PutBuilder};
use aws_sdk_dynamodb::types::{AttributeValue, Delete, Put};
use contracts::CustomerNumber;
use envelope::Metadata;
use handlers::{Announcing, Effect};
use idempotency::outbox;
use jiff::Timestamp;
use serde_json::Value;
use sqs_consumer::Failure;
use thiserror::Error;
use uuid::Uuid;

use crate::attributes;
use crate::domain::Member;

const PARTITION_KEY: &str = envelope::outbox::PARTITION_KEY;
const KEY_PREFIX: &str = "MEMBER#";
const PENDING_PREFIX: &str = "PENDING#";
/// What is known of a customer: the attribute that a pending item holds in place of the member's.
const KNOWN: &str = "known";
/// Counts the writes of an item; a write succeeds only if nothing was written since the read.
const REVISION: &str = "revision";
/// The latest announcements, the oldest first: an erasure removes them from the outbox. Each is listed by the id of the event
/// whose marker carries it, or, if it is an item of its own, by its own event id.
const OUTBOX: &str = "outbox";
/// The most announcements that an item lists. An erasure removes all of them in one transaction, of at most 100 items
/// ([`TransactWriteItems`](https://docs.aws.amazon.com/amazondynamodb/latest/APIReference/API_TransactWriteItems.html)).
const MOST_LISTED: usize = 90;

/// The table of members, which also holds the markers and the outbox.
#[derive(Clone, Debug)]
pub(crate) struct Members {
    client: DynamoDb,
    table: String,
    handler: &'static str,
    announcing: Announcing,
}

/// A member as read, with the revision that a write depends on.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Stored {
    pub(crate) member: Member,
    /// Zero if there was no item.
    revision: u64,
    /// The latest announcements.
    outbox: Vec<Uuid>,
}

/// Why a member could not be read.
#[derive(Debug, Error)]
pub(crate) enum ReadError {
    /// DynamoDB did not answer.
    #[error(transparent)]
    Aws(#[from] AwsError),
    /// The item is not a member.
    #[error("item of member {customer_number} cannot be read as a member")]
    Unreadable { customer_number: CustomerNumber },
}

impl From<ReadError> for Failure {
    fn from(error: ReadError) -> Self {
        match error {
            ReadError::Aws(error) => error.into(),
            ReadError::Unreadable { .. } => Self::permanent("member-unreadable").because(error),
        }
    }
}

impl Members {
    /// `announcing` says where the announcements of the handler of this name are written.
    pub(crate) fn new(
        client: DynamoDb,
        table: impl Into<String>,
        handler: &'static str,
        announcing: Announcing,
    ) -> Self {
        Self { client, table: table.into(), handler, announcing }
    }

    /// Reads the member, consistently: after a stale read the write would fail for nothing.
    pub(crate) async fn read(&self, customer_number: &CustomerNumber) -> Result<Stored, ReadError> {
        let Some(mut item) = self.item(key(KEY_PREFIX, customer_number)).await? else {
            let member = Member::unknown(customer_number.clone());
            return Ok(Stored { member, revision: 0, outbox: Vec::new() });
        };
        // Every write of a pending item changes the revision of the member's, so an older one is never written back.
        if item.contains_key("erased")
            && !item.contains_key(KNOWN)
            && let Some(mut pending) = self.item(key(PENDING_PREFIX, customer_number)).await?
            && let Some(known) = pending.remove(KNOWN)
        {
            item.insert(KNOWN.to_owned(), known);
        }
        read(item).ok_or_else(|| ReadError::Unreadable { customer_number: customer_number.clone() })
    }

    async fn item(&self, key: AttributeValue) -> Result<Option<HashMap<String, AttributeValue>>, AwsError> {
        let request =
            self.client.get_item().table_name(&self.table).key(PARTITION_KEY, key).consistent_read(true);
        let answer = Box::pin(self.client.call(request)).await;
        Ok(answer.map_err(|error| AwsError::of(service::DYNAMODB, "GetItem", error))?.item)
    }

    /// Returns the effect that replaces `read` with `member` if nothing was written in between. `cause` is the event that
    /// changes the member, and `announced` the id of the event that announces the change.
    ///
    /// The outbox keeps the latest announcements of a customer; with an erasure, it keeps only that of the erasure.
    ///
    /// # Errors
    /// DynamoDB's, and `member-unwritable` if `member` cannot be represented as an item.
    pub(crate) async fn replace(
        &self,
        read: &Stored,
        member: &Member,
        cause: &Metadata,
        announced: Option<Uuid>,
    ) -> Result<Effect, Failure> {
        let Ok(Value::Object(mut fields)) = serde_json::to_value(member) else {
            return Err(Failure::permanent("member-unwritable"));
        };
        let erases = member.erased_at() != read.member.erased_at();
        let keep = if erases { 0 } else { MOST_LISTED - usize::from(announced.is_some()) };
        let (outdated, kept) = read.outbox.split_at(read.outbox.len().saturating_sub(keep));
        let listed_as = |id| match self.announcing {
            Announcing::WithMarker => cause.event_id,
            Announcing::Separately => id,
        };
        let listed = kept.iter().copied().chain(announced.map(listed_as));
        let listed: Vec<_> = listed.map(|id| AttributeValue::S(id.to_string())).collect();

        let pending = if member.is_erased() { fields.remove(KNOWN) } else { None };
        let mut item = attributes::object(fields);
        item.insert(PARTITION_KEY.to_owned(), key(KEY_PREFIX, member.customer_number()));
        item.insert(REVISION.to_owned(), AttributeValue::N((read.revision + 1).to_string()));
        if !listed.is_empty() {
            item.insert(OUTBOX.to_owned(), AttributeValue::L(listed));
        }
        let effect = Effect::applied().put(self.if_unchanged(read, item));
        // The marker of an event that is delivered again is written, and found, by the commit itself.
        let outdated: Vec<_> = outdated.iter().copied().filter(|id| *id != cause.event_id).collect();
        let effect = self.withdraw(effect, &outdated).await?;
        let pending_key = key(PENDING_PREFIX, member.customer_number());
        Ok(match pending {
            Some(known) => effect.put(
                Put::builder()
                    .item(PARTITION_KEY, pending_key)
                    .item(KNOWN, attributes::from_json(known))
                    .item(envelope::outbox::EXPIRES_AT, AttributeValue::N(expiry().to_string())),
            ),
            None if read.member.is_erased() => {
                effect.delete(Delete::builder().key(PARTITION_KEY, pending_key))
            }
            None => effect,
        })
    }

    /// Returns the write of a member's `item`, on the condition that nothing was written since `read`.
    fn if_unchanged(&self, read: &Stored, item: HashMap<String, AttributeValue>) -> PutBuilder {
        let put = Put::builder().table_name(&self.table).set_item(Some(item));
        if read.revision == 0 {
            return put
                .condition_expression("attribute_not_exists(#pk)")
                .expression_attribute_names("#pk", PARTITION_KEY);
        }
        put.condition_expression("#revision = :read")
            .expression_attribute_names("#revision", REVISION)
            .expression_attribute_values(":read", AttributeValue::N(read.revision.to_string()))
    }

    /// Returns `effect` with the removal of these announcements from the outbox. They have been announced or will be: the
    /// table's stream keeps the inserted items, from which the Pipe reads.
    ///
    /// A marker stays, without the announcement: it still tells that its event was handled. It is read first, because a
    /// marker that has expired must not come into being again without what identifies its event. If it expires between the
    /// read and the commit, the commit fails and the decision is made again.
    async fn withdraw(&self, mut effect: Effect, listed: &[Uuid]) -> Result<Effect, AwsError> {
        for id in listed {
            effect = match self.announcing_marker(*id).await? {
                Some(marker_key) => effect.update(outbox::withdrawal(&marker_key)),
                None => effect.delete(unannounced(*id)),
            };
        }
        Ok(effect)
    }

    /// Returns the effect of an announcement's return from the bus: it is removed from the outbox.
    pub(crate) async fn returned(&self, announcement: &Metadata) -> Result<Effect, AwsError> {
        let carrier = match announcement.causation_id {
            Some(cause) => self.announcing_marker(cause).await?,
            None => None,
        };
        Ok(match carrier {
            Some(marker_key) => Effect::applied().update(outbox::withdrawal(&marker_key)),
            None => Effect::applied().delete(unannounced(announcement.event_id)),
        })
    }

    /// Returns the key of the marker of the event with this id, if it carries an announcement.
    async fn announcing_marker(&self, event_id: Uuid) -> Result<Option<String>, AwsError> {
        let key = outbox::marker_key(self.handler, event_id);
        let marker = self.item(AttributeValue::S(key.clone())).await?;
        Ok(marker.filter(outbox::announces).map(|_| key))
    }
}

/// Returns the removal of an announcement that is an item of its own.
fn unannounced(event_id: Uuid) -> DeleteBuilder {
    Delete::builder().key(PARTITION_KEY, AttributeValue::S(outbox::key(event_id)))
}

/// When a pending item expires: an event waits in a queue no longer than outbox items are kept.
fn expiry() -> i64 {
    Timestamp::now().as_second().saturating_add(envelope::outbox::RETENTION_DAYS * 24 * 60 * 60)
}

fn key(prefix: &str, customer_number: &CustomerNumber) -> AttributeValue {
    AttributeValue::S(format!("{prefix}{customer_number}"))
}

fn read(mut item: HashMap<String, AttributeValue>) -> Option<Stored> {
    let revision = item.remove(REVISION)?.as_n().ok()?.parse().ok()?;
    let outbox = match item.remove(OUTBOX) {
        None => Vec::new(),
        Some(ids) => ids.as_l().ok()?.iter().map(|id| id.as_s().ok()?.parse().ok()).collect::<Option<_>>()?,
    };
    let fields = attributes::to_json(&AttributeValue::M(item))?;
    Some(Stored { member: serde_json::from_value(fields).ok()?, revision, outbox })
}
