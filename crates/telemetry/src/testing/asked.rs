//! What the sampler knew of each span.

use std::sync::{Arc, Mutex, PoisonError};

use opentelemetry::trace::{Link, SpanKind};
use opentelemetry::{Context, KeyValue, TraceId};
use opentelemetry_sdk::trace::{SamplingResult, ShouldSample};

/// A sampler that notes the attributes of each span about which it decides.
#[derive(Clone, Debug)]
pub(super) struct Asked {
    sampler: Box<dyn ShouldSample>,
    pub(super) spans: Spans,
}

/// The spans, by name, with their attributes.
pub(super) type Spans = Arc<Mutex<Vec<(String, Vec<KeyValue>)>>>;

impl Asked {
    pub(super) fn of(sampler: Box<dyn ShouldSample>) -> Self {
        Self { sampler, spans: Spans::default() }
    }
}

impl ShouldSample for Asked {
    fn should_sample(
        &self,
        parent: Option<&Context>,
        trace_id: TraceId,
        name: &str,
        kind: &SpanKind,
        attributes: &[KeyValue],
        links: &[Link],
    ) -> SamplingResult {
        let span = (name.to_owned(), attributes.to_vec());
        self.spans.lock().unwrap_or_else(PoisonError::into_inner).push(span);
        self.sampler.should_sample(parent, trace_id, name, kind, attributes, links)
    }
}
