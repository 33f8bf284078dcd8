//! The description of the interface: an `OpenAPI` 3.1 document.
//!
//! `http.json` describes the HTTP side. The events' schemas are the ones that requests are validated against, the
//! examples of events are the fixtures of their types, and the examples of problems are problems as they are sent.

use std::sync::Arc;

use axum::extract::State;
use bytes::Bytes;
use http::header::CONTENT_TYPE;
use jiff::Timestamp;
use serde_json::{Map, Value, json};
use uuid::Uuid;

use crate::app::App;
use crate::limits::MAX_EVENTS;
use crate::problem::Problem;
use crate::schema::{AcceptedType, COMPONENTS, CUSTOMER_NUMBER, Schemas};
use crate::validation::{Defaults, Validator};
use webhook_signature::SignatureError;

const HTTP: &str = include_str!("http.json");

/// `GET /openapi.json`.
pub(crate) async fn get<P>(State(app): State<Arc<App<P>>>) -> ([(http::HeaderName, &'static str); 1], Bytes) {
    ([(CONTENT_TYPE, "application/json")], app.description.clone())
}

/// Puts the document together.
pub(crate) fn document(schemas: &Schemas, validator: &Validator) -> Result<Value, serde_json::Error> {
    let mut document: Value = serde_json::from_str(HTTP)?;
    if let Some(Value::Object(components)) = document.pointer_mut("/components/schemas") {
        components.extend(schemas.components.clone());
    }
    if let Some(Value::Object(content)) =
        document.pointer_mut("/paths/~1v1~1events/post/requestBody/content/application~1json")
    {
        content.insert("examples".to_owned(), event_examples(schemas)?);
    }
    if let Some(responses) = document.pointer_mut("/paths/~1v1~1events/post/responses") {
        for problem in problems(validator) {
            add_problem(responses, &problem)?;
        }
    }
    Ok(document)
}

/// One example of each event type, and a list of all of them.
fn event_examples(schemas: &Schemas) -> Result<Value, serde_json::Error> {
    let mut examples = Map::new();
    let mut list = Vec::new();
    for event_type in &schemas.types {
        let value = event_example(event_type)?;
        list.push(value.clone());
        let summary = &schemas.components[event_type.name]["description"];
        examples.insert(event_type.name.to_owned(), json!({"summary": summary, "value": value}));
    }
    let summary = "Several events; each is answered separately.";
    examples.insert("list".to_owned(), json!({"summary": summary, "value": list}));
    Ok(Value::Object(examples))
}

/// An event as it is posted, with the data of its type's fixture.
fn event_example(event_type: &AcceptedType) -> Result<Value, serde_json::Error> {
    let mut data: Map<String, Value> = serde_json::from_str(event_type.example)?;
    let mut event = json!({
        "type": event_type.name,
        CUSTOMER_NUMBER: data.remove(CUSTOMER_NUMBER),
        "event_id": Uuid::new_v5(&Uuid::NAMESPACE_OID, event_type.name.as_bytes()),
        "occurred_at": "2026-03-01T12:00:00Z",
    });
    if !data.is_empty() {
        event["data"] = Value::Object(data);
    }
    Ok(event)
}

/// One problem of each kind that posting events can end in.
fn problems(validator: &Validator) -> Vec<Problem> {
    let trace_id = Some("1-5759e988-bd862e3fe1be46a994272793".to_owned());
    let event =
        json!({"type": "CustomerRenamed", "customer_number": "1234", "data": {"name": {"given": "Ada"}}});
    let defaults = Defaults { event_id: Uuid::nil(), occurred_at: Timestamp::UNIX_EPOCH };
    let future = json!({"type": "CustomerErased", "customer_number": "123456789012", "occurred_at": "2099-01-01T00:00:00Z"});
    let refused = [event, future].into_iter().filter_map(|event| {
        let rejected = validator.read(&event.into(), Timestamp::UNIX_EPOCH, defaults).err();
        rejected.map(|rejected| rejected.problem)
    });
    let traced = [
        Problem::malformed_json("the body ends too early: at line 3, column 7"),
        Problem::list_of_wrong_length(MAX_EVENTS + 1),
        Problem::not_published(Uuid::new_v5(&Uuid::NAMESPACE_OID, b"CustomerRenamed")),
    ];
    traced
        .into_iter()
        .chain(refused)
        .map(|problem| problem.traced(trace_id.clone()))
        .chain([
            Problem::invalid_signature(SignatureError::Missing),
            Problem::method_not_allowed("GET"),
            Problem::request_timeout(),
            Problem::body_too_large(),
            Problem::content_type(),
            Problem::overloaded(),
            Problem::internal(),
        ])
        .collect()
}

fn add_problem(responses: &mut Value, problem: &Problem) -> Result<(), serde_json::Error> {
    let content = &mut responses[problem.kind().status().as_str()]["content"]["application/problem+json"];
    content["schema"] = json!({"$ref": format!("{}Problem", COMPONENTS)});
    content["examples"][problem.kind().name()] = json!({"value": serde_json::to_value(problem)?});
    Ok(())
}
