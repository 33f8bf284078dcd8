//! The table `rewards`: one item a customer with the sums, `REWARDS#<customer number>`, and one item for each event that
//! moved points, `LEDGER#<event id>`. An index lists a customer's entries in the order in which their points cease to count.
//!
//! Ledger entries are kept for good, so that no replay counts twice, however late it comes. What an event costs does not
//! depend on how many there are: it reads the customer's item, and writes that and one entry.

use aws_clients::{AwsError, DynamoDb, service};
use aws_sdk_dynamodb::types::builders::{PutBuilder, UpdateBuilder};
use aws_sdk_dynamodb::types::{AttributeValue, Put, Update};
use contracts::CustomerNumber;
use jiff::Timestamp;
use sqs_consumer::Failure;
use sweeper::Item;
use thiserror::Error;
use uuid::Uuid;

use crate::domain::{Account, Kind, Mark, Movement};
use crate::mark;

pub(crate) const PARTITION_KEY: &str = envelope::outbox::PARTITION_KEY;
pub(crate) const CUSTOMER_NUMBER: &str = "customer_number";
const ACCOUNT_PREFIX: &str = "REWARDS#";
const ENTRY_PREFIX: &str = "LEDGER#";
const BALANCE: &str = "balance";
const TIER: &str = "tier";
const TIER_POINTS: &str = "tier_points";
/// Counts the writes of a customer's item; a write succeeds only if nothing was written since the read.
const REVISION: &str = "revision";
const ERASED_AT: &str = "erased_at";
const CLEARED_AT: &str = "cleared_at";
const LATEST_AT: &str = "latest_at";
const ENTRIES: &str = "entries";
const ERASING: &str = "erasing";
/// Where an erasure of entries resumes: the last one's place in the index.
const ERASED_THROUGH: &str = "erased_through";
const EXPIRED_THROUGH: &str = "expired_through";
const COUNTED_AT: &str = "counted_at";
pub(crate) const KIND: &str = "kind";
pub(crate) const POINTS: &str = "points";
pub(crate) const OCCURRED_AT: &str = "occurred_at";
/// An entry's place in the index: its [`Mark`] if its points were added to those that count for the tier.
pub(crate) const COUNTS_UNTIL: &str = "counts_until";
/// The event that earned the points, as the sweeper keeps it: what follows when they cease to count belongs to its chain.
const ORIGIN: &str = "origin";

/// The table, which also holds the markers and the outbox.
#[derive(Clone, Debug)]
pub(crate) struct Rewards {
    pub(crate) client: DynamoDb,
    pub(crate) table: String,
}

/// An account as read.
#[derive(Clone, Debug)]
pub(crate) struct Stored {
    pub(crate) account: Account,
    /// Where an erasure of entries resumes.
    pub(crate) erased_through: Option<String>,
    /// What the sweeper keeps about when it is due.
    due: Item,
}

/// The reason for an item that is not an account.
pub(crate) const UNREADABLE: &str = "account-unreadable";

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
            ReadError::Unreadable { .. } => Self::permanent(UNREADABLE).because(error),
        }
    }
}

impl Rewards {
    pub(crate) fn new(client: DynamoDb, table: impl Into<String>) -> Self {
        Self { client, table: table.into() }
    }

    /// Reads the customer's account, consistently: after a stale read the write would fail for nothing.
    pub(crate) async fn account(&self, customer_number: &CustomerNumber) -> Result<Stored, ReadError> {
        let Some(item) = self.item(text(&account_key(customer_number))).await? else {
            let account = Account::empty(customer_number.clone());
            return Ok(Stored { account, erased_through: None, due: Item::new() });
        };
        read(customer_number, &item)
            .ok_or_else(|| ReadError::Unreadable { customer_number: customer_number.clone() })
    }

    /// Returns whether the ledger has an entry of this event.
    pub(crate) async fn is_recorded(&self, event_id: Uuid) -> Result<bool, AwsError> {
        Ok(self.item(entry_key(event_id)).await?.is_some())
    }

    /// Returns the event that earned the points of an entry, as the sweeper keeps it; nothing if that is unknown.
    pub(crate) async fn origin(&self, event_id: Uuid) -> Result<Item, AwsError> {
        let origin = self.item(entry_key(event_id)).await?.and_then(|mut entry| entry.remove(ORIGIN));
        Ok(origin.and_then(|origin| origin.as_m().ok().cloned()).unwrap_or_default())
    }

    async fn item(&self, key: AttributeValue) -> Result<Option<Item>, AwsError> {
        let request =
            self.client.get_item().table_name(&self.table).key(PARTITION_KEY, key).consistent_read(true);
        let answer = Box::pin(self.client.call(request)).await;
        Ok(answer.map_err(|error| AwsError::of(service::DYNAMODB, "GetItem", error))?.item)
    }
}

impl Stored {
    /// Returns the write of `account` in place of what was read, which fails if that has been written since. If the account
    /// is due at another time than before, `due` returns what the sweeper keeps about it.
    pub(crate) fn replace(&self, account: &Account, due: impl FnOnce(Timestamp) -> Item) -> PutBuilder {
        let due = match account.due_at {
            at if at == self.account.due_at => self.due.clone(),
            None => Item::new(),
            Some(at) => due(at),
        };
        let mut item = item_of(account);
        item.extend(due);
        if account.erasing {
            item.extend(self.erased_through.as_ref().map(|place| (ERASED_THROUGH.to_owned(), text(place))));
        }
        let put = Put::builder().set_item(Some(item));
        if self.account.revision == 0 {
            return put
                .condition_expression("attribute_not_exists(#pk)")
                .expression_attribute_names("#pk", PARTITION_KEY);
        }
        put.condition_expression("#revision = :read")
            .expression_attribute_names("#revision", REVISION)
            .expression_attribute_values(":read", number(&self.account.revision))
    }
}

fn item_of(account: &Account) -> Item {
    let mut item = Item::from([
        (PARTITION_KEY.to_owned(), text(&account_key(&account.customer_number))),
        (BALANCE.to_owned(), number(&account.balance)),
        (TIER.to_owned(), text(account.tier().as_str())),
        (TIER_POINTS.to_owned(), number(&account.tier_points)),
        (REVISION.to_owned(), number(&account.revision)),
        (ENTRIES.to_owned(), number(&account.entries)),
    ]);
    for (name, time) in [
        (ERASED_AT, account.erased_at),
        (CLEARED_AT, account.cleared_at),
        (LATEST_AT, account.latest_at),
        (COUNTED_AT, account.counted_at),
    ] {
        item.extend(time.map(|time| (name.to_owned(), text(&time))));
    }
    let through =
        account.expired_through.map(|through| (EXPIRED_THROUGH.to_owned(), text(&mark::text(through))));
    let erasing = account.erasing.then(|| (ERASING.to_owned(), AttributeValue::Bool(true)));
    item.extend(through.into_iter().chain(erasing));
    item
}

/// Returns the ledger's entry of an event that moved a customer's points. `due` is what the sweeper keeps about when they
/// cease to count, if they count.
pub(crate) fn entry(customer_number: &CustomerNumber, movement: &Movement, due: &Item) -> PutBuilder {
    let put = Put::builder()
        .item(PARTITION_KEY, entry_key(movement.event_id))
        .item(KIND, text(word(movement.kind)))
        .item(CUSTOMER_NUMBER, text(customer_number))
        .item(POINTS, number(&movement.points.get()))
        .item(OCCURRED_AT, text(&movement.occurred_at))
        .item(COUNTS_UNTIL, text(&mark::place(movement)));
    if !movement.counts {
        return put;
    }
    let origin =
        due.iter().filter(|(name, _)| ![sweeper::DUE_AT, sweeper::DUE_BUCKET].contains(&name.as_str()));
    put.item(ORIGIN, AttributeValue::M(origin.map(|(name, value)| (name.clone(), value.clone())).collect()))
}

/// Returns the erasure of an entry: what is left says that there was such an event, not whose and how many points. It fails
/// if that has happened already.
pub(crate) fn erase_entry(event_id: Uuid) -> UpdateBuilder {
    Update::builder()
        .key(PARTITION_KEY, entry_key(event_id))
        .update_expression("SET #kind = :erased REMOVE #customer, #points, #occurred, #until, #origin")
        .condition_expression("attribute_exists(#customer)")
        .expression_attribute_names("#kind", KIND)
        .expression_attribute_names("#customer", CUSTOMER_NUMBER)
        .expression_attribute_names("#points", POINTS)
        .expression_attribute_names("#occurred", OCCURRED_AT)
        .expression_attribute_names("#until", COUNTS_UNTIL)
        .expression_attribute_names("#origin", ORIGIN)
        .expression_attribute_values(":erased", text(ERASED))
}

/// Returns the ledger's entry of an event of an erased customer: neither whose nor how many points.
pub(crate) fn erased_entry(event_id: Uuid) -> PutBuilder {
    Put::builder().item(PARTITION_KEY, entry_key(event_id)).item(KIND, text(ERASED))
}

const ERASED: &str = "erased";

fn word(kind: Kind) -> &'static str {
    match kind {
        Kind::Earned => "earned",
        Kind::Redeemed => "redeemed",
        Kind::Refused => "refused",
    }
}

/// Returns the partition key of a customer's account.
pub(crate) fn account_key(customer_number: &CustomerNumber) -> String {
    format!("{ACCOUNT_PREFIX}{customer_number}")
}

/// Returns the customer whose account has this key.
pub(crate) fn customer_of(key: &str) -> Option<CustomerNumber> {
    key.strip_prefix(ACCOUNT_PREFIX)?.parse().ok()
}

fn entry_key(event_id: Uuid) -> AttributeValue {
    text(&format_args!("{ENTRY_PREFIX}{event_id}"))
}

/// Returns the event of the entry with this key.
fn event_of(key: &str) -> Option<Uuid> {
    key.strip_prefix(ENTRY_PREFIX)?.parse().ok()
}

/// Reads a movement from an entry as the index has it.
pub(crate) fn movement(entry: &Item) -> Option<Movement> {
    let text = |name: &str| entry.get(name)?.as_s().ok();
    let event_id = event_of(text(PARTITION_KEY)?)?;
    let points = parsed::<u32>(entry, POINTS)?.try_into().ok()?;
    let occurred_at = text(OCCURRED_AT)?.parse().ok()?;
    let kind = [Kind::Earned, Kind::Redeemed, Kind::Refused];
    let kind = kind.into_iter().find(|kind| Some(word(*kind)) == text(KIND).map(String::as_str))?;
    let counts = mark::read(text(COUNTS_UNTIL)?).is_some();
    Some(Movement { counts, ..Movement::new(event_id, kind, points, occurred_at) })
}

/// Reads an account from an item of the table.
pub(crate) fn read(customer_number: &CustomerNumber, item: &Item) -> Option<Stored> {
    let text = |name: &str| item.get(name).map(|value| value.as_s().ok());
    let time = |name| -> Option<Option<Timestamp>> {
        text(name).map(|time| time?.parse().ok()).map_or(Some(None), |time| time.map(Some))
    };
    let expired_through: Option<Mark> = match text(EXPIRED_THROUGH) {
        None => None,
        Some(through) => Some(mark::read(through?)?),
    };
    let due = item.iter().filter(|(name, _)| sweeper::ATTRIBUTES.contains(&name.as_str()));
    let due = due.map(|(name, value)| (name.clone(), value.clone())).collect();
    let account = Account {
        customer_number: customer_number.clone(),
        balance: parsed(item, BALANCE)?,
        tier_points: parsed(item, TIER_POINTS)?,
        revision: parsed(item, REVISION)?,
        erased_at: time(ERASED_AT)?,
        cleared_at: time(CLEARED_AT)?,
        latest_at: time(LATEST_AT)?,
        entries: parsed(item, ENTRIES)?,
        erasing: item.contains_key(ERASING),
        expired_through,
        counted_at: time(COUNTED_AT)?,
        due_at: time(sweeper::DUE_AT)?,
    };
    Some(Stored { account, erased_through: text(ERASED_THROUGH).flatten().cloned(), due })
}

pub(crate) fn parsed<T: std::str::FromStr>(item: &Item, name: &str) -> Option<T> {
    item.get(name)?.as_n().ok()?.parse().ok()
}

pub(crate) fn text(value: &(impl ToString + ?Sized)) -> AttributeValue {
    AttributeValue::S(value.to_string())
}

fn number(value: &impl ToString) -> AttributeValue {
    AttributeValue::N(value.to_string())
}
