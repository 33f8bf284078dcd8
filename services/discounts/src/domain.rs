//! One discount of one customer: given, changed, used, expired, erased.
//!
//! Events arrive in any order and more than once. The discount keeps the latest gift and the latest redemption, each by its
//! [`Version`], so its state is a function of what has occurred and of the time, not of the order of arrival:
//!
//! - A redemption wins over every gift, whichever arrives first: the CRM is the truth about what was used, also after the
//!   discount has expired. A discount that was used is never activated again.
//! - Of two gifts the later one counts. A gift that has expired when it arrives is not activated, but recorded. If it changes
//!   an active discount, that is due at once, and its expiry is announced like any other.
//! - An erasure removes what occurred no later than it.
//!
//! Only the `revision`, which counts announced changes, depends on the order.

use contracts::{
    CustomerNumber, DiscountActivated, DiscountExpired, DiscountGifted, DiscountId, DiscountUsed,
    DiscountValue,
};
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use uuid::Uuid;

#[cfg(test)]
mod tests;

/// When something occurred, and which event said so: of two events at the same instant the one with the higher id is later.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Version {
    /// When it occurred.
    pub occurred_at: Timestamp,
    /// The event.
    pub event_id: Uuid,
}

/// What the CRM gave.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Gift {
    /// The event that gave it, or changed it last.
    pub version: Version,
    /// What it is worth.
    pub value: DiscountValue,
    /// When it expires.
    pub valid_until: Timestamp,
}

/// What has been announced of a discount.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum State {
    /// Nothing yet.
    #[default]
    New,
    /// It can be used.
    Active,
    /// It can no longer be used: announced, or never active.
    Expired,
    /// It was used.
    Used,
}

/// A discount of a customer.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Discount {
    /// The customer.
    pub customer_number: CustomerNumber,
    /// The discount.
    pub discount_id: DiscountId,
    /// The latest gift.
    pub gift: Option<Gift>,
    /// The latest redemption.
    pub redeemed: Option<Version>,
    /// What has been announced.
    pub state: State,
    /// Grows by one with each announced change.
    pub revision: u64,
}

/// What is to be announced.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Announcement {
    /// The discount can be used, or has changed.
    Activated(DiscountActivated),
    /// It has expired unused.
    Expired(DiscountExpired),
    /// It was used.
    Used(DiscountUsed),
}

/// What an event changes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Change {
    /// The discount afterwards.
    pub discount: Discount,
    /// What to announce.
    pub announcement: Option<Announcement>,
    /// The outcome, one of a fixed set of words.
    pub outcome: &'static str,
}

/// The outcome of what has an effect.
pub const APPLIED: &str = "applied";
/// The outcome of an event that a later one came before.
pub const STALE: &str = "stale";
/// The outcome of a gift that only confirms what is known.
pub const UNCHANGED: &str = "unchanged";
/// The outcome of a gift that has expired when it arrives.
pub const EXPIRED_ALREADY: &str = "expired-already";
/// The outcome of a gift or a redemption of a discount that was used.
pub const USED_ALREADY: &str = "used-already";
/// The outcome of an expiry.
pub const EXPIRED: &str = "expired";

impl Discount {
    /// Returns a discount of which nothing is known at `now`.
    ///
    /// Its revision begins with the time in milliseconds: an erasure removes a discount with its revision, and what is given
    /// again under the same id must have a higher one.
    #[must_use]
    pub fn unknown(customer_number: CustomerNumber, discount_id: DiscountId, now: Timestamp) -> Self {
        let revision = u64::try_from(now.as_millisecond()).unwrap_or_default();
        Self { customer_number, discount_id, gift: None, redeemed: None, state: State::New, revision }
    }

    /// Applies a gift that arrives at `now`.
    #[must_use]
    pub fn gifted(mut self, gift: DiscountGifted, version: Version, now: Timestamp) -> Change {
        let before = self.gift.take();
        if before.as_ref().is_some_and(|before| before.version >= version) {
            self.gift = before;
            return self.silent(STALE);
        }
        let DiscountGifted { value, valid_until, .. } = gift;
        let same = before.is_some_and(|before| before.value == value && before.valid_until == valid_until);
        self.gift = Some(Gift { version, value, valid_until });
        match self.state {
            State::Used => self.silent(USED_ALREADY),
            // Its expiry is announced when the sweeper finds it, at once if that time has passed.
            State::Active if valid_until <= now => self.silent(EXPIRED_ALREADY),
            State::Active if same => self.silent(UNCHANGED),
            State::New | State::Expired if valid_until <= now => {
                self.state = State::Expired;
                self.silent(EXPIRED_ALREADY)
            }
            State::New | State::Active | State::Expired => self.activate(),
        }
    }

    /// Applies a redemption.
    #[must_use]
    pub fn redeemed(mut self, version: Version) -> Change {
        if self.redeemed.is_some_and(|before| before >= version) {
            return self.silent(STALE);
        }
        self.redeemed = Some(version);
        if self.state == State::Used { self.silent(USED_ALREADY) } else { self.used() }
    }

    /// Ends an active discount whose time is over at `now`.
    #[must_use]
    pub fn fallen_due(mut self, now: Timestamp) -> Change {
        match &self.gift {
            Some(gift) if self.state == State::Active && gift.valid_until <= now => {
                let (value, valid_until) = (gift.value.clone(), gift.valid_until);
                self.state = State::Expired;
                self.revision += 1;
                let announcement = Announcement::Expired(DiscountExpired {
                    customer_number: self.customer_number.clone(),
                    discount_id: self.discount_id.clone(),
                    value,
                    valid_until,
                    revision: self.revision,
                });
                Change { discount: self, announcement: Some(announcement), outcome: EXPIRED }
            }
            _ => self.silent(STALE),
        }
    }

    /// Removes what occurred no later than `erased_at`. A gift that remains is active again if it was the redemption that is
    /// removed which kept it from being so.
    #[must_use]
    pub fn erased(mut self, erased_at: Timestamp, now: Timestamp) -> Change {
        let remains = |version: &Version| version.occurred_at > erased_at;
        self.gift = self.gift.take().filter(|gift| remains(&gift.version));
        self.redeemed = self.redeemed.take().filter(remains);
        // What remains of a redemption keeps the discount used, and what remains of a gift keeps it as it is.
        if self.redeemed.is_some() || self.gift.is_some() && self.state != State::Used {
            return self.silent(APPLIED);
        }
        match &self.gift {
            None => self.state = State::New,
            Some(gift) if gift.valid_until <= now => self.state = State::Expired,
            Some(_) => return self.activate(),
        }
        self.silent(APPLIED)
    }

    /// Whether nothing is known of it.
    #[must_use]
    pub fn is_unknown(&self) -> bool {
        self.gift.is_none() && self.redeemed.is_none()
    }

    /// Returns when it falls due.
    #[must_use]
    pub fn due_at(&self) -> Option<Timestamp> {
        self.gift.as_ref().filter(|_| self.state == State::Active).map(|gift| gift.valid_until)
    }

    fn activate(mut self) -> Change {
        self.state = State::Active;
        self.revision += 1;
        let announcement = self.gift.as_ref().map(|gift| {
            Announcement::Activated(DiscountActivated {
                customer_number: self.customer_number.clone(),
                discount_id: self.discount_id.clone(),
                value: gift.value.clone(),
                valid_until: gift.valid_until,
                revision: self.revision,
            })
        });
        Change { discount: self, announcement, outcome: APPLIED }
    }

    fn used(mut self) -> Change {
        self.state = State::Used;
        self.revision += 1;
        let announcement = Announcement::Used(DiscountUsed {
            customer_number: self.customer_number.clone(),
            discount_id: self.discount_id.clone(),
            revision: self.revision,
        });
        Change { discount: self, announcement: Some(announcement), outcome: APPLIED }
    }

    fn silent(self, outcome: &'static str) -> Change {
        Change { discount: self, announcement: None, outcome }
    }
}
