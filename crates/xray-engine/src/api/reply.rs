//! Bodies of requests and responses.

use axum::http::{HeaderName, StatusCode, header};
use axum::response::{IntoResponse, Response};
use bytes::Bytes;
use serde::de::DeserializeOwned;
use serde_json::{Value, json};

use crate::control::ControlError;
use crate::store::StoreError;

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

/// Why a request has no answer.
#[derive(Debug)]
pub(super) enum Failure {
    Invalid(InvalidRequest),
    Store(StoreError),
}

impl From<InvalidRequest> for Failure {
    fn from(error: InvalidRequest) -> Self {
        Self::Invalid(error)
    }
}

impl From<ControlError> for Failure {
    fn from(error: ControlError) -> Self {
        Self::Invalid(error.into())
    }
}

impl From<StoreError> for Failure {
    fn from(error: StoreError) -> Self {
        Self::Store(error)
    }
}

impl IntoResponse for InvalidRequest {
    fn into_response(self) -> Response {
        refuse(StatusCode::BAD_REQUEST, "InvalidRequestException", json!({"Message": self.0}))
    }
}

impl IntoResponse for Failure {
    fn into_response(self) -> Response {
        match self {
            Self::Invalid(error) => error.into_response(),
            Self::Store(error) => internal(&error),
        }
    }
}

/// Answers that the request was in order, and the store was not
/// (<https://docs.aws.amazon.com/xray/latest/api/CommonErrors.html>).
pub(super) fn internal(error: &StoreError) -> Response {
    tracing::error!(error = error as &dyn std::error::Error, "a request to X-Ray failed");
    refuse(StatusCode::INTERNAL_SERVER_ERROR, "InternalFailure", json!({"Message": error.to_string()}))
}

/// Reads many traces without holding up other requests.
pub(super) async fn reading<T: Send + 'static>(
    read: impl FnOnce() -> Result<T, StoreError> + Send + 'static,
) -> Result<T, Failure> {
    match tokio::task::spawn_blocking(read).await {
        Ok(read) => Ok(read?),
        Err(panicked) => std::panic::resume_unwind(panicked.into_panic()),
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
