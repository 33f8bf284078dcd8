//! The processor between a finished span and its exporter.

use std::time::Duration;

use opentelemetry::{Context, SpanId};
use opentelemetry_sdk::Resource;
use opentelemetry_sdk::error::OTelSdkResult;
use opentelemetry_sdk::trace::{Span, SpanData, SpanProcessor};

use crate::context::placeholder_parent;

/// Removes the placeholder parent from a span that continues a trace id without a parent span, so that it arrives as
/// the root of the trace. All other spans pass unchanged.
#[derive(Debug)]
pub(crate) struct RootOfCarriedTrace<P>(pub(crate) P);

impl<P: SpanProcessor> SpanProcessor for RootOfCarriedTrace<P> {
    fn on_start(&self, span: &mut Span, context: &Context) {
        self.0.on_start(span, context);
    }

    fn on_end(&self, mut span: SpanData) {
        without_placeholder(&mut span);
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
