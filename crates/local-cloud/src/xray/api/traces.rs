//! `BatchGetTraces` (<https://docs.aws.amazon.com/xray/latest/api/API_BatchGetTraces.html>).

use ::xray::{Trace, TraceId};
use axum::extract::State;
use axum::response::Response;
use bytes::Bytes;
use serde::Deserialize;
use serde_json::{Value, json};

use super::super::XRay;
use super::super::store::Document;
use super::{InvalidRequest, answer as respond, input};

/// The most ids a request may name.
const MAX_IDS: usize = 5;

#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Input {
    trace_ids: Vec<String>,
}

pub(super) async fn answer(State(xray): State<XRay>, body: Bytes) -> Result<Response, InvalidRequest> {
    let input: Input = input(&body)?;
    if input.trace_ids.len() > MAX_IDS {
        return Err(InvalidRequest(format!("at most {MAX_IDS} trace ids can be asked for at once")));
    }
    let (mut traces, mut unprocessed) = (Vec::new(), Vec::new());
    for text in input.trace_ids {
        // Copied out, so that reading the documents does not hold up those who put them.
        let found =
            text.parse::<TraceId>().ok().and_then(|id| Some((id, xray.store().documents(id)?.to_vec())));
        match found {
            Some((id, documents)) => traces.push(trace(id, &documents)),
            None => unprocessed.push(text),
        }
    }
    Ok(respond(&json!({"Traces": traces, "UnprocessedTraceIds": unprocessed})))
}

fn trace(id: TraceId, documents: &[Document]) -> Value {
    let segments: Vec<_> =
        documents.iter().map(|document| json!({"Id": document.id, "Document": document.json})).collect();
    let assembled = Trace::read(id, documents.iter().map(|document| &*document.json));
    json!({
        "Id": id,
        "Duration": assembled.ok().and_then(|trace| trace.duration()),
        "LimitExceeded": false,
        "Segments": segments,
    })
}
