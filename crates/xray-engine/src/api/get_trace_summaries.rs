//! `GetTraceSummaries` (<https://docs.aws.amazon.com/xray/latest/api/API_GetTraceSummaries.html>).

use std::sync::Arc;

use axum::extract::State;
use axum::response::Response;
use base64::Engine as _;
use base64::prelude::BASE64_URL_SAFE_NO_PAD;
use bytes::Bytes;
use serde::Deserialize;
use serde_json::{Value, json};

use super::plane::Plane;
use super::reply::{Failure, InvalidRequest, input, reading, respond};
use crate::clock::epoch_seconds;
use crate::query::summary;
use crate::store::{Search, TraceTime};

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
    sampling: bool,
    #[serde(default)]
    sampling_strategy: Option<SamplingStrategy>,
    #[serde(default)]
    next_token: Option<String>,
}

/// <https://docs.aws.amazon.com/xray/latest/api/API_SamplingStrategy.html>
#[derive(Clone, Copy, Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
struct SamplingStrategy {
    name: StrategyName,
    #[serde(default)]
    value: Option<f64>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
enum StrategyName {
    PartialScan,
    FixedRate,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
enum TimeRangeType {
    #[default]
    TraceId,
    Event,
    Service,
}

pub(super) async fn answer(State(plane): State<Arc<Plane>>, body: Bytes) -> Result<Response, Failure> {
    let input: Input = input(&body)?;
    let from = input.next_token.as_deref().filter(|token| !token.is_empty()).map_or(Ok(0), read_token)?;
    let (search, size) = (input.search(&plane)?, plane.page_size());
    let page = reading(move || plane.store().page(from, size, &search)).await?;
    let summaries: Vec<Value> = page.traces.iter().map(summary::of).collect();
    let mut answer = json!({
        "TraceSummaries": summaries,
        "ApproximateTime": epoch_seconds(),
        "TracesProcessedCount": page.examined,
    });
    if let Some(next) = page.next {
        answer["NextToken"] = Value::String(token(next));
    }
    Ok(respond(&answer))
}

impl Input {
    fn search(&self, plane: &Plane) -> Result<Search, InvalidRequest> {
        let filter = self.filter_expression.as_deref().unwrap_or_default().parse();
        let filter = filter.map_err(|error| InvalidRequest(format!("invalid filter expression: {error}")))?;
        let time = match self.time_range_type {
            TimeRangeType::TraceId => TraceTime::Start,
            TimeRangeType::Event => TraceTime::Updated,
            TimeRangeType::Service => TraceTime::End,
        };
        let search = Search::new(self.start_time, self.end_time, time, plane.resolve(filter)?);
        Ok(search.ok_or_else(InvalidRequest::reversed_range)?.of_a_share(self.share()?))
    }

    /// Returns the share of the traces that is looked at. A partial scan may see all of them, as it does here.
    fn share(&self) -> Result<f64, InvalidRequest> {
        match self.sampling_strategy.filter(|_| self.sampling) {
            Some(SamplingStrategy { name: StrategyName::FixedRate, value: Some(rate) }) => {
                let message = format!("the value {rate} of SamplingStrategy must be from 0 to 1");
                (0.0..=1.0).contains(&rate).then_some(rate).ok_or(InvalidRequest(message))
            }
            _ => Ok(1.0),
        }
    }
}

fn token(next: u64) -> String {
    BASE64_URL_SAFE_NO_PAD.encode(next.to_be_bytes())
}

fn read_token(token: &str) -> Result<u64, InvalidRequest> {
    let bytes = BASE64_URL_SAFE_NO_PAD.decode(token).ok().and_then(|bytes| bytes.try_into().ok());
    bytes
        .map(u64::from_be_bytes)
        .ok_or_else(|| InvalidRequest("the next token is not one that this API returned".to_owned()))
}
