//! All rules in use, in the order of evaluation.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;
use std::time::Duration;

use crate::matching::{Request, Service};
use crate::rule::Rule;
use crate::rule_state::RuleState;
use crate::statistics::Taken;
use crate::target::{Received, TargetUpdate};

/// The age at which rules are no longer applied, as in the samplers of .NET, JavaScript and Python.
const LONGEST_USE: Duration = Duration::from_hours(1);

/// A rule's statistics since the last report, with the rule's name.
pub(crate) type TakenStatistics = (Arc<str>, Taken);

/// Sorted rules. A set is immutable; a set that replaces it shares the state of the rules that remain.
#[derive(Debug)]
pub(crate) struct RuleSet {
    states: Vec<Arc<RuleState>>,
    fetched: Duration,
}

impl RuleSet {
    /// Creates a set from the rules that X-Ray returned at the time `fetched`. Rules that did not change keep their
    /// state.
    pub(crate) fn new(
        previous: Option<&Self>,
        rules: Vec<Rule>,
        service: &Service,
        fetched: Duration,
    ) -> Self {
        let before: HashMap<&str, &Arc<RuleState>> = previous
            .into_iter()
            .flat_map(|set| &set.states)
            .map(|state| (&*state.rule.name, state))
            .collect();
        let mut names = HashSet::new();
        let mut rules: Vec<Rule> = rules
            .into_iter()
            .filter(|rule| service.matches(rule) && names.insert(rule.name.clone()))
            .collect();
        rules.sort_by_cached_key(Rule::order);
        let states = rules
            .into_iter()
            .map(|rule| match before.get(&*rule.name) {
                Some(state) if *state.rule == rule => Arc::clone(state),
                Some(state) => Arc::new(state.with_rule(rule)),
                None => Arc::new(RuleState::new(rule)),
            })
            .collect();
        Self { states, fetched }
    }

    /// Returns the set with updated targets. Updates of unknown rules are ignored, since a rule may have been deleted
    /// after the report.
    pub(crate) fn after(&self, updates: &[TargetUpdate], received: Received) -> Self {
        let updates: HashMap<&str, &TargetUpdate> =
            updates.iter().map(|update| (update.rule.as_str(), update)).collect();
        let states = self
            .states
            .iter()
            .map(|state| match updates.get(&*state.rule.name) {
                Some(update) => Arc::new(state.after(update, received)),
                None => state.clone(),
            })
            .collect();
        Self { states, fetched: self.fetched }
    }

    /// Returns the first rule that matches a request.
    pub(crate) fn find(&self, request: &Request<'_>) -> Option<&RuleState> {
        self.states.iter().map(|state| &**state).find(|state| request.matches(&state.rule))
    }

    /// Returns whether the rules are too old to be applied.
    pub(crate) fn is_expired(&self, now: Duration) -> bool {
        now.saturating_sub(self.fetched) > LONGEST_USE
    }

    /// Returns the rule with a name.
    pub(crate) fn named(&self, name: &str) -> Option<&RuleState> {
        self.states.iter().map(|state| &**state).find(|state| &*state.rule.name == name)
    }

    /// Takes the statistics since the last report, without those of rules that had no requests.
    pub(crate) fn take_statistics(&self) -> Vec<TakenStatistics> {
        let taken = self.states.iter().map(|state| (state.rule.name.clone(), state.statistics().take()));
        taken.filter(|(_, taken)| !taken.is_empty()).collect()
    }

    /// Puts back the statistics of a report that failed, except those of rules deleted since.
    pub(crate) fn put_back(&self, statistics: Vec<TakenStatistics>) {
        for (name, taken) in statistics {
            if let Some(state) = self.states.iter().find(|state| state.rule.name == name) {
                state.statistics().put_back(taken);
            }
        }
    }
}

#[cfg(test)]
mod tests;
