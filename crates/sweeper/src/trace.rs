//! The span of a due item, which begins a trace: what falls due after days or years cannot continue the trace of the event
//! that set the time, since X-Ray accepts no segment for a trace older than a day.

use std::time::Duration;

use opentelemetry::trace::Status;
use opentelemetry::{Context, KeyValue, Value};
use opentelemetry_semantic_conventions::attribute;
use telemetry::attributes;
use tracing::Span;
use tracing_opentelemetry::OpenTelemetrySpanExt as _;

use crate::DueItem;
use crate::conclusion::Conclusion;

/// The attribute for how late an item is handled, in milliseconds.
const LATENESS_MS: &str = "due.lateness_ms";

/// The span of one due item.
pub(crate) struct SweepSpan {
    pub(crate) span: Span,
    annotations: Vec<&'static str>,
}

impl SweepSpan {
    pub(crate) fn start(service: &str, table: &str, kind: &'static str, due: &DueItem, attempt: u32) -> Self {
        // The kind of spans that are segments: see `process` of the consumer.
        let span = tracing::info_span!(
            parent: None,
            "sweep",
            otel.name = format_args!("sweep {table}"),
            otel.kind = "consumer",
        );
        if let Err(error) = span.set_parent(Context::new()) {
            // Happens only without a telemetry subscriber.
            tracing::trace!(error = %error, "no parent set");
        }
        span.set_attribute(attributes::AWS_REMOTE_SERVICE, service.to_owned());
        span.set_attribute(attribute::DB_COLLECTION_NAME, table.to_owned());
        let late = i64::try_from(lateness(due).as_millis()).unwrap_or(i64::MAX);
        span.set_attribute(LATENESS_MS, late);

        let mut known: Vec<(&'static str, Value)> =
            vec![(attributes::EVENT_ID, due.id.to_string().into()), (attributes::EVENT_TYPE, kind.into())];
        let origin = &due.origin;
        let optional = [
            (attributes::CUSTOMER_NUMBER, origin.customer_number.clone()),
            (attributes::ORIGIN_EVENT_ID, origin.event_id.map(|id| id.to_string())),
            (attributes::ORIGIN_TRACE_ID, origin.trace_id.clone()),
        ];
        known.extend(optional.into_iter().filter_map(|(key, value)| Some((key, value?.into()))));
        if attempt > 1 {
            known.push((attributes::ATTEMPT, i64::from(attempt).into()));
        }
        let annotations = known.iter().map(|(key, _)| *key).collect();
        for (key, value) in known {
            span.set_attribute(key, value);
        }
        Self { span, annotations }
    }

    /// Records how the item ended.
    pub(crate) fn finish(&self, conclusion: &Conclusion) {
        let outcome = [(attributes::OUTCOME, conclusion.outcome.into())];
        attributes::annotate_with(&self.span, &self.annotations, outcome);
        if let (true, Some(reason)) = (conclusion.is_failure(), conclusion.reason) {
            self.span.set_status(Status::error(reason));
            self.span.set_attribute(attribute::ERROR_TYPE, reason);
            let message = conclusion.detail.clone().unwrap_or_else(|| reason.to_owned());
            let exception = vec![
                KeyValue::new(attribute::EXCEPTION_TYPE, reason),
                KeyValue::new(attribute::EXCEPTION_MESSAGE, message),
            ];
            self.span.add_event("exception", exception);
        }
    }
}

/// Returns how long ago the item fell due when it was read, or zero if this machine's clock is behind.
pub(crate) fn lateness(due: &DueItem) -> Duration {
    Duration::try_from(due.now.duration_since(due.due_at)).unwrap_or_default()
}
