//! One event: read the customer's account, let the domain decide, return what to write and what to announce.

use std::sync::Arc;
use std::time::Duration;

use contracts::{CLOCK_TOLERANCE, CustomerNumber, MemberErased, PointsEarned, PointsRedeemed};
use envelope::Metadata;
use handlers::{Effect, Handle, Subscriber};
use jiff::{SignedDuration, Timestamp};
use sqs_consumer::{Clock, Delivery, Failure};
use sweeper::{Due, Item};

use crate::announce::announce;
use crate::domain::{Account, Movement, Redemption};
use crate::table::{self, Rewards, Stored};

/// The customer was erased when the event occurred or later.
const ERASED: &str = "erased";
/// A later erasure came first.
const STALE: &str = "stale";
/// The reason for a redemption that waits for points which may still be under way.
const POINTS_UNDER_WAY: &str = "points-under-way";
/// The reason for a redemption that was refused.
const BALANCE_INSUFFICIENT: &str = "balance-insufficient";
/// The shortest delay before a redemption that waits is tried again; the consumer lets it grow.
const RETRY_AFTER: Duration = Duration::from_secs(2);
/// How far in the future an event may have occurred. Twice what ingest tolerates, so that nothing ingest has accepted is
/// refused because of the difference between two of our own clocks.
const FUTURE_TOLERANCE: SignedDuration = SignedDuration::from_secs(2 * CLOCK_TOLERANCE.as_secs());

/// Keeps the points of customers.
#[derive(Clone)]
pub(crate) struct KeepPoints {
    rewards: Rewards,
    grace: SignedDuration,
    clock: Arc<dyn Clock>,
}

impl KeepPoints {
    /// `grace` is how long a redemption waits for points.
    pub(crate) fn new(rewards: Rewards, grace: Duration, clock: impl Clock) -> Self {
        let grace = SignedDuration::try_from(grace).unwrap_or(SignedDuration::MAX);
        Self { rewards, grace, clock: Arc::new(clock) }
    }

    /// Returns the current time, unless the event claims to have occurred later: then an erasure would erase what is yet
    /// to come.
    fn now_after(&self, metadata: &Metadata) -> Result<Timestamp, Failure> {
        let now = self.clock.now();
        if metadata.occurred_at.duration_since(now) > FUTURE_TOLERANCE {
            return Err(Failure::permanent("occurred-in-the-future"));
        }
        Ok(now)
    }

    /// Returns until when a redemption waits. Events of a backlog are all old, and arrive in any order, so the grace begins
    /// when the redemption is first received, if that is later than when it occurred.
    fn patience(&self, delivery: &Delivery) -> Timestamp {
        let since = delivery.envelope.metadata.occurred_at.max(delivery.first_received_at);
        since.saturating_add(self.grace).unwrap_or(Timestamp::MAX)
    }
}

impl Subscriber for KeepPoints {
    type Events = (PointsEarned, PointsRedeemed, MemberErased);
}

impl Handle<PointsEarned> for KeepPoints {
    async fn handle(&self, event: &PointsEarned, delivery: &Delivery) -> Result<Effect, Failure> {
        let metadata = &delivery.envelope.metadata;
        let now = self.now_after(metadata)?;
        let read = self.rewards.account(&event.customer_number).await?;
        let mut after = read.account.clone();
        Ok(match after.earn(metadata.event_id, event.points, metadata.occurred_at, now) {
            Some(movement) => moved(Effect::applied(), delivery, &movement, &read, &after),
            None => erased(metadata),
        })
    }
}

/// A redemption that the customer's balance does not cover waits as a transient failure, because points may still be under
/// way. After the grace it is refused, once and for all: the ledger's entry and the announcement of the refusal are one
/// transaction, so the event is never redeemed later, even if it is redriven.
impl Handle<PointsRedeemed> for KeepPoints {
    async fn handle(&self, event: &PointsRedeemed, delivery: &Delivery) -> Result<Effect, Failure> {
        let metadata = &delivery.envelope.metadata;
        let now = self.now_after(metadata)?;
        let read = self.rewards.account(&event.customer_number).await?;
        let mut after = read.account.clone();
        let until = self.patience(delivery);
        match after.redeem(metadata.event_id, event.points, metadata.occurred_at, now < until) {
            Redemption::Taken(movement) => Ok(moved(Effect::applied(), delivery, &movement, &read, &after)),
            Redemption::Erased => Ok(erased(metadata)),
            Redemption::Refused(movement, refusal) => {
                let effect = Effect::refused(BALANCE_INSUFFICIENT).announce(&refusal);
                Ok(moved(effect, delivery, &movement, &read, &after))
            }
            // A redelivery: what the ledger says of the event decides, whether it was redeemed or refused.
            Redemption::Waits if self.rewards.is_recorded(metadata.event_id).await? => {
                Ok(Effect::refused(BALANCE_INSUFFICIENT).record(table::erased_entry(metadata.event_id)))
            }
            Redemption::Waits => {
                let left = until.duration_since(now).try_into().unwrap_or(Duration::ZERO);
                Err(Failure::transient(POINTS_UNDER_WAY).retry_after(left.min(RETRY_AFTER)))
            }
        }
    }
}

/// Leaves the tombstone. The sweeper erases the ledger's entries, however many there are.
impl Handle<MemberErased> for KeepPoints {
    async fn handle(&self, event: &MemberErased, delivery: &Delivery) -> Result<Effect, Failure> {
        let metadata = &delivery.envelope.metadata;
        let now = self.now_after(metadata)?;
        let read = self.rewards.account(&event.customer_number).await?;
        let mut after = read.account.clone();
        if !after.erase(metadata.occurred_at, now) {
            return Ok(Effect::new(STALE));
        }
        let write = read.replace(&after, |at| due(delivery, &event.customer_number, at));
        Ok(announce(Effect::applied().put(write), &read.account, &after))
    }
}

/// Adds the ledger's entry and the account after it, and announces what changed.
fn moved(effect: Effect, delivery: &Delivery, movement: &Movement, read: &Stored, after: &Account) -> Effect {
    let due = due(delivery, &after.customer_number, movement.counts_until);
    let effect = effect
        .record(table::entry(&after.customer_number, movement, &due))
        .put(read.replace(after, |at| self::due(delivery, &after.customer_number, at)));
    announce(effect, &read.account, after)
}

/// Returns what the sweeper keeps about an account that is due then because of this event.
fn due(delivery: &Delivery, customer_number: &CustomerNumber, at: Timestamp) -> Item {
    Due::at(at).caused_by(&delivery.envelope).attributes(&table::account_key(customer_number))
}

/// Records an event of an erased customer, so that it stays without effect.
fn erased(metadata: &Metadata) -> Effect {
    Effect::new(ERASED).record(table::erased_entry(metadata.event_id))
}
