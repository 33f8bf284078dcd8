//! `GetTraceGraph` (<https://docs.aws.amazon.com/xray/latest/api/API_GetTraceGraph.html>).

use axum::extract::State;
use axum::response::Response;
use bytes::Bytes;
use serde_json::json;
use xray::TraceId;

use super::batch_get_traces::TraceIds;
use super::reply::{Failure, input, respond};
use crate::query::Graph;
use crate::store::TraceStore;

/// Answers with the services of the traces that are known.
pub(super) async fn answer(State(store): State<TraceStore>, body: Bytes) -> Result<Response, Failure> {
    let ids = input::<TraceIds>(&body)?.checked()?;
    let mut graph = Graph::default();
    for id in ids.iter().filter_map(|id| id.parse::<TraceId>().ok()) {
        if let Some(facts) = store.facts(id)? {
            graph.add(&facts);
        }
    }
    Ok(respond(&json!({"Services": graph.services()})))
}
