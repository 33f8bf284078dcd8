//! Every event: on the bus, handled by each service that keeps markers, and none left in an outbox.

use contracts::{
    ContactPreferencesChanged, CustomerEnrolled, CustomerErased, CustomerRenamed, DiscountGifted,
    DiscountRedeemed, MemberErased, PointsEarned, PointsRedeemed,
};
use envelope::Event as _;
use serde_json::Value;

use super::super::account::Account;
use super::super::facts::{Facts, Item};
use super::super::history::History;

/// The services that leave a marker for each event that they have handled, with their tables and the events.
const MARKED: [(&str, &str, &[&str]); 3] = [
    (
        ::membership::NAME,
        "members",
        &[
            CustomerEnrolled::TYPE,
            CustomerRenamed::TYPE,
            ContactPreferencesChanged::TYPE,
            CustomerErased::TYPE,
            MemberErased::TYPE,
        ],
    ),
    (::rewards::NAME, "rewards", &[PointsEarned::TYPE, PointsRedeemed::TYPE, MemberErased::TYPE]),
    (::discounts::NAME, "discounts", &[DiscountGifted::TYPE, DiscountRedeemed::TYPE, MemberErased::TYPE]),
];

/// Checks that every event that ingest accepted was on the bus and was handled, and everything announced was as well.
pub(super) fn check(history: &History, facts: &Facts, account: &mut Account) {
    for (id, event) in history.events() {
        let on_the_bus = facts.bus.contains_key(&id);
        account.expect(on_the_bus, || format!("{} {id} on the bus", event.kind));
    }
    for event in facts.bus.values() {
        for (service, table, events) in MARKED {
            if events.contains(&event.kind.as_str()) {
                let handled = facts.item(table, &format!("EVENT#{service}#{}", event.id)).is_some();
                account.expect(handled, || format!("{} {} handled by {service}", event.kind, event.id));
            }
        }
    }
    for table in facts.tables.keys() {
        let markers = facts.items(table, envelope::outbox::MARKER_PREFIX);
        for (_, item) in facts.items(table, envelope::outbox::KEY_PREFIX).chain(markers) {
            if customer(item).is_some_and(|customer| history.customers.contains_key(&customer)) {
                let id = item.get("event_id").and_then(Value::as_str).unwrap_or_default();
                let announced = id.parse().is_ok_and(|id| facts.bus.contains_key(&id));
                account.expect(announced, || format!("announcement {id} of {table} on the bus"));
            }
        }
    }
}

/// Returns the customer whom an announcement concerns; `None` for a marker without one.
fn customer(item: &Item) -> Option<String> {
    let data: Value = serde_json::from_str(item.get("data")?.as_str()?).ok()?;
    Some(data["customer_number"].as_str()?.to_owned())
}
