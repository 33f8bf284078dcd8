//! The queues as other services see them: sending and receiving, with trace headers.

use std::collections::HashMap;
use std::sync::Arc;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use rustack_sqs_core::message::md5_of_message_attributes;
use rustack_sqs_core::provider::RustackSqs;
use rustack_sqs_model::error::{SqsError, SqsErrorCode};
use rustack_sqs_model::input::{
    DeleteMessageInput, GetQueueAttributesInput, ReceiveMessageInput, SendMessageInput,
};
use rustack_sqs_model::output::{ReceiveMessageOutput, SendMessageOutput};
use rustack_sqs_model::types::{Message, MessageAttributeValue, MessageSystemAttributeValue};

use super::outgoing::Outgoing;
use super::packed_attributes;
use crate::reply::AwsError;

pub(crate) const TRACE_HEADER: &str = "AWSTraceHeader";
const MAX_ATTRIBUTES: usize = 10;

/// A handle to all queues; cheap to clone.
#[derive(Clone, Debug)]
pub(crate) struct Queues {
    pub(super) engine: Arc<RustackSqs>,
}

impl Queues {
    /// Returns the URL of the queue with this ARN, which must be of this account and region but need not exist.
    pub(crate) fn url_of(&self, arn: &str) -> Result<String, AwsError> {
        self.engine.queue_url_for_arn(arn).map_err(aws_error)
    }

    /// Sends to the queue with this ARN. Waits if the queue's engine is busy; nothing is dropped.
    pub(crate) async fn send_to(&self, arn: &str, message: Outgoing) -> Result<(), AwsError> {
        let attributes = message
            .attributes
            .into_iter()
            .map(|(name, value)| {
                let binary_value =
                    value.binary_value.map(|encoded| STANDARD.decode(encoded).unwrap_or_default());
                let value = MessageAttributeValue {
                    data_type: value.data_type,
                    string_value: value.string_value,
                    binary_value,
                };
                (name, value)
            })
            .collect();
        let input = SendMessageInput {
            queue_url: self.url_of(arn)?,
            message_body: message.body,
            message_attributes: attributes,
            message_group_id: message.group_id,
            message_deduplication_id: message.deduplication_id,
            ..SendMessageInput::default()
        };
        self.send(input, message.trace_header).await.map(|_| ()).map_err(aws_error)
    }

    /// Performs `SendMessage`. The caller has read the trace header from the system attributes.
    pub(super) async fn send(
        &self,
        mut input: SendMessageInput,
        trace_header: Option<String>,
    ) -> Result<SendMessageOutput, SqsError> {
        if input.message_attributes.len() > MAX_ATTRIBUTES {
            return Err(SqsError::invalid_parameter_value(format!(
                "Number of message attributes [{}] exceeds the allowed maximum [{MAX_ATTRIBUTES}].",
                input.message_attributes.len()
            )));
        }
        let md5 = md5_of_message_attributes(&input.message_attributes);
        let system = std::mem::take(&mut input.message_system_attributes);
        input.message_attributes = packed_attributes::pack(input.message_attributes, trace_header)
            .map_err(|error| SqsError::internal_error(error.to_string()))?;
        let mut output = self.engine.send_message(input).await?;
        output.md5_of_message_attributes = md5;
        output.md5_of_message_system_attributes = md5_of_system_attributes(system);
        Ok(output)
    }

    /// Performs `ReceiveMessage`, with the attributes and system attributes requested.
    pub(super) async fn receive(
        &self,
        mut input: ReceiveMessageInput,
    ) -> Result<ReceiveMessageOutput, SqsError> {
        let wanted = std::mem::replace(&mut input.message_attribute_names, vec!["All".to_owned()]);
        let with_header = input
            .attribute_names
            .iter()
            .chain(&input.message_system_attribute_names)
            .any(|name| name == "All" || name == TRACE_HEADER);
        let mut output = self.engine.receive_message(input).await?;
        for message in &mut output.messages {
            if let Some(header) = packed_attributes::unpack(message)
                && with_header
            {
                message.attributes.insert(TRACE_HEADER.to_owned(), header);
            }
            packed_attributes::select(message, &wanted);
        }
        Ok(output)
    }

    /// Receives messages as the engine keeps them, with packed headers, in order to pass them on unchanged.
    pub(super) async fn receive_packed(
        &self,
        queue_url: &str,
        visibility_s: i32,
    ) -> Result<Vec<Message>, SqsError> {
        let input = ReceiveMessageInput {
            queue_url: queue_url.to_owned(),
            max_number_of_messages: Some(10),
            visibility_timeout: Some(visibility_s),
            wait_time_seconds: Some(0),
            attribute_names: vec!["All".to_owned()],
            message_attribute_names: vec!["All".to_owned()],
            ..ReceiveMessageInput::default()
        };
        Ok(self.engine.receive_message(input).await?.messages)
    }

    /// Sends a message from [`receive_packed`](Self::receive_packed) to another queue.
    pub(super) async fn send_packed(&self, queue_url: &str, message: &Message) -> Result<(), SqsError> {
        let input = SendMessageInput {
            queue_url: queue_url.to_owned(),
            message_body: message.body.clone().unwrap_or_default(),
            message_attributes: message.message_attributes.clone(),
            message_group_id: message.attributes.get("MessageGroupId").cloned(),
            message_deduplication_id: message.attributes.get("MessageDeduplicationId").cloned(),
            ..SendMessageInput::default()
        };
        self.engine.send_message(input).await.map(|_| ())
    }

    pub(super) async fn delete(&self, queue_url: &str, receipt_handle: &str) -> Result<(), SqsError> {
        let input =
            DeleteMessageInput { queue_url: queue_url.to_owned(), receipt_handle: receipt_handle.to_owned() };
        self.engine.delete_message(input).await.map(|_| ())
    }

    /// Returns the number of messages waiting in a queue, without those in flight.
    pub(super) async fn depth(&self, queue_url: &str) -> Result<u64, SqsError> {
        const NAME: &str = "ApproximateNumberOfMessages";
        let input = GetQueueAttributesInput {
            queue_url: queue_url.to_owned(),
            attribute_names: vec![NAME.to_owned()],
        };
        let output = self.engine.get_queue_attributes(input).await?;
        Ok(output.attributes.get(NAME).and_then(|count| count.parse().ok()).unwrap_or_default())
    }
}

fn md5_of_system_attributes(attributes: HashMap<String, MessageSystemAttributeValue>) -> Option<String> {
    let attributes = attributes
        .into_iter()
        .map(|(name, value)| {
            let value = MessageAttributeValue {
                data_type: value.data_type,
                string_value: value.string_value,
                binary_value: value.binary_value,
            };
            (name, value)
        })
        .collect();
    md5_of_message_attributes(&attributes)
}

fn aws_error(error: SqsError) -> AwsError {
    let shown = error.code.error_type();
    let code = match error.code {
        SqsErrorCode::NonExistentQueue => "QueueDoesNotExist",
        _ => shown,
    };
    AwsError::new(error.code.status_code(), code, error.message).with_query_code(shown)
}
