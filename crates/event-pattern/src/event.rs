//! An event's values by their path, and whether they meet a pattern's conditions.

use std::collections::{BTreeMap, HashMap, HashSet};

use serde_json::{Map, Value};

use crate::attribute::{Attribute, AttributeValue};
use crate::compile::Alternative;
use crate::condition::{Condition, Scalar};
use crate::number::Number;

/// The paths that a pattern has conditions for.
pub(crate) type Paths<'a> = HashSet<&'a str>;

/// Which element was taken of each list, by the number of the list in the event.
type Elements = BTreeMap<usize, usize>;

/// Combinations of elements to try before an event is taken not to match: a bound on what one event can cost.
const MAX_STEPS: usize = 10_000;

#[derive(Debug)]
struct Leaf<'a> {
    value: Scalar<'a>,
    /// The elements of lists that the value is in.
    elements: Elements,
}

/// An event's values by path: names joined by dots, so that `{"a": {"b": 1}}` and `{"a.b": 1}` are the same.
#[derive(Debug, Default)]
pub(crate) struct Fields<'a>(HashMap<String, Vec<Leaf<'a>>>);

impl<'a> Fields<'a> {
    pub(crate) fn of_event(event: &'a Map<String, Value>, paths: &Paths<'_>) -> Self {
        let mut collector = Collector {
            fields: Self::default(),
            paths,
            path: String::new(),
            elements: Elements::new(),
            lists: 0,
        };
        collector.object(event);
        collector.fields
    }

    pub(crate) fn of_attributes(attributes: impl Iterator<Item = (&'a str, &'a Attribute)>) -> Self {
        let mut fields = Self::default();
        for (name, attribute) in attributes {
            for value in attribute.values() {
                let value = match value {
                    AttributeValue::Text(text) => Some(Scalar::Text(text)),
                    AttributeValue::Number(text) => Some(Scalar::Number(Number::read(text))),
                    AttributeValue::Json(value) => scalar(value),
                };
                if let Some(value) = value {
                    let leaf = Leaf { value, elements: Elements::new() };
                    fields.0.entry(name.to_owned()).or_default().push(leaf);
                }
            }
        }
        fields
    }

    /// Returns whether values can be chosen so that each condition is met, with the same element of each list for all
    /// values that are below it.
    pub(crate) fn fit(&self, alternative: &Alternative) -> bool {
        let mut conditions: Vec<(&[Leaf<'a>], &[Condition])> = Vec::with_capacity(alternative.len());
        for (path, of_path) in alternative {
            let leaves = self.0.get(&**path).map_or(&[][..], Vec::as_slice);
            let can_be_met = of_path.contains(&Condition::Absent)
                || leaves.iter().any(|leaf| of_path.iter().any(|condition| condition.accepts(leaf.value)));
            if !can_be_met {
                return false;
            }
            conditions.push((leaves, of_path));
        }
        fit(&conditions, &Elements::new(), &mut 0)
    }
}

fn fit(conditions: &[(&[Leaf<'_>], &[Condition])], taken: &Elements, steps: &mut usize) -> bool {
    let Some(((leaves, conditions), rest)) = conditions.split_first() else { return true };
    *steps += 1;
    if *steps > MAX_STEPS {
        return false;
    }
    let mut tried = HashSet::new();
    let mut present = false;
    for leaf in *leaves {
        let Some(together) = merge(taken, &leaf.elements) else { continue };
        present = true;
        if conditions.iter().any(|condition| condition.accepts(leaf.value))
            && tried.insert(together.clone())
            && fit(rest, &together, steps)
        {
            return true;
        }
    }
    !present && conditions.contains(&Condition::Absent) && fit(rest, taken, steps)
}

/// Returns the elements of both, or `None` if they are different elements of the same list.
fn merge(taken: &Elements, more: &Elements) -> Option<Elements> {
    let mut together = taken.clone();
    for (list, element) in more {
        if together.insert(*list, *element).is_some_and(|other| other != *element) {
            return None;
        }
    }
    Some(together)
}

fn scalar(value: &Value) -> Option<Scalar<'_>> {
    Some(match value {
        Value::String(text) => Scalar::Text(text),
        Value::Number(number) => Scalar::Number(Number::read(&number.to_string())),
        Value::Bool(value) => Scalar::Bool(*value),
        Value::Null => Scalar::Null,
        Value::Array(_) | Value::Object(_) => return None,
    })
}

struct Collector<'a, 'p> {
    fields: Fields<'a>,
    paths: &'p Paths<'p>,
    path: String,
    elements: Elements,
    lists: usize,
}

impl<'a> Collector<'a, '_> {
    fn object(&mut self, object: &'a Map<String, Value>) {
        for (name, value) in object {
            let length = self.path.len();
            if !self.path.is_empty() {
                self.path.push('.');
            }
            self.path.push_str(name);
            if self.may_be_wanted() {
                self.value(value);
            }
            self.path.truncate(length);
        }
    }

    /// Returns whether the pattern has conditions for the current path or for one below it.
    fn may_be_wanted(&self) -> bool {
        // Below an empty name at the top, paths begin anew.
        self.path.is_empty()
            || self.paths.iter().any(|path| {
                path.strip_prefix(&*self.path).is_some_and(|rest| rest.is_empty() || rest.starts_with('.'))
            })
    }

    fn value(&mut self, value: &'a Value) {
        match value {
            Value::Object(object) => self.object(object),
            Value::Array(values) => self.list(values),
            scalar => self.leaf(scalar),
        }
    }

    /// A string, number or other plain value is no element in this sense: it does not tie other values down.
    fn list(&mut self, values: &'a [Value]) {
        let list = self.lists;
        self.lists += 1;
        for (index, value) in values.iter().enumerate() {
            if value.is_object() || value.is_array() {
                self.elements.insert(list, index);
                self.value(value);
                self.elements.remove(&list);
            } else {
                self.leaf(value);
            }
        }
    }

    fn leaf(&mut self, value: &'a Value) {
        if let Some(value) = scalar(value)
            && self.paths.contains(self.path.as_str())
        {
            let leaf = Leaf { value, elements: self.elements.clone() };
            self.fields.0.entry(self.path.clone()).or_default().push(leaf);
        }
    }
}
