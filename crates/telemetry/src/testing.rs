//! Spans and log lines kept in memory, for tests of code that creates them.
//!
//! ```
//! # #[cfg(feature = "testing")] {
//! use telemetry::testing::Recorder;
//!
//! let recorder = Recorder::new();
//! recorder.run(|| tracing::info_span!("work", otel.name = "process members", otel.kind = "consumer").in_scope(|| {
//!     tracing::info!(attempt = 1, "event");
//! }));
//! assert_eq!(recorder.spans()[0].name, "process members");
//! assert_eq!(recorder.logs()[0]["attempt"], 1);
//! # }
//! ```

mod asked;

use std::io::{self, Write};
use std::sync::{Arc, LazyLock, Mutex, PoisonError};
use std::time::Duration;

use opentelemetry::{KeyValue, Value};
use opentelemetry_sdk::Resource;
use opentelemetry_sdk::error::OTelSdkResult;
use opentelemetry_sdk::trace::{Span, SpanData, SpanProcessor};
use tracing::Dispatch;
use tracing::instrument::WithSubscriber as _;
use tracing_subscriber::layer::SubscriberExt as _;
use tracing_subscriber::{Layer as _, Registry};

use self::asked::Asked;
use crate::hop::HopLines;
use crate::log_output::Output;
use crate::logs::LogLines;
use crate::providers::tracer_provider_with;
use crate::sampler::Sampling;
use crate::settings::{LogFormat, OtelSettings, SamplerSetting, Settings, log_filter};
use crate::start::spans_to;

/// A second subscriber, which keeps nothing. With a single one, `tracing` decides about a callsite on the thread that
/// reaches it first and caches the decision for all threads: a test without a recorder would disable the spans of a
/// concurrent test. With two subscribers, it queries both.
static ANOTHER: LazyLock<Dispatch> = LazyLock::new(|| Dispatch::new(Registry::default()));

/// The telemetry of a service that keeps spans and log lines in memory instead of sending them to the collector and to
/// standard output.
#[derive(Clone, Debug)]
pub struct Recorder {
    dispatch: Dispatch,
    spans: Finished,
    asked: asked::Spans,
    logs: Written,
}

impl Default for Recorder {
    fn default() -> Self {
        Self::new()
    }
}

impl Recorder {
    /// Creates a recorder of every trace that begins here, which respects the decisions of parents, and of log lines from
    /// `debug` up.
    #[must_use]
    pub fn new() -> Self {
        Self::with(&SamplerSetting::ParentBasedAlwaysOn, "debug")
    }

    /// Creates a recorder with a sampler and a log filter. It fetches no sampling rules.
    ///
    /// # Panics
    /// When the log filter is invalid.
    #[must_use]
    pub fn with(sampler: &SamplerSetting, filter: &str) -> Self {
        Self::with_hop_lines(sampler, filter, HopLines::All)
    }

    /// Does the same as [`with`](Self::with) with a choice of hop lines.
    ///
    /// # Panics
    /// When the log filter is invalid.
    #[must_use]
    pub fn with_hop_lines(sampler: &SamplerSetting, filter: &str, hop_lines: HopLines) -> Self {
        let settings = Settings {
            application: "test".to_owned(),
            environment: "test".to_owned(),
            service_name: "test".to_owned(),
            service_version: "0.0.0".to_owned(),
            revision: None,
            logs: LogFormat::Json,
            hop_lines,
            log_filter: filter.to_owned(),
            otel: OtelSettings::default(),
        };
        let Ok(filter) = log_filter(filter) else { panic!("log filter {filter:?} is wrong") };
        LazyLock::force(&ANOTHER);
        let (spans, logs) = (Finished::default(), Written::default());
        let resource = Resource::builder_empty().build();
        let sampler = Asked::of(Sampling::new(sampler, &resource).sampler);
        let asked = sampler.spans.clone();
        let tracers = tracer_provider_with(spans.clone(), Box::new(sampler), resource);
        let log_lines = LogLines::new(&settings, Arc::new(Output::new(logs.clone()))).with_filter(filter);
        let subscriber = Registry::default().with(spans_to(&tracers)).with(log_lines);
        Self { dispatch: Dispatch::new(subscriber), spans, asked, logs }
    }

    /// Runs `work` with this telemetry, on this thread.
    pub fn run<T>(&self, work: impl FnOnce() -> T) -> T {
        tracing::dispatcher::with_default(&self.dispatch, work)
    }

    /// Runs a future with this telemetry, on any thread. Tasks that it spawns are not covered: see
    /// [`Recorder::install`].
    pub async fn run_async<F: Future>(&self, work: F) -> F::Output {
        work.with_subscriber(self.dispatch.clone()).await
    }

    /// Installs this as the telemetry of the current thread until the guard is dropped. On a current-thread runtime (the
    /// default of `#[tokio::test]`) this covers spawned tasks too.
    #[must_use]
    pub fn install(&self) -> tracing::dispatcher::DefaultGuard {
        tracing::dispatcher::set_default(&self.dispatch)
    }

    /// Returns the subscriber.
    #[must_use]
    pub fn dispatch(&self) -> &Dispatch {
        &self.dispatch
    }

    /// Returns the sampled spans that have ended, in the order in which an exporter would receive them.
    #[must_use]
    pub fn spans(&self) -> Vec<SpanData> {
        self.spans.0.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Returns the span with this name.
    ///
    /// # Panics
    /// When there is none, or more than one.
    #[must_use]
    pub fn span(&self, name: &str) -> SpanData {
        let mut spans = self.spans();
        let names: Vec<_> = spans.iter().map(|span| span.name.clone()).collect();
        spans.retain(|span| span.name == name);
        assert_eq!(spans.len(), 1, "spans named {name:?} among {names:?}");
        spans.remove(0)
    }

    /// Returns the attributes that a span had when the sampler decided about it, which are those that sampling rules can
    /// match, whether it was sampled or not.
    ///
    /// # Panics
    /// When there is no span with this name, or more than one.
    #[must_use]
    pub fn sampled_by(&self, name: &str) -> Vec<KeyValue> {
        let mut spans = self.all_sampled_by(name);
        assert_eq!(spans.len(), 1, "decisions about spans named {name:?}");
        spans.remove(0)
    }

    /// Returns the same for each span with this name, in the order in which they started.
    #[must_use]
    pub fn all_sampled_by(&self, name: &str) -> Vec<Vec<KeyValue>> {
        let asked = self.asked.lock().unwrap_or_else(PoisonError::into_inner);
        asked.iter().filter(|(of, _)| of == name).map(|(_, attributes)| attributes.clone()).collect()
    }

    /// Returns the log lines written so far.
    ///
    /// # Panics
    /// When a line is not JSON.
    #[must_use]
    pub fn logs(&self) -> Vec<serde_json::Value> {
        let written = self.logs.0.lock().unwrap_or_else(PoisonError::into_inner).clone();
        written
            .split(|byte| *byte == b'\n')
            .filter(|line| !line.is_empty())
            .map(|line| match serde_json::from_slice(line) {
                Ok(value) => value,
                Err(error) => panic!("a log line is not JSON: {error}"),
            })
            .collect()
    }
}

/// Returns the value of a span's attribute; the last one of that key wins, as in an exporter.
#[must_use]
pub fn attribute<'a>(span: &'a SpanData, key: &str) -> Option<&'a Value> {
    span.attributes.iter().rev().find(|attribute| attribute.key.as_str() == key).map(|found| &found.value)
}

/// Finished spans.
#[derive(Clone, Debug, Default)]
struct Finished(Arc<Mutex<Vec<SpanData>>>);

impl SpanProcessor for Finished {
    fn on_start(&self, _: &mut Span, _: &opentelemetry::Context) {}

    fn on_end(&self, span: SpanData) {
        if span.span_context.is_sampled() {
            self.0.lock().unwrap_or_else(PoisonError::into_inner).push(span);
        }
    }

    fn force_flush(&self) -> OTelSdkResult {
        Ok(())
    }

    fn shutdown_with_timeout(&self, _: Duration) -> OTelSdkResult {
        Ok(())
    }
}

/// Written log lines.
#[derive(Clone, Debug, Default)]
struct Written(Arc<Mutex<Vec<u8>>>);

impl Write for Written {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}
