//! `StartTraceRetrieval`, `ListRetrievedTraces`, `GetRetrievedTracesGraph` and `CancelTraceRetrieval`
//! (<https://docs.aws.amazon.com/xray/latest/api/API_StartTraceRetrieval.html>).
//!
//! AWS retrieves spans from the log group of Transaction Search. Here the traces are those of the engine's store, whatever
//! the destination of segments is, and a retrieval is complete at once.

use base64::Engine as _;
use base64::prelude::BASE64_URL_SAFE_NO_PAD;
use serde::Deserialize;
use serde_json::{Value, json};
use xray::{Trace, TraceId};

use super::batch_get_traces::written;
use super::error::ApiError;
use super::operation::Call;
use super::page::page;
use crate::control::Retrieval;
use crate::facts::Facts;
use crate::query::Graph;
use crate::store::{Document, StoreError, assembled};

/// Traces on a page (`TraceSpanList`).
const TRACES_A_PAGE: usize = 5;
/// Documents of a trace (`SpanList`). A trace with more of them is returned in several parts, which have the same id.
const DOCUMENTS_A_PART: usize = 100;
/// Services on a page (`RetrievedServicesList`).
const SERVICES_A_PAGE: usize = 1_000;

#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct StartInput {
    trace_ids: Vec<String>,
    start_time: f64,
    end_time: f64,
}

pub(super) fn start(call: &Call<'_>, input: &StartInput) -> Result<Value, ApiError> {
    let StartInput { trace_ids, start_time, end_time } = input;
    if end_time < start_time {
        return Err(ApiError::invalid("EndTime is before StartTime"));
    }
    let mut ids: Vec<TraceId> = Vec::with_capacity(trace_ids.len());
    for (index, text) in trace_ids.iter().enumerate() {
        let id =
            text.parse().map_err(|error| ApiError::invalid(format!("TraceIds.{}: {error}", index + 1)))?;
        if !ids.contains(&id) {
            ids.push(id);
        }
    }
    let token = BASE64_URL_SAFE_NO_PAD.encode(rand::random::<[u8; 24]>());
    call.plane.control().retrievals.start(&token, ids, *start_time, *end_time, call.now);
    Ok(json!({"RetrievalToken": token}))
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct ListInput {
    retrieval_token: String,
    trace_format: Option<TraceFormat>,
    next_token: Option<String>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "UPPERCASE")]
enum TraceFormat {
    XRay,
    Otel,
}

/// Lists segment documents. Spans become documents as they arrive and are not kept, so the format `OTEL` is refused.
pub(super) fn list(call: &Call<'_>, input: &ListInput) -> Result<Value, ApiError> {
    let retrieval = find(call, &input.retrieval_token)?;
    if input.trace_format == Some(TraceFormat::Otel) {
        return Err(ApiError::invalid(
            "TraceFormat OTEL is not available: traces are kept as segment documents; use XRAY",
        ));
    }
    let traces = traces(call, &retrieval)?;
    let parts = traces.iter().flat_map(|(index, trace, documents)| {
        let documents = written(documents, trace);
        let parts: Vec<_> = documents.chunks(DOCUMENTS_A_PART).map(|part| wire(trace, part)).collect();
        parts.into_iter().enumerate().map(move |(part, wire)| (format!("{index:04}/{part:06}"), wire))
    });
    let mut output = page("Traces", parts, input.next_token.as_deref(), TRACES_A_PAGE)?;
    output["RetrievalStatus"] = json!(retrieval.status);
    output["TraceFormat"] = json!("XRAY");
    Ok(output)
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct GraphInput {
    retrieval_token: String,
    next_token: Option<String>,
}

pub(super) fn graph(call: &Call<'_>, input: &GraphInput) -> Result<Value, ApiError> {
    let retrieval = find(call, &input.retrieval_token)?;
    let mut graph = Graph::default();
    for (_, trace, _) in traces(call, &retrieval)? {
        graph.add(&Facts::of(&trace));
    }
    let services = graph.services().into_iter().enumerate().map(|(index, service)| {
        // The links between traces are edges of the graph.
        (format!("{index:06}"), json!({"Service": service, "Links": []}))
    });
    let mut output = page("Services", services, input.next_token.as_deref(), SERVICES_A_PAGE)?;
    output["RetrievalStatus"] = json!(retrieval.status);
    Ok(output)
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct CancelInput {
    retrieval_token: String,
}

pub(super) fn cancel(call: &Call<'_>, input: &CancelInput) -> Result<Value, ApiError> {
    call.plane.control().retrievals.cancel(&input.retrieval_token, call.now)?;
    Ok(json!({}))
}

/// Returns a copy, so that the store is read without a lock on the configuration.
fn find(call: &Call<'_>, token: &str) -> Result<Retrieval, ApiError> {
    Ok(call.plane.control().retrievals.find(token, call.now)?.clone())
}

/// Returns the traces of a retrieval that are in the store and started within its time, each with its place among those
/// asked for. Whole seconds are compared, as clients send times without fractions.
fn traces(call: &Call<'_>, retrieval: &Retrieval) -> Result<Vec<(usize, Trace, Vec<Document>)>, StoreError> {
    let within = |start: f64| (retrieval.from.floor()..=retrieval.to).contains(&start.floor());
    let mut traces = Vec::new();
    for (index, id) in retrieval.trace_ids.iter().enumerate() {
        let Some(documents) = call.plane.store().documents(*id)? else { continue };
        let trace = assembled(*id, &documents);
        if trace.start_time().is_some_and(within) {
            traces.push((index, trace, documents));
        }
    }
    Ok(traces)
}

fn wire(trace: &Trace, documents: &[Value]) -> Value {
    json!({"Id": trace.id(), "Duration": trace.duration(), "Spans": documents})
}
