//! The attributes of a span, resource, event or link, by key.

use std::borrow::Cow;
use std::collections::BTreeMap;

use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use opentelemetry_proto::tonic::common::v1::any_value::Value as Any;
use opentelemetry_proto::tonic::common::v1::{AnyValue, KeyValue};
use serde_json::{Map, Number, Value};

/// Attributes by key. The first of two with the same key counts; attributes without a value are left out.
#[derive(Clone, Debug, Default)]
pub(crate) struct Attributes<'a>(BTreeMap<Cow<'a, str>, Cow<'a, Any>>);

impl<'a> Attributes<'a> {
    /// Copies keys and values: most tests have no other use for the pairs.
    #[cfg(test)]
    pub(crate) fn new(pairs: &[KeyValue]) -> Self {
        let borrowed = Attributes::of(pairs).0.into_iter();
        Self(borrowed.map(|(key, value)| (key.into_owned().into(), Cow::Owned(value.into_owned()))).collect())
    }

    /// Borrows keys and values, so that clones are cheap.
    pub(crate) fn of(pairs: &'a [KeyValue]) -> Self {
        let mut attributes = BTreeMap::new();
        for pair in pairs {
            if let Some(AnyValue { value: Some(value) }) = &pair.value {
                attributes.entry(pair.key.as_str().into()).or_insert(Cow::Borrowed(value));
            }
        }
        Self(attributes)
    }

    pub(super) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    pub(super) fn contains(&self, key: &str) -> bool {
        self.0.contains_key(key)
    }

    pub(super) fn get(&self, key: &str) -> Option<&Any> {
        self.0.get(key).map(AsRef::as_ref)
    }

    /// Returns the value of this key if it is a string.
    pub(super) fn text(&self, key: &str) -> Option<&str> {
        match self.get(key)? {
            Any::StringValue(text) => Some(text),
            _ => None,
        }
    }

    /// Returns the value of this key if it is a string that is not empty.
    pub(super) fn filled(&self, key: &str) -> Option<String> {
        self.text(key).filter(|text| !text.is_empty()).map(str::to_owned)
    }

    /// Returns the value of this key if it is an integer.
    pub(super) fn integer(&self, key: &str) -> Option<i64> {
        match self.get(key)? {
            Any::IntValue(number) => Some(*number),
            _ => None,
        }
    }

    /// Returns the strings of this key, be it a list or a single one.
    pub(super) fn texts(&self, key: &str) -> Vec<String> {
        match self.get(key) {
            Some(Any::StringValue(text)) => vec![text.clone()],
            Some(Any::ArrayValue(list)) => list.values.iter().filter_map(text_of).collect(),
            _ => Vec::new(),
        }
    }

    /// Removes and returns the value of this key if it is a boolean.
    pub(super) fn take_flag(&mut self, key: &str) -> Option<bool> {
        let Any::BoolValue(flag) = *self.get(key)? else { return None };
        self.0.remove(key);
        Some(flag)
    }

    pub(super) fn remove(&mut self, key: &str) {
        self.0.remove(key);
    }

    pub(super) fn without(&self, keys: &[&str]) -> Self {
        let mut rest = self.clone();
        for key in keys {
            rest.0.remove(*key);
        }
        rest
    }

    /// Puts back an attribute that was removed.
    pub(super) fn restore(&mut self, key: &str, from: &Self) {
        if let Some((key, value)) = from.0.get_key_value(key) {
            self.0.entry(key.clone()).or_insert_with(|| value.clone());
        }
    }

    pub(super) fn iter(&self) -> impl Iterator<Item = (&str, &Any)> {
        self.0.iter().map(|(key, value)| (key.as_ref(), value.as_ref()))
    }

    pub(super) fn to_json(&self) -> Map<String, Value> {
        self.iter().map(|(key, value)| (key.to_owned(), to_json(value))).collect()
    }
}

fn text_of(value: &AnyValue) -> Option<String> {
    match &value.value {
        Some(Any::StringValue(text)) => Some(text.clone()),
        _ => None,
    }
}

/// Converts a value to JSON: bytes to base64, a number that JSON cannot express to `null`.
pub(super) fn to_json(value: &Any) -> Value {
    match value {
        Any::StringValue(text) => Value::String(text.clone()),
        Any::BoolValue(value) => Value::Bool(*value),
        Any::IntValue(number) => Value::from(*number),
        Any::DoubleValue(number) => Number::from_f64(*number).map_or(Value::Null, Value::Number),
        Any::ArrayValue(list) => {
            list.values.iter().map(|item| item.value.as_ref().map_or(Value::Null, to_json)).collect()
        }
        Any::KvlistValue(list) => Value::Object(Attributes::of(&list.values).to_json()),
        Any::BytesValue(bytes) => Value::String(BASE64_STANDARD.encode(bytes)),
        // Strings by index occur in the profiles signal only.
        Any::StringValueStrindex(_) => Value::Null,
    }
}
