//! A random history of several customers, the same for the same seed.

use std::collections::BTreeMap;

use jiff::{SignedDuration, Timestamp};
use rand::RngExt as _;
use rand::rngs::StdRng;
use rand::seq::SliceRandom as _;

use super::customer::{Customer, Habit, Sent};

/// How long before the burst the first event occurred.
const BEFORE: SignedDuration = SignedDuration::from_hours(1);
/// The share of the events that are sent twice.
const TWICE: f64 = 0.1;

/// How a history is to be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    /// Everything that customers do, about in the order in which it occurred.
    Everything,
    /// The same in any order, and a tenth of the events twice.
    Shuffled,
    /// Points alone, every event twice, in any order.
    Points,
}

/// What is sent, and what must follow from it.
#[derive(Debug)]
pub(super) struct History {
    /// The events in the order in which they are sent. One that is sent twice is here twice.
    pub(super) sends: Vec<Sent>,
    pub(super) customers: BTreeMap<String, Customer>,
}

impl History {
    /// Creates a history of about `events` events whose customer numbers begin with `prefix`, which has at most six digits.
    pub(super) fn new(kind: Kind, events: usize, prefix: u32, random: &mut StdRng, now: Timestamp) -> Self {
        let mut customers = customers(kind, events, prefix);
        let begins = now.saturating_sub(BEFORE).unwrap_or(now);
        let at = |place: usize| {
            let milliseconds = i64::try_from(place).unwrap_or(i64::MAX);
            begins.saturating_add(SignedDuration::from_millis(milliseconds)).unwrap_or(now)
        };
        let mut sends = Vec::with_capacity(events);
        while sends.len() < events {
            // Everybody enrols at first.
            let place = match sends.len() {
                place if place < customers.len() => place,
                _ => random.random_range(0..customers.len()),
            };
            let event = customers[place].next(random, at(sends.len()), now);
            sends.push(event);
        }
        for customer in customers.iter_mut().filter(|customer| customer.habit == Habit::Leaves) {
            let event = customer.erase(random, at(sends.len()));
            // Some way before the end, since the customer's last events may arrive after it.
            let place = random.random_range(sends.len() * 2 / 3..=sends.len());
            sends.insert(place, event);
        }
        repeat(kind, &mut sends, random);
        let customers = customers.into_iter().map(|customer| (customer.number.clone(), customer)).collect();
        Self { sends, customers }
    }

    /// Returns each event once.
    pub(super) fn events(&self) -> BTreeMap<uuid::Uuid, &Sent> {
        self.sends.iter().map(|event| (event.id, event)).collect()
    }
}

fn customers(kind: Kind, events: usize, prefix: u32) -> Vec<Customer> {
    let count = (events / if kind == Kind::Points { 20 } else { 10 }).max(6);
    let habit = |place: usize| match (kind, place % 6) {
        (Kind::Points, _) => Habit::Collects,
        (_, 1) => Habit::Fickle,
        (_, 2) => Habit::Leaves,
        _ => Habit::Steady,
    };
    (0..count).map(|place| Customer::new(format!("{prefix:06}{place:06}"), habit(place))).collect()
}

/// Adds what is sent twice, and changes the order.
fn repeat(kind: Kind, sends: &mut Vec<Sent>, random: &mut StdRng) {
    let share = match kind {
        Kind::Everything => return,
        Kind::Shuffled => TWICE,
        Kind::Points => 1.0,
    };
    let again: Vec<_> = sends.iter().filter(|_| random.random_bool(share)).cloned().collect();
    sends.extend(again);
    sends.shuffle(random);
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use rand::SeedableRng as _;

    use super::*;

    const NOW: Timestamp = Timestamp::constant(1_800_000_000, 0);

    fn history(kind: Kind, seed: u64) -> History {
        History::new(kind, 600, 70, &mut StdRng::seed_from_u64(seed), NOW)
    }

    fn sent(history: &History) -> Vec<String> {
        history.sends.iter().map(|event| event.json.to_string()).collect()
    }

    #[test]
    fn a_seed_repeats_a_history() {
        assert_eq!(sent(&history(Kind::Shuffled, 7)), sent(&history(Kind::Shuffled, 7)));
        assert_ne!(sent(&history(Kind::Shuffled, 7)), sent(&history(Kind::Shuffled, 8)));
    }

    #[test]
    fn points_are_delivered_twice_each() {
        let history = history(Kind::Points, 1);
        assert_eq!((history.customers.len(), history.sends.len()), (30, 1_200));
        assert_eq!(history.events().len(), 600);
    }

    /// Redemptions are covered by what was earned before them, and nothing follows an erasure.
    #[test]
    fn every_history_is_valid() {
        let history = history(Kind::Everything, 3);
        let mut events: Vec<_> = history.events().into_values().collect();
        events.sort_by_key(|event| event.json["occurred_at"].as_str().unwrap().parse::<Timestamp>().unwrap());
        let mut balances = BTreeMap::<_, u64>::new();
        let mut erased = BTreeSet::new();
        for event in &events {
            assert!(!erased.contains(&event.customer), "{event:?}");
            let points = event.json["data"]["points"].as_u64().unwrap_or_default();
            let balance = balances.entry(&event.customer).or_default();
            match event.kind {
                "PointsEarned" => *balance += points,
                _ => *balance = balance.checked_sub(points).expect("covered"),
            }
            if event.kind == "CustomerErased" {
                erased.insert(&event.customer);
            }
        }
        for customer in history.customers.values().filter(|customer| !customer.erased) {
            assert_eq!(balances[&customer.number], customer.balance);
        }
        let kinds: BTreeSet<_> = events.iter().map(|event| event.kind).collect();
        assert_eq!(kinds.len(), 8, "{kinds:?}");
    }
}
