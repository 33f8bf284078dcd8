//! What can be configured.

use std::time::Duration;

/// Settings of an [`Engine`](crate::Engine); the defaults suit a laptop.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Settings {
    /// How many entries an operation that lists puts on a page: `GetTraceSummaries`, `GetGroups`, `GetSamplingRules`, …
    /// Samplers read only the first page of rules, of which there are up to 26.
    pub page_size: usize,
    /// The AWS Region in ARNs.
    pub region: String,
    /// The AWS account in ARNs.
    pub account_id: String,
    /// Attributes that become annotations on every span, like `indexed_attributes` of the exporter. The keys of resource
    /// attributes are prefixed: `otel.resource.<key>`.
    pub indexed_attributes: Vec<String>,
    /// How far from now a segment may have started, in the past or the future. X-Ray keeps traces for 30 days
    /// (<https://docs.aws.amazon.com/xray/latest/devguide/xray-concepts.html#xray-concepts-traces>), so a start beyond
    /// that is one in the wrong unit or of a wrong clock.
    pub retention: Duration,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            page_size: 100,
            region: "eu-central-1".to_owned(),
            account_id: "000000000000".to_owned(),
            indexed_attributes: Vec::new(),
            retention: Duration::from_hours(30 * 24),
        }
    }
}
