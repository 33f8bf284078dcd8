//! The fingerprint that distinguishes a redelivered event from a different event with the same id.

use std::fmt::Write as _;

use envelope::Envelope;
use serde_json::Value;
use sha2::{Digest, Sha256};

/// The marker's attribute that holds the fingerprint of the event's type and data.
pub(crate) const FINGERPRINT: &str = "fingerprint";

/// Returns the SHA-256, in hex, of the event's type and its data in canonical form.
///
/// Metadata is excluded: a republished event has a different `published_at` and trace. White space and the order of
/// object members do not count either, because a Pipe or an archive may rewrite them.
pub(crate) fn fingerprint(event: &Envelope) -> String {
    let mut hash = Sha256::new();
    hash.update(event.event_type.as_bytes());
    hash.update([0]);
    match serde_json::from_str::<Value>(event.data.get()) {
        Ok(data) => {
            let mut canonical = String::with_capacity(event.data.get().len());
            write(&data, &mut canonical);
            hash.update(canonical.as_bytes());
        }
        // Nested too deeply, or a number out of range: fall back to the text as it stands.
        Err(_) => hash.update(event.data.get().as_bytes()),
    }
    hex::encode(hash.finalize())
}

fn write(value: &Value, out: &mut String) {
    match value {
        Value::Object(members) => {
            let mut members: Vec<_> = members.iter().collect();
            members.sort_by_key(|(name, _)| *name);
            out.push('{');
            for (index, (name, member)) in members.into_iter().enumerate() {
                if index > 0 {
                    out.push(',');
                }
                write(&Value::String(name.clone()), out);
                out.push(':');
                write(member, out);
            }
            out.push('}');
        }
        Value::Array(elements) => {
            out.push('[');
            for (index, element) in elements.iter().enumerate() {
                if index > 0 {
                    out.push(',');
                }
                write(element, out);
            }
            out.push(']');
        }
        scalar => {
            // Writing to a string never fails.
            if write!(out, "{scalar}").is_err() {
                out.push('?');
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use envelope::Metadata;
    use jiff::Timestamp;
    use serde_json::value::RawValue;
    use uuid::Uuid;

    use super::*;

    fn event(event_type: &str, data: &str) -> Envelope {
        Envelope {
            source: "foostore.crm".into(),
            event_type: event_type.into(),
            customer_number: None,
            metadata: Metadata::first(Uuid::new_v4(), Timestamp::UNIX_EPOCH, Timestamp::UNIX_EPOCH),
            data: RawValue::from_string(data.into()).unwrap(),
        }
    }

    #[test]
    fn layout_and_metadata_do_not_affect_the_fingerprint() {
        let one = event("A", r#"{"a": 1, "b": {"c": [1, "x"], "d": null}}"#);
        let two = event("A", r#"{"b":{"d":null,"c":[1,"x"]},"a":1}"#);
        assert_eq!(fingerprint(&one), fingerprint(&two));
    }

    #[test]
    fn type_values_and_the_order_of_a_list_affect_the_fingerprint() {
        let events = [
            event("A", r#"{"a":[1,2]}"#),
            event("B", r#"{"a":[1,2]}"#),
            event("A", r#"{"a":[2,1]}"#),
            event("A", r#"{"a":"[1,2]"}"#),
            event("A", r#"{"a":[12]}"#),
        ];
        let distinct: std::collections::HashSet<_> = events.iter().map(fingerprint).collect();
        assert_eq!(distinct.len(), events.len());
    }

    #[test]
    fn data_that_cannot_be_parsed_has_a_fingerprint_too() {
        let deep = format!("{}1{}", "[".repeat(200), "]".repeat(200));
        assert_eq!(fingerprint(&event("A", &deep)), fingerprint(&event("A", &deep)));
        assert_ne!(fingerprint(&event("A", &deep)), fingerprint(&event("A", &deep.replace('1', "2"))));
    }
}
