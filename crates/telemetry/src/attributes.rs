//! Attribute names the OpenTelemetry semantic conventions do not have, each in this one place, and annotations.

use opentelemetry::{Array, StringValue, Value};
use tracing::Span;
use tracing_opentelemetry::OpenTelemetrySpanExt as _;

/// The name of the service on the other side. On a CONSUMER span it makes the X-Ray exporter name the segment after
/// the service instead of after the span
/// (<https://github.com/open-telemetry/opentelemetry-collector-contrib/tree/main/exporter/awsxrayexporter>).
pub const AWS_REMOTE_SERVICE: &str = "aws.remote.service";

/// List of the attribute keys that the X-Ray exporter indexes as annotations of this segment.
pub const AWS_XRAY_ANNOTATIONS: &str = "aws.xray.annotations";

/// Region an AWS call was made in; the X-Ray exporter reads this name, not `cloud.region`, on a span.
pub const AWS_REGION: &str = "aws.region";

/// How many requests an AWS call needed beyond the first.
pub const AWS_RETRIES: &str = "aws.retries";

/// The status the X-Ray exporter looks at first. It draws a throttle for 429 and knows no other sign of one, while
/// DynamoDB and others refuse with 400: a throttled call says 429 here and the truth in `http.response.status_code`.
/// Nothing else uses the name, which the conventions have given up.
pub const HTTP_STATUS_CODE_FOR_THROTTLE: &str = "http.status_code";

/// Set on an AWS call that was refused because of its rate.
pub const AWS_THROTTLED: &str = "aws.throttled";

/// URL of a queue as the X-Ray exporter reads it; the conventions call it `aws.sqs.queue.url`.
pub const AWS_QUEUE_URL: &str = "aws.queue_url";

/// The service an AWS call belongs to, as X-Ray names its node; deprecated by the conventions, read by the exporter.
pub const RPC_SERVICE: &str = "rpc.service";

/// The kind of RPC; the X-Ray exporter reads this older name only.
pub const RPC_SYSTEM: &str = "rpc.system";

/// Value of [`RPC_SYSTEM`] for calls to AWS.
pub const AWS_API: &str = "aws-api";

/// Annotation: the system a segment belongs to, the same in all its services.
pub const APPLICATION: &str = "application";

/// Annotation: where it runs (`local`, `prod`).
pub const ENVIRONMENT: &str = "environment";

/// Annotation: the customer an event is about. The only personal identifier telemetry may carry.
pub const CUSTOMER_NUMBER: &str = "customer_number";

/// Annotation: identity of the event.
pub const EVENT_ID: &str = "event_id";

/// Annotation: type of the event.
pub const EVENT_TYPE: &str = "event_type";

/// Annotation: what came of handling the event.
pub const OUTCOME: &str = "outcome";

/// Annotation: which attempt this was, from 2 on.
pub const ATTEMPT: &str = "attempt";

/// Annotation: the trace an event came from when its handling had to start a new one.
pub const ORIGIN_TRACE_ID: &str = "origin_trace_id";

/// Annotation: the trace of the request that an event was posted with, when it has a trace of its own.
pub const REQUEST_TRACE_ID: &str = "request_trace_id";

/// Sets attributes on `span` and lists their keys in [`AWS_XRAY_ANNOTATIONS`], so that X-Ray indexes them.
///
/// Call it once for each span: a second list would replace the first. X-Ray indexes 50 annotations a trace.
pub fn annotate(span: &Span, pairs: impl IntoIterator<Item = (&'static str, Value)>) {
    let mut keys = Vec::new();
    for (key, value) in pairs {
        span.set_attribute(key, value);
        keys.push(StringValue::from(key));
    }
    if !keys.is_empty() {
        span.set_attribute(AWS_XRAY_ANNOTATIONS, Value::Array(Array::String(keys)));
    }
}
