//! The operations on archives.

use event_pattern::Pattern;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::archive::Archive;
use super::buses::Buses;
use super::errors::{already_exists, limit_exceeded, not_found, parameter};
use super::paging::Filtered;
use super::rules::read_pattern;
use crate::reply::AwsError;

const MAX_ARCHIVES: usize = 50;

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct CreateArchive {
    archive_name: String,
    event_source_arn: String,
    description: Option<String>,
    event_pattern: Option<String>,
    retention_days: Option<u32>,
    kms_key_identifier: Option<String>,
}

fn pattern(text: Option<String>) -> Result<Option<(String, Pattern)>, AwsError> {
    match text.filter(|text| !text.is_empty()) {
        None => Ok(None),
        Some(text) => read_pattern(&text).map(|pattern| Some((text, pattern))),
    }
}

pub(super) fn create(buses: &Buses, input: CreateArchive) -> Result<Value, AwsError> {
    let mut state = buses.state();
    if state.archives.contains_key(&input.archive_name) {
        return Err(already_exists(format_args!("Archive {}", input.archive_name)));
    }
    if !input.event_source_arn.contains(":event-bus/") {
        return Err(parameter("EventSourceArn", "Must contain an event bus ARN."));
    }
    let bus = buses.names().bus_name(Some(&input.event_source_arn)).to_owned();
    state.bus(&bus)?;
    if state.archives.len() >= MAX_ARCHIVES {
        return Err(limit_exceeded());
    }
    let arn = buses.names().archive_arn(&input.archive_name);
    let mut archive = Archive::new(arn, bus, input.event_source_arn);
    archive.description = input.description;
    archive.kms_key = input.kms_key_identifier.filter(|key| !key.is_empty());
    archive.pattern = pattern(input.event_pattern)?;
    archive.retention_days = input.retention_days.unwrap_or_default();
    let created = archive.answer();
    state.archives.insert(input.archive_name, archive);
    Ok(created)
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct UpdateArchive {
    archive_name: String,
    description: Option<String>,
    event_pattern: Option<String>,
    retention_days: Option<u32>,
    kms_key_identifier: Option<String>,
}

pub(super) fn update(buses: &Buses, input: UpdateArchive) -> Result<Value, AwsError> {
    let mut state = buses.state();
    let name = &input.archive_name;
    let archive = state.archives.get_mut(name).ok_or_else(|| no_such_archive(name))?;
    if let Some(pattern) = pattern(input.event_pattern)? {
        archive.pattern = Some(pattern);
    }
    if input.description.is_some() {
        archive.description = input.description;
    }
    if let Some(key) = input.kms_key_identifier {
        archive.kms_key = Some(key).filter(|key| !key.is_empty());
    }
    if let Some(days) = input.retention_days {
        archive.retention_days = days;
        archive.expire();
    }
    Ok(archive.answer())
}

fn no_such_archive(name: &str) -> AwsError {
    not_found(format_args!("Archive {name}"))
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct OneArchive {
    archive_name: String,
}

pub(super) fn describe(buses: &Buses, input: &OneArchive) -> Result<Value, AwsError> {
    let mut state = buses.state();
    let name = &input.archive_name;
    let archive = state.archives.get_mut(name).ok_or_else(|| no_such_archive(name))?;
    archive.expire();
    let mut described = archive.shown(name);
    described["ArchiveArn"] = archive.arn.as_str().into();
    if let Some(description) = &archive.description {
        described["Description"] = description.as_str().into();
    }
    if let Some(key) = &archive.kms_key {
        described["KmsKeyIdentifier"] = key.as_str().into();
    }
    if let Some((pattern, _)) = &archive.pattern {
        described["EventPattern"] = pattern.as_str().into();
    }
    Ok(described)
}

pub(super) fn delete(buses: &Buses, input: &OneArchive) -> Result<Value, AwsError> {
    let name = &input.archive_name;
    buses.state().archives.remove(name).ok_or_else(|| no_such_archive(name))?;
    Ok(json!({}))
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub(super) enum ArchiveState {
    Enabled,
    Disabled,
    Creating,
    Updating,
    CreateFailed,
    UpdateFailed,
}

pub(super) fn list(buses: &Buses, input: &Filtered<ArchiveState>) -> Result<Value, AwsError> {
    input.check("ListArchives")?;
    let state = buses.state();
    if let Some(arn) = &input.event_source_arn {
        state.bus(buses.names().bus_name(Some(arn)))?;
    }
    let wanted = input.state.is_none_or(|state| state == ArchiveState::Enabled);
    let archives =
        state.archives.iter().filter(|(name, archive)| wanted && input.accepts(name, &archive.source_arn));
    input.page.of("Archives", archives.map(|(name, archive)| (name.as_str(), archive.shown(name))))
}
