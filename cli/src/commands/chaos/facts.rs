//! What is found in the layer after a scenario: its tables, the bus, the mails and pushes that were accepted.

use std::collections::{BTreeMap, BTreeSet};

use anyhow::Context as _;
use aws_clients::{AwsError, service};
use aws_sdk_dynamodb::types::AttributeValue;
use jiff::Timestamp;
use serde_json::{Map, Number, Value};
use uuid::Uuid;

use super::record::Events;

/// An item of a table as JSON.
pub(super) type Item = Map<String, Value>;

/// A mail or push that its provider accepted.
#[derive(Clone, Debug)]
pub(super) struct Accepted {
    pub(super) customer: String,
    /// The event that it is about.
    pub(super) event_id: Option<Uuid>,
    /// What tells it from others about the same event: the address of a mail; nothing of a push.
    pub(super) to: String,
    pub(super) at: Timestamp,
    /// Whether the answer is known to have been lost.
    pub(super) answer_lost: bool,
}

/// Everything that a scenario left.
#[derive(Debug, Default)]
pub(super) struct Facts {
    /// The events on the bus.
    pub(super) bus: Events,
    /// The items of each table by their keys, by the table's name without application and environment.
    pub(super) tables: BTreeMap<String, BTreeMap<String, Item>>,
    /// In the order of their acceptance.
    pub(super) mails: Vec<Accepted>,
    /// In the order of their acceptance.
    pub(super) pushes: Vec<Accepted>,
    /// The events that the archive holds, of any customer.
    pub(super) archived: BTreeSet<Uuid>,
    /// The `pass.json` of each customer with a wallet pass.
    pub(super) passes: BTreeMap<String, Value>,
}

impl Facts {
    /// Returns the item under this key of a table.
    pub(super) fn item(&self, table: &str, key: &str) -> Option<&Item> {
        self.tables.get(table)?.get(key)
    }

    /// Returns the items of a table whose keys start with `prefix`, each with the rest of its key.
    pub(super) fn items<'a>(
        &'a self,
        table: &str,
        prefix: &'a str,
    ) -> impl Iterator<Item = (&'a str, &'a Item)> {
        let items = self.tables.get(table).into_iter().flatten();
        items.filter_map(move |(key, item)| Some((key.strip_prefix(prefix)?, item)))
    }
}

/// Reads a whole table, consistently.
///
/// # Errors
/// When DynamoDB cannot be reached or refuses the call.
pub(super) async fn table(
    client: &aws_sdk_dynamodb::Client,
    name: &str,
    partition_key: &str,
) -> Result<BTreeMap<String, Item>, AwsError> {
    let mut items = client.scan().table_name(name).consistent_read(true).into_paginator().items().send();
    let mut read = BTreeMap::new();
    while let Some(item) = items.next().await {
        let item = item.map_err(|error| AwsError::of(service::DYNAMODB, "Scan", error))?;
        let item: Item = item.iter().map(|(name, value)| (name.clone(), json(value))).collect();
        let key = item.get(partition_key).and_then(Value::as_str).unwrap_or_default().to_owned();
        read.insert(key, item);
    }
    Ok(read)
}

fn json(value: &AttributeValue) -> Value {
    match value {
        AttributeValue::S(text) => Value::String(text.clone()),
        AttributeValue::N(number) => number.parse::<Number>().map_or(Value::Null, Value::Number),
        AttributeValue::Bool(is) => Value::Bool(*is),
        AttributeValue::Ss(texts) => texts.iter().cloned().map(Value::String).collect(),
        AttributeValue::L(values) => values.iter().map(json).collect(),
        AttributeValue::M(fields) => {
            Value::Object(fields.iter().map(|(name, value)| (name.clone(), json(value))).collect())
        }
        _ => Value::Null,
    }
}

/// Reads a mail as the local cloud lists it.
///
/// # Errors
/// When it is not of that form.
pub(super) fn mail(mail: &Value) -> anyhow::Result<Accepted> {
    let tag = |name: &str| mail["tags"][name].as_str().unwrap_or_default();
    Ok(Accepted {
        customer: tag("customer_number").to_owned(),
        event_id: tag("event_id").parse().ok(),
        to: mail["to"][0].as_str().unwrap_or_default().to_owned(),
        at: time(&mail["timestamp"])?,
        answer_lost: false,
    })
}

/// Reads a push as the local cloud lists it; `None` for one that was not accepted.
///
/// # Errors
/// When it is not of that form.
pub(super) fn push(push: &Value) -> anyhow::Result<Option<Accepted>> {
    let accepted = push["status"].as_u64().is_some_and(|status| (200..300).contains(&status));
    let data = &push["body"]["data"];
    let text = |name: &str| data[name].as_str().unwrap_or_default();
    Ok(accepted.then_some(Accepted {
        customer: text("customer_number").to_owned(),
        event_id: text("event_id").parse().ok(),
        to: String::new(),
        at: time(&push["received_at"])?,
        answer_lost: push["lost"] == true,
    }))
}

fn time(text: &Value) -> anyhow::Result<Timestamp> {
    let text = text.as_str().context("the local cloud names no time")?;
    text.parse().context("the local cloud names no time")
}
