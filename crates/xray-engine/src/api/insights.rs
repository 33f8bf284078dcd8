//! `GetInsight`, `GetInsightSummaries`, `GetInsightEvents` and `GetInsightImpactGraph`
//! (<https://docs.aws.amazon.com/xray/latest/api/API_GetInsightSummaries.html>).
//!
//! This engine does not look for anomalies, so there are no insights: the list is empty, and no id is that of an insight.
//! The model has no other error for an unknown id than `InvalidRequestException`.

use serde::Deserialize;
use serde_json::{Value, json};

use super::error::ApiError;
use super::operation::Call;
use crate::control::GroupKey;

/// "Can't be more than 30 days old" (API reference), in seconds.
const MAX_AGE_S: f64 = 30.0 * 24.0 * 60.0 * 60.0;
/// "The time range … can't be more than six hours" (API reference), in seconds.
const MAX_GRAPH_RANGE_S: f64 = 6.0 * 60.0 * 60.0;

#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Range {
    start_time: f64,
    end_time: f64,
}

impl Range {
    fn check(&self, now: f64) -> Result<(), ApiError> {
        if self.end_time < self.start_time {
            return Err(ApiError::invalid("EndTime is before StartTime"));
        }
        if now - self.start_time > MAX_AGE_S {
            return Err(ApiError::invalid("StartTime can't be more than 30 days ago"));
        }
        Ok(())
    }
}

#[derive(Debug, Deserialize)]
pub(super) struct SummariesInput {
    #[serde(flatten)]
    group: GroupKey,
    #[serde(flatten)]
    range: Range,
}

pub(super) fn summaries(call: &Call<'_>, input: &SummariesInput) -> Result<Value, ApiError> {
    input.range.check(call.now)?;
    call.plane.control().groups.find(&input.group, call.plane.place())?;
    Ok(json!({"InsightSummaries": []}))
}

/// Answers `GetInsight` and `GetInsightEvents`.
pub(super) fn one(_call: &Call<'_>) -> Result<Value, ApiError> {
    Err(no_insight())
}

#[derive(Debug, Deserialize)]
pub(super) struct GraphInput {
    #[serde(flatten)]
    range: Range,
}

pub(super) fn impact_graph(call: &Call<'_>, input: &GraphInput) -> Result<Value, ApiError> {
    input.range.check(call.now)?;
    if input.range.end_time - input.range.start_time > MAX_GRAPH_RANGE_S {
        return Err(ApiError::invalid("StartTime and EndTime can't be more than six hours apart"));
    }
    Err(no_insight())
}

fn no_insight() -> ApiError {
    ApiError::invalid("InsightId: there is no such insight, since anomalies are not detected here")
}
