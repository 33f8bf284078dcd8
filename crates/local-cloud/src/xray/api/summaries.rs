//! `GetTraceSummaries` (<https://docs.aws.amazon.com/xray/latest/api/API_GetTraceSummaries.html>).

use ::xray::{FilterExpression, Trace};
use axum::extract::State;
use axum::response::Response;
use base64::Engine as _;
use base64::prelude::BASE64_URL_SAFE_NO_PAD;
use bytes::Bytes;
use serde::Deserialize;
use serde_json::{Value, json};

use super::super::XRay;
use super::super::otlp::epoch_seconds;
use super::super::store::{Document, Stored};
use super::summary::{self, Stamp};
use super::{InvalidRequest, answer as respond, input};

/// `Sampling` and `SamplingStrategy` are taken and ignored: there is no need here to look at fewer traces.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Input {
    start_time: f64,
    end_time: f64,
    #[serde(default)]
    time_range_type: TimeRangeType,
    #[serde(default)]
    filter_expression: Option<String>,
    #[serde(default)]
    next_token: Option<String>,
}

/// Which of a trace's times must lie in the range.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
enum TimeRangeType {
    /// Its start.
    #[default]
    TraceId,
    /// When it was last heard of.
    Event,
    /// The end of its last segment.
    Service,
}

pub(super) async fn answer(State(xray): State<XRay>, body: Bytes) -> Result<Response, InvalidRequest> {
    let input: Input = input(&body)?;
    if input.end_time < input.start_time {
        return Err(InvalidRequest("EndTime is before StartTime".to_owned()));
    }
    let filter: FilterExpression = input
        .filter_expression
        .as_deref()
        .unwrap_or_default()
        .parse()
        .map_err(|error| InvalidRequest(format!("invalid filter expression: {error}")))?;
    let from = input.next_token.as_deref().filter(|token| !token.is_empty()).map_or(Ok(0), read_token)?;

    let (page, traces) = {
        let store = xray.store();
        let page = store.page(from, xray.settings.page_size, |trace| {
            input.covers(trace) && filter.matches(&trace.annotations)
        });
        // Copied out, so that reading the documents does not hold up those who put them.
        let traces: Vec<(_, Vec<Document>, Stamp)> = page
            .ids
            .iter()
            .filter_map(|&id| {
                let trace = store.trace(id)?;
                let stamp = Stamp { revision: trace.revision, updated: trace.updated };
                Some((id, store.documents(id)?.to_vec(), stamp))
            })
            .collect();
        (page, traces)
    };
    let summaries: Vec<Value> = traces
        .into_iter()
        .filter_map(|(id, documents, stamp)| {
            let trace = Trace::read(id, documents.iter().map(|document| &*document.json)).ok()?;
            Some(summary::of(&trace, stamp))
        })
        .collect();
    let mut answer = json!({
        "TraceSummaries": summaries,
        "ApproximateTime": epoch_seconds(),
        "TracesProcessedCount": page.seen,
    });
    if let Some(next) = page.next {
        answer["NextToken"] = Value::String(token(next));
    }
    Ok(respond(&answer))
}

impl Input {
    /// Whole seconds are compared, as X-Ray does with the time in a trace id. So a trace that started within the second
    /// given as the end is found, though clients send that second without its fraction.
    fn covers(&self, trace: &Stored) -> bool {
        let time = match self.time_range_type {
            TimeRangeType::TraceId => trace.start,
            TimeRangeType::Event => trace.updated,
            TimeRangeType::Service => trace.end,
        };
        (self.start_time.floor()..=self.end_time).contains(&time.floor())
    }
}

fn token(next: u64) -> String {
    BASE64_URL_SAFE_NO_PAD.encode(next.to_be_bytes())
}

fn read_token(token: &str) -> Result<u64, InvalidRequest> {
    let bytes = BASE64_URL_SAFE_NO_PAD.decode(token).ok().and_then(|bytes| bytes.try_into().ok());
    bytes
        .map(u64::from_be_bytes)
        .ok_or_else(|| InvalidRequest("the next token is not one of these".to_owned()))
}
