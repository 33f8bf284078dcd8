//! Starts telemetry, and flushes it on every way out.

use std::io::Write;
use std::thread;
use std::time::Duration;

use opentelemetry::metrics::{Meter, MeterProvider as _};
use opentelemetry::trace::TracerProvider as _;
use opentelemetry_otlp::ExporterBuildError;
use opentelemetry_sdk::error::{OTelSdkError, OTelSdkResult};
use opentelemetry_sdk::metrics::SdkMeterProvider;
use opentelemetry_sdk::trace::SdkTracerProvider;
use thiserror::Error;
use tokio::sync::oneshot;
use tracing::{Dispatch, Metadata};
use tracing_subscriber::filter::filter_fn;
use tracing_subscriber::layer::SubscriberExt as _;
use tracing_subscriber::{Layer as _, Registry};

use crate::logs::LogLines;
use crate::providers::{meter_provider, tracer_provider};
use crate::resource::resource;
use crate::settings::{InvalidLogFilter, Settings, log_filter};

/// The instrumentation scope: the name of the tracer and of the meter.
const SCOPE: &str = "telemetry";

/// The limit of [`Telemetry::shutdown`] for spans and metrics together.
const SHUTDOWN_TIMEOUT: Duration = Duration::from_secs(5);

/// Why telemetry could not start.
#[derive(Debug, Error)]
pub enum StartError {
    /// The log filter is not in the syntax of `RUST_LOG`.
    #[error("log filter: {0}")]
    LogFilter(#[from] InvalidLogFilter),
    /// The exporter could not be created.
    #[error("telemetry exporter: {0}")]
    Exporter(#[from] ExporterBuildError),
    /// This process already has a subscriber.
    #[error("telemetry has already been started in this process")]
    AlreadyStarted,
    /// A thread could not be started.
    #[error("telemetry thread: {0}")]
    Thread(#[from] std::io::Error),
    /// The thread that creates the exporters panicked.
    #[error("telemetry exporters could not be created")]
    Panicked,
}

/// Why the last telemetry may not have arrived.
#[derive(Debug, Error)]
pub enum ShutdownError {
    /// The collector did not accept spans and metrics in time.
    #[error("telemetry was not flushed within {} s", .0.as_secs())]
    TimedOut(Duration),
    /// The SDK reported a failure.
    #[error("telemetry was not flushed: {0}")]
    Failed(String),
}

/// Running telemetry. Its owner calls [`Telemetry::shutdown`] on every way out, including failures.
#[derive(Debug)]
pub struct Telemetry {
    tracers: SdkTracerProvider,
    meters: SdkMeterProvider,
}

/// Starts telemetry and installs the subscriber of this process. Log lines go to the standard output.
///
/// Blocks for a moment (on ECS until the task metadata has been read), so call it off the async threads.
///
/// # Errors
/// When the log filter is invalid, an exporter cannot be created, or the process already has a subscriber. An
/// unreachable collector is not an error here: exports fail later and are logged.
pub fn start(settings: Settings) -> Result<Telemetry, StartError> {
    let (telemetry, dispatch) = Telemetry::build(settings, std::io::stdout())?;
    tracing::dispatcher::set_global_default(dispatch).map_err(|_| StartError::AlreadyStarted)?;
    Ok(telemetry)
}

impl Telemetry {
    /// Does the same as [`start`] without installing the subscriber: log lines go to `logs`, and the caller makes the
    /// dispatch the default where it is needed. For tests, and for processes that run several services.
    ///
    /// # Errors
    /// As [`start`].
    pub fn build(
        settings: Settings,
        logs: impl Write + Send + 'static,
    ) -> Result<(Self, Dispatch), StartError> {
        let filter = log_filter(&settings.log_filter)?;
        // A separate thread, because a blocking HTTP client cannot be created inside an async runtime.
        let (settings, providers) = thread::Builder::new()
            .name("telemetry-start".to_owned())
            .spawn(move || {
                let providers = providers(&settings);
                (settings, providers)
            })?
            .join()
            .map_err(|_| StartError::Panicked)?;
        let (tracers, meters) = providers?;
        let log_lines = LogLines::new(&settings, logs).with_filter(filter);
        let subscriber = Registry::default().with(spans_to(&tracers)).with(log_lines);
        Ok((Self { tracers, meters }, Dispatch::new(subscriber)))
    }

    /// Returns the meter that creates every instrument of the process.
    #[must_use]
    pub fn meter(&self) -> Meter {
        self.meters.meter(SCOPE)
    }

    /// Flushes pending telemetry and stops. Takes at most five seconds, even if the collector is unavailable, and
    /// blocks no async thread.
    ///
    /// # Errors
    /// When the collector does not accept everything in time.
    pub async fn shutdown(self) -> Result<(), ShutdownError> {
        let (done, result) = oneshot::channel();
        // A plain thread rather than one of the runtime's blocking threads, for which the runtime waits when it ends.
        let spawned = thread::Builder::new().name("telemetry-shutdown".to_owned()).spawn(move || {
            let ended = self.end();
            // The receiver is gone if the timeout has passed.
            drop(done.send(ended));
        });
        if let Err(error) = spawned {
            return Err(ShutdownError::Failed(error.to_string()));
        }
        match tokio::time::timeout(SHUTDOWN_TIMEOUT, result).await {
            Ok(Ok(ended)) => ended,
            Ok(Err(_)) => Err(ShutdownError::Failed("the flushing thread ended early".to_owned())),
            Err(_) => Err(ShutdownError::TimedOut(SHUTDOWN_TIMEOUT)),
        }
    }

    /// Flushes metrics and spans in parallel, because each waits for the collector.
    fn end(&self) -> Result<(), ShutdownError> {
        let (metrics, spans) = thread::scope(|scope| {
            let metrics = scope.spawn(|| self.meters.shutdown_with_timeout(SHUTDOWN_TIMEOUT));
            let spans = self.tracers.shutdown_with_timeout(SHUTDOWN_TIMEOUT);
            (metrics.join(), spans)
        });
        ended(spans)?;
        ended(metrics.unwrap_or_else(|_| Err(OTelSdkError::InternalFailure("panicked".to_owned()))))
    }
}

fn ended(result: OTelSdkResult) -> Result<(), ShutdownError> {
    match result {
        Ok(()) | Err(OTelSdkError::AlreadyShutdown) => Ok(()),
        Err(OTelSdkError::Timeout(timeout)) => Err(ShutdownError::TimedOut(timeout)),
        Err(error) => Err(ShutdownError::Failed(error.to_string())),
    }
}

fn providers(settings: &Settings) -> Result<(SdkTracerProvider, SdkMeterProvider), ExporterBuildError> {
    let resource = resource(settings);
    Ok((tracer_provider(&settings.otel, resource.clone())?, meter_provider(&settings.otel, resource)?))
}

/// Creates the bridge from `tracing` spans to OpenTelemetry. It receives telemetry spans only: log events would become
/// span events, and one at level error would mark its span as failed.
pub(crate) fn spans_to(tracers: &SdkTracerProvider) -> impl tracing_subscriber::Layer<Registry> + use<> {
    tracing_opentelemetry::layer()
        .with_tracer(tracers.tracer(SCOPE))
        .with_location(false)
        .with_threads(false)
        .with_tracked_inactivity(false)
        .with_target(false)
        .with_level(false)
        .with_filter(filter_fn(is_telemetry_span))
}

/// Whether a span is exported: its callsite declares `otel.kind` or `otel.name`, at any level and in any module. This
/// leaves out the spans of libraries (the AWS SDK, HTTP).
fn is_telemetry_span(metadata: &Metadata<'_>) -> bool {
    metadata.is_span()
        && (metadata.fields().field("otel.kind").is_some() || metadata.fields().field("otel.name").is_some())
}
