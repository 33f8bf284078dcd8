//! `PutTelemetryRecords` (<https://docs.aws.amazon.com/xray/latest/api/API_PutTelemetryRecords.html>).

use axum::response::Response;
use bytes::Bytes;
use serde::Deserialize;
use serde::de::IgnoredAny;
use serde_json::json;

use super::reply::{InvalidRequest, input, respond};

#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Input {
    #[serde(rename = "TelemetryRecords")]
    _telemetry_records: Vec<IgnoredAny>,
}

/// Accepts what the X-Ray daemon and the collector report of themselves, which no operation shows.
pub(super) async fn answer(body: Bytes) -> Result<Response, InvalidRequest> {
    let _: Input = input(&body)?;
    Ok(respond(&json!({})))
}
