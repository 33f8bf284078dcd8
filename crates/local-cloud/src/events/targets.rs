//! A rule's targets: which are accepted, what they receive, and the dead letter if they cannot receive it.

use std::collections::HashMap;

use rustack_events_model::types::Target;
use serde_json::Value;

use super::entry::Event;
use crate::reply::AwsError;
use crate::sqs::{MessageAttributeValue, Queues};
use crate::template::{at_path, render};

/// Returns why a target is not supported, if so. Better to refuse it now than to lose an event later.
pub(super) fn refuse(target: &Target, queues: &Queues) -> Option<String> {
    if queues.url_of(&target.arn).is_err() {
        return Some("the local cloud delivers to SQS queues of its own account and region only".to_owned());
    }
    if let Some(arn) = target.dead_letter_config.as_ref().and_then(|config| config.arn.as_ref())
        && queues.url_of(arn).is_err()
    {
        return Some("the dead-letter queue must be an SQS queue of the same account and region".to_owned());
    }
    let inputs = [target.input.is_some(), target.input_path.is_some(), target.input_transformer.is_some()];
    if inputs.into_iter().filter(|given| *given).count() > 1 {
        return Some("only one of Input, InputPath and InputTransformer can be given".to_owned());
    }
    None
}

/// The values of the reserved variables that input transformers can use for the rule.
pub(super) struct RuleContext<'a> {
    pub(super) name: &'a str,
    pub(super) arn: &'a str,
}

/// Returns the message for a target. `text` is the event as JSON, for targets that receive all of it.
pub(super) fn input(target: &Target, rule: &RuleContext<'_>, value: &Value, text: &str) -> String {
    if let Some(input) = &target.input {
        return input.clone();
    }
    if let Some(path) = &target.input_path {
        return at_path(value, path).map_or_else(|| "null".to_owned(), Value::to_string);
    }
    let Some(transformer) = &target.input_transformer else { return text.to_owned() };
    render(&transformer.input_template, |variable| match variable {
        "aws.events.rule-arn" => Some(rule.arn.into()),
        "aws.events.rule-name" => Some(rule.name.into()),
        "aws.events.event.ingestion-time" => Some(Event::ingestion_time().into()),
        "aws.events.event.json" => Some(value.clone()),
        "aws.events.event" => {
            let mut without_detail = value.clone();
            without_detail.as_object_mut()?.remove("detail");
            Some(without_detail)
        }
        variable => at_path(value, transformer.input_paths_map.get(variable)?).cloned(),
    })
}

/// Returns the attributes that AWS adds to an event in a dead-letter queue (EventBridge user guide, "Using dead-letter
/// queues to process undelivered events").
pub(super) fn dead_letter_attributes(
    error: &AwsError,
    rule_arn: &str,
    target_arn: &str,
) -> HashMap<String, MessageAttributeValue> {
    let code = match &*error.code {
        "QueueDoesNotExist" => "NO_RESOURCE",
        "InternalFailure" | "InternalError" => "INTERNAL_ERROR",
        _ => "SDK_CLIENT_ERROR",
    };
    [
        ("ERROR_CODE", code),
        ("ERROR_MESSAGE", &error.message),
        ("RULE_ARN", rule_arn),
        ("TARGET_ARN", target_arn),
    ]
    .into_iter()
    .map(|(name, value)| (name.to_owned(), MessageAttributeValue::string(value)))
    .collect()
}
