//! Sends X-Ray a document and searches for it, and reads the account's destination of segments.

use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use anyhow::anyhow;
use aws_sdk_xray::Client;
use aws_sdk_xray::primitives::DateTime;
use aws_sdk_xray::types::TraceSegmentDestination;
use serde_json::{Value, json};

use super::super::assumptions::{TRACE_ANNOTATION, TRACE_DESTINATION, TRACE_ENDED};
use super::super::bench::{Bench, mark};
use super::super::finding::Finding;
use super::header;
use crate::aws_failure::failed;
use crate::patience::Patience;

/// The range around now in which to search for the trace, because clocks differ.
const AROUND: Duration = Duration::from_mins(10);

pub(super) async fn check(bench: &Bench) -> Vec<Finding> {
    let client = Client::new(&bench.place.config);
    let (destination, annotation, ended) =
        tokio::join!(destination(&client), annotation(bench, &client), ended(bench, &client));
    vec![
        Finding::from_result(TRACE_DESTINATION, destination),
        Finding::from_result(TRACE_ANNOTATION, annotation),
        Finding::from_result(TRACE_ENDED, ended),
    ]
}

/// Only reads the destination: setting it would change the account.
async fn destination(client: &Client) -> anyhow::Result<Finding> {
    let answer = client.get_trace_segment_destination().send().await;
    let answer = answer.map_err(|error| failed("GetTraceSegmentDestination", error))?;
    let destination = answer.destination().ok_or_else(|| anyhow!("X-Ray returned no destination"))?;
    let status = answer.status().map(|status| format!(", {}", status.as_str())).unwrap_or_default();
    let seen = format!("{}{status}", destination.as_str());
    Ok(match destination {
        TraceSegmentDestination::XRay => Finding::holds(TRACE_DESTINATION, seen),
        _ => Finding::does_not_hold(TRACE_DESTINATION, seen),
    })
}

async fn annotation(bench: &Bench, client: &Client) -> anyhow::Result<Finding> {
    let mark = mark();
    let header = header::any();
    let (Some(trace_id), Some(id)) = (header.root, header.parent) else {
        return Err(anyhow!("no ids to send"));
    };
    let now = SystemTime::now();
    let seconds = now.duration_since(UNIX_EPOCH).unwrap_or_default().as_secs_f64();
    let document = json!({
        "name": bench.name,
        "trace_id": trace_id.to_string(),
        "id": id.to_string(),
        "start_time": seconds,
        "end_time": seconds,
        "annotations": {"event_id": mark},
    });
    put(client, &document).await?;
    let sent = Instant::now();
    let mut patience = Patience::of(bench.wait);
    loop {
        let found = client
            .get_trace_summaries()
            .start_time(DateTime::from(now - AROUND))
            .end_time(DateTime::from(now + AROUND))
            .filter_expression(format!("annotation.event_id = \"{mark}\""))
            .send()
            .await
            .map_err(|error| failed("GetTraceSummaries", error))?;
        if found.trace_summaries().iter().any(|summary| summary.id() == Some(&trace_id.to_string())) {
            let seen = format!("found after {:.0} s", sent.elapsed().as_secs_f64());
            return Ok(Finding::holds(TRACE_ANNOTATION, seen));
        }
        if !patience.pause().await {
            break;
        }
    }
    let by_id = client.batch_get_traces().trace_ids(trace_id.to_string()).send().await;
    let by_id = by_id.map_err(|error| failed("BatchGetTraces", error))?;
    let why = bench.too_late("not found by its annotation");
    if by_id.traces().is_empty() {
        return Err(anyhow!("{why}, nor by its id"));
    }
    Ok(Finding::does_not_hold(TRACE_ANNOTATION, format!("{why}, but found by its id")))
}

/// Sends a segment that has ended, then the same one as in progress, then another one. Once that has arrived, so has the one
/// before it.
async fn ended(bench: &Bench, client: &Client) -> anyhow::Result<Finding> {
    let (first, last) = (header::any(), header::any());
    let (Some(trace_id), Some(id), Some(last)) = (first.root, first.parent, last.parent) else {
        return Err(anyhow!("no ids to send"));
    };
    let (trace_id, id, last) = (trace_id.to_string(), id.to_string(), last.to_string());
    let seconds = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default().as_secs_f64();
    let segment =
        |id: &str| json!({"name": bench.name, "trace_id": trace_id, "id": id, "start_time": seconds});
    let with = |mut document: Value, key: &str, value: Value| {
        document[key] = value;
        document
    };
    put(client, &with(segment(&id), "end_time", json!(seconds))).await?;
    if arrived(bench, client, &trace_id, &id).await?.is_none() {
        return Err(anyhow!(bench.too_late("the segment did not arrive")));
    }
    put(client, &with(segment(&id), "in_progress", json!(true))).await?;
    put(client, &with(segment(&last), "end_time", json!(seconds))).await?;
    if arrived(bench, client, &trace_id, &last).await?.is_none() {
        return Err(anyhow!(bench.too_late("the last segment did not arrive")));
    }
    let Some(document) = arrived(bench, client, &trace_id, &id).await? else {
        return Ok(Finding::does_not_hold(TRACE_ENDED, "the segment that had ended is gone"));
    };
    Ok(if document["end_time"].is_number() {
        Finding::holds(TRACE_ENDED, "it has its end")
    } else {
        Finding::does_not_hold(TRACE_ENDED, "it is in progress again")
    })
}

/// Waits until a segment of the trace has arrived, and returns its document.
async fn arrived(bench: &Bench, client: &Client, trace_id: &str, id: &str) -> anyhow::Result<Option<Value>> {
    let mut patience = Patience::of(bench.wait);
    loop {
        let found = client.batch_get_traces().trace_ids(trace_id).send().await;
        let found = found.map_err(|error| failed("BatchGetTraces", error))?;
        let segments = found.traces().iter().flat_map(|trace| trace.segments());
        if let Some(segment) = segments.into_iter().find(|segment| segment.id() == Some(id)) {
            return Ok(Some(serde_json::from_str(segment.document().unwrap_or("null"))?));
        }
        if !patience.pause().await {
            return Ok(None);
        }
    }
}

/// Sends X-Ray one document.
async fn put(client: &Client, document: &Value) -> anyhow::Result<()> {
    let answer = client.put_trace_segments().trace_segment_documents(document.to_string()).send().await;
    let answer = answer.map_err(|error| failed("PutTraceSegments", error))?;
    match answer.unprocessed_trace_segments().first() {
        None => Ok(()),
        Some(refused) => {
            let reason = refused.message().or(refused.error_code()).unwrap_or("no reason given");
            Err(anyhow!("X-Ray refused the segment: {reason}"))
        }
    }
}
