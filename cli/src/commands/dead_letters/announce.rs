//! Has a Pipe announce again what it could not put on the bus.
//!
//! A Pipe's dead letter names records of a stream, which keeps them for a day, while the table keeps the outbox items for
//! two weeks. So it is the items that are read, by the time at which the records arrived; a surplus event is a
//! duplicate to its consumers.

use std::collections::{BTreeMap, HashMap};

use aws_clients::{AwsError, service};
use aws_config::SdkConfig;
use aws_sdk_dynamodb::Client;
use aws_sdk_dynamodb::types::AttributeValue;
use envelope::outbox;
use jiff::{SignedDuration, Timestamp};
use serde_json::Value;
use tokio::time::Interval;

use super::letter::Letter;

/// How long before its record arrived an event may have been published: a handler retries for no longer.
const BEFORE: SignedDuration = SignedDuration::from_mins(2);
/// How long after: clocks differ, and a record's time has whole seconds.
const AFTER: SignedDuration = SignedDuration::from_secs(5);
/// The metadata field that tells when an event was published.
const PUBLISHED_AT: &str = "published_at";

/// A period of time, both ends included.
type Period = (Timestamp, Timestamp);
type Item = HashMap<String, AttributeValue>;

/// Inserts a copy of each outbox item that may belong to one of the letters, since a Pipe takes what is inserted. Returns
/// how many there were, by table.
///
/// # Errors
/// When DynamoDB cannot be reached or refuses a call.
pub(super) async fn announce_again(
    config: &SdkConfig,
    prefix: &str,
    letters: &[Letter],
    turns: &mut Interval,
) -> Result<BTreeMap<String, usize>, AwsError> {
    let client = Client::new(config);
    let mut periods: BTreeMap<String, Vec<Period>> = BTreeMap::new();
    for letter in letters {
        periods.entry(format!("{prefix}-{}", letter.service())).or_default().extend(period(letter));
    }
    let mut announced = BTreeMap::new();
    for (table, periods) in periods {
        let items = outbox_items(&client, &table, &periods).await?;
        for item in &items {
            turns.tick().await;
            insert_copy(&client, &table, item).await?;
        }
        announced.insert(table, items.len());
    }
    Ok(announced)
}

/// Returns the time in which what a letter names was published.
fn period(letter: &Letter) -> Option<Period> {
    let records = letter.explanation.get("records")?;
    let time = |name| records.get(name).and_then(Value::as_str)?.parse::<Timestamp>().ok();
    let first = time("approximateArrivalOfFirstRecord")?;
    let last = time("approximateArrivalOfLastRecord").unwrap_or(first);
    Some((first.saturating_sub(BEFORE).ok()?, last.saturating_add(AFTER).ok()?))
}

async fn outbox_items(client: &Client, table: &str, periods: &[Period]) -> Result<Vec<Item>, AwsError> {
    let mut pages = client
        .scan()
        .table_name(table)
        .filter_expression("begins_with(#key, :prefix)")
        .expression_attribute_names("#key", outbox::PARTITION_KEY)
        .expression_attribute_values(":prefix", AttributeValue::S(outbox::KEY_PREFIX.to_owned()))
        .into_paginator()
        .items()
        .send();
    // By event, so that a copy that was made earlier is not copied too.
    let mut items = BTreeMap::new();
    while let Some(item) = pages.next().await {
        let item = item.map_err(|error| AwsError::of(service::DYNAMODB, "Scan", error))?;
        let published = string(&item, PUBLISHED_AT).and_then(|time| time.parse::<Timestamp>().ok());
        if published.is_some_and(|at| periods.iter().any(|(from, to)| (*from..=*to).contains(&at)))
            && let Some(event_id) = string(&item, "event_id")
        {
            items.insert(event_id.to_owned(), item);
        }
    }
    Ok(items.into_values().collect())
}

/// Inserts a copy under another key. The item itself is not touched: to delete it and put it back would lose it if the
/// command were killed in between.
async fn insert_copy(client: &Client, table: &str, item: &Item) -> Result<(), AwsError> {
    let mut copy = item.clone();
    let key = format!("{}{}", outbox::KEY_PREFIX, uuid::Uuid::new_v4());
    copy.insert(outbox::PARTITION_KEY.to_owned(), AttributeValue::S(key));
    let put = client.put_item().table_name(table).set_item(Some(copy)).send().await;
    put.map(drop).map_err(|error| AwsError::of(service::DYNAMODB, "PutItem", error))
}

fn string<'a>(item: &'a Item, name: &str) -> Option<&'a str> {
    item.get(name).and_then(|value| value.as_s().ok()).map(String::as_str)
}
