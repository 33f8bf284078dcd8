//! A sampling rule.

use std::sync::Arc;

use crate::glob::Glob;

/// The name of the rule that exists in every account and applies to requests that match no other.
const DEFAULT: &str = "Default";

/// A sampling rule with parsed patterns. Equal rules make equal decisions.
///
/// Source: <https://docs.aws.amazon.com/xray/latest/api/API_SamplingRule.html>.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Rule {
    pub(crate) name: Arc<str>,
    /// Rules with lower values are evaluated first.
    pub(crate) priority: i64,
    /// The share of traces beyond the reservoir, between 0 and 1.
    pub(crate) fixed_rate: f64,
    /// The traces per second that all services record together before the fixed rate applies.
    pub(crate) reservoir_size: u32,
    pub(crate) service_name: Glob,
    pub(crate) service_type: Glob,
    pub(crate) resource_arn: Glob,
    pub(crate) host: Glob,
    pub(crate) http_method: Glob,
    pub(crate) url_path: Glob,
    /// Span attributes by key, all of which must match.
    pub(crate) attributes: Vec<(String, Glob)>,
    /// Which anomalies are reported, if X-Ray may boost the rate.
    pub(crate) boost: Option<Detection>,
}

/// Which traces of a rule are anomalous.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Detection {
    /// Faults, unless the configuration has conditions.
    Default,
    /// Only what meets a condition of the configuration (`DisableDefaultAnomalyDetection`).
    ByConditions,
}

impl Rule {
    /// Returns whether this is the Default rule, which matches every request whatever its patterns.
    pub(crate) fn is_default(&self) -> bool {
        &*self.name == DEFAULT
    }

    /// Returns the key that sorts rules in the order of evaluation: by priority, then by name. The Default rule comes
    /// last whatever its priority, because no rule after it would ever be reached.
    pub(crate) fn order(&self) -> (bool, i64, Arc<str>) {
        (self.is_default(), self.priority, self.name.clone())
    }
}
