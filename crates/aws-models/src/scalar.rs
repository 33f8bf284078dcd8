//! Scalars as text: forms, paths and query strings carry nothing else.

use jiff::Timestamp;
use serde_json::Value;

use crate::model::Kind;

/// Reads a text as a scalar of this kind. Any other text stays a string, which the check then reports.
pub(crate) fn read(kind: &Kind, text: String) -> Value {
    let read = match kind {
        Kind::Integer => text.parse::<i64>().ok().map(Value::from),
        Kind::Number => text.parse::<f64>().ok().map(Value::from),
        Kind::Boolean => text.parse::<bool>().ok().map(Value::from),
        Kind::Timestamp => text.parse::<Timestamp>().ok().map(|time| Value::from(time.as_second())),
        _ => None,
    };
    read.unwrap_or(Value::String(text))
}

/// Writes a scalar as XML shows it. Timestamps are written as dates.
pub(crate) fn write(kind: &Kind, value: &Value) -> String {
    match (kind, value) {
        (Kind::Timestamp, Value::Number(seconds)) => seconds
            .as_f64()
            .and_then(|seconds| Timestamp::from_millisecond(milliseconds(seconds)).ok())
            .map_or_else(|| value.to_string(), |time| format!("{time:.3}")),
        (_, Value::String(text)) => text.clone(),
        (_, other) => other.to_string(),
    }
}

/// Reads a time as HTTP's headers write it (RFC 9110, 5.6.7), or in RFC 3339.
pub(crate) fn read_header_time(text: &str) -> Option<Value> {
    let rfc_2822 = || Some(jiff::fmt::rfc2822::parse(text).ok()?.timestamp());
    let time = text.parse::<Timestamp>().ok().or_else(rfc_2822)?;
    Some(time.as_second().into())
}

/// Writes a scalar as a header shows it: timestamps as HTTP's dates.
pub(crate) fn write_header(kind: &Kind, value: &Value) -> String {
    match (kind, value) {
        (Kind::Timestamp, Value::Number(seconds)) => seconds
            .as_i64()
            .and_then(|seconds| Timestamp::from_second(seconds).ok())
            .map_or_else(|| value.to_string(), |time| time.strftime("%a, %d %b %Y %H:%M:%S GMT").to_string()),
        _ => write(kind, value),
    }
}

#[expect(
    clippy::cast_possible_truncation,
    reason = "a float out of range saturates, and is then no timestamp"
)]
fn milliseconds(seconds: f64) -> i64 {
    (seconds * 1000.0).round() as i64
}
