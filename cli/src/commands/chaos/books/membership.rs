//! membership: each member as their last changes left them; of the erased, nothing but the tombstone.

use serde_json::Value;

use super::super::account::Account;
use super::super::customer::Contact;
use super::super::facts::Facts;
use super::super::history::History;

const TABLE: &str = "members";

pub(super) fn check(history: &History, facts: &Facts, account: &mut Account) {
    for (number, customer) in &history.customers {
        if !customer.enrolled {
            continue;
        }
        let Some(item) = facts.item(TABLE, &format!("MEMBER#{number}")) else {
            account.lost.push(format!("member {number}"));
            continue;
        };
        let known = item.get("known").unwrap_or(&Value::Null);
        if customer.erased {
            let pending = facts.item(TABLE, &format!("PENDING#{number}")).is_some();
            let erased = item.contains_key("erased") && known.is_null() && !pending;
            account.check(erased, || format!("member {number} is not erased"));
        } else {
            account.check(contact(known) == customer.contact, || {
                format!("member {number} is not as the last changes say")
            });
        }
    }
}

fn contact(known: &Value) -> Contact {
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    let value = |field: &str| &known[field]["value"];
    Contact {
        given: text(&value("name")["given"]),
        family: text(&value("name")["family"]),
        email: text(value("email")),
        locale: text(value("locale")),
        channels: value("channels").as_array().into_iter().flatten().map(text).collect(),
    }
}
