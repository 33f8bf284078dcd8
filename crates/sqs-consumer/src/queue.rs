//! The queue as the consumer sees it: a small contract over SQS, so that a consumer can run on any implementation.

use std::collections::HashMap;
use std::fmt;
use std::future::Future;
use std::sync::Arc;
use std::time::Duration;

use aws_clients::{AwsError, ErrorClass};
use jiff::Timestamp;
use thiserror::Error;

/// The most entries SQS accepts in a batch, and the most messages it returns from one receive
/// ([quotas](https://docs.aws.amazon.com/AWSSimpleQueueService/latest/SQSDeveloperGuide/quotas-messages.html)).
pub const MAX_BATCH: usize = 10;

/// The longest a message can stay invisible, counted from its receive
/// ([visibility timeout](https://docs.aws.amazon.com/AWSSimpleQueueService/latest/SQSDeveloperGuide/sqs-visibility-timeout.html)).
pub const MAX_VISIBILITY: Duration = Duration::from_hours(12);

/// The highest receive count at which SQS can be configured to move a message to the dead-letter queue
/// ([`maxReceiveCount`](https://docs.aws.amazon.com/AWSSimpleQueueService/latest/SQSDeveloperGuide/sqs-dead-letter-queues.html)):
/// the next one would move it, without a reason.
pub const MAX_RECEIVES: u32 = 1_000;

/// A standard queue with its dead-letter queue.
///
/// Every call is one request: an implementation neither retries nor logs, because the consumer does both. Calls may run
/// concurrently, and they create no spans.
///
/// *Cancellation.* The consumer never drops a [`receive`](Self::receive) while it has time left to wait for it, because
/// messages already in transit would stay invisible until their visibility timeout ends.
pub trait Queue: Send + Sync + 'static {
    /// Returns the queue's name, as it appears in spans, metrics and log lines.
    fn name(&self) -> &str;

    /// Returns the queue's URL.
    fn url(&self) -> &str;

    /// Returns the queue's region, if known.
    fn region(&self) -> Option<&str> {
        None
    }

    /// Returns the dead-letter queue's name.
    fn dead_letter_name(&self) -> &str;

    /// Returns the dead-letter queue's URL.
    fn dead_letter_url(&self) -> &str;

    /// Receives at most `request.max` messages and hides them for `request.visibility`. Waits up to `request.wait` for
    /// the first message (long polling) and returns an empty list when there was none.
    ///
    /// A message carries every system attribute and every message attribute the queue has for it.
    fn receive(&self, request: Receive) -> impl Future<Output = Result<Vec<Message>, QueueError>> + Send;

    /// Deletes messages, at most [`MAX_BATCH`]. An empty slice does nothing. Returns the entries that were refused;
    /// all others are deleted. A message that no longer exists counts as deleted.
    fn delete(&self, receipts: &[Receipt]) -> impl Future<Output = Result<Vec<Rejected>, QueueError>> + Send;

    /// Sets how long messages stay invisible from now on, for at most [`MAX_BATCH`] messages. Zero makes a message
    /// visible at once. An empty slice does nothing. Returns the entries that were refused.
    fn change_visibility(
        &self,
        changes: &[VisibilityChange],
    ) -> impl Future<Output = Result<Vec<Rejected>, QueueError>> + Send;

    /// Sends one message to the dead-letter queue.
    fn send_dead_letter(
        &self,
        letter: DeadLetter,
    ) -> impl Future<Output = Result<SentDeadLetter, QueueError>> + Send;
}

/// The parameters of one receive.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Receive {
    /// The most messages to take, from one to [`MAX_BATCH`].
    pub max: usize,
    /// How long to wait for the first message; whole seconds, at most 20.
    pub wait: Duration,
    /// How long the messages stay invisible; whole seconds.
    pub visibility: Duration,
}

/// A message as it was received. `Debug` omits the body and the attributes, since they may hold personal data.
pub struct Message {
    /// The receipt the message is settled with.
    pub receipt: Receipt,
    /// The body.
    pub body: String,
    /// The system attribute `AWSTraceHeader`.
    pub trace_header: Option<String>,
    /// The system attribute `SentTimestamp`.
    pub sent_at: Option<Timestamp>,
    /// The system attribute `ApproximateFirstReceiveTimestamp`.
    pub first_received_at: Option<Timestamp>,
    /// The system attribute `ApproximateReceiveCount`, at least one.
    pub receive_count: u32,
    /// The message attributes.
    pub attributes: HashMap<String, MessageAttribute>,
}

impl fmt::Debug for Message {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Message")
            .field("receipt", &self.receipt)
            .field("trace_header", &self.trace_header)
            .field("sent_at", &self.sent_at)
            .field("receive_count", &self.receive_count)
            .finish_non_exhaustive()
    }
}

/// A message attribute, passed on to the dead-letter queue unchanged.
#[derive(Clone, PartialEq, Eq)]
pub struct MessageAttribute {
    /// `String`, `Number`, `Binary`, or one of them with a label (`Number.int`).
    pub data_type: String,
    /// The value.
    pub value: AttributeValue,
}

/// The value of a message attribute.
#[derive(Clone, PartialEq, Eq)]
pub enum AttributeValue {
    /// Text or a number.
    Text(String),
    /// Bytes.
    Binary(Vec<u8>),
}

/// The receipt a message is settled with: its receipt handle, and its id for log lines. Cheap to clone.
#[derive(Clone, PartialEq, Eq)]
pub struct Receipt(Arc<ReceiptParts>);

#[derive(PartialEq, Eq)]
struct ReceiptParts {
    message_id: String,
    handle: String,
}

impl Receipt {
    /// Creates the receipt of the message `message_id`.
    #[must_use]
    pub fn new(message_id: impl Into<String>, handle: impl Into<String>) -> Self {
        Self(Arc::new(ReceiptParts { message_id: message_id.into(), handle: handle.into() }))
    }

    /// Returns the message's id, which is the same for every delivery.
    #[must_use]
    pub fn message_id(&self) -> &str {
        &self.0.message_id
    }

    /// Returns the receipt handle, which differs for every delivery.
    #[must_use]
    pub fn handle(&self) -> &str {
        &self.0.handle
    }
}

impl fmt::Debug for Receipt {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Receipt").field(&self.0.message_id).finish()
    }
}

/// One entry of [`Queue::change_visibility`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct VisibilityChange {
    /// The message.
    pub receipt: Receipt,
    /// How long it stays invisible from now on; whole seconds, and zero makes it visible at once.
    pub timeout: Duration,
}

/// An entry of a batch that was refused while the call itself succeeded.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Rejected {
    /// The entry's index in the slice that was passed.
    pub index: usize,
    /// The queue's error code, such as `ReceiptHandleIsInvalid`.
    pub code: String,
    /// Whether the entry itself is at fault, so that retrying would not help.
    pub sender_fault: bool,
}

/// A message for the dead-letter queue. `Debug` omits the body and the attributes.
pub struct DeadLetter {
    /// The body, as it was received.
    pub body: String,
    /// The `AWSTraceHeader` it is sent with: the message's original one, so that a redrive continues the same trace.
    pub trace_header: Option<String>,
    /// The message's original attributes.
    pub attributes: HashMap<String, MessageAttribute>,
    /// The JSON text for the attribute [`DEAD_LETTER_ATTRIBUTE`](crate::DEAD_LETTER_ATTRIBUTE).
    pub description: String,
}

impl fmt::Debug for DeadLetter {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("DeadLetter").field("description", &self.description).finish_non_exhaustive()
    }
}

/// The result of [`Queue::send_dead_letter`].
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct SentDeadLetter {
    /// The id of the new message.
    pub message_id: Option<String>,
    /// The id AWS assigned to the request.
    pub request_id: Option<String>,
}

/// A call to the queue that failed as a whole.
#[derive(Debug, Error)]
#[error("{operation} failed: {code}")]
pub struct QueueError {
    /// The operation by its AWS name, such as `ReceiveMessage`.
    pub operation: &'static str,
    /// The queue's error code, or the kind of failure if no response arrived (`timeout`).
    pub code: String,
    /// What the error says about the calls that follow it. A request that is [`Rejected`](ErrorClass::Rejected) is
    /// refused for what it contains.
    pub class: ErrorClass,
    /// The cause.
    #[source]
    pub source: Option<crate::BoxError>,
}

impl QueueError {
    /// Creates the error of an `operation` that failed with `code` because the queue is unavailable.
    #[must_use]
    pub fn new(operation: &'static str, code: impl Into<String>) -> Self {
        Self { operation, code: code.into(), class: ErrorClass::Unavailable, source: None }
    }

    /// Sets the class.
    #[must_use]
    pub fn with_class(mut self, class: ErrorClass) -> Self {
        self.class = class;
        self
    }

    /// Adds the cause.
    #[must_use]
    pub fn because(mut self, source: impl Into<crate::BoxError>) -> Self {
        self.source = Some(source.into());
        self
    }
}

/// Two errors are about the queue although SQS reports them like those of a request: an address that is none of a
/// queue, and an operation that this kind of queue does not have. No call to it can succeed.
impl From<AwsError> for QueueError {
    fn from(error: AwsError) -> Self {
        let error = match error.code().strip_prefix("AWS.SimpleQueueService.").unwrap_or(error.code()) {
            "InvalidAddress" | "UnsupportedOperation" => error.with_class(ErrorClass::Misconfigured),
            _ => error,
        };
        Self::new(error.operation(), error.code()).with_class(error.class()).because(error)
    }
}
