//! Message attributes: what SNS accepts.

use std::collections::BTreeMap;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde::Deserialize;
use serde_json::Value;

use super::errors::invalid_value;
use crate::reply::AwsError;

const MAX_NAME_BYTES: usize = 256;
const STRING_ARRAY: &str = "String.Array";

/// The attributes of a message, by name.
#[derive(Clone, Debug, Default)]
pub(super) struct Attributes(BTreeMap<String, Attribute>);

/// A checked attribute.
#[derive(Clone, Debug)]
pub(super) struct Attribute {
    pub(super) data_type: String,
    pub(super) content: Content,
}

#[derive(Clone, Debug)]
pub(super) enum Content {
    Text(String),
    Binary {
        /// In Base64, as SNS and SQS pass it on.
        encoded: String,
        bytes: usize,
    },
}

/// An attribute as it is given in a request.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct Input {
    data_type: Option<String>,
    string_value: Option<String>,
    /// In Base64.
    binary_value: Option<String>,
}

impl Attributes {
    /// Checks attributes as AWS does (SNS developer guide, "Message attributes").
    pub(super) fn new(input: BTreeMap<String, Input>) -> Result<Self, AwsError> {
        let mut attributes = BTreeMap::new();
        for (name, value) in input {
            check_name(&name)?;
            let attribute = Attribute::new(&name, value)?;
            attributes.insert(name, attribute);
        }
        Ok(Self(attributes))
    }

    pub(super) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    pub(super) fn iter(&self) -> impl Iterator<Item = (&String, &Attribute)> {
        self.0.iter()
    }

    /// Returns the number of bytes that count towards the size of the message.
    pub(super) fn bytes(&self) -> usize {
        let bytes = |(name, attribute): (&String, &Attribute)| {
            let content = match &attribute.content {
                Content::Text(text) => text.len(),
                Content::Binary { bytes, .. } => *bytes,
            };
            name.len() + attribute.data_type.len() + content
        };
        self.0.iter().map(bytes).sum()
    }
}

impl Attribute {
    fn new(name: &str, input: Input) -> Result<Self, AwsError> {
        let data_type = input.data_type.unwrap_or_default();
        let (kind, custom) = match data_type.split_once('.') {
            Some((kind, custom)) => (kind, Some(custom)),
            None => (data_type.as_str(), None),
        };
        if !matches!(kind, "String" | "Number" | "Binary") || custom == Some("") {
            return Err(invalid_value(format!(
                "The message attribute '{name}' has an invalid message attribute type, the set of supported type \
                 prefixes is Binary, Number, and String."
            )));
        }
        let content = if kind == "Binary" {
            if input.string_value.is_some() {
                return Err(wrong_field(name, &data_type, "Binary"));
            }
            let encoded = given(name, &data_type, input.binary_value)?;
            let bytes = STANDARD.decode(&encoded).map_err(|_| {
                invalid_value(format!("The message attribute '{name}' is not encoded in Base64."))
            })?;
            Content::Binary { encoded, bytes: bytes.len() }
        } else {
            if input.binary_value.is_some() {
                return Err(wrong_field(name, &data_type, "String"));
            }
            let text = given(name, &data_type, input.string_value)?;
            check_text(name, kind, &data_type, &text)?;
            Content::Text(text)
        };
        Ok(Self { data_type, content })
    }

    /// Returns the value as text: a binary one in Base64.
    pub(super) fn text(&self) -> &str {
        match &self.content {
            Content::Text(text) | Content::Binary { encoded: text, .. } => text,
        }
    }
}

fn given(name: &str, data_type: &str, value: Option<String>) -> Result<String, AwsError> {
    value.filter(|value| !value.is_empty()).ok_or_else(|| {
        invalid_value(format!(
            "The message attribute '{name}' must contain non-empty message attribute value for message attribute \
             type '{data_type}'."
        ))
    })
}

fn wrong_field(name: &str, data_type: &str, field: &str) -> AwsError {
    invalid_value(format!("The message attribute '{name}' with type '{data_type}' must use field '{field}'."))
}

fn check_text(name: &str, kind: &str, data_type: &str, text: &str) -> Result<(), AwsError> {
    if kind == "Number" && !is_number(text) {
        return Err(invalid_value(format!("Could not cast message attribute '{name}' value to number.")));
    }
    if data_type == STRING_ARRAY && !is_string_array(text) {
        return Err(invalid_value(format!(
            "The message attribute '{name}' with type '{STRING_ARRAY}' must be a JSON array of strings, numbers, \
             booleans and nulls."
        )));
    }
    Ok(())
}

fn check_name(name: &str) -> Result<(), AwsError> {
    if name.is_empty() {
        return Err(invalid_value("The message attribute name must not be empty."));
    }
    if name.len() > MAX_NAME_BYTES {
        return Err(invalid_value("Length of message attribute name must be less than 256 bytes."));
    }
    let allowed = |c: &char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.');
    if let Some(wrong) = name.chars().find(|c| !allowed(c)) {
        return Err(invalid_value(format!(
            "Invalid non-alphanumeric character '#x{:X}' was found in the message attribute name. Can only include \
             alphanumeric characters, hyphens, underscores, or dots.",
            u32::from(wrong)
        )));
    }
    if name.starts_with('.') {
        return Err(invalid_value("Invalid message attribute name starting with character '.' was found."));
    }
    if name.ends_with('.') {
        return Err(invalid_value("Invalid message attribute name ending with character '.' was found."));
    }
    if name.contains("..") {
        return Err(invalid_value("Message attribute name can not have successive '.' character."));
    }
    Ok(())
}

/// Returns whether a text is a decimal number. Words such as `NaN` or `inf`, which Rust parses, are none.
fn is_number(text: &str) -> bool {
    text.parse::<f64>().is_ok_and(f64::is_finite) && text.contains(|c: char| c.is_ascii_digit())
}

/// A JSON array of strings, numbers, booleans and nulls (SNS developer guide, "Message attributes").
fn is_string_array(text: &str) -> bool {
    let items: Result<Vec<Value>, _> = serde_json::from_str(text);
    items.is_ok_and(|items| items.iter().all(|item| !item.is_array() && !item.is_object()))
}

#[cfg(test)]
mod tests {
    use serde_json::{Map, json};

    use super::*;

    fn attributes(value: Value) -> Result<Attributes, AwsError> {
        Attributes::new(serde_json::from_value(value).unwrap())
    }

    fn refusal(name: &str, value: Value) -> String {
        let mut input = Map::new();
        input.insert(name.to_owned(), value);
        let error = attributes(Value::Object(input)).unwrap_err();
        assert_eq!(error.code, "ParameterValueInvalid");
        error.message
    }

    #[test]
    fn names_are_checked_in_awss_words() {
        let value = || json!({"DataType": "String", "StringValue": "x"});
        for (name, message) in [
            ("a".repeat(257), "Length of message attribute name must be less than 256 bytes."),
            (
                "a^*?".to_owned(),
                "Invalid non-alphanumeric character '#x5E' was found in the message attribute name. Can only \
                 include alphanumeric characters, hyphens, underscores, or dots.",
            ),
            (".abc".to_owned(), "Invalid message attribute name starting with character '.' was found."),
            ("abc.".to_owned(), "Invalid message attribute name ending with character '.' was found."),
            ("a..bc".to_owned(), "Message attribute name can not have successive '.' character."),
        ] {
            assert_eq!(refusal(&name, value()), message);
        }
        assert!(attributes(json!({"a-b_c.d": value()})).is_ok());
    }

    #[test]
    fn types_and_values_must_fit_each_other() {
        let empty = |kind| {
            format!(
                "The message attribute 'a' must contain non-empty message attribute value for message attribute \
                 type '{kind}'."
            )
        };
        let field =
            |kind, field| format!("The message attribute 'a' with type '{kind}' must use field '{field}'.");
        let unknown = "The message attribute 'a' has an invalid message attribute type, the set of supported type \
                       prefixes is Binary, Number, and String.";
        for (value, message) in [
            (json!({"DataType": "String", "StringValue": ""}), empty("String")),
            (json!({"DataType": "String"}), empty("String")),
            (json!({"DataType": "Binary", "BinaryValue": ""}), empty("Binary")),
            (json!({"DataType": "String", "BinaryValue": "MTIz"}), field("String", "String")),
            (json!({"DataType": "Number", "BinaryValue": "MTIz"}), field("Number", "String")),
            (json!({"DataType": "Binary", "StringValue": "123"}), field("Binary", "Binary")),
            (json!({"DataType": "Bool", "StringValue": "true"}), unknown.to_owned()),
            (json!({"DataType": "String.", "StringValue": "x"}), unknown.to_owned()),
            (json!({"DataType": "Stringprefixed", "StringValue": "x"}), unknown.to_owned()),
            (
                json!({"DataType": "Number", "StringValue": "abc"}),
                "Could not cast message attribute 'a' value to number.".to_owned(),
            ),
        ] {
            assert_eq!(refusal("a", value), message);
        }
        for wrong in ["abc", "{}", "[[1]]", "[{}]"] {
            refusal("a", json!({"DataType": "String.Array", "StringValue": wrong}));
        }
        for number in ["NaN", "inf", "-", "1e400", ""] {
            refusal("a", json!({"DataType": "Number", "StringValue": number}));
        }
        for data_type in ["String.prefixed", "String.  prefixed."] {
            assert!(attributes(json!({"a": {"DataType": data_type, "StringValue": "x"}})).is_ok());
        }
    }

    #[test]
    fn names_types_and_values_count_towards_the_size() {
        let attributes = attributes(json!({
            "text": {"DataType": "String", "StringValue": "ä"},
            "bytes": {"DataType": "Binary", "BinaryValue": "AQI="},
        }))
        .unwrap();
        assert_eq!(attributes.bytes(), (4 + 6 + 2) + (5 + 6 + 2));
        let texts: Vec<_> = attributes.iter().map(|(_, attribute)| attribute.text()).collect();
        assert_eq!(texts, ["AQI=", "ä"]);
    }
}
