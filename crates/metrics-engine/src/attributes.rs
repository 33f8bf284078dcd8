//! Attributes as JSON.

use opentelemetry_proto::tonic::common::v1::any_value::Value as AnyValue;
use opentelemetry_proto::tonic::common::v1::{AnyValue as Any, KeyValue};
use serde_json::{Map, Value, json};

/// Deeper values are left out.
const DEEPEST: usize = 4;

/// Returns attributes as one object, whose keys are in order.
pub(crate) fn object(attributes: &[KeyValue]) -> Map<String, Value> {
    nested(attributes, DEEPEST)
}

/// Returns an attribute's value, if it is a text that is not empty.
pub(crate) fn text<'a>(attributes: &'a [KeyValue], key: &str) -> Option<&'a str> {
    let attribute = attributes.iter().find(|attribute| attribute.key == key)?;
    match attribute.value.as_ref()?.value.as_ref()? {
        AnyValue::StringValue(text) if !text.is_empty() => Some(text),
        _ => None,
    }
}

fn nested(attributes: &[KeyValue], deepest: usize) -> Map<String, Value> {
    attributes
        .iter()
        .map(|attribute| (attribute.key.clone(), json(attribute.value.as_ref(), deepest)))
        .collect()
}

fn json(value: Option<&Any>, deepest: usize) -> Value {
    let Some(deepest) = deepest.checked_sub(1) else { return Value::Null };
    match value.and_then(|value| value.value.as_ref()) {
        Some(AnyValue::StringValue(text)) => json!(text),
        Some(AnyValue::BoolValue(flag)) => json!(flag),
        Some(AnyValue::IntValue(number)) => json!(number),
        Some(AnyValue::DoubleValue(number)) => json!(number),
        Some(AnyValue::ArrayValue(array)) => {
            array.values.iter().map(|value| json(Some(value), deepest)).collect()
        }
        Some(AnyValue::KvlistValue(list)) => Value::Object(nested(&list.values, deepest)),
        Some(AnyValue::BytesValue(bytes)) => json!(bytes),
        // References to a table of strings occur in profiles alone.
        _ => Value::Null,
    }
}
