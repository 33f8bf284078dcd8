//! The metrics of requests.

use std::time::Duration;

use http::{Method, StatusCode};
use opentelemetry::KeyValue;
use opentelemetry::metrics::{Histogram, Meter};
use opentelemetry_semantic_conventions::{attribute, metric};
use telemetry::bounds;

/// The instruments.
#[derive(Clone, Debug)]
pub(super) struct Metrics {
    duration: Histogram<f64>,
}

impl Metrics {
    pub(super) fn new(meter: &Meter) -> Self {
        let duration = meter
            .f64_histogram(metric::HTTP_SERVER_REQUEST_DURATION)
            .with_unit("s")
            .with_description("Duration of requests of phones")
            .with_boundaries(bounds::DURATIONS.to_vec())
            .build();
        Self { duration }
    }

    /// Records an answered request.
    pub(super) fn answered(&self, method: &Method, route: &str, status: StatusCode, took: Duration) {
        let attributes = [
            KeyValue::new(attribute::HTTP_REQUEST_METHOD, method.to_string()),
            KeyValue::new(attribute::HTTP_ROUTE, route.to_owned()),
            KeyValue::new(attribute::HTTP_RESPONSE_STATUS_CODE, i64::from(status.as_u16())),
        ];
        self.duration.record(took.as_secs_f64(), &attributes);
    }
}
