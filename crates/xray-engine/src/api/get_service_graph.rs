//! `GetServiceGraph` (<https://docs.aws.amazon.com/xray/latest/api/API_GetServiceGraph.html>).

use std::sync::Arc;

use axum::extract::State;
use axum::response::Response;
use bytes::Bytes;
use serde::Deserialize;
use serde_json::json;

use super::plane::Plane;
use super::reply::{Failure, InvalidRequest, input, reading, respond};
use crate::control::GroupKey;
use crate::query::Graph;
use crate::store::Search;

#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Input {
    start_time: f64,
    end_time: f64,
    #[serde(flatten)]
    group: GroupKey,
}

/// Answers with the whole graph of a group, or of all traces, on one page.
pub(super) async fn answer(State(plane): State<Arc<Plane>>, body: Bytes) -> Result<Response, Failure> {
    let Input { start_time, end_time, group } = input(&body)?;
    let search = Search::started(start_time, end_time, plane.filter(&group)?);
    let search = search.ok_or_else(InvalidRequest::reversed_range)?;
    let graph = reading(move || {
        let mut graph = Graph::default();
        plane.store().each(&search, |facts| graph.add(facts))?;
        Ok(graph)
    })
    .await?;
    Ok(respond(&json!({
        "StartTime": start_time,
        "EndTime": end_time,
        "Services": graph.services(),
        "ContainsOldGroupVersions": false,
    })))
}
