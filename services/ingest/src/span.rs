//! The SERVER spans of this service: one per request, and one per item of a list.
//!
//! Attributes: <https://opentelemetry.io/docs/specs/semconv/http/http-spans/#http-server>. The client's address is
//! left out, because it is personal data.

use contracts::CustomerNumber;
use http::request::Parts;
use http::{HeaderMap, StatusCode};
use opentelemetry::trace::Status;
use opentelemetry::{Context, Value};
use opentelemetry_semantic_conventions::attribute;
use telemetry::attributes;
use tracing::Span;
use tracing_opentelemetry::OpenTelemetrySpanExt as _;
use uuid::Uuid;

/// The route that takes events.
pub(crate) const ROUTE: &str = "/v1/events";
/// The longest user agent that is recorded, in characters.
const MAX_USER_AGENT: usize = 200;

/// The annotations of every first segment.
#[derive(Debug, Clone)]
pub(crate) struct Labels {
    pub(crate) application: String,
    pub(crate) environment: String,
}

/// What is known about an event before its segment is annotated.
#[derive(Debug, Default)]
pub(crate) struct EventLabels {
    pub(crate) event_type: Option<String>,
    pub(crate) event_id: Option<Uuid>,
    pub(crate) customer_number: Option<CustomerNumber>,
    pub(crate) request_trace_id: Option<String>,
    pub(crate) load_balancer_trace_id: Option<String>,
}

/// The attributes that the request's span and its items' spans share.
#[derive(Debug, Clone)]
pub(crate) struct RequestAttributes(Vec<(&'static str, Value)>);

impl RequestAttributes {
    pub(crate) fn of(parts: &Parts) -> Self {
        let mut pairs: Vec<(&'static str, Value)> = vec![
            (attribute::HTTP_REQUEST_METHOD, parts.method.to_string().into()),
            (attribute::HTTP_ROUTE, ROUTE.into()),
            (attribute::URL_PATH, parts.uri.path().to_owned().into()),
            (attribute::URL_SCHEME, "http".into()),
            (attribute::NETWORK_PROTOCOL_VERSION, version(parts.version).into()),
        ];
        if let Some(host) = text(&parts.headers, http::header::HOST.as_str()) {
            let (name, port) = match host.rsplit_once(':') {
                Some((name, port)) if !name.is_empty() => (name, port.parse::<u16>().ok()),
                _ => (host, None),
            };
            let name = if port.is_some() { name } else { host };
            pairs.push((attribute::SERVER_ADDRESS, name.to_owned().into()));
            if let Some(port) = port {
                pairs.push((attribute::SERVER_PORT, i64::from(port).into()));
            }
        }
        if let Some(agent) = text(&parts.headers, http::header::USER_AGENT.as_str()) {
            let agent: String = agent.chars().take(MAX_USER_AGENT).collect();
            pairs.push((attribute::USER_AGENT_ORIGINAL, agent.into()));
        }
        Self(pairs)
    }
}

fn text<'a>(headers: &'a HeaderMap, name: &str) -> Option<&'a str> {
    headers.get(name)?.to_str().ok()
}

fn version(version: http::Version) -> &'static str {
    match version {
        http::Version::HTTP_10 => "1.0",
        http::Version::HTTP_2 => "2",
        _ => "1.1",
    }
}

/// Creates a SERVER span under `parent`, a context received with the request or a new one.
///
/// It starts, and sampling rules are matched against its attributes, when it is entered or its context is read. What
/// rules may match is set before: these attributes, and those of [`annotate`].
pub(crate) fn new(request: &RequestAttributes, labels: &Labels, parent: Context) -> Span {
    let span = tracing::info_span!(
        parent: None,
        "request",
        otel.name = format_args!("POST {ROUTE}"),
        otel.kind = "server",
    );
    if let Err(error) = span.set_parent(parent) {
        // Only without a telemetry subscriber, where there is no trace to continue.
        tracing::trace!(%error, "no parent set");
    }
    for (key, value) in &request.0 {
        span.set_attribute(*key, value.clone());
    }
    span.set_attribute(attributes::APPLICATION, labels.application.clone());
    span.set_attribute(attributes::ENVIRONMENT, labels.environment.clone());
    span
}

/// Annotates a segment, once.
pub(crate) fn annotate(span: &Span, event: EventLabels) {
    let EventLabels { event_type, event_id, customer_number, request_trace_id, load_balancer_trace_id } =
        event;
    let event: [(&'static str, Option<String>); 5] = [
        (attributes::CUSTOMER_NUMBER, customer_number.map(String::from)),
        (attributes::EVENT_ID, event_id.map(|id| id.to_string())),
        (attributes::EVENT_TYPE, event_type),
        (attributes::REQUEST_TRACE_ID, request_trace_id),
        (attributes::LOAD_BALANCER_TRACE_ID, load_balancer_trace_id),
    ];
    let event = event.into_iter().filter_map(|(key, value)| Some((key, Value::from(value?))));
    attributes::annotate_with(span, &[attributes::APPLICATION, attributes::ENVIRONMENT], event);
}

/// Writes the answer's status. Refusing a request is not an error; failing to serve it is
/// (<https://opentelemetry.io/docs/specs/semconv/http/http-spans/#status>).
pub(crate) fn finish(span: &Span, status: StatusCode, reason: Option<&str>) {
    span.set_attribute(attribute::HTTP_RESPONSE_STATUS_CODE, i64::from(status.as_u16()));
    if status.is_server_error() {
        let reason = reason.unwrap_or(status.as_str()).to_owned();
        span.set_attribute(attribute::ERROR_TYPE, reason.clone());
        span.set_status(Status::error(reason));
    }
}
