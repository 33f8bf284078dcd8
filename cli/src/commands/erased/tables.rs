//! Items about a customer in the tables of an environment.

use std::collections::HashMap;

use aws_clients::{AwsError, service};
use aws_config::SdkConfig;
use aws_sdk_dynamodb::Client;
use aws_sdk_dynamodb::types::AttributeValue;
use contracts::CustomerNumber;
use jiff::Timestamp;
use serde_json::{Map, Value};
use topology::TableResource;

use super::found::Found;

/// Searches every item, consistently and page by page.
///
/// # Errors
/// When DynamoDB cannot be reached or refuses a call.
pub(super) async fn search(
    config: &SdkConfig,
    tables: &[TableResource],
    customer: &CustomerNumber,
) -> Result<Vec<Found>, AwsError> {
    let client = Client::new(config);
    let mut found = Vec::new();
    for table in tables {
        let mut items =
            client.scan().table_name(&table.name).consistent_read(true).into_paginator().items().send();
        while let Some(item) = items.next().await {
            let item = item.map_err(|error| AwsError::of(service::DYNAMODB, "Scan", error))?;
            let until = table.expires_at.as_deref().and_then(|attribute| epoch_second(item.get(attribute)?));
            let key = item.get(&table.partition_key).and_then(|key| key.as_s().ok());
            let what = || kind(key.map(String::as_str).unwrap_or_default(), customer);
            found.extend(Found::new(&table.name, what, &object(&item), customer.as_str(), until));
        }
    }
    Ok(found)
}

/// Returns what a key starts with: `MEMBER` of `MEMBER#123456789012`.
fn kind(key: &str, customer: &CustomerNumber) -> String {
    match key.split_once('#') {
        Some((kind, _)) => kind.to_owned(),
        None if key.contains(customer.as_str()) => "item".to_owned(),
        None => key.to_owned(),
    }
}

fn epoch_second(value: &AttributeValue) -> Option<Timestamp> {
    Timestamp::from_second(value.as_n().ok()?.parse().ok()?).ok()
}

fn object(item: &HashMap<String, AttributeValue>) -> Value {
    Value::Object(item.iter().map(|(name, value)| (name.clone(), json(value))).collect::<Map<_, _>>())
}

/// Returns a value as JSON. Numbers are left out and bytes only mentioned, since neither holds a customer number.
fn json(value: &AttributeValue) -> Value {
    match value {
        AttributeValue::S(text) => Value::String(text.clone()),
        AttributeValue::Ss(texts) => texts.iter().cloned().map(Value::String).collect(),
        AttributeValue::L(values) => values.iter().map(json).collect(),
        AttributeValue::M(fields) => object(fields),
        AttributeValue::B(_) => Value::String("bytes".to_owned()),
        _ => Value::Null,
    }
}
