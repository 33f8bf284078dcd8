//! discounts: each as its gift, its use or its time left it, and announced once; none of an erased customer.

use contracts::{DiscountActivated, DiscountExpired, DiscountUsed};
use envelope::Event as _;
use serde_json::Value;
use uuid::Uuid;

use super::super::account::Account;
use super::super::customer::{Customer, Discount, End};
use super::super::facts::Facts;
use super::super::history::History;

const TABLE: &str = "discounts";

pub(super) fn check(history: &History, facts: &Facts, account: &mut Account) {
    for customer in history.customers.values() {
        if customer.erased {
            let left = facts.items(TABLE, "DISCOUNT#").filter(|(key, _)| key.starts_with(&customer.number));
            let left = left.count();
            account.check(left == 0, || format!("{left} discounts of {} are not erased", customer.number));
            continue;
        }
        for (discount_id, discount) in &customer.discounts {
            one(customer, discount_id, discount, facts, account);
        }
    }
}

fn one(customer: &Customer, discount_id: &str, discount: &Discount, facts: &Facts, account: &mut Account) {
    let name = format!("discount {discount_id} of {}", customer.number);
    let item = facts.item(TABLE, &format!("DISCOUNT#{}#{discount_id}", customer.number));
    let json = item.and_then(|item| serde_json::from_str::<Value>(item.get("discount")?.as_str()?).ok());
    let state = json.as_ref().and_then(|json| json["state"].as_str()).unwrap_or("unknown");
    let expected = match discount.end {
        End::Active => "active",
        End::Expired => "expired",
        End::Used(_) => "used",
    };
    account.check(state == expected, || format!("{name} is {state}, not {expected}"));

    let caused_by = |kind: &str, cause: Uuid| {
        let caused = facts.bus.values().filter(|event| event.causation_id == Some(cause));
        caused.filter(|event| event.kind == kind).count()
    };
    let activated = caused_by(DiscountActivated::TYPE, discount.gift);
    match discount.end {
        End::Active => account.expect_one(activated, || format!("{name} activated")),
        End::Used(by) => {
            let used = caused_by(DiscountUsed::TYPE, by);
            account.expect_one(used, || format!("{name} announced as used"));
        }
        End::Expired => {
            // One that had expired when its gift arrived was never active.
            let expired = facts.bus.values().filter(|event| {
                event.kind == DiscountExpired::TYPE
                    && event.customer == customer.number
                    && event.data["discount_id"] == discount_id
            });
            let expired = expired.count();
            account.expect(expired >= activated, || format!("{name} announced as expired"));
            account.check(expired <= activated, || format!("{name} expired {expired} times"));
        }
    }
    account.check(activated <= 1, || format!("{name} activated {activated} times"));
}
