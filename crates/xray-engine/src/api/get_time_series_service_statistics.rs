//! `GetTimeSeriesServiceStatistics`
//! (<https://docs.aws.amazon.com/xray/latest/api/API_GetTimeSeriesServiceStatistics.html>).

use std::sync::Arc;

use axum::extract::State;
use axum::response::Response;
use bytes::Bytes;
use serde::Deserialize;
use serde_json::json;

use super::plane::Plane;
use super::reply::{Failure, InvalidRequest, input, reading, respond};
use crate::control::GroupKey;
use crate::filter::Selector;
use crate::query::Series;
use crate::store::Search;

/// The longest selector, by the service's model.
const MAX_SELECTOR: usize = 500;
/// The periods in seconds, as Grafana's data source offers them
/// (<https://grafana.com/docs/plugins/grafana-x-ray-datasource/latest/query-editor/>).
const PERIODS_S: [u32; 2] = [60, 300];

#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Input {
    start_time: f64,
    end_time: f64,
    #[serde(default)]
    entity_selector_expression: Option<String>,
    #[serde(default)]
    period: Option<u32>,
    #[serde(flatten)]
    group: GroupKey,
}

/// Answers with all periods of a group, or of all traces, on one page, without forecasts.
pub(super) async fn answer(State(plane): State<Arc<Plane>>, body: Bytes) -> Result<Response, Failure> {
    let input: Input = input(&body)?;
    let mut series = input.series()?;
    let search = Search::started(input.start_time, input.end_time, plane.filter(&input.group)?);
    let search = search.ok_or_else(InvalidRequest::reversed_range)?;
    let series = reading(move || {
        plane.store().each(&search, |facts| series.add(facts))?;
        Ok(series)
    })
    .await?;
    Ok(respond(&json!({"TimeSeriesServiceStatistics": series.to_json(), "ContainsOldGroupVersions": false})))
}

impl Input {
    fn series(&self) -> Result<Series, InvalidRequest> {
        let period_s = self.period.unwrap_or(PERIODS_S[0]);
        if !PERIODS_S.contains(&period_s) {
            return Err(InvalidRequest(format!("Period is {period_s}, but must be 60 or 300 seconds")));
        }
        let selector = match self.entity_selector_expression.as_deref() {
            None => return Ok(Series::new(Selector::default(), period_s)),
            Some(text) if text.is_empty() || text.chars().count() > MAX_SELECTOR => {
                let message = format!("EntitySelectorExpression must have 1 to {MAX_SELECTOR} characters");
                return Err(InvalidRequest(message));
            }
            Some(text) => text.parse(),
        };
        let selector =
            selector.map_err(|error| InvalidRequest(format!("invalid EntitySelectorExpression: {error}")))?;
        Ok(Series::new(selector, period_s))
    }
}
