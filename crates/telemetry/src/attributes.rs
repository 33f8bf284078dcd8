//! Attribute names that the OpenTelemetry semantic conventions lack, each defined here once, and annotations.

use opentelemetry::{Array, StringValue, Value};
use tracing::Span;
use tracing_opentelemetry::OpenTelemetrySpanExt as _;

/// The name of the remote service. On a CONSUMER span it makes the X-Ray exporter name the segment after the service
/// instead of after the span
/// (<https://github.com/open-telemetry/opentelemetry-collector-contrib/tree/main/exporter/awsxrayexporter>).
pub const AWS_REMOTE_SERVICE: &str = "aws.remote.service";

/// The list of attribute keys that the X-Ray exporter indexes as annotations of this segment.
pub const AWS_XRAY_ANNOTATIONS: &str = "aws.xray.annotations";

/// Marks the copy of a span that has not ended. X-Ray replaces it by the span, which has the same id.
pub const AWS_XRAY_IN_PROGRESS: &str = "aws.xray.inprogress";

/// When a span began whose process could not say so itself, in nanoseconds since the epoch. Replaces the start of the span
/// that has it, and does not leave the process.
pub const BEGAN_AT_UNIX_NANO: &str = "began_at_unix_nano";

/// The region of an AWS call; on a span, the X-Ray exporter reads this name and not `cloud.region`.
pub const AWS_REGION: &str = "aws.region";

/// The number of requests that an AWS call needed beyond the first.
pub const AWS_RETRIES: &str = "aws.retries";

/// The status that the X-Ray exporter prefers. It marks a throttle only for 429, while DynamoDB and others throttle
/// with 400; so a throttled call has 429 here and the real status in `http.response.status_code`. Nothing else uses
/// this name, which the conventions have deprecated.
pub const HTTP_STATUS_CODE_FOR_THROTTLE: &str = "http.status_code";

/// Set on an AWS call that was refused because of its rate.
pub const AWS_THROTTLED: &str = "aws.throttled";

/// The URL of a queue, under the name that the X-Ray exporter reads; the conventions call it `aws.sqs.queue.url`.
pub const AWS_QUEUE_URL: &str = "aws.queue_url";

/// The AWS service of a call, which names its node in X-Ray; deprecated by the conventions but read by the exporter.
pub const RPC_SERVICE: &str = "rpc.service";

/// The name of what a call goes to, by which X-Ray names the node of a call that is none to AWS; deprecated by the conventions
/// but read by the exporter.
pub const PEER_SERVICE: &str = "peer.service";

/// The kind of RPC; the X-Ray exporter reads only this older name.
pub const RPC_SYSTEM: &str = "rpc.system";

/// Value of [`RPC_SYSTEM`] for calls to AWS.
pub const AWS_API: &str = "aws-api";

/// Annotation: the system a segment belongs to, the same in all its services.
pub const APPLICATION: &str = "application";

/// Annotation: the environment (`local`, `prod`).
pub const ENVIRONMENT: &str = "environment";

/// Annotation: the customer an event concerns. The only personal identifier that telemetry may carry.
pub const CUSTOMER_NUMBER: &str = "customer_number";

/// Annotation: the event's id.
pub const EVENT_ID: &str = "event_id";

/// Annotation: the event's type.
pub const EVENT_TYPE: &str = "event_type";

/// Annotation: the outcome of handling the event.
pub const OUTCOME: &str = "outcome";

/// Annotation: the number of the attempt, from 2 on.
pub const ATTEMPT: &str = "attempt";

/// The delay before the next attempt, in milliseconds, of a message that is to be retried. `foostore trace` computes from it
/// when that is due.
pub const RETRY_DELAY_MS: &str = "retry.delay_ms";

/// Annotation: the event's original trace, if its handling had to start a new one.
pub const ORIGIN_TRACE_ID: &str = "origin_trace_id";

/// Annotation: the event that set the time at which something fell due, where a trace begins with that.
pub const ORIGIN_EVENT_ID: &str = "origin_event_id";

/// Annotation: the trace that a load balancer began, if the caller's own was continued. The balancer's access log names it.
pub const LOAD_BALANCER_TRACE_ID: &str = "load_balancer_trace_id";

/// Annotation: the trace of the request that posted an event, if the event has a separate trace.
pub const REQUEST_TRACE_ID: &str = "request_trace_id";

/// The name of the sampling rule by which a trace is recorded, on the span with which it begins.
pub use xray_sampler::SAMPLING_RULE as AWS_XRAY_SAMPLING_RULE;

/// Every annotation.
pub(crate) const ANNOTATIONS: [&str; 11] = [
    APPLICATION,
    ENVIRONMENT,
    CUSTOMER_NUMBER,
    EVENT_ID,
    EVENT_TYPE,
    OUTCOME,
    ATTEMPT,
    ORIGIN_TRACE_ID,
    ORIGIN_EVENT_ID,
    LOAD_BALANCER_TRACE_ID,
    REQUEST_TRACE_ID,
];

/// Sets attributes on `span` and lists their keys in [`AWS_XRAY_ANNOTATIONS`], so that X-Ray indexes them.
///
/// Call this once per span: a second list would replace the first. X-Ray indexes 50 annotations per trace.
pub fn annotate(span: &Span, pairs: impl IntoIterator<Item = (&'static str, Value)>) {
    annotate_with(span, &[], pairs);
}

/// Does the same, and lists attributes as well that the span has already.
pub fn annotate_with(
    span: &Span,
    set: &[&'static str],
    pairs: impl IntoIterator<Item = (&'static str, Value)>,
) {
    let mut keys: Vec<_> = set.iter().copied().map(StringValue::from).collect();
    for (key, value) in pairs {
        span.set_attribute(key, value);
        keys.push(StringValue::from(key));
    }
    if !keys.is_empty() {
        span.set_attribute(AWS_XRAY_ANNOTATIONS, Value::Array(Array::String(keys)));
    }
}
