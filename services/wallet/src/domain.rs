//! What a pass shows, as the result of a customer's events.
//!
//! Pure: it knows only the contracts. Events arrive in any order and more than once; the same events always lead to the
//! same card.

use std::collections::BTreeMap;

use contracts::{
    CustomerNumber, DiscountActivated, DiscountExpired, DiscountId, DiscountUsed, DiscountValue,
    MemberEnrolled, MemberErased, MemberRenamed, Name, PointsBalanceChanged, Tier,
};
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use uuid::Uuid;

pub mod pass;
pub mod serial;
#[cfg(test)]
mod tests;

/// What is known of a customer for the pass.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Card {
    customer_number: CustomerNumber,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    member: Option<Member>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    points: Option<PointsState>,
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    discounts: BTreeMap<DiscountId, DiscountState>,
    /// When the customer was last erased.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    erased_at: Option<Timestamp>,
}

/// A membership, as its latest announcement left it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
struct Member {
    name: Name,
    enrolled_at: Timestamp,
    /// When it was announced, and the event: announcements carry the whole contact, so the latest one is right.
    announced: (Timestamp, Uuid),
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
struct PointsState {
    balance: u64,
    tier: Tier,
    revision: u64,
    occurred_at: Timestamp,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
struct DiscountState {
    /// `None` if it was used or has expired.
    offer: Option<Offer>,
    revision: u64,
    occurred_at: Timestamp,
}

/// A discount that can be used.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Offer {
    /// What it is worth.
    pub value: DiscountValue,
    /// When it expires.
    pub valid_until: Timestamp,
}

/// The place of an event among others.
#[derive(Clone, Copy, Debug)]
pub struct Place {
    /// The event's id.
    pub event_id: Uuid,
    /// When it occurred.
    pub occurred_at: Timestamp,
    /// When it was published.
    pub published_at: Timestamp,
}

/// What an event says of a card.
#[derive(Clone, Debug)]
pub enum News {
    /// The member's name.
    Contact {
        /// The name.
        name: Name,
        /// When the membership began.
        enrolled_at: Option<Timestamp>,
    },
    /// The customer was erased.
    Erased,
    /// The points.
    Points {
        /// What can be redeemed.
        balance: u64,
        /// The tier.
        tier: Tier,
        /// Grows with each change of the customer's points.
        revision: u64,
    },
    /// A discount.
    Discount {
        /// Which one.
        discount_id: DiscountId,
        /// What it offers; `None` if nothing more.
        offer: Option<Offer>,
        /// Grows with each change of the discount.
        revision: u64,
    },
}

impl Card {
    /// The card of a customer of whom nothing is known.
    #[must_use]
    pub fn new(customer_number: CustomerNumber) -> Self {
        Self { customer_number, member: None, points: None, discounts: BTreeMap::new(), erased_at: None }
    }

    /// Returns the number of the customer.
    #[must_use]
    pub fn customer_number(&self) -> &CustomerNumber {
        &self.customer_number
    }

    /// Whether the customer is a member: a card of anybody else is void.
    #[must_use]
    pub fn is_valid(&self) -> bool {
        self.member.is_some()
    }

    /// Adds what an event says. Returns whether the card has changed: an event that is known, or older than what is known,
    /// changes nothing.
    pub fn apply(&mut self, news: News, place: Place) -> bool {
        let before = self.clone();
        match news {
            News::Contact { name, enrolled_at } => {
                let enrolled_at = enrolled_at.unwrap_or(place.occurred_at);
                let announced = (place.published_at, place.event_id);
                let over = self.erased_at.is_some_and(|erased_at| enrolled_at <= erased_at);
                if !over && self.member.as_ref().is_none_or(|known| known.announced < announced) {
                    self.member = Some(Member { name, enrolled_at, announced });
                }
            }
            News::Erased => self.erase(place.occurred_at),
            News::Points { balance, tier, revision } => {
                // An erasure that arrives late at rewards is itself the cause of the balance that remains.
                let over = self.erased_at.is_some_and(|erased_at| place.occurred_at < erased_at);
                if !over && self.points.as_ref().is_none_or(|known| known.revision < revision) {
                    let occurred_at = place.occurred_at;
                    self.points = Some(PointsState { balance, tier, revision, occurred_at });
                }
            }
            News::Discount { discount_id, offer, revision } => {
                let over = self.erased_at.is_some_and(|erased_at| place.occurred_at <= erased_at);
                let known = self.discounts.get(&discount_id);
                if !over && known.is_none_or(|known| known.revision < revision) {
                    let state = DiscountState { offer, revision, occurred_at: place.occurred_at };
                    self.discounts.insert(discount_id, state);
                }
            }
        }
        *self != before
    }

    /// Removes what belongs to a membership that began no later.
    fn erase(&mut self, at: Timestamp) {
        if self.erased_at.is_some_and(|erased_at| at <= erased_at) {
            return;
        }
        self.erased_at = Some(at);
        self.member.take_if(|member| member.enrolled_at <= at);
        self.points.take_if(|points| points.occurred_at < at);
        self.discounts.retain(|_, discount| discount.occurred_at > at);
    }

    /// Returns the discounts that can be used, the first to expire first.
    fn offers(&self) -> Vec<(&DiscountId, &Offer)> {
        let mut offers: Vec<_> =
            self.discounts.iter().filter_map(|(id, state)| Some((id, state.offer.as_ref()?))).collect();
        offers.sort_by_key(|(id, offer)| (offer.valid_until, *id));
        offers
    }
}

impl From<MemberEnrolled> for News {
    fn from(event: MemberEnrolled) -> Self {
        let MemberEnrolled { contact, enrolled_at, .. } = event;
        Self::Contact { name: contact.name, enrolled_at }
    }
}

impl From<MemberRenamed> for News {
    fn from(event: MemberRenamed) -> Self {
        let MemberRenamed { contact, enrolled_at, .. } = event;
        Self::Contact { name: contact.name, enrolled_at }
    }
}

impl From<MemberErased> for News {
    fn from(_: MemberErased) -> Self {
        Self::Erased
    }
}

impl From<PointsBalanceChanged> for News {
    fn from(event: PointsBalanceChanged) -> Self {
        let PointsBalanceChanged { balance, tier, revision, .. } = event;
        Self::Points { balance, tier, revision }
    }
}

impl From<DiscountActivated> for News {
    fn from(event: DiscountActivated) -> Self {
        let DiscountActivated { discount_id, value, valid_until, revision, .. } = event;
        Self::Discount { discount_id, offer: Some(Offer { value, valid_until }), revision }
    }
}

impl From<DiscountExpired> for News {
    fn from(event: DiscountExpired) -> Self {
        Self::Discount { discount_id: event.discount_id, offer: None, revision: event.revision }
    }
}

impl From<DiscountUsed> for News {
    fn from(event: DiscountUsed) -> Self {
        Self::Discount { discount_id: event.discount_id, offer: None, revision: event.revision }
    }
}
