//! wallet: a pass of each member that shows name, points, tier and discounts as the last changes left them; a void one, without
//! any of that, of everybody else.

use std::collections::BTreeSet;

use serde_json::Value;

use super::super::account::Account;
use super::super::customer::{Customer, End};
use super::super::facts::Facts;
use super::super::history::History;
use super::rewards::tier;

/// What the keys of the fields of discounts start with.
const DISCOUNT: &str = "discount-";
/// The most discounts that a pass shows.
const MOST_DISCOUNTS: usize = 10;

pub(super) fn check(history: &History, facts: &Facts, account: &mut Account) {
    for (number, customer) in &history.customers {
        match facts.passes.get(number) {
            None => account.expect(!customer.enrolled, || format!("pass of {number}")),
            Some(pass) if customer.enrolled && !customer.erased => valid(customer, pass, account),
            Some(pass) => {
                let void =
                    pass["voided"] == true && pass["storeCard"].as_object().is_some_and(|all| all.is_empty());
                account.check(void, || format!("pass of {number}, who is no member, is not void"));
            }
        }
    }
}

fn valid(customer: &Customer, pass: &Value, account: &mut Account) {
    let card = &pass["storeCard"];
    let shown = [&card["primaryFields"], &card["headerFields"], &card["secondaryFields"]]
        .map(|fields| fields[0]["value"].to_string().trim_matches('"').to_owned());
    let contact = &customer.contact;
    let expected = [
        customer.balance.to_string(),
        format!("tier-{}", tier(customer.tier_points)),
        format!("{} {}", contact.given, contact.family),
    ];
    let right = pass["voided"] == false && shown == expected;
    account.check(right, || {
        // The name is a name: what differs is told without it.
        let differs = (0..3).filter(|&place| shown[place] != expected[place]);
        let differs: Vec<_> = differs.map(|place| ["balance", "tier", "name"][place]).collect();
        format!("pass of {} is not as the last changes say: {differs:?}", customer.number)
    });

    let fields = card["backFields"].as_array().into_iter().flatten();
    let shown: BTreeSet<_> =
        fields.filter_map(|field| field["key"].as_str()?.strip_prefix(DISCOUNT).map(str::to_owned)).collect();
    let active = customer.discounts.iter().filter(|(_, discount)| discount.end == End::Active);
    let active: BTreeSet<_> = active.map(|(id, _)| id.clone()).collect();
    let right = if active.len() > MOST_DISCOUNTS { shown.is_subset(&active) } else { shown == active };
    account.check(right, || {
        format!("pass of {} shows the discounts {shown:?}, not {active:?}", customer.number)
    });
}
