//! The two requests that are made for every few messages, and the responses to them, as they are on the wire.
//!
//! The formats are those of [ReceiveMessage](https://docs.aws.amazon.com/AWSSimpleQueueService/latest/APIReference/API_ReceiveMessage.html)
//! and [DeleteMessageBatch](https://docs.aws.amazon.com/AWSSimpleQueueService/latest/APIReference/API_DeleteMessageBatch.html).

use std::borrow::Cow;
use std::collections::HashMap;

use aws_smithy_types::base64;
use serde::{Deserialize, Serialize};

use super::parts::{attribute, timestamp};
use crate::queue::{Message, Receipt, Receive, Rejected};

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
        sent_at: system.sent_timestamp.as_deref().and_then(timestamp),
        first_received_at: system.approximate_first_receive_timestamp.as_deref().and_then(timestamp),
        receive_count,
        attributes: attributes
            .into_iter()
            .filter_map(|(name, Attribute { data_type, string_value, binary_value })| {
                let bytes = binary_value.and_then(|text| base64::decode(text.as_ref()).ok());
                Some((name, attribute(data_type, string_value, bytes)?))
            })
            .collect(),
    })
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::super::parts::has_all_parts;
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
        has_all_parts(&read);
        assert_eq!(read.body, "{\"a\": \"\u{e9}\"}");
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
