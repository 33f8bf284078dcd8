//! `PutTraceSegments` (<https://docs.aws.amazon.com/xray/latest/api/API_PutTraceSegments.html>).

use ::xray::{DocumentError, Segment};
use axum::extract::State;
use axum::response::Response;
use bytes::Bytes;
use serde::Deserialize;
use serde_json::{Value, json};

use super::super::XRay;
use super::super::otlp::epoch_seconds;
use super::{InvalidRequest, answer as respond, input};

#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Input {
    trace_segment_documents: Vec<String>,
}

pub(super) async fn answer(State(xray): State<XRay>, body: Bytes) -> Result<Response, InvalidRequest> {
    let input: Input = input(&body)?;
    let mut refused = Vec::new();
    for document in input.trace_segment_documents {
        if let Err(error) = put(&xray, &document) {
            refused.push(refusal(&document, &error));
        }
    }
    Ok(respond(&json!({"UnprocessedTraceSegments": refused})))
}

fn put(xray: &XRay, document: &str) -> Result<(), DocumentError> {
    let segment = Segment::read_sent(document)?;
    let trace_id = segment.trace_id.ok_or(DocumentError::Missing("trace_id"))?;
    xray.store().put(trace_id, &segment, document.to_owned(), epoch_seconds());
    Ok(())
}

fn refusal(document: &str, error: &DocumentError) -> Value {
    let id = serde_json::from_str::<Value>(document)
        .ok()
        .and_then(|value| value.get("id")?.as_str().map(str::to_owned));
    let code = error.code();
    let mut refusal =
        json!({"ErrorCode": code, "Message": format!("Invalid segment. ErrorCode: {code}: {error}")});
    if let Some(id) = id {
        refusal["Id"] = Value::String(id);
    }
    refusal
}
