//! The settings of telemetry, and how they are read from the standard `OTEL_*` variables.
//!
//! Names and defaults: <https://opentelemetry.io/docs/specs/otel/configuration/sdk-environment-variables/> and
//! <https://opentelemetry.io/docs/specs/otel/protocol/exporter/>.

mod reader;
mod sampler;

use std::fmt;
use std::str::FromStr;
use std::time::Duration;

use opentelemetry_sdk::metrics::Temporality;
use thiserror::Error;
use tracing_subscriber::EnvFilter;

use self::reader::{Reader, is_plain_http};
use crate::hop::HopLines;

pub use self::reader::InvalidSetting;
pub use self::sampler::{RulesSetting, SamplerSetting};

/// Everything [`start`](crate::start) needs.
#[derive(Clone, Debug)]
pub struct Settings {
    /// The system the service belongs to, the same for all its services.
    pub application: String,
    /// The environment (`local`, `prod`): `deployment.environment.name`.
    pub environment: String,
    /// `service.name`, which is also the name of the service's node in X-Ray. `OTEL_SERVICE_NAME` overrides it.
    pub service_name: String,
    /// `service.version`.
    pub service_version: String,
    /// The commit the service was built from: `vcs.ref.head.revision`.
    pub revision: Option<String>,
    /// The format of log lines.
    pub logs: LogFormat,
    /// For which events there is a hop line.
    pub hop_lines: HopLines,
    /// Which events become log lines, in the syntax of `RUST_LOG`. It does not affect spans.
    pub log_filter: String,
    /// Sampling and export.
    pub otel: OtelSettings,
}

/// The format of a log line.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum LogFormat {
    /// One JSON object per line, for CloudWatch Logs.
    #[default]
    Json,
    /// Readable text, for a terminal.
    Text,
}

impl FromStr for LogFormat {
    type Err = UnknownLogFormat;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        match text {
            "json" => Ok(Self::Json),
            "text" => Ok(Self::Text),
            _ => Err(UnknownLogFormat),
        }
    }
}

/// A log format other than `json` and `text`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
#[error("expected json or text")]
pub struct UnknownLogFormat;

/// Sampling and export, as set by the `OTEL_*` variables.
#[derive(Clone, Debug, PartialEq)]
pub struct OtelSettings {
    /// `OTEL_SERVICE_NAME`.
    pub service_name: Option<String>,
    /// `OTEL_RESOURCE_ATTRIBUTES`, decoded.
    pub resource_attributes: Vec<(String, String)>,
    /// The full URL that spans are sent to (`OTEL_EXPORTER_OTLP_TRACES_ENDPOINT`, or `OTEL_EXPORTER_OTLP_ENDPOINT` with
    /// `/v1/traces` appended); `None` with `OTEL_TRACES_EXPORTER=none` or `OTEL_SDK_DISABLED=true`.
    pub traces_endpoint: Option<String>,
    /// The full URL that metrics are sent to, set in the same way.
    pub metrics_endpoint: Option<String>,
    /// `OTEL_EXPORTER_OTLP_TIMEOUT` in milliseconds: the limit for one export.
    pub export_timeout: Duration,
    /// `OTEL_TRACES_SAMPLER` with `OTEL_TRACES_SAMPLER_ARG`.
    pub sampler: SamplerSetting,
    /// `OTEL_BSP_SCHEDULE_DELAY` in milliseconds: the longest wait of a finished span for the first span of its process.
    /// Batches are at least a fortieth of it apart.
    pub schedule_delay: Duration,
    /// `OTEL_BSP_MAX_QUEUE_SIZE`: finished spans in memory; those that end beyond it are lost.
    pub max_queue_size: usize,
    /// `OTEL_BSP_MAX_EXPORT_BATCH_SIZE`.
    pub max_export_batch_size: usize,
    /// `OTEL_METRIC_EXPORT_INTERVAL` in milliseconds.
    pub metric_interval: Duration,
    /// `OTEL_EXPORTER_OTLP_METRICS_TEMPORALITY_PREFERENCE`: whether values accumulate since the start (for Prometheus)
    /// or since the last export (for CloudWatch).
    pub metric_temporality: Temporality,
    /// `OTEL_EXPORTER_OTLP_METRICS_DEFAULT_HISTOGRAM_AGGREGATION`.
    pub histograms: HistogramSetting,
    /// Whether the base address of the ECS task metadata (`ECS_CONTAINER_METADATA_URI_V4`) is known, so that the
    /// resource can describe the task and its container.
    pub on_ecs: bool,
}

impl Default for OtelSettings {
    fn default() -> Self {
        Self {
            service_name: None,
            resource_attributes: Vec::new(),
            traces_endpoint: Some(format!("{DEFAULT_ENDPOINT}/v1/traces")),
            metrics_endpoint: Some(format!("{DEFAULT_ENDPOINT}/v1/metrics")),
            export_timeout: Duration::from_secs(10),
            sampler: SamplerSetting::default(),
            schedule_delay: Duration::from_millis(200),
            max_queue_size: 16_384,
            max_export_batch_size: 512,
            metric_interval: Duration::from_mins(1),
            metric_temporality: Temporality::Cumulative,
            histograms: HistogramSetting::default(),
            on_ecs: false,
        }
    }
}

const DEFAULT_ENDPOINT: &str = "http://localhost:4318";

/// The kind of histograms.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum HistogramSetting {
    /// `explicit_bucket_histogram` (the default): each instrument has its bounds. Every Prometheus accepts this kind.
    #[default]
    ExplicitBuckets,
    /// `base2_exponential_bucket_histogram`: the bounds follow the values. The collector's `awsemf` exporter needs this
    /// kind to write values and counts, without which CloudWatch has no percentiles.
    Exponential,
}

impl OtelSettings {
    /// Reads the variables through `lookup`.
    ///
    /// # Errors
    /// All variables with an invalid value.
    pub fn read(lookup: impl Fn(&str) -> Option<String>) -> Result<Self, Vec<InvalidSetting>> {
        let mut reader = Reader { lookup, problems: Vec::new() };
        let default = Self::default();
        let disabled = reader.one_of("OTEL_SDK_DISABLED", &["true", "false"]).as_deref() == Some("true");
        let traces = reader.one_of("OTEL_TRACES_EXPORTER", &["otlp", "none"]).as_deref() != Some("none");
        let metrics = reader.one_of("OTEL_METRICS_EXPORTER", &["otlp", "none"]).as_deref() != Some("none");
        reader.one_of("OTEL_EXPORTER_OTLP_PROTOCOL", &["http/protobuf"]);
        let traces_endpoint = reader.endpoint("OTEL_EXPORTER_OTLP_TRACES_ENDPOINT", "/v1/traces");
        let metrics_endpoint = reader.endpoint("OTEL_EXPORTER_OTLP_METRICS_ENDPOINT", "/v1/metrics");
        let settings = Self {
            service_name: reader.get("OTEL_SERVICE_NAME"),
            resource_attributes: reader.resource_attributes(),
            traces_endpoint: (traces && !disabled).then_some(traces_endpoint),
            metrics_endpoint: (metrics && !disabled).then_some(metrics_endpoint),
            export_timeout: reader.milliseconds("OTEL_EXPORTER_OTLP_TIMEOUT", default.export_timeout),
            sampler: reader.sampler(),
            schedule_delay: reader.milliseconds("OTEL_BSP_SCHEDULE_DELAY", default.schedule_delay),
            max_queue_size: reader.count("OTEL_BSP_MAX_QUEUE_SIZE", default.max_queue_size),
            max_export_batch_size: reader
                .count("OTEL_BSP_MAX_EXPORT_BATCH_SIZE", default.max_export_batch_size),
            metric_interval: reader.milliseconds("OTEL_METRIC_EXPORT_INTERVAL", default.metric_interval),
            metric_temporality: reader.temporality(),
            histograms: reader.histograms(),
            on_ecs: reader.get("ECS_CONTAINER_METADATA_URI_V4").is_some(),
        };
        if reader.problems.is_empty() { Ok(settings) } else { Err(reader.problems) }
    }
}

impl<F: Fn(&str) -> Option<String>> Reader<F> {
    /// Returns the full URL of one signal.
    fn endpoint(&mut self, variable: &'static str, path: &str) -> String {
        const BASE: &str = "OTEL_EXPORTER_OTLP_ENDPOINT";
        let (variable, endpoint) = match (self.get(variable), self.get(BASE)) {
            (Some(own), _) => (variable, own),
            (None, Some(base)) => (BASE, format!("{}{path}", base.trim_end_matches('/'))),
            (None, None) => (BASE, format!("{DEFAULT_ENDPOINT}{path}")),
        };
        if !is_plain_http(&endpoint) && !self.problems.iter().any(|problem| problem.variable == variable) {
            self.problem(variable, "expected an address such as http://localhost:4318 (plain http)");
        }
        endpoint
    }

    fn temporality(&mut self) -> Temporality {
        const PREFERENCE: &str = "OTEL_EXPORTER_OTLP_METRICS_TEMPORALITY_PREFERENCE";
        match self.one_of(PREFERENCE, &["cumulative", "delta", "lowmemory"]).as_deref() {
            Some("delta") => Temporality::Delta,
            Some("lowmemory") => Temporality::LowMemory,
            _ => Temporality::Cumulative,
        }
    }

    fn histograms(&mut self) -> HistogramSetting {
        const AGGREGATION: &str = "OTEL_EXPORTER_OTLP_METRICS_DEFAULT_HISTOGRAM_AGGREGATION";
        const EXPONENTIAL: &str = "base2_exponential_bucket_histogram";
        match self.one_of(AGGREGATION, &["explicit_bucket_histogram", EXPONENTIAL]).as_deref() {
            Some(EXPONENTIAL) => HistogramSetting::Exponential,
            _ => HistogramSetting::ExplicitBuckets,
        }
    }

    /// Parses comma-separated `key=value` pairs with percent-encoded values
    /// (<https://opentelemetry.io/docs/specs/otel/resource/sdk/#specifying-resource-information-via-an-environment-variable>).
    fn resource_attributes(&mut self) -> Vec<(String, String)> {
        const ATTRIBUTES: &str = "OTEL_RESOURCE_ATTRIBUTES";
        let Some(list) = self.get(ATTRIBUTES) else { return Vec::new() };
        let mut attributes = Vec::new();
        for pair in list.split(',').map(str::trim).filter(|pair| !pair.is_empty()) {
            let decoded = pair.split_once('=').and_then(|(key, value)| {
                let key = key.trim();
                (!key.is_empty()).then_some(())?;
                Some((key.to_owned(), percent_decoded(value.trim())?))
            });
            let Some(attribute) = decoded else {
                self.problem(ATTRIBUTES, "expected comma-separated key=value pairs");
                break;
            };
            attributes.push(attribute);
        }
        attributes
    }
}

fn percent_decoded(text: &str) -> Option<String> {
    let mut bytes = text.bytes();
    let mut decoded = Vec::with_capacity(text.len());
    while let Some(byte) = bytes.next() {
        if byte == b'%' {
            let high = char::from(bytes.next()?).to_digit(16)?;
            let low = char::from(bytes.next()?).to_digit(16)?;
            decoded.push(u8::try_from(high * 16 + low).ok()?);
        } else {
            decoded.push(byte);
        }
    }
    String::from_utf8(decoded).ok()
}

impl Settings {
    /// Checks a log filter without starting anything.
    ///
    /// # Errors
    /// When it is not in the syntax of `RUST_LOG`.
    pub fn check_log_filter(filter: &str) -> Result<(), InvalidLogFilter> {
        log_filter(filter).map(drop)
    }
}

/// A log filter that is not in the syntax of `RUST_LOG`.
#[derive(Debug, Error)]
#[error("expected directives such as info,membership=debug: {0}")]
pub struct InvalidLogFilter(#[from] tracing_subscriber::filter::ParseError);

/// Builds the filter of log lines. It omits OpenTelemetry's internal events: the exporter's wrapper reports failed
/// exports at a limited rate, and the rest is meant for OpenTelemetry's developers. A directive for the target
/// `opentelemetry` includes them again.
pub(crate) fn log_filter(filter: &str) -> Result<EnvFilter, InvalidLogFilter> {
    Ok(EnvFilter::builder().parse(format!("opentelemetry=off,{filter}"))?)
}

impl fmt::Display for LogFormat {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(match self {
            Self::Json => "json",
            Self::Text => "text",
        })
    }
}

#[cfg(test)]
mod tests;
