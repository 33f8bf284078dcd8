//! The PRODUCER span of an entry.
//!
//! The batched call has no span, because it belongs to many traces at once. Instead, each entry's span carries the
//! attributes that make it the call's subsegment in X-Ray (`rpc.*`, region, request id): namespace `aws`, named after
//! the service.
//!
//! Conventions: <https://opentelemetry.io/docs/specs/semconv/messaging/messaging-spans/> and
//! <https://opentelemetry.io/docs/specs/semconv/cloud-providers/aws-sdk/>.

use aws_clients::ErrorClass;
use envelope::Metadata;
use opentelemetry::trace::Status;
use opentelemetry_semantic_conventions::attribute;
use telemetry::{attributes, context, span_id};
use tracing::Span;
use tracing_opentelemetry::OpenTelemetrySpanExt as _;
use uuid::Uuid;
use xray::{SegmentId, TraceHeader};

use crate::call::LastCall;
use crate::{PublishError, Published};

/// What the spans of one publisher have in common.
#[derive(Debug, Clone)]
pub(crate) struct Target {
    /// The name of the bus or topic.
    pub(crate) destination: String,
    /// The value of `messaging.system`.
    pub(crate) system: &'static str,
    /// The AWS service, as X-Ray names its node.
    pub(crate) service: &'static str,
    /// The operation called.
    pub(crate) method: &'static str,
    /// The region called.
    pub(crate) region: Option<String>,
}

/// Starts the span of one entry as a child of the current one.
///
/// Its id is a function of the current span's and the event's: if the process is killed between the call and the span's
/// departure, the next attempt can send it in its place ([`stand_in`]).
pub(crate) fn start(target: &Target, metadata: &Metadata) -> Span {
    let current = Span::current();
    let parent = span_id::of(&current).filter(|_| context::is_recorded(&current));
    let span = match parent {
        Some(parent) => span_id::start_with(id(parent, metadata.event_id), || create(target)),
        None => create(target),
    };
    describe(&span, target, metadata);
    span
}

/// Sends the span that an earlier attempt had for the same entry, as in progress. `attempt` is the header of the span in
/// which that attempt published it.
pub(crate) fn stand_in(target: &Target, metadata: &Metadata, attempt: &str) -> Option<Span> {
    let parent: TraceHeader = attempt.parse().ok()?;
    let id = id(parent.parent?, metadata.event_id);
    let span = span_id::start_with(id, || {
        let span = create(target);
        if let Err(error) = span.set_parent(context::from_message(Some(attempt), None)) {
            tracing::trace!(error = %error, "no parent set");
        }
        span
    });
    describe(&span, target, metadata);
    span.set_attribute(attributes::AWS_XRAY_IN_PROGRESS, true);
    Some(span)
}

fn create(target: &Target) -> Span {
    tracing::info_span!(
        "send",
        "otel.name" = format!("send {}", target.destination),
        "otel.kind" = "producer",
    )
}

/// Returns the id of the span for an event that is published within `parent`.
fn id(parent: SegmentId, event_id: Uuid) -> SegmentId {
    let (high, low) = Uuid::new_v5(&event_id, &parent.to_bytes()).as_u64_pair();
    SegmentId::from_bytes((high ^ low).to_be_bytes())
}

fn describe(span: &Span, target: &Target, metadata: &Metadata) {
    span.set_attribute(attributes::RPC_SYSTEM, attributes::AWS_API);
    span.set_attribute(attribute::RPC_SYSTEM_NAME, attributes::AWS_API);
    span.set_attribute(attributes::RPC_SERVICE, target.service);
    span.set_attribute(attribute::RPC_METHOD, target.method);
    if let Some(region) = &target.region {
        span.set_attribute(attributes::AWS_REGION, region.clone());
    }
    span.set_attribute(attribute::MESSAGING_SYSTEM, target.system);
    span.set_attribute(attribute::MESSAGING_OPERATION_NAME, "send");
    span.set_attribute(attribute::MESSAGING_OPERATION_TYPE, "send");
    span.set_attribute(attribute::MESSAGING_DESTINATION_NAME, target.destination.clone());
    span.set_attribute(attribute::MESSAGING_MESSAGE_CONVERSATION_ID, metadata.correlation_id.to_string());
    span.set_attribute(attributes::EVENT_ID, metadata.event_id.to_string());
}

/// Records the entry's outcome on its span; the span ends when its last handle is dropped.
pub(crate) fn finish(
    span: &Span,
    result: &Result<Published, PublishError>,
    last_call: &LastCall,
    attempts: u32,
) {
    if let Some(request_id) = &last_call.request_id {
        span.set_attribute(attribute::AWS_REQUEST_ID, request_id.clone());
    }
    if let Some(status) = last_call.status {
        span.set_attribute(attribute::HTTP_RESPONSE_STATUS_CODE, i64::from(status));
    }
    if last_call.entries > 0 {
        let entries = i64::try_from(last_call.entries).unwrap_or(i64::MAX);
        span.set_attribute(attribute::MESSAGING_BATCH_MESSAGE_COUNT, entries);
    }
    if attempts > 1 {
        span.set_attribute(attribute::HTTP_REQUEST_RESEND_COUNT, i64::from(attempts - 1));
        span.set_attribute(attributes::AWS_RETRIES, i64::from(attempts - 1));
    }
    if let Some(class) = last_call.failed {
        failed(span, class, last_call.status);
    }
    match result {
        Ok(published) => span.set_attribute(attribute::MESSAGING_MESSAGE_ID, published.id.clone()),
        Err(error) => {
            span.set_attribute(attribute::ERROR_TYPE, error.reason().to_owned());
            span.set_status(Status::error(error.to_string()));
        }
    }
}

/// Marks a failure for X-Ray, which distinguishes errors, throttles and faults by the status alone. An entry can fail
/// in a call with status 200, and a throttled call often has status 400: in addition to the real status, such a span
/// carries the one that the failure would have had as a separate response.
fn failed(span: &Span, class: ErrorClass, status: Option<u16>) {
    let alone = match class {
        ErrorClass::Throttled => 429,
        ErrorClass::Unavailable => 500,
        ErrorClass::Misconfigured | ErrorClass::Rejected => 400,
    };
    if class == ErrorClass::Throttled {
        span.set_attribute(attributes::AWS_THROTTLED, true);
    }
    if status.is_some_and(|status| status < 400 || (class == ErrorClass::Throttled && status != 429)) {
        span.set_attribute(attributes::HTTP_STATUS_CODE_FOR_THROTTLE, alone);
    }
}
