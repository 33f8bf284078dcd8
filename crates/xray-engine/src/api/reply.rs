//! Bodies of requests and responses.

use axum::http::{HeaderName, StatusCode, header};
use axum::response::{IntoResponse, Response};
use bytes::Bytes;
use serde::de::DeserializeOwned;
use serde_json::{Value, json};

use crate::control::ControlError;

const JSON: (HeaderName, &str) = (header::CONTENT_TYPE, "application/json");

/// `InvalidRequestException`, with its message.
#[derive(Debug)]
pub(super) struct InvalidRequest(pub(super) String);

impl InvalidRequest {
    pub(super) fn reversed_range() -> Self {
        Self("EndTime is before StartTime".to_owned())
    }
}

impl From<ControlError> for InvalidRequest {
    fn from(error: ControlError) -> Self {
        Self(error.to_string())
    }
}

impl IntoResponse for InvalidRequest {
    fn into_response(self) -> Response {
        refuse(StatusCode::BAD_REQUEST, "InvalidRequestException", json!({"Message": self.0}))
    }
}

/// Answers with an error; `body` has its members.
pub(super) fn refuse(status: StatusCode, code: &'static str, mut body: Value) -> Response {
    const ERROR_TYPE: HeaderName = HeaderName::from_static("x-amzn-errortype");
    body["__type"] = Value::from(code);
    (status, [(ERROR_TYPE, code), JSON], body.to_string()).into_response()
}

/// Says where a text is not what was expected.
pub(super) fn unreadable(error: &serde_json::Error) -> String {
    format!("the request cannot be read at line {}, column {}", error.line(), error.column())
}

pub(super) fn respond(body: &Value) -> Response {
    ([JSON], body.to_string()).into_response()
}

/// Reads the body of a request. The `Content-Type` that the SDKs send says nothing worth checking.
pub(super) fn input<T: DeserializeOwned>(body: &Bytes) -> Result<T, InvalidRequest> {
    serde_json::from_slice(body).map_err(|error| InvalidRequest(unreadable(&error)))
}
