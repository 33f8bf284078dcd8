//! Groups: named filter expressions (<https://docs.aws.amazon.com/xray/latest/devguide/xray-console-groups.html>).
//!
//! X-Ray sorts traces into groups as they arrive, so a new expression holds for later traces only. Here a query applies the
//! expression, so a new one holds for earlier traces too, and no answer shows what belonged to an earlier one
//! (`ContainsOldGroupVersions`).

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::error::ControlError;
use super::place::Place;
use super::tags::Tags;
use crate::filter::{Expression, FilterExpression, GroupKey as By};

/// The group that every account has. It holds all traces.
const DEFAULT: &str = "Default";
/// Quota "Groups in an account" (<https://docs.aws.amazon.com/general/latest/gr/xray.html>), the default group apart.
const MAX_GROUPS: usize = 25;
/// The longest filter expression, in characters. AWS documents no limit.
const MAX_EXPRESSION_CHARACTERS: usize = 10_000;
/// How deep the expressions of groups may name other groups.
const MAX_NESTING: usize = 8;
/// Characters of the id in a group's ARN, as AWS makes them.
const ID_LENGTH: usize = 52;
const ID_CHARACTERS: &[u8; 32] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZ234567";

/// A group.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct Group {
    pub(crate) name: String,
    /// The end of its ARN; the default group has none.
    id: Option<String>,
    /// None for a group that holds all traces.
    pub(crate) filter_expression: Option<String>,
    pub(crate) insights: Insights,
    pub(crate) tags: Tags,
}

/// `InsightsConfiguration`: remembered and reported, without effect, since nothing here detects anomalies.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(crate) struct Insights {
    insights_enabled: bool,
    notifications_enabled: bool,
}

/// `InsightsConfiguration` of a request; what it lacks stays as it is.
#[derive(Clone, Copy, Debug, Default, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(crate) struct InsightsChange {
    insights_enabled: Option<bool>,
    notifications_enabled: Option<bool>,
}

/// What a request sets of a group; what it lacks stays as it is.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(crate) struct GroupChange {
    filter_expression: Option<String>,
    insights_configuration: Option<InsightsChange>,
}

/// Names a group, by name, by ARN, or by both as the AWS CLI's examples do.
#[derive(Clone, Debug, Default, Deserialize)]
pub(crate) struct GroupKey {
    #[serde(rename = "GroupName")]
    name: Option<String>,
    #[serde(rename = "GroupARN")]
    arn: Option<String>,
}

/// The groups of an account, by name.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(transparent)]
pub(crate) struct Groups(BTreeMap<String, Group>);

impl Default for Groups {
    fn default() -> Self {
        Self(BTreeMap::from([(DEFAULT.to_owned(), Group::new(DEFAULT, None))]))
    }
}

impl Group {
    fn new(name: &str, id: Option<String>) -> Self {
        Self {
            name: name.to_owned(),
            id,
            filter_expression: None,
            insights: Insights::default(),
            tags: Tags::default(),
        }
    }

    pub(crate) fn arn(&self, place: &Place) -> String {
        self.id.as_deref().map_or_else(|| place.default_group(), |id| place.group(&self.name, id))
    }

    fn apply(&mut self, change: &GroupChange) -> Result<(), ControlError> {
        let insights = match change.insights_configuration {
            Some(change) => self.insights.with(change)?,
            None => self.insights,
        };
        if let Some(text) = &change.filter_expression {
            if self.id.is_none() {
                return Err(ControlError::invalid(
                    "FilterExpression of the default group cannot be changed: create a group for the expression",
                ));
            }
            self.filter_expression = checked(text)?;
        }
        self.insights = insights;
        Ok(())
    }
}

impl Insights {
    fn with(self, change: InsightsChange) -> Result<Self, ControlError> {
        let insights_enabled = change.insights_enabled.unwrap_or(self.insights_enabled);
        // Whoever turns insights off turns off the notifications about them.
        let kept = self.notifications_enabled && insights_enabled;
        let notifications_enabled = change.notifications_enabled.unwrap_or(kept);
        if notifications_enabled && !insights_enabled {
            return Err(ControlError::invalid(
                "InsightsConfiguration.NotificationsEnabled can only be true if InsightsEnabled is true",
            ));
        }
        Ok(Self { insights_enabled, notifications_enabled })
    }
}

impl Groups {
    /// Creates a group; `change` has what is set of it.
    pub(crate) fn create(
        &mut self,
        name: &str,
        change: &GroupChange,
        tags: Tags,
    ) -> Result<&Group, ControlError> {
        check_name(name)?;
        if self.0.contains_key(name) {
            return Err(ControlError::invalid(format!("GroupName: the group {name} exists already")));
        }
        if self.0.len() > MAX_GROUPS {
            return Err(ControlError::invalid(format!(
                "the account has {MAX_GROUPS} groups, its quota: delete one first"
            )));
        }
        let mut group = Group { tags, ..Group::new(name, Some(new_id())) };
        group.apply(change)?;
        Ok(self.0.entry(name.to_owned()).or_insert(group))
    }

    pub(crate) fn update(
        &mut self,
        key: &GroupKey,
        change: &GroupChange,
        place: &Place,
    ) -> Result<&Group, ControlError> {
        let group = self.find_mut(key, place)?;
        group.apply(change)?;
        Ok(group)
    }

    pub(crate) fn delete(&mut self, key: &GroupKey, place: &Place) -> Result<(), ControlError> {
        let name = self.find(key, place)?.name.clone();
        if name == DEFAULT {
            return Err(ControlError::invalid("the default group cannot be deleted"));
        }
        self.0.remove(&name);
        Ok(())
    }

    pub(crate) fn find(&self, key: &GroupKey, place: &Place) -> Result<&Group, ControlError> {
        self.0.get(self.name_of(key, place)?).ok_or_else(not_found)
    }

    fn find_mut(&mut self, key: &GroupKey, place: &Place) -> Result<&mut Group, ControlError> {
        let name = self.name_of(key, place)?.to_owned();
        self.0.get_mut(&name).ok_or_else(not_found)
    }

    fn name_of<'a>(&'a self, key: &'a GroupKey, place: &Place) -> Result<&'a str, ControlError> {
        let of_arn = |arn| self.by_arn(arn, place).map(|group| group.name.as_str()).ok_or_else(not_found);
        match (key.name.as_deref(), key.arn.as_deref()) {
            (None, None) => Err(ControlError::invalid("GroupName or GroupARN must be given")),
            (Some(name), None) => Ok(name),
            (None, Some(arn)) => of_arn(arn),
            (Some(name), Some(arn)) if of_arn(arn)? == name => Ok(name),
            (Some(_), Some(_)) => {
                Err(ControlError::invalid("GroupName and GroupARN are of different groups"))
            }
        }
    }

    /// Returns the filter of the group that a query names; the one that all traces pass if it names none.
    pub(crate) fn filter(&self, key: &GroupKey, place: &Place) -> Result<FilterExpression, ControlError> {
        if key.name.is_none() && key.arn.is_none() {
            return Ok(FilterExpression::default());
        }
        let filter = parsed(self.find(key, place)?.filter_expression.as_deref().unwrap_or_default())?;
        self.resolve(filter, place)
    }

    /// Replaces the groups in an expression by their own expressions.
    pub(crate) fn resolve(
        &self,
        filter: FilterExpression,
        place: &Place,
    ) -> Result<FilterExpression, ControlError> {
        self.resolve_within(filter.into(), place, MAX_NESTING).map(FilterExpression::from)
    }

    fn resolve_within(
        &self,
        expression: Expression,
        place: &Place,
        nesting: usize,
    ) -> Result<Expression, ControlError> {
        expression.with_groups(&mut |by, value| {
            if nesting == 0 {
                return Err(ControlError::invalid("the expressions of groups name each other in a circle"));
            }
            let key = match by {
                By::Name => GroupKey { name: Some(value.to_owned()), arn: None },
                By::Arn => GroupKey { name: None, arn: Some(value.to_owned()) },
            };
            let group = self.find(&key, place)?;
            let inner = parsed(group.filter_expression.as_deref().unwrap_or_default())?;
            self.resolve_within(inner.into(), place, nesting - 1)
        })
    }

    pub(crate) fn by_arn(&self, arn: &str, place: &Place) -> Option<&Group> {
        self.0.values().find(|group| group.arn(place) == arn)
    }

    pub(crate) fn by_arn_mut(&mut self, arn: &str, place: &Place) -> Option<&mut Group> {
        self.0.values_mut().find(|group| group.arn(place) == arn)
    }

    /// Returns the groups in the order of their names, in which capitals come first.
    pub(crate) fn iter(&self) -> impl Iterator<Item = &Group> {
        self.0.values()
    }
}

/// Terraform takes a group for deleted if the message contains these words.
fn not_found() -> ControlError {
    ControlError::invalid(
        "Group not found: GroupName is case-sensitive, and a recreated group has another GroupARN",
    )
}

fn check_name(name: &str) -> Result<(), ControlError> {
    if name.eq_ignore_ascii_case(DEFAULT) {
        return Err(ControlError::invalid(format!("GroupName: {DEFAULT} is a reserved name")));
    }
    if name.chars().all(|character| character.is_ascii_alphanumeric() || character == '-') {
        Ok(())
    } else {
        Err(ControlError::invalid("GroupName may contain only letters, digits and hyphens"))
    }
}

/// Returns an expression as it was written, or none if it is empty.
fn checked(text: &str) -> Result<Option<String>, ControlError> {
    if text.chars().count() > MAX_EXPRESSION_CHARACTERS {
        return Err(ControlError::invalid(format!(
            "FilterExpression may have at most {MAX_EXPRESSION_CHARACTERS} characters"
        )));
    }
    parsed(text)?;
    Ok((!text.trim().is_empty()).then(|| text.to_owned()))
}

fn parsed(text: &str) -> Result<FilterExpression, ControlError> {
    text.parse().map_err(|error| ControlError::invalid(format!("FilterExpression is invalid: {error}")))
}

fn new_id() -> String {
    (0..ID_LENGTH).map(|_| char::from(ID_CHARACTERS[usize::from(rand::random::<u8>() % 32)])).collect()
}

#[cfg(test)]
mod tests;
