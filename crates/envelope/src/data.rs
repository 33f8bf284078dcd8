//! Encoding and decoding of an event's data, with errors that never quote it.

use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::value::RawValue;
use thiserror::Error;

/// An event that could not be written as JSON.
#[derive(Debug, Error)]
#[error("event {event_type} cannot be written as JSON")]
pub struct EncodeError {
    event_type: &'static str,
}

/// Data that does not fit its event type. Messages name the place and never quote a value.
#[derive(Debug, Error, PartialEq, Eq)]
pub enum DecodeError {
    /// The envelope holds an event of another type.
    #[error("expected an event of type {expected}, found {found}")]
    OtherType {
        /// The type requested.
        expected: &'static str,
        /// The type in the envelope.
        found: String,
    },
    /// The producer is ahead of this consumer.
    #[error("{event_type} has schema version {found}, this consumer knows versions up to {known}")]
    NewerSchema {
        /// The event type.
        event_type: &'static str,
        /// The newest version known here.
        known: u32,
        /// The version in the envelope.
        found: u32,
    },
    /// The data has another shape.
    #[error("data of {event_type} does not have its shape at {path}")]
    Shape {
        /// The event type.
        event_type: &'static str,
        /// The path of the first place that is wrong, such as `name.given`; `.` is the whole.
        path: String,
    },
}

pub(crate) fn encode(event_type: &'static str, event: &impl Serialize) -> Result<Box<RawValue>, EncodeError> {
    serde_json::value::to_raw_value(event).map_err(|_| EncodeError { event_type })
}

/// Reads data. The place of what is wrong is looked for only if something is: keeping track of it takes as long as reading.
pub(crate) fn decode<T: DeserializeOwned>(event_type: &'static str, json: &str) -> Result<T, DecodeError> {
    if let Ok(data) = serde_json::from_str(json) {
        return Ok(data);
    }
    let mut deserializer = serde_json::Deserializer::from_str(json);
    serde_path_to_error::deserialize(&mut deserializer)
        .map_err(|error| DecodeError::Shape { event_type, path: error.path().to_string() })
}

/// Writes a value of this crate's own types, whose keys are strings and whose numbers are finite.
pub(crate) fn write<T: Serialize>(value: &T) -> String {
    serde_json::to_string(value).unwrap_or_default()
}
