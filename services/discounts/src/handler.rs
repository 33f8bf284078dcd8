//! One event: read the discount, let the domain decide, return what to write and what to announce.

use contracts::{CustomerNumber, DiscountGifted, DiscountId, DiscountRedeemed, MemberErased};
use handlers::{Effect, Handle, Subscriber};
use jiff::SignedDuration;
use sqs_consumer::{Delivery, Failure};
use sweeper::Due;

use crate::domain::{APPLIED, Announcement, Change, Discount, STALE, State, Version};
use crate::table::{Discounts, Erasure, erase, unless_erased};

/// The outcome of an event that occurred no later than the customer's erasure.
const ERASED: &str = "erased";

/// How far in the future an event may have occurred: no later event could replace it until then. Twice what ingest
/// tolerates, so that nothing ingest has accepted is refused because of the difference between two of our own clocks.
const FUTURE_TOLERANCE: SignedDuration = SignedDuration::from_secs(2 * contracts::CLOCK_TOLERANCE.as_secs());

/// Handles what the CRM gives and takes, and the erasure of a member.
#[derive(Clone, Debug)]
pub(crate) struct HandleDiscounts {
    discounts: Discounts,
}

impl HandleDiscounts {
    pub(crate) fn new(discounts: Discounts) -> Self {
        Self { discounts }
    }

    /// Applies what occurred to a discount.
    async fn apply(
        &self,
        customer_number: &CustomerNumber,
        discount_id: &DiscountId,
        delivery: &Delivery,
        change: impl FnOnce(Discount, Version) -> Change + Send,
    ) -> Result<Effect, Failure> {
        let version = version(delivery)?;
        let (stored, erasure) = tokio::try_join!(
            self.discounts.discount(customer_number, discount_id),
            self.discounts.erasure(customer_number),
        )?;
        let mut discount = stored.discount.clone();
        let mut remaining = None;
        if let Some(erasure) = erasure {
            if version.occurred_at <= erasure.erased_at {
                return Ok(Effect::new(ERASED));
            }
            // What the sweeper has yet to remove counts no more.
            let erased = discount.erased(erasure.erased_at, delivery.received_at);
            (discount, remaining) = (erased.discount, erased.announcement);
        }
        let Change { discount, announcement, outcome } = change(discount, version);
        if outcome == STALE {
            return Ok(Effect::new(STALE));
        }
        // An event that says nothing itself leaves what the erasure brought about.
        let announcement = announcement.or(remaining.filter(|_| discount.state == State::Active));
        let due = discount.due_at().map(|at| Due::at(at).caused_by(&delivery.envelope));
        let effect = stored.replace(Effect::new(outcome), &discount, due)?;
        Ok(announce(unless_erased(effect, customer_number, version.occurred_at), announcement.as_ref()))
    }
}

impl Subscriber for HandleDiscounts {
    type Events = (DiscountGifted, DiscountRedeemed, MemberErased);
}

impl Handle<DiscountGifted> for HandleDiscounts {
    async fn handle(&self, event: &DiscountGifted, delivery: &Delivery) -> Result<Effect, Failure> {
        let change =
            |discount: Discount, version| discount.gifted(event.clone(), version, delivery.received_at);
        self.apply(&event.customer_number, &event.discount_id, delivery, change).await
    }
}

impl Handle<DiscountRedeemed> for HandleDiscounts {
    async fn handle(&self, event: &DiscountRedeemed, delivery: &Delivery) -> Result<Effect, Failure> {
        self.apply(&event.customer_number, &event.discount_id, delivery, Discount::redeemed).await
    }
}

/// Leaves a tombstone, which every later event of the customer is checked against. The sweeper removes the discounts, of which
/// there may be more than a transaction can hold.
impl Handle<MemberErased> for HandleDiscounts {
    async fn handle(&self, event: &MemberErased, delivery: &Delivery) -> Result<Effect, Failure> {
        let Version { occurred_at: erased_at, .. } = version(delivery)?;
        let before = self.discounts.erasure(&event.customer_number).await?;
        if before.is_some_and(|before| before.erased_at >= erased_at) {
            return Ok(Effect::new(STALE));
        }
        let erasure = Erasure { erased_at, arrived_at: delivery.received_at };
        let due = Due::at(delivery.received_at).caused_by(&delivery.envelope);
        Ok(erase(Effect::new(APPLIED), &event.customer_number, erasure, &due))
    }
}

fn version(delivery: &Delivery) -> Result<Version, Failure> {
    let metadata = &delivery.envelope.metadata;
    if metadata.occurred_at.duration_since(delivery.received_at) > FUTURE_TOLERANCE {
        return Err(Failure::permanent("occurred-in-the-future"));
    }
    Ok(Version { occurred_at: metadata.occurred_at, event_id: metadata.event_id })
}

pub(crate) fn announce(effect: Effect, announcement: Option<&Announcement>) -> Effect {
    match announcement {
        None => effect,
        Some(Announcement::Activated(event)) => effect.announce(event),
        Some(Announcement::Expired(event)) => effect.announce(event),
        Some(Announcement::Used(event)) => effect.announce(event),
    }
}
