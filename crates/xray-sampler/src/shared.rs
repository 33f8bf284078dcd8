//! The rules that sampler and poller share.

use std::sync::{Arc, Mutex, PoisonError, RwLock};

use opentelemetry::{KeyValue, TraceId};
use opentelemetry_sdk::Resource;

use crate::clock::Clock;
use crate::limiter::Limiter;
use crate::matching::{Request, Service};
use crate::ratio;
use crate::rule::Rule;
use crate::rule_set::{RuleSet, TakenStatistics};
use crate::target::{Received, TargetAnswer};

/// The share of traces beyond the first of each second that is sampled without rules. Both are those of X-Ray's Default
/// rule as it is when nobody has changed it
/// (<https://docs.aws.amazon.com/xray/latest/devguide/xray-console-sampling.html#xray-console-custom>).
const FALLBACK_RATE: f64 = 0.05;

/// The rules in use for one service.
#[derive(Debug)]
pub(crate) struct Shared {
    service: Service,
    clock: Arc<dyn Clock>,
    fallback: Limiter,
    /// Locked only to copy or replace the pointer, so that no decision waits for more than that.
    current: RwLock<Option<Arc<RuleSet>>>,
    /// Held while a new set is made out of the current one, so that no replacement is lost to another.
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

    /// Decides about a trace by the attributes of its first span, and counts it.
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

    /// Returns whether there are no rules, or only such that are too old to be applied.
    pub(crate) fn is_falling_back(&self) -> bool {
        self.current().is_none_or(|rules| rules.is_expired(self.clock.now()))
    }

    /// Returns the time on both clocks.
    pub(crate) fn received_now(&self) -> Received {
        Received { now: self.clock.now(), date: self.clock.date() }
    }

    /// Uses these rules from now on.
    pub(crate) fn install(&self, rules: Vec<Rule>) {
        let fetched = self.clock.now();
        self.replace(|current| Some(RuleSet::new(current, rules, &self.service, fetched)));
    }

    /// Uses what X-Ray assigned from now on.
    pub(crate) fn apply(&self, answers: &[TargetAnswer], received: Received) {
        self.replace(|current| current.map(|rules| rules.after(answers, received)));
    }

    /// Takes what was counted since the last report.
    pub(crate) fn take_statistics(&self) -> Vec<TakenStatistics> {
        self.current().map(|rules| rules.take_statistics()).unwrap_or_default()
    }

    /// Returns what was taken for a report that did not arrive.
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
