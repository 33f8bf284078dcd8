//! `GetTraceSegmentDestination` and `UpdateTraceSegmentDestination`
//! (<https://docs.aws.amazon.com/xray/latest/api/API_UpdateTraceSegmentDestination.html>).

use serde::Deserialize;
use serde_json::{Value, json};

use super::error::ApiError;
use super::operation::Call;
use crate::control::{Destination, TraceSegmentDestination};

pub(super) fn get(call: &Call<'_>) -> Value {
    wire(&call.plane.control().destination)
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct UpdateInput {
    destination: Option<Destination>,
    cloud_watch_logs_configuration: Option<CloudWatchLogs>,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
struct CloudWatchLogs {
    spans_log_group_kms_key_id: Option<String>,
}

pub(super) fn update(call: &Call<'_>, input: &UpdateInput) -> Result<Value, ApiError> {
    let logs = input.cloud_watch_logs_configuration.as_ref();
    let kms_key = logs.and_then(|logs| logs.spans_log_group_kms_key_id.as_deref());
    let mut control = call.plane.control();
    control.destination.update(input.destination, kms_key)?;
    Ok(wire(&control.destination))
}

/// AWS answers `PENDING` first; there is nothing to wait for here.
fn wire(current: &TraceSegmentDestination) -> Value {
    json!({"Destination": current.destination, "Status": "ACTIVE"})
}
