//! A customer's points: what an event does to them, and what to announce of it.
//!
//! Points count for the balance without end, and for the tier for twelve months: time takes them away again
//! ([`Account::expire`]). An erasure removes what occurred no later. Events arrive late, twice and in any order; the caller
//! applies each movement once, and then a valid history ends in the same balance and tier whatever its order. A history is
//! valid if every redemption is covered by points that were earned earlier, and after the last erasure before it.
//!
//! This module knows neither where points are stored nor how events travel.

#[cfg(test)]
mod tests;

use contracts::{
    CustomerNumber, Points, PointsBalanceChanged, RedemptionRefused, Tier, TierAscended, TierDescended,
};
use jiff::tz::TimeZone;
use jiff::{SignedDuration, Timestamp, ToSpan as _};
use uuid::Uuid;

/// How many calendar months points count for the tier.
const COUNTING_MONTHS: i32 = 12;

/// How long before they cease to count points must arrive to count for the tier at all: longer than an index is behind its
/// table, and than the clocks of two hosts differ, so that a search for what has ceased to count finds it.
pub const MARGIN: SignedDuration = SignedDuration::from_mins(5);

/// What a customer has: the sum of the ledger's entries.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Account {
    /// The customer.
    pub customer_number: CustomerNumber,
    /// The points that can be redeemed. Below zero if an erasure that arrived late removed points that later redemptions
    /// had taken already: what the customer earns next makes up for it.
    pub balance: i64,
    /// The points that count for the tier.
    pub tier_points: u64,
    /// Counts the changes.
    pub revision: u64,
    /// The tombstone: what occurred no later counts for nothing.
    pub erased_at: Option<Timestamp>,
    /// How far the tombstone has been carried out: what occurred no later is no longer part of the sums.
    pub cleared_at: Option<Timestamp>,
    /// When the latest movement in the sums occurred.
    pub latest_at: Option<Timestamp>,
    /// How many entries of the ledger name the customer.
    pub entries: u64,
    /// Whether entries that fall under the tombstone may be left.
    pub erasing: bool,
    /// How far points that no longer count have left the points for the tier.
    pub expired_through: Option<Mark>,
    /// When points that count for the tier last arrived.
    pub counted_at: Option<Timestamp>,
    /// When time changes something about the account: entries are left to erase, or points cease to count.
    pub due_at: Option<Timestamp>,
}

/// A place in the order in which a customer's points cease to count.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Mark {
    /// When they do.
    pub at: Timestamp,
    /// The id of the event with which they were earned.
    pub event_id: Uuid,
}

/// A movement of points, as the ledger keeps it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Movement {
    /// The id of the event.
    pub event_id: Uuid,
    /// What moved them.
    pub kind: Kind,
    /// How many.
    pub points: Points,
    /// When the event occurred.
    pub occurred_at: Timestamp,
    /// Twelve months after that. From then on they do not count for the tier.
    pub counts_until: Timestamp,
    /// Whether they were added to the points that count for the tier.
    pub counts: bool,
}

/// What moves points.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// They were earned.
    Earned,
    /// They were redeemed.
    Redeemed,
    /// They were to be redeemed, and the customer did not have them.
    Refused,
}

/// What becomes of a redemption.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Redemption {
    /// The points were taken.
    Taken(Movement),
    /// The customer does not have the points yet.
    Waits,
    /// The customer does not have the points, and is not waited for any longer.
    Refused(Movement, RedemptionRefused),
    /// The customer was erased when it occurred or later.
    Erased,
}

/// An event to announce.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Announcement {
    /// Balance, tier or the points that decide on it changed.
    Changed(PointsBalanceChanged),
    /// The tier rose.
    Ascended(TierAscended),
    /// The tier fell.
    Descended(TierDescended),
}

impl Account {
    /// Creates the account of a customer of whom nothing is known.
    #[must_use]
    pub fn empty(customer_number: CustomerNumber) -> Self {
        Self {
            customer_number,
            balance: 0,
            tier_points: 0,
            revision: 0,
            erased_at: None,
            cleared_at: None,
            latest_at: None,
            entries: 0,
            erasing: false,
            expired_through: None,
            counted_at: None,
            due_at: None,
        }
    }

    /// Returns the tier.
    #[must_use]
    pub fn tier(&self) -> Tier {
        Tier::of(self.tier_points)
    }

    /// Adds points that were earned at `occurred_at`. Points that arrive after their twelve months, or within a
    /// [margin](MARGIN) before their end, count for the balance only. Returns `None`, and adds nothing, if the customer
    /// was erased then or later.
    pub fn earn(
        &mut self,
        event_id: Uuid,
        points: Points,
        occurred_at: Timestamp,
        now: Timestamp,
    ) -> Option<Movement> {
        if self.is_erased_at(occurred_at) {
            return None;
        }
        let mut movement = Movement::new(event_id, Kind::Earned, points, occurred_at);
        let in_time = movement.counts_until.duration_since(now) > MARGIN;
        movement.counts = in_time && self.expired_through.is_none_or(|through| through < movement.mark());
        if movement.counts {
            self.tier_points = self.tier_points.saturating_add(points.get().into());
            self.counted_at = Some(now);
            self.is_due_at(movement.counts_until);
        }
        self.add(&movement);
        Some(movement)
    }

    /// Takes points that were redeemed at `occurred_at`, if the customer has them. If not, the redemption waits for
    /// points that are still under way as long as it is `patient`, and is then refused.
    pub fn redeem(
        &mut self,
        redemption_id: Uuid,
        points: Points,
        occurred_at: Timestamp,
        patient: bool,
    ) -> Redemption {
        if self.is_erased_at(occurred_at) {
            return Redemption::Erased;
        }
        if self.balance >= i64::from(points.get()) {
            let movement = Movement::new(redemption_id, Kind::Redeemed, points, occurred_at);
            self.add(&movement);
            return Redemption::Taken(movement);
        }
        if patient {
            return Redemption::Waits;
        }
        let movement = Movement::new(redemption_id, Kind::Refused, points, occurred_at);
        self.add(&movement);
        let customer_number = self.customer_number.clone();
        let balance = self.visible_balance();
        Redemption::Refused(movement, RedemptionRefused { customer_number, redemption_id, points, balance })
    }

    /// Erases everything that occurred no later than `at`. Returns whether that is news.
    ///
    /// Unless something occurred later, this removes it from the sums at once. Otherwise the sums do not tell how much
    /// that is: then [`forget`](Self::forget) removes it movement by movement, as it removes the entries of the ledger.
    pub fn erase(&mut self, at: Timestamp, now: Timestamp) -> bool {
        if self.is_erased_at(at) {
            return false;
        }
        self.revision += 1;
        self.erased_at = Some(at);
        if self.latest_at.is_none_or(|latest| latest <= at) {
            self.balance = 0;
            self.tier_points = 0;
            self.latest_at = None;
            self.cleared_at = Some(at);
            self.due_at = None;
        }
        self.erasing = self.entries > 0;
        if self.erasing {
            self.is_due_at(now);
        } else {
            self.cleared_at = Some(at);
        }
        true
    }

    /// Removes movements that fall under the tombstone from the sums, unless they have left them already. Something is
    /// left to do at `next`.
    pub fn forget(&mut self, movements: &[Movement], next: Timestamp) {
        self.revision += 1;
        self.due_at = Some(next);
        for movement in movements {
            self.entries = self.entries.saturating_sub(1);
            if self.is_cleared(movement) {
                continue;
            }
            self.balance = self.balance.saturating_sub(movement.amount());
            self.uncount(movement);
        }
    }

    /// Notes that no entry is left of what falls under the tombstone. Points may cease to count from `next` on.
    pub fn cleared(&mut self, next: Timestamp) {
        self.revision += 1;
        self.cleared_at = self.erased_at;
        self.erasing = false;
        self.due_at = (self.tier_points > 0).then_some(next);
    }

    /// Takes away points that no longer count for the tier, `movements`: all until `through`, apart from those that were
    /// taken away before. The next ones cease to count at `next`.
    ///
    /// What arrived within a [margin](MARGIN) before `now` may be missing from an index, so until that has passed, `next` is
    /// not known for certain.
    pub fn expire(&mut self, movements: &[Movement], through: Mark, next: Option<Timestamp>, now: Timestamp) {
        self.revision += 1;
        for movement in movements.iter().filter(|movement| movement.mark() <= through) {
            if !self.is_cleared(movement) {
                self.uncount(movement);
            }
        }
        self.expired_through = self.expired_through.max(Some(through));
        self.due_at = next;
        if self.counted_at.is_some_and(|counted_at| now.duration_since(counted_at) < MARGIN) {
            self.is_due_at(now.saturating_add(MARGIN).unwrap_or(Timestamp::MAX));
        }
    }

    /// Whether an event that occurred at `at` falls under the tombstone. At the same instant the erasure wins.
    #[must_use]
    pub fn is_erased_at(&self, at: Timestamp) -> bool {
        self.erased_at.is_some_and(|erased_at| at <= erased_at)
    }

    /// Returns what to announce of the change from `before`, if any of it is visible. An erasure is not a descent: the
    /// customer is not told that points of a year ago no longer count.
    #[must_use]
    pub fn announcements_since(&self, before: &Self) -> Vec<Announcement> {
        let (tier, previous_tier) = (self.tier(), before.tier());
        let visible = |account: &Self| (account.visible_balance(), account.tier_points);
        if visible(self) == visible(before) {
            return Vec::new();
        }
        let (customer_number, tier_points, revision) =
            (self.customer_number.clone(), self.tier_points, self.revision);
        let mut announcements = vec![Announcement::Changed(PointsBalanceChanged {
            customer_number: customer_number.clone(),
            balance: self.visible_balance(),
            tier,
            tier_points,
            revision,
        })];
        if tier > previous_tier {
            announcements.push(Announcement::Ascended(TierAscended {
                customer_number,
                tier,
                previous_tier,
                tier_points,
                revision,
            }));
        } else if tier < previous_tier
            && !(self.erasing || before.erasing || self.erased_at != before.erased_at)
        {
            announcements.push(Announcement::Descended(TierDescended {
                customer_number,
                tier,
                previous_tier,
                tier_points,
                revision,
            }));
        }
        announcements
    }

    /// Whether a movement has left the sums with an erasure.
    fn is_cleared(&self, movement: &Movement) -> bool {
        self.cleared_at.is_some_and(|cleared_at| movement.occurred_at <= cleared_at)
    }

    /// Removes what a movement still adds to the points for the tier.
    fn uncount(&mut self, movement: &Movement) {
        let expired = self.expired_through.is_some_and(|through| movement.mark() <= through);
        if movement.counts && !expired {
            self.tier_points = self.tier_points.saturating_sub(movement.points.get().into());
        }
    }

    fn is_due_at(&mut self, at: Timestamp) {
        self.due_at = Some(self.due_at.map_or(at, |due_at| due_at.min(at)));
    }

    /// Returns the balance as announced.
    fn visible_balance(&self) -> u64 {
        u64::try_from(self.balance).unwrap_or_default()
    }

    fn add(&mut self, movement: &Movement) {
        self.revision += 1;
        self.entries += 1;
        self.balance = self.balance.saturating_add(movement.amount());
        self.latest_at = self.latest_at.max(Some(movement.occurred_at));
    }
}

impl Movement {
    /// Creates a movement that does not count for the tier.
    #[must_use]
    pub fn new(event_id: Uuid, kind: Kind, points: Points, occurred_at: Timestamp) -> Self {
        let counts_until = twelve_months_after(occurred_at);
        Self { event_id, kind, points, occurred_at, counts_until, counts: false }
    }

    /// Returns its place in the order in which points cease to count.
    #[must_use]
    pub fn mark(&self) -> Mark {
        Mark { at: self.counts_until, event_id: self.event_id }
    }

    /// Returns what the movement adds to the balance.
    fn amount(&self) -> i64 {
        let points = i64::from(self.points.get());
        match self.kind {
            Kind::Earned => points,
            Kind::Redeemed => -points,
            Kind::Refused => 0,
        }
    }
}

/// Returns the same time of the same day twelve calendar months later, in UTC; for February 29, that of February 28.
///
/// UTC, because no event says where the customer is, and every host must come to the same end.
#[must_use]
pub fn twelve_months_after(occurred_at: Timestamp) -> Timestamp {
    let later = occurred_at.to_zoned(TimeZone::UTC).checked_add(COUNTING_MONTHS.months());
    later.map_or(Timestamp::MAX, |later| later.timestamp())
}
