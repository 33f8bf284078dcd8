//! The span of one push, which X-Ray draws as a call to the node `APNs`.

use http::HeaderMap;
use opentelemetry::KeyValue;
use opentelemetry::trace::Status;
use opentelemetry_semantic_conventions::attribute;
use telemetry::{attributes, context};
use tracing::Span;
use tracing_opentelemetry::OpenTelemetrySpanExt as _;

use crate::endpoint::{APNS, Endpoint};

/// What ended a push whose future was dropped.
const CANCELLED: &str = "cancelled";

/// A push in flight. The path is no attribute, since it contains the push token.
#[derive(Debug)]
pub(crate) struct PushSpan {
    span: Span,
    settled: bool,
}

impl PushSpan {
    /// Starts the span under the current one.
    pub(crate) fn start(endpoint: &Endpoint) -> Self {
        let span = tracing::info_span!("push", otel.name = "POST APNs", otel.kind = "client");
        span.set_attribute(attributes::PEER_SERVICE, APNS);
        span.set_attribute(attribute::HTTP_REQUEST_METHOD, "POST");
        span.set_attribute(attribute::URL_SCHEME, endpoint.scheme());
        span.set_attribute(attribute::SERVER_ADDRESS, endpoint.host().to_owned());
        span.set_attribute(attribute::SERVER_PORT, i64::from(endpoint.port()));
        Self { span, settled: false }
    }

    /// Returns the headers that make the span the parent of what the receiver does.
    pub(crate) fn headers(&self) -> HeaderMap {
        context::request_headers(&self.span)
    }

    /// Records the answer.
    pub(crate) fn answered(&mut self, status: u16) {
        self.settled = true;
        self.span.set_attribute(attribute::HTTP_RESPONSE_STATUS_CODE, i64::from(status));
        if !(200..300).contains(&status) {
            self.span.set_attribute(attribute::ERROR_TYPE, status.to_string());
            self.span.set_status(Status::error(status.to_string()));
        }
    }

    /// Records that there was no answer.
    pub(crate) fn failed(&mut self, code: &'static str) {
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

impl Drop for PushSpan {
    fn drop(&mut self) {
        if !self.settled {
            self.failed(CANCELLED);
        }
    }
}
