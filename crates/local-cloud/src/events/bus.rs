//! The operations on buses and their policies.

use jiff::Timestamp;
use serde::Deserialize;
use serde_json::{Map, Value, json};

use super::buses::Buses;
use super::errors::{already_exists, invalid, limit_exceeded, unsupported};
use super::names::DEFAULT_BUS;
use super::paging::Page;
use super::state::{Bus, MAX_BUSES, Tags};
use super::time::seconds;
use crate::reply::AwsError;

/// Service Quotas, "Event bus policy size".
const MAX_POLICY: usize = 10_240;

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct CreateBus {
    name: String,
    event_source_name: Option<String>,
    description: Option<String>,
    kms_key_identifier: Option<String>,
    dead_letter_config: Option<Value>,
    log_config: Option<Value>,
    #[serde(default)]
    tags: Tags,
}

/// Refuses logs, since to accept them would promise what does not happen.
fn check_log(log_config: Option<&Value>) -> Result<(), AwsError> {
    if log_config.is_some_and(|config| !config.is_null()) {
        return Err(unsupported("LogConfig of an event bus"));
    }
    Ok(())
}

pub(super) fn create(buses: &Buses, input: CreateBus) -> Result<Value, AwsError> {
    if input.event_source_name.is_some() || input.name.starts_with("aws.partner/") {
        return Err(unsupported("partner event sources"));
    }
    let mut state = buses.state();
    if state.buses.contains_key(&input.name) {
        return Err(already_exists(format_args!("Event bus {}", input.name)));
    }
    if input.name.contains('/') {
        return Err(invalid("Event bus name must not contain '/'."));
    }
    check_log(input.log_config.as_ref())?;
    if state.buses.len() >= MAX_BUSES {
        return Err(limit_exceeded());
    }
    let mut bus = Bus::new(buses.names().bus_arn(&input.name));
    bus.description = input.description;
    bus.kms_key = input.kms_key_identifier.filter(|key| !key.is_empty());
    bus.dead_letter_config = input.dead_letter_config;
    bus.tags.merge(input.tags)?;
    let mut created = json!({"EventBusArn": bus.arn});
    settings(&bus, &mut created);
    state.buses.insert(input.name, bus);
    Ok(created)
}

fn settings(bus: &Bus, shown: &mut Value) {
    if let Some(description) = &bus.description {
        shown["Description"] = description.as_str().into();
    }
    // As in other services, a key is shown and encrypts nothing.
    if let Some(key) = &bus.kms_key {
        shown["KmsKeyIdentifier"] = key.as_str().into();
    }
    if let Some(config) = &bus.dead_letter_config {
        shown["DeadLetterConfig"] = config.clone();
    }
}

fn shown(name: &str, bus: &Bus) -> Value {
    let mut shown = json!({
        "Name": name,
        "Arn": bus.arn,
        "CreationTime": seconds(bus.created),
        "LastModifiedTime": seconds(bus.modified),
    });
    if let Some(description) = &bus.description {
        shown["Description"] = description.as_str().into();
    }
    if let Some(policy) = &bus.policy {
        shown["Policy"] = Value::Object(policy.clone()).to_string().into();
    }
    shown
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct OneBus {
    name: Option<String>,
}

pub(super) fn describe(buses: &Buses, input: &OneBus) -> Result<Value, AwsError> {
    let name = buses.names().bus_name(input.name.as_deref());
    let state = buses.state();
    let bus = state.bus(name)?;
    let mut described = shown(name, bus);
    settings(bus, &mut described);
    Ok(described)
}

/// Deletes a bus and its rules. A bus that is not there is deleted already.
pub(super) fn delete(buses: &Buses, input: &OneBus) -> Result<Value, AwsError> {
    let name = buses.names().bus_name(input.name.as_deref());
    if name == DEFAULT_BUS {
        return Err(invalid("Cannot delete event bus default."));
    }
    buses.state().buses.remove(name);
    Ok(json!({}))
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct ListBuses {
    name_prefix: Option<String>,
    #[serde(flatten)]
    page: Page,
}

pub(super) fn list(buses: &Buses, input: &ListBuses) -> Result<Value, AwsError> {
    let prefix = input.name_prefix.as_deref().unwrap_or_default();
    let state = buses.state();
    let listed = state.buses.iter().filter(|(name, _)| name.starts_with(prefix));
    input.page.of("EventBuses", listed.map(|(name, bus)| (name.as_str(), shown(name, bus))))
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct UpdateBus {
    name: Option<String>,
    description: Option<String>,
    kms_key_identifier: Option<String>,
    dead_letter_config: Option<Value>,
    log_config: Option<Value>,
}

pub(super) fn update(buses: &Buses, input: UpdateBus) -> Result<Value, AwsError> {
    check_log(input.log_config.as_ref())?;
    let name = buses.names().bus_name(input.name.as_deref());
    let mut state = buses.state();
    let bus = state.bus_mut(name)?;
    if input.description.is_some() {
        bus.description = input.description;
    }
    if let Some(key) = input.kms_key_identifier {
        // An empty key is AWS's own again (API reference, `UpdateEventBus`).
        bus.kms_key = Some(key).filter(|key| !key.is_empty());
    }
    if input.dead_letter_config.is_some() {
        bus.dead_letter_config = input.dead_letter_config;
    }
    bus.modified = Timestamp::now();
    let mut updated = json!({"Arn": bus.arn, "Name": name});
    settings(bus, &mut updated);
    Ok(updated)
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct PutPermission {
    event_bus_name: Option<String>,
    action: Option<String>,
    principal: Option<String>,
    statement_id: Option<String>,
    condition: Option<Condition>,
    policy: Option<String>,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Condition {
    r#type: String,
    key: String,
    value: String,
}

/// Adds a statement to a bus's policy, or replaces the policy. As with other services' policies, the local cloud shows
/// it and lets everybody in.
pub(super) fn put_permission(buses: &Buses, input: PutPermission) -> Result<Value, AwsError> {
    let name = buses.names().bus_name(input.event_bus_name.as_deref());
    let mut state = buses.state();
    let bus = state.bus_mut(name)?;
    if let Some(policy) = input.policy {
        check_length(&policy)?;
        let policy = serde_json::from_str(&policy).map_err(|_| invalid("Parameter Policy is not valid."))?;
        bus.policy = Some(policy);
        bus.modified = Timestamp::now();
        return Ok(json!({}));
    }
    let (Some(action), Some(principal), Some(id)) = (input.action, input.principal, input.statement_id)
    else {
        return Err(invalid("Parameter(s) Action, Principal and StatementId or Policy must be specified."));
    };
    let principal = if principal == "*" {
        principal.into()
    } else {
        json!({"AWS": format!("arn:aws:iam::{principal}:root")})
    };
    let mut statement = json!({
        "Sid": id, "Effect": "Allow", "Principal": principal, "Action": action, "Resource": bus.arn,
    });
    if let Some(Condition { r#type, key, value }) = input.condition {
        statement["Condition"] = json!({ r#type: { key: value } });
    }
    let mut statements = statements(bus);
    statements.retain(|statement| statement["Sid"] != id);
    statements.push(statement);
    check_length(&json!(statements).to_string())?;
    set_statements(bus, statements);
    Ok(json!({}))
}

fn check_length(policy: &str) -> Result<(), AwsError> {
    if policy.len() > MAX_POLICY {
        return Err(AwsError::bad_request(
            "PolicyLengthExceededException",
            "The event bus policy is too long.",
        ));
    }
    Ok(())
}

fn statements(bus: &Bus) -> Vec<Value> {
    match bus.policy.as_ref().and_then(|policy| policy.get("Statement")) {
        Some(Value::Array(statements)) => statements.clone(),
        Some(statement @ Value::Object(_)) => vec![statement.clone()],
        _ => Vec::new(),
    }
}

fn set_statements(bus: &mut Bus, statements: Vec<Value>) {
    bus.policy = (!statements.is_empty()).then(|| {
        let mut policy = Map::new();
        policy.insert("Version".to_owned(), "2012-10-17".into());
        policy.insert("Statement".to_owned(), statements.into());
        policy
    });
    bus.modified = Timestamp::now();
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct RemovePermission {
    event_bus_name: Option<String>,
    statement_id: Option<String>,
    #[serde(default)]
    remove_all_permissions: bool,
}

pub(super) fn remove_permission(buses: &Buses, input: &RemovePermission) -> Result<Value, AwsError> {
    let name = buses.names().bus_name(input.event_bus_name.as_deref());
    let mut state = buses.state();
    let bus = state.bus_mut(name)?;
    if input.remove_all_permissions {
        set_statements(bus, Vec::new());
        return Ok(json!({}));
    }
    let Some(id) = &input.statement_id else {
        return Err(invalid("Parameter StatementId is required."));
    };
    let mut statements = statements(bus);
    let before = statements.len();
    statements.retain(|statement| statement["Sid"] != *id);
    if statements.len() == before {
        return Err(AwsError::bad_request(
            "ResourceNotFoundException",
            "Statement with the provided id does not exist.",
        ));
    }
    set_statements(bus, statements);
    Ok(json!({}))
}
