//! The processor between a finished span and its exporter.

use std::time::{Duration, SystemTime};

use opentelemetry::{Context, KeyValue, SpanId, Value};
use opentelemetry_sdk::Resource;
use opentelemetry_sdk::error::OTelSdkResult;
use opentelemetry_sdk::trace::{Span, SpanData, SpanProcessor};

use crate::attributes;
use crate::context::placeholder_parent;

/// Corrects what cannot be expressed when a span starts: removes the placeholder parent from a span that continues a trace
/// id without a parent span, so that it arrives as the root of the trace, and sets the start of a span that stands in
/// for another. All other spans pass unchanged.
#[derive(Debug)]
pub(crate) struct Corrected<P>(pub(crate) P);

impl<P: SpanProcessor> SpanProcessor for Corrected<P> {
    fn on_start(&self, span: &mut Span, context: &Context) {
        self.0.on_start(span, context);
    }

    fn on_end(&self, mut span: SpanData) {
        without_placeholder(&mut span);
        begun_earlier(&mut span);
        self.0.on_end(span);
    }

    fn force_flush(&self) -> OTelSdkResult {
        self.0.force_flush()
    }

    fn shutdown_with_timeout(&self, timeout: Duration) -> OTelSdkResult {
        self.0.shutdown_with_timeout(timeout)
    }

    fn set_resource(&mut self, resource: &Resource) {
        self.0.set_resource(resource);
    }
}

/// Removes the placeholder parent, if the span has it.
pub(crate) fn without_placeholder(span: &mut SpanData) {
    if span.parent_span_is_remote && span.parent_span_id == placeholder_parent(span.span_context.trace_id()) {
        span.parent_span_id = SpanId::INVALID;
        span.parent_span_is_remote = false;
    }
}

/// Sets the start of the span to that in [`attributes::BEGAN_AT_UNIX_NANO`], if it has it.
fn begun_earlier(span: &mut SpanData) {
    let began = |attribute: &KeyValue| attribute.key.as_str() == attributes::BEGAN_AT_UNIX_NANO;
    let Some(place) = span.attributes.iter().position(began) else { return };
    if let Value::I64(nanos) = span.attributes.swap_remove(place).value
        && let Ok(nanos) = u64::try_from(nanos)
    {
        span.start_time = SystemTime::UNIX_EPOCH + Duration::from_nanos(nanos);
    }
}
