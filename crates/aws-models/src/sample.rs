//! Inputs made up from the model, for those who test a server.

use serde_json::{Map, Value};

use crate::model::{Kind, Member, Model, Shape};

/// The deepest nesting of a sample, so that recursive shapes end.
const MAX_DEPTH: usize = 7;

/// Decides what a sample contains.
pub trait Choices {
    /// Returns a number from 0 up to, but without, `limit`.
    fn below(&mut self, limit: usize) -> usize;
    /// Returns a text for a member, or for the keys or items of one.
    fn text(&mut self, member: &str) -> String;
    /// Returns an integer for a member.
    fn integer(&mut self, member: &str) -> i64;
}

impl Model {
    /// Returns an input of an operation: its required members, about half of the others, and values of the right types
    /// that need not satisfy any constraint.
    pub fn sample(&self, operation: &str, choices: &mut impl Choices) -> Value {
        match self.input(operation) {
            Some(shape) => self.sampled(shape, operation, choices, 0),
            None => Value::Object(Map::new()),
        }
    }

    fn sampled(&self, shape: &Shape, name: &str, choices: &mut impl Choices, depth: usize) -> Value {
        match &shape.kind {
            Kind::Structure => self.structure_sample(shape, choices, depth),
            Kind::List => {
                let count = if depth < MAX_DEPTH { choices.below(4) } else { 0 };
                (0..count).map(|_| self.of_member(shape.item.as_ref(), name, choices, depth)).collect()
            }
            Kind::Map => {
                let count = if depth < MAX_DEPTH { choices.below(4) } else { 0 };
                let mut entries = Map::new();
                for _ in 0..count {
                    let key = match self.of_member(shape.key.as_ref(), name, choices, depth) {
                        Value::String(key) => key,
                        other => other.to_string(),
                    };
                    entries.insert(key, self.of_member(shape.value.as_ref(), name, choices, depth));
                }
                Value::Object(entries)
            }
            Kind::String | Kind::Document => {
                let from_model = !shape.values.is_empty() && choices.below(8) > 0;
                let text = if from_model {
                    shape.values[choices.below(shape.values.len())].clone()
                } else {
                    choices.text(name)
                };
                Value::String(text)
            }
            Kind::Integer | Kind::Number | Kind::Timestamp => choices.integer(name).into(),
            Kind::Boolean => (choices.below(2) == 1).into(),
            Kind::Blob => ["", "AA==", "aGVsbG8="][choices.below(3)].into(),
        }
    }

    fn structure_sample(&self, shape: &Shape, choices: &mut impl Choices, depth: usize) -> Value {
        let only = shape.union.then(|| choices.below(shape.members.0.len().max(1)));
        let mut members = Map::new();
        for (index, (name, member)) in shape.members.0.iter().enumerate() {
            let wanted = match only {
                Some(only) => only == index,
                None if shape.required.contains(name) => true,
                None => depth < MAX_DEPTH && choices.below(2) == 1,
            };
            if wanted {
                members.insert(name.clone(), self.of_member(Some(member), name, choices, depth));
            }
        }
        Value::Object(members)
    }

    fn of_member(
        &self,
        member: Option<&Member>,
        name: &str,
        choices: &mut impl Choices,
        depth: usize,
    ) -> Value {
        let shape = member.and_then(|member| self.shape(member));
        shape.map_or(Value::Null, |shape| self.sampled(shape, name, choices, depth + 1))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Refusal, Service};

    /// Takes every choice in turn.
    struct InTurn(usize);

    impl Choices for InTurn {
        fn below(&mut self, limit: usize) -> usize {
            self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
            (self.0 >> 33) % limit
        }

        fn text(&mut self, _: &str) -> String {
            "a".repeat(self.below(3))
        }

        fn integer(&mut self, _: &str) -> i64 {
            i64::try_from(self.below(100)).unwrap_or_default()
        }
    }

    #[test]
    fn samples_have_the_types_of_the_model() {
        let mut choices = InTurn(7);
        for service in [Service::DynamoDb, Service::Events, Service::Sns, Service::Sqs, Service::Pipes] {
            let model = Model::of(service).unwrap();
            for operation in model.operations.keys() {
                for _ in 0..20 {
                    let input = model.sample(operation, &mut choices);
                    if let Err(refusal @ Refusal::Mistyped { .. }) = model.check(operation, &input) {
                        panic!("{operation}: {refusal}: {input}");
                    }
                }
            }
        }
    }
}
