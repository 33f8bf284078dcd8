//! The queries that the command sends to X-Ray.

use aws_sdk_xray::types::TraceSummary;
use jiff::{SignedDuration, Timestamp};
use xray_engine::{Expression, FilterExpression, NodePattern};

use super::compare::{self, Comparison};
use crate::commands::filter;
use crate::service_map::Histogram;
use crate::stdio::remark;
use crate::xray_client::XRay;

/// At most this many traces are read, for each side of a comparison.
const MOST_TRACES: usize = 2_000;

/// Which traces are meant, and where they are.
pub(super) struct Query {
    pub(super) xray: XRay,
    pub(super) service: Option<String>,
    pub(super) filter: FilterExpression,
    pub(super) from: Timestamp,
    pub(super) to: Timestamp,
}

impl Query {
    /// Creates a query for what happened in the last `since` seconds.
    pub(super) fn new(xray: XRay, service: Option<String>, filter: FilterExpression, since: i64) -> Self {
        let to = Timestamp::now();
        Self { xray, service, filter, from: to - SignedDuration::from_secs(since), to }
    }

    /// Returns the expression that selects the service, with a condition on its segments.
    fn selector(&self, condition: Option<Expression>) -> Option<Expression> {
        let pattern = NodePattern { name: Some(self.service.clone()?), ..NodePattern::default() };
        Some(Expression::Service(pattern, condition.map(Box::new)))
    }

    /// Returns the expression for all traces meant that meet more conditions.
    fn expression(&self, conditions: impl IntoIterator<Item = Expression>) -> String {
        filter::joined(conditions.into_iter().chain(self.selector(None)), &self.filter).to_string()
    }

    /// Returns the response times. X-Ray adds them up itself unless there is a filter: then they are those of the traces
    /// that can be read.
    ///
    /// # Errors
    /// When X-Ray cannot be queried.
    pub(super) async fn times(&self) -> anyhow::Result<Histogram> {
        if self.filter == FilterExpression::default() {
            let selector = self.selector(None).map(|selector| selector.to_string());
            return self.xray.response_times(selector.as_deref(), self.from.into()).await;
        }
        let traces = self.read(&self.expression(None), 1.0, "response times").await?;
        let Some(service) = &self.service else { return Ok(compare::response_times(&traces)) };
        let ids: Vec<String> = traces.into_iter().filter_map(|trace| trace.id).collect();
        let map = self.xray.map_of(&ids).await?;
        let mut times = Histogram::default();
        for (_, traffic) in map.nodes.iter().filter(|(key, _)| key.name == *service && !key.is_client()) {
            traffic.times.iter().for_each(|(seconds, count)| times.count(seconds, count));
        }
        Ok(times)
    }

    /// Compares what two expressions find, or the slowest traces with the rest.
    ///
    /// # Errors
    /// When X-Ray cannot be queried.
    pub(super) async fn compare(
        &self,
        given: &[FilterExpression],
        times: &Histogram,
    ) -> anyhow::Result<Comparison> {
        if let [first, second] = given {
            return self.compare_expressions(first.expression(), second.expression()).await;
        }
        let limit = times.percentile(compare::SLOW).unwrap_or_default();
        if let Some(slow) = self.selector(Some(compare::slower_than(limit))) {
            let rest = Expression::Not(Box::new(slow.clone()));
            return self.compare_expressions(&slow, &rest).await;
        }
        // All of them, so that both sides are read at once.
        let share = self.share(times);
        let traces = self.read(&self.expression(None), share, "the comparison").await?;
        Ok(Comparison::of_the_slowest(&traces))
    }

    async fn compare_expressions(
        &self,
        first: &Expression,
        second: &Expression,
    ) -> anyhow::Result<Comparison> {
        let titles = [first, second].map(ToString::to_string);
        let [first, second] = [first, second].map(|side| self.expression([side.clone()]));
        let first = self.read(&first, 1.0, "the first side").await?;
        let second = self.read(&second, 1.0, "the second side").await?;
        Ok(Comparison::between(titles, &first, &second))
    }

    /// Returns the share of traces to read, so that about as many as allowed are. With a filter, how many there are is
    /// unknown.
    fn share(&self, times: &Histogram) -> f64 {
        if self.filter != FilterExpression::default() {
            return 1.0;
        }
        let most = u32::try_from(MOST_TRACES).unwrap_or(u32::MAX);
        let total = u32::try_from(times.total()).unwrap_or(u32::MAX);
        (f64::from(most) / f64::from(total.max(1))).min(1.0)
    }

    /// Reads traces up to the bound, and says so if there are more.
    async fn read(&self, expression: &str, share: f64, what: &str) -> anyhow::Result<Vec<TraceSummary>> {
        let sample = self.xray.sample(expression, self.from.into(), MOST_TRACES, share).await?;
        if share < 1.0 {
            remark(&format!(
                "X-Ray was asked for a sample of {:.1} % of the traces for {what}",
                share * 100.0
            ));
        }
        if sample.more {
            remark(&format!("there are more traces: {what} is about {MOST_TRACES} of them"));
        }
        Ok(sample.traces)
    }
}
