//! The implementation of the queue on SQS.

mod direct;
mod parts;
mod wire;

use std::time::Duration;

use aws_clients::{AwsError, service};
use aws_sdk_sqs::Client;
use aws_sdk_sqs::config::retry::RetryConfig;
use aws_sdk_sqs::config::timeout::TimeoutConfig;
use aws_sdk_sqs::config::{Config, StalledStreamProtectionConfig};
use aws_sdk_sqs::operation::RequestId as _;
use aws_sdk_sqs::primitives::Blob;
use aws_sdk_sqs::types::{
    BatchResultErrorEntry, ChangeMessageVisibilityBatchRequestEntry, DeleteMessageBatchRequestEntry,
    Message as SqsMessage, MessageAttributeValue, MessageSystemAttributeName,
    MessageSystemAttributeNameForSends, MessageSystemAttributeValue,
};
use direct_requests::Direct;

use self::parts::{attribute, timestamp};
use crate::queue::{
    AttributeValue, DeadLetter, Message, Queue, QueueError, Receipt, Receive, Rejected, SentDeadLetter,
    VisibilityChange,
};

const RECEIVE: &str = "ReceiveMessage";
const DELETE: &str = "DeleteMessageBatch";
const CHANGE: &str = "ChangeMessageVisibilityBatch";
const SEND: &str = "SendMessage";

/// The longest that SQS waits for messages
/// ([ReceiveMessage](https://docs.aws.amazon.com/AWSSimpleQueueService/latest/APIReference/API_ReceiveMessage.html)).
const MAX_WAIT: Duration = Duration::from_secs(20);

/// How long a call may take beyond the time it waits for messages: generous for SQS, and short enough to retry an entry
/// before its message's visibility timeout ends.
const CALL_TIMEOUT: Duration = Duration::from_secs(5);

/// A queue and its dead-letter queue on SQS.
///
/// The client must be built *without* a tracing interceptor: receives, deletes and visibility changes are recorded as
/// metrics, not spans, and the consumer creates the span of a dead letter itself.
///
/// Until a receive or delete succeeds, the client makes them. Further ones are the same requests without the SDK's machinery,
/// which would be most of what they cost: they go to the same endpoint over the same connections, with the same credentials
/// and headers, but pass no interceptor. After one fails, the client makes them again until one succeeds.
#[derive(Clone, Debug)]
pub struct SqsQueue {
    /// For calls that are answered at once.
    client: Client,
    /// For receives that wait. Overriding the configuration for each call would be a tenth of what the call costs.
    waiting: Client,
    /// For receives and deletes, which are made for every few messages, once the SDK has shown the way.
    direct: Direct,
    url: String,
    dead_letter_url: String,
}

impl SqsQueue {
    /// Creates the queue at `queue_url` with its dead-letter queue.
    #[must_use]
    #[expect(clippy::needless_pass_by_value, reason = "the caller has no more use for it")]
    pub fn new(
        client: Client,
        queue_url: impl Into<String>,
        dead_letter_queue_url: impl Into<String>,
    ) -> Self {
        let direct = Direct::default();
        let within = |limit| Client::from_conf(configured(&client, limit, &direct));
        Self {
            waiting: within(MAX_WAIT + CALL_TIMEOUT),
            client: within(CALL_TIMEOUT),
            direct,
            url: queue_url.into(),
            dead_letter_url: dead_letter_queue_url.into(),
        }
    }

    /// Whether the next receive or delete repeats a request of the SDK with another body and signature.
    #[must_use]
    pub fn repeats_requests(&self) -> bool {
        self.direct.is_ready()
    }
}

/// Calls are made in boxes: their futures are large, and the futures around them are moved several times.
impl Queue for SqsQueue {
    fn name(&self) -> &str {
        name_in(&self.url)
    }

    fn url(&self) -> &str {
        &self.url
    }

    fn region(&self) -> Option<&str> {
        self.client.config().region().map(AsRef::as_ref)
    }

    fn dead_letter_name(&self) -> &str {
        name_in(&self.dead_letter_url)
    }

    fn dead_letter_url(&self) -> &str {
        &self.dead_letter_url
    }

    async fn receive(&self, request: Receive) -> Result<Vec<Message>, QueueError> {
        let (client, limit) = if request.wait.is_zero() {
            (&self.client, CALL_TIMEOUT)
        } else {
            (&self.waiting, MAX_WAIT + CALL_TIMEOUT)
        };
        let body = || wire::receive(&self.url, request);
        if let Some(received) =
            Box::pin(direct::call(&self.direct, RECEIVE, body, limit, wire::messages)).await
        {
            return Ok(received?);
        }
        let call = client
            .receive_message()
            .queue_url(&self.url)
            .max_number_of_messages(number(request.max as u64))
            .wait_time_seconds(number(request.wait.as_secs()))
            .visibility_timeout(number(request.visibility.as_secs()))
            .message_system_attribute_names(MessageSystemAttributeName::All)
            .message_attribute_names("All");
        let output = Box::pin(call.send()).await;
        let output = output.map_err(|error| AwsError::of(service::SQS, RECEIVE, error))?;
        Ok(output.messages.unwrap_or_default().into_iter().filter_map(message).collect())
    }

    async fn delete(&self, receipts: &[Receipt]) -> Result<Vec<Rejected>, QueueError> {
        if receipts.is_empty() {
            return Ok(Vec::new());
        }
        let body = || wire::delete(&self.url, receipts);
        if let Some(deleted) =
            Box::pin(direct::call(&self.direct, DELETE, body, CALL_TIMEOUT, wire::rejected)).await
        {
            return Ok(deleted?);
        }
        let mut call = self.client.delete_message_batch().queue_url(&self.url);
        for (index, receipt) in receipts.iter().enumerate() {
            let entry = DeleteMessageBatchRequestEntry::builder()
                .id(index.to_string())
                .receipt_handle(receipt.handle())
                .build()
                .map_err(|error| AwsError::unbuildable(service::SQS, DELETE, error))?;
            call = call.entries(entry);
        }
        let output = Box::pin(call.send()).await;
        Ok(rejected(output.map_err(|error| AwsError::of(service::SQS, DELETE, error))?.failed))
    }

    async fn change_visibility(&self, changes: &[VisibilityChange]) -> Result<Vec<Rejected>, QueueError> {
        if changes.is_empty() {
            return Ok(Vec::new());
        }
        let mut call = self.client.change_message_visibility_batch().queue_url(&self.url);
        for (index, change) in changes.iter().enumerate() {
            let entry = ChangeMessageVisibilityBatchRequestEntry::builder()
                .id(index.to_string())
                .receipt_handle(change.receipt.handle())
                .visibility_timeout(number(change.timeout.as_secs()))
                .build()
                .map_err(|error| AwsError::unbuildable(service::SQS, CHANGE, error))?;
            call = call.entries(entry);
        }
        let output = Box::pin(call.send()).await;
        Ok(rejected(output.map_err(|error| AwsError::of(service::SQS, CHANGE, error))?.failed))
    }

    async fn send_dead_letter(&self, letter: DeadLetter) -> Result<SentDeadLetter, QueueError> {
        let invalid = |error| AwsError::unbuildable(service::SQS, SEND, error);
        let (body, trace_header, attributes) = letter.into_parts();
        let mut call = self.client.send_message().queue_url(&self.dead_letter_url).message_body(body);
        for (name, attribute) in attributes {
            let builder = MessageAttributeValue::builder().data_type(attribute.data_type);
            let value = match attribute.value {
                AttributeValue::Text(text) => builder.string_value(text),
                AttributeValue::Binary(bytes) => builder.binary_value(Blob::new(bytes)),
            };
            call = call.message_attributes(name, value.build().map_err(invalid)?);
        }
        if let Some(header) = trace_header {
            let value =
                MessageSystemAttributeValue::builder().data_type("String").string_value(header).build();
            call = call.message_system_attributes(
                MessageSystemAttributeNameForSends::AwsTraceHeader,
                value.map_err(invalid)?,
            );
        }
        let output = Box::pin(call.send()).await;
        let output = output.map_err(|error| AwsError::of(service::SQS, SEND, error))?;
        let request_id = output.request_id().map(str::to_owned);
        Ok(SentDeadLetter { message_id: output.message_id, request_id })
    }
}

/// Returns the client's configuration for calls that make a single request and take at most `limit`. The SDK's retries are
/// off: the consumer's own take batches and the shutdown into account.
fn configured(client: &Client, limit: Duration, direct: &Direct) -> Config {
    // One limit for the call, which is a single attempt: each further one would be a timer.
    let timeouts = TimeoutConfig::builder()
        .operation_timeout(limit)
        .disable_operation_attempt_timeout()
        .disable_read_timeout();
    let config = client.config().to_builder().timeout_config(timeouts.build()).interceptor(direct.learning());
    // The limit bounds a stalled stream as well.
    let config = config.stalled_stream_protection(StalledStreamProtectionConfig::disabled());
    config.retry_config(RetryConfig::disabled()).build()
}

/// Returns the last part of a queue's URL, `https://sqs.<region>.amazonaws.com/<account>/<name>`.
fn name_in(url: &str) -> &str {
    url.trim_end_matches('/').rsplit('/').next().unwrap_or(url)
}

/// Converts a number, which is small by SQS's own limits.
fn number(number: u64) -> i32 {
    i32::try_from(number).unwrap_or(i32::MAX)
}

/// Converts a message. Returns `None` for one without an id, a receipt handle or a body, which SQS never returns and
/// the consumer could not settle.
fn message(message: SqsMessage) -> Option<Message> {
    let SqsMessage { message_id, receipt_handle, body, attributes, message_attributes, .. } = message;
    let mut system = attributes.unwrap_or_default();
    let time = |name| system.get(name).and_then(|text: &String| timestamp(text));
    let receive_count = system
        .get(&MessageSystemAttributeName::ApproximateReceiveCount)
        .and_then(|count| count.parse().ok())
        .unwrap_or(1);
    Some(Message {
        receipt: Receipt::new(message_id?, receipt_handle?),
        body: body?,
        sent_at: time(&MessageSystemAttributeName::SentTimestamp),
        first_received_at: time(&MessageSystemAttributeName::ApproximateFirstReceiveTimestamp),
        trace_header: system.remove(&MessageSystemAttributeName::AwsTraceHeader),
        receive_count,
        attributes: message_attributes
            .unwrap_or_default()
            .into_iter()
            .filter_map(|(name, MessageAttributeValue { data_type, string_value, binary_value, .. })| {
                Some((name, attribute(data_type, string_value, binary_value.map(Blob::into_inner))?))
            })
            .collect(),
    })
}

fn rejected(entries: Vec<BatchResultErrorEntry>) -> Vec<Rejected> {
    entries
        .into_iter()
        .filter_map(|entry| {
            let index = entry.id.parse().ok()?;
            Some(Rejected { index, code: entry.code, sender_fault: entry.sender_fault })
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::parts::has_all_parts;
    use super::*;

    #[test]
    fn a_queue_is_named_by_the_end_of_its_url() {
        assert_eq!(
            name_in("http://127.0.0.1:4566/000000000000/foostore-local-email"),
            "foostore-local-email"
        );
        assert_eq!(name_in("plain"), "plain");
    }

    #[test]
    fn reads_all_parts_of_a_message() {
        let text =
            MessageAttributeValue::builder().data_type("String").string_value("email").build().unwrap();
        let bytes = MessageAttributeValue::builder()
            .data_type("Binary")
            .binary_value(Blob::new([1]))
            .build()
            .unwrap();
        let read = message(
            SqsMessage::builder()
                .message_id("m")
                .receipt_handle("h")
                .body("{}")
                .attributes(MessageSystemAttributeName::AwsTraceHeader, "Root=1")
                .attributes(MessageSystemAttributeName::SentTimestamp, "1700000000123")
                .attributes(MessageSystemAttributeName::ApproximateFirstReceiveTimestamp, "1700000000456")
                .attributes(MessageSystemAttributeName::ApproximateReceiveCount, "3")
                .message_attributes("channel", text)
                .message_attributes("bytes", bytes)
                .build(),
        )
        .unwrap();
        has_all_parts(&read);
    }

    #[test]
    fn a_message_without_attributes_is_a_first_delivery() {
        let bare = SqsMessage::builder().message_id("m").receipt_handle("h").body("{}").build();
        let read = message(bare).unwrap();
        assert_eq!((read.receive_count, read.sent_at, read.trace_header), (1, None, None));
    }
}
