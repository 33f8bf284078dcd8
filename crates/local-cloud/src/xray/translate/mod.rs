//! OpenTelemetry spans as X-Ray documents, by the rules of the AWS collector's `awsxray` exporter.
//!
//! What a team sees here is what it will see in X-Ray behind a collector, so the rules are the exporter's even where one
//! would wish for others; they were read in and tried against version 0.156 of
//! <https://github.com/open-telemetry/opentelemetry-collector-contrib/tree/main/exporter/awsxrayexporter>. In short:
//! SERVER and CONSUMER spans and those without a parent are segments, all others subsegments; calls of the AWS SDK
//! (`rpc.system=aws-api`) are recognised and named after the service called.

mod attributes;
mod aws;
mod cause;
mod http;
mod name;
mod names;
mod older;
mod search;
mod sql;

use std::time::Duration;

use ::xray::{Segment, SegmentId, Service, TraceId};
use opentelemetry_proto::tonic::trace::v1::Span;
use opentelemetry_proto::tonic::trace::v1::span::{Link, SpanKind};
use opentelemetry_semantic_conventions::attribute;
use thiserror::Error;

pub(super) use self::attributes::Attributes;

/// Why a span cannot become a document.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
pub(super) enum Untranslatable {
    #[error("the trace id is not 16 bytes with one of them set")]
    TraceId,
    #[error("the span id is not 8 bytes with one of them set")]
    SpanId,
    #[error("a link has a trace id or span id that is not one")]
    Link,
}

/// A span and what is looked up in it again and again.
struct Source<'a> {
    span: &'a Span,
    kind: SpanKind,
    attributes: Attributes,
    resource: &'a Attributes,
    /// Keys that become annotations wherever they are found.
    indexed: &'a [String],
    trace_id: TraceId,
    id: SegmentId,
    parent_id: Option<SegmentId>,
}

/// The documents of a span: one, or two for a local root that is at the same time a call to another service.
pub(super) fn documents(
    span: &Span,
    resource: &Attributes,
    indexed: &[String],
) -> Result<Vec<Segment>, Untranslatable> {
    let source = Source {
        span,
        kind: span.kind(),
        attributes: Attributes::new(&span.attributes),
        resource,
        indexed,
        trace_id: trace_id(&span.trace_id).ok_or(Untranslatable::TraceId)?,
        id: span_id(&span.span_id).ok_or(Untranslatable::SpanId)?,
        parent_id: span_id(&span.parent_span_id),
    };
    if source.attributes.text(names::SPAN_KIND) != Some(names::LOCAL_ROOT) {
        return Ok(vec![source.document()?]);
    }
    if matches!(source.kind, SpanKind::Server | SpanKind::Internal) {
        let mut segment = source.document()?;
        segment.set_subsegment(false);
        segment.namespace = None;
        return Ok(vec![segment]);
    }
    source.service_and_dependency()
}

impl Source<'_> {
    /// The one document of an ordinary span.
    fn document(&self) -> Result<Segment, Untranslatable> {
        let subsegment =
            !matches!(self.kind, SpanKind::Server | SpanKind::Consumer) && self.parent_id.is_some();
        // Each block takes out the attributes it shows; what is left becomes annotations and metadata.
        let mut left = self.attributes.clone();
        let in_progress = left.take_flag(names::IN_PROGRESS).unwrap_or(false);
        let http = http::take(&mut left, self.span, self.kind);
        let cause = cause::take(&mut left, self);
        let aws = aws::take(&mut left, self.resource);
        let sql = sql::take(&mut left, &self.span.name);
        for key in self.indexed {
            left.restore(key, &self.attributes);
        }
        let found = search::take(left, self.resource, !subsegment, self.indexed);

        let mut segment = Segment {
            trace_id: Some(self.trace_id),
            parent_id: self.parent_id,
            end_time: (!in_progress).then(|| seconds(self.span.end_time_unix_nano)),
            in_progress: in_progress.then_some(true),
            namespace: self.namespace(),
            origin: aws::origin(self.resource).map(str::to_owned),
            user: found.user,
            service: self.service(),
            http,
            aws,
            sql,
            error: Some(cause.error),
            throttle: Some(cause.throttle),
            fault: Some(cause.fault),
            cause: cause.cause,
            annotations: found.annotations,
            metadata: found.metadata,
            links: self.span.links.iter().map(link).collect::<Option<_>>().ok_or(Untranslatable::Link)?,
            ..Segment::new(name::of(self), self.id, seconds(self.span.start_time_unix_nano))
        };
        segment.set_subsegment(subsegment);
        Ok(segment)
    }

    /// A segment for the service itself, under a new id, and in it a subsegment for the service it called, which keeps
    /// the span's id, so that the span's children hang from it.
    fn service_and_dependency(&self) -> Result<Vec<Segment>, Untranslatable> {
        let service_id = new_id();
        let consumer = self.kind == SpanKind::Consumer;

        let mut dependency = self.with(self.id, Some(service_id), self.attributes.clone()).document()?;
        dependency.set_subsegment(true);
        dependency.namespace.get_or_insert_with(|| names::REMOTE.to_owned());
        if consumer {
            dependency.links.clear();
        }
        if let Some(remote) = self.attributes.text(names::REMOTE_SERVICE) {
            name::trimmed(remote, &self.attributes).clone_into(&mut dependency.name);
        }

        let attributes = self.attributes.without(&names::OF_THE_REMOTE_SERVICE);
        let mut service = self.with(service_id, self.parent_id, attributes).document()?;
        service.set_subsegment(false);
        service.namespace = None;
        service.http = None;
        if let Some(aws) = &mut service.aws {
            aws::forget_call(aws);
        }
        search::keep_resource_only(&mut service.metadata);
        if !consumer {
            service.links.clear();
        }
        let own = self.attributes.text(names::LOCAL_SERVICE);
        if let Some(own) = own.or_else(|| self.resource.text(attribute::SERVICE_NAME)) {
            own.clone_into(&mut service.name);
        }
        Ok(vec![dependency, service])
    }

    fn with(&self, id: SegmentId, parent_id: Option<SegmentId>, attributes: Attributes) -> Source<'_> {
        Source { attributes, id, parent_id, ..*self }
    }

    fn is_aws_call(&self) -> bool {
        name::is_aws_call(&self.attributes)
    }

    fn namespace(&self) -> Option<String> {
        if self.is_aws_call() || name::is_named_by_aws_service(self) {
            Some(names::AWS.to_owned())
        } else {
            matches!(self.kind, SpanKind::Client | SpanKind::Producer).then(|| names::REMOTE.to_owned())
        }
    }

    fn service(&self) -> Option<Service> {
        let version = self
            .resource
            .text(attribute::SERVICE_VERSION)
            .or_else(|| self.resource.text(names::IMAGE_TAG))?;
        Some(Service { version: Some(version.to_owned()), ..Service::default() })
    }
}

fn trace_id(bytes: &[u8]) -> Option<TraceId> {
    let bytes: [u8; 16] = bytes.try_into().ok()?;
    (bytes != [0; 16]).then(|| TraceId::from_bytes(bytes))
}

fn span_id(bytes: &[u8]) -> Option<SegmentId> {
    let bytes: [u8; 8] = bytes.try_into().ok()?;
    (bytes != [0; 8]).then(|| SegmentId::from_bytes(bytes))
}

fn link(link: &Link) -> Option<::xray::Link> {
    Some(::xray::Link {
        trace_id: trace_id(&link.trace_id)?,
        id: span_id(&link.span_id)?,
        attributes: Attributes::new(&link.attributes).to_json(),
    })
}

/// A new id for a segment or an exception.
fn new_id() -> SegmentId {
    SegmentId::from_bytes(rand::random::<u64>().max(1).to_be_bytes())
}

/// Epoch nanoseconds as X-Ray's epoch seconds, to the quarter of a microsecond that a 64-bit float holds. (The exporter
/// rounds twice and can be another quarter off.)
fn seconds(nanoseconds: u64) -> f64 {
    Duration::from_nanos(nanoseconds).as_secs_f64()
}

#[cfg(test)]
pub(super) mod tests;
