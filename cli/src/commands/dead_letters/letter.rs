//! A message on a dead-letter queue, with its explanation.

use std::collections::HashMap;
use std::sync::Arc;

use aws_sdk_sqs::types::{Message, MessageAttributeValue, MessageSystemAttributeName};
use base64::prelude::{BASE64_STANDARD, Engine as _};
use envelope::Envelope;
use jiff::Timestamp;
use serde_json::{Map, Value, json};
use sqs_consumer::DEAD_LETTER_ATTRIBUTE;
use uuid::Uuid;

use super::queue::{DeadLetterQueue, Kind};

/// The attributes that EventBridge adds to an event it could not deliver
/// (<https://docs.aws.amazon.com/eventbridge/latest/userguide/eb-rule-dlq.html>).
const BY_EVENTBRIDGE: [&str; 6] =
    ["ERROR_CODE", "ERROR_MESSAGE", "EXHAUSTED_RETRY_CONDITION", "RETRY_ATTEMPTS", "RULE_ARN", "TARGET_ARN"];
/// The reason for a message moved by SQS, which gives none.
const TOO_MANY_RECEIVES: &str = "max-receive-count";
/// The reason for an undelivered event without an error code.
const UNDELIVERED: &str = "undelivered";

/// A message of a dead-letter queue.
#[derive(Clone, Debug)]
pub(super) struct Letter {
    pub(super) queue: Arc<DeadLetterQueue>,
    pub(super) receipt_handle: String,
    pub(super) message_id: String,
    pub(super) body: String,
    /// When it was put on the dead-letter queue, or if SQS moved it, on the queue it comes from.
    pub(super) failed_at: Timestamp,
    pub(super) reason: String,
    /// The explanation; empty if there is none.
    pub(super) explanation: Map<String, Value>,
    /// The event in the body, if it is one.
    pub(super) event: Option<Event>,
    /// The native trace header.
    pub(super) trace_header: Option<String>,
    /// The message attributes, except those that explain the letter.
    pub(super) attributes: HashMap<String, MessageAttributeValue>,
}

/// An event without its data.
#[derive(Clone, Debug)]
pub(super) struct Event {
    pub(super) id: Uuid,
    pub(super) kind: String,
    pub(super) customer_number: Option<String>,
}

impl Letter {
    pub(super) fn new(queue: Arc<DeadLetterQueue>, message: Message) -> Self {
        let system = message.attributes.unwrap_or_default();
        let mut attributes = message.message_attributes.unwrap_or_default();
        let body = message.body.unwrap_or_default();
        let explanation = match queue.kind {
            Kind::DeadLetter => by_consumer(&mut attributes),
            Kind::Undelivered => by_eventbridge(&mut attributes),
            Kind::Outbox => by_pipe(&body),
        };
        let reason = text(&explanation, "reason").unwrap_or(match queue.kind {
            Kind::DeadLetter => TOO_MANY_RECEIVES,
            Kind::Undelivered | Kind::Outbox => UNDELIVERED,
        });
        let sent_at = system
            .get(&MessageSystemAttributeName::SentTimestamp)
            .and_then(|ms| ms.parse().ok())
            .and_then(|ms| Timestamp::from_millisecond(ms).ok());
        let event = Envelope::read(&body).ok().map(|received| Event {
            id: received.envelope.metadata.event_id,
            kind: received.envelope.event_type,
            customer_number: received.envelope.customer_number,
        });
        Self {
            receipt_handle: message.receipt_handle.unwrap_or_default(),
            message_id: message.message_id.unwrap_or_default(),
            failed_at: text(&explanation, "failed_at")
                .and_then(|time| time.parse().ok())
                .or(sent_at)
                .unwrap_or(Timestamp::UNIX_EPOCH),
            reason: reason.to_owned(),
            trace_header: system.get(&MessageSystemAttributeName::AwsTraceHeader).cloned(),
            explanation: match explanation {
                Value::Object(members) => members,
                _ => Map::new(),
            },
            queue,
            body,
            event,
            attributes,
        }
    }

    /// Returns the service that did not handle it; for a Pipe's, the table.
    pub(super) fn service(&self) -> &str {
        &self.queue.owner
    }

    /// Whether the service declared that no retry can help.
    pub(super) fn is_permanent(&self) -> bool {
        self.explanation.get("permanent").and_then(Value::as_bool).unwrap_or_default()
    }

    pub(super) fn has_id(&self, id: &str) -> bool {
        self.message_id == id || self.event.as_ref().is_some_and(|event| event.id.to_string() == id)
    }

    /// Whether the other one holds the same message, redriven in between.
    pub(super) fn is_same_message(&self, other: &Self) -> bool {
        self.service() == other.service() && self.body == other.body
    }

    /// Returns the trace that it failed in, as the consumer recorded it or the native header names it.
    pub(super) fn trace_id(&self) -> Option<xray::TraceId> {
        let recorded = self.explanation.get("trace").and_then(Value::as_str).and_then(|id| id.parse().ok());
        recorded.or_else(|| {
            let header: xray::TraceHeader = self.trace_header.as_deref()?.parse().ok()?;
            header.root
        })
    }

    /// Returns everything known about it except its contents.
    pub(super) fn summary(&self) -> Value {
        let event = self.event.as_ref();
        json!({
            "message_id": self.message_id,
            "queue": self.queue.name,
            "service": self.service(),
            "reason": self.reason,
            "permanent": self.is_permanent(),
            "failed_at": self.failed_at.to_string(),
            "trace_id": self.trace_id().map(|id| id.to_string()),
            "event_id": event.map(|event| event.id),
            "event_type": event.map(|event| &event.kind),
            "customer_number": event.map(|event| &event.customer_number),
            "explanation": self.explanation,
        })
    }

    /// Returns the whole message, with everything needed to send it again.
    pub(super) fn whole(&self) -> Value {
        let attributes: Map<_, _> = self
            .attributes
            .iter()
            .map(|(name, value)| {
                let binary = value.binary_value().map(|bytes| BASE64_STANDARD.encode(bytes));
                let value = json!({
                    "DataType": value.data_type(),
                    "StringValue": value.string_value(),
                    "BinaryValue": binary,
                });
                (name.clone(), value)
            })
            .collect();
        let mut whole = self.summary();
        whole["trace_header"] = json!(self.trace_header);
        whole["attributes"] = Value::Object(attributes);
        whole["body"] = json!(self.body);
        whole
    }
}

fn by_consumer(attributes: &mut HashMap<String, MessageAttributeValue>) -> Value {
    let explanation = attributes.remove(DEAD_LETTER_ATTRIBUTE);
    let explanation = explanation.as_ref().and_then(MessageAttributeValue::string_value);
    explanation.and_then(|json| serde_json::from_str(json).ok()).unwrap_or_default()
}

fn by_eventbridge(attributes: &mut HashMap<String, MessageAttributeValue>) -> Value {
    let mut taken: HashMap<_, _> = BY_EVENTBRIDGE
        .into_iter()
        .filter_map(|name| {
            let value = attributes.remove(name)?.string_value?;
            Some((name, value))
        })
        .collect();
    if taken.is_empty() {
        return Value::Null;
    }
    let mut take = |name| taken.remove(name);
    json!({
        "reason": take("ERROR_CODE"),
        "detail": take("ERROR_MESSAGE"),
        "attempts": take("RETRY_ATTEMPTS"),
        "condition": take("EXHAUSTED_RETRY_CONDITION"),
        "rule": take("RULE_ARN"),
    })
}

/// Reads a Pipe's letter, which names records of a stream but does not contain them
/// (<https://docs.aws.amazon.com/eventbridge/latest/userguide/eb-pipes-batching-concurrency.html>).
fn by_pipe(body: &str) -> Value {
    let body: Value = serde_json::from_str(body).unwrap_or_default();
    json!({
        "reason": body["context"]["condition"],
        "attempts": body["context"]["approximateInvokeCount"],
        "records": body["DDBStreamBatchInfo"],
    })
}

fn text<'a>(value: &'a Value, name: &str) -> Option<&'a str> {
    value.get(name).and_then(Value::as_str)
}
