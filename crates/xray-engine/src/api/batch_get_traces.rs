//! `BatchGetTraces` (<https://docs.aws.amazon.com/xray/latest/api/API_BatchGetTraces.html>).

use axum::extract::State;
use axum::response::Response;
use bytes::Bytes;
use serde::Deserialize;
use serde_json::{Value, json};
use xray::{Trace, TraceId};

use super::reply::{Failure, InvalidRequest, input, respond};
use crate::facts::inferred;
use crate::store::{Document, TraceStore, assembled};

/// Most trace ids in one request.
const MAX_IDS: usize = 5;

/// The requested traces.
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

pub(super) async fn answer(State(store): State<TraceStore>, body: Bytes) -> Result<Response, Failure> {
    let ids = input::<TraceIds>(&body)?.checked()?;
    let (mut traces, mut unprocessed) = (Vec::new(), Vec::new());
    for text in ids {
        let Ok(id) = text.parse::<TraceId>() else {
            unprocessed.push(text);
            continue;
        };
        match store.documents(id)? {
            Some(documents) => traces.push(trace(id, &documents)),
            None => unprocessed.push(text),
        }
    }
    Ok(respond(&json!({"Traces": traces, "UnprocessedTraceIds": unprocessed})))
}

fn trace(id: TraceId, documents: &[Document]) -> Value {
    let trace = assembled(id, documents);
    json!({
        "Id": id,
        "Duration": trace.duration(),
        "LimitExceeded": false,
        "Segments": written(documents, &trace),
    })
}

/// Returns the documents of a trace as the answers have them: those that were sent, and then those that are inferred.
pub(super) fn written(documents: &[Document], trace: &Trace) -> Vec<Value> {
    let sent = documents.iter().map(|document| json!({"Id": document.id, "Document": document.json}));
    let inferred = inferred(trace).into_iter();
    let inferred = inferred.map(|segment| json!({"Id": segment.id, "Document": segment.to_json()}));
    sent.chain(inferred).collect()
}
