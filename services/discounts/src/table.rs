//! The table of discounts: an item each, under the key `DISCOUNT#<customer number>#<discount id>`, and one for each customer
//! who was erased, `CUSTOMER#<customer number>`.
//!
//! Neither names nor addresses are in it: a customer number is neither, and it is all that items of the outbox hold too. So an
//! erasure leaves those to their expiry.

use std::collections::HashMap;

use aws_clients::{AwsError, DynamoDb, service};
use aws_sdk_dynamodb::types::{AttributeValue, ConditionCheck, Delete, Put, Update};
use contracts::{CustomerNumber, DiscountId};
use handlers::Effect;
use jiff::Timestamp;
use sqs_consumer::Failure;
use sweeper::{ATTRIBUTES, Due};
use thiserror::Error;

use crate::domain::Discount;

/// The index of a customer's discounts.
pub(crate) const CUSTOMER_INDEX: &str = "customer";
/// Its partition key.
pub(crate) const CUSTOMER_NUMBER: &str = "customer_number";
const PARTITION_KEY: &str = envelope::outbox::PARTITION_KEY;
const DISCOUNT_PREFIX: &str = "DISCOUNT#";
const ERASED_PREFIX: &str = "CUSTOMER#";
/// The discount as JSON.
const DISCOUNT: &str = "discount";
/// Counts the writes of an item; a write succeeds only if nothing was written since the read.
const WRITTEN: &str = "written";
/// When the customer was erased, to the nanosecond.
const ERASED_AT: &str = "erased_at";
/// When the erasure arrived.
const ARRIVED_AT: &str = "arrived_at";

/// The attributes of an item.
pub(crate) type Item = HashMap<String, AttributeValue>;

/// The table of discounts, which also holds the markers and the outbox.
#[derive(Clone, Debug)]
pub(crate) struct Discounts {
    client: DynamoDb,
    table: String,
}

/// A discount as read.
#[derive(Clone, Debug)]
pub(crate) struct Stored {
    pub(crate) discount: Discount,
    /// Zero if there was no item.
    written: u64,
}

/// The erasure of a customer.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Erasure {
    /// When the customer was erased.
    pub(crate) erased_at: Timestamp,
    /// When that arrived here.
    pub(crate) arrived_at: Timestamp,
}

/// Why an item could not be read.
#[derive(Debug, Error)]
pub(crate) enum ReadError {
    /// DynamoDB did not answer.
    #[error(transparent)]
    Aws(#[from] AwsError),
    /// The item is not what its key says.
    #[error("item {key} cannot be read")]
    Unreadable { key: String },
}

impl From<ReadError> for Failure {
    fn from(error: ReadError) -> Self {
        match error {
            ReadError::Aws(error) => error.into(),
            ReadError::Unreadable { .. } => Self::permanent("discount-unreadable").because(error),
        }
    }
}

impl Discounts {
    pub(crate) fn new(client: DynamoDb, table: impl Into<String>) -> Self {
        Self { client, table: table.into() }
    }

    /// Reads a discount, consistently: after a stale read the write would fail for nothing.
    pub(crate) async fn discount(
        &self,
        customer_number: &CustomerNumber,
        discount_id: &DiscountId,
    ) -> Result<Stored, ReadError> {
        let key = discount_key(customer_number, discount_id);
        if let Some(item) = self.item(&key).await? {
            return Stored::read(&key, &item);
        }
        let discount = Discount::unknown(customer_number.clone(), discount_id.clone(), Timestamp::now());
        Ok(Stored { discount, written: 0 })
    }

    /// Reads the latest erasure of a customer.
    pub(crate) async fn erasure(
        &self,
        customer_number: &CustomerNumber,
    ) -> Result<Option<Erasure>, ReadError> {
        let key = erased_key(customer_number);
        let item = self.item(&key).await?;
        item.map(|item| Erasure::read(&key, &item)).transpose()
    }

    /// Reads the discount with this key; `None` if there is none any more.
    pub(crate) async fn stored(&self, key: &str) -> Result<Option<Stored>, ReadError> {
        let item = self.item(key).await?;
        item.map(|item| Stored::read(key, &item)).transpose()
    }

    /// Returns the keys of a page of a customer's discounts, and where the next page begins. The index is behind the table.
    pub(crate) async fn of_customer(
        &self,
        customer_number: &CustomerNumber,
        start: Option<Item>,
        most: i32,
    ) -> Result<(Vec<String>, Option<Item>), AwsError> {
        let query = self
            .client
            .query()
            .table_name(&self.table)
            .index_name(CUSTOMER_INDEX)
            .key_condition_expression("#customer = :customer")
            .expression_attribute_names("#customer", CUSTOMER_NUMBER)
            .expression_attribute_values(":customer", text(customer_number.to_string()))
            .set_exclusive_start_key(start)
            .limit(most);
        let found = Box::pin(self.client.call(query)).await;
        let found = found.map_err(|error| AwsError::of(service::DYNAMODB, "Query", error))?;
        let key = |mut item: Item| match item.remove(PARTITION_KEY) {
            Some(AttributeValue::S(key)) => Some(key),
            _ => None,
        };
        let keys = found.items.unwrap_or_default().into_iter().filter_map(key).collect();
        Ok((keys, found.last_evaluated_key.filter(|next| !next.is_empty())))
    }

    async fn item(&self, key: &str) -> Result<Option<Item>, AwsError> {
        let get = self.client.get_item().table_name(&self.table).key(PARTITION_KEY, text(key));
        let found = Box::pin(self.client.call(get.consistent_read(true))).await;
        Ok(found.map_err(|error| AwsError::of(service::DYNAMODB, "GetItem", error))?.item)
    }
}

impl Stored {
    pub(crate) fn read(key: &str, item: &Item) -> Result<Self, ReadError> {
        let read = || {
            let discount = serde_json::from_str(item.get(DISCOUNT)?.as_s().ok()?).ok()?;
            Some(Self { discount, written: item.get(WRITTEN)?.as_n().ok()?.parse().ok()? })
        };
        read().ok_or_else(|| ReadError::Unreadable { key: key.to_owned() })
    }

    /// Returns `effect` with the write that replaces what was read with `discount`, if nothing was written in between, or that
    /// removes it if nothing is known of it. `due` says when it falls due, if it does.
    pub(crate) fn replace(
        &self,
        effect: Effect,
        discount: &Discount,
        due: Option<Due>,
    ) -> Result<Effect, Failure> {
        let key = discount_key(&discount.customer_number, &discount.discount_id);
        let read = AttributeValue::N(self.written.to_string());
        if discount.is_unknown() {
            if self.written == 0 {
                return Ok(effect);
            }
            let delete = Delete::builder().key(PARTITION_KEY, text(key));
            return Ok(effect.delete(
                delete
                    .condition_expression("#written = :read")
                    .expression_attribute_names("#written", WRITTEN)
                    .expression_attribute_values(":read", read),
            ));
        }
        let json = serde_json::to_string(discount)
            .map_err(|error| Failure::permanent("discount-unwritable").because(error))?;
        let mut item = due.map(|due| due.attributes(&key)).unwrap_or_default();
        item.extend([
            (PARTITION_KEY.to_owned(), text(key)),
            (CUSTOMER_NUMBER.to_owned(), text(discount.customer_number.to_string())),
            (DISCOUNT.to_owned(), text(json)),
            (WRITTEN.to_owned(), AttributeValue::N((self.written + 1).to_string())),
        ]);
        let put = Put::builder().set_item(Some(item));
        Ok(effect.put(if self.written == 0 {
            put.condition_expression("attribute_not_exists(#pk)")
                .expression_attribute_names("#pk", PARTITION_KEY)
        } else {
            put.condition_expression("#written = :read")
                .expression_attribute_names("#written", WRITTEN)
                .expression_attribute_values(":read", read)
        }))
    }
}

impl Erasure {
    pub(crate) fn read(key: &str, item: &Item) -> Result<Self, ReadError> {
        let time = |name: &str| item.get(name)?.as_s().ok()?.parse().ok();
        match (time(ERASED_AT), time(ARRIVED_AT)) {
            (Some(erased_at), Some(arrived_at)) => Ok(Self { erased_at, arrived_at }),
            _ => Err(ReadError::Unreadable { key: key.to_owned() }),
        }
    }
}

/// Returns `effect` with the condition that the customer was not erased at `occurred_at` or later.
pub(crate) fn unless_erased(
    effect: Effect,
    customer_number: &CustomerNumber,
    occurred_at: Timestamp,
) -> Effect {
    effect.check(
        ConditionCheck::builder()
            .key(PARTITION_KEY, text(erased_key(customer_number)))
            .condition_expression("attribute_not_exists(#erased_at) OR #erased_at < :occurred_at")
            .expression_attribute_names("#erased_at", ERASED_AT)
            .expression_attribute_values(":occurred_at", text(sortable(occurred_at))),
    )
}

/// Returns `effect` with the erasure in place of an earlier one. What it removes is due at once.
pub(crate) fn erase(effect: Effect, customer_number: &CustomerNumber, erasure: Erasure, due: &Due) -> Effect {
    let key = erased_key(customer_number);
    let mut item = due.attributes(&key);
    item.extend([
        (PARTITION_KEY.to_owned(), text(key)),
        (ERASED_AT.to_owned(), text(sortable(erasure.erased_at))),
        (ARRIVED_AT.to_owned(), text(sortable(erasure.arrived_at))),
    ]);
    effect.put(
        Put::builder()
            .set_item(Some(item))
            .condition_expression("attribute_not_exists(#erased_at) OR #erased_at < :erased_at")
            .expression_attribute_names("#erased_at", ERASED_AT)
            .expression_attribute_values(":erased_at", text(sortable(erasure.erased_at))),
    )
}

/// Returns `effect` with the next time at which an erasure is due, or with the end of its being so.
pub(crate) fn erasure_due(effect: Effect, key: &str, erasure: Erasure, due: Option<&Due>) -> Effect {
    let update = Update::builder()
        .key(PARTITION_KEY, text(key))
        .condition_expression("#erased_at = :erased_at")
        .expression_attribute_names("#erased_at", ERASED_AT)
        .expression_attribute_values(":erased_at", text(sortable(erasure.erased_at)));
    effect.update(match due {
        None => update.update_expression(format!("REMOVE {}", ATTRIBUTES.join(", "))),
        Some(due) => {
            let attributes = due.attributes(key);
            let sets: Vec<_> = attributes.keys().map(|name| format!("{name} = :{name}")).collect();
            attributes.into_iter().fold(
                update.update_expression(format!("SET {}", sets.join(", "))),
                |update, (name, value)| update.expression_attribute_values(format!(":{name}"), value),
            )
        }
    })
}

/// Returns the customer of an erasure's key; `None` for the key of anything else.
pub(crate) fn erased_customer(key: &str) -> Option<CustomerNumber> {
    key.strip_prefix(ERASED_PREFIX)?.parse().ok()
}

pub(crate) fn discount_key(customer_number: &CustomerNumber, discount_id: &DiscountId) -> String {
    format!("{DISCOUNT_PREFIX}{customer_number}#{}", discount_id.as_str())
}

pub(crate) fn erased_key(customer_number: &CustomerNumber) -> String {
    format!("{ERASED_PREFIX}{customer_number}")
}

/// Writes a time so that the order of texts is that of times.
fn sortable(at: Timestamp) -> String {
    format!("{at:.9}")
}

fn text(value: impl Into<String>) -> AttributeValue {
    AttributeValue::S(value.into())
}
