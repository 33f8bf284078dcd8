//! Annotations, which can be searched, and metadata, which cannot: the attributes that no block shows.

use std::collections::{BTreeMap, BTreeSet};

use opentelemetry_proto::tonic::common::v1::any_value::Value as Any;
use opentelemetry_semantic_conventions::attribute;
use serde_json::{Map, Number, Value};
use xray::AnnotationValue;

use super::attributes::to_json;
use super::{Attributes, keys};

#[derive(Debug, Default)]
pub(super) struct Indexed {
    pub(super) user: Option<String>,
    pub(super) annotations: BTreeMap<String, AnnotationValue>,
    pub(super) metadata: BTreeMap<String, Value>,
}

pub(super) fn take(
    mut left: Attributes<'_>,
    resource: &Attributes<'_>,
    with_resource: bool,
    indexed: &[String],
) -> Indexed {
    let mut found = Indexed::default();
    if left.contains(attribute::ENDUSER_ID) {
        found.user = left.filled(attribute::ENDUSER_ID);
        left.remove(attribute::ENDUSER_ID);
    }
    if left.is_empty() && (!with_resource || resource.is_empty()) {
        return found;
    }

    let mut keys: BTreeSet<String> = indexed.iter().cloned().collect();
    if matches!(left.get(keys::ANNOTATIONS), Some(Any::ArrayValue(_))) {
        keys.extend(left.texts(keys::ANNOTATIONS));
        left.remove(keys::ANNOTATIONS);
    }

    let mut default = Map::new();
    if with_resource {
        for (key, value) in resource.iter() {
            let key = format!("{}{key}", keys::RESOURCE_PREFIX);
            match annotation(value).filter(|_| keys.contains(&key)) {
                Some(value) => {
                    found.annotations.insert(annotation_key(&key), value);
                }
                None => {
                    default.insert(key, to_json(value));
                }
            }
        }
    }
    for (key, value) in left.iter() {
        if keys.contains(key) {
            if let Some(value) = annotation(value) {
                found.annotations.insert(annotation_key(key), value);
            }
        } else if let Some((namespace, fields)) = namespaced(key, value) {
            if namespace.eq_ignore_ascii_case(keys::DEFAULT_NAMESPACE) {
                default.extend(fields);
            } else {
                found.metadata.insert(namespace.to_owned(), Value::Object(fields));
            }
        } else {
            default.insert(key.to_owned(), to_json(value));
        }
    }
    if !default.is_empty() {
        found.metadata.insert(keys::DEFAULT_NAMESPACE.to_owned(), Value::Object(default));
    }
    found
}

/// Keeps the metadata that describes the service rather than the call.
pub(super) fn keep_resource_only(metadata: &mut BTreeMap<String, Value>) {
    for namespace in metadata.values_mut() {
        if let Value::Object(fields) = namespace {
            fields.retain(|key, _| key.starts_with(keys::RESOURCE_PREFIX));
        }
    }
}

/// Reads metadata with a namespace: a JSON object in a string attribute.
fn namespaced<'a>(key: &'a str, value: &Any) -> Option<(&'a str, Map<String, Value>)> {
    let namespace = key.strip_prefix(keys::METADATA_PREFIX)?;
    let Any::StringValue(text) = value else { return None };
    Some((namespace, serde_json::from_str(text).ok()?))
}

/// Converts a scalar value; lists and maps cannot be annotations.
fn annotation(value: &Any) -> Option<AnnotationValue> {
    match value {
        Any::StringValue(text) => Some(text.as_str().into()),
        Any::IntValue(number) => Some((*number).into()),
        Any::DoubleValue(number) => Number::from_f64(*number).map(AnnotationValue::Number),
        Any::BoolValue(value) => Some((*value).into()),
        _ => None,
    }
}

/// Replaces everything but letters, digits and dots by an underscore. (The exporter keeps dots since 0.97.)
fn annotation_key(key: &str) -> String {
    key.chars()
        .map(|letter| if letter.is_ascii_alphanumeric() || letter == '.' { letter } else { '_' })
        .collect()
}
