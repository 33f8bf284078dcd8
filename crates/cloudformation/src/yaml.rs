//! Writes a template as YAML, in an order that does not depend on the in-memory order of JSON objects.

use std::borrow::Cow;

use serde::ser::{Serialize, SerializeMap, SerializeSeq, Serializer};
use serde_json::Value;
use serde_saphyr::{LitStr, ser_options};

use crate::RenderError;
use crate::template::Template;

/// The head of every file, which names its origin.
const HEADER: &str = "# Rendered by `foostore synth` from what the services declare; change their topology(), not this file.\n";

/// Keys that come first in an object, in this order; the others follow alphabetically.
const FIRST: [&str; 20] = [
    "Type",
    "Condition",
    "DependsOn",
    "DeletionPolicy",
    "UpdateReplacePolicy",
    "Metadata",
    "Properties",
    "Name",
    "Sid",
    "Effect",
    "Principal",
    "Action",
    "Resource",
    "Version",
    "Statement",
    "Description",
    "Id",
    "Expression",
    "Key",
    "Value",
];

/// Writes intrinsic functions in their long form and quotes text that looks like a number, so that YAML 1.1 parsers
/// such as CloudFormation's read the same values.
pub(crate) fn write(template: &Template) -> Result<String, RenderError> {
    let options = ser_options! { prefer_block_scalars: false, min_fold_chars: 1, compact_list_indent: true };
    let mut text = String::from(HEADER);
    text.push_str("AWSTemplateFormatVersion: \"2010-09-09\"\n");
    let mut part = |value: &dyn Fn() -> Result<String, serde_saphyr::ser::Error>| {
        value().map(|part| text.push_str(&part)).map_err(|error| RenderError::Write(error.to_string()))
    };
    part(&|| {
        serde_saphyr::to_string_with_options(&Section("Description", &template.description), options.clone())
    })?;
    for (name, entries) in [
        ("Parameters", &template.parameters),
        ("Rules", &template.rules),
        ("Conditions", &template.conditions),
        ("Resources", &template.resources),
    ] {
        if !entries.is_empty() {
            part(&|| {
                let section = Section(name, Entries(entries));
                serde_saphyr::to_string_with_options(&section, options.clone()).map(|text| spaced(&text))
            })?;
        }
    }
    Ok(text)
}

/// Adds an empty line before a section and between its resources, and removes the quotes of intrinsic functions.
fn spaced(section: &str) -> String {
    let resources = section.starts_with("Resources:");
    let mut text = String::from("\n");
    for (number, line) in section.lines().enumerate() {
        let entry = line.starts_with("  ") && !line.starts_with("   ");
        if resources && entry && number > 1 {
            text.push('\n');
        }
        text.push_str(&unquoted(line));
        text.push('\n');
    }
    text
}

/// Removes the quotes of a key such as `"Fn::Sub":`, which are unnecessary and unusual.
fn unquoted(line: &str) -> Cow<'_, str> {
    let key = line.trim_start_matches([' ', '-']);
    match key.strip_prefix("\"Fn::").and_then(|rest| rest.split_once("\":")) {
        Some((function, rest)) => {
            let indent = &line[..line.len() - key.len()];
            Cow::Owned(format!("{indent}Fn::{function}:{rest}"))
        }
        None => Cow::Borrowed(line),
    }
}

struct Section<'a, T>(&'a str, T);

impl<T: Serialize> Serialize for Section<'_, T> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(Some(1))?;
        map.serialize_entry(self.0, &self.1)?;
        map.end()
    }
}

/// Entries in the order they were added.
struct Entries<'a>(&'a [(String, Value)]);

impl Serialize for Entries<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(Some(self.0.len()))?;
        for (name, value) in self.0 {
            map.serialize_entry(name, &Ordered(value))?;
        }
        map.end()
    }
}

/// A JSON value whose objects are in the order of [`FIRST`].
struct Ordered<'a>(&'a Value);

impl Serialize for Ordered<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self.0 {
            Value::Object(object) => {
                let mut entries: Vec<_> = object.iter().collect();
                let statement = object.contains_key("Effect");
                entries.sort_by_key(|(key, _)| {
                    let first = FIRST.iter().position(|first| first == key).unwrap_or(FIRST.len());
                    // A resource's condition comes first, a statement's condition last.
                    (if statement && *key == "Condition" { FIRST.len() } else { first }, *key)
                });
                let mut map = serializer.serialize_map(Some(entries.len()))?;
                for (key, value) in entries {
                    map.serialize_entry(key, &Ordered(value))?;
                }
                map.end()
            }
            Value::Array(list) => {
                let mut sequence = serializer.serialize_seq(Some(list.len()))?;
                for value in list {
                    sequence.serialize_element(&Ordered(value))?;
                }
                sequence.end()
            }
            Value::String(text) if text.contains('\n') => LitStr(text).serialize(serializer),
            other => other.serialize(serializer),
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn order_and_quotes() {
        let mut template = Template::new("a stack");
        template.parameters.clear();
        template.resource(
            "B",
            "AWS::X",
            json!({"Zulu": "yes", "Alpha": "0755", "Text": "one\n  two\n", "Many": 1}),
        );
        template.resource("A", "AWS::Y", json!({"Effect": "Allow", "Action": ["a:b"], "Sid": "S"}));
        let text = write(&template).unwrap();
        assert_eq!(
            text,
            "# Rendered by `foostore synth` from what the services declare; change their topology(), not this file.\nAWSTemplateFormatVersion: \"2010-09-09\"\nDescription: a stack\n\nResources:\n  B:\n    \
             Type: AWS::X\n    Properties:\n      Alpha: \"0755\"\n      Many: 1\n      Text: |\n        one\n          \
             two\n      Zulu: \"yes\"\n\n  A:\n    Type: AWS::Y\n    Properties:\n      Sid: S\n      \
             Effect: Allow\n      Action:\n      - a:b\n"
        );
    }
}
