//! A rule in use, with its target and its statistics.

use std::sync::Arc;
use std::time::Duration;

use opentelemetry::TraceId;

use crate::limiter::Limiter;
use crate::ratio;
use crate::rule::Rule;
use crate::statistics::{Outcome, Statistics};
use crate::target::{Received, Target, TargetUpdate};

/// A rule, its target, and what has been used and counted.
///
/// A new state replaces an old one when the rule or its target changes. All states of a rule share what was used and
/// counted, so that no decision is lost that a thread makes with an old state.
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

    /// Returns the state after the rule changed. The target is dropped, because X-Ray assigned it to the old
    /// definition. The statistics are kept, because they are reported under the rule's name.
    pub(crate) fn with_rule(&self, rule: Rule) -> Self {
        let target = Target::new(rule.fixed_rate);
        Self { rule: Arc::new(rule), target, live: self.live.clone() }
    }

    /// Returns the state with an updated target.
    pub(crate) fn after(&self, update: &TargetUpdate, received: Received) -> Self {
        Self { rule: self.rule.clone(), target: self.target.after(update, received), live: self.live.clone() }
    }

    /// Decides whether to sample a trace that the rule matches, and counts the decision.
    pub(crate) fn decide(&self, now: Duration, trace_id: TraceId) -> bool {
        let outcome = self.outcome(now, trace_id);
        self.live.statistics.count(outcome);
        outcome.is_sampled()
    }

    /// Applies the quota first and then the rate. Without a valid quota, one trace per second is borrowed from the
    /// reservoir if the rule has one
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

    /// Returns the statistics.
    pub(crate) fn statistics(&self) -> &Statistics {
        &self.live.statistics
    }
}

#[cfg(test)]
mod tests;
