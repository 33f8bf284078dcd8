//! Sampling rules (<https://docs.aws.amazon.com/xray/latest/devguide/xray-console-sampling.html>).

use std::collections::BTreeMap;
use std::ops::RangeInclusive;

use serde::{Deserialize, Serialize};

use super::error::ControlError;
use super::place::Place;
use super::tags::Tags;

/// The rule that every account has. It matches what no other rule does.
const DEFAULT: &str = "Default";
/// Quota "Custom sampling rules per region" (<https://docs.aws.amazon.com/general/latest/gr/xray.html>).
const MAX_RULES: usize = 25;
/// The only version of the rules' format.
const VERSION: i32 = 1;
const PRIORITIES: RangeInclusive<i32> = 1..=9_999;
/// That of the default rule comes after all others.
const DEFAULT_PRIORITY: i32 = 10_000;
const RATES: RangeInclusive<f64> = 0.0..=1.0;

/// What a rule matches, and how much of that is sampled.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(crate) struct RuleSettings {
    #[serde(rename = "ResourceARN")]
    resource_arn: String,
    priority: i32,
    pub(crate) fixed_rate: f64,
    pub(crate) reservoir_size: i32,
    service_name: String,
    service_type: String,
    host: String,
    #[serde(rename = "HTTPMethod")]
    http_method: String,
    #[serde(rename = "URLPath")]
    url_path: String,
    version: i32,
    #[serde(default)]
    attributes: BTreeMap<String, String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) sampling_rate_boost: Option<SamplingRateBoost>,
}

/// How far the rate may rise when anomalies are reported.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(crate) struct SamplingRateBoost {
    pub(crate) max_rate: f64,
    pub(crate) cooldown_window_minutes: u32,
}

/// What a request sets of a rule; what it lacks stays as it is.
#[derive(Clone, Debug, Default, PartialEq, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(crate) struct RuleChange {
    #[serde(rename = "ResourceARN")]
    resource_arn: Option<String>,
    priority: Option<i32>,
    fixed_rate: Option<f64>,
    reservoir_size: Option<i32>,
    host: Option<String>,
    service_name: Option<String>,
    service_type: Option<String>,
    #[serde(rename = "HTTPMethod")]
    http_method: Option<String>,
    #[serde(rename = "URLPath")]
    url_path: Option<String>,
    attributes: Option<BTreeMap<String, String>>,
    sampling_rate_boost: Option<SamplingRateBoost>,
}

/// A rule and when it was made.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct Rule {
    pub(crate) name: String,
    pub(crate) settings: RuleSettings,
    /// Epoch seconds.
    pub(crate) created_at: f64,
    /// Epoch seconds.
    pub(crate) modified_at: f64,
    pub(crate) tags: Tags,
}

/// Names a rule, by name or by ARN.
#[derive(Clone, Debug, Default, Deserialize)]
pub(crate) struct RuleKey {
    #[serde(rename = "RuleName")]
    pub(crate) name: Option<String>,
    #[serde(rename = "RuleARN")]
    pub(crate) arn: Option<String>,
}

/// The sampling rules of an account, by name.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct Rules {
    by_name: BTreeMap<String, Rule>,
    last_modification: f64,
}

impl Default for Rules {
    fn default() -> Self {
        let rule = Rule {
            name: DEFAULT.to_owned(),
            settings: RuleSettings::of_default_rule(),
            created_at: 0.0,
            modified_at: 0.0,
            tags: Tags::default(),
        };
        Self { by_name: BTreeMap::from([(DEFAULT.to_owned(), rule)]), last_modification: 0.0 }
    }
}

impl RuleKey {
    #[cfg(test)]
    pub(crate) fn named(name: &str) -> Self {
        Self { name: Some(name.to_owned()), arn: None }
    }
}

impl Rule {
    pub(crate) fn arn(&self, place: &Place) -> String {
        place.sampling_rule(&self.name)
    }
}

impl RuleSettings {
    /// One request a second and five percent of the rest.
    fn of_default_rule() -> Self {
        let all = || "*".to_owned();
        Self {
            resource_arn: all(),
            priority: DEFAULT_PRIORITY,
            fixed_rate: 0.05,
            reservoir_size: 1,
            service_name: all(),
            service_type: all(),
            host: all(),
            http_method: all(),
            url_path: all(),
            version: VERSION,
            attributes: BTreeMap::new(),
            sampling_rate_boost: None,
        }
    }

    fn apply(&mut self, change: &RuleChange) {
        fn set<T: Clone>(member: &mut T, value: Option<&T>) {
            if let Some(value) = value {
                member.clone_from(value);
            }
        }
        set(&mut self.resource_arn, change.resource_arn.as_ref());
        set(&mut self.priority, change.priority.as_ref());
        set(&mut self.fixed_rate, change.fixed_rate.as_ref());
        set(&mut self.reservoir_size, change.reservoir_size.as_ref());
        set(&mut self.host, change.host.as_ref());
        set(&mut self.service_name, change.service_name.as_ref());
        set(&mut self.service_type, change.service_type.as_ref());
        set(&mut self.http_method, change.http_method.as_ref());
        set(&mut self.url_path, change.url_path.as_ref());
        set(&mut self.attributes, change.attributes.as_ref());
        if change.sampling_rate_boost.is_some() {
            self.sampling_rate_boost = change.sampling_rate_boost;
        }
    }
}

impl RuleChange {
    /// The model limits none of these in an update.
    fn check(&self) -> Result<(), ControlError> {
        let refused = if self.priority.is_some_and(|priority| !PRIORITIES.contains(&priority)) {
            "SamplingRuleUpdate.Priority must be from 1 to 9999"
        } else if self.fixed_rate.is_some_and(|rate| !RATES.contains(&rate)) {
            "SamplingRuleUpdate.FixedRate must be from 0 to 1: five percent is 0.05"
        } else if self.reservoir_size.is_some_and(|size| size < 0) {
            "SamplingRuleUpdate.ReservoirSize must not be negative"
        } else {
            return Ok(());
        };
        Err(ControlError::invalid(refused))
    }

    fn is_for_the_default_rule(&self) -> bool {
        let rest = Self { fixed_rate: None, reservoir_size: None, ..self.clone() };
        rest == Self::default()
    }
}

impl Rules {
    pub(crate) fn create(
        &mut self,
        name: Option<&str>,
        settings: RuleSettings,
        tags: Tags,
        now: f64,
    ) -> Result<&Rule, ControlError> {
        let Some(name) = name else {
            return Err(ControlError::invalid("SamplingRule.RuleName must be given"));
        };
        if settings.version != VERSION {
            return Err(ControlError::invalid("SamplingRule.Version must be 1"));
        }
        if self.by_name.contains_key(name) {
            return Err(ControlError::invalid(format!(
                "SamplingRule.RuleName: the sampling rule {name} exists already"
            )));
        }
        if self.by_name.len() > MAX_RULES {
            return Err(ControlError::RuleLimitExceeded { quota: MAX_RULES });
        }
        self.last_modification = now;
        let rule = Rule { name: name.to_owned(), settings, created_at: now, modified_at: now, tags };
        Ok(self.by_name.entry(name.to_owned()).or_insert(rule))
    }

    pub(crate) fn update(
        &mut self,
        key: &RuleKey,
        change: &RuleChange,
        place: &Place,
        now: f64,
    ) -> Result<&Rule, ControlError> {
        let name = self.name_of(key, place)?;
        change.check()?;
        if name == DEFAULT && !change.is_for_the_default_rule() {
            return Err(ControlError::invalid(
                "Invalid update request for default sampling rule: only FixedRate and ReservoirSize can be changed",
            ));
        }
        let rule = self.by_name.get_mut(&name).ok_or_else(not_found)?;
        rule.settings.apply(change);
        rule.modified_at = now;
        self.last_modification = now;
        Ok(rule)
    }

    pub(super) fn delete(&mut self, key: &RuleKey, place: &Place, now: f64) -> Result<Rule, ControlError> {
        let name = self.name_of(key, place)?;
        if name == DEFAULT {
            return Err(ControlError::invalid("the default sampling rule cannot be deleted"));
        }
        let rule = self.by_name.remove(&name).ok_or_else(not_found)?;
        self.last_modification = now;
        Ok(rule)
    }

    fn name_of(&self, key: &RuleKey, place: &Place) -> Result<String, ControlError> {
        let rule = match (&key.name, &key.arn) {
            (Some(name), None) => self.get(name),
            (None, Some(arn)) => self.by_arn(arn, place),
            (None, None) => return Err(ControlError::invalid("RuleName or RuleARN must be given")),
            (Some(_), Some(_)) => {
                return Err(ControlError::invalid("RuleName and RuleARN must not both be given"));
            }
        };
        rule.map(|rule| rule.name.clone()).ok_or_else(not_found)
    }

    pub(crate) fn get(&self, name: &str) -> Option<&Rule> {
        self.by_name.get(name)
    }

    pub(crate) fn by_arn(&self, arn: &str, place: &Place) -> Option<&Rule> {
        self.by_name.values().find(|rule| rule.arn(place) == arn)
    }

    pub(crate) fn by_arn_mut(&mut self, arn: &str, place: &Place) -> Option<&mut Rule> {
        self.by_name.values_mut().find(|rule| rule.arn(place) == arn)
    }

    /// Returns the rules in the order of their names, in which capitals come first, as AWS does.
    pub(crate) fn iter(&self) -> impl Iterator<Item = &Rule> {
        self.by_name.values()
    }

    /// Returns when a rule was last created, changed or deleted, epoch seconds; zero if never.
    pub(crate) fn last_modification(&self) -> f64 {
        self.last_modification
    }
}

fn not_found() -> ControlError {
    ControlError::invalid("Sampling rule not found: names are case-sensitive")
}

#[cfg(test)]
mod tests;
