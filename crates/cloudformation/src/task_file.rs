//! A stand-alone task definition for `aws ecs register-task-definition --cli-input-json`.
//!
//! Instead of CloudFormation, `envsubst` fills in `${AWS_REGION}`, `${AWS_ACCOUNT_ID}`, `${ENVIRONMENT}` and
//! `${IMAGE_TAG}`, `${EMAIL_SENDER}` for a service that sends mail, and the variable of each declared parameter without a
//! default. Stack parameters have their default values.

use serde_json::{Map, Value, json};

use crate::RenderError;
use crate::context::PIPE_OF_MARKERS;
use crate::task::TASK_DEFINITION;
use crate::template::{Template, pretty};

/// Renders the task definition of a service's template.
pub(crate) fn render(template: &Template) -> Result<String, RenderError> {
    let properties = &resource(template, TASK_DEFINITION)?["Properties"];
    let mut definition = resolved(template, properties)?;
    // JSON has no comments.
    definition["tags"] = json!([{"key": "rendered-by", "value": "foostore synth"}]);
    pretty(&definition)
}

fn resource<'a>(template: &'a Template, id: &str) -> Result<&'a Value, RenderError> {
    let mut resources = template.resources.iter();
    let found = resources.find(|(name, _)| name == id).map(|(_, resource)| resource);
    found.ok_or_else(|| RenderError::Undeclared(id.to_owned()))
}

fn resolved(template: &Template, value: &Value) -> Result<Value, RenderError> {
    Ok(match value {
        Value::Object(object) => match object.iter().next() {
            Some((key, Value::String(text))) if key == "Fn::Sub" => Value::String(text_of(template, text)?),
            Some((key, Value::String(id))) if key == "Ref" => {
                Value::String(text_of(template, &format!("${{{id}}}"))?)
            }
            // No condition holds where parameters have their defaults.
            Some((key, Value::Array(of))) if key == "Fn::If" => resolved(template, &of[2])?,
            Some((key, Value::Array(of))) if key == "Fn::GetAtt" => {
                Value::String(identifier(template, of[0].as_str().unwrap_or_default())?)
            }
            _ => {
                let entries = object.iter().map(|(key, value)| Ok((lower(key), resolved(template, value)?)));
                Value::Object(entries.collect::<Result<Map<_, _>, RenderError>>()?)
            }
        },
        Value::Array(list) => {
            list.iter().map(|value| resolved(template, value)).collect::<Result<_, RenderError>>()?
        }
        Value::String(text) => Value::String(text_of(template, text)?),
        other => other.clone(),
    })
}

/// Converts a key to the API's spelling: `ContainerDefinitions` becomes `containerDefinitions`; the keys of log options
/// are lower case in both.
fn lower(key: &str) -> String {
    let mut letters = key.chars();
    letters.next().map(|first| first.to_ascii_lowercase()).into_iter().chain(letters).collect()
}

/// Replaces the placeholders in a text.
fn text_of(template: &Template, text: &str) -> Result<String, RenderError> {
    if let Some(left) = text.strip_prefix("{{resolve:ssm:/").and_then(|rest| rest.strip_suffix("}}")) {
        let name = text_of(template, left)?;
        if let Some(pipe) = name.strip_suffix(PIPE_OF_MARKERS) {
            return Ok(pipe.replace('/', "-"));
        }
        // The ARN of a secret of this name.
        return Ok(format!("arn:aws:secretsmanager:${{AWS_REGION}}:${{AWS_ACCOUNT_ID}}:secret:{name}"));
    }
    let mut result = String::new();
    let mut rest = text;
    while let Some((before, after)) = rest.split_once("${") {
        result.push_str(before);
        let Some((name, after)) = after.split_once('}') else {
            return Err(RenderError::Write(format!("{text} has a placeholder without an end")));
        };
        result.push_str(&placeholder(template, name)?);
        rest = after;
    }
    result.push_str(rest);
    Ok(result)
}

fn placeholder(template: &Template, name: &str) -> Result<String, RenderError> {
    Ok(match name {
        "AWS::Region" => "${AWS_REGION}".to_owned(),
        "AWS::AccountId" => "${AWS_ACCOUNT_ID}".to_owned(),
        "AWS::Partition" => "aws".to_owned(),
        "AWS::URLSuffix" => "amazonaws.com".to_owned(),
        "Environment" => "${ENVIRONMENT}".to_owned(),
        "ImageTag" => "${IMAGE_TAG}".to_owned(),
        "EmailSender" => "${EMAIL_SENDER}".to_owned(),
        other => {
            let mut parameters = template.parameters.iter();
            match parameters.find(|(parameter, _)| parameter == other) {
                Some((_, definition)) => match definition["Default"].as_str() {
                    Some(default) => default.to_owned(),
                    None => format!("${{{}}}", variable_of(other)),
                },
                None => identifier(template, other)?,
            }
        }
    })
}

/// Returns the environment variable of a declared parameter: `WEBHOOK_URL` for `WebhookUrl`.
fn variable_of(parameter: &str) -> String {
    let mut variable = String::new();
    for letter in parameter.chars() {
        if letter.is_ascii_uppercase() && !variable.is_empty() {
            variable.push('_');
        }
        variable.push(letter.to_ascii_uppercase());
    }
    variable
}

/// Returns what the API expects for a resource of the same stack: the ARN of a role.
fn identifier(template: &Template, id: &str) -> Result<String, RenderError> {
    let resource = resource(template, id)?;
    match resource["Type"].as_str().unwrap_or_default() {
        "AWS::IAM::Role" => {
            let name = resolved(template, &resource["Properties"]["RoleName"])?;
            Ok(format!("arn:aws:iam::${{AWS_ACCOUNT_ID}}:role/{}", name.as_str().unwrap_or_default()))
        }
        other => Err(RenderError::Write(format!("a task definition cannot refer to {id} of type {other}"))),
    }
}
