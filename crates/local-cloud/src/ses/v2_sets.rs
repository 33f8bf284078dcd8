//! The operations of SES v2 on configuration sets and their event destinations.

use std::collections::BTreeMap;

use http::StatusCode;
use serde::Deserialize;
use serde_json::{Value, json};

use super::configuration_sets::{ConfigurationSet, Destination, Refused};
use super::outbox::Outbox;
use super::refusal::Refusal;
use super::v2::{Listing, Tag, refuse_unsupported};
use crate::reply::AwsError;

/// API reference v2, `CreateConfigurationSet` and `CreateConfigurationSetEventDestination`: characters of a name.
const LONGEST_NAME: usize = 64;
/// The destinations that AWS knows besides the bus.
const OTHER_DESTINATIONS: [&str; 4] =
    ["CloudWatchDestination", "KinesisFirehoseDestination", "PinpointDestination", "SnsDestination"];

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct CreateSet {
    #[serde(default)]
    configuration_set_name: String,
    sending_options: Option<SendingOptions>,
    #[serde(default)]
    tags: Vec<Tag>,
    #[serde(flatten)]
    others: BTreeMap<String, Value>,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct SendingOptions {
    /// Clients leave out a boolean that is false.
    #[serde(default)]
    sending_enabled: bool,
}

pub(super) fn create(outbox: &Outbox, input: CreateSet) -> Result<Value, AwsError> {
    refuse_unsupported(&input.others)?;
    let name = input.configuration_set_name;
    check_name("Configuration set", &name)?;
    let set = ConfigurationSet {
        may_send: input.sending_options.is_none_or(|options| options.sending_enabled),
        tags: input.tags.into_iter().map(|tag| (tag.key, tag.value)).collect(),
        destinations: BTreeMap::new(),
    };
    outbox.sets.create(name.clone(), set).map_err(|refused| of_set(refused, &name))?;
    Ok(json!({}))
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct Named {
    #[serde(default)]
    configuration_set_name: String,
    #[serde(default)]
    event_destination_name: String,
}

pub(super) fn get(outbox: &Outbox, input: &Named) -> Result<Value, AwsError> {
    let name = &input.configuration_set_name;
    let set = outbox.sets.get(name).ok_or_else(|| of_set(Refused::NoSuchSet, name))?;
    let tags: Vec<_> = set.tags.iter().map(|(key, value)| json!({"Key": key, "Value": value})).collect();
    Ok(json!({
        "ConfigurationSetName": name,
        "SendingOptions": {"SendingEnabled": set.may_send},
        "Tags": tags,
    }))
}

pub(super) fn list(outbox: &Outbox, input: &Listing) -> Result<Value, AwsError> {
    let after = input.after()?;
    let names = outbox.sets.names(after.as_deref()).into_iter();
    Ok(input.of("ConfigurationSets", names.map(|name| (name.clone(), name.into()))))
}

pub(super) fn delete(outbox: &Outbox, input: &Named) -> Result<Value, AwsError> {
    let name = &input.configuration_set_name;
    outbox.sets.remove(name).map_err(|refused| of_set(refused, name))?;
    Ok(json!({}))
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct PutDestination {
    #[serde(flatten)]
    named: Named,
    #[serde(default)]
    event_destination: Value,
}

pub(super) fn create_destination(outbox: &Outbox, input: PutDestination) -> Result<Value, AwsError> {
    let PutDestination { named, event_destination } = input;
    check_name("Event destination", &named.event_destination_name)?;
    let destination = destination(outbox, event_destination)?;
    let added = outbox.sets.add(&named.configuration_set_name, &named.event_destination_name, destination);
    added.map_err(|refused| of_destination(refused, &named))?;
    Ok(json!({}))
}

pub(super) fn update_destination(outbox: &Outbox, input: PutDestination) -> Result<Value, AwsError> {
    let PutDestination { named, event_destination } = input;
    let destination = destination(outbox, event_destination)?;
    let replaced =
        outbox.sets.replace(&named.configuration_set_name, &named.event_destination_name, destination);
    replaced.map_err(|refused| of_destination(refused, &named))?;
    Ok(json!({}))
}

pub(super) fn delete_destination(outbox: &Outbox, input: &Named) -> Result<Value, AwsError> {
    let removed =
        outbox.sets.remove_destination(&input.configuration_set_name, &input.event_destination_name);
    removed.map_err(|refused| of_destination(refused, input))?;
    Ok(json!({}))
}

pub(super) fn destinations(outbox: &Outbox, input: &Named) -> Result<Value, AwsError> {
    let name = &input.configuration_set_name;
    let set = outbox.sets.get(name).ok_or_else(|| of_set(Refused::NoSuchSet, name))?;
    let destinations = set.destinations.into_iter().map(|(name, destination)| {
        let mut listed = destination.given;
        listed["Name"] = name.into();
        listed["Enabled"] = destination.enabled.into();
        listed
    });
    Ok(json!({"EventDestinations": destinations.collect::<Vec<_>>()}))
}

/// Reads an event destination. AWS publishes to exactly one place for each, and of buses only to the default one of the
/// account (<https://docs.aws.amazon.com/ses/latest/APIReference-V2/API_EventBridgeDestination.html>).
fn destination(outbox: &Outbox, given: Value) -> Result<Destination, AwsError> {
    let invalid = |reason: &str| Refusal::Invalid(reason.to_owned()).v2();
    let is_given = |name: &&str| given.get(name).is_some_and(|value| !value.is_null());
    if let Some(name) = OTHER_DESTINATIONS.iter().find(|name| is_given(name)) {
        let message = format!("the local cloud does not support the event destination {name}");
        return Err(AwsError::bad_request("BadRequestException", message));
    }
    let bus = given["EventBridgeDestination"]["EventBusArn"].as_str();
    let bus = bus.ok_or_else(|| invalid("An event destination needs exactly one destination."))?;
    if bus != outbox.place.default_bus() {
        return Err(invalid("Only the default bus is supported."));
    }
    let types = given["MatchingEventTypes"].as_array().into_iter().flatten();
    let event_types: Vec<_> = types.filter_map(Value::as_str).map(str::to_owned).collect();
    if event_types.is_empty() {
        return Err(invalid("An event destination needs at least one event type."));
    }
    Ok(Destination { enabled: given["Enabled"].as_bool().unwrap_or_default(), event_types, given })
}

fn check_name(what: &str, name: &str) -> Result<(), AwsError> {
    let fits = (1..=LONGEST_NAME).contains(&name.len())
        && name.chars().all(|c| c.is_ascii_alphanumeric() || matches!(c, '-' | '_'));
    if fits {
        return Ok(());
    }
    let message = format!(
        "{what} name must have 1 to {LONGEST_NAME} characters: letters, digits, hyphens and underscores."
    );
    Err(AwsError::bad_request("BadRequestException", message))
}

fn of_set(refused: Refused, name: &str) -> AwsError {
    match refused {
        Refused::NoSuchSet | Refused::NoSuchDestination => Refusal::NoConfigurationSet(name.to_owned()).v2(),
        Refused::Exists => already_exists(format!("Configuration set <{name}> already exists.")),
        Refused::TooMany => too_many("configuration sets"),
    }
}

fn of_destination(refused: Refused, named: &Named) -> AwsError {
    let Named { configuration_set_name: set, event_destination_name: name } = named;
    match refused {
        Refused::NoSuchSet => of_set(refused, set),
        Refused::NoSuchDestination => AwsError::new(
            StatusCode::NOT_FOUND,
            "NotFoundException",
            format!("Event destination <{name}> does not exist in configuration set <{set}>."),
        ),
        Refused::Exists => already_exists(format!(
            "An event destination with name <{name}> already exists in configuration set <{set}>."
        )),
        Refused::TooMany => too_many("event destinations"),
    }
}

fn already_exists(message: String) -> AwsError {
    AwsError::bad_request("AlreadyExistsException", message)
}

fn too_many(what: &str) -> AwsError {
    AwsError::bad_request("LimitExceededException", format!("Too many {what}"))
}
