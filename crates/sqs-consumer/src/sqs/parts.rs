//! The parts of a message, whether the SDK has read it or not.

use jiff::Timestamp;

#[cfg(test)]
use crate::queue::Message;
use crate::queue::{AttributeValue, MessageAttribute};

/// Reads a system attribute that holds milliseconds since 1970.
pub(super) fn timestamp(text: &str) -> Option<Timestamp> {
    Timestamp::from_millisecond(text.parse().ok()?).ok()
}

/// Converts a message attribute. Returns `None` for one without a value.
pub(super) fn attribute(
    data_type: String,
    text: Option<String>,
    bytes: Option<Vec<u8>>,
) -> Option<MessageAttribute> {
    let value = text.map(AttributeValue::Text).or_else(|| bytes.map(AttributeValue::Binary))?;
    Some(MessageAttribute { data_type, value })
}

/// Checks all parts but the body of a message, however it was read.
#[cfg(test)]
pub(super) fn has_all_parts(read: &Message) {
    assert_eq!((read.receipt.message_id(), read.receipt.handle()), ("m", "h"));
    assert_eq!(read.trace_header.as_deref(), Some("Root=1"));
    assert_eq!(read.sent_at.unwrap().as_millisecond(), 1_700_000_000_123);
    assert_eq!(read.first_received_at.unwrap().as_millisecond(), 1_700_000_000_456);
    assert_eq!(read.receive_count, 3);
    assert!(read.attributes["channel"].value == AttributeValue::Text("email".into()));
    assert!(read.attributes["bytes"].value == AttributeValue::Binary(vec![1]));
}
