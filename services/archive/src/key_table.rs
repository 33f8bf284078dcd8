//! The table of keys: an item for each customer, `CUSTOMER#<customer number>`, one that belongs to nobody, `NOBODY`, and one for
//! each branch key, `BRANCH#<month>`.
//!
//! A customer's item has the customer's wrapped key, and when the customer was erased. The two are decided together, under a condition:
//! no task makes a second key beside another's, and none makes one for what an erasure covers.

use std::collections::HashMap;

use aws_clients::{AwsError, DynamoDb, service};
use aws_sdk_dynamodb::error::SdkError;
use aws_sdk_dynamodb::operation::update_item::UpdateItemError;
use aws_sdk_dynamodb::operation::update_item::builders::UpdateItemFluentBuilder;
use aws_sdk_dynamodb::primitives::Blob;
use aws_sdk_dynamodb::types::{AttributeValue, ReturnValue};
use jiff::Timestamp;
use uuid::Uuid;

use crate::key_error::KeyError;

const PARTITION_KEY: &str = envelope::outbox::PARTITION_KEY;
const CUSTOMER_PREFIX: &str = "CUSTOMER#";
const NOBODY: &str = "NOBODY";
const BRANCH_PREFIX: &str = "BRANCH#";
/// The key's id.
const KEY_ID: &str = "key_id";
/// The key, wrapped by a branch key or by KMS.
const WRAPPED_KEY: &str = "wrapped_key";
/// When the key was made.
const MADE_AT: &str = "made_at";
/// When the customer was erased, to the nanosecond: the text's order is that of times.
const ERASED_AT: &str = "erased_at";

type Item = HashMap<String, AttributeValue>;

/// The table of data keys.
#[derive(Clone, Debug)]
pub(crate) struct KeyTable {
    client: DynamoDb,
    table: String,
}

/// A data key as a branch key or KMS wrapped it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct WrappedKey {
    pub(crate) id: Uuid,
    pub(crate) ciphertext: Vec<u8>,
}

/// What is known about a customer.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Stored {
    pub(crate) key: Option<WrappedKey>,
    pub(crate) erased_at: Option<Timestamp>,
}

impl KeyTable {
    pub(crate) fn new(client: DynamoDb, table: String) -> Self {
        Self { client, table }
    }

    /// Reads consistently: a key that an erasure removed is used for no event that is handled afterwards.
    pub(crate) async fn get(&self, customer_number: Option<&str>) -> Result<Stored, KeyError> {
        let get = self.client.get_item().table_name(&self.table).consistent_read(true);
        let got = Box::pin(self.client.call(get.key(PARTITION_KEY, text(key(customer_number))))).await;
        let item = got.map_err(|error| AwsError::of(service::DYNAMODB, "GetItem", error))?.item;
        item.map_or_else(|| Ok(Stored::default()), |item| Stored::read(&item))
    }

    /// Adds a key, for an event that occurred at `occurred_at`. Returns `false` if there is one by now, or an erasure that
    /// covers the event.
    pub(crate) async fn add(
        &self,
        customer_number: Option<&str>,
        made: &WrappedKey,
        occurred_at: Timestamp,
    ) -> Result<bool, KeyError> {
        let update = self
            .update(customer_number)
            .update_expression("SET #key_id = :key_id, #wrapped_key = :wrapped_key, #made_at = :made_at")
            .condition_expression(
                "attribute_not_exists(#wrapped_key) AND (attribute_not_exists(#erased_at) OR #erased_at < :occurred_at)",
            )
            .expression_attribute_names("#key_id", KEY_ID)
            .expression_attribute_names("#wrapped_key", WRAPPED_KEY)
            .expression_attribute_names("#made_at", MADE_AT)
            .expression_attribute_names("#erased_at", ERASED_AT)
            .expression_attribute_values(":key_id", text(made.id.to_string()))
            .expression_attribute_values(":wrapped_key", bytes(made.ciphertext.clone()))
            .expression_attribute_values(":made_at", text(sortable(Timestamp::now())))
            .expression_attribute_values(":occurred_at", text(sortable(occurred_at)));
        Ok(settled(Box::pin(self.client.call(update)).await)?.is_some())
    }

    /// Records an erasure and removes the key, unless a later erasure has. Returns the removed key's id.
    pub(crate) async fn erase(
        &self,
        customer_number: &str,
        erased_at: Timestamp,
    ) -> Result<Option<Uuid>, KeyError> {
        let update = self
            .update(Some(customer_number))
            .update_expression("SET #erased_at = :erased_at REMOVE #key_id, #wrapped_key, #made_at")
            .condition_expression("attribute_not_exists(#erased_at) OR #erased_at < :erased_at")
            .expression_attribute_names("#key_id", KEY_ID)
            .expression_attribute_names("#wrapped_key", WRAPPED_KEY)
            .expression_attribute_names("#made_at", MADE_AT)
            .expression_attribute_names("#erased_at", ERASED_AT)
            .expression_attribute_values(":erased_at", text(sortable(erased_at)))
            .return_values(ReturnValue::AllOld);
        let Some(old) = settled(Box::pin(self.client.call(update)).await)? else { return Ok(None) };
        Ok(Stored::read(&old)?.key.map(|key| key.id))
    }

    /// Replaces what wraps a key, unless the item has another key, or the same wrapped otherwise, by now.
    pub(crate) async fn replace(
        &self,
        customer_number: Option<&str>,
        wrapped: &WrappedKey,
        rewrapped: Vec<u8>,
    ) -> Result<(), KeyError> {
        let update = self
            .update(customer_number)
            .update_expression("SET #wrapped_key = :rewrapped")
            .condition_expression("#key_id = :key_id AND #wrapped_key = :wrapped_key")
            .expression_attribute_names("#key_id", KEY_ID)
            .expression_attribute_names("#wrapped_key", WRAPPED_KEY)
            .expression_attribute_values(":key_id", text(wrapped.id.to_string()))
            .expression_attribute_values(":wrapped_key", bytes(wrapped.ciphertext.clone()))
            .expression_attribute_values(":rewrapped", bytes(rewrapped));
        settled(Box::pin(self.client.call(update)).await)?;
        Ok(())
    }

    /// Returns a branch key, wrapped by KMS, if there is one with this name. It is written once and never changed.
    pub(crate) async fn branch(&self, name: &str) -> Result<Option<Vec<u8>>, KeyError> {
        let get = self.client.get_item().table_name(&self.table).consistent_read(true);
        let got = Box::pin(self.client.call(get.key(PARTITION_KEY, text(branch_key(name))))).await;
        let item = got.map_err(|error| AwsError::of(service::DYNAMODB, "GetItem", error))?.item;
        let wrapped = item.map(|mut item| match item.remove(WRAPPED_KEY) {
            Some(AttributeValue::B(wrapped)) => Ok(wrapped.into_inner()),
            _ => Err(KeyError::Unreadable),
        });
        wrapped.transpose()
    }

    /// Adds a branch key, wrapped by KMS. Returns `false` if there is one with this name by now.
    pub(crate) async fn add_branch(&self, name: &str, wrapped: Vec<u8>) -> Result<bool, KeyError> {
        let update = self
            .update_of(branch_key(name))
            .update_expression("SET #wrapped_key = :wrapped_key, #made_at = :made_at")
            .condition_expression("attribute_not_exists(#wrapped_key)")
            .expression_attribute_names("#wrapped_key", WRAPPED_KEY)
            .expression_attribute_names("#made_at", MADE_AT)
            .expression_attribute_values(":wrapped_key", bytes(wrapped))
            .expression_attribute_values(":made_at", text(sortable(Timestamp::now())));
        Ok(settled(Box::pin(self.client.call(update)).await)?.is_some())
    }

    fn update(&self, customer_number: Option<&str>) -> UpdateItemFluentBuilder {
        self.update_of(key(customer_number))
    }

    fn update_of(&self, key: String) -> UpdateItemFluentBuilder {
        self.client.update_item().table_name(&self.table).key(PARTITION_KEY, text(key))
    }
}

/// Returns the item that an update returned, or `None` if its condition did not hold.
fn settled(
    result: Result<
        aws_sdk_dynamodb::operation::update_item::UpdateItemOutput,
        SdkError<UpdateItemError, aws_sdk_dynamodb::config::http::HttpResponse>,
    >,
) -> Result<Option<Item>, AwsError> {
    match result {
        Ok(output) => Ok(Some(output.attributes.unwrap_or_default())),
        Err(error)
            if error
                .as_service_error()
                .is_some_and(UpdateItemError::is_conditional_check_failed_exception) =>
        {
            Ok(None)
        }
        Err(error) => Err(AwsError::of(service::DYNAMODB, "UpdateItem", error)),
    }
}

impl Stored {
    fn read(item: &Item) -> Result<Self, KeyError> {
        let text = |name: &str| item.get(name).and_then(|value| value.as_s().ok());
        let key = match (text(KEY_ID), item.get(WRAPPED_KEY)) {
            (None, None) => None,
            (Some(id), Some(AttributeValue::B(ciphertext))) => Some(WrappedKey {
                id: id.parse().map_err(|_| KeyError::Unreadable)?,
                ciphertext: ciphertext.as_ref().to_vec(),
            }),
            _ => return Err(KeyError::Unreadable),
        };
        let erased_at = text(ERASED_AT).map(|at| at.parse().map_err(|_| KeyError::Unreadable)).transpose()?;
        Ok(Self { key, erased_at })
    }

    /// Returns whether an event that occurred at this time is covered by the customer's erasure.
    pub(crate) fn covers(&self, occurred_at: Timestamp) -> bool {
        self.erased_at.is_some_and(|erased_at| occurred_at <= erased_at)
    }
}

fn key(customer_number: Option<&str>) -> String {
    customer_number.map_or_else(|| NOBODY.to_owned(), |number| format!("{CUSTOMER_PREFIX}{number}"))
}

fn sortable(at: Timestamp) -> String {
    format!("{at:.9}")
}

fn branch_key(name: &str) -> String {
    format!("{BRANCH_PREFIX}{name}")
}

fn bytes(value: Vec<u8>) -> AttributeValue {
    AttributeValue::B(Blob::new(value))
}

fn text(value: impl Into<String>) -> AttributeValue {
    AttributeValue::S(value.into())
}
