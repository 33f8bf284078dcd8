//! From JSON that somebody sent to an event that may be published.

mod walk;

use contracts::CustomerNumber;
use envelope::{Envelope, Metadata};
use jiff::Timestamp;
use serde_json::{Number, Value};
use uuid::Uuid;

use self::walk::{Walk, kind_of};
use crate::errors::Errors;
use crate::problem::{FUTURE, Problem};
use crate::reading::Event;
use crate::schema::{
    AcceptedType, CUSTOMER_NUMBER, Schemas, Shape, UnsupportedSchema, parse_event_id, parse_occurred_at,
};

/// A refused event, with what could be read of it. Only the number is personal data.
#[derive(Debug)]
pub(crate) struct Rejected {
    pub(crate) problem: Problem,
    pub(crate) event_type: Option<&'static str>,
    pub(crate) event_id: Option<Uuid>,
    pub(crate) customer_number: Option<CustomerNumber>,
}

/// What an event gets that does not have it.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Defaults {
    pub(crate) event_id: Uuid,
    pub(crate) occurred_at: Timestamp,
}

/// Checks posted events against the schemas of their types.
#[derive(Debug)]
pub(crate) struct Validator {
    types: Vec<(AcceptedType, Shape)>,
    /// For an event whose type is wrong: the rest of it is checked nevertheless.
    untyped: Shape,
    /// What `type` must be, in words.
    expected_type: String,
}

impl Validator {
    /// Compiles the schemas.
    ///
    /// # Errors
    /// [`UnsupportedSchema`] if an event type has a rule that could not be enforced.
    pub(crate) fn new(schemas: &Schemas) -> Result<Self, UnsupportedSchema> {
        let types = schemas.types.iter().map(|event_type| Ok((*event_type, schemas.shape(event_type.name)?)));
        let names: Vec<_> = schemas.types.iter().map(|event_type| event_type.name).collect();
        Ok(Self {
            types: types.collect::<Result<_, _>>()?,
            untyped: schemas.untyped_shape()?,
            expected_type: format!("must be one of {}", names.join(", ")),
        })
    }

    /// Makes the event that `event` describes, or names every field that is wrong.
    pub(crate) fn read(
        &self,
        event: &Event,
        now: Timestamp,
        defaults: Defaults,
    ) -> Result<Envelope, Box<Rejected>> {
        let value = &event.value;
        let mut errors = event.errors.clone();
        let event_type = self.event_type(value, &mut errors);
        let shape = event_type.map_or(&self.untyped, |(_, shape)| shape);
        if value.is_object() {
            Walk::new(&mut errors).check(shape, value);
        } else if errors.is_empty() {
            errors.add("", "wrong-type", format!("must be an object, not {}", kind_of(value)));
        }
        let found = Found::in_event(value, now, &mut errors);
        let problem = if errors.is_empty() {
            match event_type.and_then(|(event_type, _)| found.envelope(event_type, value, now, defaults)) {
                Some(envelope) => return Ok(envelope),
                // The type refuses what its schema takes: a defect here, not of the caller's event.
                None => Problem::internal(),
            }
        } else if errors.named.iter().all(|error| error.code == FUTURE) {
            Problem::future(errors.named)
        } else {
            Problem::invalid(errors.named, errors.left_out)
        };
        Err(Box::new(Rejected {
            problem,
            event_type: event_type.map(|(event_type, _)| event_type.name),
            event_id: found.event_id,
            customer_number: found.customer_number,
        }))
    }

    fn event_type(&self, event: &Value, errors: &mut Errors) -> Option<&(AcceptedType, Shape)> {
        let Value::Object(fields) = event else { return None };
        let expected = &self.expected_type;
        match fields.get("type") {
            Some(Value::String(name)) => {
                let known = self.types.iter().find(|(event_type, _)| event_type.name == name);
                if known.is_none() {
                    errors.add("/type", "unknown-type", expected.clone());
                }
                known
            }
            Some(other) => {
                errors.add("/type", "wrong-type", format!("{expected}, in a string, not {}", kind_of(other)));
                None
            }
            None => {
                errors.add("/type", "missing", format!("is required and {expected}"));
                None
            }
        }
    }
}

/// What is right in an event, whatever else is wrong.
#[derive(Debug)]
struct Found {
    event_id: Option<Uuid>,
    occurred_at: Option<Timestamp>,
    customer_number: Option<CustomerNumber>,
}

impl Found {
    fn in_event(event: &Value, now: Timestamp, errors: &mut Errors) -> Self {
        let text = |name: &str| event.get(name).and_then(Value::as_str);
        let right = |pointer: &str| !errors.concern(pointer);
        let event_id = text("event_id").filter(|_| right("/event_id")).and_then(parse_event_id);
        let occurred_at = text("occurred_at").filter(|_| right("/occurred_at")).and_then(parse_occurred_at);
        let customer_number = text(CUSTOMER_NUMBER).and_then(|number| number.parse().ok());
        // What a schema cannot say.
        if occurred_at.is_some_and(|occurred_at| occurred_at.duration_since(now) > contracts::CLOCK_TOLERANCE)
        {
            let detail = "must not be more than five minutes in the future; check the sender's clock";
            errors.add("/occurred_at", FUTURE, detail);
        }
        Self { event_id, occurred_at, customer_number }
    }

    /// Makes the envelope of an event without errors.
    fn envelope(
        &self,
        event_type: &AcceptedType,
        event: &Value,
        now: Timestamp,
        defaults: Defaults,
    ) -> Option<Envelope> {
        let mut data = event.get("data").and_then(Value::as_object).cloned().unwrap_or_default();
        data.values_mut().for_each(write_whole_numbers);
        data.insert(CUSTOMER_NUMBER.to_owned(), event.get(CUSTOMER_NUMBER)?.clone());
        let event_id = self.event_id.unwrap_or(defaults.event_id);
        let occurred_at = self.occurred_at.unwrap_or(defaults.occurred_at);
        (event_type.envelope)(Metadata::first(event_id, occurred_at, now), data)
    }
}

/// Writes `21.0` as `21`, which consumers read.
fn write_whole_numbers(value: &mut Value) {
    match value {
        Value::Number(number) if number.is_f64() => {
            if let Some(whole) = walk::whole(number).and_then(Number::from_i128) {
                *number = whole;
            }
        }
        Value::Array(items) => items.iter_mut().for_each(write_whole_numbers),
        Value::Object(fields) => fields.values_mut().for_each(write_whole_numbers),
        _ => {}
    }
}

#[cfg(test)]
mod tests;
