//! Span ids that are chosen instead of random, so that another attempt can name the span without having seen it.

use std::cell::Cell;

use opentelemetry::trace::TraceContextExt as _;
use opentelemetry::{SpanId, TraceId};
use opentelemetry_aws::trace::XrayIdGenerator;
use opentelemetry_sdk::trace::IdGenerator;
use tracing::Span;
use tracing_opentelemetry::OpenTelemetrySpanExt as _;
use xray::SegmentId;

thread_local! {
    /// The id of the span that this thread is about to start. The SDK asks its generator for an id without saying for
    /// which span, but always on the thread that starts it.
    static CHOSEN: Cell<Option<SpanId>> = const { Cell::new(None) };
}

/// Starts the span that `start` creates, under `id`. A second span that `start` should create has a random id.
///
/// ```
/// # #[cfg(feature = "testing")] {
/// use telemetry::span_id;
/// use xray::SegmentId;
///
/// # telemetry::testing::Recorder::new().run(|| {
/// let id: SegmentId = "53995c3f42cd8ad8".parse().unwrap();
/// let span = span_id::start_with(id, || tracing::info_span!("send", otel.name = "send notifications"));
/// assert_eq!(span_id::of(&span), Some(id));
/// # });
/// # }
/// ```
#[must_use]
pub fn start_with(id: SegmentId, start: impl FnOnce() -> Span) -> Span {
    struct Withdraw;
    impl Drop for Withdraw {
        fn drop(&mut self) {
            CHOSEN.take();
        }
    }
    CHOSEN.set(Some(SpanId::from_bytes(id.to_bytes())));
    let _withdraw = Withdraw;
    let span = start();
    // The span has no id before its context is first needed.
    drop(span.context());
    span
}

/// Returns the id of `span`, or `None` if the telemetry of this process does not know the span.
#[must_use]
pub fn of(span: &Span) -> Option<SegmentId> {
    let context = span.context();
    let span = context.span();
    let own = span.span_context();
    own.is_valid().then(|| SegmentId::from_bytes(own.span_id().to_bytes()))
}

/// X-Ray's trace ids, and random span ids unless one is chosen.
#[derive(Debug, Default)]
pub(crate) struct Ids(XrayIdGenerator);

impl IdGenerator for Ids {
    fn new_trace_id(&self) -> TraceId {
        self.0.new_trace_id()
    }

    fn new_span_id(&self) -> SpanId {
        CHOSEN.take().unwrap_or_else(|| self.0.new_span_id())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::Recorder;

    #[test]
    fn only_the_next_span_has_the_chosen_id() {
        let id = SegmentId::from_bytes([7; 8]);
        let recorder = Recorder::new();
        recorder.run(|| {
            let span = |name: &'static str| tracing::info_span!("work", otel.name = name);
            let parent = span("parent");
            let chosen = parent.in_scope(|| start_with(id, || span("chosen")));
            let below = chosen.in_scope(|| span("below"));
            assert_eq!(of(&chosen), Some(id));
            assert_ne!(of(&below), Some(id));
        });
        let (parent, chosen) = (recorder.span("parent"), recorder.span("chosen"));
        assert_eq!(chosen.span_context.span_id(), SpanId::from_bytes([7; 8]));
        assert_eq!(chosen.parent_span_id, parent.span_context.span_id());
        assert_eq!(recorder.span("below").parent_span_id, chosen.span_context.span_id());
    }

    #[test]
    fn an_id_that_no_span_took_is_withdrawn() {
        let id = SegmentId::from_bytes([7; 8]);
        Recorder::new().run(|| {
            drop(start_with(id, Span::none));
            assert_ne!(of(&tracing::info_span!("work", otel.name = "next")), Some(id));
        });
    }
}
