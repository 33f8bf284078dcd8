//! The trace header of a message, packed together with its attributes into one attribute that no client sees.
//!
//! The engine knows no trace headers, but it preserves message attributes through redelivery, redrive, purge and deletion.
//! Because the header travels with the message, no state beside the queue can get out of step with it, and even a long
//! poll that is answered while the message is still being sent returns the header.

use std::collections::HashMap;

use rustack_sqs_core::message::md5_of_message_attributes;
use rustack_sqs_model::types::{Message, MessageAttributeValue};
use serde::{Deserialize, Serialize};

/// The name of the packed attribute. AWS reserves the prefix `AWS.`, so no client's attribute has this name.
const PACKED: &str = "AWS.LocalCloud.Packed";

pub(super) type Attributes = HashMap<String, MessageAttributeValue>;

#[derive(Debug, Serialize, Deserialize)]
struct Packed {
    header: String,
    attributes: Attributes,
}

/// Returns the attributes to pass to the engine for a message with these attributes and this trace header.
pub(super) fn pack(attributes: Attributes, header: Option<String>) -> Result<Attributes, serde_json::Error> {
    let Some(header) = header else { return Ok(attributes) };
    let packed = serde_json::to_vec(&Packed { header, attributes })?;
    Ok(HashMap::from([(
        PACKED.to_owned(),
        MessageAttributeValue {
            data_type: "Binary".to_owned(),
            string_value: None,
            binary_value: Some(packed),
        },
    )]))
}

/// Restores the attributes of a message from the engine and returns its trace header.
pub(super) fn unpack(message: &mut Message) -> Option<String> {
    let packed = message.message_attributes.remove(PACKED)?.binary_value?;
    let Packed { header, attributes } = serde_json::from_slice(&packed).ok()?;
    message.message_attributes = attributes;
    Some(header)
}

/// Keeps the attributes that a client requested, with their MD5, which the AWS SDKs verify.
pub(super) fn select(message: &mut Message, wanted: &[String]) {
    message.message_attributes.retain(|name, _| wanted.iter().any(|wanted| requests(wanted, name)));
    message.md5_of_message_attributes = md5_of_message_attributes(&message.message_attributes);
}

/// Matches `All`, `.*`, a name, or a prefix such as `name.*`.
fn requests(wanted: &str, name: &str) -> bool {
    wanted == "All"
        || wanted == name
        || wanted.strip_suffix(".*").is_some_and(|prefix| name.starts_with(prefix))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn text(value: &str) -> MessageAttributeValue {
        MessageAttributeValue {
            data_type: "String".to_owned(),
            string_value: Some(value.to_owned()),
            binary_value: None,
        }
    }

    fn received(attributes: Attributes) -> Message {
        Message { message_attributes: attributes, ..Message::default() }
    }

    #[test]
    fn packing_is_undone_by_unpacking() {
        let attributes = HashMap::from([("a".to_owned(), text("1")), ("b".to_owned(), text("2"))]);
        let mut message = received(pack(attributes, Some("Root=1".to_owned())).unwrap());
        assert_eq!(message.message_attributes.len(), 1);
        assert_eq!(unpack(&mut message), Some("Root=1".to_owned()));
        assert_eq!(message.message_attributes["b"].string_value.as_deref(), Some("2"));
    }

    #[test]
    fn a_message_without_header_is_left_alone() {
        let mut message = received(pack(HashMap::from([("a".to_owned(), text("1"))]), None).unwrap());
        assert_eq!(unpack(&mut message), None);
        assert_eq!(message.message_attributes.len(), 1);
    }

    #[test]
    fn only_requested_attributes_stay() {
        let all = HashMap::from([("a.b".to_owned(), text("1")), ("c".to_owned(), text("2"))]);
        for (wanted, left) in
            [(vec![], 0), (vec!["All"], 2), (vec![".*"], 2), (vec!["a.*"], 1), (vec!["c"], 1)]
        {
            let mut message = received(all.clone());
            select(&mut message, &wanted.iter().map(ToString::to_string).collect::<Vec<_>>());
            assert_eq!(message.message_attributes.len(), left, "{wanted:?}");
            assert_eq!(message.md5_of_message_attributes.is_some(), left > 0);
        }
    }
}
