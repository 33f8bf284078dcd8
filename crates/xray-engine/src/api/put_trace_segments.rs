//! `PutTraceSegments` (<https://docs.aws.amazon.com/xray/latest/api/API_PutTraceSegments.html>).

use std::sync::Arc;

use axum::extract::State;
use axum::response::Response;
use bytes::Bytes;
use serde::Deserialize;
use serde_json::{Value, json};

use super::reply::{InvalidRequest, input, respond};
use crate::ingest::{Intake, NotKept};

#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Input {
    trace_segment_documents: Vec<String>,
}

pub(super) async fn answer(
    State(intake): State<Arc<Intake>>,
    body: Bytes,
) -> Result<Response, InvalidRequest> {
    let input: Input = input(&body)?;
    let mut refused = Vec::new();
    for document in input.trace_segment_documents {
        if let Err(error) = intake.put(&document) {
            refused.push(refusal(&document, &error));
        }
    }
    Ok(respond(&json!({"UnprocessedTraceSegments": refused})))
}

fn refusal(document: &str, error: &NotKept) -> Value {
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
