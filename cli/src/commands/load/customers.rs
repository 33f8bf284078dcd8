//! Made-up customers whose events are valid in the order in which they are due.

use std::collections::VecDeque;
use std::time::Duration;

use contracts::{
    ContactPreferencesChanged, CustomerEnrolled, CustomerErased, CustomerRenamed, DiscountGifted,
    DiscountRedeemed, PointsEarned, PointsRedeemed,
};
use envelope::Event as _;
use jiff::{SignedDuration, Timestamp};
use rand::rngs::StdRng;
use rand::{RngExt as _, SeedableRng as _};
use serde_json::{Value, json};

use super::mix::Mix;
use crate::commands::traffic::{channels, enrolment, gift, name};

/// The number of the first customer of the first block.
const FIRST: u64 = 300_000_000_000;
/// The customers that one run may have: numbers of different runs differ, since a customer enrols once.
const BLOCK: u64 = 1_000_000;
/// The number of blocks.
pub(super) const BLOCKS: u64 = 699_999;
/// How long an event is left alone before one that builds on it: people do not redeem points as they earn them, and an
/// event that overtakes its cause measures retries instead of the layer.
const REST: Duration = Duration::from_secs(2);
/// The points and discounts that are remembered of a customer.
const REMEMBERED: usize = 16;
/// The customers looked at for one who can do what is due.
const CANDIDATES: usize = 8;
/// How long discounts are valid: none expires during a run.
const VALID: SignedDuration = SignedDuration::from_hours(30 * 24);

/// An event to post, without the fields that differ from run to run.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Made {
    pub(super) kind: &'static str,
    pub(super) customer_number: String,
    pub(super) data: Value,
}

/// The customers. The same seed, mix and times lead to the same events, but for customer numbers.
pub(super) struct Customers {
    random: StdRng,
    mix: Mix,
    next_number: u64,
    /// Discounts end this long after it.
    today: Timestamp,
    pool: Vec<Customer>,
    /// Those who have just enrolled, since when.
    joining: VecDeque<(Duration, Customer)>,
    /// Those who do nothing more until they are erased, since when.
    leaving: VecDeque<(Duration, Customer)>,
}

#[derive(Default)]
struct Customer {
    number: u64,
    /// Points earned and not redeemed, with the times.
    earned: VecDeque<(Duration, u32)>,
    /// How many discounts the customer was given.
    discounts: u32,
    /// Discounts not used yet, with the times.
    unused: VecDeque<(Duration, u32)>,
    /// How often the name changed, so that every change is one.
    renamed: u32,
}

impl Customers {
    /// Returns nobody yet. Customers have the numbers of this block, one of [`BLOCKS`].
    pub(super) fn new(seed: u64, mix: Mix, block: u64, today: Timestamp) -> Self {
        Self {
            random: StdRng::seed_from_u64(seed),
            mix,
            next_number: FIRST + block % BLOCKS * BLOCK,
            today,
            pool: Vec::new(),
            joining: VecDeque::new(),
            leaving: VecDeque::new(),
        }
    }

    /// Enrols a customer to whom anything may happen at once.
    pub(super) fn member(&mut self) -> Made {
        let (customer, made) = self.newcomer();
        self.pool.push(customer);
        made
    }

    /// Returns the event that is due at this time, which never goes back. If the chosen type would be invalid for everybody,
    /// such as a redemption before anything was earned, somebody earns points.
    pub(super) fn next(&mut self, at: Duration) -> Made {
        while let Some((_, customer)) = self.joining.pop_front_if(|(since, _)| rested(*since, at)) {
            self.pool.push(customer);
        }
        match self.mix.pick(&mut self.random) {
            CustomerErased::TYPE => self.leave(at),
            CustomerEnrolled::TYPE => self.join(at),
            _ if self.pool.is_empty() => self.join(at),
            kind => {
                let place = self.who(kind, at);
                let customer = &mut self.pool[place];
                let (kind, data) = customer.next(kind, at, self.today, &mut self.random);
                made(kind, customer.number, data)
            }
        }
    }

    /// Chooses a customer, if possible one who can do this.
    fn who(&mut self, kind: &str, at: Duration) -> usize {
        let mut place = 0;
        for _ in 0..CANDIDATES {
            place = self.random.random_range(0..self.pool.len());
            if self.pool[place].can(kind, at) {
                break;
            }
        }
        place
    }

    fn newcomer(&mut self) -> (Customer, Made) {
        let number = self.next_number;
        self.next_number += 1;
        let data = enrolment(number, &mut self.random);
        (Customer { number, ..Customer::default() }, made(CustomerEnrolled::TYPE, number, data))
    }

    fn join(&mut self, at: Duration) -> Made {
        let (customer, made) = self.newcomer();
        self.joining.push_back((at, customer));
        made
    }

    /// Lets one customer rest, and erases one who has.
    fn leave(&mut self, at: Duration) -> Made {
        if self.pool.len() > 1 {
            let place = self.random.random_range(0..self.pool.len());
            let customer = self.pool.swap_remove(place);
            self.leaving.push_back((at, customer));
        }
        if let Some((_, customer)) = self.leaving.pop_front_if(|(since, _)| rested(*since, at)) {
            return made(CustomerErased::TYPE, customer.number, json!({}));
        }
        match self.pool.first_mut() {
            Some(customer) => {
                let data = customer.earn(at, &mut self.random);
                made(PointsEarned::TYPE, customer.number, data)
            }
            None => self.join(at),
        }
    }
}

impl Customer {
    fn can(&self, kind: &str, at: Duration) -> bool {
        let has_rested =
            |queue: &VecDeque<(Duration, u32)>| queue.front().is_some_and(|(since, _)| rested(*since, at));
        match kind {
            PointsRedeemed::TYPE => has_rested(&self.earned),
            DiscountRedeemed::TYPE => has_rested(&self.unused),
            _ => true,
        }
    }

    fn next(
        &mut self,
        kind: &'static str,
        at: Duration,
        today: Timestamp,
        random: &mut StdRng,
    ) -> (&'static str, Value) {
        match kind {
            CustomerRenamed::TYPE => {
                self.renamed += 1;
                let mut name = name(random);
                name["family"] =
                    format!("{} {}", name["family"].as_str().unwrap_or_default(), self.renamed).into();
                (kind, json!({"name": name}))
            }
            ContactPreferencesChanged::TYPE => (kind, json!({"channels": channels(random)})),
            DiscountGifted::TYPE => {
                self.discounts += 1;
                remember(&mut self.unused, (at, self.discounts));
                let valid_until = today.saturating_add(VALID).unwrap_or(today);
                (kind, gift(&discount_id(self.discounts), valid_until, random))
            }
            DiscountRedeemed::TYPE => match self.unused.pop_front_if(|(since, _)| rested(*since, at)) {
                Some((_, number)) => (kind, json!({"discount_id": discount_id(number)})),
                None => (PointsEarned::TYPE, self.earn(at, random)),
            },
            PointsRedeemed::TYPE => match self.earned.pop_front_if(|(since, _)| rested(*since, at)) {
                Some((_, points)) => (kind, json!({"points": points})),
                None => (PointsEarned::TYPE, self.earn(at, random)),
            },
            _ => (PointsEarned::TYPE, self.earn(at, random)),
        }
    }

    fn earn(&mut self, at: Duration, random: &mut StdRng) -> Value {
        let points = random.random_range(10..=500);
        remember(&mut self.earned, (at, points));
        json!({"points": points})
    }
}

fn rested(since: Duration, at: Duration) -> bool {
    at.saturating_sub(since) >= REST
}

fn remember(queue: &mut VecDeque<(Duration, u32)>, entry: (Duration, u32)) {
    if queue.len() == REMEMBERED {
        queue.pop_front();
    }
    queue.push_back(entry);
}

fn discount_id(number: u32) -> String {
    format!("LOAD-{number}")
}

fn made(kind: &'static str, number: u64, data: Value) -> Made {
    Made { kind, customer_number: format!("{number:012}"), data }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;

    fn history(seed: u64, block: u64) -> Vec<Made> {
        let mut customers = Customers::new(seed, Mix::default(), block, Timestamp::UNIX_EPOCH);
        let mut all: Vec<_> = (0..20).map(|_| customers.member()).collect();
        all.extend((0..4000).map(|number| customers.next(Duration::from_millis(50 * number))));
        all
    }

    #[test]
    fn the_same_seed_leads_to_the_same_events_of_other_customers() {
        let events = |seed, block| {
            history(seed, block).into_iter().map(|made| (made.kind, made.data["points"].clone()))
        };
        assert!(events(1, 0).eq(events(1, 7)));
        assert!(!events(1, 0).eq(events(2, 0)));
        assert_ne!(history(1, 0)[0].customer_number, history(1, 7)[0].customer_number);
        assert!(history(1, u64::MAX).iter().all(|made| made.customer_number.len() == 12));
    }

    #[test]
    fn every_history_is_valid() {
        let mut histories: BTreeMap<String, Vec<&str>> = BTreeMap::new();
        let mut balances: BTreeMap<String, u64> = BTreeMap::new();
        let all = history(1, 0);
        for made in &all {
            histories.entry(made.customer_number.clone()).or_default().push(made.kind);
            let points = made.data["points"].as_u64().unwrap_or_default();
            let balance = balances.entry(made.customer_number.clone()).or_default();
            match made.kind {
                PointsEarned::TYPE => *balance += points,
                _ => *balance = balance.checked_sub(points).expect("nobody redeems points they lack"),
            }
        }
        for history in histories.values() {
            assert_eq!(history[0], CustomerEnrolled::TYPE);
            assert_eq!(history.iter().filter(|kind| **kind == CustomerEnrolled::TYPE).count(), 1);
            let erased = history.iter().position(|kind| *kind == CustomerErased::TYPE);
            assert!(erased.is_none_or(|place| place == history.len() - 1), "{history:?}");
        }
        // In the first seconds, nobody can redeem or leave yet.
        for (kind, share) in Mix::default().shares() {
            let found = all.iter().filter(|made| made.kind == kind).count();
            let [low, high] = [share - 0.03, share + 0.03].map(|share| share * 4020.0);
            let found = f64::from(u32::try_from(found).unwrap());
            assert!(low < found && found < high, "{kind}: {found} instead of {share}");
        }
    }
}
