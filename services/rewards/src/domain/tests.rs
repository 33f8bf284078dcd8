use std::collections::BTreeMap;

use proptest::prelude::*;

use super::*;

fn at(text: &str) -> Timestamp {
    text.parse().unwrap()
}

fn points(number: u32) -> Points {
    Points::try_from(number).unwrap()
}

fn account() -> Account {
    Account::empty("123456789012".parse().unwrap())
}

#[test]
fn twelve_months_are_calendar_months_in_utc() {
    for (earned, until) in [
        ("2026-03-01T12:00:00Z", "2027-03-01T12:00:00Z"),
        ("2027-12-31T23:59:59.999999999Z", "2028-12-31T23:59:59.999999999Z"),
        ("2028-02-29T08:00:00Z", "2029-02-28T08:00:00Z"),
        ("2027-02-28T08:00:00Z", "2028-02-28T08:00:00Z"),
    ] {
        assert_eq!(twelve_months_after(at(earned)), at(until), "{earned}");
    }
    assert_eq!(twelve_months_after(Timestamp::MAX), Timestamp::MAX);
}

#[test]
fn reaching_a_threshold_ascends_with_the_revision_of_the_change() {
    let occurred_at = at("2026-03-01T12:00:00Z");
    let mut account = account();
    account.earn(Uuid::nil(), points(999), occurred_at, occurred_at).unwrap();
    let before = account.clone();
    account.earn(Uuid::nil(), points(4_001), occurred_at, occurred_at).unwrap();
    let customer_number = account.customer_number.clone();
    let changed = PointsBalanceChanged {
        customer_number: customer_number.clone(),
        balance: 5_000,
        tier: Tier::Gold,
        tier_points: 5_000,
        revision: 2,
    };
    let ascended = TierAscended {
        customer_number,
        tier: Tier::Gold,
        previous_tier: Tier::Bronze,
        tier_points: 5_000,
        revision: 2,
    };
    assert_eq!(
        account.announcements_since(&before),
        [Announcement::Changed(changed), Announcement::Ascended(ascended)]
    );
}

#[test]
fn a_redemption_takes_from_the_balance_and_not_from_the_tier() {
    let occurred_at = at("2026-03-01T12:00:00Z");
    let mut account = account();
    account.earn(Uuid::nil(), points(1_000), occurred_at, occurred_at).unwrap();
    let before = account.clone();
    let redemption = account.redeem(Uuid::nil(), points(1_000), occurred_at, true);
    assert!(matches!(redemption, Redemption::Taken(_)), "{redemption:?}");
    assert_eq!((account.balance, account.tier_points, account.tier()), (0, 1_000, Tier::Silver));
    assert_eq!(account.announcements_since(&before).len(), 1);
}

#[test]
fn a_redemption_beyond_the_balance_waits_and_is_refused() {
    let occurred_at = at("2026-03-01T12:00:00Z");
    let mut account = account();
    account.earn(Uuid::nil(), points(20), occurred_at, occurred_at).unwrap();
    let before = account.clone();
    assert_eq!(account.redeem(Uuid::nil(), points(21), occurred_at, true), Redemption::Waits);
    assert_eq!(account, before);
    let refused = account.redeem(Uuid::from_u128(7), points(21), occurred_at, false);
    let Redemption::Refused(movement, refusal) = refused else { panic!("{refused:?}") };
    assert_eq!(movement.kind, Kind::Refused);
    assert_eq!((refusal.redemption_id, refusal.balance), (Uuid::from_u128(7), 20));
    assert_eq!((account.balance, account.entries), (20, 2));
    assert_eq!(account.announcements_since(&before), []);
}

#[test]
fn what_arrives_after_its_twelve_months_counts_for_the_balance_only() {
    let mut account = account();
    let now = at("2027-03-01T12:00:00Z");
    account.earn(Uuid::nil(), points(5_000), at("2026-03-01T12:00:00Z"), now).unwrap();
    assert_eq!((account.balance, account.tier_points), (5_000, 0));
}

#[test]
fn an_erasure_is_announced_and_is_no_descent() {
    let occurred_at = at("2026-03-01T12:00:00Z");
    let mut account = account();
    account.earn(Uuid::nil(), points(1_000), occurred_at, occurred_at).unwrap();
    let before = account.clone();
    assert!(account.erase(occurred_at, occurred_at), "at the same instant the erasure wins");
    let announced = account.announcements_since(&before);
    let [Announcement::Changed(changed)] = announced.as_slice() else { panic!("{announced:?}") };
    assert_eq!((changed.balance, changed.tier_points, changed.revision), (0, 0, 2));
    assert!(account.earn(Uuid::nil(), points(1), occurred_at, occurred_at).is_none());
    assert_eq!(account.redeem(Uuid::nil(), points(1), occurred_at, false), Redemption::Erased);
    assert!(!account.erase(occurred_at, occurred_at), "the second time it is no news");
}

/// An event of a history.
#[derive(Clone, Copy, Debug)]
enum Step {
    Earn(u32),
    /// Redeems this share of the balance, in percent.
    Redeem(u8),
    Erase,
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        6 => (1_u32..3_000).prop_map(Step::Earn),
        3 => (1_u8..=100).prop_map(Step::Redeem),
        1 => Just(Step::Erase),
    ]
}

/// What happened, and when. Its id is its place in the history.
#[derive(Clone, Copy, Debug)]
struct Event {
    id: u128,
    occurred_at: Timestamp,
    what: What,
}

#[derive(Clone, Copy, Debug)]
enum What {
    Earned(Points),
    Redeemed(Points),
    Erased,
}

/// Makes a valid history of `steps`: every redemption is covered when it occurs.
fn history(steps: &[(Step, u32)]) -> Vec<Event> {
    let mut occurred_at = at("2026-01-01T00:00:00Z");
    let mut balance = 0;
    let mut events = Vec::new();
    for (id, (step, hours)) in (0..).zip(steps) {
        occurred_at += jiff::SignedDuration::from_hours((*hours).into());
        let what = match *step {
            Step::Earn(number) => {
                balance += number;
                What::Earned(points(number))
            }
            Step::Redeem(percent) => {
                let number = balance * u32::from(percent) / 100;
                if number == 0 {
                    continue;
                }
                balance -= number;
                What::Redeemed(points(number))
            }
            Step::Erase => {
                balance = 0;
                What::Erased
            }
        };
        events.push(Event { id, occurred_at, what });
    }
    events
}

/// An account with its ledger, as the table keeps them: an entry without a movement is that of an erased customer.
struct Kept {
    account: Account,
    ledger: BTreeMap<u128, Option<Movement>>,
    now: Timestamp,
}

impl Kept {
    fn new(now: Timestamp) -> Self {
        Self { account: account(), ledger: BTreeMap::new(), now }
    }

    /// Handles an event. Returns whether it is done; if not, it is to be delivered again.
    fn handle(&mut self, event: &Event) -> bool {
        if self.ledger.contains_key(&event.id) {
            return true;
        }
        let id = Uuid::from_u128(event.id);
        let entry = match event.what {
            What::Earned(points) => self.account.earn(id, points, event.occurred_at, self.now),
            What::Redeemed(points) => match self.account.redeem(id, points, event.occurred_at, true) {
                Redemption::Taken(movement) => Some(movement),
                Redemption::Erased => None,
                Redemption::Waits => return false,
                Redemption::Refused(..) => panic!("a patient redemption is not refused"),
            },
            What::Erased => {
                self.account.erase(event.occurred_at, self.now);
                return true;
            }
        };
        self.ledger.insert(event.id, entry);
        true
    }

    /// Does what time does, `at_once` entries at a time, until the account is no longer due.
    fn sweep(&mut self, at_once: usize) {
        while self.account.due_at.is_some_and(|due_at| due_at <= self.now) {
            if self.account.erasing { self.erase(at_once) } else { self.expire(at_once) }
        }
    }

    fn erase(&mut self, at_once: usize) {
        let account = &mut self.account;
        let fallen = self
            .ledger
            .values_mut()
            .filter_map(|entry| entry.take_if(|movement| account.is_erased_at(movement.occurred_at)));
        let fallen: Vec<_> = fallen.take(at_once).collect();
        if fallen.is_empty() {
            account.cleared(self.now);
        } else {
            account.forget(&fallen, self.now);
        }
    }

    fn expire(&mut self, at_once: usize) {
        let mut counting: Vec<_> =
            self.ledger.values().flatten().filter(|movement| movement.counts).copied().collect();
        counting.sort_by_key(Movement::mark);
        let left: Vec<_> = counting
            .into_iter()
            .filter(|movement| self.account.expired_through.is_none_or(|through| through < movement.mark()))
            .collect();
        let leaving: Vec<_> =
            left.iter().filter(|movement| movement.counts_until <= self.now).take(at_once).copied().collect();
        let next = left.get(leaving.len()).map(|movement| movement.counts_until);
        let through = match leaving.last() {
            Some(last) if next.is_some_and(|next| next <= self.now) => last.mark(),
            _ => Mark { at: self.now, event_id: Uuid::max() },
        };
        // The ledger shows everything at once, unlike an index.
        self.account.counted_at = None;
        self.account.expire(&leaving, through, next, self.now);
    }

    /// Handles `deliveries` until all are done, while time passes until `end`.
    fn settle(&mut self, deliveries: &[Event], minutes: &[u32], end: Timestamp, at_once: usize) {
        let mut left = deliveries.to_vec();
        let mut minutes = minutes.iter().cycle();
        while !left.is_empty() {
            let before = left.len();
            left.retain(|event| {
                let pause = SignedDuration::from_mins((*minutes.next().unwrap()).into());
                self.now = end.min(self.now + pause);
                if self.account.revision.is_multiple_of(3) {
                    self.sweep(at_once);
                }
                !self.handle(event)
            });
            // An erasure that came late may have to take what it covers before a redemption is covered.
            self.now = end.min(self.now + SignedDuration::from_mins(1));
            let due = self.account.due_at.is_some_and(|due_at| due_at <= self.now);
            self.sweep(at_once);
            assert!(due || left.len() < before, "redemptions wait for ever: {left:?}");
        }
    }

    /// Returns what is left at `end`.
    fn end(mut self, end: Timestamp, at_once: usize) -> (i64, u64, Option<Timestamp>, u64) {
        assert!(self.now <= end);
        self.now = end;
        self.sweep(at_once);
        let account = self.account;
        let named = self.ledger.values().flatten();
        assert_eq!(account.entries, named.clone().count() as u64, "the account counts the entries");
        let first = named.filter(|movement| movement.counts && movement.counts_until > end);
        let first = first.map(|movement| movement.counts_until).min();
        assert_eq!(account.due_at, first, "due when the next points cease to count");
        (account.balance, account.tier_points, account.erased_at, account.entries)
    }
}

/// Returns what a history must end in, by its events alone.
fn expected(events: &[Event], end: Timestamp) -> (i64, u64) {
    let erased_at = events.iter().rev().find(|event| matches!(event.what, What::Erased));
    let (mut balance, mut tier_points) = (0, 0);
    for event in
        events.iter().filter(|event| erased_at.is_none_or(|erased| event.occurred_at > erased.occurred_at))
    {
        match event.what {
            What::Earned(points) => {
                balance += i64::from(points.get());
                if twelve_months_after(event.occurred_at) > end {
                    tier_points += u64::from(points.get());
                }
            }
            What::Redeemed(points) => balance -= i64::from(points.get()),
            What::Erased => {}
        }
    }
    (balance, tier_points)
}

proptest! {
    /// Time passes between the deliveries, up to some years: points cease to count before, between and after them.
    #[test]
    fn any_order_and_duplication_of_a_valid_history_ends_in_the_same_points(
        steps in prop::collection::vec((step(), 1_u32..600), 1..40),
        order in prop::collection::vec(any::<prop::sample::Index>(), 120),
        minutes in prop::collection::vec(0_u32..10_000, 1..40),
        days in 0_i64..800,
        at_once in 1_usize..20,
    ) {
        let events = history(&steps);
        prop_assume!(!events.is_empty());
        let last = events[events.len() - 1].occurred_at;
        // Events occur at full hours, so none ceases to count within a margin after the end.
        let end = last + SignedDuration::from_hours(24 * days) + SignedDuration::from_mins(30);

        // Every event once, and some again, anywhere.
        let mut shuffled: Vec<_> = order.iter().map(|index| *index.get(&events)).collect();
        shuffled.splice(shuffled.len() / 2..shuffled.len() / 2, events.iter().rev().copied());
        for deliveries in [&events, &shuffled] {
            let mut kept = Kept::new(events[0].occurred_at);
            kept.settle(deliveries, &minutes, end, at_once);
            let (balance, tier_points, ..) = kept.end(end, at_once);
            prop_assert_eq!((balance, tier_points), expected(&events, end));
        }
    }
}
