//! Walks a JSON object and notes every field that is not as it should be, instead of stopping at the first.

use std::str::FromStr;

use contracts::InvalidValue;
use serde_json::{Map, Value};

use crate::problem::{FieldError, UNKNOWN};

/// How many wrong fields of one event are named; more are counted.
const MAX_NAMED: usize = 50;

/// The wrong fields found so far.
#[derive(Debug, Default)]
pub(crate) struct Errors {
    pub(crate) named: Vec<FieldError>,
    pub(crate) left_out: usize,
}

impl Errors {
    pub(crate) fn add(&mut self, pointer: String, code: &'static str, detail: String) {
        if self.named.len() < MAX_NAMED {
            self.named.push(FieldError { pointer, detail, code });
        } else {
            self.left_out += 1;
        }
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.named.is_empty()
    }
}

/// An object under inspection. Every field asked for is known; [`Fields::finish`] names those nobody asked for.
pub(crate) struct Fields<'a, 'e> {
    object: &'a Map<String, Value>,
    at: String,
    known: Vec<&'static str>,
    errors: &'e mut Errors,
}

impl<'a, 'e> Fields<'a, 'e> {
    /// Inspects `value`, found at the pointer `at`, if it is an object.
    pub(crate) fn of(value: &'a Value, at: String, errors: &'e mut Errors) -> Option<Self> {
        if let Value::Object(object) = value {
            return Some(Self { object, at, known: Vec::new(), errors });
        }
        errors.add(at, "wrong-type", format!("must be an object, not {}", kind_of(value)));
        None
    }

    /// The field's value if it is there.
    pub(crate) fn optional(&mut self, name: &'static str) -> Option<&'a Value> {
        self.known.push(name);
        self.object.get(name)
    }

    /// The field's value; notes an error, with what would be right, if it is missing.
    pub(crate) fn required(&mut self, name: &'static str, expected: &str) -> Option<&'a Value> {
        let value = self.optional(name);
        if value.is_none() {
            self.wrong(name, "missing", format!("is required and {expected}"));
        }
        value
    }

    /// A required text that has a form of its own.
    pub(crate) fn text<T: FromStr<Err = InvalidValue>>(&mut self, name: &'static str) -> Option<T> {
        let value = self.required(name, expected::<T>())?;
        self.parse(name, value)
    }

    /// The same if it is there.
    pub(crate) fn optional_text<T: FromStr<Err = InvalidValue>>(&mut self, name: &'static str) -> Option<T> {
        let value = self.optional(name)?;
        self.parse(name, value)
    }

    /// A field that must be a string, whatever form it has; notes an error if it is not.
    pub(crate) fn string(&mut self, name: &'static str, value: &'a Value, expected: &str) -> Option<&'a str> {
        if let Value::String(text) = value {
            return Some(text);
        }
        self.wrong(name, "wrong-type", format!("{expected}, in a string, not {}", kind_of(value)));
        None
    }

    fn parse<T: FromStr<Err = InvalidValue>>(&mut self, name: &'static str, value: &'a Value) -> Option<T> {
        let text = self.string(name, value, expected::<T>())?;
        match text.parse() {
            Ok(parsed) => Some(parsed),
            Err(InvalidValue { expected }) => {
                self.wrong(name, "wrong-value", expected.to_owned());
                None
            }
        }
    }

    /// A list of texts; every wrong item is named by its place.
    pub(crate) fn texts<T, C>(&mut self, name: &'static str, value: &Value) -> Option<C>
    where
        T: FromStr<Err = InvalidValue>,
        C: FromIterator<T>,
    {
        let Value::Array(items) = value else {
            let detail = format!("must be a list of strings, not {}", kind_of(value));
            self.wrong(name, "wrong-type", detail);
            return None;
        };
        let mut all = Some(Vec::with_capacity(items.len().min(16)));
        for (index, item) in items.iter().enumerate() {
            let parsed = match item {
                Value::String(text) => text.parse::<T>().map_err(|error| error.expected.to_owned()),
                other => Err(format!("{}, in a string, not {}", expected::<T>(), kind_of(other))),
            };
            match (parsed, &mut all) {
                (Ok(parsed), Some(all)) => all.push(parsed),
                (Ok(_), None) => {}
                (Err(detail), _) => {
                    self.errors.add(format!("{}/{index}", self.pointer(name)), "wrong-value", detail);
                    all = None;
                }
            }
        }
        all.map(C::from_iter)
    }

    /// A required object inside this one.
    pub(crate) fn object<T>(
        &mut self,
        name: &'static str,
        expected: &str,
        read: impl FnOnce(&mut Fields<'a, '_>) -> Option<T>,
    ) -> Option<T> {
        let value = self.required(name, expected)?;
        let mut fields = Fields::of(value, self.pointer(name), self.errors)?;
        let read = read(&mut fields);
        fields.finish();
        read
    }

    /// Notes that a field is wrong.
    pub(crate) fn wrong(&mut self, name: &str, code: &'static str, detail: String) {
        self.errors.add(self.pointer(name), code, detail);
    }

    /// Notes every field that was not asked for.
    pub(crate) fn finish(self) {
        for name in self.object.keys().filter(|name| !self.known.contains(&name.as_str())) {
            let detail = if self.known.is_empty() {
                "is not a field of this object, which has none; remove it".to_owned()
            } else {
                format!("is not a field of this object; it has {}", self.known.join(", "))
            };
            self.errors.add(self.pointer(name), UNKNOWN, detail);
        }
    }

    /// The JSON pointer of a field: `~` and `/` in its name are escaped.
    pub(crate) fn pointer(&self, name: &str) -> String {
        format!("{}/{}", self.at, name.replace('~', "~0").replace('/', "~1"))
    }

    /// Notes an error if none of the fields asked for so far is there.
    pub(crate) fn at_least_one(&mut self) {
        if !self.known.iter().any(|name| self.object.contains_key(*name)) {
            let detail = format!("must have at least one of {}", self.known.join(", "));
            self.errors.add(self.at.clone(), "missing", detail);
        }
    }
}

/// What a text of this type must be. No type of text takes the empty one, so its refusal says what is expected.
fn expected<T: FromStr<Err = InvalidValue>>() -> &'static str {
    "".parse::<T>().err().map_or("must be a text", |error| error.expected)
}

/// A JSON value's type in words.
pub(crate) fn kind_of(value: &Value) -> &'static str {
    match value {
        Value::Null => "null (leave an optional field out)",
        Value::Bool(_) => "true or false",
        Value::Number(_) => "a number",
        Value::String(_) => "a string",
        Value::Array(_) => "a list",
        Value::Object(_) => "an object",
    }
}
