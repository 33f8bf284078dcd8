//! The customers the service knows of, in its own table: one item each, under the key `CUSTOMER#<customer number>`.
//!
//! Each of the two facts is replaced by a later one only, in a single conditional write, so that events of one customer need
//! not be handled one after the other.

use aws_clients::{AwsError, DynamoDb, service};
use aws_sdk_dynamodb::operation::update_item::UpdateItemError;
use aws_sdk_dynamodb::operation::update_item::builders::UpdateItemFluentBuilder;
use aws_sdk_dynamodb::types::AttributeValue;
use contracts::CustomerNumber;
use jiff::Timestamp;
use sqs_consumer::Failure;
use thiserror::Error;
use uuid::Uuid;

use crate::recipient::{Channels, Recipient};

const PARTITION_KEY: &str = "pk";
/// Times are nanoseconds since the epoch: as text, they would not be ordered.
const ERASED_AT: &str = "erased_at";
const ANNOUNCED_AT: &str = "announced_at";
/// The event that announced the channels: it decides between two of the same time.
const ANNOUNCED_BY: &str = "announced_by";
const BY_APP: &str = "by_app";

/// The table of recipients.
#[derive(Clone, Debug)]
pub(crate) struct Recipients {
    client: DynamoDb,
    table: String,
}

/// Why a recipient could not be read or changed.
#[derive(Debug, Error)]
pub(crate) enum RecipientError {
    /// DynamoDB did not carry out the request.
    #[error(transparent)]
    Aws(#[from] AwsError),
    /// The item is not a recipient.
    #[error("item of customer {customer_number} cannot be read")]
    Unreadable { customer_number: CustomerNumber },
}

impl From<RecipientError> for Failure {
    fn from(error: RecipientError) -> Self {
        match error {
            RecipientError::Aws(error) => error.into(),
            RecipientError::Unreadable { .. } => Self::permanent("recipient-unreadable").because(error),
        }
    }
}

impl Recipients {
    pub(crate) fn new(client: DynamoDb, table: impl Into<String>) -> Self {
        Self { client, table: table.into() }
    }

    /// Returns what is known of a customer.
    pub(crate) async fn read(&self, customer_number: &CustomerNumber) -> Result<Recipient, RecipientError> {
        let request = self
            .client
            .get_item()
            .table_name(&self.table)
            .key(PARTITION_KEY, key(customer_number))
            .consistent_read(true);
        let answer = Box::pin(self.client.call(request))
            .await
            .map_err(|error| AwsError::of(service::DYNAMODB, "GetItem", error))?;
        let Some(item) = answer.item else { return Ok(Recipient::default()) };
        let unreadable = || RecipientError::Unreadable { customer_number: customer_number.clone() };
        let time = |name: &str| item.get(name).map(|value| instant(value).ok_or_else(unreadable)).transpose();
        let by_app = item.get(BY_APP).map(|value| value.as_bool().copied().map_err(|_| unreadable()));
        let channels = match (time(ANNOUNCED_AT)?, by_app.transpose()?) {
            (Some(announced_at), Some(by_app)) => Some(Channels { announced_at, by_app }),
            (None, None) => None,
            _ => return Err(unreadable()),
        };
        Ok(Recipient { erased_at: time(ERASED_AT)?, channels })
    }

    /// Records an erasure that occurred then. Returns whether that is news.
    pub(crate) async fn erased(
        &self,
        customer_number: &CustomerNumber,
        at: Timestamp,
    ) -> Result<bool, RecipientError> {
        let update = self
            .update(customer_number)
            .update_expression("SET #erased = :at")
            .condition_expression("attribute_not_exists(#erased) OR #erased < :at")
            .expression_attribute_names("#erased", ERASED_AT)
            .expression_attribute_values(":at", number(at));
        Ok(if_it_holds(&self.client, update).await?)
    }

    /// Records the customer's channels as `event_id` announced them. Returns whether that is news.
    pub(crate) async fn reached_by(
        &self,
        customer_number: &CustomerNumber,
        channels: Channels,
        event_id: Uuid,
    ) -> Result<bool, RecipientError> {
        let update = self
            .update(customer_number)
            .update_expression("SET #app = :app, #at = :at, #by = :by")
            .condition_expression("attribute_not_exists(#at) OR #at < :at OR (#at = :at AND #by < :by)")
            .expression_attribute_names("#app", BY_APP)
            .expression_attribute_names("#at", ANNOUNCED_AT)
            .expression_attribute_names("#by", ANNOUNCED_BY)
            .expression_attribute_values(":app", AttributeValue::Bool(channels.by_app))
            .expression_attribute_values(":at", number(channels.announced_at))
            .expression_attribute_values(":by", AttributeValue::S(event_id.to_string()));
        Ok(if_it_holds(&self.client, update).await?)
    }

    fn update(&self, customer_number: &CustomerNumber) -> UpdateItemFluentBuilder {
        self.client.update_item().table_name(&self.table).key(PARTITION_KEY, key(customer_number))
    }
}

/// Sends an update. Returns whether its condition holds. Nothing is news twice, so a lost answer is harmless.
async fn if_it_holds(client: &DynamoDb, update: UpdateItemFluentBuilder) -> Result<bool, AwsError> {
    match Box::pin(client.call(update)).await {
        Ok(_) => Ok(true),
        Err(error)
            if error
                .as_service_error()
                .is_some_and(UpdateItemError::is_conditional_check_failed_exception) =>
        {
            Ok(false)
        }
        Err(error) => Err(AwsError::of(service::DYNAMODB, "UpdateItem", error)),
    }
}

fn key(customer_number: &CustomerNumber) -> AttributeValue {
    AttributeValue::S(format!("CUSTOMER#{customer_number}"))
}

fn number(time: Timestamp) -> AttributeValue {
    AttributeValue::N(time.as_nanosecond().to_string())
}

fn instant(value: &AttributeValue) -> Option<Timestamp> {
    Timestamp::from_nanosecond(value.as_n().ok()?.parse().ok()?).ok()
}
