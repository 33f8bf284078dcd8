//! EventBridge: rustack's buses, rules and patterns, with targets and delivery implemented here.
//!
//! The engine's own delivery drops events when it is busy and refuses dead-letter queues. Here an event is sent straight
//! to the queues of the matching rules, before `PutEvents` answers.

mod bus;
mod entry;
mod targets;

use std::sync::Arc;

use axum::body::Body;
use axum::response::Response;
use http::StatusCode;
use rustack_events_core::config::EventsConfig;
use rustack_events_core::delivery::UnavailableTargetDelivery;
use rustack_events_core::handler::RustackEventsHandler;
use rustack_events_core::provider::RustackEvents;
use rustack_events_http::dispatch::EventsHandler as _;
use rustack_events_http::response::error_to_response;
use rustack_events_model::error::EventsError;
use rustack_events_model::operations::EventsOperation;
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::{Value, json};
use tokio_util::task::TaskTracker;
use uuid::Uuid;

pub(crate) use self::bus::Buses;
pub(crate) use self::entry::{Entry, Rejected};
use crate::call::Call;
use crate::reply::{AwsError, Format};
use crate::settings::Settings;
use crate::sqs::Queues;
use crate::{reply, trace_header};

#[derive(Debug)]
pub(crate) struct Events {
    handler: RustackEventsHandler,
    buses: Buses,
    tasks: TaskTracker,
}

impl Events {
    pub(crate) fn new(settings: &Settings, queues: Queues, tasks: TaskTracker) -> Self {
        let config = EventsConfig {
            skip_signature_validation: true,
            default_region: settings.region.clone(),
            account_id: settings.account_id.clone(),
            ..EventsConfig::default()
        };
        let engine = Arc::new(RustackEvents::new(config, Arc::new(UnavailableTargetDelivery)));
        Self {
            handler: RustackEventsHandler::new(Arc::clone(&engine)),
            buses: Buses::new(engine, queues, settings),
            tasks,
        }
    }

    pub(crate) fn buses(&self) -> Buses {
        self.buses.clone()
    }

    pub(crate) async fn answer(&self, call: &Call, format: Format<'_>) -> Response {
        let Some(operation) = EventsOperation::from_name(&call.operation) else {
            return format.error(call.not_supported());
        };
        if operation == EventsOperation::PutEvents {
            return self.put_events(call, format).await;
        }
        let body = match with_bus_name(&call.body) {
            Ok(body) => body,
            Err(error) => return format.error(AwsError::malformed(&error)),
        };
        let result = match operation {
            EventsOperation::PutTargets => {
                input(body).and_then(|input| self.buses.put_targets(input)).map(ok)
            }
            EventsOperation::RemoveTargets => {
                input(body).and_then(|input| self.buses.remove_targets(&input)).map(ok)
            }
            EventsOperation::ListTargetsByRule => {
                input(body).and_then(|input| self.buses.list_targets(&input)).map(ok)
            }
            EventsOperation::ListRuleNamesByTarget => {
                input(body).and_then(|input| self.buses.list_rules_of_target(&input)).map(ok)
            }
            EventsOperation::DeleteRule => {
                input(body).and_then(|input| self.buses.delete_rule(&input)).map(ok)
            }
            EventsOperation::DeleteEventBus => {
                input(body).and_then(|input| self.buses.delete_bus(&input)).map(ok)
            }
            EventsOperation::PutRule | EventsOperation::EnableRule | EventsOperation::DisableRule => {
                let bus = body.get("EventBusName").and_then(Value::as_str).unwrap_or("default").to_owned();
                let result = self.pass_on(operation, &body).await;
                self.buses.refresh(&bus);
                result
            }
            other => self.pass_on(other, &body).await,
        };
        result.unwrap_or_else(|error| error_to_response(&error, &Uuid::new_v4().to_string()).map(Body::new))
    }

    async fn pass_on(&self, operation: EventsOperation, body: &Value) -> Result<Response, EventsError> {
        let body = serde_json::to_vec(body).map_err(|error| EventsError::validation(error.to_string()))?;
        Ok(self.handler.handle_operation(operation, body.into()).await?.map(Body::new))
    }

    async fn put_events(&self, call: &Call, format: Format<'_>) -> Response {
        let entries = match entry::read(&call.body) {
            Ok(entries) => entries,
            Err(error) => return format.error(error),
        };
        let of_request = trace_header::of_http(&call.headers);
        let buses = self.buses.clone();
        // In a separate task: a producer that disconnects must not leave an event delivered to only some targets.
        let task = self.tasks.spawn(async move {
            let mut failed = 0;
            let mut results = Vec::with_capacity(entries.len());
            for entry in entries {
                let header = trace_header::own_or(entry.trace_header.as_deref(), of_request.as_ref());
                results.push(match buses.put(&entry, header).await {
                    Ok(id) => json!({"EventId": id}),
                    Err(Rejected { code, message }) => {
                        failed += 1;
                        json!({"ErrorCode": code, "ErrorMessage": message})
                    }
                });
            }
            json!({"FailedEntryCount": failed, "Entries": results})
        });
        match task.await {
            Ok(output) => reply::json(StatusCode::OK, &output),
            Err(error) => {
                tracing::error!(%error, "putting events failed");
                format.error(call.service.internal_failure())
            }
        }
    }
}

fn ok<T: Serialize>(output: T) -> Response {
    reply::json(StatusCode::OK, &output)
}

fn input<T: DeserializeOwned>(body: Value) -> Result<T, EventsError> {
    serde_json::from_value(body)
        .map_err(|error| EventsError::validation(reply::AwsError::malformed(&error).message))
}

/// Replaces a bus's ARN by its name: AWS takes both, the engine only names.
fn with_bus_name(body: &[u8]) -> Result<Value, serde_json::Error> {
    let mut body: Value = if body.is_empty() { json!({}) } else { serde_json::from_slice(body)? };
    for field in ["EventBusName", "Name"] {
        if let Some(value) = body.get_mut(field)
            && let Some(name) =
                value.as_str().and_then(|arn| arn.rsplit_once(":event-bus/")).map(|(_, name)| name)
        {
            *value = name.into();
        }
    }
    Ok(body)
}
