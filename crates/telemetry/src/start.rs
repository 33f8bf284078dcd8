//! Starts telemetry, and flushes it on every way out.

use std::io::Write;
use std::sync::Arc;
use std::thread;
use std::time::Duration;

use opentelemetry::metrics::{Meter, MeterProvider as _};
use opentelemetry::trace::TracerProvider as _;
use opentelemetry_sdk::trace::SdkTracerProvider;
use tokio::sync::oneshot;
use tracing::{Dispatch, Metadata};
use tracing_subscriber::filter::filter_fn;
use tracing_subscriber::layer::SubscriberExt as _;
use tracing_subscriber::{Layer as _, Registry};

use crate::error::{ShutdownError, StartError};
use crate::export::Departures;
use crate::log_output::{Gathering, Output};
use crate::logs::LogLines;
use crate::providers::{Providers, SCOPE};
use crate::resource::resource;
use crate::rules::Polling;
use crate::settings::{Settings, log_filter};

/// The limit of [`Telemetry::shutdown`] for spans and metrics together.
const SHUTDOWN_TIMEOUT: Duration = Duration::from_secs(5);

/// The part of it in which telemetry may still be delivered; the rest is for counting what was not.
const LAST_DELIVERIES: Duration = Duration::from_millis(4_500);

/// Running telemetry. Its owner calls [`Telemetry::shutdown`] on every way out, including failures.
#[derive(Debug)]
pub struct Telemetry {
    providers: Arc<Providers>,
    /// Present if X-Ray's sampling rules are followed.
    polling: Option<Polling>,
    log_lines: Gathering,
}

/// Starts telemetry and installs the subscriber of this process. Log lines go to the standard output.
///
/// Blocks for a moment (on ECS until the task metadata has been read), so call it off the async threads. With the sampler
/// [`XRay`](crate::SamplerSetting::XRay), and unless exporting spans is turned off, a task of the current Tokio runtime
/// keeps the sampling rules up to date until the [shutdown](Telemetry::shutdown), or until the handle is dropped.
///
/// # Errors
/// When the log filter is invalid, a thread cannot be started, the process already has a subscriber, or there are
/// sampling rules to fetch and no Tokio runtime. An unreachable collector is not an error here: exports and fetching rules
/// fail later and are logged.
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
    #[expect(clippy::needless_pass_by_value, reason = "the caller has no more use for them")]
    pub fn build(
        settings: Settings,
        logs: impl Write + Send + 'static,
    ) -> Result<(Self, Dispatch), StartError> {
        let filter = log_filter(&settings.log_filter)?;
        let (providers, poller) = Providers::new(&settings.otel, resource(&settings))?;
        let output = Arc::new(Output::new(logs));
        let gathering = Gathering::start(&output)?;
        let log_lines = LogLines::new(&settings, output).with_filter(filter);
        let subscriber = Registry::default().with(spans_to(&providers.tracers)).with(log_lines);
        let dispatch = Dispatch::new(subscriber);
        let polling = poller.map(|poller| Polling::start(poller, &dispatch)).transpose()?;
        Ok((Self { providers: Arc::new(providers), polling, log_lines: gathering }, dispatch))
    }

    /// Returns the meter that creates every instrument of the process.
    #[must_use]
    pub fn meter(&self) -> Meter {
        self.providers.meters.meter(SCOPE)
    }

    /// Returns the departures of this process's spans and log lines.
    #[must_use]
    pub fn departures(&self) -> Departures {
        self.providers.departures.clone().with_lines(Arc::clone(self.log_lines.lines()))
    }

    /// Flushes pending telemetry and stops. Takes at most five seconds, even if the collector is unavailable, and
    /// blocks no async thread.
    ///
    /// # Errors
    /// When the collector does not accept everything in time, with the number of what is lost.
    pub async fn shutdown(mut self) -> Result<(), ShutdownError> {
        drop(self.polling.take());
        let (done, ended) = oneshot::channel::<()>();
        let providers = Arc::clone(&self.providers);
        // A plain thread rather than one of the runtime's blocking threads, for which the runtime waits when it ends.
        thread::Builder::new().name("telemetry-shutdown".to_owned()).spawn(move || {
            providers.end();
            drop(done);
        })?;
        // Whichever comes first: what has not been delivered by then is counted.
        drop(tokio::time::timeout(SHUTDOWN_TIMEOUT, ended).await);
        match (self.providers.losses.spans.take(), self.providers.losses.data_points.take()) {
            (0, 0) => Ok(()),
            (spans, data_points) => Err(ShutdownError::Lost { spans, data_points }),
        }
    }
}

impl Providers {
    /// Flushes metrics and spans in parallel, because each waits for the collector. What is not delivered in time is
    /// counted by those who lose it, and nothing else can fail.
    fn end(&self) {
        self.ending.begin(LAST_DELIVERIES);
        thread::scope(|scope| {
            scope.spawn(|| self.meters.shutdown_with_timeout(LAST_DELIVERIES));
            drop(self.tracers.shutdown_with_timeout(LAST_DELIVERIES));
        });
    }
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
