//! The operations on messages: send, receive, delete, and change visibility, alone and in batches.

use std::time::Duration;

use serde_json::{Map, Value};
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use super::attributes::{MAX_MESSAGE_BYTES, MAX_VISIBILITY, MAX_WAIT};
use super::batch::{self, Results};
use super::characters;
use super::deduplication::Sent;
use super::digest;
use super::draft::{Draft, no_deduplication_id};
use super::errors::{invalid_parameter, invalid_value, missing_parameter, unknown_attribute};
use super::message::{Received, TRACE_HEADER, Wanted, sequence_number};
use super::message_attributes;
use super::queue::{Queue, Receive, SendRules};
use super::queues::Queues;
use super::requests::{
    Batch, ChangeEntry, ChangeMessageVisibility, Content, DeleteEntry, DeleteMessage, ReceiveMessage,
    SendEntry, SendMessage,
};
use crate::reply::AwsError;
use crate::trace_header;

const MAX_RECEIVE: i64 = 10;
/// The names that `ReceiveMessage` knows: of system attributes, and for its older parameter also of queue attributes.
const SYSTEM_ATTRIBUTES: [&str; 10] = [
    "All",
    "SenderId",
    "SentTimestamp",
    "ApproximateReceiveCount",
    "ApproximateFirstReceiveTimestamp",
    "SequenceNumber",
    "MessageDeduplicationId",
    "MessageGroupId",
    TRACE_HEADER,
    "DeadLetterQueueSourceArn",
];

/// Performs `SendMessage`. The request's trace header applies if the message has none.
pub(super) fn send(
    queues: &Queues,
    input: SendMessage,
    of_request: Option<&String>,
) -> Result<Value, AwsError> {
    let queue = queues.by_url(&input.queue_url)?;
    send_one(queues, &queue, input.content, of_request)
}

/// Performs `SendMessageBatch`.
pub(super) fn send_batch(
    queues: &Queues,
    input: Batch<SendEntry>,
    of_request: Option<&String>,
) -> Result<Value, AwsError> {
    let queue = queues.by_url(&input.queue_url)?;
    batch::check_ids("SendMessageBatch", input.entries.iter().map(|entry| entry.id.as_str()))?;
    let rules = queue.send_rules();
    input.entries.iter().try_for_each(|entry| check_entry(&entry.content, rules))?;
    let bytes = input.entries.iter().map(|entry| size(&entry.content)).sum();
    batch::check_size(bytes, MAX_MESSAGE_BYTES)?;

    let mut results = Results::default();
    for entry in input.entries {
        results.add(entry.id, send_one(queues, &queue, entry.content, of_request));
    }
    Ok(results.into_json())
}

/// What an entry lacks for a FIFO queue fails the whole batch.
fn check_entry(content: &Content, rules: SendRules) -> Result<(), AwsError> {
    if !rules.fifo {
        return Ok(());
    }
    if content.message_deduplication_id.is_none() && !rules.content_based_deduplication {
        return Err(no_deduplication_id());
    }
    if content.message_group_id.is_none() {
        return Err(invalid_parameter("The request must contain the parameter MessageGroupId."));
    }
    Ok(())
}

fn size(content: &Content) -> usize {
    content.message_body.len() + content.message_attributes.as_ref().map_or(0, message_attributes::size)
}

fn send_one(
    queues: &Queues,
    queue: &Queue,
    content: Content,
    of_request: Option<&String>,
) -> Result<Value, AwsError> {
    let system = content.message_system_attributes.unwrap_or_default();
    let own = message_attributes::trace_header(&system)?;
    let draft = Draft {
        trace_header: trace_header::own_or(own, of_request),
        body: content.message_body,
        attributes: content.message_attributes.unwrap_or_default(),
        group_id: content.message_group_id,
        deduplication_id: content.message_deduplication_id,
        delay: content.delay_seconds,
    };
    let md5_of_body = hex::encode(digest::of_body(&draft.body));
    let md5_of_attributes = digest::of_attributes(&draft.attributes);
    let Sent { message_id, sequence_number: number } = queues.send(queue, draft, Instant::now())?;

    let mut answer = Map::from_iter([
        ("MessageId".to_owned(), Value::String(message_id.to_string())),
        ("MD5OfMessageBody".to_owned(), Value::String(md5_of_body)),
    ]);
    let optional = [
        ("MD5OfMessageAttributes", md5_of_attributes),
        ("MD5OfMessageSystemAttributes", digest::of_attributes(&system)),
        ("SequenceNumber", queue.fifo.then(|| sequence_number(number))),
    ];
    for (name, value) in optional {
        if let Some(value) = value {
            answer.insert(name.to_owned(), Value::String(value));
        }
    }
    Ok(Value::Object(answer))
}

/// Performs `ReceiveMessage`. A long poll ends when a message arrives, or when the cloud stops.
pub(super) async fn receive(
    queues: &Queues,
    input: ReceiveMessage,
    stop: &CancellationToken,
) -> Result<Value, AwsError> {
    let queue = queues.by_url(&input.queue_url)?;
    let most = input.max_number_of_messages.unwrap_or(1);
    if !(1..=MAX_RECEIVE).contains(&most) {
        return Err(invalid_value(
            most,
            "MaxNumberOfMessages",
            format!("Must be between 1 and {MAX_RECEIVE}, if provided."),
        ));
    }
    let wait = seconds("WaitTimeSeconds", input.wait_time_seconds, MAX_WAIT)?.unwrap_or_else(|| queue.wait());
    if let Some(id) = &input.receive_request_attempt_id {
        characters::check_id("ReceiveRequestAttemptId", id)?;
    }
    let mut system = input.attribute_names.unwrap_or_default();
    system.extend(input.message_system_attribute_names.unwrap_or_default());
    if let Some(name) = system.iter().find(|name| !is_known(name)) {
        return Err(unknown_attribute(name));
    }
    let receive = Receive {
        most: usize::try_from(most).unwrap_or(1),
        visibility: seconds("VisibilityTimeout", input.visibility_timeout, MAX_VISIBILITY)?,
        wanted: Wanted { system, attributes: input.message_attribute_names.unwrap_or_default() },
        attempt_id: input.receive_request_attempt_id,
        waits: !wait.is_zero(),
    };
    let received = poll(queues, &queue, &receive, Instant::now() + wait, stop).await?;
    let mut answer = Map::new();
    if !received.is_empty() {
        answer.insert("Messages".to_owned(), received.into_iter().map(Received::into_json).collect());
    }
    Ok(Value::Object(answer))
}

fn is_known(name: &str) -> bool {
    SYSTEM_ATTRIBUTES.contains(&name) || super::management::is_queue_attribute(name)
}

async fn poll(
    queues: &Queues,
    queue: &Queue,
    receive: &Receive,
    deadline: Instant,
    stop: &CancellationToken,
) -> Result<Vec<Received>, AwsError> {
    loop {
        // It is registered before looking, so what arrives in between is not missed.
        let signalled = queue.signalled();
        tokio::pin!(signalled);
        signalled.as_mut().enable();
        let now = Instant::now();
        let received = queues.receive(queue, receive, now)?;
        if !received.is_empty() || now >= deadline || stop.is_cancelled() {
            return Ok(received);
        }
        let wake_up = queue.next_event().map_or(deadline, |event| event.min(deadline));
        tokio::select! {
            () = signalled => {}
            () = tokio::time::sleep_until(wake_up) => {}
            () = stop.cancelled() => {}
        }
    }
}

/// Performs `DeleteMessage`.
pub(super) fn delete(queues: &Queues, input: &DeleteMessage) -> Result<Value, AwsError> {
    let queue = queues.by_url(&input.queue_url)?;
    delete_one(&queue, &input.receipt_handle)
}

/// Performs `DeleteMessageBatch`.
pub(super) fn delete_batch(queues: &Queues, input: Batch<DeleteEntry>) -> Result<Value, AwsError> {
    let queue = queues.by_url(&input.queue_url)?;
    batch::check_ids("DeleteMessageBatch", input.entries.iter().map(|entry| entry.id.as_str()))?;
    let mut results = Results::default();
    for entry in input.entries {
        results.add(entry.id, delete_one(&queue, &entry.receipt_handle));
    }
    Ok(results.into_json())
}

fn delete_one(queue: &Queue, handle: &str) -> Result<Value, AwsError> {
    if handle.is_empty() {
        return Err(missing_parameter("ReceiptHandle"));
    }
    queue.delete(handle, Instant::now()).map(|()| Value::Null)
}

/// Performs `ChangeMessageVisibility`.
pub(super) fn change_visibility(queues: &Queues, input: &ChangeMessageVisibility) -> Result<Value, AwsError> {
    let queue = queues.by_url(&input.queue_url)?;
    change_one(&queue, &input.receipt_handle, Some(input.visibility_timeout))
}

/// Performs `ChangeMessageVisibilityBatch`.
pub(super) fn change_visibility_batch(queues: &Queues, input: Batch<ChangeEntry>) -> Result<Value, AwsError> {
    let queue = queues.by_url(&input.queue_url)?;
    let ids = input.entries.iter().map(|entry| entry.id.as_str());
    batch::check_ids("ChangeMessageVisibilityBatch", ids)?;
    let mut results = Results::default();
    for entry in input.entries {
        results.add(entry.id, change_one(&queue, &entry.receipt_handle, entry.visibility_timeout));
    }
    Ok(results.into_json())
}

fn change_one(queue: &Queue, handle: &str, visibility: Option<i64>) -> Result<Value, AwsError> {
    if handle.is_empty() {
        return Err(missing_parameter("ReceiptHandle"));
    }
    let visibility = seconds("VisibilityTimeout", visibility, MAX_VISIBILITY)?
        .ok_or_else(|| missing_parameter("VisibilityTimeout"))?;
    queue.change_visibility(handle, visibility, Instant::now()).map(|()| Value::Null)
}

fn seconds(parameter: &str, value: Option<i64>, most: u32) -> Result<Option<Duration>, AwsError> {
    let Some(value) = value else { return Ok(None) };
    let refused = || invalid_value(value, parameter, format!("Must be >= 0 and <= {most}, if provided."));
    let seconds = u32::try_from(value).ok().filter(|seconds| *seconds <= most).ok_or_else(refused)?;
    Ok(Some(Duration::from_secs(u64::from(seconds))))
}
