//! What a swept item leaves in telemetry and in the chain of events.

use opentelemetry::trace::{SpanKind, Status};
use sweeper::Due;
use telemetry::testing::{Recorder, attribute};

use crate::vouchers::{NOW, TABLE, Vouchers, gift, text, until};

#[tokio::test]
async fn a_due_item_begins_a_trace_that_names_its_origin() {
    let recorder = Recorder::new();
    let guard = recorder.install();
    let vouchers = Vouchers::start().await;
    let given = gift();
    let (due, origin) = {
        let span =
            tracing::info_span!(parent: None, "process", otel.name = "process gifts", otel.kind = "consumer");
        let due = span.in_scope(|| Due::at(NOW.parse().unwrap()).caused_by(&given));
        (due, telemetry::context::trace_id_of(&span).unwrap().to_string())
    };
    vouchers.store_due("VOUCHER#1", &due, "expire").await;
    vouchers.clock.jump(jiff::SignedDuration::from_secs(5));
    let running = vouchers.sweep();
    until("the announcement", || async { (!vouchers.announced().await.is_empty()).then_some(()) }).await;
    running.stop().await;

    let name = format!("sweep {TABLE}");
    let span = recorder.span(&name);
    assert_eq!(span.span_kind, SpanKind::Consumer);
    assert_eq!(span.parent_span_id.to_string(), "0000000000000000", "a separate trace");
    let value = |key: &str| attribute(&span, key).map(ToString::to_string);
    for (key, expected) in [
        ("event_type", "VoucherDue"),
        ("customer_number", "123456789012"),
        ("origin_trace_id", &origin),
        ("origin_event_id", &given.metadata.event_id.to_string()),
        ("outcome", "expired"),
        ("aws.remote.service", "vouchers"),
        ("due.lateness_ms", "5000"),
    ] {
        assert_eq!(value(key).as_deref(), Some(expected), "{key}");
    }
    let annotations = value("aws.xray.annotations").unwrap();
    for key in ["event_id", "event_type", "customer_number", "origin_trace_id", "origin_event_id", "outcome"]
    {
        assert!(annotations.contains(key), "{annotations}");
    }
    let commit = recorder.span("DynamoDB.TransactWriteItems");
    assert_eq!(commit.parent_span_id, span.span_context.span_id());
    // Looking for work has no spans: one for the item and one for the commit.
    let of_trace = recorder.spans().into_iter();
    assert_eq!(of_trace.filter(|one| one.name.starts_with("DynamoDB.Query")).count(), 0);

    let announced = &vouchers.announced().await[0];
    assert_eq!(text(announced, "correlation_id"), given.metadata.correlation_id.to_string());
    assert_eq!(text(announced, "causation_id"), value("event_id").unwrap());
    assert_eq!(text(announced, "occurred_at"), "2026-12-01T00:00:00Z", "when it fell due");
    let trace = text(announced, "trace");
    assert!(trace.contains(&span.span_context.span_id().to_string()), "{trace}");

    let lines = recorder.logs();
    let hops: Vec<_> = lines.iter().filter(|line| line["message"] == "event").collect();
    assert_eq!(hops.len(), 1);
    assert_eq!(hops[0]["item"], "VOUCHER#1");
    assert_eq!(hops[0]["event_id"], value("event_id").unwrap());
    assert_eq!(hops[0]["waiting_ms"], 5_000);
    drop(guard);
    vouchers.cloud.shutdown().await;
}

#[tokio::test]
async fn a_parked_item_is_an_error_in_the_log_and_the_trace() {
    let recorder = Recorder::new();
    let guard = recorder.install();
    let vouchers = Vouchers::start().await;
    vouchers.store("VOUCHER#1", -5, "permanent").await;
    let running = vouchers.sweep();
    let hop = until("the hop's line", || async {
        recorder.logs().into_iter().find(|line| line["message"] == "event")
    })
    .await;
    running.stop().await;
    assert_eq!((&hop["level"], &hop["outcome"]), (&"ERROR".into(), &"parked".into()));
    assert_eq!((&hop["reason"], &hop["item"]), (&"unfit".into(), &"VOUCHER#1".into()));
    let span = recorder.span(&format!("sweep {TABLE}"));
    assert_eq!(span.status, Status::error("unfit"));
    drop(guard);
    vouchers.cloud.shutdown().await;
}
