//! Which attempt at an event came before: what a killed process has published may lack its spans, and the next attempt can
//! send them.

use aws_clients::{AwsError, DynamoDb, service};
use aws_sdk_dynamodb::types::{AttributeValue, ReturnValue};
use jiff::{SignedDuration, Timestamp};
use telemetry::context::recorded_header;
use uuid::Uuid;

use crate::members::{PARTITION_KEY, text};

/// The trace header of the latest attempt.
const ATTEMPT: &str = "attempt";
const EXPIRES_AT: &str = envelope::outbox::EXPIRES_AT;
/// As long as SQS keeps a message at most
/// ([quotas](https://docs.aws.amazon.com/AWSSimpleQueueService/latest/SQSDeveloperGuide/quotas-messages.html)).
const RETENTION: SignedDuration = SignedDuration::from_hours(14 * 24);

/// The latest attempt at each event: one item each, `ATTEMPT#<event id>`.
#[derive(Clone, Debug)]
pub(crate) struct Attempts {
    client: DynamoDb,
    table: String,
}

impl Attempts {
    pub(crate) fn new(client: DynamoDb, table: String) -> Self {
        Self { client, table }
    }

    /// Records the current span as the latest attempt, and returns the header of the attempt before. Only attempts whose
    /// trace is recorded are; for others it makes no call.
    pub(crate) async fn begin(&self, event_id: Uuid) -> Result<Option<String>, AwsError> {
        let Some(header) = recorded_header() else { return Ok(None) };
        let expires_at = Timestamp::now().as_second().saturating_add(RETENTION.as_secs());
        let update = self
            .client
            .update_item()
            .table_name(&self.table)
            .key(PARTITION_KEY, text(format!("ATTEMPT#{event_id}")))
            .update_expression("SET #attempt = :attempt, #expires = :expires")
            .expression_attribute_names("#attempt", ATTEMPT)
            .expression_attribute_names("#expires", EXPIRES_AT)
            .expression_attribute_values(":attempt", text(header))
            .expression_attribute_values(":expires", AttributeValue::N(expires_at.to_string()))
            .return_values(ReturnValue::UpdatedOld);
        let before = Box::pin(self.client.call(update)).await;
        let before = before.map_err(|error| AwsError::of(service::DYNAMODB, "UpdateItem", error))?;
        Ok(before.attributes.and_then(|mut before| match before.remove(ATTEMPT) {
            Some(AttributeValue::S(header)) => Some(header),
            _ => None,
        }))
    }
}
