//! Deliveries of one message: which of them its service began and never finished.

use serde_json::Value;
use telemetry::attributes;
use xray::{Node, Segment, Trace};

/// Returns the attempt of a segment that will never end: it is in progress, and the same message was delivered again
/// since. So the process that had it was killed.
pub(super) fn never_finished(trace: &Trace, segment: &Segment) -> Option<String> {
    let never = segment.is_in_progress() && is_followed(trace, segment);
    let attempt = || segment.annotations.get(attributes::ATTEMPT).map_or("1".to_owned(), ToString::to_string);
    never.then(attempt)
}

/// Whether the same message was delivered to the same service again.
pub(super) fn is_followed(trace: &Trace, segment: &Segment) -> bool {
    let message = message(segment);
    message.is_some()
        && trace.nodes().map(Node::segment).any(|other| {
            other.name == segment.name
                && other.start_time > segment.start_time
                && self::message(other) == message
        })
}

/// Returns SQS's id of the message, which all its deliveries have in common.
fn message(segment: &Segment) -> Option<&str> {
    text(segment, "messaging.message.id")
}

/// Returns a span attribute for which X-Ray has no field, if it is a text.
pub(super) fn text<'a>(segment: &'a Segment, name: &str) -> Option<&'a str> {
    attribute(segment, name).and_then(Value::as_str)
}

/// Returns a span attribute for which X-Ray has no field.
pub(super) fn attribute<'a>(segment: &'a Segment, name: &str) -> Option<&'a Value> {
    segment.metadata.get("default")?.get(name)
}
