//! From a body's bytes to events, one at a time: JSON takes many times its length in memory once it is parsed.

use std::fmt;

use serde::Deserializer;
use serde::de::{DeserializeSeed, IgnoredAny, MapAccess, SeqAccess, Visitor};
use serde_json::value::RawValue;
use serde_json::{Map, Number, Value};

use crate::errors::{Errors, escaped};
use crate::limits::{MAX_EVENT_BYTES, MAX_EVENTS};
use crate::problem::{DUPLICATE, Problem};

/// The longest pointer to a repeated field, in bytes; deeper ones are reported at the last place within it.
const MAX_POINTER: usize = 200;

/// The events in a body.
#[derive(Debug)]
pub(crate) enum Posted<'a> {
    One(&'a RawValue),
    List(Vec<&'a RawValue>),
}

/// An event as it was sent.
#[derive(Debug, Default)]
pub(crate) struct Event {
    pub(crate) value: Value,
    /// What its text has that a value cannot show.
    pub(crate) errors: Errors,
}

impl From<Value> for Event {
    fn from(value: Value) -> Self {
        Self { value, errors: Errors::default() }
    }
}

impl<'a> Posted<'a> {
    /// Finds the events in a body.
    pub(crate) fn read(body: &'a [u8]) -> Result<Self, Problem> {
        if body.trim_ascii_start().starts_with(b"[") {
            let mut json = serde_json::Deserializer::from_slice(body);
            let list = json
                .deserialize_seq(List)
                .and_then(|list| json.end().map(|()| list))
                .map_err(|error| malformed(&error))?;
            return match list {
                (items, 1..=MAX_EVENTS) => Ok(Self::List(items)),
                (_, count) => Err(Problem::list_of_wrong_length(count)),
            };
        }
        serde_json::from_slice(body).map(Self::One).map_err(|error| malformed(&error))
    }
}

impl Event {
    /// Parses an event.
    pub(crate) fn read(raw: &RawValue) -> Self {
        let mut event = Self::default();
        if raw.get().len() > MAX_EVENT_BYTES {
            let detail = format!("must have at most {MAX_EVENT_BYTES} bytes");
            event.errors.add("", "too-long", detail);
            return event;
        }
        let mut json = serde_json::Deserializer::from_str(raw.get());
        let tree = Tree { at: &mut String::new(), errors: &mut event.errors };
        match tree.deserialize(&mut json) {
            Ok(value) => event.value = value,
            // Right by its grammar, or it would not have been found.
            Err(error) => {
                let (line, column) = (error.line(), error.column());
                let what = "must not nest deeper than 128 levels, and have numbers and escapes that can be represented";
                event.errors.add(
                    "",
                    "unreadable",
                    format!("{what}: at line {line}, column {column} of the event"),
                );
            }
        }
        event
    }
}

fn malformed(error: &serde_json::Error) -> Problem {
    // The parser's own message can quote the body.
    let what = if error.is_eof() { "ends too early" } else { "is not JSON" };
    let (line, column) = (error.line(), error.column());
    Problem::malformed_json(format!("the body {what}: at line {line}, column {column}"))
}

/// Reads the items of a list, as many as are allowed, and counts all.
struct List;

impl<'de> Visitor<'de> for List {
    type Value = (Vec<&'de RawValue>, usize);

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a list")
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<Self::Value, A::Error> {
        let mut items = Vec::new();
        while items.len() < MAX_EVENTS {
            match list.next_element()? {
                Some(item) => items.push(item),
                None => break,
            }
        }
        let mut count = items.len();
        while list.next_element::<IgnoredAny>()?.is_some() {
            count += 1;
        }
        Ok((items, count))
    }
}

/// Reads a value as it is, and notes the fields that an object has more than once: of two, one reader takes the first and
/// another the last.
struct Tree<'t> {
    /// The pointer of the place reached, as far as it is repeated.
    at: &'t mut String,
    errors: &'t mut Errors,
}

impl Tree<'_> {
    fn inside<T>(&mut self, name: &str, read: impl FnOnce(Tree<'_>) -> T) -> T {
        let length = self.at.len();
        let name = escaped(name);
        if length + name.len() < MAX_POINTER {
            self.at.push('/');
            self.at.push_str(&name);
        }
        let result = read(Tree { at: self.at, errors: self.errors });
        self.at.truncate(length);
        result
    }
}

impl<'de> DeserializeSeed<'de> for Tree<'_> {
    type Value = Value;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Value, D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Tree<'_> {
    type Value = Value;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a JSON value")
    }

    fn visit_unit<E>(self) -> Result<Value, E> {
        Ok(Value::Null)
    }

    fn visit_bool<E>(self, value: bool) -> Result<Value, E> {
        Ok(Value::Bool(value))
    }

    fn visit_i64<E>(self, value: i64) -> Result<Value, E> {
        Ok(Value::Number(value.into()))
    }

    fn visit_u64<E>(self, value: u64) -> Result<Value, E> {
        Ok(Value::Number(value.into()))
    }

    fn visit_f64<E: serde::de::Error>(self, value: f64) -> Result<Value, E> {
        Number::from_f64(value).map(Value::Number).ok_or_else(|| E::custom("not a finite number"))
    }

    fn visit_str<E>(self, value: &str) -> Result<Value, E> {
        Ok(Value::String(value.to_owned()))
    }

    fn visit_seq<A: SeqAccess<'de>>(mut self, mut list: A) -> Result<Value, A::Error> {
        let mut items = Vec::new();
        while let Some(item) = self.inside(&items.len().to_string(), |tree| list.next_element_seed(tree))? {
            items.push(item);
        }
        Ok(Value::Array(items))
    }

    fn visit_map<A: MapAccess<'de>>(mut self, mut object: A) -> Result<Value, A::Error> {
        let mut fields = Map::new();
        while let Some(name) = object.next_key::<String>()? {
            if fields.contains_key(&name) {
                object.next_value::<IgnoredAny>()?;
                self.inside(&name, |tree| {
                    tree.errors.add(tree.at, DUPLICATE, "occurs more than once in this object");
                });
            } else {
                let value = self.inside(&name, |tree| object.next_value_seed(tree))?;
                fields.insert(name, value);
            }
        }
        Ok(Value::Object(fields))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn event(text: &str) -> (Value, Vec<String>) {
        let event = Event::read(serde_json::from_str(text).unwrap());
        (
            event.value,
            event.errors.named.iter().map(|error| format!("{}:{}", error.code, error.pointer)).collect(),
        )
    }

    #[test]
    fn a_value_is_read_as_it_is() {
        let text = r#"{"a": [null, true, -1, 18446744073709551615, 1.5, "ü\u0041"], "b": {}}"#;
        assert_eq!(event(text), (serde_json::from_str(text).unwrap(), Vec::new()));
    }

    #[test]
    fn repeated_fields_are_named_at_any_depth() {
        let text = r#"{"data": {"x": [0, {"a/b": 1, "a\u002fb": 2}]}, "data": 5}"#;
        assert_eq!(event(text).1, ["duplicate-field:/data/x/1/a~1b", "duplicate-field:/data"]);
        let deep = format!(r#"{{"{}": {{"a": 0, "a": 1}}}}"#, "x".repeat(300));
        assert_eq!(event(&deep).1, ["duplicate-field:/a"], "a long name is not repeated");
    }

    #[test]
    fn what_cannot_be_represented_is_refused_with_its_event_only() {
        for text in ["1e999", r#""\ud800""#, &format!("{}{}", "[".repeat(200), "]".repeat(200))] {
            assert_eq!(event(text).1, ["unreadable:"], "{text}");
        }
        assert_eq!(event(&format!("\"{}\"", "x".repeat(MAX_EVENT_BYTES))).1, ["too-long:"]);
        let list = format!("[5, {}{}, 6]", "[".repeat(200), "]".repeat(200));
        assert!(matches!(Posted::read(list.as_bytes()), Ok(Posted::List(items)) if items.len() == 3));
    }
}
