//! The service's metrics.

use std::time::Duration;

use http::StatusCode;
use opentelemetry::KeyValue;
use opentelemetry::metrics::{Counter, Histogram, Meter};
use opentelemetry_semantic_conventions::{attribute, metric};
use telemetry::{attributes, bounds};

use crate::span::ROUTE;

/// Events by type and outcome.
const EVENTS: &str = "ingest.events";

/// Requests and connections refused before their events were read.
const REFUSED: &str = "ingest.refused";
/// The attribute with the reason.
const REASON: &str = "reason";

/// The service's instruments.
#[derive(Debug, Clone)]
pub(crate) struct Metrics {
    duration: Histogram<f64>,
    events: Counter<u64>,
    refused: Counter<u64>,
}

impl Metrics {
    pub(crate) fn new(meter: &Meter) -> Self {
        Self {
            duration: meter
                .f64_histogram(metric::HTTP_SERVER_REQUEST_DURATION)
                .with_unit("s")
                .with_description("Duration of requests with events")
                .with_boundaries(bounds::DURATIONS.to_vec())
                .build(),
            events: meter
                .u64_counter(EVENTS)
                .with_unit("{event}")
                .with_description("Events received, by type and outcome")
                .build(),
            refused: meter
                .u64_counter(REFUSED)
                .with_unit("{request}")
                .with_description("Requests and connections refused before their events were read, by reason")
                .build(),
        }
    }

    /// Records an answered request.
    pub(crate) fn answered(&self, status: StatusCode, took: Duration) {
        let attributes = [
            KeyValue::new(attribute::HTTP_REQUEST_METHOD, "POST"),
            KeyValue::new(attribute::HTTP_ROUTE, ROUTE),
            KeyValue::new(attribute::HTTP_RESPONSE_STATUS_CODE, i64::from(status.as_u16())),
        ];
        self.duration.record(took.as_secs_f64(), &attributes);
    }

    /// Counts an event that was accepted, rejected or left unpublished.
    pub(crate) fn event(&self, event_type: Option<&str>, outcome: &'static str) {
        let event_type = event_type.unwrap_or("unknown").to_owned();
        let attributes =
            [KeyValue::new(attributes::EVENT_TYPE, event_type), KeyValue::new(attributes::OUTCOME, outcome)];
        self.events.add(1, &attributes);
    }

    /// Counts a request or a connection that was refused.
    pub(crate) fn refused(&self, reason: &'static str) {
        self.refused.add(1, &[KeyValue::new(REASON, reason)]);
    }
}
