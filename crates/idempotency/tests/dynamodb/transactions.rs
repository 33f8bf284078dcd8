//! Changes, markers and announcements.

use std::sync::Arc;
use std::time::Duration;

use aws_clients::ErrorClass;
use aws_sdk_dynamodb::types::{AttributeValue, Put, TransactWriteItem, Update};
use envelope::{Envelope, Metadata};
use idempotency::outbox::{self, Announcing};
use idempotency::{Commit, CommitError, Retry, Transaction};
use jiff::Timestamp;
use serde_json::value::RawValue;
use uuid::Uuid;

use crate::cloud::{Cloud, TABLE};

fn event(id: Uuid, data: &str) -> Envelope {
    let occurred_at = "2026-03-01T12:00:00Z".parse().unwrap();
    Envelope {
        source: "foostore.crm".into(),
        event_type: "CustomerRenamed".into(),
        customer_number: None,
        metadata: Metadata::first(id, occurred_at, Timestamp::now()),
        data: RawValue::from_string(data.into()).unwrap(),
    }
}

fn counted(key: &str) -> TransactWriteItem {
    let update = Update::builder()
        .table_name(TABLE)
        .key("pk", AttributeValue::S(key.to_owned()))
        .update_expression("ADD times :one")
        .expression_attribute_values(":one", AttributeValue::N("1".to_owned()));
    TransactWriteItem::builder().update(update.build().unwrap()).build()
}

fn new_item(key: &str) -> TransactWriteItem {
    let put = Put::builder()
        .table_name(TABLE)
        .item("pk", AttributeValue::S(key.to_owned()))
        .condition_expression("attribute_not_exists(pk)");
    TransactWriteItem::builder().put(put.build().unwrap()).build()
}

async fn times(cloud: &Cloud, key: &str) -> Option<String> {
    Some(cloud.item(key).await?["times"].as_n().unwrap().clone())
}

fn counting(event: &Envelope) -> Transaction {
    Transaction::new(TABLE, event, "test").change(counted("COUNT")).announce(event)
}

#[tokio::test]
async fn a_duplicate_says_in_which_span_the_event_was_handled() {
    let cloud = Cloud::start().await;
    let event = event(Uuid::new_v4(), "{}");
    let commit = async |attempt: &str| {
        counting(&event).attempt(Some(attempt.to_owned())).commit(&cloud.client).await.unwrap()
    };
    assert_eq!(commit("first").await, Commit::Applied);
    for again in ["second", "third"] {
        assert_eq!(commit(again).await, Commit::Duplicate { attempt: Some("first".into()), refusal: None });
    }
    cloud.shutdown().await;
}

#[tokio::test]
async fn a_duplicate_changes_nothing_whatever_its_layout_and_trace() {
    let cloud = Cloud::start().await;
    let first = event(Uuid::new_v4(), r#"{"a": 1, "b": "x"}"#);
    assert_eq!(counting(&first).commit(&cloud.client).await.unwrap(), Commit::Applied);

    let mut again = event(first.metadata.event_id, r#"{"b":"x","a":1}"#);
    again.metadata.trace = Some("Root=1-5759e988-bd862e3fe1be46a994272793".into());
    for _ in 0..3 {
        assert_eq!(
            counting(&again).commit(&cloud.client).await.unwrap(),
            Commit::Duplicate { attempt: None, refusal: None }
        );
    }
    assert_eq!(times(&cloud, "COUNT").await.as_deref(), Some("1"));
    assert_eq!(cloud.items().await.len(), 2, "the marker with the announcement, and the change");
    cloud.shutdown().await;
}

/// While a deployment replaces tasks, those of two versions handle the same events.
#[tokio::test]
async fn a_marker_counts_whether_or_not_it_carries_the_announcement() {
    let cloud = Cloud::start().await;
    let ways = [Announcing::Separately, Announcing::WithMarker];
    for [first, second] in [ways, [ways[1], ways[0]]] {
        let event = event(Uuid::new_v4(), "{}");
        let committed = counting(&event).announcing(first).commit(&cloud.client).await;
        assert_eq!(committed.unwrap(), Commit::Applied);
        let again = counting(&event).announcing(second).commit(&cloud.client).await;
        assert_eq!(again.unwrap(), Commit::Duplicate { attempt: None, refusal: None });
        let reused = self::event(event.metadata.event_id, "[]");
        let error = counting(&reused).announcing(second).commit(&cloud.client).await.unwrap_err();
        assert!(matches!(error, CommitError::EventIdReused { .. }), "{error:?}");
    }
    // Two markers, one announcement each, and the item that was changed.
    assert_eq!(times(&cloud, "COUNT").await.as_deref(), Some("2"));
    assert_eq!(cloud.items().await.iter().filter(|item| outbox::announces(item)).count(), 2);
    cloud.shutdown().await;
}

#[tokio::test]
async fn a_withdrawn_announcement_leaves_the_marker() {
    let cloud = Cloud::start().await;
    let event = event(Uuid::new_v4(), r#"{"name":"Ada"}"#);
    counting(&event).commit(&cloud.client).await.unwrap();
    let withdraw = async |id: Uuid| {
        let update = outbox::withdrawal(&outbox::marker_key("test", id)).table_name(TABLE).build().unwrap();
        let update = TransactWriteItem::builder().update(update).build();
        cloud.client.transact_write_items().transact_items(update).send().await
    };
    withdraw(event.metadata.event_id).await.unwrap();
    let marker = cloud.item(&outbox::marker_key("test", event.metadata.event_id)).await.unwrap();
    let mut names: Vec<_> = marker.keys().map(String::as_str).collect();
    names.sort_unstable();
    assert_eq!(names, ["expires_at", "fingerprint", "handler", "pk"]);
    let again = counting(&event).commit(&cloud.client).await.unwrap();
    assert_eq!(again, Commit::Duplicate { attempt: None, refusal: None });

    // One that has expired does not come into being again.
    let expired = Uuid::new_v4();
    assert!(withdraw(expired).await.unwrap_err().as_service_error().is_some());
    assert_eq!(cloud.item(&outbox::marker_key("test", expired)).await, None);
    cloud.shutdown().await;
}

#[tokio::test]
async fn a_reused_id_is_detected_and_changes_nothing() {
    let cloud = Cloud::start().await;
    let first = event(Uuid::new_v4(), r#"{"a": 1}"#);
    // The marker alone is enough to detect it.
    let marker = Transaction::new(TABLE, &first, "test");
    assert_eq!(marker.commit(&cloud.client).await.unwrap(), Commit::Applied);

    let reused = event(first.metadata.event_id, r#"{"a": 2}"#);
    let error = counting(&reused).commit(&cloud.client).await.unwrap_err();
    assert!(matches!(error, CommitError::EventIdReused { event_id } if event_id == first.metadata.event_id));
    assert_eq!(times(&cloud, "COUNT").await, None);

    // Another handler has its own marker.
    let other = Transaction::new(TABLE, &reused, "other").change(counted("COUNT"));
    assert_eq!(other.commit(&cloud.client).await.unwrap(), Commit::Applied);
    cloud.shutdown().await;
}

#[tokio::test]
async fn a_condition_that_fails_is_a_conflict_and_leaves_no_marker() {
    let cloud = Cloud::start().await;
    let (first, second) = (event(Uuid::new_v4(), "{}"), event(Uuid::new_v4(), "{}"));
    let once = |event| Transaction::new(TABLE, event, "test").change(new_item("ONE")).announce(event);
    assert_eq!(once(&first).commit(&cloud.client).await.unwrap(), Commit::Applied);
    let error = once(&second).commit(&cloud.client).await.unwrap_err();
    assert!(matches!(error, CommitError::Conflict), "{error:?}");
    assert_eq!(cloud.item(&format!("EVENT#test#{}", second.metadata.event_id)).await, None);

    // A redelivery of the first is a duplicate, although its condition fails as well.
    assert_eq!(
        once(&first).commit(&cloud.client).await.unwrap(),
        Commit::Duplicate { attempt: None, refusal: None }
    );
    cloud.shutdown().await;
}

#[tokio::test]
async fn concurrent_duplicates_are_applied_once() {
    let cloud = Arc::new(Cloud::start().await);
    let event = event(Uuid::new_v4(), "{}");
    let mut commits = tokio::task::JoinSet::new();
    for _ in 0..24 {
        let (cloud, event) = (Arc::clone(&cloud), event.clone());
        commits.spawn(async move { counting(&event).commit(&cloud.client).await.unwrap() });
    }
    let commits = commits.join_all().await;
    assert_eq!(commits.iter().filter(|commit| **commit == Commit::Applied).count(), 1);
    assert_eq!(times(&cloud, "COUNT").await.as_deref(), Some("1"));
}

#[tokio::test]
async fn throttling_is_waited_out() {
    let cloud = Cloud::start().await;
    cloud.fail("TransactWriteItems", "throttle", 4).await;
    let committed = counting(&event(Uuid::new_v4(), "{}")).commit(&cloud.impatient).await;
    assert_eq!(committed.unwrap(), Commit::Applied);

    cloud.fail("TransactWriteItems", "throttle", 1_000).await;
    let retry = Retry { attempts: 3, base: Duration::from_millis(1), ..Retry::default() };
    let error =
        counting(&event(Uuid::new_v4(), "{}")).retry(retry).commit(&cloud.impatient).await.unwrap_err();
    let CommitError::Aws(error) = error else { unreachable!("{error:?}") };
    assert_eq!(error.class(), ErrorClass::Throttled, "{error:?}");
    assert_eq!(times(&cloud, "COUNT").await.as_deref(), Some("1"));
    cloud.shutdown().await;
}

#[tokio::test]
async fn a_lost_response_does_not_apply_a_change_twice() {
    let cloud = Cloud::start().await;
    // The SDK retries within the call: the same token protects against a second change, or else our own marker.
    let event_one = event(Uuid::new_v4(), "{}");
    cloud.fail("TransactWriteItems", "drop-response", 1).await;
    counting(&event_one).commit(&cloud.client).await.unwrap();
    assert_eq!(times(&cloud, "COUNT").await.as_deref(), Some("1"));

    // Without a retry, the event's next delivery finds the marker.
    let event_two = event(Uuid::new_v4(), "{}");
    cloud.fail("TransactWriteItems", "drop-response", 1).await;
    let error = counting(&event_two).commit(&cloud.impatient).await.unwrap_err();
    let CommitError::Aws(error) = error else { unreachable!("{error:?}") };
    assert_eq!(error.class(), ErrorClass::Unavailable, "{error:?}");
    assert_eq!(
        counting(&event_two).commit(&cloud.client).await.unwrap(),
        Commit::Duplicate { attempt: None, refusal: None }
    );
    assert_eq!(times(&cloud, "COUNT").await.as_deref(), Some("2"));
    cloud.shutdown().await;
}
