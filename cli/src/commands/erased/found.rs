//! A place that holds something about a customer.

use std::collections::BTreeSet;

use jiff::Timestamp;
use serde_json::{Value, json};

/// The fields of events and items that hold a name or an address, or the key to them.
const PERSONAL: [&str; 8] =
    ["name", "given", "family", "given_name", "family_name", "email", "previous_email", "wrapped_key"];

/// An item, a message or an object about a customer.
#[derive(Debug)]
pub(super) struct Found {
    /// The table, queue or bucket.
    pub(super) store: String,
    /// What it is: the kind of an item or of an event, or the key of an object.
    pub(super) what: String,
    /// Where in it there are names or addresses.
    personal: Vec<String>,
    /// When it is removed by itself. `None` if never.
    until: Option<Timestamp>,
}

impl Found {
    /// Returns what an item, message or object with this `content` is, if it is about the customer with this number.
    pub(super) fn new(
        store: &str,
        what: impl FnOnce() -> String,
        content: &Value,
        customer_number: &str,
        until: Option<Timestamp>,
    ) -> Option<Self> {
        if !mentions(content, customer_number) {
            return None;
        }
        let mut personal = Vec::new();
        personal_fields(content, &mut String::new(), &mut personal);
        let mut seen = BTreeSet::new();
        personal.retain(|path| seen.insert(path.clone()));
        Some(Self { store: store.to_owned(), what: what(), personal, until })
    }

    /// Whether it holds a name or an address.
    pub(super) fn is_personal(&self) -> bool {
        !self.personal.is_empty()
    }

    /// Returns it as a line for people.
    pub(super) fn line(&self) -> String {
        let holds =
            if self.is_personal() { self.personal.join(", ") } else { "no name or address".to_owned() };
        let until = self.until.map_or("for good".to_owned(), |until| format!("until {until}"));
        format!("{}  {}  {holds}  {until}", self.store, self.what)
    }

    /// Returns it for programs.
    pub(super) fn json(&self) -> Value {
        json!({"store": self.store, "what": self.what, "personal": self.personal, "until": self.until})
    }
}

/// Whether a text somewhere in `content`, or the name of a field, contains the number.
pub(super) fn mentions(content: &Value, number: &str) -> bool {
    match content {
        Value::String(text) => text.contains(number),
        Value::Array(items) => items.iter().any(|item| mentions(item, number)),
        Value::Object(fields) => {
            fields.iter().any(|(name, value)| name.contains(number) || mentions(value, number))
        }
        _ => false,
    }
}

/// Collects the paths of fields with a name or an address. A text that is JSON is looked into: outbox items and
/// messages hold events as text.
fn personal_fields(content: &Value, path: &mut String, found: &mut Vec<String>) {
    match content {
        Value::Object(fields) => {
            for (name, value) in fields {
                let length = path.len();
                if !path.is_empty() {
                    path.push('.');
                }
                path.push_str(name);
                let is_text = value.as_str().is_some_and(|text| !text.is_empty());
                if PERSONAL.contains(&name.as_str()) && is_text {
                    found.push(path.clone());
                } else {
                    personal_fields(value, path, found);
                }
                path.truncate(length);
            }
        }
        Value::Array(items) => items.iter().for_each(|item| personal_fields(item, path, found)),
        Value::String(text) if text.starts_with(['{', '[']) => {
            if let Ok(inner) = serde_json::from_str::<Value>(text) {
                personal_fields(&inner, path, found);
            }
        }
        _ => {}
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const NUMBER: &str = "123456789012";

    fn found(content: &Value) -> Option<Found> {
        Found::new("members", || "MEMBER".to_owned(), content, NUMBER, None)
    }

    #[test]
    fn only_what_mentions_the_customer_is_found() {
        for content in [
            json!({"pk": "MEMBER#123456789012"}),
            json!({"list": [{"customer_number": NUMBER}]}),
            json!({"data": "{\"customer_number\":\"123456789012\"}"}),
        ] {
            assert!(found(&content).is_some_and(|place| !place.is_personal()), "{content}");
        }
        assert!(found(&json!({"pk": "MEMBER#123456789013", "points": 123_456_789_012_u64})).is_none());
    }

    #[test]
    fn names_and_addresses_are_found_wherever_they_are_and_never_shown() {
        let event = json!({"customer_number": NUMBER, "contact": {
            "name": {"given": "Ada", "family": "Lovelace"}, "email": "ada@example.com",
        }});
        for (content, paths) in [
            (event.clone(), vec!["contact.email", "contact.name.family", "contact.name.given"]),
            (json!({"data": event.to_string()}), {
                vec!["data.contact.email", "data.contact.name.family", "data.contact.name.given"]
            }),
            (json!({"pk": NUMBER, "email": ""}), vec![]),
        ] {
            let place = found(&content).unwrap();
            let mut found = place.personal.clone();
            found.sort();
            assert_eq!(found, paths, "{content}");
            assert!(!place.line().contains("Ada") && !place.json().to_string().contains("ada@"));
        }
    }
}
