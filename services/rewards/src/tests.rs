//! The service against the local cloud.

mod cloud;
mod concurrent;
mod erasing;
mod expiring;
mod refusals;

use contracts::CustomerNumber;
use jiff::SignedDuration;
use serde_json::json;
use sqs_consumer::{Done, Failure};

use self::cloud::{Cloud, at, customer, earned, erased, number, redeemed, text};

const NOW: &str = "2026-03-01T12:00:00Z";

fn ada() -> CustomerNumber {
    customer(7)
}

#[tokio::test]
async fn earned_points_are_entered_summed_and_announced() {
    let cloud = Cloud::start(NOW).await;
    let event = earned(&ada(), 1_200, at("2026-02-28T12:00:00.5Z"));
    assert_eq!(cloud.handle(&event).await.unwrap(), Done::APPLIED);
    assert_eq!(cloud.points(ada().as_str()).await, (1_200, 1_200, "silver".into()));

    let entry = cloud.entry(&event).await.unwrap();
    assert_eq!((text(&entry, "kind"), text(&entry, "customer_number")), ("earned", "000000000007"));
    assert_eq!(number::<u32>(&entry, "points"), 1_200);
    let counts_until = format!("2027-02-28T12:00:00.500000000Z#{}", event.metadata.event_id);
    assert_eq!(text(&entry, "counts_until"), counts_until);
    assert!(!entry.contains_key("expires_at"), "the ledger is kept for good");

    let changed = json!({
        "customer_number": "000000000007", "balance": 1_200, "tier": "silver", "tier_points": 1_200, "revision": 1
    });
    let ascended = json!({
        "customer_number": "000000000007", "tier": "silver", "previous_tier": "bronze", "tier_points": 1_200,
        "revision": 1
    });
    assert_eq!(
        cloud.announced().await,
        [("PointsBalanceChanged".to_owned(), changed), ("TierAscended".to_owned(), ascended)]
    );
    cloud.test.shutdown().await;
}

#[tokio::test]
async fn no_replay_counts_twice_even_after_its_marker_has_expired() {
    let cloud = Cloud::start(NOW).await;
    let event = earned(&ada(), 5, at(NOW));
    cloud.handle(&event).await.unwrap();
    assert_eq!(cloud.handle(&event).await.unwrap(), Done::DUPLICATE);
    assert_eq!(cloud.announced().await.len(), 1);
    cloud.expire_marker(&event).await;
    assert_eq!(cloud.handle(&event).await.unwrap(), Done::DUPLICATE);
    assert_eq!(cloud.points(ada().as_str()).await, (5, 5, "bronze".into()));
    assert_eq!(cloud.announced().await, [], "the announcement went with its marker");
    assert_eq!(cloud.items("EVENT#").await.len(), 0, "a duplicate writes no marker either");
    cloud.test.shutdown().await;
}

#[tokio::test]
async fn an_erasure_leaves_a_tombstone_that_wins_over_what_occurred_no_later() {
    let cloud = Cloud::start(NOW).await;
    let now = at(NOW);
    let hour = SignedDuration::from_hours(1);
    cloud.handle(&earned(&ada(), 1_000, now - hour * 3)).await.unwrap();
    let erasure = erased(&ada(), now - hour);
    assert_eq!(cloud.handle(&erasure).await.unwrap(), Done::APPLIED);
    assert_eq!(cloud.points(ada().as_str()).await, (0, 0, "bronze".into()));

    for late in [earned(&ada(), 50, now - hour * 2), redeemed(&ada(), 50, now - hour)] {
        assert_eq!(cloud.handle(&late).await.unwrap(), Done::new("erased"));
        let mut names: Vec<_> = cloud.entry(&late).await.unwrap().into_keys().collect();
        names.sort_unstable();
        assert_eq!(names, ["kind", "pk"], "neither whose nor how many");
        cloud.expire_marker(&late).await;
        assert_eq!(cloud.handle(&late).await.unwrap(), Done::DUPLICATE);
    }
    assert_eq!(cloud.handle(&erased(&ada(), now - hour * 2)).await.unwrap(), Done::without_effect("stale"));

    // Who enrols again begins anew.
    cloud.handle(&earned(&ada(), 30, now)).await.unwrap();
    assert_eq!(cloud.points(ada().as_str()).await, (30, 30, "bronze".into()));
    let announced = cloud.announced().await;
    let names: Vec<_> = announced.iter().map(|(name, _)| name.as_str()).collect();
    assert_eq!(
        names,
        ["PointsBalanceChanged", "TierAscended", "PointsBalanceChanged", "PointsBalanceChanged"]
    );
    assert_eq!((&announced[3].1["balance"], &announced[3].1["revision"]), (&json!(30), &json!(3)));
    cloud.test.shutdown().await;
}

#[tokio::test]
async fn the_erasure_of_an_unknown_customer_is_remembered() {
    let cloud = Cloud::start(NOW).await;
    assert_eq!(cloud.handle(&erased(&ada(), at(NOW))).await.unwrap(), Done::APPLIED);
    assert_eq!(cloud.handle(&earned(&ada(), 5, at(NOW))).await.unwrap(), Done::new("erased"));
    assert_eq!(cloud.announced().await.len(), 0);
    cloud.test.shutdown().await;
}

#[tokio::test]
async fn an_event_from_the_future_is_a_permanent_failure() {
    let cloud = Cloud::start(NOW).await;
    let tomorrow = at(NOW) + SignedDuration::from_hours(24);
    for event in [earned(&ada(), 5, tomorrow), redeemed(&ada(), 5, tomorrow), erased(&ada(), tomorrow)] {
        let failure = cloud.handle(&event).await.unwrap_err();
        assert_eq!((failure.reason(), failure.is_permanent()), ("occurred-in-the-future", true));
    }
    assert_eq!(cloud.items("").await.len(), 0);
    cloud.test.shutdown().await;
}

#[tokio::test]
async fn a_failing_dynamodb_is_a_transient_failure_that_names_it() {
    let cloud = Cloud::start(NOW).await;
    let event = earned(&ada(), 5, at(NOW));
    for operation in ["GetItem", "TransactWriteItems"] {
        cloud.test.fail("dynamodb", operation, "500", 3).await;
        let failure = cloud.handle(&event).await.unwrap_err();
        let Failure::Transient { reason, dependency, .. } = failure else { panic!("{failure:?}") };
        assert_eq!((reason, dependency), ("unavailable", Some("DynamoDB")));
        cloud.test.mend().await;
    }
    // One for each attempt of the SDK.
    cloud.test.fail("dynamodb", "TransactWriteItems", "drop-response", 3).await;
    assert!(!cloud.handle(&event).await.unwrap_err().is_permanent());
    assert_eq!(cloud.handle(&event).await.unwrap(), Done::DUPLICATE);
    assert_eq!(cloud.points(ada().as_str()).await, (5, 5, "bronze".into()));
    cloud.test.shutdown().await;
}

#[tokio::test]
async fn an_item_that_is_not_an_account_is_a_permanent_failure() {
    let cloud = Cloud::start(NOW).await;
    let key = aws_sdk_dynamodb::types::AttributeValue::S(format!("REWARDS#{}", ada()));
    let table = cloud.test.variable(crate::NAME, "REWARDS_TABLE_NAME");
    cloud.test.dynamodb().put_item().table_name(table).item("pk", key).send().await.unwrap();
    let failure = cloud.handle(&earned(&ada(), 5, at(NOW))).await.unwrap_err();
    assert_eq!((failure.reason(), failure.is_permanent()), ("account-unreadable", true));
    cloud.test.shutdown().await;
}
