//! SNS: rustack's topics and subscriptions, with a fan-out that carries trace headers and drops nothing.

mod publish;
mod redrive;
mod size;
mod subscriptions;

use std::net::SocketAddr;
use std::sync::Arc;

use async_trait::async_trait;
use axum::body::Body;
use axum::response::Response;
use http::StatusCode;
use rustack_sns_core::config::SnsConfig;
use rustack_sns_core::handler::RustackSnsHandler;
use rustack_sns_core::provider::RustackSns;
use rustack_sns_core::publisher::{DeliveryError, SqsPublisher};
use rustack_sns_http::dispatch::SnsHandler as _;
use rustack_sns_http::request::{
    get_optional_param, get_required_param, parse_form_params, parse_message_attributes,
    parse_publish_batch_entries,
};
use rustack_sns_http::response::{XmlWriter, error_to_response};
use rustack_sns_model::error::{SnsError, SnsErrorCode};
use rustack_sns_model::operations::SnsOperation;
use rustack_sns_model::types::{BatchResultErrorEntry, PublishBatchRequestEntry};
use tokio_util::task::TaskTracker;
use uuid::Uuid;

use self::publish::Topics;
use self::size::{MAX_BYTES, size_of};
use crate::call::Call;
use crate::reply::Format;
use crate::settings::Settings;
use crate::sqs::{Outgoing, Queues};
use crate::{reply, trace_header};

const MAX_BATCH: usize = 10;

#[derive(Debug)]
pub(crate) struct Sns {
    handler: RustackSnsHandler,
    topics: Topics,
    tasks: TaskTracker,
}

impl Sns {
    pub(crate) fn new(settings: &Settings, address: SocketAddr, queues: Queues, tasks: TaskTracker) -> Self {
        let config = SnsConfig {
            skip_signature_validation: true,
            default_region: settings.region.clone(),
            account_id: settings.account_id.clone(),
            host: address.ip().to_string(),
            port: address.port(),
        };
        let engine = Arc::new(RustackSns::new(config, Arc::new(ToQueues(queues.clone()))));
        Self {
            handler: RustackSnsHandler::new(Arc::clone(&engine)),
            topics: Topics::new(engine, queues, settings, address),
            tasks,
        }
    }

    pub(crate) async fn answer(&self, call: &Call, format: Format<'_>) -> Response {
        let Some(operation) = SnsOperation::from_name(&call.operation) else {
            return format.error(call.not_supported());
        };
        let form = parse_form_params(&call.body);
        let header = trace_header::of_http(&call.headers);
        let result = match operation {
            SnsOperation::Publish => self.publish(&form, header).await,
            SnsOperation::PublishBatch => self.publish_batch(&form, header).await,
            SnsOperation::CreateTopic if is_fifo(&form) => Err(SnsError::invalid_parameter(
                "Invalid parameter: the local cloud does not support FIFO topics",
            )),
            SnsOperation::SetSubscriptionAttributes
                if get_optional_param(&form, "AttributeName") == Some(redrive::ATTRIBUTE) =>
            {
                self.set_redrive_policy(&form)
            }
            other => {
                let result = self.handler.handle_operation(other, call.body.clone()).await;
                self.topics.forget_subscriptions();
                result.map(|response| response.map(Body::new))
            }
        };
        result.unwrap_or_else(|error| error_to_response(&error, &Uuid::new_v4().to_string()).map(Body::new))
    }

    fn set_redrive_policy(&self, form: &[(String, String)]) -> Result<Response, SnsError> {
        let subscription = get_required_param(form, "SubscriptionArn")?;
        let policy = get_optional_param(form, "AttributeValue").unwrap_or_default();
        self.topics.set_redrive_policy(subscription, policy)?;
        Ok(answer_xml("SetSubscriptionAttributes", |_| {}))
    }

    async fn publish(&self, form: &[(String, String)], header: Option<String>) -> Result<Response, SnsError> {
        let topic = get_optional_param(form, "TopicArn")
            .or_else(|| get_optional_param(form, "TargetArn"))
            .ok_or_else(|| {
                SnsError::invalid_parameter("Invalid parameter: TopicArn Reason: it is required")
            })?;
        let owned = |name| get_optional_param(form, name).map(str::to_owned);
        let entry = PublishBatchRequestEntry {
            id: String::new(),
            message: get_required_param(form, "Message")?.to_owned(),
            subject: owned("Subject"),
            message_structure: owned("MessageStructure"),
            message_attributes: parse_message_attributes(form, "MessageAttributes")?,
            message_deduplication_id: owned("MessageDeduplicationId"),
            message_group_id: owned("MessageGroupId"),
        };
        let id = self.fan_out(topic.to_owned(), entry, header).await?;
        Ok(answer_xml("Publish", |xml| xml.write_element("MessageId", &id)))
    }

    async fn publish_batch(
        &self,
        form: &[(String, String)],
        header: Option<String>,
    ) -> Result<Response, SnsError> {
        let topic = get_required_param(form, "TopicArn")?;
        let entries = parse_publish_batch_entries(form)?;
        check_batch(&entries)?;
        self.topics.subscriptions(topic)?;
        let mut successful = Vec::new();
        let mut failed = Vec::new();
        for entry in entries {
            let entry_id = entry.id.clone();
            match self.fan_out(topic.to_owned(), entry, header.clone()).await {
                Ok(message_id) => successful.push((entry_id, message_id)),
                Err(error) => failed.push(BatchResultErrorEntry {
                    id: entry_id,
                    code: error.code.code().to_owned(),
                    message: error.message,
                    sender_fault: error.code.fault() == "Sender",
                }),
            }
        }
        Ok(answer_xml("PublishBatch", |xml| {
            xml.raw("<Successful>");
            for (id, message_id) in &successful {
                xml.raw("<member>");
                xml.write_element("Id", id);
                xml.write_element("MessageId", message_id);
                xml.raw("</member>");
            }
            xml.raw("</Successful><Failed>");
            for entry in &failed {
                xml.raw("<member>");
                xml.write_element("Id", &entry.id);
                xml.write_element("Code", &entry.code);
                xml.write_element("Message", &entry.message);
                xml.write_bool_element("SenderFault", entry.sender_fault);
                xml.raw("</member>");
            }
            xml.raw("</Failed>");
        }))
    }

    /// Publishes in a separate task: a publisher that disconnects must not leave a message delivered to only some
    /// subscribers.
    async fn fan_out(
        &self,
        topic: String,
        entry: PublishBatchRequestEntry,
        header: Option<String>,
    ) -> Result<String, SnsError> {
        let topics = self.topics.clone();
        let task = self.tasks.spawn(async move { topics.publish(&topic, entry, header).await });
        task.await.map_err(|error| SnsError::internal_error(error.to_string()))?
    }
}

fn is_fifo(form: &[(String, String)]) -> bool {
    get_optional_param(form, "Name")
        .and_then(|name| name.rsplit_once('.'))
        .is_some_and(|(_, end)| end == "fifo")
}

fn answer_xml(operation: &str, write: impl FnOnce(&mut XmlWriter)) -> Response {
    let mut xml = XmlWriter::new();
    xml.start_response(operation);
    xml.start_result(operation);
    write(&mut xml);
    xml.end_element(&format!("{operation}Result"));
    xml.write_response_metadata(&Uuid::new_v4().to_string());
    xml.end_element(&format!("{operation}Response"));
    reply::xml(StatusCode::OK, xml.into_string())
}

fn check_batch(entries: &[PublishBatchRequestEntry]) -> Result<(), SnsError> {
    if entries.is_empty() {
        return Err(SnsError::new(
            SnsErrorCode::EmptyBatchRequest,
            "The batch request doesn't contain any entries.",
        ));
    }
    if entries.len() > MAX_BATCH {
        return Err(SnsError::new(
            SnsErrorCode::TooManyEntriesInBatchRequest,
            "The batch request contains more entries than permissible.",
        ));
    }
    let distinct: std::collections::HashSet<_> = entries.iter().map(|entry| &entry.id).collect();
    if distinct.len() < entries.len() {
        return Err(SnsError::new(
            SnsErrorCode::BatchEntryIdsNotDistinct,
            "Two or more batch entries in the request have the same Id.",
        ));
    }
    let bytes: usize = entries.iter().map(size_of).sum();
    if bytes > MAX_BYTES {
        return Err(SnsError::invalid_parameter(format!(
            "Invalid parameter: Batch requests cannot be longer than {MAX_BYTES} bytes",
        )));
    }
    Ok(())
}

/// Lets the engine check whether a subscription's endpoint is a queue. The engine never publishes: [`Topics`] does.
#[derive(Debug)]
struct ToQueues(Queues);

#[async_trait]
impl SqsPublisher for ToQueues {
    fn validate(&self, queue_arn: &str) -> Result<(), DeliveryError> {
        self.0.url_of(queue_arn).map(|_| ()).map_err(|error| DeliveryError::Unsupported(error.message))
    }

    async fn send_message(
        &self,
        queue_arn: &str,
        message_body: &str,
        message_group_id: Option<&str>,
        message_deduplication_id: Option<&str>,
    ) -> Result<(), DeliveryError> {
        let message = Outgoing {
            body: message_body.to_owned(),
            group_id: message_group_id.map(str::to_owned),
            deduplication_id: message_deduplication_id.map(str::to_owned),
            ..Outgoing::default()
        };
        self.0.send_to(queue_arn, message).await.map_err(|error| DeliveryError::SqsDeliveryFailed {
            queue_arn: queue_arn.to_owned(),
            reason: error.message,
        })
    }
}
