//! Members in their table: one item each, with the key `MEMBER#<customer number>`.

use std::collections::HashMap;

use aws_clients::{AwsError, service};
use aws_sdk_dynamodb::Client;
use aws_sdk_dynamodb::types::builders::PutBuilder;
use aws_sdk_dynamodb::types::{AttributeValue, Put};
use contracts::CustomerNumber;
use serde_json::Value;
use sqs_consumer::Failure;
use thiserror::Error;

use crate::attributes;
use crate::domain::Member;

const PARTITION_KEY: &str = envelope::outbox::PARTITION_KEY;
const KEY_PREFIX: &str = "MEMBER#";
/// Counts the writes of an item; a write goes through only if it follows the one that was read.
const REVISION: &str = "revision";

/// The members' table. It holds the markers and the outbox too.
#[derive(Clone, Debug)]
pub(crate) struct Members {
    client: Client,
    table: String,
}

/// A member as read, with what a write of it is conditional on.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Stored {
    pub(crate) member: Member,
    /// Zero if there was no item.
    revision: u64,
}

/// A member that could not be read.
#[derive(Debug, Error)]
pub(crate) enum ReadError {
    /// DynamoDB did not answer.
    #[error(transparent)]
    Aws(#[from] AwsError),
    /// There is an item, but it is no member.
    #[error("the item of member {customer_number} is not readable")]
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
    pub(crate) fn new(client: Client, table: impl Into<String>) -> Self {
        Self { client, table: table.into() }
    }

    /// The member as of the last write: an older one would let the write fail for nothing.
    pub(crate) async fn read(&self, customer_number: &CustomerNumber) -> Result<Stored, ReadError> {
        let request = self
            .client
            .get_item()
            .table_name(&self.table)
            .key(PARTITION_KEY, key(customer_number))
            .consistent_read(true);
        let answer = Box::pin(request.send())
            .await
            .map_err(|error| AwsError::of(service::DYNAMODB, "GetItem", error))?;
        match answer.item {
            None => Ok(Stored { member: Member::unknown(customer_number.clone()), revision: 0 }),
            Some(item) => {
                read(item).ok_or_else(|| ReadError::Unreadable { customer_number: customer_number.clone() })
            }
        }
    }

    /// The write that replaces `read` by `member`, if nothing has been written since. `None` if `member`
    /// cannot be written at all.
    pub(crate) fn replace(&self, read: &Stored, member: &Member) -> Option<PutBuilder> {
        let Ok(Value::Object(fields)) = serde_json::to_value(member) else { return None };
        let mut item = attributes::object(fields);
        item.insert(PARTITION_KEY.to_owned(), key(member.customer_number()));
        item.insert(REVISION.to_owned(), AttributeValue::N((read.revision + 1).to_string()));
        let put = Put::builder().table_name(&self.table).set_item(Some(item));
        Some(if read.revision == 0 {
            put.condition_expression("attribute_not_exists(#pk)")
                .expression_attribute_names("#pk", PARTITION_KEY)
        } else {
            put.condition_expression("#revision = :read")
                .expression_attribute_names("#revision", REVISION)
                .expression_attribute_values(":read", AttributeValue::N(read.revision.to_string()))
        })
    }
}

fn key(customer_number: &CustomerNumber) -> AttributeValue {
    AttributeValue::S(format!("{KEY_PREFIX}{customer_number}"))
}

fn read(mut item: HashMap<String, AttributeValue>) -> Option<Stored> {
    let revision = item.remove(REVISION)?.as_n().ok()?.parse().ok()?;
    let fields = attributes::to_json(&AttributeValue::M(item))?;
    Some(Stored { member: serde_json::from_value(fields).ok()?, revision })
}
