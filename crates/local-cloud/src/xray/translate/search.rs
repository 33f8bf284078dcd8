//! Annotations, which can be searched, and metadata, which cannot: all attributes that no block has taken.

use std::collections::{BTreeMap, BTreeSet};

use ::xray::AnnotationValue;
use opentelemetry_proto::tonic::common::v1::any_value::Value as Any;
use opentelemetry_semantic_conventions::attribute;
use serde_json::{Map, Number, Value};

use super::attributes::to_json;
use super::{Attributes, names};

#[derive(Debug, Default)]
pub(super) struct Found {
    pub(super) user: Option<String>,
    pub(super) annotations: BTreeMap<String, AnnotationValue>,
    pub(super) metadata: BTreeMap<String, Value>,
}

pub(super) fn take(
    mut left: Attributes,
    resource: &Attributes,
    with_resource: bool,
    indexed: &[String],
) -> Found {
    let mut found = Found::default();
    if left.contains(attribute::ENDUSER_ID) {
        found.user = left.filled(attribute::ENDUSER_ID);
        left.remove(attribute::ENDUSER_ID);
    }
    if left.is_empty() && (!with_resource || resource.is_empty()) {
        return found;
    }

    let mut keys: BTreeSet<String> = indexed.iter().cloned().collect();
    if matches!(left.get(names::ANNOTATIONS), Some(Any::ArrayValue(_))) {
        keys.extend(left.texts(names::ANNOTATIONS));
        left.remove(names::ANNOTATIONS);
    }

    let mut default = Map::new();
    if with_resource {
        for (key, value) in resource.iter() {
            let key = format!("{}{key}", names::RESOURCE_PREFIX);
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
            if namespace.eq_ignore_ascii_case(names::DEFAULT_NAMESPACE) {
                default.extend(fields);
            } else {
                found.metadata.insert(namespace.to_owned(), Value::Object(fields));
            }
        } else {
            default.insert(key.to_owned(), to_json(value));
        }
    }
    if !default.is_empty() {
        found.metadata.insert(names::DEFAULT_NAMESPACE.to_owned(), Value::Object(default));
    }
    found
}

/// Of the metadata, what describes the service and not the call.
pub(super) fn keep_resource_only(metadata: &mut BTreeMap<String, Value>) {
    for namespace in metadata.values_mut() {
        if let Value::Object(fields) = namespace {
            fields.retain(|key, _| key.starts_with(names::RESOURCE_PREFIX));
        }
    }
}

/// Metadata of a namespace of its own: a JSON object in the text of an attribute.
fn namespaced<'a>(key: &'a str, value: &Any) -> Option<(&'a str, Map<String, Value>)> {
    let namespace = key.strip_prefix(names::METADATA_PREFIX)?;
    let Any::StringValue(text) = value else { return None };
    Some((namespace, serde_json::from_str(text).ok()?))
}

/// Only single values can be annotations.
fn annotation(value: &Any) -> Option<AnnotationValue> {
    match value {
        Any::StringValue(text) => Some(text.as_str().into()),
        Any::IntValue(number) => Some((*number).into()),
        Any::DoubleValue(number) => Number::from_f64(*number).map(AnnotationValue::Number),
        Any::BoolValue(value) => Some((*value).into()),
        _ => None,
    }
}

/// Letters, digits and dots stay; everything else becomes an underscore. (Dots stay since exporter 0.97.)
fn annotation_key(key: &str) -> String {
    key.chars()
        .map(|letter| if letter.is_ascii_alphanumeric() || letter == '.' { letter } else { '_' })
        .collect()
}
