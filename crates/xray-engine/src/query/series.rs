//! Statistics by period
//! (<https://docs.aws.amazon.com/xray/latest/api/API_GetTimeSeriesServiceStatistics.html>).

use std::collections::BTreeMap;

use serde_json::{Value, json};

use super::statistics::{Histogram, Statistics};
use crate::facts::{Facts, Outcome};
use crate::filter::Selector;

/// The statistics of what a selector selects, by the period in which it began.
#[derive(Clone, Debug)]
pub(crate) struct Series {
    selector: Selector,
    period_s: u32,
    periods: BTreeMap<i64, (Statistics, Histogram)>,
}

impl Series {
    pub(crate) fn new(selector: Selector, period_s: u32) -> Self {
        Self { selector, period_s, periods: BTreeMap::new() }
    }

    /// Adds what is selected in a trace.
    pub(crate) fn add(&mut self, trace: &Facts) {
        // The selector is taken out, since it is read while the periods are written.
        let selector = std::mem::take(&mut self.selector);
        selector.select(trace, |start, outcome, response_time| self.count(start, outcome, response_time));
        self.selector = selector;
    }

    #[expect(clippy::cast_possible_truncation, reason = "epoch seconds have far fewer digits")]
    fn count(&mut self, start: f64, outcome: Outcome, response_time: Option<f64>) {
        let period = i64::from(self.period_s);
        let begin = (start as i64).div_euclid(period) * period;
        let (statistics, histogram) = self.periods.entry(begin).or_default();
        statistics.add(outcome, response_time);
        histogram.add(response_time);
    }

    /// Returns the list `TimeSeriesServiceStatistics` of the answer, the earliest period first. Periods in which nothing
    /// began are left out.
    pub(crate) fn to_json(&self) -> Value {
        let member =
            if self.selector.is_service() { "ServiceSummaryStatistics" } else { "EdgeSummaryStatistics" };
        let entry = |(begin, (statistics, histogram)): (&i64, &(Statistics, Histogram))| {
            json!({
                "Timestamp": begin,
                member: statistics.to_json(),
                "ResponseTimeHistogram": histogram.to_json(),
            })
        };
        self.periods.iter().map(entry).collect()
    }
}
