//! Checks an input against the shape of its operation.

use std::fmt;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::Value;

use crate::model::{Kind, Member, Model, Shape};

/// The longest text that a message repeats, in characters.
const MAX_ECHO_CHARACTERS: usize = 4_096;
/// The deepest nesting that is followed; `DynamoDB` takes 32 levels of attribute values.
const MAX_DEPTH: usize = 128;
/// Violations listed in one message.
const MAX_VIOLATIONS: usize = 10;

/// Why an input is not one of the operation.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Refusal {
    /// A value has another type than its member.
    #[error("{found} cannot be converted to {expected} at '{path}'")]
    Mistyped {
        /// The member, such as `entries.1.member.source`.
        path: String,
        /// The kind that the model names.
        expected: &'static str,
        /// The kind of the value.
        found: &'static str,
    },
    /// Constraints of the model are violated.
    #[error("{0}")]
    Invalid(Violations),
}

/// What an input violates, in the words of AWS's services: `1 validation error detected: Value null at 'name' failed to
/// satisfy constraint: Member must not be null`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Violations(pub Vec<Violation>);

/// One violated constraint.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Violation {
    /// The member, with a small first letter and lists counted from one: `entries.1.member.source`.
    pub path: String,
    /// The value as messages repeat it; none if a required member is missing.
    pub value: Option<String>,
    /// What the value must satisfy, such as `Member must not be null`.
    pub constraint: String,
}

impl fmt::Display for Violations {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let errors = if self.0.len() == 1 { "error" } else { "errors" };
        write!(f, "{} validation {errors} detected: ", self.0.len())?;
        for (index, Violation { path, value, constraint }) in self.0.iter().enumerate() {
            let separator = if index == 0 { "" } else { "; " };
            match value {
                Some(value) => write!(f, "{separator}Value '{value}' at ")?,
                None => write!(f, "{separator}Value null at ")?,
            }
            write!(f, "'{path}' failed to satisfy constraint: {constraint}")?;
        }
        Ok(())
    }
}

impl Model {
    /// Checks an operation's input: types, required members, lengths, ranges, patterns and enumerations. Members that the
    /// model does not know are ignored, as AWS does.
    ///
    /// # Errors
    /// A wrong type at once, otherwise up to ten violated constraints.
    pub fn check(&self, operation: &str, input: &Value) -> Result<(), Refusal> {
        let Some(shape) = self.input(operation) else { return Ok(()) };
        let mut check = Check { model: self, violations: Vec::new() };
        check.shape(shape, input, &mut Vec::new())?;
        if check.violations.is_empty() { Ok(()) } else { Err(Refusal::Invalid(Violations(check.violations))) }
    }
}

struct Check<'a> {
    model: &'a Model,
    violations: Vec<Violation>,
}

/// The members on the way to a value.
type Path<'a> = Vec<Step<'a>>;

#[derive(Clone, Copy)]
enum Step<'a> {
    Member(&'a str),
    Item(usize),
    Key(&'a str),
}

impl<'a> Check<'a> {
    fn shape<'v>(&mut self, shape: &'v Shape, value: &'v Value, path: &mut Path<'v>) -> Result<(), Refusal>
    where
        'a: 'v,
    {
        if path.len() > MAX_DEPTH {
            return Err(mistyped(path, "a value of a permitted depth", "deeper nesting"));
        }
        match (&shape.kind, value) {
            (Kind::Structure, Value::Object(members)) => self.structure(shape, members, path)?,
            (Kind::List, Value::Array(items)) => self.list(shape, items, path)?,
            (Kind::Map, Value::Object(entries)) => self.map(shape, entries, path)?,
            (Kind::Document, _) => {}
            (_, value) => {
                if let Some(expected) = conflict(&shape.kind, value) {
                    return Err(mistyped(path, expected, kind_of(value)));
                }
            }
        }
        for constraint in constraints(shape, value) {
            self.violated(path, Some(text_of(value)), constraint);
        }
        Ok(())
    }

    fn structure<'v>(
        &mut self,
        shape: &'v Shape,
        members: &'v serde_json::Map<String, Value>,
        path: &mut Path<'v>,
    ) -> Result<(), Refusal>
    where
        'a: 'v,
    {
        let (mut given, mut found) = (0, 0);
        for (name, member) in &shape.members.0 {
            // A structure of which one member is given, such as an attribute value, is common.
            if found == members.len() && shape.required.is_empty() {
                break;
            }
            let value = members.get(name);
            found += usize::from(value.is_some());
            let value = value.filter(|value| !value.is_null());
            path.push(Step::Member(name));
            if let Some(value) = value {
                if let Some(of_member) = self.model.shape(member) {
                    given += 1;
                    self.shape(of_member, value, path)?;
                }
            } else if shape.required.contains(name) {
                self.violated(path, None, "Member must not be null".to_owned());
            }
            path.pop();
        }
        if shape.union && given > 1 {
            return Err(mistyped(path, "a union with exactly one member", "several members"));
        }
        Ok(())
    }

    fn list<'v>(&mut self, shape: &'v Shape, items: &'v [Value], path: &mut Path<'v>) -> Result<(), Refusal>
    where
        'a: 'v,
    {
        let Some(of_item) = shape.item.as_ref().and_then(|item| self.model.shape(item)) else {
            return Ok(());
        };
        let mut scalars = Vec::new();
        for (index, item) in items.iter().enumerate() {
            if item.is_null() {
                path.push(Step::Item(index));
                self.violated(path, None, "Member must not be null".to_owned());
                path.pop();
            } else if is_scalar(of_item) {
                type_of_scalar(of_item, item, path)?;
                if scalars.is_empty() {
                    scalars = constraints(of_item, item);
                }
            } else {
                path.push(Step::Item(index));
                self.shape(of_item, item, path)?;
                path.pop();
            }
        }
        if !scalars.is_empty() {
            let constraint = format!("Member must satisfy constraint: [{}]", all(of_item).join(", "));
            self.violated(path, Some(texts_of(items)), constraint);
        }
        Ok(())
    }

    fn map<'v>(
        &mut self,
        shape: &'v Shape,
        entries: &'v serde_json::Map<String, Value>,
        path: &mut Path<'v>,
    ) -> Result<(), Refusal>
    where
        'a: 'v,
    {
        let of = |member: &'v Option<Member>| member.as_ref().and_then(|member| self.model.shape(member));
        let (Some(of_key), Some(of_value)) = (of(&shape.key), of(&shape.value)) else { return Ok(()) };
        let (mut keys, mut values) = (false, false);
        for (key, value) in entries {
            keys |= !constraints_on_text(of_key, key).is_empty();
            path.push(Step::Key(key));
            if value.is_null() {
                self.violated(path, None, "Member must not be null".to_owned());
            } else if is_scalar(of_value) {
                type_of_scalar(of_value, value, path)?;
                values |= !constraints(of_value, value).is_empty();
            } else {
                self.shape(of_value, value, path)?;
            }
            path.pop();
        }
        for (violated, of, which) in [(keys, of_key, "Map keys"), (values, of_value, "Map value")] {
            if violated {
                let constraint = format!("{which} must satisfy constraint: [{}]", all(of).join(", "));
                self.violated(path, Some(entries_of(entries)), constraint);
            }
        }
        Ok(())
    }

    fn violated(&mut self, path: &Path<'_>, value: Option<String>, constraint: String) {
        if self.violations.len() < MAX_VIOLATIONS {
            self.violations.push(Violation { path: dotted(path), value, constraint });
        }
    }
}

/// Returns the kind that a scalar should have, if the value has another one.
fn conflict(kind: &Kind, value: &Value) -> Option<&'static str> {
    let (fits, expected) = match kind {
        Kind::String => (value.is_string(), "a string"),
        Kind::Integer => (value.is_i64() || value.is_u64(), "an integer"),
        Kind::Number => (value.is_number(), "a number"),
        Kind::Boolean => (value.is_boolean(), "a boolean"),
        Kind::Blob => (value.as_str().is_some_and(|text| STANDARD.decode(text).is_ok()), "a blob in base64"),
        Kind::Timestamp => (value.is_number(), "a timestamp in seconds"),
        Kind::Structure => (value.is_object(), "a structure"),
        Kind::Map => (value.is_object(), "a map"),
        Kind::List => (value.is_array(), "a list"),
        Kind::Document => (true, "a document"),
    };
    (!fits).then_some(expected)
}

fn type_of_scalar(shape: &Shape, value: &Value, path: &Path<'_>) -> Result<(), Refusal> {
    conflict(&shape.kind, value).map_or(Ok(()), |expected| Err(mistyped(path, expected, kind_of(value))))
}

fn is_scalar(shape: &Shape) -> bool {
    !matches!(shape.kind, Kind::Structure | Kind::List | Kind::Map | Kind::Document)
}

/// Returns the constraints that a value of the right type violates.
fn constraints(shape: &Shape, value: &Value) -> Vec<String> {
    match (&shape.kind, value) {
        (_, Value::String(text)) => constraints_on_text(shape, text),
        (_, Value::Array(items)) => limits(shape, || Some(count(items.len()))),
        (Kind::Map, Value::Object(entries)) => limits(shape, || Some(count(entries.len()))),
        (_, Value::Number(number)) => limits(shape, || number.as_f64()),
        _ => Vec::new(),
    }
}

/// Returns the constraints that a text or a key violates.
fn constraints_on_text(shape: &Shape, text: &str) -> Vec<String> {
    let mut violated = limits(shape, || match shape.kind {
        Kind::Blob => STANDARD.decode(text).ok().map(|bytes| count(bytes.len())),
        _ => Some(count(text.chars().count())),
    });
    if !shape.values.is_empty() && !shape.values.iter().any(|value| value == text) {
        violated.push(one_of(shape));
    }
    if let Some(pattern) = &shape.pattern
        && !shape.accepts(text)
    {
        violated.push(matching(pattern));
    }
    violated
}

/// Returns the limits that a size violates, which is determined only if there are any.
fn limits(shape: &Shape, size: impl FnOnce() -> Option<f64>) -> Vec<String> {
    let mut violated = Vec::new();
    if shape.min.is_none() && shape.max.is_none() {
        return violated;
    }
    let Some(size) = size() else { return violated };
    if let Some(min) = shape.min
        && size < min
    {
        violated.push(at_least(shape, min));
    }
    if let Some(max) = shape.max
        && size > max
    {
        violated.push(at_most(shape, max));
    }
    violated
}

/// Returns all constraints of a shape: those of keys and items are listed together.
fn all(shape: &Shape) -> Vec<String> {
    let max = shape.max.map(|max| at_most(shape, max));
    let min = shape.min.map(|min| at_least(shape, min));
    let values = (!shape.values.is_empty()).then(|| one_of(shape));
    let pattern = shape.pattern.as_deref().map(matching);
    [max, min, values, pattern].into_iter().flatten().collect()
}

fn at_least(shape: &Shape, min: f64) -> String {
    format!("Member must have {} greater than or equal to {min}", measure(shape))
}

fn at_most(shape: &Shape, max: f64) -> String {
    format!("Member must have {} less than or equal to {max}", measure(shape))
}

fn one_of(shape: &Shape) -> String {
    format!("Member must satisfy enum value set: [{}]", shape.values.join(", "))
}

fn matching(pattern: &str) -> String {
    format!("Member must satisfy regular expression pattern: {pattern}")
}

fn measure(shape: &Shape) -> &'static str {
    if matches!(shape.kind, Kind::Integer | Kind::Number) { "value" } else { "length" }
}

/// A count as the float that limits are compared as; all counts here are far below 2⁵³.
fn count(length: usize) -> f64 {
    u32::try_from(length).map_or(f64::INFINITY, f64::from)
}

fn mistyped(path: &Path<'_>, expected: &'static str, found: &'static str) -> Refusal {
    Refusal::Mistyped { path: dotted(path), expected, found }
}

fn kind_of(value: &Value) -> &'static str {
    match value {
        Value::Null => "null",
        Value::Bool(_) => "a boolean",
        Value::Number(_) => "a number",
        Value::String(_) => "a string",
        Value::Array(_) => "a list",
        Value::Object(_) => "a structure",
    }
}

fn dotted(path: &Path<'_>) -> String {
    let mut out = String::new();
    for step in path {
        if !out.is_empty() {
            out.push('.');
        }
        match step {
            Step::Member(name) => {
                let mut characters = name.chars();
                out.extend(characters.next().map(|first| first.to_ascii_lowercase()));
                out.push_str(characters.as_str());
            }
            Step::Item(index) => out.extend([&(index + 1).to_string(), ".member"]),
            Step::Key(key) => {
                out.push_str(key);
                out.push_str(".member");
            }
        }
    }
    out
}

/// Returns a value as AWS's messages show it.
fn text_of(value: &Value) -> String {
    let text = match value {
        Value::String(text) => text.clone(),
        Value::Array(items) => return texts_of(items),
        Value::Object(entries) => return entries_of(entries),
        other => other.to_string(),
    };
    shortened(text)
}

fn texts_of(items: &[Value]) -> String {
    let items: Vec<_> = items.iter().take(100).map(text_of).collect();
    shortened(format!("[{}]", items.join(", ")))
}

fn entries_of(entries: &serde_json::Map<String, Value>) -> String {
    let entries: Vec<_> =
        entries.iter().take(100).map(|(key, value)| format!("{key}={}", text_of(value))).collect();
    shortened(format!("{{{}}}", entries.join(", ")))
}

fn shortened(text: String) -> String {
    match text.char_indices().nth(MAX_ECHO_CHARACTERS) {
        Some((end, _)) => format!("{}…", &text[..end]),
        None => text,
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::Service;

    fn refused(service: Service, operation: &str, input: &Value) -> String {
        Model::of(service).unwrap().check(operation, input).unwrap_err().to_string()
    }

    #[test]
    fn a_missing_member_is_null() {
        assert_eq!(
            refused(Service::Events, "PutTargets", &json!({"Rule": "r", "Targets": [{"Id": "1"}]})),
            "1 validation error detected: Value null at 'targets.1.member.arn' failed to satisfy constraint: Member must \
             not be null"
        );
    }

    #[test]
    fn several_violations_are_counted_and_separated() {
        assert_eq!(
            refused(Service::Events, "PutRule", &json!({"Name": ""})),
            "2 validation errors detected: Value '' at 'name' failed to satisfy constraint: Member must have length \
             greater than or equal to 1; Value '' at 'name' failed to satisfy constraint: Member must satisfy regular \
             expression pattern: [\\.\\-_A-Za-z0-9]+"
        );
    }

    #[test]
    fn ranges_name_the_value() {
        assert_eq!(
            refused(Service::DynamoDb, "ListTables", &json!({"Limit": 0})),
            "1 validation error detected: Value '0' at 'limit' failed to satisfy constraint: Member must have value \
             greater than or equal to 1"
        );
        let segment = json!({"TableName": "tab", "Segment": -1, "TotalSegments": 1});
        assert!(refused(Service::DynamoDb, "Scan", &segment).contains("Value '-1' at 'segment'"));
        let token = json!({"TransactItems": [{}], "ClientRequestToken": "x".repeat(37)});
        assert!(refused(Service::DynamoDb, "TransactWriteItems", &token).ends_with(
            "at 'clientRequestToken' failed to satisfy constraint: Member must have length less than or equal to 36"
        ));
    }

    #[test]
    fn enumerations_list_their_values() {
        let input =
            json!({"StreamArn": "a".repeat(40), "ShardId": "s".repeat(30), "ShardIteratorType": "FIRST"});
        assert!(
            refused(Service::DynamoDbStreams, "GetShardIterator", &input).contains(
                "Value 'FIRST' at 'shardIteratorType' failed to satisfy constraint: Member must satisfy enum value \
                 set: [TRIM_HORIZON, LATEST, "
            )
        );
    }

    #[test]
    fn items_and_keys_are_described_together() {
        let tags = json!({"ResourceARN": "arn", "TagKeys": ["a", ""]});
        assert_eq!(
            refused(Service::Events, "UntagResource", &tags),
            "1 validation error detected: Value '[a, ]' at 'tagKeys' failed to satisfy constraint: Member must satisfy \
             constraint: [Member must have length less than or equal to 128, Member must have length greater than or \
             equal to 1]"
        );
    }

    #[test]
    fn a_wrong_type_is_no_violation_but_malformed() {
        assert_eq!(
            refused(Service::Events, "PutRule", &json!({"Name": 5})),
            "a number cannot be converted to a string at 'name'"
        );
        assert_eq!(
            refused(Service::DynamoDb, "PutItem", &json!({"TableName": "tab", "Item": {"pk": {"B": "?"}}})),
            "a string cannot be converted to a blob in base64 at 'item.pk.member.b'"
        );
    }

    #[test]
    fn members_that_the_model_does_not_know_are_ignored() {
        let model = Model::of(Service::Events).unwrap();
        assert_eq!(model.check("DescribeRule", &json!({"Name": "r", "Future": {"x": 1}})), Ok(()));
        assert_eq!(model.check("NoSuchOperation", &json!([])), Ok(()));
    }
}
