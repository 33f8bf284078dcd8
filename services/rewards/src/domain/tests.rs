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
    account.earn(points(999), occurred_at, occurred_at).unwrap();
    let before = account.clone();
    account.earn(points(4_001), occurred_at, occurred_at).unwrap();
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
    account.earn(points(1_000), occurred_at, occurred_at).unwrap();
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
    account.earn(points(20), occurred_at, occurred_at).unwrap();
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
    account.earn(points(5_000), at("2026-03-01T12:00:00Z"), now).unwrap();
    assert_eq!((account.balance, account.tier_points), (5_000, 0));
}

#[test]
fn an_erasure_is_announced_and_is_no_descent() {
    let occurred_at = at("2026-03-01T12:00:00Z");
    let mut account = account();
    account.earn(points(1_000), occurred_at, occurred_at).unwrap();
    let before = account.clone();
    assert!(account.erase(occurred_at), "at the same instant the erasure wins");
    let announced = account.announcements_since(&before);
    let [Announcement::Changed(changed)] = announced.as_slice() else { panic!("{announced:?}") };
    assert_eq!((changed.balance, changed.tier_points, changed.revision), (0, 0, 2));
    assert!(account.earn(points(1), occurred_at, occurred_at).is_none());
    assert_eq!(account.redeem(Uuid::nil(), points(1), occurred_at, false), Redemption::Erased);
    assert!(!account.erase(occurred_at), "the second time it is no news");
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
        let entry = match event.what {
            What::Earned(points) => self.account.earn(points, event.occurred_at, self.now),
            What::Redeemed(points) => {
                match self.account.redeem(Uuid::from_u128(event.id), points, event.occurred_at, true) {
                    Redemption::Taken(movement) => Some(movement),
                    Redemption::Erased => None,
                    Redemption::Waits => return false,
                    Redemption::Refused(..) => panic!("a patient redemption is not refused"),
                }
            }
            What::Erased => {
                self.erase(event.occurred_at);
                return true;
            }
        };
        self.ledger.insert(event.id, entry);
        true
    }

    fn erase(&mut self, at: Timestamp) {
        if !self.account.erase(at) {
            return;
        }
        for entry in self.ledger.values_mut() {
            if let Some(movement) = entry.take_if(|movement| movement.occurred_at <= at) {
                self.account.forget(&[movement]);
            }
        }
        self.account.cleared();
    }

    /// Handles `deliveries` until all are done.
    fn settle(&mut self, deliveries: &[Event]) {
        let mut left = deliveries.to_vec();
        while !left.is_empty() {
            let before = left.len();
            left.retain(|event| !self.handle(event));
            assert!(left.len() < before, "redemptions wait for ever: {left:?}");
        }
    }

    fn end(&self) -> (i64, u64, Option<Timestamp>, u64) {
        let named = self.ledger.values().flatten().count() as u64;
        assert_eq!(self.account.entries, named, "the account counts the entries that name the customer");
        (self.account.balance, self.account.tier_points, self.account.erased_at, named)
    }
}

proptest! {
    #[test]
    fn any_order_and_duplication_of_a_valid_history_ends_in_the_same_points(
        steps in prop::collection::vec((step(), 1_u32..48), 1..40),
        order in prop::collection::vec(any::<prop::sample::Index>(), 120),
    ) {
        let events = history(&steps);
        prop_assume!(!events.is_empty());
        let now = at("2026-06-01T00:00:00Z");
        let mut in_order = Kept::new(now);
        in_order.settle(&events);

        // Every event once, and some again, anywhere.
        let mut shuffled: Vec<_> = order.iter().map(|index| *index.get(&events)).collect();
        shuffled.splice(shuffled.len() / 2..shuffled.len() / 2, events.iter().rev().copied());
        let mut out_of_order = Kept::new(now);
        out_of_order.settle(&shuffled);
        prop_assert_eq!(out_of_order.end(), in_order.end());
        prop_assert!(out_of_order.account.balance >= 0);
    }
}
