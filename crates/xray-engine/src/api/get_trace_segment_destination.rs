//! `GetTraceSegmentDestination` (<https://docs.aws.amazon.com/xray/latest/api/API_GetTraceSegmentDestination.html>).

use axum::response::Response;
use serde_json::json;

use super::reply::respond;

/// Answers that segments stay in X-Ray, as in an account without Transaction Search.
pub(super) async fn answer() -> Response {
    respond(&json!({"Destination": "XRay", "Status": "ACTIVE"}))
}
