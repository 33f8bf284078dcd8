//! The event that is received, published and read: as EventBridge puts it on a queue.

use contracts::CustomerRenamed;
use envelope::{EncodeError, Envelope, Metadata};
use jiff::Timestamp;
use serde_json::{Value, json};
use uuid::Uuid;
use xray::TraceId;

/// Returns a trace header of a new trace.
#[must_use]
pub fn trace_header(now: Timestamp, recorded: bool) -> String {
    let mut id = Uuid::new_v4().into_bytes();
    id[..4].copy_from_slice(&u32::try_from(now.as_second()).unwrap_or_default().to_be_bytes());
    let trace = TraceId::from_bytes(id);
    let parent = Uuid::new_v4().simple().to_string();
    format!("Root={trace};Parent={};Sampled={}", &parent[..16], u8::from(recorded))
}

/// Returns what EventBridge puts on a queue for an event of the CRM.
#[must_use]
pub fn body(now: Timestamp, trace: &str) -> String {
    let event_id = Uuid::new_v4();
    let body = json!({
        "version": "0",
        "id": Uuid::new_v4(),
        "detail-type": "CustomerRenamed",
        "source": "foostore.crm",
        "account": "000000000000",
        "time": now.strftime("%Y-%m-%dT%H:%M:%SZ").to_string(),
        "region": "eu-central-1",
        "resources": [],
        "detail": {
            "metadata": {
                "event_id": event_id,
                "occurred_at": now,
                "published_at": now,
                "schema_version": 1,
                "correlation_id": event_id,
                "trace": trace,
            },
            "data": renamed_json(),
        },
    });
    body.to_string()
}

/// Returns what an event of the CRM says.
///
/// # Errors
/// Never: it is valid.
pub fn renamed() -> serde_json::Result<CustomerRenamed> {
    serde_json::from_value(renamed_json())
}

/// Returns a new event that says so, ready to be published.
///
/// # Errors
/// Never: it can be encoded.
pub fn published(renamed: &CustomerRenamed) -> Result<Envelope, EncodeError> {
    let now = Timestamp::now();
    Envelope::new(Metadata::first(Uuid::new_v4(), now, now), renamed)
}

fn renamed_json() -> Value {
    json!({"customer_number": "123456789012", "name": {"given": "Ada", "family": "Lovelace"}})
}
