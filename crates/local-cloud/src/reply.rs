//! Responses in AWS's protocols.

use std::borrow::Cow;

use axum::body::Body;
use axum::response::Response;
use http::{HeaderValue, StatusCode, header};
use serde::Serialize;
use serde_json::json;
use uuid::Uuid;

/// The wire format of a service.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Protocol {
    /// The header `X-Amz-Target`, and JSON bodies.
    Json,
    /// Methods and paths, and JSON bodies.
    RestJson,
    /// Form bodies with `Action`, and XML responses.
    Query,
}

/// An AWS error: a code for clients to match on, and a sentence for people.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct AwsError {
    pub(crate) status: StatusCode,
    pub(crate) code: Cow<'static, str>,
    /// The code for clients of the query protocol, where the service model names another one (the trait
    /// `awsQueryError`). SDKs of query-compatible services show this one.
    pub(crate) query_code: Option<Cow<'static, str>>,
    pub(crate) message: String,
}

impl AwsError {
    pub(crate) fn new(
        status: StatusCode,
        code: impl Into<Cow<'static, str>>,
        message: impl Into<String>,
    ) -> Self {
        Self { status, code: code.into(), query_code: None, message: message.into() }
    }

    pub(crate) fn with_query_code(self, query_code: impl Into<Cow<'static, str>>) -> Self {
        Self { query_code: Some(query_code.into()), ..self }
    }

    /// Returns the code that an SDK shows for this error.
    pub(crate) fn shown_code(&self) -> &str {
        self.query_code.as_deref().unwrap_or(&self.code)
    }

    pub(crate) fn bad_request(code: &'static str, message: impl Into<String>) -> Self {
        Self::new(StatusCode::BAD_REQUEST, code, message)
    }

    /// Returns the error for an input that does not fit the operation. It does not repeat any value.
    pub(crate) fn malformed(error: &serde_json::Error) -> Self {
        Self::bad_request(
            "SerializationException",
            format!(
                "The request is not of the operation's shape (line {}, column {})",
                error.line(),
                error.column()
            ),
        )
    }

    /// Returns the error as this protocol writes it.
    pub(crate) fn into_response(self, protocol: Protocol) -> Response {
        let fault = if self.status.is_server_error() { "Receiver" } else { "Sender" };
        match protocol {
            Protocol::Json => {
                let mut response = json(self.status, &json!({"__type": self.code, "message": self.message}));
                if let Ok(value) = HeaderValue::from_str(&format!("{};{fault}", self.shown_code())) {
                    response.headers_mut().insert("x-amzn-query-error", value);
                }
                response
            }
            Protocol::RestJson => {
                let mut response = json(self.status, &json!({"message": self.message}));
                if let Ok(value) = HeaderValue::from_str(&self.code) {
                    response.headers_mut().insert("x-amzn-errortype", value);
                }
                response
            }
            Protocol::Query => {
                let body = format!(
                    "<ErrorResponse><Error><Type>{fault}</Type><Code>{}</Code><Message>{}</Message></Error>\
                     <RequestId>{}</RequestId></ErrorResponse>",
                    rustack_sns_http::response::xml_escape(self.shown_code()),
                    rustack_sns_http::response::xml_escape(&self.message),
                    Uuid::new_v4()
                );
                xml(self.status, body)
            }
        }
    }
}

/// Returns a JSON response. A value that cannot be written as JSON is a bug in this crate and makes a 500.
pub(crate) fn json(status: StatusCode, value: &impl Serialize) -> Response {
    match serde_json::to_vec(value) {
        Ok(body) => with_type(status, "application/x-amz-json-1.0", body),
        Err(error) => {
            tracing::error!(%error, "a response could not be written");
            with_type(StatusCode::INTERNAL_SERVER_ERROR, "application/x-amz-json-1.0", b"{}".to_vec())
        }
    }
}

pub(crate) fn xml(status: StatusCode, body: String) -> Response {
    with_type(status, "text/xml", body.into_bytes())
}

fn with_type(status: StatusCode, content_type: &'static str, body: Vec<u8>) -> Response {
    let mut response = Response::new(Body::from(body));
    *response.status_mut() = status;
    response.headers_mut().insert(header::CONTENT_TYPE, HeaderValue::from_static(content_type));
    response
}
