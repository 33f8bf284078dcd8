//! The two requests that are made for every few messages, and the responses to them, as they are on the wire.
//!
//! The formats are those of [ReceiveMessage](https://docs.aws.amazon.com/AWSSimpleQueueService/latest/APIReference/API_ReceiveMessage.html)
//! and [DeleteMessageBatch](https://docs.aws.amazon.com/AWSSimpleQueueService/latest/APIReference/API_DeleteMessageBatch.html).

use std::borrow::Cow;
use std::collections::HashMap;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::queue::{AttributeValue, Message, MessageAttribute, Receipt, Receive, Rejected};

#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
struct ReceiveMessage<'a> {
    queue_url: &'a str,
    max_number_of_messages: usize,
    wait_time_seconds: u64,
    visibility_timeout: u64,
    message_system_attribute_names: [&'a str; 1],
    message_attribute_names: [&'a str; 1],
}

#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
struct DeleteMessageBatch<'a> {
    queue_url: &'a str,
    entries: Vec<DeleteEntry<'a>>,
}

#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
struct DeleteEntry<'a> {
    id: String,
    receipt_handle: &'a str,
}

/// Returns the body of a `ReceiveMessage`.
pub(super) fn receive(queue_url: &str, request: Receive) -> String {
    json(&ReceiveMessage {
        queue_url,
        max_number_of_messages: request.max,
        wait_time_seconds: request.wait.as_secs(),
        visibility_timeout: request.visibility.as_secs(),
        message_system_attribute_names: ["All"],
        message_attribute_names: ["All"],
    })
}

/// Returns the body of a `DeleteMessageBatch`. The id of an entry is its index.
pub(super) fn delete(queue_url: &str, receipts: &[Receipt]) -> String {
    let entries = receipts.iter().enumerate();
    let entries = entries
        .map(|(index, receipt)| DeleteEntry { id: index.to_string(), receipt_handle: receipt.handle() });
    json(&DeleteMessageBatch { queue_url, entries: entries.collect() })
}

/// Writes a value of this file's own types, whose keys are strings.
fn json(value: &impl Serialize) -> String {
    serde_json::to_string(value).unwrap_or_default()
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Received<'a> {
    #[serde(borrow, default)]
    messages: Option<Vec<SqsMessage<'a>>>,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct SqsMessage<'a> {
    message_id: Option<String>,
    receipt_handle: Option<String>,
    body: Option<String>,
    #[serde(borrow, default)]
    attributes: Option<SystemAttributes<'a>>,
    message_attributes: Option<HashMap<String, Attribute<'a>>>,
}

#[derive(Default, Deserialize)]
#[serde(rename_all = "PascalCase")]
struct SystemAttributes<'a> {
    #[serde(rename = "AWSTraceHeader")]
    trace_header: Option<String>,
    #[serde(borrow)]
    sent_timestamp: Option<Cow<'a, str>>,
    #[serde(borrow)]
    approximate_receive_count: Option<Cow<'a, str>>,
    #[serde(borrow)]
    approximate_first_receive_timestamp: Option<Cow<'a, str>>,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Attribute<'a> {
    data_type: String,
    string_value: Option<String>,
    #[serde(borrow)]
    binary_value: Option<Cow<'a, str>>,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Deleted {
    #[serde(default)]
    failed: Option<Vec<FailedEntry>>,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct FailedEntry {
    id: String,
    code: String,
    sender_fault: bool,
}

/// Reads the response to a `ReceiveMessage`. `None` if it has another shape.
pub(super) fn messages(response: &[u8]) -> Option<Vec<Message>> {
    let received: Received<'_> = serde_json::from_slice(response).ok()?;
    Some(received.messages.unwrap_or_default().into_iter().filter_map(message).collect())
}

/// Reads the response to a `DeleteMessageBatch`. `None` if it has another shape.
pub(super) fn rejected(response: &[u8]) -> Option<Vec<Rejected>> {
    let deleted: Deleted = serde_json::from_slice(response).ok()?;
    let rejected = |FailedEntry { id, code, sender_fault }| {
        Some(Rejected { index: id.parse().ok()?, code, sender_fault })
    };
    Some(deleted.failed.unwrap_or_default().into_iter().filter_map(rejected).collect())
}

/// Converts a message. Returns `None` for one without an id, a receipt handle or a body, which SQS never returns and
/// the consumer could not settle.
fn message(message: SqsMessage<'_>) -> Option<Message> {
    let system = message.attributes.unwrap_or_default();
    let receive_count = system.approximate_receive_count.and_then(|count| count.parse().ok()).unwrap_or(1);
    let attributes = message.message_attributes.unwrap_or_default();
    Some(Message {
        receipt: Receipt::new(message.message_id?, message.receipt_handle?),
        body: message.body?,
        trace_header: system.trace_header,
        sent_at: timestamp(system.sent_timestamp),
        first_received_at: timestamp(system.approximate_first_receive_timestamp),
        receive_count,
        attributes: attributes
            .into_iter()
            .filter_map(|(name, value)| Some((name, attribute(value)?)))
            .collect(),
    })
}

/// Reads a system attribute that holds milliseconds since 1970.
fn timestamp(attribute: Option<Cow<'_, str>>) -> Option<Timestamp> {
    Timestamp::from_millisecond(attribute?.parse().ok()?).ok()
}

fn attribute(attribute: Attribute<'_>) -> Option<MessageAttribute> {
    let value = match (attribute.string_value, attribute.binary_value) {
        (Some(text), _) => AttributeValue::Text(text),
        (None, Some(bytes)) => AttributeValue::Binary(aws_smithy_types::base64::decode(bytes.as_ref()).ok()?),
        (None, None) => return None,
    };
    Some(MessageAttribute { data_type: attribute.data_type, value })
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn reads_all_parts_of_a_message() {
        let response = json!({"Messages": [{
            "MessageId": "m", "ReceiptHandle": "h", "Body": "{\"a\": \"\u{e9}\"}", "MD5OfBody": "x",
            "Attributes": {"AWSTraceHeader": "Root=1", "SentTimestamp": "1700000000123", "SenderId": "s",
                "ApproximateFirstReceiveTimestamp": "1700000000456", "ApproximateReceiveCount": "3"},
            "MessageAttributes": {
                "channel": {"DataType": "String", "StringValue": "email"},
                "bytes": {"DataType": "Binary", "BinaryValue": "AQ=="},
                "none": {"DataType": "String"},
            },
        }]});
        let read = messages(response.to_string().as_bytes()).unwrap().remove(0);
        assert_eq!((read.receipt.message_id(), read.receipt.handle()), ("m", "h"));
        assert_eq!(read.body, "{\"a\": \"\u{e9}\"}");
        assert_eq!(read.trace_header.as_deref(), Some("Root=1"));
        assert_eq!(read.sent_at.unwrap().as_millisecond(), 1_700_000_000_123);
        assert_eq!(read.first_received_at.unwrap().as_millisecond(), 1_700_000_000_456);
        assert_eq!(read.receive_count, 3);
        assert!(read.attributes["channel"].value == AttributeValue::Text("email".into()));
        assert!(read.attributes["bytes"].value == AttributeValue::Binary(vec![1]));
        assert!(!read.attributes.contains_key("none"));
    }

    #[test]
    fn a_message_without_attributes_is_a_first_delivery_and_one_that_cannot_be_settled_is_skipped() {
        let response =
            br#"{"Messages":[{"MessageId":"m","ReceiptHandle":"h","Body":"{}"},{"MessageId":"n"}]}"#;
        let read = messages(response).unwrap();
        assert_eq!(read.len(), 1);
        assert_eq!((read[0].receive_count, read[0].sent_at, &read[0].trace_header), (1, None, &None));
    }

    #[test]
    fn an_empty_response_has_nothing_and_another_shape_is_refused() {
        assert!(messages(b"{}").unwrap().is_empty());
        assert!(messages(br#"{"Messages":null}"#).unwrap().is_empty());
        assert!(messages(b"<html>").is_none() && rejected(b"").is_none());
        assert!(rejected(br#"{"Successful":[{"Id":"0"}]}"#).unwrap().is_empty());
    }
}
