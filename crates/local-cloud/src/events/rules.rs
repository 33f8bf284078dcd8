//! The operations on rules, and on tags.

use std::collections::BTreeMap;
use std::sync::Arc;

use event_pattern::{Dialect, Pattern, PatternError};
use jiff::Timestamp;
use serde::Deserialize;
use serde_json::{Value, json};

use super::buses::Buses;
use super::errors::{invalid, limit_exceeded};
use super::names::{DEFAULT_BUS, Taggable};
use super::paging::Page;
use super::schedule::Schedule;
use super::state::{MAX_RULES, Rule, RuleState, State, Tags};
use crate::reply::AwsError;

/// The quota "Event pattern size"; the model allows twice as much.
const MAX_PATTERN: usize = 2048;
/// The fields that `TestEventPattern` demands of an event (API reference).
const REQUIRED: [&str; 6] = ["id", "account", "source", "time", "region", "detail-type"];

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct PutRule {
    name: String,
    event_bus_name: Option<String>,
    event_pattern: Option<String>,
    schedule_expression: Option<String>,
    #[serde(default)]
    state: RuleState,
    description: Option<String>,
    role_arn: Option<String>,
    #[serde(default)]
    tags: Tags,
}

pub(super) fn put(buses: &Buses, input: PutRule) -> Result<Value, AwsError> {
    let names = buses.names();
    let bus_name = names.bus_name(input.event_bus_name.as_deref());
    let given = |text: Option<String>| text.filter(|text| !text.is_empty());
    let (pattern, schedule) = (given(input.event_pattern), given(input.schedule_expression));
    let mut state = buses.state();
    let budget = state.budget.clone();
    let bus = state.bus_mut(bus_name)?;
    if pattern.is_none() && schedule.is_none() {
        return Err(invalid("Parameter(s) EventPattern or ScheduleExpression must be specified."));
    }
    let schedule = match schedule {
        None => None,
        Some(_) if bus_name != DEFAULT_BUS => {
            return Err(invalid("ScheduleExpression is supported only on the default event bus."));
        }
        Some(text) => match Schedule::read(&text) {
            Some(schedule) => Some((text, schedule)),
            None => return Err(invalid("Parameter ScheduleExpression is not valid.")),
        },
    };
    let pattern = match pattern {
        None => None,
        Some(text) if text.len() > MAX_PATTERN => {
            return Err(invalid(format!(
                "Parameter EventPattern for rule {} exceeds limit of {MAX_PATTERN}.",
                input.name
            )));
        }
        Some(text) => Some((text.clone(), read_pattern(&text)?)),
    };
    let old = bus.rules.get(&input.name);
    if old.is_none() && bus.rules.len() >= MAX_RULES {
        return Err(limit_exceeded());
    }
    // PutRule of an existing rule replaces everything but its targets and tags.
    let (targets, tags) = if let Some(old) = old {
        (old.targets.clone(), old.tags.clone())
    } else {
        let mut tags = Tags::default();
        tags.merge(input.tags)?;
        (BTreeMap::new(), tags)
    };
    let mut rule = Rule {
        arn: names.rule_arn(bus_name, &input.name),
        name: input.name,
        pattern,
        schedule,
        next_run: None,
        state: input.state,
        description: input.description,
        role_arn: input.role_arn,
        tags,
        targets,
        share: None,
    };
    rule.account(&budget)?;
    rule.plan(Timestamp::now());
    let arn = rule.arn.clone();
    bus.rules.insert(rule.name.clone(), Arc::new(rule));
    drop(state);
    buses.schedules_changed();
    Ok(json!({ "RuleArn": arn }))
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct OneRule {
    name: String,
    event_bus_name: Option<String>,
}

/// Deletes a rule. A rule that is not there is deleted already.
pub(super) fn delete(buses: &Buses, input: &OneRule) -> Result<Value, AwsError> {
    let bus = buses.names().bus_name(input.event_bus_name.as_deref());
    let mut state = buses.state();
    let rules = &mut state.bus_mut(bus)?.rules;
    if rules.get(&input.name).is_some_and(|rule| !rule.targets.is_empty()) {
        return Err(invalid("Rule can't be deleted since it has targets."));
    }
    rules.remove(&input.name);
    Ok(json!({}))
}

pub(super) fn set_state(buses: &Buses, input: &OneRule, wanted: RuleState) -> Result<Value, AwsError> {
    let bus = buses.names().bus_name(input.event_bus_name.as_deref());
    let mut state = buses.state();
    let rule = state.rule_mut(bus, &input.name)?;
    if rule.state != wanted {
        rule.state = wanted;
        rule.plan(Timestamp::now());
    }
    drop(state);
    buses.schedules_changed();
    Ok(json!({}))
}

pub(super) fn describe(buses: &Buses, input: &OneRule) -> Result<Value, AwsError> {
    let bus = buses.names().bus_name(input.event_bus_name.as_deref());
    let state = buses.state();
    let mut described = shown(state.rule(bus, &input.name)?, bus);
    described["CreatedBy"] = buses.names().account.clone().into();
    Ok(described)
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct ListRules {
    name_prefix: Option<String>,
    event_bus_name: Option<String>,
    #[serde(flatten)]
    page: Page,
}

pub(super) fn list(buses: &Buses, input: &ListRules) -> Result<Value, AwsError> {
    let bus = buses.names().bus_name(input.event_bus_name.as_deref());
    let prefix = input.name_prefix.as_deref().unwrap_or_default();
    let state = buses.state();
    let rules = state.bus(bus)?.rules.values().filter(|rule| rule.name.starts_with(prefix));
    input.page.of("Rules", rules.map(|rule| (rule.name.as_str(), shown(rule, bus))))
}

fn shown(rule: &Rule, bus: &str) -> Value {
    let mut shown = json!({"Name": rule.name, "Arn": rule.arn, "EventBusName": bus, "State": rule.state});
    let optional = [
        ("EventPattern", rule.pattern.as_ref().map(|(text, _)| text)),
        ("ScheduleExpression", rule.schedule.as_ref().map(|(text, _)| text)),
        ("Description", rule.description.as_ref()),
        ("RoleArn", rule.role_arn.as_ref()),
    ];
    for (member, value) in optional {
        if let Some(value) = value {
            shown[member] = value.as_str().into();
        }
    }
    shown
}

pub(super) fn read_pattern(text: &str) -> Result<Pattern, AwsError> {
    Pattern::parse(text, Dialect::EventBridge).map_err(|error| invalid_pattern(&error))
}

fn invalid_pattern(error: &PatternError) -> AwsError {
    AwsError::bad_request("InvalidEventPatternException", error.to_string())
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct TestEventPattern {
    event_pattern: String,
    event: String,
}

pub(super) fn test_pattern(input: &TestEventPattern) -> Result<Value, AwsError> {
    let event: Option<Value> = serde_json::from_str(&input.event).ok();
    let event = event
        .filter(|event| REQUIRED.iter().all(|field| event.get(field).is_some_and(|value| !value.is_null())))
        .ok_or_else(|| invalid("Parameter Event is not valid."))?;
    Ok(json!({"Result": read_pattern(&input.event_pattern)?.matches(&event)}))
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct Tagged {
    #[serde(rename = "ResourceARN")]
    resource_arn: String,
    #[serde(default)]
    tags: Tags,
    #[serde(default)]
    tag_keys: Vec<String>,
}

pub(super) fn tag(buses: &Buses, input: Tagged) -> Result<Value, AwsError> {
    let resource = buses.names().taggable(&input.resource_arn)?;
    let mut state = buses.state();
    match resource {
        Taggable::Bus(name) => state.bus_mut(name)?.tags.merge(input.tags)?,
        Taggable::Rule { bus, name } => state.change_rule(bus, name, |rule| rule.tags.merge(input.tags))?,
    }
    Ok(json!({}))
}

pub(super) fn untag(buses: &Buses, input: &Tagged) -> Result<Value, AwsError> {
    let resource = buses.names().taggable(&input.resource_arn)?;
    tags_of(&mut buses.state(), resource)?.remove(&input.tag_keys);
    Ok(json!({}))
}

pub(super) fn list_tags(buses: &Buses, input: &Tagged) -> Result<Value, AwsError> {
    let resource = buses.names().taggable(&input.resource_arn)?;
    Ok(json!({"Tags": tags_of(&mut buses.state(), resource)?}))
}

fn tags_of<'a>(state: &'a mut State, resource: Taggable<'_>) -> Result<&'a mut Tags, AwsError> {
    match resource {
        Taggable::Bus(name) => Ok(&mut state.bus_mut(name)?.tags),
        Taggable::Rule { bus, name } => Ok(&mut state.rule_mut(bus, name)?.tags),
    }
}
