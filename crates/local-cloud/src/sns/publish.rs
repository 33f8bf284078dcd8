//! Publishing: a message to every subscribed queue whose filter policy it passes.

use std::collections::HashMap;
use std::fmt::Write as _;
use std::sync::Arc;

use jiff::{Timestamp, Unit};
use sha2::{Digest as _, Sha256};
use tokio::sync::Mutex;
use tokio::time::Instant;
use uuid::Uuid;

use super::attributes::{Attributes, Content};
use super::envelope::Envelope;
use super::errors::invalid_parameter;
use super::fifo::{Order, Receipt};
use super::message::Message;
use super::registry::Registry;
use super::subscription::Subscription;
use super::topic::Topic;
use crate::reply::AwsError;
use crate::sqs::{MessageAttributeValue, Outgoing, Queues};

/// A handle to publish to topics; cheap to clone.
#[derive(Clone, Debug)]
pub(crate) struct Publisher {
    registry: Registry,
    queues: Queues,
    endpoint: Arc<str>,
}

/// A topic at the moment of publishing.
struct Target {
    arn: String,
    signature_version: String,
    subscriptions: Vec<Arc<Subscription>>,
    fifo: Option<Fifo>,
}

struct Fifo {
    order: Arc<Mutex<Order>>,
    by_content: bool,
    in_groups: bool,
}

impl Publisher {
    pub(super) fn new(registry: Registry, queues: Queues, endpoint: &Arc<str>) -> Self {
        Self { registry, queues, endpoint: Arc::clone(endpoint) }
    }

    /// Publishes an event as the message, as EventBridge does with a topic as its target.
    pub(crate) async fn publish_event(
        &self,
        topic_arn: &str,
        event: String,
        trace_header: Option<String>,
    ) -> Result<(), AwsError> {
        let message = Message::plain(event)?;
        message.check_size()?;
        self.publish(topic_arn, &message, trace_header).await.map(drop)
    }

    /// Checks messages against their topic, so that a batch is refused before any of it is published.
    pub(super) fn check(&self, topic_arn: &str, messages: &[Message]) -> Result<(), AwsError> {
        let target = self.registry.with_topic(topic_arn, Target::new)?;
        messages.iter().try_for_each(|message| target.check(message))
    }

    /// Delivers to every subscribed queue, then returns the receipt. An undeliverable message goes to the subscription's
    /// dead-letter queue; without one it is lost, as on AWS, and that is logged.
    pub(super) async fn publish(
        &self,
        topic_arn: &str,
        message: &Message,
        trace_header: Option<String>,
    ) -> Result<Receipt, AwsError> {
        let target = self.registry.with_topic(topic_arn, Target::new)?;
        target.check(message)?;
        let message_id = Uuid::new_v4().to_string();
        let Some(fifo) = &target.fifo else {
            let receipt = Receipt { message_id, sequence_number: None };
            self.deliver(&target, message, &receipt, None, trace_header).await;
            return Ok(receipt);
        };
        let deduplication_id = message.deduplication_id.clone().unwrap_or_else(|| sha256(&message.published));
        let key = fifo.key(&deduplication_id, message);
        // Held until every queue has the message, so that all queues have all messages in the same order.
        let mut order = fifo.order.lock().await;
        if let Some(earlier) = order.earlier(&key, Instant::now()) {
            return Ok(earlier);
        }
        let receipt = order.next(key, message_id, Instant::now(), &self.registry.budget);
        self.deliver(&target, message, &receipt, Some(deduplication_id), trace_header).await;
        Ok(receipt)
    }

    async fn deliver(
        &self,
        target: &Target,
        message: &Message,
        receipt: &Receipt,
        deduplication_id: Option<String>,
        trace_header: Option<String>,
    ) {
        let timestamp = timestamp();
        for subscription in &target.subscriptions {
            if subscription.filter.as_ref().is_some_and(|filter| !filter.passes(message)) {
                continue;
            }
            let mut outgoing = if subscription.raw {
                let attributes = to_queue(&message.attributes);
                Outgoing { body: message.text.clone(), attributes, ..Outgoing::default() }
            } else {
                let envelope = Envelope {
                    message_id: &receipt.message_id,
                    sequence_number: receipt.sequence_number.as_deref(),
                    topic_arn: &target.arn,
                    subscription_arn: &subscription.arn(),
                    signature_version: &target.signature_version,
                    timestamp: &timestamp,
                    endpoint: &self.endpoint,
                };
                Outgoing { body: envelope.to_json(message), ..Outgoing::default() }
            };
            outgoing.trace_header.clone_from(&trace_header);
            // A standard queue gets the group of a standard topic's message, and nothing from a FIFO topic.
            if subscription.is_fifo() || target.fifo.is_none() {
                outgoing.group_id.clone_from(&message.group_id);
                outgoing.deduplication_id.clone_from(&deduplication_id);
            }
            self.send(subscription, outgoing).await;
        }
    }

    async fn send(&self, subscription: &Subscription, message: Outgoing) {
        let Err(error) = self.queues.send_to(&subscription.endpoint, message.clone()).await else {
            return;
        };
        let dead_lettered = match &subscription.redrive {
            Some(redrive) => self.queues.send_to(&redrive.queue, message).await.is_ok(),
            None => false,
        };
        if !dead_lettered {
            tracing::warn!(
                subscription = subscription.arn(),
                queue = subscription.endpoint,
                code = error.shown_code(),
                "a message could not be delivered to a subscribed queue"
            );
        }
    }
}

impl Target {
    fn new(topic: &Topic) -> Self {
        Self {
            arn: topic.arn.clone(),
            signature_version: topic.signature_version().to_owned(),
            subscriptions: topic.subscriptions.values().cloned().collect(),
            fifo: topic.order.as_ref().map(|order| Fifo {
                order: Arc::clone(order),
                by_content: topic.deduplicates_by_content(),
                in_groups: topic.deduplicates_in_groups(),
            }),
        }
    }

    /// Checks what a FIFO topic requires and another forbids (SNS API reference, `Publish`).
    fn check(&self, message: &Message) -> Result<(), AwsError> {
        let reason = match &self.fifo {
            Some(_) if message.group_id.is_none() => {
                "The MessageGroupId parameter is required for FIFO topics"
            }
            Some(fifo) if !fifo.by_content && message.deduplication_id.is_none() => {
                "The topic should either have ContentBasedDeduplication enabled or MessageDeduplicationId provided \
                 explicitly"
            }
            None if message.deduplication_id.is_some() => {
                "MessageDeduplicationId Reason: The request includes MessageDeduplicationId parameter that is not \
                 valid for this topic type"
            }
            _ => return Ok(()),
        };
        Err(invalid_parameter(reason))
    }
}

impl Fifo {
    /// Returns what two messages have in common of which the later is a duplicate.
    fn key(&self, deduplication_id: &str, message: &Message) -> String {
        match &message.group_id {
            // Neither id contains a space.
            Some(group) if self.in_groups => format!("{group} {deduplication_id}"),
            _ => deduplication_id.to_owned(),
        }
    }
}

/// Converts the attributes of a raw message to attributes of the queue's message.
fn to_queue(attributes: &Attributes) -> HashMap<String, MessageAttributeValue> {
    let convert = |(name, attribute): (&String, &super::attributes::Attribute)| {
        let text = Some(attribute.text().to_owned());
        let data_type = attribute.data_type.clone();
        let value = match attribute.content {
            Content::Text(_) => MessageAttributeValue { data_type, string_value: text, binary_value: None },
            Content::Binary { .. } => {
                MessageAttributeValue { data_type, string_value: None, binary_value: text }
            }
        };
        (name.clone(), value)
    };
    attributes.iter().map(convert).collect()
}

fn sha256(text: &str) -> String {
    let mut hex = String::new();
    for byte in Sha256::digest(text) {
        // Writing to a string cannot fail.
        write!(hex, "{byte:02x}").ok();
    }
    hex
}

/// Returns the present as envelopes write it.
fn timestamp() -> String {
    let now = Timestamp::now();
    let now = now.round(Unit::Millisecond).unwrap_or(now);
    format!("{now:.3}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn content_is_identified_by_its_sha_256() {
        assert_eq!(sha256("Test"), "532eaabd9574880dbf76b9b8cc00832c20a6ec113d682299550d7a6e0f345e25");
    }

    #[test]
    fn timestamps_have_milliseconds() {
        let now = timestamp();
        assert_eq!((now.len(), &now[19..20], &now[23..]), (24, ".", "Z"), "{now}");
    }
}
