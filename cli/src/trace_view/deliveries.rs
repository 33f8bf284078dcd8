//! Deliveries of one message: which of them its service began and never finished.

use serde_json::Value;
use telemetry::attributes;
use xray::{Segment, Trace};

/// Returns the attempt of a segment that will never end: it is in progress, and the same message was delivered again
/// since. So the process that had it was killed.
pub(super) fn never_finished(trace: &Trace, segment: &Segment) -> Option<String> {
    let message = message(segment).filter(|_| segment.is_in_progress())?;
    let again = trace.nodes().map(xray::Node::segment).any(|other| {
        other.name == segment.name
            && other.start_time > segment.start_time
            && self::message(other) == Some(message)
    });
    let attempt = segment.annotations.get(attributes::ATTEMPT).map_or("1".to_owned(), ToString::to_string);
    again.then_some(attempt)
}

/// Returns SQS's id of the message, which all its deliveries have in common.
fn message(segment: &Segment) -> Option<&str> {
    metadata(segment, "messaging.message.id")
}

/// Returns a span attribute for which X-Ray has no field.
pub(super) fn metadata<'a>(segment: &'a Segment, name: &str) -> Option<&'a str> {
    segment.metadata.get("default").and_then(|default| default.get(name)).and_then(Value::as_str)
}
