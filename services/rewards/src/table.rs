//! The table `rewards`: one item a customer with the sums, `REWARDS#<customer number>`, and one item for each event that
//! moved points, `LEDGER#<event id>`.
//!
//! Ledger entries are kept for good, so that no replay counts twice, however late it comes. What an event costs does not
//! depend on how many there are: it reads the customer's item, and writes that and one entry.

use std::collections::HashMap;

use aws_clients::{AwsError, service};
use aws_sdk_dynamodb::Client;
use aws_sdk_dynamodb::types::builders::PutBuilder;
use aws_sdk_dynamodb::types::{AttributeValue, Put};
use contracts::CustomerNumber;
use jiff::Timestamp;
use jiff::fmt::temporal::DateTimePrinter;
use sqs_consumer::Failure;
use thiserror::Error;
use uuid::Uuid;

use crate::domain::{Account, Kind, Movement};

const PARTITION_KEY: &str = envelope::outbox::PARTITION_KEY;
const CUSTOMER_NUMBER: &str = "customer_number";
const BALANCE: &str = "balance";
const TIER: &str = "tier";
const TIER_POINTS: &str = "tier_points";
/// Counts the writes of a customer's item; a write succeeds only if nothing was written since the read.
const REVISION: &str = "revision";
const ERASED_AT: &str = "erased_at";
const CLEARED_AT: &str = "cleared_at";
const LATEST_AT: &str = "latest_at";
const ENTRIES: &str = "entries";
const KIND: &str = "kind";
const POINTS: &str = "points";
const OCCURRED_AT: &str = "occurred_at";
/// When the points cease to count for the tier, and the event id: entries of one customer have a total order by it.
const COUNTS_UNTIL: &str = "counts_until";
const COUNTS: &str = "counts";

/// Writes times with nine decimal places, so that their order as texts is theirs as times.
const SORTABLE: DateTimePrinter = DateTimePrinter::new().precision(Some(9));

type Item = HashMap<String, AttributeValue>;

/// The table, which also holds the markers and the outbox.
#[derive(Clone, Debug)]
pub(crate) struct Rewards {
    client: Client,
    table: String,
}

/// Why an account could not be read.
#[derive(Debug, Error)]
pub(crate) enum ReadError {
    /// DynamoDB did not carry out the request.
    #[error(transparent)]
    Aws(#[from] AwsError),
    /// The item is not an account.
    #[error("item of customer {customer_number} cannot be read as an account")]
    Unreadable { customer_number: CustomerNumber },
}

impl From<ReadError> for Failure {
    fn from(error: ReadError) -> Self {
        match error {
            ReadError::Aws(error) => error.into(),
            ReadError::Unreadable { .. } => Self::permanent("account-unreadable").because(error),
        }
    }
}

impl Rewards {
    pub(crate) fn new(client: Client, table: impl Into<String>) -> Self {
        Self { client, table: table.into() }
    }

    /// Reads the customer's account, consistently: after a stale read the write would fail for nothing.
    pub(crate) async fn account(&self, customer_number: &CustomerNumber) -> Result<Account, ReadError> {
        let Some(item) = self.item(account_key(customer_number)).await? else {
            return Ok(Account::empty(customer_number.clone()));
        };
        read(customer_number, &item)
            .ok_or_else(|| ReadError::Unreadable { customer_number: customer_number.clone() })
    }

    /// Returns whether the ledger has an entry of this event.
    pub(crate) async fn is_recorded(&self, event_id: Uuid) -> Result<bool, AwsError> {
        Ok(self.item(entry_key(event_id)).await?.is_some())
    }

    async fn item(&self, key: AttributeValue) -> Result<Option<Item>, AwsError> {
        let request =
            self.client.get_item().table_name(&self.table).key(PARTITION_KEY, key).consistent_read(true);
        let answer = Box::pin(request.send()).await;
        Ok(answer.map_err(|error| AwsError::of(service::DYNAMODB, "GetItem", error))?.item)
    }
}

/// Returns the write of `account`, which fails if its item has been written since it had `read`'s revision.
pub(crate) fn account(account: &Account, read: &Account) -> PutBuilder {
    let mut item = Item::from([
        (PARTITION_KEY.to_owned(), account_key(&account.customer_number)),
        (BALANCE.to_owned(), number(account.balance)),
        (TIER.to_owned(), text(account.tier().as_str())),
        (TIER_POINTS.to_owned(), number(account.tier_points)),
        (REVISION.to_owned(), number(account.revision)),
        (ENTRIES.to_owned(), number(account.entries)),
    ]);
    for (name, time) in
        [(ERASED_AT, account.erased_at), (CLEARED_AT, account.cleared_at), (LATEST_AT, account.latest_at)]
    {
        item.extend(time.map(|time| (name.to_owned(), text(time))));
    }
    let put = Put::builder().set_item(Some(item));
    if read.revision == 0 {
        return put
            .condition_expression("attribute_not_exists(#pk)")
            .expression_attribute_names("#pk", PARTITION_KEY);
    }
    put.condition_expression("#revision = :read")
        .expression_attribute_names("#revision", REVISION)
        .expression_attribute_values(":read", number(read.revision))
}

/// Returns the ledger's entry of an event that moved a customer's points.
pub(crate) fn entry(event_id: Uuid, customer_number: &CustomerNumber, movement: &Movement) -> PutBuilder {
    let counts_until = format!("{}#{event_id}", SORTABLE.timestamp_to_string(&movement.counts_until));
    Put::builder()
        .item(PARTITION_KEY, entry_key(event_id))
        .item(KIND, text(word(movement.kind)))
        .item(CUSTOMER_NUMBER, text(customer_number))
        .item(POINTS, number(movement.points.get()))
        .item(OCCURRED_AT, text(movement.occurred_at))
        .item(COUNTS_UNTIL, text(counts_until))
        .item(COUNTS, AttributeValue::Bool(movement.counts))
}

/// Returns the ledger's entry of an event of an erased customer: neither whose nor how many points.
pub(crate) fn erased_entry(event_id: Uuid) -> PutBuilder {
    Put::builder().item(PARTITION_KEY, entry_key(event_id)).item(KIND, text("erased"))
}

fn word(kind: Kind) -> &'static str {
    match kind {
        Kind::Earned => "earned",
        Kind::Redeemed => "redeemed",
        Kind::Refused => "refused",
    }
}

fn account_key(customer_number: &CustomerNumber) -> AttributeValue {
    text(format_args!("REWARDS#{customer_number}"))
}

fn entry_key(event_id: Uuid) -> AttributeValue {
    text(format_args!("LEDGER#{event_id}"))
}

fn read(customer_number: &CustomerNumber, item: &Item) -> Option<Account> {
    let time = |name| -> Option<Option<Timestamp>> {
        item.get(name).map(|time| time.as_s().ok()?.parse().ok()).map_or(Some(None), |time| time.map(Some))
    };
    Some(Account {
        customer_number: customer_number.clone(),
        balance: parsed(item, BALANCE)?,
        tier_points: parsed(item, TIER_POINTS)?,
        revision: parsed(item, REVISION)?,
        erased_at: time(ERASED_AT)?,
        cleared_at: time(CLEARED_AT)?,
        latest_at: time(LATEST_AT)?,
        entries: parsed(item, ENTRIES)?,
    })
}

fn parsed<T: std::str::FromStr>(item: &Item, name: &str) -> Option<T> {
    item.get(name)?.as_n().ok()?.parse().ok()
}

fn text(value: impl ToString) -> AttributeValue {
    AttributeValue::S(value.to_string())
}

fn number(value: impl ToString) -> AttributeValue {
    AttributeValue::N(value.to_string())
}
