//! `BatchGetTraces` (<https://docs.aws.amazon.com/xray/latest/api/API_BatchGetTraces.html>).

use std::sync::Arc;

use axum::extract::State;
use axum::response::Response;
use bytes::Bytes;
use serde::Deserialize;
use serde_json::{Value, json};
use xray::{Trace, TraceId};

use super::reply::{InvalidRequest, input, respond};
use crate::store::{Document, Store};

/// Most trace ids in one request.
const MAX_IDS: usize = 5;

/// The traces that are asked for.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct TraceIds {
    trace_ids: Vec<String>,
}

impl TraceIds {
    /// Returns the ids, as they were written, unless there are too many.
    pub(super) fn checked(self) -> Result<Vec<String>, InvalidRequest> {
        if self.trace_ids.len() > MAX_IDS {
            return Err(InvalidRequest(format!("a request may have at most {MAX_IDS} trace ids")));
        }
        Ok(self.trace_ids)
    }
}

pub(super) async fn answer(
    State(store): State<Arc<dyn Store>>,
    body: Bytes,
) -> Result<Response, InvalidRequest> {
    let ids = input::<TraceIds>(&body)?.checked()?;
    let (mut traces, mut unprocessed) = (Vec::new(), Vec::new());
    for text in ids {
        let found = text.parse::<TraceId>().ok().and_then(|id| Some((id, store.documents(id)?)));
        match found {
            Some((id, documents)) => traces.push(trace(id, &documents)),
            None => unprocessed.push(text),
        }
    }
    Ok(respond(&json!({"Traces": traces, "UnprocessedTraceIds": unprocessed})))
}

fn trace(id: TraceId, documents: &[Document]) -> Value {
    let segments: Vec<_> =
        documents.iter().map(|document| json!({"Id": document.id, "Document": &*document.json})).collect();
    let assembled = Trace::read(id, documents.iter().map(|document| &*document.json));
    json!({
        "Id": id,
        "Duration": assembled.ok().and_then(|trace| trace.duration()),
        "LimitExceeded": false,
        "Segments": segments,
    })
}
