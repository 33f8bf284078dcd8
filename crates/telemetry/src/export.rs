//! Exporters that report failures at a limited rate.

use std::sync::Mutex;
use std::time::{Duration, Instant};

use opentelemetry_sdk::Resource;
use opentelemetry_sdk::error::OTelSdkResult;
use opentelemetry_sdk::metrics::Temporality;
use opentelemetry_sdk::metrics::data::ResourceMetrics;
use opentelemetry_sdk::metrics::exporter::PushMetricExporter;
use opentelemetry_sdk::trace::{SpanData, SpanExporter};

/// The minimum time between two reports of a failing export.
const QUIET: Duration = Duration::from_mins(1);

/// An exporter whose failures are logged as a warning at most once a minute, so that an unavailable collector is
/// noticed without flooding the log.
#[derive(Debug)]
pub(crate) struct Reported<E> {
    exporter: E,
    signal: &'static str,
    failures: Mutex<Failures>,
}

#[derive(Debug, Default)]
struct Failures {
    reported_at: Option<Instant>,
    since_report: u64,
}

impl Failures {
    /// Counts a failure. Returns the number of failures since the last report if a report is due.
    fn count(&mut self, now: Instant) -> Option<u64> {
        self.since_report += 1;
        if self.reported_at.is_some_and(|at| now.duration_since(at) < QUIET) {
            return None;
        }
        self.reported_at = Some(now);
        Some(std::mem::take(&mut self.since_report))
    }
}

impl<E> Reported<E> {
    pub(crate) fn new(exporter: E, signal: &'static str) -> Self {
        Self { exporter, signal, failures: Mutex::default() }
    }

    fn report(&self, result: OTelSdkResult) -> OTelSdkResult {
        if let Err(error) = &result {
            let due = match self.failures.lock() {
                Ok(mut failures) => failures.count(Instant::now()),
                Err(poisoned) => poisoned.into_inner().count(Instant::now()),
            };
            if let Some(failed) = due {
                tracing::warn!(signal = self.signal, failed_exports = failed, %error, "telemetry export failed");
            }
        }
        result
    }
}

impl<E: SpanExporter> SpanExporter for Reported<E> {
    async fn export(&self, batch: Vec<SpanData>) -> OTelSdkResult {
        let result = self.exporter.export(batch).await;
        self.report(result)
    }

    fn shutdown_with_timeout(&self, timeout: Duration) -> OTelSdkResult {
        self.exporter.shutdown_with_timeout(timeout)
    }

    fn force_flush(&self) -> OTelSdkResult {
        self.exporter.force_flush()
    }

    fn set_resource(&mut self, resource: &Resource) {
        self.exporter.set_resource(resource);
    }
}

impl<E: PushMetricExporter> PushMetricExporter for Reported<E> {
    async fn export(&self, metrics: &ResourceMetrics) -> OTelSdkResult {
        let result = self.exporter.export(metrics).await;
        self.report(result)
    }

    fn force_flush(&self) -> OTelSdkResult {
        self.exporter.force_flush()
    }

    fn shutdown_with_timeout(&self, timeout: Duration) -> OTelSdkResult {
        self.exporter.shutdown_with_timeout(timeout)
    }

    fn temporality(&self) -> Temporality {
        self.exporter.temporality()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_failing_export_is_reported_once_a_minute_with_their_number() {
        let mut failures = Failures::default();
        let start = Instant::now();
        assert_eq!(failures.count(start), Some(1));
        assert_eq!(failures.count(start + Duration::from_secs(5)), None);
        assert_eq!(failures.count(start + Duration::from_secs(59)), None);
        assert_eq!(failures.count(start + Duration::from_mins(1)), Some(3));
    }
}
