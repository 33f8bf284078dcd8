//! A template in the order in which people read it, and constructors for its values.

use serde_json::{Value, json};

use crate::RenderError;

/// One stack's template.
#[derive(Debug)]
pub(crate) struct Template {
    pub(crate) description: String,
    pub(crate) parameters: Vec<(String, Value)>,
    pub(crate) rules: Vec<(String, Value)>,
    pub(crate) conditions: Vec<(String, Value)>,
    pub(crate) resources: Vec<(String, Value)>,
}

impl Template {
    /// Creates a template with the parameter `Environment`, which every name contains.
    pub(crate) fn new(description: impl Into<String>) -> Self {
        let environment = json!({
            "Type": "String",
            "Description": "Environment, such as prod; a part of every name",
            // As a part of a repository's name, it has no hyphen at the end or beside another.
            "AllowedPattern": "[a-z][a-z0-9]*(-[a-z0-9]+)*",
            "MaxLength": LONGEST_ENVIRONMENT,
        });
        Self {
            description: description.into(),
            parameters: vec![("Environment".to_owned(), environment)],
            rules: Vec::new(),
            conditions: Vec::new(),
            resources: Vec::new(),
        }
    }

    pub(crate) fn parameter(&mut self, name: &str, definition: Value) {
        self.parameters.push((name.to_owned(), definition));
    }

    /// Adds a parameter that several alarms of the template have in common.
    pub(crate) fn parameter_once(&mut self, name: &str, definition: Value) {
        if !self.parameters.iter().any(|(known, _)| known == name) {
            self.parameter(name, definition);
        }
    }

    /// Adds a numeric parameter with a default that several alarms of the template have in common.
    pub(crate) fn number_once(&mut self, name: &str, default: &str, minimum: u32, description: &str) {
        self.parameter_once(name, number(default, minimum, description));
    }

    /// Adds a numeric parameter with a default.
    pub(crate) fn number(&mut self, name: &str, default: &str, minimum: u32, description: &str) {
        self.parameter(name, number(default, minimum, description));
    }

    pub(crate) fn condition(&mut self, name: &str, definition: Value) {
        self.conditions.push((name.to_owned(), definition));
    }

    pub(crate) fn resource(&mut self, id: impl Into<String>, kind: &str, properties: Value) {
        self.resources.push((id.into(), json!({"Type": kind, "Properties": properties})));
    }

    /// Adds a resource that is retained when the stack is deleted or replaces it, but not when its creation fails: the next
    /// try would find the name taken
    /// (<https://docs.aws.amazon.com/AWSCloudFormation/latest/UserGuide/aws-attribute-deletionpolicy.html>).
    pub(crate) fn keep(&mut self, id: impl Into<String>, kind: &str, properties: Value) {
        self.resources.push((
            id.into(),
            json!({
                "Type": kind,
                "DeletionPolicy": "RetainExceptOnCreate",
                "UpdateReplacePolicy": "Retain",
                "Properties": properties,
            }),
        ));
    }

    /// Adds an attribute, such as `DependsOn`, to the resource added last.
    pub(crate) fn with(&mut self, attribute: &str, value: Value) {
        if let Some((_, resource)) = self.resources.last_mut() {
            resource[attribute] = value;
        }
    }

    /// Returns the properties of a resource that was added before.
    pub(crate) fn properties_mut(&mut self, id: &str) -> Option<&mut Value> {
        let found = self.resources.iter_mut().find(|(known, _)| known == id);
        found.map(|(_, resource)| &mut resource["Properties"])
    }

    /// Records why the role added last has a wildcard resource.
    pub(crate) fn wildcard_because(&mut self, reasons: Value) {
        self.with("Metadata", json!({"Wildcards": reasons}));
    }

    /// Records why the resource added last does not follow a rule of checkov.
    pub(crate) fn exempt(&mut self, exemptions: &[(&str, &str)]) {
        let skip: Vec<_> =
            exemptions.iter().map(|(id, comment)| json!({"id": id, "comment": comment})).collect();
        self.with("Metadata", json!({"checkov": {"skip": skip}}));
    }
}

/// The environment to compute resources for: a stack parameter, which becomes part of every name.
pub const ENVIRONMENT: &str = "${Environment}";
/// The longest environment name: what remains of the 32 characters of a load balancer's name.
pub(crate) const LONGEST_ENVIRONMENT: usize = 12;

fn number(default: &str, minimum: u32, description: &str) -> Value {
    json!({"Type": "Number", "Default": default, "MinValue": minimum, "Description": description})
}

/// Returns `{"Ref": …}`.
pub(crate) fn reference(id: &str) -> Value {
    json!({"Ref": id})
}

/// Returns `{"Fn::GetAtt": …}`.
pub(crate) fn attribute(id: &str, attribute: &str) -> Value {
    json!({"Fn::GetAtt": [id, attribute]})
}

/// Returns text whose `${…}` CloudFormation fills in; plain text stays plain.
pub(crate) fn sub(text: impl Into<String>) -> Value {
    let text = text.into();
    if text.contains("${") { json!({"Fn::Sub": text}) } else { Value::String(text) }
}

/// Returns a value in which CloudFormation fills in the `${…}` of every text.
pub(crate) fn filled(value: &Value) -> Value {
    match value {
        Value::String(text) => sub(text.as_str()),
        Value::Array(list) => list.iter().map(filled).collect(),
        Value::Object(object) => {
            Value::Object(object.iter().map(|(name, value)| (name.clone(), filled(value))).collect())
        }
        other => other.clone(),
    }
}

/// Returns an ARN in this account and region.
pub(crate) fn arn(service: &str, resource: &str) -> Value {
    sub(arn_text(service, resource))
}

/// Returns the same as text for `Fn::Sub`.
pub(crate) fn arn_text(service: &str, resource: &str) -> String {
    format!("arn:${{AWS::Partition}}:{service}:${{AWS::Region}}:${{AWS::AccountId}}:{resource}")
}

/// Converts a name to a logical id: `dead-letter` becomes `DeadLetter`.
pub(crate) fn logical_id(name: &str) -> String {
    name.split(|c: char| !c.is_ascii_alphanumeric())
        .flat_map(|word| {
            let mut letters = word.chars();
            letters.next().map(|first| first.to_ascii_uppercase()).into_iter().chain(letters)
        })
        .collect()
}

/// Returns an IAM policy statement.
pub(crate) fn allow(sid: &str, actions: &[&str], resource: Value) -> Value {
    json!({"Sid": sid, "Effect": "Allow", "Action": actions, "Resource": resource})
}

/// Returns a policy document with these statements.
pub(crate) fn policy(statements: Vec<Value>) -> Value {
    json!({"Version": "2012-10-17", "Statement": statements})
}

/// Renders JSON for people, with objects sorted by key.
pub(crate) fn pretty(value: &Value) -> Result<String, RenderError> {
    let text = serde_json::to_string_pretty(&sorted(value));
    text.map(|text| text + "\n").map_err(|error| RenderError::Write(error.to_string()))
}

/// Sorts the entries of all objects in a value by key.
pub(crate) fn sorted(value: &Value) -> Value {
    match value {
        Value::Object(object) => {
            let mut entries: Vec<_> = object.iter().collect();
            entries.sort_by_key(|(key, _)| *key);
            Value::Object(entries.into_iter().map(|(key, value)| (key.clone(), sorted(value))).collect())
        }
        Value::Array(list) => list.iter().map(sorted).collect(),
        other => other.clone(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_become_logical_ids() {
        assert_eq!(logical_id("members-outbox-dead-letter"), "MembersOutboxDeadLetter");
        assert_eq!(logical_id("ecr.api"), "EcrApi");
    }

    #[test]
    fn only_text_with_a_placeholder_is_substituted() {
        assert_eq!(sub("plain"), json!("plain"));
        assert_eq!(sub("a-${B}"), json!({"Fn::Sub": "a-${B}"}));
    }
}
