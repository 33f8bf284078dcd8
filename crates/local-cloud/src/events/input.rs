//! What a target receives.

use std::collections::BTreeMap;

use serde::de::IgnoredAny;
use serde_json::Value;

use super::entry::Event;
use super::errors::invalid;
use crate::reply::AwsError;
use crate::template::{Objects, at_path, placeholders, render};

/// The whole event, but in JSON templates only (`PutTargets`).
const EVENT_JSON: &str = "aws.events.event.json";
const RESERVED: [&str; 5] = [
    "aws.events.rule-arn",
    "aws.events.rule-name",
    "aws.events.event.ingestion-time",
    "aws.events.event",
    EVENT_JSON,
];

/// An event on its way to targets: as text and as a value.
#[derive(Debug)]
pub(super) struct Arrived {
    pub(super) id: String,
    pub(super) text: String,
    pub(super) value: Value,
}

/// The values of the reserved variables that input transformers can use for the rule.
#[derive(Clone, Copy, Debug)]
pub(super) struct RuleContext<'a> {
    pub(super) name: &'a str,
    pub(super) arn: &'a str,
}

#[derive(Clone, Debug)]
pub(super) enum Input {
    Whole,
    Constant(String),
    Path(String),
    Template { paths: BTreeMap<String, String>, template: String },
}

/// A rendered template is not JSON.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct NotJson;

impl Input {
    /// Reads the members of a target that say what it receives.
    pub(super) fn read(target: &Value, id: &str) -> Result<Self, AwsError> {
        let text = |value: &Value, member: &str| value.get(member).and_then(Value::as_str).map(str::to_owned);
        let transformer = target.get("InputTransformer").filter(|transformer| !transformer.is_null());
        let input = match (text(target, "Input"), text(target, "InputPath"), transformer) {
            (None, None, None) => Self::Whole,
            (Some(input), None, None) => Self::Constant(input),
            (None, Some(path), None) => Self::Path(path),
            (None, None, Some(transformer)) => {
                let paths = transformer.get("InputPathsMap").and_then(Value::as_object);
                Self::Template {
                    paths: paths
                        .into_iter()
                        .flatten()
                        .filter_map(|(name, path)| Some((name.clone(), path.as_str()?.to_owned())))
                        .collect(),
                    template: text(transformer, "InputTemplate").unwrap_or_default(),
                }
            }
            _ => {
                return Err(invalid(format!(
                    "Only one of Input, InputPath, or InputTransformer must be provided for target {id}."
                )));
            }
        };
        input.check(id)?;
        Ok(input)
    }

    fn check(&self, id: &str) -> Result<(), AwsError> {
        let check_path = |path: &str| {
            if is_path(path) {
                Ok(())
            } else {
                Err(invalid(format!("InputPath for target {id} is invalid.")))
            }
        };
        match self {
            Self::Whole => Ok(()),
            Self::Constant(text) => match serde_json::from_str::<IgnoredAny>(text) {
                Ok(_) => Ok(()),
                Err(_) => Err(invalid(format!("JSON syntax error in input for target {id}."))),
            },
            Self::Path(path) => check_path(path),
            Self::Template { paths, template } => {
                paths.values().try_for_each(|path| check_path(path))?;
                for placeholder in placeholders(template) {
                    if !paths.contains_key(placeholder) && !RESERVED.contains(&placeholder) {
                        return Err(invalid(format!(
                            "InputTemplate for target {id} contains invalid placeholder {placeholder}."
                        )));
                    }
                    if placeholder == EVENT_JSON && !is_json_template(template) {
                        return Err(invalid(format!(
                            "InputTemplate for target {id} contains placeholder {EVENT_JSON} valid only for JSON \
                             template."
                        )));
                    }
                }
                Ok(())
            }
        }
    }

    /// Returns the message for an event.
    pub(super) fn message(&self, rule: RuleContext<'_>, event: &Arrived) -> Result<String, NotJson> {
        match self {
            Self::Whole => Ok(event.text.clone()),
            Self::Constant(text) => Ok(text.clone()),
            Self::Path(path) => {
                Ok(at_path(&event.value, path).map_or_else(|| "null".to_owned(), Value::to_string))
            }
            Self::Template { paths, template } => {
                let is_json = is_json_template(template);
                // In text, AWS leaves out the quotes of an object. In JSON it does not escape them either.
                let objects = if is_json { Objects::AsTheyAre } else { Objects::WithoutQuotes };
                let message = render(template, objects, |variable| resolve(variable, paths, rule, event));
                if is_json && serde_json::from_str::<IgnoredAny>(&message).is_err() {
                    return Err(NotJson);
                }
                Ok(message)
            }
        }
    }
}

fn is_json_template(template: &str) -> bool {
    template.trim_start().starts_with('{')
}

fn resolve(
    variable: &str,
    paths: &BTreeMap<String, String>,
    rule: RuleContext<'_>,
    event: &Arrived,
) -> Option<Value> {
    match variable {
        "aws.events.rule-arn" => Some(rule.arn.into()),
        "aws.events.rule-name" => Some(rule.name.into()),
        "aws.events.event.ingestion-time" => Some(Event::ingestion_time().into()),
        EVENT_JSON => Some(event.value.clone()),
        "aws.events.event" => {
            let mut without_detail = event.value.clone();
            let members = without_detail.as_object_mut()?;
            members.remove("detail");
            // AWS writes this one name as in its API.
            if let Some(detail_type) = members.remove("detail-type") {
                members.insert("detailType".to_owned(), detail_type);
            }
            Some(without_detail)
        }
        variable => at_path(&event.value, paths.get(variable)?).cloned(),
    }
}

/// Returns whether AWS takes a JSON path here: names after dots and numeric indices, no quoted names.
fn is_path(path: &str) -> bool {
    let Some(steps) = path.strip_prefix('$') else { return false };
    let starts_a_step = steps.is_empty() || steps.starts_with(['.', '[']);
    starts_a_step && !steps.contains(['\'', '"']) && !steps.ends_with('.')
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn message(target: &Value, detail: &Value) -> Result<String, NotJson> {
        let value = json!({"id": "1", "detail-type": "d", "detail": detail});
        let event = Arrived { id: "1".to_owned(), text: value.to_string(), value };
        let rule = RuleContext { name: "rule", arn: "arn" };
        Input::read(target, "t").unwrap().message(rule, &event)
    }

    fn transformer(template: &str) -> Value {
        json!({"InputTransformer": {"InputPathsMap": {"p": "$.detail.p"}, "InputTemplate": template}})
    }

    #[test]
    fn objects_in_quotes_lose_theirs_in_text_and_break_json() {
        let object = json!({"p": {"a": "b"}});
        assert_eq!(message(&transformer(r#""p=<p>""#), &object).unwrap(), r#""p={a:b}""#);
        assert_eq!(message(&transformer(r#"{"p": <p>}"#), &object).unwrap(), r#"{"p": {"a":"b"}}"#);
        assert_eq!(message(&transformer(r#"{"p": "<p>"}"#), &object), Err(NotJson));
        let list = json!({"p": ["a", 1]});
        assert_eq!(message(&transformer(r#""p=<p>""#), &list).unwrap(), r#""p=[a,1]""#);
        assert_eq!(message(&transformer(r#"{"p": <p>}"#), &list).unwrap(), r#"{"p": ["a",1]}"#);
    }

    #[test]
    fn a_value_that_is_not_there_is_an_empty_string() {
        let nothing = json!({});
        assert_eq!(message(&transformer(r#""p=<p>""#), &nothing).unwrap(), r#""p=""#);
        assert_eq!(message(&transformer(r#"{"p": <p>}"#), &nothing).unwrap(), r#"{"p": ""}"#);
    }

    #[test]
    fn reserved_variables_need_no_path() {
        let target = json!({"InputTransformer": {"InputTemplate": r#"{"e": <aws.events.event>, "r": <aws.events.rule-name>}"#}});
        assert_eq!(
            message(&target, &json!({})).unwrap(),
            r#"{"e": {"detailType":"d","id":"1"}, "r": "rule"}"#
        );
    }

    #[test]
    fn refusals_have_the_words_of_aws() {
        let refusal = |target: Value| Input::read(&target, "t").unwrap_err().message;
        assert_eq!(
            refusal(json!({"Input": "1", "InputPath": "$"})),
            "Only one of Input, InputPath, or InputTransformer must be provided for target t."
        );
        assert_eq!(refusal(json!({"Input": "word"})), "JSON syntax error in input for target t.");
        for path in ["detail", "$detail", "$.detail['a']", "$.detail."] {
            assert_eq!(refusal(json!({ "InputPath": path })), "InputPath for target t is invalid.", "{path}");
        }
        assert_eq!(
            refusal(transformer(r#""<p> <q>""#)),
            "InputTemplate for target t contains invalid placeholder q."
        );
        assert_eq!(
            refusal(transformer(r#""<aws.events.event.json>""#)),
            "InputTemplate for target t contains placeholder aws.events.event.json valid only for JSON template."
        );
        assert!(Input::read(&json!({"InputPath": "$.detail.a[0].b"}), "t").is_ok());
        assert!(Input::read(&json!({"InputPath": "$"}), "t").is_ok());
    }
}
