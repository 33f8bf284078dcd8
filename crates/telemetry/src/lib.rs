//! Telemetry of a service: OpenTelemetry traces and metrics for X-Ray and CloudWatch, and a JSON log line per event.
//!
//! [`start`] reads nothing from the process environment: it takes [`Settings`], installs the `tracing` subscriber and
//! returns an owned [`Telemetry`] handle, which flushes on every way out. Spans are `tracing` spans whose callsite
//! declares `otel.kind` or `otel.name`; no other span is exported, and the log filter does not affect spans.
//!
//! ```no_run
//! use telemetry::hop::HopLines;
//! use telemetry::{LogFormat, OtelSettings, Settings};
//!
//! # async fn example() -> Result<(), Box<dyn std::error::Error>> {
//! let telemetry = telemetry::start(Settings {
//!     application: "foostore".into(),
//!     environment: "local".into(),
//!     service_name: "membership".into(),
//!     service_version: "0.1.0".into(),
//!     revision: None,
//!     logs: LogFormat::Json,
//!     hop_lines: HopLines::All,
//!     log_filter: "info".into(),
//!     otel: OtelSettings::default(),
//! })?;
//! let span = tracing::info_span!("process", otel.name = "process members", otel.kind = "consumer");
//! span.in_scope(|| tracing::info!(customer_number = "123456789012", "event"));
//! drop(span);
//! telemetry.shutdown().await?;
//! # Ok(())
//! # }
//! ```

pub mod attributes;
pub mod bounds;
pub mod context;
mod error;
mod export;
pub mod hop;
pub mod http_call;
mod log_line;
mod log_output;
mod logs;
mod processor;
mod providers;
mod resource;
mod rules;
mod sampler;
mod settings;
pub mod span_id;
mod start;
#[cfg(any(test, feature = "testing"))]
pub mod testing;

pub use error::{ShutdownError, StartError};
pub use export::{Departure, Departures};
pub use settings::{
    HistogramSetting, InvalidSetting, LogFormat, OtelSettings, RulesSetting, SamplerSetting, Settings,
};
pub use start::{Telemetry, start};
pub use xray_sampler::AdaptiveSampling;
