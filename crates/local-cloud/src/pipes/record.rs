//! A change in a table: the record that a pipe sees, and the event made from it.

use jiff::Timestamp;
use serde_json::{Value, json};

use super::definition::Definition;
use crate::dynamodb::Record;
use crate::events::Entry;
use crate::template::{Objects, at_path, render};

/// Returns the record in the form that Pipes and Lambda receive (DynamoDB developer guide, "Streams and Lambda
/// triggers"). Attribute values keep their type: a string that holds JSON stays a string.
pub(super) fn of_stream(record: &Record, stream_arn: &str, region: &str) -> Result<Value, serde_json::Error> {
    let mut value = record.to_value(region)?;
    if record.is_by_time_to_live() {
        value["userIdentity"] = json!({"type": "Service", "principalId": "dynamodb.amazonaws.com"});
    }
    value["eventSourceARN"] = stream_arn.into();
    Ok(value)
}

/// The values of the reserved variables that a template can use for the pipe.
pub(super) struct PipeContext<'a> {
    pub(super) name: &'a str,
    pub(super) arn: &'a str,
}

/// Returns the `PutEvents` entry for a record. It has no trace header: a pipe does not carry one.
pub(super) fn to_entry(record: &Value, definition: &Definition, pipe: &PipeContext<'_>) -> Entry {
    let text = |given: &str| {
        if !given.starts_with('$') {
            return Some(given.to_owned());
        }
        at_path(record, given).map(|value| value.as_str().map_or_else(|| value.to_string(), str::to_owned))
    };
    let detail = match &definition.template {
        None => record.to_string(),
        Some(template) => render(template, Objects::Escaped, |variable| match variable {
            "aws.pipes.pipe-arn" => Some(pipe.arn.into()),
            "aws.pipes.pipe-name" => Some(pipe.name.into()),
            "aws.pipes.source-arn" => Some(definition.source.as_str().into()),
            "aws.pipes.target-arn" => Some(definition.target.as_str().into()),
            "aws.pipes.event.ingestion-time" => Some(Timestamp::now().to_string().into()),
            "aws.pipes.event" | "aws.pipes.event.json" => Some(record.clone()),
            path => at_path(record, path).cloned(),
        }),
    };
    let bus = &definition.bus;
    Entry {
        // AWS's defaults.
        source: bus.source.as_deref().map_or_else(|| Some(format!("Pipe {}", pipe.name)), text),
        detail_type: bus
            .detail_type
            .as_deref()
            .map_or_else(|| Some("Event from aws:dynamodb".to_owned()), text),
        detail: Some(detail),
        event_bus_name: Some(definition.target.clone()),
        resources: bus.resources.iter().filter_map(|resource| text(resource)).collect(),
        time: bus.time.as_deref().and_then(text).map(Value::String),
        trace_header: None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Records, with the events that the outbox's pipe makes of them on AWS.
    const FIXTURE: &str = include_str!("../../fixtures/pipe.json");

    #[test]
    fn a_record_becomes_the_same_event_as_on_aws() {
        let fixture: Value = serde_json::from_str(FIXTURE).unwrap();
        let definition = Definition::read(&fixture["pipe"]).unwrap();
        let pipe = PipeContext { name: "outbox", arn: "arn:aws:pipes:eu-central-1:000000000000:pipe/outbox" };
        for case in fixture["cases"].as_array().unwrap() {
            let record = &case["record"];
            let passes = definition.passes(record);
            assert_eq!(passes, !case["event"].is_null(), "{}", case["what"]);
            if passes {
                let entry = to_entry(record, &definition, &pipe);
                let detail: Value = serde_json::from_str(entry.detail.as_deref().unwrap()).unwrap();
                assert_eq!(detail, case["event"]["detail"], "{}", case["what"]);
                assert_eq!(entry.source.as_deref(), case["event"]["source"].as_str());
                assert_eq!(entry.detail_type.as_deref(), case["event"]["detail-type"].as_str());
                assert_eq!(entry.trace_header, None);
            }
        }
    }
}
