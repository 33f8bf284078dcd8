//! What becomes of metrics, for which X-Ray has no place.

use std::fmt;

use opentelemetry_proto::tonic::collector::metrics::v1::{
    ExportMetricsServiceRequest, ExportMetricsServiceResponse,
};

/// Takes in the metrics that arrive over OTLP beside spans.
pub trait MetricsSink: fmt::Debug + Send + Sync {
    /// Takes in a request. The response says what of it was rejected.
    fn record(&self, request: &ExportMetricsServiceRequest) -> ExportMetricsServiceResponse;
}

/// Discards metrics.
#[derive(Debug)]
pub(crate) struct NoMetrics;

impl MetricsSink for NoMetrics {
    fn record(&self, _: &ExportMetricsServiceRequest) -> ExportMetricsServiceResponse {
        ExportMetricsServiceResponse::default()
    }
}
