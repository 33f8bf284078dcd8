//! The metrics that programs export over OTLP.

use std::sync::Arc;
use std::time::SystemTime;

use metrics_engine::Metrics;
use opentelemetry_proto::tonic::collector::metrics::v1::{
    ExportMetricsServiceRequest, ExportMetricsServiceResponse,
};
use xray_engine::MetricsSink;

/// Keeps what arrives.
#[derive(Debug)]
pub(crate) struct Sink(pub(crate) Arc<Metrics>);

impl MetricsSink for Sink {
    fn record(&self, request: &ExportMetricsServiceRequest) -> ExportMetricsServiceResponse {
        self.0.record(request, SystemTime::now()).into()
    }
}
