//! Publishing to an SNS topic.

use std::collections::HashMap;

use aws_clients::{AwsError, DirectClient, service};
use aws_sdk_sns::Client;
use aws_sdk_sns::config::retry::RetryConfig;
use aws_sdk_sns::types::{MessageAttributeValue, PublishBatchRequestEntry};
use aws_types::request_id::RequestId as _;
use envelope::{Envelope, Metadata};
use opentelemetry::metrics::Meter;
use opentelemetry_semantic_conventions::attribute;
use telemetry::context::{self, Trace};
use tracing_opentelemetry::OpenTelemetrySpanExt as _;
use xray::TraceId;

use crate::batcher::Batcher;
use crate::call::{Answer, Call};
use crate::span::{self, Target};
use crate::{PublishError, Published, PublisherSettings};

/// The most bytes that the messages of one call may have in total, including attributes
/// (<https://docs.aws.amazon.com/sns/latest/api/API_PublishBatch.html>).
const MAX_BYTES: usize = 256 * 1024;
const STRING: &str = "String";

/// Publishes events to one SNS topic, in batches across concurrent callers.
///
/// SNS propagates the trace header of the HTTP request to every message of the batch. Entries of the same sampled trace
/// are therefore sent together where possible, and a call whose entries all belong to one trace carries that header; a
/// mixed one carries none. The event's `metadata.trace` is correct either way. Entries of traces that are not sampled
/// share calls as they come, since SNS charges by the call
/// (<https://docs.aws.amazon.com/sns/latest/dg/sns-batch-api-actions.html>).
///
/// Clones share one queue and one batching task.
#[derive(Clone)]
pub struct TopicPublisher {
    batcher: Batcher<PublishBatch>,
    target: Target,
    topic_arn: String,
}

impl TopicPublisher {
    /// Creates a publisher to the topic `topic_arn`. It starts a task, so it requires a Tokio runtime.
    ///
    /// `client` must be one **without** a tracing interceptor; its retries are disabled for these calls. See
    /// [`EventPublisher::new`](crate::EventPublisher::new) for the reasons.
    #[must_use]
    #[expect(clippy::needless_pass_by_value, reason = "the caller has no more use for it")]
    pub fn new(client: Client, topic_arn: String, settings: PublisherSettings, meter: &Meter) -> Self {
        let name = topic_arn.rsplit(':').next().unwrap_or_default().to_owned();
        let target = Target {
            destination: name.clone(),
            system: "aws.sns",
            service: PublishBatch::SERVICE,
            method: PublishBatch::OPERATION,
            region: client.config().region().map(ToString::to_string),
        };
        let retries_off = client.config().to_builder().retry_config(RetryConfig::disabled());
        let client = DirectClient::untraced(retries_off);
        let call = PublishBatch { client, topic_arn: topic_arn.clone() };
        Self { batcher: Batcher::start(call, &name, settings, meter), target, topic_arn }
    }

    /// Publishes one event with message attributes (name and value, all of type `String`) for the subscriptions'
    /// filters, and waits until the topic has accepted it or publishing has failed.
    ///
    /// Creates the PRODUCER span `send <topic>` under the current span, and writes its header to `metadata.trace`.
    /// Waits while the queue is full. Once queued, the event is sent even if this future is dropped.
    ///
    /// # Errors
    /// [`PublishError`]; the event may be republished under the same id if
    /// [`is_transient`](PublishError::is_transient).
    pub async fn publish(
        &self,
        mut envelope: Envelope,
        attributes: &[(&str, &str)],
    ) -> Result<Published, PublishError> {
        let span = span::start(&self.target, &envelope.metadata);
        span.set_attribute(attribute::AWS_SNS_TOPIC_ARN, self.topic_arn.clone());
        let header = context::header_of(&span);
        if header.is_some() {
            envelope.metadata.trace.clone_from(&header);
        }
        let entry = Message {
            body: envelope.message(),
            attributes: attributes
                .iter()
                .map(|(name, value)| ((*name).to_owned(), (*value).to_owned()))
                .collect(),
            header,
            trace: context::trace_of(&span),
        };
        let size = entry.size();
        self.batcher.publish(entry, size, span, None).await
    }

    /// Sends the spans that an earlier attempt had for these events, marked as in progress: their receivers have them as
    /// parents, and if the attempt's process was killed, they may never have left. `attempt` is the header of the span
    /// in which it published them.
    pub fn stand_in_for(&self, attempt: &str, events: impl IntoIterator<Item = Metadata>) {
        for metadata in events {
            if let Some(span) = span::stand_in(&self.target, &metadata, attempt) {
                span.set_attribute(attribute::AWS_SNS_TOPIC_ARN, self.topic_arn.clone());
            }
        }
    }

    /// Stops accepting events (from other clones too), sends the waiting ones, and returns when the outcome of each is
    /// known: [`PublisherSettings::deadline`] later at the latest.
    pub async fn close(self) {
        self.batcher.close().await;
    }
}

impl std::fmt::Debug for TopicPublisher {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("TopicPublisher").field("target", &self.target).finish_non_exhaustive()
    }
}

/// One pending message.
struct Message {
    body: String,
    attributes: Vec<(String, String)>,
    header: Option<String>,
    trace: Option<Trace>,
}

impl Message {
    fn root(&self) -> Option<TraceId> {
        self.trace.map(|trace| trace.id)
    }

    /// Returns the message's bytes as SNS counts them: the body, and each attribute with its name and type
    /// (<https://docs.aws.amazon.com/sns/latest/dg/sns-message-attributes.html>).
    fn size(&self) -> usize {
        let attributes = self.attributes.iter().map(|(name, value)| name.len() + STRING.len() + value.len());
        self.body.len() + attributes.sum::<usize>()
    }

    fn entry(&self, id: usize) -> Result<PublishBatchRequestEntry, AwsError> {
        let invalid = |error| AwsError::unbuildable(PublishBatch::SERVICE, PublishBatch::OPERATION, error);
        let mut attributes = HashMap::with_capacity(self.attributes.len());
        for (name, value) in &self.attributes {
            let value = MessageAttributeValue::builder().data_type(STRING).string_value(value);
            attributes.insert(name.clone(), value.build().map_err(invalid)?);
        }
        PublishBatchRequestEntry::builder()
            .id(id.to_string())
            .message(&self.body)
            .set_message_attributes((!attributes.is_empty()).then_some(attributes))
            .build()
            .map_err(invalid)
    }
}

/// The call behind [`TopicPublisher`].
struct PublishBatch {
    client: DirectClient<Client>,
    topic_arn: String,
}

impl Call for PublishBatch {
    type Entry = Message;

    const MAX_ENTRIES: usize = 10;
    const MAX_BYTES: usize = MAX_BYTES;
    const SERVICE: &'static str = service::SNS;
    const OPERATION: &'static str = "PublishBatch";

    async fn send(&self, messages: &[&Message]) -> Answer {
        let entries: Result<Vec<_>, _> =
            messages.iter().enumerate().map(|(index, message)| message.entry(index)).collect();
        let entries = match entries {
            Ok(entries) => entries,
            Err(error) => return Answer::failed(error),
        };
        let header = common_header(messages).map(str::to_owned);
        let request = self
            .client
            .publish_batch()
            .topic_arn(&self.topic_arn)
            .set_publish_batch_request_entries(Some(entries));
        let output = match self.client.call_in(request, header).await {
            Ok(output) => output,
            Err(error) => return Answer::failed(AwsError::of(Self::SERVICE, Self::OPERATION, error)),
        };
        let request_id = output.request_id().map(str::to_owned);
        let unanswered = || Err(AwsError::unreadable(Self::SERVICE, Self::OPERATION));
        let mut results: Vec<_> = messages.iter().map(|_| unanswered()).collect();
        let place = |id: Option<&str>| id.and_then(|id| id.parse::<usize>().ok());
        for accepted in output.successful() {
            if let Some(result) = place(accepted.id()).and_then(|index| results.get_mut(index)) {
                *result = Ok(accepted.message_id().unwrap_or_default().to_owned());
            }
        }
        for failed in output.failed() {
            if let Some(result) = place(Some(failed.id())).and_then(|index| results.get_mut(index)) {
                let fault = Some(failed.sender_fault());
                let error = AwsError::of_entry(Self::SERVICE, Self::OPERATION, failed.code(), fault);
                *result = Err(error.with_request_id(request_id.clone()));
            }
        }
        Answer { request_id, status: Some(200), outcome: Ok(results) }
    }

    fn groups(&self, messages: &[&Message]) -> Vec<usize> {
        groups(messages)
    }
}

/// Groups the entries of each sampled trace into a separate call; all others, and those that are alone in their trace, share
/// one.
fn groups(messages: &[&Message]) -> Vec<usize> {
    let of_same_trace = |root: TraceId| messages.iter().filter(move |other| other.root() == Some(root));
    let first_of = |root: TraceId| messages.iter().position(|other| other.root() == Some(root));
    messages
        .iter()
        .map(|message| match message.trace.filter(|trace| trace.sampled) {
            Some(Trace { id, .. }) if of_same_trace(id).count() > 1 => {
                first_of(id).map_or(0, |index| index + 1)
            }
            _ => 0,
        })
        .collect()
}

/// Returns the header of the first message if all messages belong to its trace.
fn common_header<'a>(messages: &[&'a Message]) -> Option<&'a str> {
    let first = messages.first()?;
    let root = first.root()?;
    messages.iter().all(|message| message.root() == Some(root)).then_some(first.header.as_deref()).flatten()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn message(root: Option<u8>) -> Message {
        Message {
            body: "body".into(),
            attributes: vec![("channel".into(), "email".into())],
            header: root.map(|root| format!("header {root}")),
            trace: root.map(|root| Trace { id: TraceId::from_bytes([root; 16]), sampled: true }),
        }
    }

    #[test]
    fn attributes_count_with_name_and_type() {
        assert_eq!(message(None).size(), 4 + 7 + 6 + 5);
    }

    #[test]
    fn only_sampled_traces_have_calls_of_their_own() {
        let (one, other, none) = (message(Some(1)), message(Some(2)), message(None));
        let mut unsampled = message(Some(3));
        unsampled.trace.as_mut().unwrap().sampled = false;
        assert_eq!(groups(&[&one, &other, &one, &none]), [1, 0, 1, 0]);
        assert_eq!(groups(&[&unsampled, &one, &unsampled, &one, &none]), [0, 2, 0, 2, 0]);
    }

    #[test]
    fn a_common_header_needs_a_common_trace() {
        let (one, other, none) = (message(Some(1)), message(Some(2)), message(None));
        assert_eq!(common_header(&[&one, &one]), Some("header 1"));
        assert_eq!(common_header(&[&one, &other]), None);
        assert_eq!(common_header(&[&one, &none]), None);
        assert_eq!(common_header(&[&none]), None);
    }
}
