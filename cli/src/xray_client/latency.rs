//! Queries X-Ray for response times, and for a bounded number of traces.

use std::time::SystemTime;

use aws_sdk_xray::primitives::DateTime;
use aws_sdk_xray::types::{SamplingStrategy, SamplingStrategyName, TraceSummary};

use super::{AHEAD, RANGE, XRay};
use crate::service_map::Histogram;

/// The longest period that X-Ray adds up, in seconds: response times are added up over all of them anyway.
const PERIOD_S: i32 = 300;

/// Some of the traces that match.
#[derive(Debug, Default)]
pub(crate) struct Sample {
    pub(crate) traces: Vec<TraceSummary>,
    /// Whether there are more.
    pub(crate) more: bool,
}

impl XRay {
    /// Returns the response times since `from` of what an entity selector selects (`service(…)` or `edge(…)`); without one,
    /// those of entry points.
    ///
    /// # Errors
    /// When X-Ray cannot be queried.
    pub(crate) async fn response_times(
        &self,
        selector: Option<&str>,
        from: SystemTime,
    ) -> anyhow::Result<Histogram> {
        let mut times = Histogram::default();
        let mut end = SystemTime::now() + AHEAD;
        while end > from {
            let start = from.max(end - RANGE);
            let call = self.client.get_time_series_service_statistics().period(PERIOD_S);
            let call = call.start_time(DateTime::from(start)).end_time(DateTime::from(end));
            let call = call.set_entity_selector_expression(selector.map(str::to_owned));
            let mut pages = call.into_paginator().send();
            while let Some(page) = pages.next().await {
                for period in page.map_err(|error| self.failure(&error))?.time_series_service_statistics() {
                    times.add(period.response_time_histogram());
                }
            }
            end = start;
        }
        Ok(times)
    }

    /// Returns up to `most` traces since `from` that match a filter expression, of which X-Ray examines this share, from 0
    /// to 1. Stops reading pages when there are enough.
    ///
    /// # Errors
    /// When X-Ray cannot be queried, or refuses the expression.
    pub(crate) async fn sample(
        &self,
        filter: &str,
        from: SystemTime,
        most: usize,
        share: f64,
    ) -> anyhow::Result<Sample> {
        let strategy = SamplingStrategy::builder().name(SamplingStrategyName::FixedRate).value(share).build();
        let mut sample = Sample::default();
        let mut end = SystemTime::now() + AHEAD;
        while end > from && !sample.more {
            let start = from.max(end - RANGE);
            let call = self.client.get_trace_summaries();
            let call = call.start_time(DateTime::from(start)).end_time(DateTime::from(end));
            let call =
                call.set_filter_expression(Some(filter.to_owned()).filter(|filter| !filter.is_empty()));
            let call =
                if share < 1.0 { call.sampling(true).sampling_strategy(strategy.clone()) } else { call };
            let mut pages = call.into_paginator().send();
            while let Some(page) = pages.next().await {
                let page = page.map_err(|error| self.failure(&error))?;
                sample.traces.extend(page.trace_summaries.unwrap_or_default());
                if sample.traces.len() > most {
                    sample.more = true;
                    break;
                }
            }
            end = start;
        }
        sample.traces.truncate(most);
        Ok(sample)
    }
}
