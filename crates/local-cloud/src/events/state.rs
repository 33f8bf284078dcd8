//! What EventBridge keeps: buses with their rules, archives and replays.

use std::collections::BTreeMap;
use std::sync::Arc;

use event_pattern::Pattern;
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use super::archive::Archive;
use super::errors::{invalid, not_found};
use super::names::{DEFAULT_BUS, Names};
use super::replay::Replay;
use super::schedule::Schedule;
use super::target::Target;
use crate::budget::{Budget, Share};
use crate::reply::AwsError;

/// Service Quotas, "Event buses".
pub(super) const MAX_BUSES: usize = 100;
/// Service Quotas, "Rules" of a bus.
pub(super) const MAX_RULES: usize = 300;
/// Service Quotas, "Targets" of a rule.
pub(super) const MAX_TARGETS: usize = 5;
const MAX_TAGS: usize = 50;
/// For all rules with their targets, and for replays.
const MAX_BYTES: usize = 64 * 1024 * 1024;
/// For the events of all archives.
const MAX_ARCHIVED_BYTES: usize = 64 * 1024 * 1024;
/// What a rule, a target or a replay takes beside its texts.
const OVERHEAD: usize = 512;
/// A pattern is kept as text and compiled, a target as it was given and as it was read.
const COPIES: usize = 4;

#[derive(Debug)]
pub(super) struct State {
    pub(super) buses: BTreeMap<String, Bus>,
    pub(super) archives: BTreeMap<String, Archive>,
    pub(super) replays: BTreeMap<String, Replay>,
    pub(super) budget: Budget,
    pub(super) archived: Budget,
}

#[derive(Debug)]
pub(super) struct Bus {
    pub(super) arn: String,
    pub(super) description: Option<String>,
    pub(super) kms_key: Option<String>,
    pub(super) dead_letter_config: Option<Value>,
    pub(super) policy: Option<Map<String, Value>>,
    pub(super) created: Timestamp,
    pub(super) modified: Timestamp,
    pub(super) tags: Tags,
    /// By name. An event that is being delivered keeps the rules as they were when it arrived.
    pub(super) rules: BTreeMap<String, Arc<Rule>>,
}

#[derive(Clone, Debug)]
pub(super) struct Rule {
    pub(super) name: String,
    pub(super) arn: String,
    pub(super) pattern: Option<(String, Pattern)>,
    pub(super) schedule: Option<(String, Schedule)>,
    /// When the rule fires next, if it is enabled and has a schedule.
    pub(super) next_run: Option<Timestamp>,
    pub(super) state: RuleState,
    pub(super) description: Option<String>,
    pub(super) role_arn: Option<String>,
    pub(super) tags: Tags,
    /// By id.
    pub(super) targets: BTreeMap<String, Target>,
    pub(super) share: Option<Arc<Share>>,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub(super) enum RuleState {
    #[default]
    Enabled,
    Disabled,
    EnabledWithAllCloudtrailManagementEvents,
}

impl State {
    pub(super) fn new(names: &Names) -> Self {
        let buses = [(DEFAULT_BUS.to_owned(), Bus::new(names.bus_arn(DEFAULT_BUS)))].into();
        Self {
            buses,
            archives: BTreeMap::new(),
            replays: BTreeMap::new(),
            budget: Budget::new(MAX_BYTES),
            archived: Budget::new(MAX_ARCHIVED_BYTES),
        }
    }

    pub(super) fn bus(&self, name: &str) -> Result<&Bus, AwsError> {
        self.buses.get(name).ok_or_else(|| Names::no_such_bus(name))
    }

    pub(super) fn bus_mut(&mut self, name: &str) -> Result<&mut Bus, AwsError> {
        self.buses.get_mut(name).ok_or_else(|| Names::no_such_bus(name))
    }

    pub(super) fn rule(&self, bus: &str, name: &str) -> Result<&Arc<Rule>, AwsError> {
        self.bus(bus)?.rules.get(name).ok_or_else(|| no_such_rule(bus, name))
    }

    pub(super) fn rule_mut(&mut self, bus: &str, name: &str) -> Result<&mut Rule, AwsError> {
        let rule = self.bus_mut(bus)?.rules.get_mut(name).ok_or_else(|| no_such_rule(bus, name))?;
        Ok(Arc::make_mut(rule))
    }

    /// Replaces a rule by what `change` makes of it.
    pub(super) fn change_rule(
        &mut self,
        bus: &str,
        name: &str,
        change: impl FnOnce(&mut Rule) -> Result<(), AwsError>,
    ) -> Result<(), AwsError> {
        let mut changed = Rule::clone(self.rule(bus, name)?);
        change(&mut changed)?;
        changed.account(&self.budget)?;
        *self.rule_mut(bus, name)? = changed;
        Ok(())
    }
}

/// Takes memory for what a client stores.
pub(super) fn take(budget: &Budget, texts: usize) -> Result<Share, AwsError> {
    budget.take(OVERHEAD + texts).ok_or_else(|| {
        AwsError::bad_request(
            "LimitExceededException",
            "The local cloud has no memory left for rules, targets and replays.",
        )
    })
}

fn no_such_rule(bus: &str, name: &str) -> AwsError {
    // AWS ends this message with the bus's name.
    let mut error = not_found(format_args!("Rule {name}"));
    error.message = format!("Rule {name} does not exist on EventBus {bus}.");
    error
}

impl Bus {
    pub(super) fn new(arn: String) -> Self {
        let now = Timestamp::now();
        Self {
            arn,
            description: None,
            kms_key: None,
            dead_letter_config: None,
            policy: None,
            created: now,
            modified: now,
            tags: Tags::default(),
            rules: BTreeMap::new(),
        }
    }

    /// Returns the rules that an event matches and that have targets.
    pub(super) fn matching(&self, event: &Value) -> Vec<Arc<Rule>> {
        self.rules
            .values()
            .filter(|rule| rule.state != RuleState::Disabled && !rule.targets.is_empty())
            .filter(|rule| rule.pattern.as_ref().is_some_and(|(_, pattern)| pattern.matches(event)))
            .cloned()
            .collect()
    }
}

impl Rule {
    /// Takes the memory for the rule as it is now.
    pub(super) fn account(&mut self, budget: &Budget) -> Result<(), AwsError> {
        let optional = [&self.description, &self.role_arn].into_iter().flatten();
        let pattern = self.pattern.as_ref().map_or(0, |(text, _)| COPIES * text.len());
        let targets = self.targets.values().map(|target| OVERHEAD + COPIES * target.given.to_string().len());
        let bytes = self.name.len() + self.arn.len() + pattern + self.tags.bytes();
        let bytes = bytes + optional.map(String::len).chain(targets).sum::<usize>();
        self.share = Some(Arc::new(take(budget, bytes)?));
        Ok(())
    }

    /// Plans the next run, counting from a point in time.
    pub(super) fn plan(&mut self, after: Timestamp) {
        self.next_run = match &self.schedule {
            Some((_, schedule)) if self.state != RuleState::Disabled => schedule.next(after),
            _ => None,
        };
    }
}

/// Tags in the order in which they were given.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[serde(transparent)]
pub(super) struct Tags(Vec<Tag>);

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Tag {
    key: String,
    value: String,
}

impl Tags {
    pub(super) fn merge(&mut self, more: Self) -> Result<(), AwsError> {
        for (index, tag) in more.0.iter().enumerate() {
            if more.0[..index].iter().any(|other| other.key == tag.key) {
                return Err(invalid("Invalid parameter: Duplicated keys are not allowed."));
            }
        }
        let mut merged = self.0.clone();
        for tag in more.0 {
            match merged.iter_mut().find(|other| other.key == tag.key) {
                Some(other) => other.value = tag.value,
                None => merged.push(tag),
            }
        }
        if merged.len() > MAX_TAGS {
            return Err(invalid(format!("a resource has at most {MAX_TAGS} tags")));
        }
        self.0 = merged;
        Ok(())
    }

    fn bytes(&self) -> usize {
        self.0.iter().map(|tag| size_of::<Tag>() + tag.key.len() + tag.value.len()).sum()
    }

    pub(super) fn remove(&mut self, keys: &[String]) {
        self.0.retain(|tag| !keys.contains(&tag.key));
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::settings::Settings;

    #[test]
    fn a_rule_that_would_take_too_much_memory_stays_as_it_was() {
        let mut state = State::new(&Names::new(&Settings::default()));
        state.budget = Budget::new(4 * OVERHEAD);
        let mut rule = Rule {
            name: "r".to_owned(),
            arn: "arn".to_owned(),
            pattern: None,
            schedule: None,
            next_run: None,
            state: RuleState::Enabled,
            description: None,
            role_arn: None,
            tags: Tags::default(),
            targets: BTreeMap::new(),
            share: None,
        };
        rule.account(&state.budget).unwrap();
        state.bus_mut(DEFAULT_BUS).unwrap().rules.insert("r".to_owned(), Arc::new(rule));
        let mut describe = |description: String| {
            state.change_rule(DEFAULT_BUS, "r", |rule| {
                rule.description = Some(description);
                Ok(())
            })
        };
        describe("d".to_owned()).unwrap();
        assert_eq!(describe("d".repeat(2000)).unwrap_err().code, "LimitExceededException");
        describe("d".repeat(500)).unwrap();
        assert_eq!(state.rule(DEFAULT_BUS, "r").unwrap().description, Some("d".repeat(500)));
        state.bus_mut(DEFAULT_BUS).unwrap().rules.clear();
        assert!(state.budget.take(4 * OVERHEAD).is_some(), "a deleted rule takes none");
    }
}
