//! Whether a span is anomalous.

use std::time::Duration;

use opentelemetry::Value;
use opentelemetry::trace::Status;
use opentelemetry_sdk::trace::SpanData;
use opentelemetry_semantic_conventions::attribute;
use regex_lite::Regex;

/// The attribute with which AWS's distributions name the operation of a span.
const LOCAL_OPERATION: &str = "aws.local.operation";

/// The first status that is a fault.
const FAULT: u16 = 500;

/// A condition under which a span is anomalous. All parts that are there must hold.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Condition {
    /// What the HTTP status matches.
    pub(super) status: Option<Pattern>,
    /// The operations to which the condition applies, if not to all.
    pub(super) operations: Option<Vec<String>>,
    /// The duration that the span exceeds.
    pub(super) slower_than: Option<Duration>,
}

/// A regular expression, equal to another with the same text.
#[derive(Clone, Debug)]
pub(super) struct Pattern(Regex);

impl Pattern {
    pub(super) fn new(pattern: &str) -> Result<Self, regex_lite::Error> {
        Ok(Self(Regex::new(pattern)?))
    }
}

impl PartialEq for Pattern {
    fn eq(&self, other: &Self) -> bool {
        self.0.as_str() == other.0.as_str()
    }
}

impl Condition {
    fn holds(&self, span: &SpanData) -> bool {
        let status_matches =
            |pattern: &Pattern| status(span).is_some_and(|status| pattern.0.is_match(&status.to_string()));
        self.operations.as_ref().is_none_or(|operations| operations.contains(&operation(span)))
            && self.status.as_ref().is_none_or(status_matches)
            && self.slower_than.is_none_or(|limit| duration(span) > limit)
    }
}

/// Returns whether one of the conditions holds. Without conditions, a fault is anomalous: an HTTP status of 500 or more, or
/// an error where there is no status.
pub(super) fn is_anomalous(span: &SpanData, conditions: Option<&[Condition]>) -> bool {
    match (conditions, status(span)) {
        (Some(conditions), _) => conditions.iter().any(|condition| condition.holds(span)),
        (None, Some(status)) => status >= FAULT,
        (None, None) => matches!(span.status, Status::Error { .. }),
    }
}

fn value<'a>(span: &'a SpanData, key: &str) -> Option<&'a Value> {
    span.attributes.iter().rev().find(|pair| pair.key.as_str() == key).map(|pair| &pair.value)
}

fn status(span: &SpanData) -> Option<u16> {
    match value(span, attribute::HTTP_RESPONSE_STATUS_CODE)? {
        Value::I64(status) => u16::try_from(*status).ok(),
        other => other.as_str().parse().ok(),
    }
}

fn duration(span: &SpanData) -> Duration {
    // Not a duration if the clock was set back meanwhile.
    span.end_time.duration_since(span.start_time).unwrap_or_default()
}

/// Returns the method and the first part of the path of a request, and of anything else the span's name.
fn operation(span: &SpanData) -> String {
    let text = |key| value(span, key).map(Value::as_str);
    if let Some(operation) = text(LOCAL_OPERATION) {
        return operation.into_owned();
    }
    match (text(attribute::HTTP_REQUEST_METHOD), text(attribute::URL_PATH)) {
        (Some(method), Some(path)) => {
            format!("{method} /{}", path.split('/').nth(1).unwrap_or_default())
        }
        _ => span.name.clone().into_owned(),
    }
}

#[cfg(test)]
mod tests {
    use std::time::{Duration, SystemTime};

    use opentelemetry::KeyValue;
    use opentelemetry::trace::Status;
    use opentelemetry_sdk::trace::SpanData;

    use super::is_anomalous;
    use crate::adaptive::AdaptiveSampling;
    use crate::tests::support::finished;

    fn span(status: Option<i64>, error: bool, path: &str, milliseconds: u64) -> SpanData {
        let mut span = finished("request", 1, 0);
        span.attributes.extend(status.map(|status| KeyValue::new("http.response.status_code", status)));
        span.attributes.push(KeyValue::new("http.request.method", "POST"));
        span.attributes.push(KeyValue::new("url.path", path.to_owned()));
        span.end_time = span.start_time + Duration::from_millis(milliseconds);
        if error {
            span.status = Status::error("broken");
        }
        span
    }

    #[test]
    fn by_default_a_fault_is_anomalous_and_an_error_without_a_status() {
        let anomalous = |status, error| is_anomalous(&span(status, error, "/v1/events", 60_000), None);
        assert!(anomalous(Some(500), false) && anomalous(Some(503), true) && anomalous(None, true));
        assert!(!anomalous(Some(499), true) && !anomalous(Some(202), false) && !anomalous(None, false));
    }

    #[test]
    fn all_parts_of_one_condition_must_hold() {
        let config: AdaptiveSampling = r#"
version: 1.0
anomalyConditions:
  - {errorCodeRegex: "^5\\d\\d$", highLatencyMs: 300}
  - {operations: ["POST /v1", "sweep vouchers"], highLatencyMs: 1000}
  - {errorCodeRegex: "^429$"}
"#
        .parse()
        .unwrap();
        let anomalous = |span: &SpanData| is_anomalous(span, config.for_capture.as_deref());
        assert!(anomalous(&span(Some(500), false, "/", 301)));
        assert!(!anomalous(&span(Some(500), false, "/", 300)));
        assert!(!anomalous(&span(Some(200), false, "/", 301)));
        assert!(anomalous(&span(Some(200), false, "/v1/events", 1_001)));
        assert!(!anomalous(&span(Some(200), false, "/v2/events", 1_001)));
        assert!(anomalous(&span(Some(429), false, "/v2/events", 1)));
        assert!(!anomalous(&span(None, true, "/v2/events", 1)), "conditions replace the default");
    }

    #[test]
    fn an_operation_is_named_by_aws_attribute_else_by_the_request_else_by_the_span() {
        let condition = "{version: 1.0, anomalyConditions: [{highLatencyMs: 0, operations: [sweep, named]}]}";
        let config: AdaptiveSampling = condition.parse().unwrap();
        let anomalous = |span: &SpanData| is_anomalous(span, config.for_capture.as_deref());
        let mut sweep = finished("sweep", 1, 0);
        sweep.end_time = SystemTime::now();
        assert!(anomalous(&sweep));
        let mut request = span(None, false, "/v1", 1);
        assert!(!anomalous(&request));
        request.attributes.push(KeyValue::new("aws.local.operation", "named"));
        assert!(anomalous(&request));
    }

    #[test]
    fn a_clock_that_was_set_back_makes_nothing_slow() {
        let config: AdaptiveSampling =
            "{version: 1.0, anomalyConditions: [{highLatencyMs: 1}]}".parse().unwrap();
        let mut span = span(None, false, "/", 0);
        span.end_time = span.start_time - Duration::from_secs(1);
        assert!(!is_anomalous(&span, config.for_capture.as_deref()));
    }
}
