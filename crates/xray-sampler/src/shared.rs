//! The rules that a sampler and its poller share.

use std::sync::{Arc, Mutex, PoisonError, RwLock};

use opentelemetry::{KeyValue, TraceId};
use opentelemetry_sdk::Resource;

use crate::anomalies::Ended;
use crate::clock::Clock;
use crate::limiter::Limiter;
use crate::matching::{Request, Service};
use crate::ratio;
use crate::rule::{Detection, Rule};
use crate::rule_set::{RuleSet, TakenStatistics};
use crate::target::{Received, TargetUpdate};

/// The share of traces sampled without rules, beyond one per second. Both are the values of X-Ray's Default rule unless
/// it is edited (<https://docs.aws.amazon.com/xray/latest/devguide/xray-console-sampling.html#xray-console-custom>).
const FALLBACK_RATE: f64 = 0.05;

/// The rules in use for one service.
#[derive(Debug)]
pub(crate) struct Shared {
    service: Service,
    clock: Arc<dyn Clock>,
    fallback: Limiter,
    /// Locked only to copy or replace the pointer, so that a decision never waits longer than that.
    current: RwLock<Option<Arc<RuleSet>>>,
    /// Held while a set is derived from the current one, so that concurrent updates are not lost.
    replacing: Mutex<()>,
}

/// A decision about a trace.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Decision {
    pub(crate) is_sampled: bool,
    /// The name of the rule that decided, if one did.
    pub(crate) rule: Option<Arc<str>>,
}

impl Shared {
    pub(crate) fn new(resource: &Resource, clock: Arc<dyn Clock>) -> Self {
        Self {
            service: Service::of(resource),
            clock,
            fallback: Limiter::default(),
            current: RwLock::default(),
            replacing: Mutex::default(),
        }
    }

    /// Decides whether to sample a trace, given the attributes of its root span, and counts the decision.
    pub(crate) fn decide(&self, attributes: &[KeyValue], trace_id: TraceId) -> Decision {
        let now = self.clock.now();
        if let Some(rules) = self.current().filter(|rules| !rules.is_expired(now))
            && let Some(state) = rules.find(&Request::of(&self.service, attributes))
        {
            let is_sampled = state.decide(now, trace_id);
            return Decision { is_sampled, rule: Some(state.rule.name.clone()) };
        }
        let is_sampled = self.fallback.take(now, 1) || ratio::is_sampled(trace_id, FALLBACK_RATE);
        Decision { is_sampled, rule: None }
    }

    /// Counts a trace that has ended, if X-Ray may boost the rate of the rule that decided about it. `is_anomalous` is
    /// told which anomalies the rule is about.
    pub(crate) fn count_ended(
        &self,
        rule: &str,
        is_sampled: bool,
        is_anomalous: impl FnOnce(Detection) -> bool,
    ) {
        let rules = self.current();
        let Some(state) = rules.as_ref().and_then(|rules| rules.named(rule)) else { return };
        let Some(detection) = state.rule.boost else { return };
        state.statistics().anomalies.count(match (is_anomalous(detection), is_sampled) {
            (false, _) => Ended::Normally,
            (true, true) => Ended::SampledAnomaly,
            (true, false) => Ended::UnsampledAnomaly,
        });
    }

    /// Returns the name of the service.
    pub(crate) fn service_name(&self) -> &str {
        self.service.name()
    }

    /// Returns whether there are no rules, or only expired ones.
    pub(crate) fn is_falling_back(&self) -> bool {
        self.current().is_none_or(|rules| rules.is_expired(self.clock.now()))
    }

    /// Returns the time on both clocks.
    pub(crate) fn both_clocks(&self) -> Received {
        Received { now: self.clock.now(), date: self.clock.date() }
    }

    /// Replaces the rules.
    pub(crate) fn install(&self, rules: Vec<Rule>) {
        let fetched = self.clock.now();
        self.replace(|current| Some(RuleSet::new(current, rules, &self.service, fetched)));
    }

    /// Updates the targets of rules.
    pub(crate) fn apply(&self, updates: &[TargetUpdate], received: Received) {
        self.replace(|current| current.map(|rules| rules.after(updates, received)));
    }

    /// Takes the statistics since the last report.
    pub(crate) fn take_statistics(&self) -> Vec<TakenStatistics> {
        self.current().map(|rules| rules.take_statistics()).unwrap_or_default()
    }

    /// Puts back the statistics of a report that failed.
    pub(crate) fn put_back(&self, statistics: Vec<TakenStatistics>) {
        if let Some(rules) = self.current() {
            rules.put_back(statistics);
        }
    }

    fn current(&self) -> Option<Arc<RuleSet>> {
        self.current.read().unwrap_or_else(PoisonError::into_inner).clone()
    }

    fn replace(&self, change: impl FnOnce(Option<&RuleSet>) -> Option<RuleSet>) {
        let _replacing = self.replacing.lock().unwrap_or_else(PoisonError::into_inner);
        let previous = self.current();
        let next = change(previous.as_deref()).map(Arc::new);
        *self.current.write().unwrap_or_else(PoisonError::into_inner) = next;
    }
}

#[cfg(test)]
mod tests;
