//! What can be configured.

/// Settings of an [`Engine`](crate::Engine); the defaults suit a laptop.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Settings {
    /// How many summaries `GetTraceSummaries` puts on a page.
    pub page_size: usize,
    /// Attributes that become annotations on every span, like `indexed_attributes` of the exporter. The keys of resource
    /// attributes are prefixed: `otel.resource.<key>`.
    pub indexed_attributes: Vec<String>,
}

impl Default for Settings {
    fn default() -> Self {
        Self { page_size: 100, indexed_attributes: Vec::new() }
    }
}
