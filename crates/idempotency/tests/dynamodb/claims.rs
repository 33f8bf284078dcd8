//! Claims, their leases and their owners.

use std::sync::Arc;
use std::time::Duration;

use idempotency::{Claim, ClaimError, Claims, Token};
use jiff::{SignedDuration, Timestamp};

use crate::cloud::{Cloud, TABLE};

const LEASE: Duration = Duration::from_secs(30);
const ID: &str = "CLAIM#7";

fn now() -> Timestamp {
    "2026-03-01T12:00:00Z".parse().unwrap()
}

fn later(seconds: i64) -> Timestamp {
    now() + SignedDuration::from_secs(seconds)
}

async fn claimed(cloud: &Cloud, at: Timestamp) -> Token {
    match Claims::new(TABLE).claim(&cloud.client, ID, LEASE, at, None).await.unwrap() {
        Claim::Claimed(token) => token,
        other => panic!("not claimed: {other:?}"),
    }
}

#[tokio::test]
async fn a_completed_claim_is_done_for_good() {
    let cloud = Cloud::start().await;
    let claims = Claims::new(TABLE);
    let token = claimed(&cloud, now()).await;
    let meanwhile = claims.claim(&cloud.client, ID, LEASE, later(29), None).await.unwrap();
    assert_eq!(meanwhile, Claim::InProgress { until: later(30) });

    claims.complete(&cloud.client, &token, later(29)).await.unwrap();
    // The call may be repeated if its response was lost.
    claims.complete(&cloud.client, &token, later(29)).await.unwrap();
    assert_eq!(
        claims.claim(&cloud.client, ID, LEASE, later(3_600), None).await.unwrap(),
        Claim::Done { attempt: None }
    );
    let released = claims.release(&cloud.client, &token).await;
    assert!(matches!(released, Err(ClaimError::Lost { id }) if id == ID));

    let item = cloud.item(ID).await.unwrap();
    let mut names: Vec<_> = item.keys().map(String::as_str).collect();
    names.sort_unstable();
    assert_eq!(names, ["expires_at", "owner", "pk", "state"]);
    let expires_at = later(29 + 14 * 86_400).as_second().to_string();
    assert_eq!(item["expires_at"].as_n().unwrap(), &expires_at);
    cloud.shutdown().await;
}

#[tokio::test]
async fn others_can_ask_whether_a_claim_was_completed() {
    let cloud = Cloud::start().await;
    let claims = Claims::new(TABLE);
    assert!(!claims.is_done(&cloud.client, ID).await.unwrap(), "nobody has claimed it");
    let token = claimed(&cloud, now()).await;
    assert!(!claims.is_done(&cloud.client, ID).await.unwrap(), "it is in progress");
    claims.complete(&cloud.client, &token, later(1)).await.unwrap();
    assert!(claims.is_done(&cloud.client, ID).await.unwrap());
    cloud.shutdown().await;
}

#[tokio::test]
async fn the_next_owner_learns_in_which_span_the_previous_one_attempted_the_effect() {
    let cloud = Cloud::start().await;
    let claims = Claims::new(TABLE);
    let claim = async |second, attempt: &str| {
        claims.claim(&cloud.client, ID, LEASE, later(second), Some(attempt.to_owned())).await.unwrap()
    };
    let Claim::Claimed(first) = claim(0, "first").await else { panic!("not claimed") };
    assert_eq!(first.replaced(), None);
    let Claim::Claimed(second) = claim(31, "second").await else { panic!("not claimed") };
    assert_eq!(second.replaced(), Some("first"));
    claims.complete(&cloud.client, &second, later(32)).await.unwrap();
    assert_eq!(claim(33, "third").await, Claim::Done { attempt: Some("second".into()) });
    cloud.shutdown().await;
}

#[tokio::test]
async fn a_released_claim_is_available_at_once() {
    let cloud = Cloud::start().await;
    let claims = Claims::new(TABLE);
    let token = claimed(&cloud, now()).await;
    claims.release(&cloud.client, &token).await.unwrap();
    claims.release(&cloud.client, &token).await.unwrap();
    claimed(&cloud, now()).await;
    cloud.shutdown().await;
}

#[tokio::test]
async fn after_the_lease_another_worker_gets_the_claim() {
    let cloud = Cloud::start().await;
    let claims = Claims::new(TABLE);
    let first = claimed(&cloud, now()).await;
    let second = claimed(&cloud, later(30)).await;
    for lost in
        [claims.complete(&cloud.client, &first, later(31)).await, claims.release(&cloud.client, &first).await]
    {
        assert!(matches!(lost, Err(ClaimError::Lost { .. })), "{lost:?}");
    }
    claims.complete(&cloud.client, &second, later(31)).await.unwrap();
    cloud.shutdown().await;
}

#[tokio::test]
async fn a_lease_of_another_clock_or_setting_lasts_no_longer_than_ones_own() {
    let cloud = Cloud::start().await;
    let claims = Claims::new(TABLE);
    let foreign = claims.claim(&cloud.client, ID, Duration::from_hours(1), now(), None).await.unwrap();
    let Claim::Claimed(first) = foreign else { panic!("{foreign:?}") };
    for seconds in [0, 10, 29] {
        let found = claims.claim(&cloud.client, ID, LEASE, later(seconds), None).await.unwrap();
        assert_eq!(found, Claim::InProgress { until: later(30) }, "bounded once, by whoever found it first");
    }
    let second = claimed(&cloud, later(30)).await;
    let late = claims.complete(&cloud.client, &first, later(31)).await;
    assert!(matches!(late, Err(ClaimError::Lost { .. })), "{late:?}");
    claims.complete(&cloud.client, &second, later(31)).await.unwrap();
    cloud.shutdown().await;
}

#[tokio::test]
async fn a_lease_that_is_no_time_ends_with_ones_own() {
    use aws_sdk_dynamodb::types::AttributeValue;

    let cloud = Cloud::start().await;
    let claims = Claims::new(TABLE);
    for until in ["1e30", "99999999999999999999", "9223372036854775807"] {
        let put = cloud
            .client
            .put_item()
            .table_name(TABLE)
            .item("pk", AttributeValue::S(ID.to_owned()))
            .item("state", AttributeValue::S("claimed".to_owned()))
            .item("owner", AttributeValue::S("somebody".to_owned()))
            .item("lease_until", AttributeValue::N(until.to_owned()));
        put.send().await.unwrap();
        let found = claims.claim(&cloud.client, ID, LEASE, now(), None).await.unwrap();
        assert_eq!(found, Claim::InProgress { until: later(30) }, "{until}");
        claimed(&cloud, later(30)).await;
    }
    cloud.shutdown().await;
}

#[tokio::test]
async fn one_of_many_concurrent_workers_gets_the_claim() {
    let cloud = Arc::new(Cloud::start().await);
    let mut claims = tokio::task::JoinSet::new();
    for _ in 0..24 {
        let cloud = Arc::clone(&cloud);
        claims.spawn(async move {
            Claims::new(TABLE).claim(&cloud.client, ID, LEASE, now(), None).await.unwrap()
        });
    }
    let claims = claims.join_all().await;
    assert_eq!(claims.iter().filter(|claim| matches!(claim, Claim::Claimed(_))).count(), 1);
}

#[tokio::test]
async fn a_lost_response_does_not_lock_the_owner_out() {
    let cloud = Cloud::start().await;
    for operation in ["PutItem", "UpdateItem"] {
        cloud.fail(operation, "drop-response", 1).await;
    }
    let token = claimed(&cloud, now()).await;
    Claims::new(TABLE).complete(&cloud.client, &token, now()).await.unwrap();
    cloud.shutdown().await;
}

#[tokio::test]
async fn another_item_under_the_key_is_reported_as_unreadable() {
    let cloud = Cloud::start().await;
    let key = aws_sdk_dynamodb::types::AttributeValue::S(ID.to_owned());
    cloud.client.put_item().table_name(TABLE).item("pk", key).send().await.unwrap();
    let claim = Claims::new(TABLE).claim(&cloud.client, ID, LEASE, now(), None).await;
    assert!(matches!(claim, Err(ClaimError::Unreadable { id }) if id == ID));
    cloud.shutdown().await;
}
