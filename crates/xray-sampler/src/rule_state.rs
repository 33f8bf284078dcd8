//! A rule in use: what it decides now, and what it decided since the last report.

use std::sync::Arc;
use std::time::Duration;

use opentelemetry::TraceId;

use crate::limiter::Limiter;
use crate::ratio;
use crate::rule::Rule;
use crate::statistics::{Outcome, Statistics};
use crate::target::{Received, Target, TargetAnswer};

/// A rule, what X-Ray assigned for it, and what has been spent and counted.
///
/// The first two are replaced as a whole; the last is shared by all states of a rule, so a trace that is decided while
/// they are replaced is counted all the same.
#[derive(Debug)]
pub(crate) struct RuleState {
    pub(crate) rule: Arc<Rule>,
    target: Target,
    live: Arc<Live>,
}

#[derive(Debug, Default)]
struct Live {
    limiter: Limiter,
    statistics: Statistics,
}

impl RuleState {
    /// Creates the state of a rule that is applied for the first time.
    pub(crate) fn new(rule: Rule) -> Self {
        let target = Target::new(rule.fixed_rate);
        Self { rule: Arc::new(rule), target, live: Arc::default() }
    }

    /// Returns the state after the rule changed. What X-Ray assigned belonged to the old definition and ends. What was
    /// counted happened under the rule's name and is still reported.
    pub(crate) fn with_rule(&self, rule: Rule) -> Self {
        let target = Target::new(rule.fixed_rate);
        Self { rule: Arc::new(rule), target, live: self.live.clone() }
    }

    /// Returns the state after an answer from X-Ray.
    pub(crate) fn after(&self, answer: &TargetAnswer, received: Received) -> Self {
        Self { rule: self.rule.clone(), target: self.target.after(answer, received), live: self.live.clone() }
    }

    /// Decides whether to sample a trace that the rule matches, and counts it.
    pub(crate) fn decide(&self, now: Duration, trace_id: TraceId) -> bool {
        let outcome = self.outcome(now, trace_id);
        self.live.statistics.count(outcome);
        outcome.is_sampled()
    }

    /// Uses the quota first and then the rate. Without a valid quota, one trace a second is borrowed from the reservoir,
    /// if there is one
    /// (<https://docs.aws.amazon.com/xray/latest/devguide/xray-api-sampling.html>).
    fn outcome(&self, now: Duration, trace_id: TraceId) -> Outcome {
        let (per_second, from) = match self.target.quota(now) {
            Some(quota) => (quota, Outcome::Quota),
            None => (self.rule.reservoir_size.min(1), Outcome::Borrowed),
        };
        if self.live.limiter.take(now, per_second) {
            from
        } else if ratio::is_sampled(trace_id, self.target.rate(now)) {
            Outcome::Rate
        } else {
            Outcome::NotSampled
        }
    }

    /// Returns what was counted.
    pub(crate) fn statistics(&self) -> &Statistics {
        &self.live.statistics
    }
}

#[cfg(test)]
mod tests;
