//! rewards: balance and tier are the sums of what was earned and redeemed, and each movement was announced once.

use std::collections::BTreeMap;

use contracts::{PointsBalanceChanged, PointsEarned, PointsRedeemed, TierAscended, TierDescended};
use envelope::Event as _;
use serde_json::Value;

use super::super::account::Account;
use super::super::customer::Customer;
use super::super::facts::Facts;
use super::super::history::History;

/// The tiers, each with the points from which on it begins.
const TIERS: [(&str, u64); 4] = [("bronze", 0), ("silver", 1_000), ("gold", 5_000), ("platinum", 20_000)];

pub(super) fn check(history: &History, facts: &Facts, account: &mut Account) {
    for customer in history.customers.values() {
        let number = &customer.number;
        let item = facts.item("rewards", &format!("REWARDS#{number}"));
        let sum = |name: &str| item.and_then(|item| item.get(name)?.as_u64()).unwrap_or_default();
        let found = (sum("balance"), sum("tier_points"));
        let expected = (customer.balance, customer.tier_points);
        account.check(found == expected, || {
            format!("points of {number}: balance and tier points are {found:?}, not {expected:?}")
        });
        if customer.tier_points > 0 {
            let found = item.and_then(|item| item.get("tier")?.as_str()).unwrap_or_default();
            account.check(found == tier(customer.tier_points), || format!("tier of {number} is {found}"));
        }
        if !customer.erased {
            ascents(customer, facts, account);
        }
    }
    announcements(history, facts, account);
}

/// Returns the tier of so many points.
pub(super) fn tier(points: u64) -> &'static str {
    TIERS.iter().rfind(|(_, from)| *from <= points).map_or("", |(name, _)| name)
}

/// Checks that the ascents lead from the first tier to the last one without a gap or a repetition. Which points caused them
/// depends on the order of arrival.
fn ascents(customer: &Customer, facts: &Facts, account: &mut Account) {
    let number = &customer.number;
    let of_customer = || facts.bus.values().filter(|event| event.customer == *number);
    account.check(of_customer().all(|event| event.kind != TierDescended::TYPE), || {
        format!("{number} descended")
    });
    let text = |data: &Value, name: &str| data[name].as_str().unwrap_or_default().to_owned();
    let ascents = of_customer().filter(|event| event.kind == TierAscended::TYPE);
    let steps: Vec<_> =
        ascents.map(|event| (text(&event.data, "previous_tier"), text(&event.data, "tier"))).collect();
    let by_start: BTreeMap<_, _> = steps.iter().cloned().collect();
    account.check(by_start.len() == steps.len(), || format!("{number} ascended twice: {steps:?}"));
    let mut reached = TIERS[0].0;
    let mut taken = 0;
    while let Some(next) = by_start.get(reached) {
        reached = next;
        taken += 1;
        if taken > steps.len() {
            break;
        }
    }
    let end = tier(customer.tier_points);
    account
        .expect(reached == end && taken == steps.len(), || format!("ascent of {number} to {end}: {steps:?}"));
}

/// Checks that each movement of points of a customer who stays was announced once.
fn announcements(history: &History, facts: &Facts, account: &mut Account) {
    let mut announced = BTreeMap::<_, usize>::new();
    for event in facts.bus.values().filter(|event| event.kind == PointsBalanceChanged::TYPE) {
        *announced.entry(event.causation_id.unwrap_or_default()).or_default() += 1;
    }
    for (id, event) in history.events() {
        let moves = [PointsEarned::TYPE, PointsRedeemed::TYPE].contains(&event.kind);
        if moves && history.customers.get(&event.customer).is_some_and(|customer| !customer.erased) {
            let count = announced.get(&id).copied().unwrap_or_default();
            account.expect_one(count, || format!("balance announced after {} {id}", event.kind));
        }
    }
}
