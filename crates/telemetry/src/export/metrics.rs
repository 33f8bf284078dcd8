//! The exporter of metrics: nothing new is collected until the collector has accepted what was.

use bytes::Bytes;
use opentelemetry_proto::tonic::collector::metrics::v1::{
    ExportMetricsServiceRequest, ExportMetricsServiceResponse,
};
use opentelemetry_proto::tonic::metrics::v1::metric::Data;
use opentelemetry_sdk::error::{OTelSdkError, OTelSdkResult};
use opentelemetry_sdk::metrics::Temporality;
use opentelemetry_sdk::metrics::data::ResourceMetrics;
use opentelemetry_sdk::metrics::exporter::PushMetricExporter;
use prost::Message as _;
use std::time::Duration;

use super::delivery::Delivery;

/// Exports metrics, and returns only when the collector has accepted or rejected them, or telemetry ends.
///
/// The reader collects nothing meanwhile, and that is the point: what is measured during an outage accumulates in the
/// instruments, which take no more memory the longer it lasts, and arrives with the first collection after it. No count
/// is lost however long the collector is unavailable; those of the outage appear at its end. With deltas, a collection
/// that is given up instead is missing from every sum.
#[derive(Debug)]
pub(crate) struct UntilAccepted {
    delivery: Delivery,
    temporality: Temporality,
}

impl UntilAccepted {
    pub(crate) fn new(delivery: Delivery, temporality: Temporality) -> Self {
        Self { delivery, temporality }
    }
}

impl PushMetricExporter for UntilAccepted {
    async fn export(&self, metrics: &ResourceMetrics) -> OTelSdkResult {
        let request = ExportMetricsServiceRequest::from(metrics);
        let points = data_points(&request);
        // Accumulated values that arrive never are part of those that the next collection sends.
        let at_stake = if self.temporality == Temporality::Cumulative && !self.delivery.is_ending() {
            0
        } else {
            points
        };
        let response = self
            .delivery
            .deliver(&Bytes::from(request.encode_to_vec()), || self.delivery.lose(at_stake), || ())
            .map_err(|error| OTelSdkError::InternalFailure(error.to_string()))?;
        self.delivery.lose(rejected(&response).min(points));
        Ok(())
    }

    fn force_flush(&self) -> OTelSdkResult {
        Ok(())
    }

    fn shutdown_with_timeout(&self, _: Duration) -> OTelSdkResult {
        Ok(())
    }

    fn temporality(&self) -> Temporality {
        self.temporality
    }
}

/// Returns how many data points the collector accepted the request without. A response that cannot be read names none.
fn rejected(response: &[u8]) -> u64 {
    let response = ExportMetricsServiceResponse::decode(response).unwrap_or_default();
    let rejected = response.partial_success.map_or(0, |partial| partial.rejected_data_points);
    u64::try_from(rejected).unwrap_or(0)
}

fn data_points(request: &ExportMetricsServiceRequest) -> u64 {
    let scopes = request.resource_metrics.iter().flat_map(|resource| &resource.scope_metrics);
    let metrics = scopes.flat_map(|scope| &scope.metrics);
    metrics
        .filter_map(|metric| metric.data.as_ref())
        .map(|data| match data {
            Data::Gauge(gauge) => gauge.data_points.len(),
            Data::Sum(sum) => sum.data_points.len(),
            Data::Histogram(histogram) => histogram.data_points.len(),
            Data::ExponentialHistogram(histogram) => histogram.data_points.len(),
            Data::Summary(summary) => summary.data_points.len(),
        })
        .sum::<usize>() as u64
}
