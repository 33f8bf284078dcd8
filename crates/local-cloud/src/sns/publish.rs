//! Publishing: a message to every subscribed queue whose filter policy matches.

use std::collections::HashMap;
use std::net::SocketAddr;
use std::sync::Arc;

use rustack_sns_core::delivery::{EnvelopeParams, build_sns_envelope};
use rustack_sns_core::filter::{evaluate_filter_policy, resolve_protocol_message};
use rustack_sns_core::provider::RustackSns;
use rustack_sns_model::error::SnsError;
use rustack_sns_model::types::{MessageAttributeValue, PublishBatchRequestEntry};
use uuid::Uuid;

use super::redrive::Redrive;
use super::size::{MAX_BYTES, size_of};
use super::subscriptions::{Cache, Subscription, Subscriptions};
use crate::settings::Settings;
use crate::sqs::{MessageAttributeValue as QueueAttributeValue, Outgoing, Queues};

type Attributes = HashMap<String, MessageAttributeValue>;

/// All topics; cheap to clone.
#[derive(Clone, Debug)]
pub(super) struct Topics(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    engine: Arc<RustackSns>,
    queues: Queues,
    cache: Cache,
    redrive: Redrive,
    region: String,
    address: SocketAddr,
}

impl Topics {
    pub(super) fn new(
        engine: Arc<RustackSns>,
        queues: Queues,
        settings: &Settings,
        address: SocketAddr,
    ) -> Self {
        let region = settings.region.clone();
        Self(Arc::new(Inner {
            engine,
            queues,
            cache: Cache::default(),
            redrive: Redrive::default(),
            region,
            address,
        }))
    }

    pub(super) fn forget_subscriptions(&self) {
        self.0.cache.forget();
    }

    pub(super) fn subscriptions(&self, topic: &str) -> Result<Subscriptions, SnsError> {
        self.0.cache.of(&self.0.engine, topic)
    }

    pub(super) fn set_redrive_policy(&self, subscription: &str, policy: &str) -> Result<(), SnsError> {
        self.0.redrive.set(subscription, policy)
    }

    /// Delivers to every subscribed queue, then returns the message's id. An undeliverable message goes to the
    /// subscription's dead-letter queue; without one it is lost, as on AWS, and that is logged.
    pub(super) async fn publish(
        &self,
        topic: &str,
        entry: PublishBatchRequestEntry,
        trace_header: Option<String>,
    ) -> Result<String, SnsError> {
        check(&entry)?;
        let subscriptions = self.subscriptions(topic)?;
        let message_id = Uuid::new_v4().to_string();
        let text = text_for_queues(&entry)?;
        for subscription in subscriptions.iter() {
            if !passes(subscription, &entry.message_attributes, &text) {
                continue;
            }
            let mut message = if subscription.raw {
                Outgoing {
                    body: text.clone(),
                    attributes: to_queue(&entry.message_attributes),
                    ..Outgoing::default()
                }
            } else {
                Outgoing { body: self.envelope(topic, &message_id, &entry, &text)?, ..Outgoing::default() }
            };
            message.trace_header.clone_from(&trace_header);
            let Err(error) = self.0.queues.send_to(&subscription.queue_arn, message.clone()).await else {
                continue;
            };
            let dead_lettered = match self.0.redrive.of(&subscription.arn) {
                Some(dead_letter_queue) => self.0.queues.send_to(&dead_letter_queue, message).await.is_ok(),
                None => false,
            };
            if !dead_lettered {
                tracing::warn!(
                    subscription = subscription.arn,
                    queue = subscription.queue_arn,
                    code = error.shown_code(),
                    "a message could not be delivered to a subscribed queue"
                );
            }
        }
        Ok(message_id)
    }

    fn envelope(
        &self,
        topic: &str,
        message_id: &str,
        entry: &PublishBatchRequestEntry,
        text: &str,
    ) -> Result<String, SnsError> {
        build_sns_envelope(&EnvelopeParams {
            message_id,
            topic_arn: topic,
            subject: entry.subject.as_deref(),
            message: text,
            message_attributes: &with_binaries_as_text(&entry.message_attributes),
            region: &self.0.region,
            host: &self.0.address.ip().to_string(),
            port: self.0.address.port(),
        })
        .map_err(|error| SnsError::internal_error(error.to_string()))
    }
}

fn check(entry: &PublishBatchRequestEntry) -> Result<(), SnsError> {
    if entry.message.is_empty() {
        return Err(SnsError::invalid_parameter("Invalid parameter: Empty message"));
    }
    if size_of(entry) > MAX_BYTES {
        return Err(SnsError::invalid_parameter("Invalid parameter: Message too long"));
    }
    Ok(())
}

/// Returns the text of the message: with the `MessageStructure` `json`, the one meant for queues or the default one.
fn text_for_queues(entry: &PublishBatchRequestEntry) -> Result<String, SnsError> {
    match entry.message_structure.as_deref() {
        Some("json") => resolve_protocol_message(&entry.message, "sqs"),
        _ => Ok(entry.message.clone()),
    }
}

fn passes(subscription: &Subscription, attributes: &Attributes, text: &str) -> bool {
    let Some((policy, scope)) = &subscription.filter else { return true };
    // An error means that a filter on the body cannot read it; AWS does not deliver such a message either.
    evaluate_filter_policy(policy, scope, attributes, text).unwrap_or(false)
}

/// Converts the attributes of a raw message to attributes of the queue's message.
fn to_queue(attributes: &Attributes) -> HashMap<String, QueueAttributeValue> {
    attributes
        .iter()
        .map(|(name, value)| {
            let value = QueueAttributeValue {
                data_type: value.data_type.clone(),
                string_value: value.string_value.clone(),
                binary_value: value.binary_value.clone(),
            };
            (name.clone(), value)
        })
        .collect()
}

/// Moves binary values, which arrived as Base64, to where the envelope writes them as strings.
fn with_binaries_as_text(attributes: &Attributes) -> Attributes {
    let mut attributes = attributes.clone();
    for value in attributes.values_mut() {
        if value.string_value.is_none() {
            value.string_value = value.binary_value.take();
        }
    }
    attributes
}
