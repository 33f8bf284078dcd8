//! Converts JSON values to DynamoDB attributes and back.

use std::collections::HashMap;

use aws_sdk_dynamodb::types::AttributeValue;
use serde_json::{Map, Number, Value};

pub(crate) fn from_json(value: Value) -> AttributeValue {
    match value {
        Value::Null => AttributeValue::Null(true),
        Value::Bool(value) => AttributeValue::Bool(value),
        Value::Number(value) => AttributeValue::N(value.to_string()),
        Value::String(value) => AttributeValue::S(value),
        Value::Array(values) => AttributeValue::L(values.into_iter().map(from_json).collect()),
        Value::Object(members) => AttributeValue::M(object(members)),
    }
}

pub(crate) fn object(members: Map<String, Value>) -> HashMap<String, AttributeValue> {
    members.into_iter().map(|(name, value)| (name, from_json(value))).collect()
}

/// Converts an attribute to JSON. `None` for types that JSON lacks (binary, sets).
pub(crate) fn to_json(attribute: &AttributeValue) -> Option<Value> {
    Some(match attribute {
        AttributeValue::Null(_) => Value::Null,
        AttributeValue::Bool(value) => Value::Bool(*value),
        AttributeValue::N(value) => Value::Number(value.parse::<Number>().ok()?),
        AttributeValue::S(value) => Value::String(value.clone()),
        AttributeValue::L(values) => Value::Array(values.iter().map(to_json).collect::<Option<_>>()?),
        AttributeValue::M(members) => Value::Object(
            members
                .iter()
                .map(|(name, value)| Some((name.clone(), to_json(value)?)))
                .collect::<Option<_>>()?,
        ),
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn what_is_written_is_read() {
        let value = json!({"text": "ä", "number": -7, "list": [true, null, {"deep": []}], "empty": {}});
        assert_eq!(to_json(&from_json(value.clone())), Some(value));
    }

    #[test]
    fn what_json_does_not_have_is_not_read() {
        let set = AttributeValue::Ss(vec!["a".into()]);
        assert_eq!(to_json(&AttributeValue::L(vec![set])), None);
    }
}
