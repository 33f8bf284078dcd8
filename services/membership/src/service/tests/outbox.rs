//! Checks the items in the outbox attribute by attribute.

use handlers::Announcing;
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
            "attempt",
            "causation_id",
            "correlation_id",
            "data",
            "event_id",
            "event_type",
            "expires_at",
            "fingerprint",
            "handler",
            "occurred_at",
            "pk",
            "published_at",
            "schema_version",
            "silent",
            "source",
            "trace"
        ]
    );
    let cause_id = cause.metadata.event_id.to_string();
    let event_id = Uuid::new_v5(&cause.metadata.event_id, b"MemberEnrolled").to_string();
    assert_eq!(text(item, "pk"), format!("EVENT#membership#{cause_id}"));
    assert_eq!(text(item, "event_id"), event_id);
    assert_eq!(text(item, "source"), "foostore.loyalty");
    assert_eq!(text(item, "event_type"), "MemberEnrolled");
    assert_eq!(text(item, "occurred_at"), "1970-01-01T00:00:01Z");
    assert_eq!(text(item, "correlation_id"), cause_id);
    assert_eq!(text(item, "causation_id"), cause_id);
    assert_eq!(text(item, "trace"), trace);
    assert_eq!(text(item, "silent"), "");
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
        // Only the number of writes and the announcements depend on the order.
        member.remove("revision");
        member.remove("outbox");
        ends.push(member);
        cloud.shutdown().await;
    }
    assert_eq!(ends[0], ends[1]);
    assert_eq!(ends[0], ends[2]);
}

/// Delivers the announcement in an outbox item as the bus does.
async fn came_back(cloud: &Cloud, item: &service_test::Item) {
    let data: MemberErased = serde_json::from_str(text(item, "data")).unwrap();
    let mut announcement = Envelope::new(enrolled(1).metadata, &data).unwrap();
    announcement.metadata.event_id = text(item, "event_id").parse().unwrap();
    announcement.metadata.causation_id = text(item, "causation_id").parse().ok();
    assert_eq!(cloud.handle(&announcement).await.unwrap(), Done::APPLIED);
}

#[tokio::test]
async fn an_erasure_removes_what_was_announced_and_at_last_the_farewell() {
    let cloud = Cloud::start().await;
    let first = enrolled(1);
    for event in [first.clone(), renamed(2, "Augusta"), prefers(3, "augusta")] {
        cloud.handle(&event).await.unwrap();
    }
    assert_eq!(cloud.outbox().await.len(), 3);
    let erasure = erased(4);
    cloud.handle(&erasure).await.unwrap();
    let outbox = cloud.outbox().await;
    let [farewell] = outbox.as_slice() else { panic!("{} items", outbox.len()) };
    assert_eq!(text(farewell, "event_type"), "MemberErased");

    came_back(&cloud, farewell).await;
    let left = format!("{:?}", cloud.items().await);
    for word in ["Ada", "Augusta", "Lovelace", "@example.com"] {
        assert!(!left.contains(word), "{left}");
    }
    // What was handled stays so: an erasure removes what markers announced, not the markers.
    assert_eq!(cloud.handle(&erasure).await.unwrap(), Done::DUPLICATE);
    assert_eq!(cloud.handle(&first).await.unwrap(), Done::DUPLICATE);
    // The next membership starts afresh.
    cloud.handle(&enrolled(5)).await.unwrap();
    assert_eq!(cloud.outbox().await.len(), 1);
    cloud.shutdown().await;
}

/// While a deployment replaces tasks, one customer's events are announced in either way.
#[tokio::test]
async fn an_erasure_removes_announcements_written_either_way() {
    for [before, after] in [
        [Announcing::Separately, Announcing::WithMarker],
        [Announcing::WithMarker, Announcing::Separately],
        [Announcing::Separately, Announcing::Separately],
    ] {
        let mut cloud = Cloud::start().await;
        for (announcing, event) in [
            (before, enrolled(1)),
            (after, renamed(2, "Augusta")),
            (before, prefers(3, "augusta")),
            (after, erased(4)),
        ] {
            cloud.announce(announcing);
            assert_eq!(cloud.handle(&event).await.unwrap(), Done::APPLIED);
            assert_eq!(cloud.handle(&event).await.unwrap(), Done::DUPLICATE);
        }
        cloud.announce(before);
        let outbox = cloud.outbox().await;
        let [farewell] = outbox.as_slice() else { panic!("{} items", outbox.len()) };
        came_back(&cloud, farewell).await;
        let left = format!("{:?}", cloud.items().await);
        for word in ["Ada", "Augusta", "Lovelace", "@example.com"] {
            assert!(!left.contains(word), "{left}");
        }
        cloud.shutdown().await;
    }
}

/// An announcement is listed for longer than its marker lives.
#[tokio::test]
async fn an_erasure_after_a_marker_has_expired_leaves_nothing_in_its_place() {
    let cloud = Cloud::start().await;
    let first = enrolled(1);
    cloud.handle(&first).await.unwrap();
    let key = format!("EVENT#membership#{}", first.metadata.event_id);
    let table = cloud.test.variable(crate::NAME, "MEMBERS_TABLE_NAME");
    let delete = cloud.test.dynamodb().delete_item().table_name(table);
    delete.key("pk", AttributeValue::S(key.clone())).send().await.unwrap();
    assert_eq!(cloud.handle(&erased(4)).await.unwrap(), Done::APPLIED);
    assert_eq!(cloud.test.item("members", key).await, None);
    assert_eq!(cloud.handle(&first).await.unwrap(), ERASED);
    cloud.shutdown().await;
}

/// A write unit is a kilobyte (<https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/CapacityUnitCalculations.html>):
/// were the item larger, it would cost as much as two.
#[tokio::test]
async fn a_marker_with_an_announcement_takes_one_write_unit() {
    let cloud = Cloud::start().await;
    for event in [enrolled(1), renamed(2, "Augusta Wilhelmina"), prefers(3, "augusta.wilhelmina.lovelace")] {
        cloud.handle(&event).await.unwrap();
    }
    let size = |item: &service_test::Item| -> usize {
        let value = |value: &AttributeValue| match value {
            AttributeValue::S(text) => text.len(),
            AttributeValue::N(digits) => digits.len() / 2 + 1,
            other => panic!("{other:?}"),
        };
        item.iter().map(|(name, attribute)| name.len() + value(attribute)).sum()
    };
    let sizes: Vec<_> = cloud.outbox().await.iter().map(size).collect();
    // The trace headers of a sampled event, with their attribute, come on top.
    assert!(sizes.iter().all(|size| (500..1_024 - 160).contains(size)), "{sizes:?}");
    cloud.shutdown().await;
}

#[tokio::test]
async fn a_customer_with_more_announcements_than_a_transaction_has_items_is_erased_as_well() {
    let cloud = Cloud::start().await;
    cloud.handle(&enrolled(1)).await.unwrap();
    for second in 2..=120 {
        cloud.handle(&renamed(second, &format!("Ada{second}"))).await.unwrap();
    }
    assert_eq!(cloud.outbox().await.len(), 90, "the oldest have made room");
    assert_eq!(cloud.handle(&erased(200)).await.unwrap(), Done::APPLIED);
    assert_eq!(cloud.outbox().await.len(), 1);
    cloud.shutdown().await;
}
