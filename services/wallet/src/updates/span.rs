//! The SERVER span of a request.
//!
//! Path and user agent are left out: the path names a phone. The caller's address is personal data.

use http::{Method, StatusCode};
use opentelemetry::trace::Status;
use opentelemetry::{Context, Value};
use opentelemetry_semantic_conventions::attribute;
use telemetry::attributes;
use tracing::Span;
use tracing_opentelemetry::OpenTelemetrySpanExt as _;

/// The annotations of every first segment.
#[derive(Debug)]
pub(super) struct Labels {
    pub(super) application: String,
    pub(super) environment: String,
}

/// Starts a span under `parent`, a context received with the request or a new one.
pub(super) fn start(method: &Method, route: &str, labels: &Labels, parent: Context) -> Span {
    let span = tracing::info_span!(
        parent: None,
        "request",
        otel.name = format_args!("{method} {route}"),
        otel.kind = "server",
    );
    if let Err(error) = span.set_parent(parent) {
        // Only without a telemetry subscriber, where there is no trace to continue.
        tracing::trace!(%error, "no parent set");
    }
    span.set_attribute(attribute::HTTP_REQUEST_METHOD, method.to_string());
    span.set_attribute(attribute::HTTP_ROUTE, route.to_owned());
    let own: [(&'static str, Value); 2] = [
        (attributes::APPLICATION, labels.application.clone().into()),
        (attributes::ENVIRONMENT, labels.environment.clone().into()),
    ];
    attributes::annotate(&span, own);
    span
}

/// Writes the answer's status. Refusing a request is not an error; failing to serve it is
/// (<https://opentelemetry.io/docs/specs/semconv/http/http-spans/#status>).
pub(super) fn finish(span: &Span, status: StatusCode, reason: Option<&'static str>) {
    span.set_attribute(attribute::HTTP_RESPONSE_STATUS_CODE, i64::from(status.as_u16()));
    if status.is_server_error() {
        let reason = reason.unwrap_or("error");
        span.set_attribute(attribute::ERROR_TYPE, reason);
        span.set_status(Status::error(reason));
    }
}
