//! The calls to the swept table that belong to no trace: looking for what is due, reading and parking an item.

use std::collections::HashMap;

use aws_clients::{AwsError, DynamoDb, service};
use aws_sdk_dynamodb::types::AttributeValue;
use jiff::Timestamp;

use crate::declare::INDEX;
use crate::due::{DUE_AT, DUE_BUCKET, Item, PARKED, PARKED_AT, PARKED_BUCKET, PARKED_REASON, sortable};

const PARTITION_KEY: &str = envelope::outbox::PARTITION_KEY;

/// The swept table.
#[derive(Clone, Debug)]
pub(crate) struct SweptTable {
    pub(crate) client: DynamoDb,
    pub(crate) name: String,
}

/// Some of what is due in a bucket, the longest due first.
#[derive(Debug, Default)]
pub(crate) struct Page {
    /// Partition keys.
    pub(crate) keys: Vec<String>,
    /// Where the next page begins.
    pub(crate) next: Option<Item>,
}

impl SweptTable {
    /// Queries the index for up to `most` items of a bucket that were due before `cutoff`.
    pub(crate) async fn page(
        &self,
        bucket: &str,
        cutoff: Timestamp,
        start: Option<Item>,
        most: i32,
    ) -> Result<Page, AwsError> {
        let query = self
            .client
            .query()
            .table_name(&self.name)
            .index_name(INDEX)
            .key_condition_expression("#bucket = :bucket AND #at < :cutoff")
            .expression_attribute_names("#bucket", DUE_BUCKET)
            .expression_attribute_names("#at", DUE_AT)
            .expression_attribute_values(":bucket", text(bucket))
            .expression_attribute_values(":cutoff", text(sortable(cutoff)))
            .set_exclusive_start_key(start)
            .limit(most);
        let found = Box::pin(self.client.call(query))
            .await
            .map_err(|error| AwsError::of(service::DYNAMODB, "Query", error))?;
        let key = |mut item: HashMap<String, AttributeValue>| match item.remove(PARTITION_KEY) {
            Some(AttributeValue::S(key)) => Some(key),
            _ => None,
        };
        let keys = found.items.unwrap_or_default().into_iter().filter_map(key).collect();
        Ok(Page { keys, next: found.last_evaluated_key.filter(|next| !next.is_empty()) })
    }

    /// Reads an item, consistently.
    pub(crate) async fn item(&self, key: &str) -> Result<Option<Item>, AwsError> {
        let get = self.client.get_item().table_name(&self.name).key(PARTITION_KEY, text(key));
        let found = Box::pin(self.client.call(get.consistent_read(true))).await;
        Ok(found.map_err(|error| AwsError::of(service::DYNAMODB, "GetItem", error))?.item)
    }

    /// Moves an item to the bucket of those that are parked, unless it has changed since `item` was read. Returns whether it
    /// was moved.
    pub(crate) async fn park(
        &self,
        key: &str,
        item: &Item,
        reason: &str,
        now: Timestamp,
    ) -> Result<bool, AwsError> {
        let (Some(bucket), Some(at)) = (item.get(DUE_BUCKET), item.get(DUE_AT)) else { return Ok(false) };
        let update = self
            .client
            .update_item()
            .table_name(&self.name)
            .key(PARTITION_KEY, text(key))
            .update_expression(
                "SET #bucket = :parked, #parked_bucket = :bucket, #parked_reason = :reason, #parked_at = :now",
            )
            .condition_expression("#bucket = :bucket AND #at = :at")
            .expression_attribute_names("#bucket", DUE_BUCKET)
            .expression_attribute_names("#at", DUE_AT)
            .expression_attribute_names("#parked_bucket", PARKED_BUCKET)
            .expression_attribute_names("#parked_reason", PARKED_REASON)
            .expression_attribute_names("#parked_at", PARKED_AT)
            .expression_attribute_values(":parked", text(PARKED))
            .expression_attribute_values(":bucket", bucket.clone())
            .expression_attribute_values(":at", at.clone())
            .expression_attribute_values(":reason", text(reason))
            .expression_attribute_values(":now", text(sortable(now)));
        match Box::pin(self.client.call(update)).await {
            Ok(_) => Ok(true),
            Err(error)
                if error
                    .as_service_error()
                    .is_some_and(|error| error.is_conditional_check_failed_exception()) =>
            {
                Ok(false)
            }
            Err(error) => Err(AwsError::of(service::DYNAMODB, "UpdateItem", error)),
        }
    }
}

fn text(value: impl Into<String>) -> AttributeValue {
    AttributeValue::S(value.into())
}
