//! What the service demands of a schema beyond what its type says.

use serde_json::{Map, Value, json};

/// Makes a derived schema match exactly what is accepted: no unknown fields, no `null` in place of an absent field, and
/// the bounds of an integer's type in place of its format.
pub(crate) fn normalize(schema: &mut Value) {
    let Value::Object(object) = schema else { return };
    drop_null(object);
    if object.contains_key("properties") || object.get("type") == Some(&json!("object")) {
        object.insert("additionalProperties".to_owned(), false.into());
    }
    if let Some((minimum, maximum)) = object.get("format").and_then(Value::as_str).and_then(integer_bounds) {
        object.entry("minimum").or_insert(minimum);
        object.entry("maximum").or_insert(maximum);
        // The bounds say it all; beside narrower ones, the format would say something else.
        object.remove("format");
    }
    for keyword in ["properties", "$defs"] {
        if let Some(Value::Object(schemas)) = object.get_mut(keyword) {
            schemas.values_mut().for_each(normalize);
        }
    }
    for keyword in ["anyOf", "oneOf", "allOf"] {
        if let Some(Value::Array(schemas)) = object.get_mut(keyword) {
            schemas.iter_mut().for_each(normalize);
        }
    }
    if let Some(items) = object.get_mut("items") {
        normalize(items);
    }
}

/// A type takes `null` for an absent field; a producer leaves the field out.
fn drop_null(object: &mut Map<String, Value>) {
    if let Some(Value::Array(types)) = object.get_mut("type") {
        types.retain(|kind| kind != "null");
        if let [only] = types.as_slice() {
            let only = only.clone();
            object.insert("type".to_owned(), only);
        }
    }
    if let Some(Value::Array(alternatives)) = object.get_mut("anyOf") {
        alternatives.retain(|schema| schema.get("type") != Some(&json!("null")));
        if let [Value::Object(only)] = alternatives.as_slice() {
            let only = only.clone();
            object.remove("anyOf");
            for (keyword, value) in only {
                object.entry(keyword).or_insert(value);
            }
        }
    }
}

fn integer_bounds(format: &str) -> Option<(Value, Value)> {
    Some(match format {
        "uint8" => (u8::MIN.into(), u8::MAX.into()),
        "uint16" => (u16::MIN.into(), u16::MAX.into()),
        "uint32" => (u32::MIN.into(), u32::MAX.into()),
        "uint64" => (u64::MIN.into(), u64::MAX.into()),
        "int8" => (i8::MIN.into(), i8::MAX.into()),
        "int16" => (i16::MIN.into(), i16::MAX.into()),
        "int32" => (i32::MIN.into(), i32::MAX.into()),
        "int64" => (i64::MIN.into(), i64::MAX.into()),
        _ => return None,
    })
}
