//! A message as a queue keeps it, and as a consumer receives it.

use std::collections::BTreeMap;
use std::sync::Arc;

use serde_json::{Map, Value, json};
use tokio::time::Instant;
use uuid::Uuid;

use super::deduplication::Sent;
use super::digest;
use super::outgoing::MessageAttributeValue;
use crate::budget::Share;

/// Message attributes in the order of their names, in which their digest is calculated.
pub(super) type Attributes = BTreeMap<String, MessageAttributeValue>;

/// The system attribute that a sender may set.
pub(super) const TRACE_HEADER: &str = "AWSTraceHeader";

#[derive(Debug)]
pub(super) struct Message {
    pub(super) id: Uuid,
    pub(super) body: String,
    pub(super) md5_of_body: [u8; 16],
    pub(super) attributes: Attributes,
    pub(super) trace_header: Option<String>,
    pub(super) sender_id: Arc<str>,
    pub(super) group_id: Option<Arc<str>>,
    pub(super) deduplication_id: Option<String>,
    pub(super) sequence_number: Option<u64>,
    /// When it was sent, in milliseconds since the epoch.
    pub(super) sent: i64,
    /// When it was sent, for its retention.
    pub(super) since: Instant,
    /// When it was first received, in milliseconds since the epoch.
    pub(super) first_received: Option<i64>,
    /// How often it was received, in every queue that it was in.
    pub(super) receive_count: u32,
    pub(super) dead_letter_source: Option<Arc<str>>,
    /// The memory that it takes.
    pub(super) _share: Share,
}

impl Message {
    pub(super) fn as_sent(&self) -> Sent {
        Sent { message_id: self.id, sequence_number: self.sequence_number.unwrap_or_default() }
    }

    /// Makes it a new message with the same content, as if sent at this time.
    pub(super) fn renew(&mut self, sent: i64, since: Instant) {
        self.id = Uuid::new_v4();
        self.sent = sent;
        self.since = since;
        self.first_received = None;
        self.receive_count = 0;
        self.dead_letter_source = None;
    }
}

/// A message that was received: a copy for the consumer.
#[derive(Debug)]
pub(super) struct Received {
    pub(super) receipt_handle: String,
    pub(super) id: Uuid,
    pub(super) body: String,
    pub(super) md5_of_body: [u8; 16],
    pub(super) attributes: Attributes,
    pub(super) system: Map<String, Value>,
}

/// What a consumer wants to know besides the body.
#[derive(Debug, Default)]
pub(super) struct Wanted {
    pub(super) system: Vec<String>,
    pub(super) attributes: Vec<String>,
}

impl Wanted {
    fn system(&self, name: &str) -> bool {
        self.system.iter().any(|wanted| wanted == "All" || wanted == name)
    }

    /// Matches `All`, `.*`, `*`, a name, or a prefix such as `name.*`.
    fn attribute(&self, name: &str) -> bool {
        self.attributes.iter().any(|wanted| {
            wanted == "All"
                || wanted == "*"
                || wanted == name
                || wanted.strip_suffix(".*").is_some_and(|prefix| name.starts_with(prefix))
        })
    }
}

impl Message {
    /// Returns the copy for a consumer.
    pub(super) fn received(&self, receipt_handle: String, wanted: &Wanted) -> Received {
        let attributes = if wanted.attributes.is_empty() {
            Attributes::new()
        } else {
            self.attributes
                .iter()
                .filter(|(name, _)| wanted.attribute(name))
                .map(|(name, value)| (name.clone(), value.clone()))
                .collect()
        };
        Received {
            receipt_handle,
            id: self.id,
            body: self.body.clone(),
            md5_of_body: self.md5_of_body,
            attributes,
            system: if wanted.system.is_empty() { Map::new() } else { self.system(wanted) },
        }
    }

    /// Returns the system attributes that are wanted. All of them are strings.
    fn system(&self, wanted: &Wanted) -> Map<String, Value> {
        let of_group = self.group_id.as_ref().map(ToString::to_string);
        [
            ("SenderId", Some(self.sender_id.to_string())),
            ("SentTimestamp", Some(self.sent.to_string())),
            ("ApproximateReceiveCount", Some(self.receive_count.to_string())),
            ("ApproximateFirstReceiveTimestamp", self.first_received.map(|at| at.to_string())),
            ("SequenceNumber", self.sequence_number.map(sequence_number)),
            ("MessageDeduplicationId", self.deduplication_id.clone()),
            ("MessageGroupId", of_group),
            (TRACE_HEADER, self.trace_header.clone()),
            ("DeadLetterQueueSourceArn", self.dead_letter_source.as_ref().map(ToString::to_string)),
        ]
        .into_iter()
        .filter(|(name, _)| wanted.system(name))
        .filter_map(|(name, value)| Some((name.to_owned(), Value::String(value?))))
        .collect()
    }
}

/// Returns a sequence number as SQS writes it: 20 digits.
pub(super) fn sequence_number(number: u64) -> String {
    format!("{number:020}")
}

impl Received {
    pub(super) fn into_json(self) -> Value {
        // Without `json!`, which copies what it is given.
        let mut json = Map::new();
        let mut put = |name: &str, value: Value| json.insert(name.to_owned(), value);
        put("MessageId", self.id.to_string().into());
        put("ReceiptHandle", self.receipt_handle.into());
        put("MD5OfBody", hex::encode(self.md5_of_body).into());
        put("Body", self.body.into());
        if !self.system.is_empty() {
            put("Attributes", self.system.into());
        }
        if let Some(md5) = digest::of_attributes(&self.attributes) {
            put("MD5OfMessageAttributes", md5.into());
            put("MessageAttributes", json!(self.attributes));
        }
        Value::Object(json)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn attributes_are_selected_by_name_prefix_or_wildcard() {
        let matches = |wanted: &str, name: &str| {
            Wanted { attributes: vec![wanted.to_owned()], ..Wanted::default() }.attribute(name)
        };
        for wildcard in ["All", "*", ".*"] {
            assert!(matches(wildcard, "Help.Me"), "{wildcard}");
        }
        assert!(matches("Hel.*", "Hello") && matches("Hel.*", "Help.Me") && matches("Hello", "Hello"));
        assert!(!matches("Help", "Help.Me") && !matches("..foo", "foo") && !matches("Hel.*", "General"));
    }
}
