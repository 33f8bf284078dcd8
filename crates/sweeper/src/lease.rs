//! Leases on buckets: one task at a time sweeps a bucket, and tasks share the buckets evenly.
//!
//! A lease only spares double work. Two tasks that sweep one bucket do no harm: whatever they do has a condition. So clocks
//! that differ, or a process that stands still for longer than its lease, cost a little and lose nothing.

use std::time::Duration;

use aws_clients::{AwsError, DynamoDb, service};
use aws_sdk_dynamodb::error::SdkError;
use aws_sdk_dynamodb::operation::update_item::builders::UpdateItemFluentBuilder;
use aws_sdk_dynamodb::operation::update_item::{UpdateItemError, UpdateItemOutput};
use aws_sdk_dynamodb::types::{AttributeValue, ReturnValue, ReturnValuesOnConditionCheckFailure};
use jiff::Timestamp;
use uuid::Uuid;

use crate::due::Item;

/// The prefix of a lease's partition key; the bucket follows.
pub const LEASE_PREFIX: &str = "SWEEPER#";

const PARTITION_KEY: &str = envelope::outbox::PARTITION_KEY;
const HOLDER: &str = "holder";
/// The end of the lease, in milliseconds since 1970.
const UNTIL: &str = "lease_until";
/// How many buckets the holder has.
const HOLDS: &str = "holds";
/// Until when another task wants the bucket, in milliseconds since 1970.
const WANTED_UNTIL: &str = "wanted_until";

/// The leases of one task.
#[derive(Clone, Debug)]
pub(crate) struct Leases {
    client: DynamoDb,
    table: String,
    holder: Uuid,
    pub(crate) duration: Duration,
}

/// The result of taking a lease.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Taken {
    Ours,
    /// Another task has it.
    Other {
        left: Duration,
        /// How many buckets that task holds.
        holds: usize,
    },
}

/// The result of renewing a lease.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Renewed {
    Ours,
    /// Ours, and a task with fewer buckets wants it.
    Wanted,
    Lost,
}

impl Leases {
    pub(crate) fn new(client: DynamoDb, table: &str, duration: Duration) -> Self {
        Self { client, table: table.to_owned(), holder: Uuid::new_v4(), duration }
    }

    /// Takes a bucket if it is free. A lease that ends later than any could by `now` was written by a clock that was wrong,
    /// and is as good as over.
    pub(crate) async fn take(&self, bucket: &str, holds: usize, now: Timestamp) -> Result<Taken, AwsError> {
        let update = self
            .set(bucket, holds, now)
            .update_expression("SET #holder = :holder, #until = :until, #holds = :holds REMOVE #wanted")
            .condition_expression(
                "attribute_not_exists(#pk) OR #holder = :holder OR #until <= :now OR #until > :latest",
            )
            .expression_attribute_names("#pk", PARTITION_KEY)
            .expression_attribute_names("#wanted", WANTED_UNTIL)
            .expression_attribute_values(":now", number(now.as_millisecond()))
            .expression_attribute_values(":latest", number(after(now, self.duration * 2)))
            .return_values_on_condition_check_failure(ReturnValuesOnConditionCheckFailure::AllOld);
        match send(&self.client, update).await? {
            Ok(_) => Ok(Taken::Ours),
            Err(found) => {
                let until = read(&found, UNTIL).unwrap_or_default();
                let left = u64::try_from(until.saturating_sub(now.as_millisecond())).unwrap_or_default();
                let holds = read(&found, HOLDS).and_then(|holds| usize::try_from(holds).ok());
                Ok(Taken::Other { left: Duration::from_millis(left), holds: holds.unwrap_or_default() })
            }
        }
    }

    /// Extends the lease.
    pub(crate) async fn renew(
        &self,
        bucket: &str,
        holds: usize,
        now: Timestamp,
    ) -> Result<Renewed, AwsError> {
        let update = self
            .set(bucket, holds, now)
            .update_expression("SET #until = :until, #holds = :holds")
            .condition_expression("#holder = :holder")
            .return_values(ReturnValue::AllNew);
        match send(&self.client, update).await? {
            Ok(answer) => {
                let wanted = answer.attributes.as_ref().and_then(|item| read(item, WANTED_UNTIL));
                let wanted = wanted.is_some_and(|until| until > now.as_millisecond());
                Ok(if wanted { Renewed::Wanted } else { Renewed::Ours })
            }
            Err(_) => Ok(Renewed::Lost),
        }
    }

    /// Tells the holder of a bucket that this task, which has fewer, wants it.
    pub(crate) async fn want(&self, bucket: &str, now: Timestamp) -> Result<(), AwsError> {
        let update = self
            .update(bucket)
            .update_expression("SET #wanted = :until")
            .condition_expression("attribute_exists(#holder)")
            .expression_attribute_names("#holder", HOLDER)
            .expression_attribute_names("#wanted", WANTED_UNTIL)
            .expression_attribute_values(":until", number(after(now, self.duration)));
        send(&self.client, update).await.map(drop)
    }

    /// Gives a bucket back before its lease ends.
    pub(crate) async fn release(&self, bucket: &str) -> Result<(), AwsError> {
        let update = self
            .update(bucket)
            .update_expression("SET #until = :now")
            .condition_expression("#holder = :holder")
            .expression_attribute_names("#holder", HOLDER)
            .expression_attribute_names("#until", UNTIL)
            .expression_attribute_values(":holder", AttributeValue::S(self.holder.to_string()))
            .expression_attribute_values(":now", number(0));
        send(&self.client, update).await.map(drop)
    }

    fn set(&self, bucket: &str, holds: usize, now: Timestamp) -> UpdateItemFluentBuilder {
        self.update(bucket)
            .expression_attribute_names("#holder", HOLDER)
            .expression_attribute_names("#until", UNTIL)
            .expression_attribute_names("#holds", HOLDS)
            .expression_attribute_values(":holder", AttributeValue::S(self.holder.to_string()))
            .expression_attribute_values(":until", number(after(now, self.duration)))
            .expression_attribute_values(":holds", number(i64::try_from(holds).unwrap_or(i64::MAX)))
    }

    fn update(&self, bucket: &str) -> UpdateItemFluentBuilder {
        let key = AttributeValue::S(format!("{LEASE_PREFIX}{bucket}"));
        self.client.update_item().table_name(&self.table).key(PARTITION_KEY, key)
    }
}

/// Sends an update. The inner error is the item as it is, if the condition does not hold.
async fn send(
    client: &DynamoDb,
    update: UpdateItemFluentBuilder,
) -> Result<Result<UpdateItemOutput, Item>, AwsError> {
    match Box::pin(client.call(update)).await {
        Ok(answer) => Ok(Ok(answer)),
        Err(SdkError::ServiceError(answer)) if answer.err().is_conditional_check_failed_exception() => {
            Ok(Err(match answer.into_err() {
                UpdateItemError::ConditionalCheckFailedException(found) => found.item.unwrap_or_default(),
                _ => Item::new(),
            }))
        }
        Err(error) => Err(AwsError::of(service::DYNAMODB, "UpdateItem", error)),
    }
}

fn read(item: &Item, name: &str) -> Option<i64> {
    item.get(name)?.as_n().ok()?.parse().ok()
}

fn after(now: Timestamp, duration: Duration) -> i64 {
    now.as_millisecond().saturating_add(i64::try_from(duration.as_millis()).unwrap_or(i64::MAX))
}

fn number(value: i64) -> AttributeValue {
    AttributeValue::N(value.to_string())
}
