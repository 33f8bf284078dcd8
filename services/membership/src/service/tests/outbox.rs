//! Checks the items in the outbox attribute by attribute.

use telemetry::testing::Recorder;
use tracing::Instrument as _;

use super::cloud::{Cloud, text};
use super::*;

#[tokio::test]
async fn the_item_is_what_the_pipe_expects_and_carries_the_trace() {
    let cloud = Cloud::start().await;
    let cause = enrolled(1);
    let recorder = Recorder::new();
    let span = recorder.run(|| tracing::info_span!("process", otel.name = "process", otel.kind = "consumer"));
    let trace = recorder.run(|| telemetry::context::header_of(&span)).unwrap();
    let handled = cloud.handle(&cause).instrument(span);
    assert_eq!(recorder.run_async(handled).await.unwrap(), Done::APPLIED);

    let outbox = cloud.outbox().await;
    let [item] = outbox.as_slice() else { panic!("{} items", outbox.len()) };
    let mut names: Vec<_> = item.keys().map(String::as_str).collect();
    names.sort_unstable();
    assert_eq!(
        names,
        [
            "causation_id",
            "correlation_id",
            "data",
            "event_id",
            "event_type",
            "expires_at",
            "occurred_at",
            "pk",
            "published_at",
            "schema_version",
            "source",
            "trace"
        ]
    );
    let cause_id = cause.metadata.event_id.to_string();
    let event_id = Uuid::new_v5(&cause.metadata.event_id, b"MemberEnrolled").to_string();
    assert_eq!(text(item, "pk"), format!("OUTBOX#{event_id}"));
    assert_eq!(text(item, "event_id"), event_id);
    assert_eq!(text(item, "source"), "foostore.loyalty");
    assert_eq!(text(item, "event_type"), "MemberEnrolled");
    assert_eq!(text(item, "occurred_at"), "1970-01-01T00:00:01Z");
    assert_eq!(text(item, "correlation_id"), cause_id);
    assert_eq!(text(item, "causation_id"), cause_id);
    assert_eq!(text(item, "trace"), trace);
    assert_eq!(item["schema_version"].as_n().unwrap(), "1");
    cloud.shutdown().await;
}

#[tokio::test]
async fn without_telemetry_the_trace_is_empty_but_there() {
    let cloud = Cloud::start().await;
    cloud.handle(&enrolled(1)).await.unwrap();
    assert_eq!(text(&cloud.outbox().await[0], "trace"), "");
    cloud.shutdown().await;
}

/// Delivers one customer's events, each twice, in three different orders.
#[tokio::test]
async fn any_order_over_the_table_ends_in_the_same_member() {
    let events = [enrolled(2), renamed(3, "Augusta"), prefers(4, "augusta"), renamed(1, "Ida"), enrolled(5)];
    let mut ends = Vec::new();
    for order in [[0, 1, 2, 3, 4], [4, 3, 2, 1, 0], [1, 4, 0, 2, 3]] {
        let cloud = Cloud::start().await;
        for index in order.into_iter().chain(order) {
            cloud.handle(&events[index]).await.unwrap();
        }
        let mut member = cloud.member(&ada()).await.unwrap();
        // Only the number of writes depends on the order.
        member.remove("revision");
        ends.push(member);
        cloud.shutdown().await;
    }
    assert_eq!(ends[0], ends[1]);
    assert_eq!(ends[0], ends[2]);
}
