//! Checks a value against a shape and notes everything that is wrong, instead of stopping at the first.

use contracts::{CurrencyCode, EmailAddress};
use serde_json::{Map, Number, Value};

use crate::errors::{Errors, escaped};
use crate::problem::UNKNOWN;
use crate::schema::{Format, Object, Shape, Text, parse_event_id, parse_occurred_at};

/// The longest name of an unknown field that is repeated, in characters.
const MAX_NAME: usize = 100;

/// Walks a value, with the pointer of the place reached.
pub(crate) struct Walk<'e> {
    at: String,
    errors: &'e mut Errors,
}

impl<'e> Walk<'e> {
    pub(crate) fn new(errors: &'e mut Errors) -> Self {
        Self { at: String::new(), errors }
    }

    /// Checks the value at the place reached.
    pub(crate) fn check(&mut self, shape: &Shape, value: &Value) {
        match (shape, value) {
            (Shape::Anything, _) | (Shape::Boolean, Value::Bool(_)) => {}
            (Shape::Object(object), Value::Object(fields)) => self.object(object, fields),
            (Shape::List(list), Value::Array(items)) => {
                if !(list.min_items..=list.max_items).contains(&items.len()) {
                    // Its items are left alone: there may be any number of them.
                    self.wrong(
                        "wrong-value",
                        format!("{}, of {}", expected(shape), count(list.min_items, list.max_items)),
                    );
                    return;
                }
                for (index, item) in items.iter().enumerate() {
                    if list.unique && items[..index].contains(item) {
                        self.inside(&index.to_string(), |walk| {
                            walk.wrong("repeated", "occurs more than once in this list");
                        });
                        continue;
                    }
                    self.inside(&index.to_string(), |walk| walk.check(&list.items, item));
                }
            }
            (Shape::Text(text), Value::String(value)) => {
                if !matches(text, value) {
                    self.wrong("wrong-value", expected(shape));
                }
            }
            (Shape::Choice(choices), Value::String(value)) => {
                if !choices.contains(value) {
                    self.wrong("wrong-value", expected(shape));
                }
            }
            (Shape::Integer { minimum, maximum }, Value::Number(number)) => {
                let right = whole(number).is_some_and(|number| {
                    minimum.is_none_or(|minimum| minimum <= number)
                        && maximum.is_none_or(|maximum| number <= maximum)
                });
                if !right {
                    self.wrong("wrong-value", expected(shape));
                }
            }
            (Shape::Text(_) | Shape::Choice(_), other) => {
                self.wrong("wrong-type", format!("{}, in a string, not {}", expected(shape), kind_of(other)));
            }
            (_, other) => self.wrong("wrong-type", format!("{}, not {}", expected(shape), kind_of(other))),
        }
    }

    fn object(&mut self, object: &Object, fields: &Map<String, Value>) {
        let mut present = 0;
        for field in &object.fields {
            match fields.get(&field.name) {
                Some(value) => {
                    present += 1;
                    self.inside(&field.name, |walk| walk.check(&field.shape, value));
                }
                None if field.required => self.inside(&field.name, |walk| {
                    walk.wrong("missing", format!("is required and {}", expected(&field.shape)));
                }),
                None => {}
            }
        }
        if present < object.at_least {
            self.wrong("missing", format!("must have at least {}", at_least(object)));
        }
        if present > object.at_most {
            self.wrong("too-many", format!("must have only {}", at_most(object)));
        }
        let known = |name: &str| object.fields.iter().any(|field| field.name == name);
        for name in fields.keys().filter(|name| !known(name)) {
            let detail = if object.fields.is_empty() {
                "is not a field of this object, which has none; remove it".to_owned()
            } else {
                format!("is not a field of this object; it has {}", names(object, |_| true, ", "))
            };
            let shown: String = name.chars().take(MAX_NAME).collect();
            self.inside(&shown, |walk| walk.wrong(UNKNOWN, detail));
        }
    }

    /// Goes into a field or an item and back: `~` and `/` in a name are escaped in the pointer.
    fn inside(&mut self, name: &str, walk: impl FnOnce(&mut Self)) {
        let length = self.at.len();
        self.at.push('/');
        self.at.push_str(&escaped(name));
        walk(self);
        self.at.truncate(length);
    }

    fn wrong(&mut self, code: &'static str, detail: impl Into<String>) {
        self.errors.add(&self.at, code, detail);
    }
}

/// The greatest whole number up to which a double is exact.
const EXACT: f64 = 9_007_199_254_740_992.0;

/// Returns the whole number that a JSON number is. `21.0` is one, as JSON Schema has it
/// ([6.1.1](https://json-schema.org/draft/2020-12/json-schema-validation#section-6.1.1)).
pub(crate) fn whole(number: &Number) -> Option<i128> {
    let exact = |number: &f64| number.fract() == 0.0 && number.abs() <= EXACT;
    number.as_i128().or_else(|| format!("{:.0}", number.as_f64().filter(exact)?).parse().ok())
}

/// Checks a text. The length comes first, so that nothing else runs over a long text.
fn matches(text: &Text, value: &str) -> bool {
    (text.min_length..=text.max_length).contains(&value.chars().count())
        && text.pattern.as_ref().is_none_or(|pattern| pattern.is_match(value))
        && text.except.as_deref() != Some(value)
        && match text.format {
            Some(Format::Uuid) => parse_event_id(value).is_some(),
            Some(Format::DateTime) => parse_occurred_at(value).is_some(),
            Some(Format::Email) => value.parse::<EmailAddress>().is_ok(),
            Some(Format::Currency) => value.parse::<CurrencyCode>().is_ok(),
            None => true,
        }
}

/// What a value of this shape must be, in words.
fn expected(shape: &Shape) -> String {
    match shape {
        Shape::Anything => "can be anything".to_owned(),
        Shape::Object(object) if object.fields.iter().any(|field| field.required) => {
            format!("must be an object with {}", names(object, |required| required, " and "))
        }
        Shape::Object(object) if object.at_least > 0 && object.at_least == object.at_most => {
            format!("must be an object with {}", at_least(object))
        }
        Shape::Object(object) if object.at_least > 0 => {
            format!("must be an object with at least {}", at_least(object))
        }
        Shape::Object(_) => "must be an object".to_owned(),
        Shape::List(list) => list.expected.clone().unwrap_or_else(|| "must be a list".to_owned()),
        Shape::Text(text) => match (&text.expected, text.format) {
            (Some(expected), _) => expected.clone(),
            (None, Some(Format::Uuid)) => "must be a UUID with hyphens".to_owned(),
            (None, Some(Format::DateTime)) => "must be an RFC 3339 timestamp".to_owned(),
            (None, Some(Format::Email)) => "must be an e-mail address".to_owned(),
            (None, Some(Format::Currency)) => "must be a currency code of ISO 4217".to_owned(),
            (None, None) if text.pattern.is_some() => "must be a text of the documented form".to_owned(),
            (None, None) => {
                format!("must be a text of {} characters", range(text.min_length, text.max_length))
            }
        },
        Shape::Choice(choices) => {
            let quoted: Vec<_> = choices.iter().map(|choice| format!("\"{choice}\"")).collect();
            format!("must be {}", enumerated(&quoted, " or "))
        }
        Shape::Integer { minimum, maximum } => {
            let bound = |word: &str, bound: &Option<i128>| bound.map(|bound| format!(" {word} {bound}"));
            let bounds = [bound("from", minimum), bound("to", maximum)].into_iter().flatten();
            format!("must be a whole number{}", bounds.collect::<String>())
        }
        Shape::Boolean => "must be true or false".to_owned(),
    }
}

fn at_least(object: &Object) -> String {
    some_of(object, object.at_least)
}

fn at_most(object: &Object) -> String {
    some_of(object, object.at_most)
}

fn some_of(object: &Object, number: usize) -> String {
    let number = if number == 1 { "one".to_owned() } else { number.to_string() };
    format!("{number} of {}", names(object, |_| true, ", "))
}

/// The names of the fields for which `pick`, called with whether the field is required, holds.
fn names(object: &Object, pick: impl Fn(bool) -> bool, last: &str) -> String {
    let names: Vec<_> =
        object.fields.iter().filter(|field| pick(field.required)).map(|field| field.name.clone()).collect();
    enumerated(&names, last)
}

fn enumerated(words: &[String], last: &str) -> String {
    match words {
        [first @ .., end] if !first.is_empty() => format!("{}{last}{end}", first.join(", ")),
        _ => words.concat(),
    }
}

fn count(least: usize, most: usize) -> String {
    format!("{} items", range(least, most))
}

fn range(least: usize, most: usize) -> String {
    match (least, most) {
        (0, usize::MAX) => "any number of".to_owned(),
        (0, most) => format!("at most {most}"),
        (least, usize::MAX) => format!("at least {least}"),
        (least, most) => format!("{least} to {most}"),
    }
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
