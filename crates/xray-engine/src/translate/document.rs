//! One or two documents from a span.

use opentelemetry_proto::tonic::trace::v1::Span;
use opentelemetry_proto::tonic::trace::v1::span::{Link, SpanKind};
use opentelemetry_semantic_conventions::attribute;
use xray::{Segment, Service};

use super::ids::{new_id, seconds, span_id, trace_id};
use super::source::{Source, Untranslatable};
use super::{Attributes, annotations, aws, cause, http, keys, name, sql};

/// Translates a span into one document, or into two if it is a local root that is itself a call to another service.
pub(crate) fn documents(
    span: &Span,
    resource: &Attributes<'_>,
    indexed: &[String],
) -> Result<Vec<Segment>, Untranslatable> {
    let source = Source::new(span, resource, indexed)?;
    if source.attributes.text(keys::SPAN_KIND) != Some(keys::LOCAL_ROOT) {
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
    /// Translates a span that makes one document.
    fn document(&self) -> Result<Segment, Untranslatable> {
        let subsegment =
            !matches!(self.kind, SpanKind::Server | SpanKind::Consumer) && self.parent_id.is_some();
        // Each block removes the attributes it shows; the rest becomes annotations and metadata.
        let mut left = self.attributes.clone();
        let in_progress = left.take_flag(keys::IN_PROGRESS).unwrap_or(false);
        let http = http::take(&mut left, self.span, self.kind);
        let cause = cause::take(&mut left, self);
        let aws = aws::take(&mut left, self.resource);
        let sql = sql::take(&mut left, &self.span.name);
        // An indexed attribute becomes an annotation even if a block shows it too.
        for key in self.indexed {
            left.restore(key, &self.attributes);
        }
        let found = annotations::take(left, self.resource, !subsegment, self.indexed);

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

    /// Translates a local root that calls another service: a segment for the service itself, under a new id, and below
    /// it a subsegment for the service called. The subsegment keeps the span's id, because the span's children name
    /// that id as their parent.
    fn service_and_dependency(&self) -> Result<Vec<Segment>, Untranslatable> {
        let service_id = new_id();
        let consumer = self.kind == SpanKind::Consumer;

        let mut dependency = self.with(self.id, Some(service_id), self.attributes.clone()).document()?;
        dependency.set_subsegment(true);
        dependency.namespace.get_or_insert_with(|| keys::REMOTE.to_owned());
        if consumer {
            dependency.links.clear();
        }
        if let Some(remote) = self.attributes.text(keys::REMOTE_SERVICE) {
            name::trimmed(remote, self).clone_into(&mut dependency.name);
        }

        let attributes = self.attributes.without(&keys::OF_THE_REMOTE_SERVICE);
        let mut service = self.with(service_id, self.parent_id, attributes).document()?;
        service.set_subsegment(false);
        service.namespace = None;
        service.http = None;
        if let Some(aws) = &mut service.aws {
            aws::forget_call(aws);
        }
        annotations::keep_resource_only(&mut service.metadata);
        if !consumer {
            service.links.clear();
        }
        let own = self.attributes.text(keys::LOCAL_SERVICE);
        if let Some(own) = own.or_else(|| self.resource.text(attribute::SERVICE_NAME)) {
            own.clone_into(&mut service.name);
        }
        Ok(vec![dependency, service])
    }

    fn namespace(&self) -> Option<String> {
        if self.is_aws_call() || name::is_named_by_aws_service(self) {
            Some(keys::AWS.to_owned())
        } else {
            matches!(self.kind, SpanKind::Client | SpanKind::Producer).then(|| keys::REMOTE.to_owned())
        }
    }

    fn service(&self) -> Option<Service> {
        let version =
            self.resource.text(attribute::SERVICE_VERSION).or_else(|| self.resource.text(keys::IMAGE_TAG))?;
        Some(Service { version: Some(version.to_owned()), ..Service::default() })
    }
}

fn link(link: &Link) -> Option<xray::Link> {
    Some(xray::Link {
        trace_id: trace_id(&link.trace_id)?,
        id: span_id(&link.span_id)?,
        attributes: Attributes::of(&link.attributes).to_json(),
    })
}
