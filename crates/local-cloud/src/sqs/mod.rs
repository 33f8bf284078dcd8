//! SQS: rustack's queues, with the trace header, message move tasks and checks that they lack.

mod message_move_tasks;
mod outgoing;
mod packed_attributes;
mod queues;

use std::collections::HashMap;
use std::net::SocketAddr;
use std::ops::RangeInclusive;
use std::sync::Arc;

use axum::body::Body;
use axum::response::Response;
use bytes::Bytes;
use http::StatusCode;
use rustack_sqs_core::config::SqsConfig;
use rustack_sqs_core::handler::RustackSqsHandler;
use rustack_sqs_core::provider::RustackSqs;
use rustack_sqs_http::dispatch::SqsHandler as _;
use rustack_sqs_http::response::error_to_response;
use rustack_sqs_model::error::{SqsError, SqsErrorCode};
use rustack_sqs_model::input::{ReceiveMessageInput, SendMessageBatchInput, SendMessageInput};
use rustack_sqs_model::operations::SqsOperation;
use rustack_sqs_model::output::{ReceiveMessageOutput, SendMessageBatchOutput};
use rustack_sqs_model::types::{
    BatchResultErrorEntry, MessageAttributeValue as EngineAttributeValue, MessageSystemAttributeValue,
    RedrivePolicy, SendMessageBatchResultEntry,
};
use serde::Serialize;
use serde::de::DeserializeOwned;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;
use uuid::Uuid;

use self::message_move_tasks::MessageMoveTasks;
pub(crate) use self::outgoing::{MessageAttributeValue, Outgoing};
pub(crate) use self::queues::Queues;
use self::queues::TRACE_HEADER;
use crate::call::Call;
use crate::reply::Format;
use crate::settings::Settings;
use crate::{reply, trace_header};

const MAX_BATCH: usize = 10;
/// Size of all entries of a batch (SQS quotas, "Message size").
const MAX_BATCH_BYTES: usize = 1024 * 1024;

#[derive(Debug)]
pub(crate) struct Sqs {
    queues: Queues,
    handler: RustackSqsHandler,
    move_tasks: MessageMoveTasks,
    stop: CancellationToken,
}

impl Sqs {
    pub(crate) fn new(
        settings: &Settings,
        address: SocketAddr,
        stop: CancellationToken,
        tasks: TaskTracker,
    ) -> Self {
        let host =
            if address.ip().is_unspecified() { "localhost".to_owned() } else { address.ip().to_string() };
        let engine = Arc::new(RustackSqs::new(SqsConfig {
            skip_signature_validation: true,
            default_region: settings.region.clone(),
            account_id: settings.account_id.clone(),
            host,
            port: address.port(),
        }));
        let queues = Queues { engine: Arc::clone(&engine) };
        Self {
            handler: RustackSqsHandler::new(engine),
            move_tasks: MessageMoveTasks::new(queues.clone(), stop.clone(), tasks),
            queues,
            stop,
        }
    }

    pub(crate) fn queues(&self) -> Queues {
        self.queues.clone()
    }

    pub(crate) fn is_ready(&self) -> bool {
        self.queues.engine.is_ready()
    }

    pub(crate) async fn shutdown(&self) {
        self.queues.engine.shutdown_all().await;
    }

    pub(crate) async fn answer(&self, call: &Call, format: Format<'_>) -> Response {
        let Some(operation) = SqsOperation::from_name(&call.operation) else {
            return format.error(call.not_supported());
        };
        let of_request = trace_header::of_http(&call.headers);
        let result = match operation {
            SqsOperation::SendMessage => self.send(call, of_request).await,
            SqsOperation::SendMessageBatch => self.send_batch(call, of_request).await,
            SqsOperation::ReceiveMessage => self.receive(call).await,
            SqsOperation::StartMessageMoveTask => match input(call) {
                Ok(input) => self.move_tasks.start(input).await.map(|output| ok(&output)),
                Err(error) => Err(error),
            },
            SqsOperation::ListMessageMoveTasks => {
                input(call).and_then(|input| self.move_tasks.list(&input)).map(|output| ok(&output))
            }
            SqsOperation::CancelMessageMoveTask => {
                input(call).and_then(|input| self.move_tasks.cancel(&input)).map(|output| ok(&output))
            }
            SqsOperation::CreateQueue | SqsOperation::SetQueueAttributes => {
                let body = with_redrive_policy_normalised(&call.body).unwrap_or_else(|| call.body.clone());
                self.pass_on(operation, body).await
            }
            other => self.pass_on(other, call.body.clone()).await,
        };
        result.unwrap_or_else(|error| error_to_response(&error, &Uuid::new_v4().to_string()).map(Body::new))
    }

    async fn pass_on(&self, operation: SqsOperation, body: Bytes) -> Result<Response, SqsError> {
        Ok(self.handler.handle_operation(operation, body).await?.map(Body::new))
    }

    async fn send(&self, call: &Call, of_request: Option<String>) -> Result<Response, SqsError> {
        let input: SendMessageInput = input(call)?;
        let own = own_header(&input.message_system_attributes)?;
        let header = trace_header::own_or(own, of_request.as_ref());
        self.queues.send(input, header).await.map(|output| ok(&output))
    }

    async fn send_batch(&self, call: &Call, of_request: Option<String>) -> Result<Response, SqsError> {
        let SendMessageBatchInput { queue_url, entries } = input(call)?;
        check_ids(entries.iter().map(|entry| entry.id.as_str()))?;
        let size: usize =
            entries.iter().map(|entry| entry.message_body.len() + size_of(&entry.message_attributes)).sum();
        if size > MAX_BATCH_BYTES {
            return Err(SqsError::new(
                SqsErrorCode::BatchRequestTooLong,
                format!(
                    "Batch requests cannot be longer than {MAX_BATCH_BYTES} bytes. You have sent {size} bytes."
                ),
            ));
        }
        // A missing queue fails the whole request rather than its entries.
        self.queues.depth(&queue_url).await?;

        let mut output = SendMessageBatchOutput::default();
        for entry in entries {
            let header = own_header(&entry.message_system_attributes)
                .map(|own| trace_header::own_or(own, of_request.as_ref()));
            let message = SendMessageInput {
                queue_url: queue_url.clone(),
                message_body: entry.message_body,
                delay_seconds: entry.delay_seconds,
                message_deduplication_id: entry.message_deduplication_id,
                message_group_id: entry.message_group_id,
                message_attributes: entry.message_attributes,
                message_system_attributes: entry.message_system_attributes,
            };
            let sent = match header {
                Ok(header) => self.queues.send(message, header).await,
                Err(error) => Err(error),
            };
            match sent {
                Ok(sent) => output.successful.push(SendMessageBatchResultEntry {
                    id: entry.id,
                    message_id: sent.message_id.unwrap_or_default(),
                    md5_of_message_body: sent.md5_of_message_body.unwrap_or_default(),
                    md5_of_message_attributes: sent.md5_of_message_attributes,
                    sequence_number: sent.sequence_number,
                }),
                Err(error) => output.failed.push(BatchResultErrorEntry {
                    id: entry.id,
                    sender_fault: error.code.is_sender_fault(),
                    code: error.code.error_type().to_owned(),
                    message: Some(error.message),
                }),
            }
        }
        Ok(ok(&output))
    }

    /// Receives messages. A long poll ends at once when the cloud stops.
    async fn receive(&self, call: &Call) -> Result<Response, SqsError> {
        let input: ReceiveMessageInput = input(call)?;
        in_range("MaxNumberOfMessages", input.max_number_of_messages, 1..=10)?;
        in_range("WaitTimeSeconds", input.wait_time_seconds, 0..=20)?;
        in_range("VisibilityTimeout", input.visibility_timeout, 0..=43_200)?;
        let output = tokio::select! {
            biased;
            output = self.queues.receive(input) => output?,
            () = self.stop.cancelled() => ReceiveMessageOutput::default(),
        };
        Ok(ok(&output))
    }
}

fn ok(output: &impl Serialize) -> Response {
    reply::json(StatusCode::OK, output)
}

fn input<T: DeserializeOwned>(call: &Call) -> Result<T, SqsError> {
    serde_json::from_slice(&call.body)
        .map_err(|error| SqsError::invalid_parameter_value(reply::AwsError::malformed(&error).message))
}

/// Rewrites a redrive policy: the engine wants the receive count as a number and compares policies as strings, whereas
/// AWS also takes a string and compares by meaning. Returns `None` if there is no policy, or none that can be read.
fn with_redrive_policy_normalised(body: &[u8]) -> Option<Bytes> {
    let mut input: serde_json::Value = serde_json::from_slice(body).ok()?;
    let policy = input.pointer_mut("/Attributes/RedrivePolicy")?;
    let mut parsed: serde_json::Value = serde_json::from_str(policy.as_str()?).ok()?;
    if let Some(count) = parsed.get("maxReceiveCount").and_then(|count| count.as_str()?.parse::<i32>().ok()) {
        parsed["maxReceiveCount"] = count.into();
    }
    let parsed: RedrivePolicy = serde_json::from_value(parsed).ok()?;
    *policy = serde_json::to_string(&parsed).ok()?.into();
    serde_json::to_vec(&input).ok().map(Bytes::from)
}

fn in_range(name: &str, value: Option<i32>, range: RangeInclusive<i32>) -> Result<(), SqsError> {
    match value {
        Some(value) if !range.contains(&value) => Err(SqsError::invalid_parameter_value(format!(
            "Value {value} for parameter {name} is invalid. Reason: Must be between {} and {}, if provided.",
            range.start(),
            range.end()
        ))),
        _ => Ok(()),
    }
}

/// Returns the message's trace header, the only system attribute that a client may send.
fn own_header(attributes: &HashMap<String, MessageSystemAttributeValue>) -> Result<Option<&str>, SqsError> {
    if let Some(name) = attributes.keys().find(|name| *name != TRACE_HEADER) {
        return Err(SqsError::invalid_parameter_value(format!(
            "Message system attribute name {name} is invalid."
        )));
    }
    Ok(attributes.get(TRACE_HEADER).and_then(|value| value.string_value.as_deref()))
}

fn size_of(attributes: &HashMap<String, EngineAttributeValue>) -> usize {
    attributes
        .iter()
        .map(|(name, value)| {
            name.len()
                + value.data_type.len()
                + value.string_value.as_ref().map_or(0, String::len)
                + value.binary_value.as_ref().map_or(0, Vec::len)
        })
        .sum()
}

fn check_ids<'a>(ids: impl Iterator<Item = &'a str>) -> Result<(), SqsError> {
    let ids: Vec<_> = ids.collect();
    if ids.is_empty() {
        return Err(SqsError::empty_batch_request());
    }
    if ids.len() > MAX_BATCH {
        return Err(SqsError::too_many_entries_in_batch());
    }
    let distinct: std::collections::HashSet<_> = ids.iter().collect();
    if distinct.len() < ids.len() {
        return Err(SqsError::batch_entry_ids_not_distinct());
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn redrive_policies_with_the_same_meaning_become_the_same_string() {
        let number = br#"{"QueueName":"q","Attributes":{"RedrivePolicy":"{\"maxReceiveCount\": 3, \"deadLetterTargetArn\":\"a\"}"}}"#;
        let text = br#"{"QueueName":"q","Attributes":{"RedrivePolicy":"{\"deadLetterTargetArn\":\"a\",\"maxReceiveCount\":\"3\"}"}}"#;
        assert_eq!(with_redrive_policy_normalised(number), with_redrive_policy_normalised(text));
        assert!(with_redrive_policy_normalised(text).is_some());
        assert_eq!(with_redrive_policy_normalised(br#"{"QueueName":"q"}"#), None);
    }
}
