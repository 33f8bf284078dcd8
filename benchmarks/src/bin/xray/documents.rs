//! The segments of the traces.

use serde_json::{Value, json};

/// The segments of each trace.
pub(crate) const SEGMENTS_A_TRACE: u64 = 10;

/// Returns the documents of a trace: a request, and what three services did about it.
pub(crate) fn documents(trace: u64, base: f64) -> Vec<Value> {
    #[expect(clippy::cast_precision_loss, reason = "an hour has few milliseconds")]
    let start = base + (trace % 3_600_000) as f64 / 1e3;
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "epoch seconds are small")]
    let trace_id = format!("1-{:08x}-{trace:024x}", start as u64);
    let segment = |place: u64, parent: u64, name: &str, offset: f64| {
        let mut segment = json!({
            "trace_id": trace_id, "id": format!("{:016x}", trace * 16 + place), "name": name,
            "start_time": start + offset, "end_time": start + offset + 0.015, "origin": "AWS::ECS::Fargate",
            "annotations": {
                "event_id": format!("event-{trace}"), "event_type": "CustomerRenamed", "attempt": 1,
                "customer_number": format!("customer-{}", trace % 50_000)
            },
            "aws": {"account_id": "123456789012"}
        });
        if parent > 0 {
            segment["parent_id"] = json!(format!("{:016x}", trace * 16 + parent));
        }
        segment
    };
    let call = |place: u64, parent: u64, name: &str, offset: f64, aws: Value| {
        json!({
            "trace_id": trace_id, "id": format!("{:016x}", trace * 16 + place), "name": name, "type": "subsegment",
            "parent_id": format!("{:016x}", trace * 16 + parent), "namespace": "aws",
            "start_time": start + offset, "end_time": start + offset + 0.005, "aws": aws
        })
    };
    let mut root = segment(1, 0, "ingest", 0.0);
    root["http"] = json!({
        "request": {"method": "POST", "url": "https://events.example/v1/events", "client_ip": "192.0.2.1"},
        "response": {"status": 202}
    });
    root["user"] = json!(format!("customer-{}", trace % 50_000));
    let mut email = segment(9, 8, "email", 0.080);
    email["fault"] = json!(trace.is_multiple_of(1_000));
    vec![
        root,
        call(2, 1, "EventBridge", 0.005, json!({"operation": "PutEvents"})),
        segment(3, 2, "membership", 0.020),
        call(4, 3, "DynamoDB", 0.022, json!({"operation": "GetItem", "table_name": "members"})),
        call(5, 3, "DynamoDB", 0.028, json!({"operation": "TransactWriteItems", "table_name": "members"})),
        call(6, 3, "EventBridge", 0.030, json!({"operation": "PutEvents"})),
        segment(7, 6, "notifier", 0.050),
        call(8, 7, "SNS", 0.055, json!({"operation": "Publish"})),
        email,
        call(10, 9, "SES", 0.085, json!({"operation": "SendEmail"})),
    ]
}
