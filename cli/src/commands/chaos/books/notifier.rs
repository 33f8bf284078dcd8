//! notifier: the contact to which tiers and discounts are notified. What it requests shows in the deliveries.

use serde_json::Value;

use super::super::account::Account;
use super::super::customer::Contact;
use super::super::facts::{Facts, Item};
use super::super::history::History;

const TABLE: &str = "notifications";

pub(super) fn check(history: &History, facts: &Facts, account: &mut Account) {
    for (number, customer) in &history.customers {
        if !customer.enrolled {
            continue;
        }
        let Some(item) = facts.item(TABLE, &format!("MEMBER#{number}")) else {
            account.lost.push(format!("contact of {number} in notifier"));
            continue;
        };
        // Nothing is left of an erased customer, whose contact is empty here as well.
        account.check(contact(item) == customer.contact, || {
            format!("contact of {number} in notifier is not as the last changes say")
        });
    }
}

fn contact(item: &Item) -> Contact {
    let text = |name: &str| item.get(name).and_then(Value::as_str).unwrap_or_default().to_owned();
    let channels = item.get("channels").and_then(Value::as_array).into_iter().flatten();
    Contact {
        given: text("given_name"),
        family: text("family_name"),
        email: text("email"),
        locale: text("locale"),
        channels: channels.filter_map(Value::as_str).map(str::to_owned).collect(),
    }
}
