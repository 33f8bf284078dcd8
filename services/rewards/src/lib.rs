//! The rewards service: how many points a customer has, and which tier they reach.
//!
//! It keeps a ledger of every event that moved points and, for each customer, the sums: the balance, which points enter
//! when they are earned and leave when they are redeemed, and the points of the last twelve months, which decide on the
//! tier. Each event is one DynamoDB transaction of the ledger's entry, the sums, an idempotency marker that carries the first announcement, and an outbox item
//! for a second one.
//!
//! A redemption beyond the balance waits for points that may be under way, and is refused after a grace period
//! (`RedemptionRefused`).
//!
//! Points leave the points of the last twelve months by themselves: a sweeper beside the consumer handles accounts of
//! which points cease to count.
//!
//! The table holds customer numbers and points, no names or addresses; so does the outbox. An erasure leaves a tombstone in
//! place of the customer's sums, and the sweeper removes customer number and points from the ledger's entries. Their keys
//! stay, so that no replay counts.
//!
//! ```
//! use contracts::{Points, Tier};
//! use rewards::domain::Account;
//! use uuid::Uuid;
//!
//! let mut account = Account::empty("123456789012".parse()?);
//! let occurred_at = "2026-03-01T12:00:00Z".parse()?;
//! account.earn(Uuid::nil(), Points::try_from(1_200)?, occurred_at, occurred_at);
//! assert_eq!((account.balance, account.tier()), (1_200, Tier::Silver));
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

mod announce;
pub mod domain;
mod handler;
mod ledger;
mod mark;
mod settings;
mod sweep;
mod table;
#[cfg(test)]
mod tests;

use contracts::{PointsBalanceChanged, RedemptionRefused, TierAscended, TierDescended};
use handlers::{EffectivelyOnce, subscriptions};
use service_runtime::{BoxError, Runtime};
use sqs_consumer::SystemClock;
use topology::{Service, Table};

use crate::handler::KeepPoints;
use crate::settings::Settings;
use crate::sweep::SweepAccounts;
use crate::table::Rewards;

/// The service's name.
pub const NAME: &str = "rewards";

/// The events that the service announces.
type Emits = (PointsBalanceChanged, TierAscended, TierDescended, RedemptionRefused);

/// What the service consumes, owns and emits.
///
/// The table is declared to hold personal data, although it holds neither names nor addresses: what a customer earned and
/// spent is theirs as well.
///
/// ```
/// assert_eq!(rewards::topology().name(), rewards::NAME);
/// ```
#[must_use]
pub fn topology() -> Service {
    let table = Table::new("rewards").markers().outbox().personal_data().index(ledger::index());
    Service::new(NAME).consumes(subscriptions::<KeepPoints>()).owns(sweeper::swept(table)).emits::<Emits>()
}

/// Runs the service until it is stopped and the messages and accounts in flight are settled.
///
/// It reads `REWARDS_TABLE_NAME`, `QUEUE_URL`, `DEAD_LETTER_QUEUE_URL`, `REDEMPTION_GRACE_S` (900: how long a redemption
/// that the balance does not cover waits for points) and the `CONSUMER_*` and `SWEEPER_*`
/// settings.
///
/// # Errors
/// [`service_runtime::SettingsError`] if a setting is missing or wrong; otherwise the consumer's error, such
/// as a drain that took too long.
pub async fn run(runtime: Runtime) -> Result<(), BoxError> {
    let settings = Settings::read(NAME, &runtime.environment, runtime.grace)?;
    let dynamodb = aws_clients::dynamodb(&runtime.aws);
    let rewards = Rewards::new(dynamodb.clone(), settings.table.clone());
    sweeper::start(&runtime, settings.sweeper, settings.table.clone(), SweepAccounts::new(rewards.clone()));
    let points = KeepPoints::new(rewards, settings.grace, SystemClock);
    let handler =
        EffectivelyOnce::new(dynamodb, settings.table, NAME, points).announcing(settings.announcing);
    Ok(sqs_consumer::serve(&runtime, settings.queue, handler).await?)
}
