//! Whether the webhook has asked for no more pushes.

use aws_clients::{AwsError, DynamoDb, service};
use aws_sdk_dynamodb::types::AttributeValue;
use jiff::Timestamp;
use uuid::Uuid;

const PARTITION_KEY: &str = "pk";
/// The one item. An operator deletes it to enable the endpoint again.
const KEY: &str = "ENDPOINT";
/// Which URL is meant: another one is not disabled.
const URL_DIGEST: &str = "url_digest";
const DISABLED_AT: &str = "disabled_at";
const NOTIFICATION_ID: &str = "notification_id";

/// The record of an endpoint that has answered `410 Gone`, in the service's table.
#[derive(Clone, Debug)]
pub(crate) struct Endpoint {
    client: DynamoDb,
    table: String,
    url_digest: String,
}

impl Endpoint {
    pub(crate) fn new(client: DynamoDb, table: impl Into<String>, url_digest: impl Into<String>) -> Self {
        Self { client, table: table.into(), url_digest: url_digest.into() }
    }

    /// Returns whether the endpoint is disabled.
    pub(crate) async fn is_disabled(&self) -> Result<bool, AwsError> {
        let request = self
            .client
            .get_item()
            .table_name(&self.table)
            .key(PARTITION_KEY, text(KEY))
            .consistent_read(true);
        let answer = Box::pin(self.client.call(request))
            .await
            .map_err(|error| AwsError::of(service::DYNAMODB, "GetItem", error))?;
        Ok(answer.item.is_some_and(|item| item.get(URL_DIGEST) == Some(&text(&*self.url_digest))))
    }

    /// Disables the endpoint, because of its answer to a notification.
    pub(crate) async fn disable(&self, notification_id: Uuid) -> Result<(), AwsError> {
        let put = self
            .client
            .put_item()
            .table_name(&self.table)
            .item(PARTITION_KEY, text(KEY))
            .item(URL_DIGEST, text(&*self.url_digest))
            .item(DISABLED_AT, text(Timestamp::now().to_string()))
            .item(NOTIFICATION_ID, text(notification_id.to_string()));
        Box::pin(self.client.call(put))
            .await
            .map_err(|error| AwsError::of(service::DYNAMODB, "PutItem", error))?;
        Ok(())
    }
}

fn text(value: impl Into<String>) -> AttributeValue {
    AttributeValue::S(value.into())
}
