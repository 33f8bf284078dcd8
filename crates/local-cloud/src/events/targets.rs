//! The operations on the targets of rules.

use serde::Deserialize;
use serde_json::{Value, json};

use super::buses::Buses;
use super::errors::limit_exceeded;
use super::paging::Page;
use super::state::MAX_TARGETS;
use super::target::{Refused, Target};
use crate::reply::AwsError;

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct PutTargets {
    rule: String,
    event_bus_name: Option<String>,
    targets: Vec<Value>,
}

pub(super) fn put(buses: &Buses, input: &PutTargets) -> Result<Value, AwsError> {
    let names = buses.names();
    let bus = names.bus_name(input.event_bus_name.as_deref());
    let mut state = buses.state();
    let mut targets = state.rule(bus, &input.rule)?.targets.clone();
    let mut failed = Vec::new();
    for given in &input.targets {
        match Target::read(given, bus, names, buses.queues()) {
            Ok(target) => {
                targets.insert(target.id.clone(), target);
            }
            Err(Refused::Invalid(error)) => return Err(error),
            Err(Refused::Unsupported(error)) => failed.push(json!({
                "TargetId": given["Id"], "ErrorCode": error.code, "ErrorMessage": error.message,
            })),
        }
    }
    if targets.len() > MAX_TARGETS {
        return Err(limit_exceeded());
    }
    state.change_rule(bus, &input.rule, |rule| {
        rule.targets = targets;
        Ok(())
    })?;
    Ok(json!({"FailedEntryCount": failed.len(), "FailedEntries": failed}))
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct RemoveTargets {
    rule: String,
    event_bus_name: Option<String>,
    ids: Vec<String>,
}

pub(super) fn remove(buses: &Buses, input: &RemoveTargets) -> Result<Value, AwsError> {
    let bus = buses.names().bus_name(input.event_bus_name.as_deref());
    let mut state = buses.state();
    state.change_rule(bus, &input.rule, |rule| {
        rule.targets.retain(|id, _| !input.ids.contains(id));
        Ok(())
    })?;
    Ok(json!({"FailedEntryCount": 0, "FailedEntries": []}))
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct ListTargets {
    rule: String,
    event_bus_name: Option<String>,
    #[serde(flatten)]
    page: Page,
}

pub(super) fn list(buses: &Buses, input: &ListTargets) -> Result<Value, AwsError> {
    let bus = buses.names().bus_name(input.event_bus_name.as_deref());
    let state = buses.state();
    let rule = state.rule(bus, &input.rule)?;
    input.page.of("Targets", rule.targets.iter().map(|(id, target)| (id.as_str(), target.given.clone())))
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct ListRuleNames {
    target_arn: String,
    event_bus_name: Option<String>,
    #[serde(flatten)]
    page: Page,
}

pub(super) fn list_rule_names(buses: &Buses, input: &ListRuleNames) -> Result<Value, AwsError> {
    let bus = buses.names().bus_name(input.event_bus_name.as_deref());
    let state = buses.state();
    let rules = state.bus(bus)?.rules.values();
    let having = rules.filter(|rule| rule.targets.values().any(|target| target.arn == input.target_arn));
    input.page.of("RuleNames", having.map(|rule| (rule.name.as_str(), rule.name.clone().into())))
}
