//! The X-Ray API: REST with JSON bodies (<https://docs.aws.amazon.com/xray/latest/api/Welcome.html>).

mod destination;
mod put;
mod summaries;
mod summary;
mod traces;

use axum::Router;
use axum::extract::DefaultBodyLimit;
use axum::http::{HeaderName, StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::routing::post;
use bytes::Bytes;
use serde::de::DeserializeOwned;
use serde_json::{Value, json};

use super::XRay;

/// Fifty documents of 64 KB and their escapes.
const MAX_REQUEST: usize = 8 * 1024 * 1024;

pub(super) fn router(xray: XRay) -> Router {
    Router::new()
        .route("/GetTraceSegmentDestination", post(destination::answer))
        .route("/TraceSegments", post(put::answer))
        .route("/Traces", post(traces::answer))
        .route("/TraceSummaries", post(summaries::answer))
        .layer(DefaultBodyLimit::max(MAX_REQUEST))
        .with_state(xray)
}

/// `InvalidRequestException`, with what is wrong.
#[derive(Debug)]
struct InvalidRequest(String);

impl IntoResponse for InvalidRequest {
    fn into_response(self) -> Response {
        const ERROR_TYPE: HeaderName = HeaderName::from_static("x-amzn-errortype");
        const CODE: &str = "InvalidRequestException";
        let body = json!({"__type": CODE, "Message": self.0});
        (StatusCode::BAD_REQUEST, [(ERROR_TYPE, CODE), JSON], body.to_string()).into_response()
    }
}

const JSON: (HeaderName, &str) = (header::CONTENT_TYPE, "application/json");

fn answer(body: &Value) -> Response {
    ([JSON], body.to_string()).into_response()
}

/// The body of a request. The SDKs send no `Content-Type` that would be worth a check.
fn input<T: DeserializeOwned>(body: &Bytes) -> Result<T, InvalidRequest> {
    serde_json::from_slice(body).map_err(|error| {
        InvalidRequest(format!(
            "the request cannot be read at line {}, column {}",
            error.line(),
            error.column()
        ))
    })
}
