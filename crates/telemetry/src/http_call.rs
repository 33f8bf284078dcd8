//! The span of an HTTP request to something outside AWS, which X-Ray draws as a call to a remote node.

use http::HeaderMap;
use opentelemetry::KeyValue;
use opentelemetry::trace::Status;
use opentelemetry_semantic_conventions::attribute;
use tracing::Span;
use tracing_opentelemetry::OpenTelemetrySpanExt as _;

use crate::{attributes, context};

/// What ended a request whose future was dropped.
const CANCELLED: &str = "cancelled";

/// Whom a request goes to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Peer<'a> {
    /// The name of the node in X-Ray.
    pub node: &'static str,
    /// `http` or `https`.
    pub scheme: &'static str,
    /// The host, without the port.
    pub host: &'a str,
    /// The port.
    pub port: u16,
}

/// A request in flight. A future that is dropped before its answer leaves the error `cancelled`.
///
/// Neither path nor query are attributes, since they may hold a secret: a key in a webhook's URL, a phone's push token.
/// The attributes are those of
/// [HTTP client spans](https://opentelemetry.io/docs/specs/semconv/http/http-spans/#http-client).
///
/// ```
/// use telemetry::http_call::{HttpCall, Peer};
///
/// let peer = Peer { node: "webhook", scheme: "https", host: "app.example", port: 443 };
/// let mut call = HttpCall::post(peer);
/// let _headers_to_send = call.headers();
/// call.answered(202);
/// ```
#[derive(Debug)]
pub struct HttpCall {
    span: Span,
    settled: bool,
}

impl HttpCall {
    /// Starts the span of a POST request under the current span.
    #[must_use]
    pub fn post(peer: Peer<'_>) -> Self {
        let name = format!("POST {}", peer.node);
        let span = tracing::info_span!("http call", otel.name = name, otel.kind = "client");
        span.set_attribute(attributes::PEER_SERVICE, peer.node);
        span.set_attribute(attribute::HTTP_REQUEST_METHOD, "POST");
        span.set_attribute(attribute::URL_SCHEME, peer.scheme);
        span.set_attribute(attribute::SERVER_ADDRESS, peer.host.to_owned());
        span.set_attribute(attribute::SERVER_PORT, i64::from(peer.port));
        Self { span, settled: false }
    }

    /// Returns the headers that make the span the parent of what the receiver does.
    #[must_use]
    pub fn headers(&self) -> HeaderMap {
        context::request_headers(&self.span)
    }

    /// Records the status of the answer; anything but 2xx is an error.
    pub fn answered(&mut self, status: u16) {
        self.settled = true;
        self.span.set_attribute(attribute::HTTP_RESPONSE_STATUS_CODE, i64::from(status));
        if !(200..300).contains(&status) {
            self.span.set_attribute(attribute::ERROR_TYPE, status.to_string());
            self.span.set_status(Status::error(status.to_string()));
        }
    }

    /// Records that there was no answer. `code` is one of few words, such as `timeout`.
    pub fn failed(&mut self, code: &'static str) {
        self.settled = true;
        self.span.set_attribute(attribute::ERROR_TYPE, code);
        self.span.add_event(
            "exception",
            vec![
                KeyValue::new(attribute::EXCEPTION_TYPE, code),
                KeyValue::new(attribute::EXCEPTION_MESSAGE, code),
            ],
        );
        self.span.set_status(Status::error(code));
    }
}

impl Drop for HttpCall {
    fn drop(&mut self) {
        if !self.settled {
            self.failed(CANCELLED);
        }
    }
}
