//! The configuration, in the form of AWS's distributions of OpenTelemetry.

use std::time::Duration;

use serde::Deserialize;
use thiserror::Error;

use super::condition::{Condition, Pattern};

/// The longest configuration that is read, in bytes.
const MAX_LENGTH: usize = 64 * 1024;

/// The most conditions, and the most operations of one.
const MAX_ENTRIES: usize = 100;

/// What is anomalous, and how much of it is captured.
///
/// It is YAML, as AWS's distributions of OpenTelemetry for Java and Python read it from
/// `AWS_XRAY_ADAPTIVE_SAMPLING_CONFIG`
/// (<https://docs.aws.amazon.com/xray/latest/devguide/xray-adaptive-sampling.html>):
///
/// ```
/// let config: xray_sampler::AdaptiveSampling = r#"
/// version: 1.0
/// anomalyConditions:
///   - errorCodeRegex: "^5\\d\\d$"
///   - operations: ["POST /v1"]
///     highLatencyMs: 300
///     usage: anomaly-trace-capture
/// anomalyCaptureLimit:
///   anomalyTracesPerSecond: 2
/// "#
/// .parse()?;
/// # Ok::<(), xray_sampler::InvalidAdaptiveSampling>(())
/// ```
///
/// Without `anomalyConditions`, a status of 500 or more is anomalous, and an error where there is no HTTP status. An empty
/// list means that nothing is. Within a condition, `errorCodeRegex` and `highLatencyMs` must both hold if both are there.
/// The limit is one trace per second by default.
///
/// A condition with `usage: sampling-boost` or `anomaly-trace-capture` counts for that only.
#[derive(Clone, Debug, PartialEq)]
pub struct AdaptiveSampling {
    /// The conditions for a capture; `None` stands for the default.
    pub(super) for_capture: Option<Vec<Condition>>,
    /// The conditions for a boost, likewise.
    pub(super) for_boost: Option<Vec<Condition>>,
    /// The limit of captured traces per second.
    pub(super) traces_per_second: u32,
}

/// An invalid configuration.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum InvalidAdaptiveSampling {
    /// It is not YAML of the expected form.
    #[error("expected YAML with version, anomalyConditions and anomalyCaptureLimit: {0}")]
    Form(String),
    /// It is longer than 64 KiB, or has more than 100 conditions or operations.
    #[error("expected at most 65536 bytes and 100 conditions with 100 operations each")]
    TooLong,
    /// The version is another one.
    #[error("expected version 1.0")]
    Version,
    /// A condition has neither `errorCodeRegex` nor `highLatencyMs`.
    #[error("a condition needs errorCodeRegex or highLatencyMs")]
    EmptyCondition,
    /// An `errorCodeRegex` is not a regular expression.
    #[error("errorCodeRegex: {0}")]
    Pattern(#[from] regex_lite::Error),
}

/// The YAML document.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct Document {
    version: f64,
    anomaly_conditions: Option<Vec<WrittenCondition>>,
    #[serde(default)]
    anomaly_capture_limit: WrittenLimit,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct WrittenCondition {
    error_code_regex: Option<String>,
    operations: Option<Vec<String>>,
    high_latency_ms: Option<u64>,
    #[serde(default)]
    usage: Usage,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct WrittenLimit {
    anomaly_traces_per_second: u32,
}

impl Default for WrittenLimit {
    fn default() -> Self {
        Self { anomaly_traces_per_second: 1 }
    }
}

/// What a condition is for.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
enum Usage {
    #[default]
    Both,
    SamplingBoost,
    AnomalyTraceCapture,
}

impl std::str::FromStr for AdaptiveSampling {
    type Err = InvalidAdaptiveSampling;

    fn from_str(yaml: &str) -> Result<Self, Self::Err> {
        if yaml.len() > MAX_LENGTH {
            return Err(InvalidAdaptiveSampling::TooLong);
        }
        let document: Document = serde_saphyr::from_str(yaml)
            .map_err(|error| InvalidAdaptiveSampling::Form(first_line(&error)))?;
        if !(1.0..2.0).contains(&document.version) {
            return Err(InvalidAdaptiveSampling::Version);
        }
        let written = document.anomaly_conditions;
        if written.as_ref().is_some_and(|written| written.len() > MAX_ENTRIES) {
            return Err(InvalidAdaptiveSampling::TooLong);
        }
        let read = |one: WrittenCondition| Ok::<_, Self::Err>((one.usage, one.read()?));
        let conditions: Option<Vec<_>> =
            written.map(|written| written.into_iter().map(read).collect::<Result<_, _>>()).transpose()?;
        let all_but = |other: Usage| {
            let conditions = conditions.as_ref()?.iter().filter(|(usage, _)| *usage != other);
            Some(conditions.map(|(_, condition)| condition.clone()).collect())
        };
        Ok(Self {
            for_capture: all_but(Usage::SamplingBoost),
            for_boost: all_but(Usage::AnomalyTraceCapture),
            traces_per_second: document.anomaly_capture_limit.anomaly_traces_per_second,
        })
    }
}

impl WrittenCondition {
    fn read(self) -> Result<Condition, InvalidAdaptiveSampling> {
        if self.error_code_regex.is_none() && self.high_latency_ms.is_none() {
            return Err(InvalidAdaptiveSampling::EmptyCondition);
        }
        if self.operations.as_ref().is_some_and(|operations| operations.len() > MAX_ENTRIES) {
            return Err(InvalidAdaptiveSampling::TooLong);
        }
        Ok(Condition {
            status: self.error_code_regex.map(|pattern| Pattern::new(&pattern)).transpose()?,
            operations: self.operations,
            slower_than: self.high_latency_ms.map(Duration::from_millis),
        })
    }
}

/// The parser's message continues with the place in the document.
fn first_line(error: &serde_saphyr::Error) -> String {
    error.to_string().lines().next().unwrap_or_default().to_owned()
}

#[cfg(test)]
mod tests;
