//! The span being translated.

use opentelemetry_proto::tonic::trace::v1::Span;
use opentelemetry_proto::tonic::trace::v1::span::SpanKind;
use thiserror::Error;
use xray::{SegmentId, TraceId};

use super::ids::{span_id, trace_id};
use super::{Attributes, deprecated, keys};

/// Why a span cannot become a document.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
pub(crate) enum Untranslatable {
    #[error("the trace id is not 16 bytes, or is all zeros")]
    TraceId,
    #[error("the span id is not 8 bytes, or is all zeros")]
    SpanId,
    #[error("a link has an invalid trace id or span id")]
    Link,
}

/// A span with its attributes by key and its ids in X-Ray's types.
pub(super) struct Source<'a> {
    pub(super) span: &'a Span,
    pub(super) kind: SpanKind,
    pub(super) attributes: Attributes<'a>,
    pub(super) resource: &'a Attributes<'a>,
    /// Keys that become annotations wherever they occur.
    pub(super) indexed: &'a [String],
    pub(super) trace_id: TraceId,
    pub(super) id: SegmentId,
    pub(super) parent_id: Option<SegmentId>,
}

impl<'a> Source<'a> {
    pub(super) fn new(
        span: &'a Span,
        resource: &'a Attributes<'a>,
        indexed: &'a [String],
    ) -> Result<Self, Untranslatable> {
        Ok(Self {
            span,
            kind: span.kind(),
            attributes: Attributes::of(&span.attributes),
            resource,
            indexed,
            trace_id: trace_id(&span.trace_id).ok_or(Untranslatable::TraceId)?,
            id: span_id(&span.span_id).ok_or(Untranslatable::SpanId)?,
            parent_id: span_id(&span.parent_span_id),
        })
    }

    /// Returns the same span under other ids and with other attributes.
    pub(super) fn with(
        &self,
        id: SegmentId,
        parent_id: Option<SegmentId>,
        attributes: Attributes<'a>,
    ) -> Self {
        Source { attributes, id, parent_id, ..*self }
    }

    /// Whether the span is a call of the AWS SDK. Only the deprecated attribute counts, as in the exporter.
    pub(super) fn is_aws_call(&self) -> bool {
        self.attributes.text(deprecated::RPC_SYSTEM) == Some(keys::AWS_API)
    }
}
