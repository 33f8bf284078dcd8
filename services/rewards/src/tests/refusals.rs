//! Redemptions that the balance does not cover.

use std::time::Duration;

use jiff::SignedDuration;
use serde_json::json;
use sqs_consumer::{Done, Failure};

use super::cloud::{Cloud, GRACE, at, earned, redeemed, text};
use super::{NOW, ada};

fn grace() -> SignedDuration {
    GRACE.try_into().unwrap()
}

#[tokio::test]
async fn a_redemption_waits_for_points_under_way_and_blames_no_dependency() {
    let cloud = Cloud::start(NOW).await;
    let redemption = redeemed(&ada(), 80, at(NOW));
    for _ in 0..2 {
        let failure = cloud.handle(&redemption).await.unwrap_err();
        let Failure::Transient { reason, dependency, retry_after, .. } = failure else {
            panic!("{failure:?}")
        };
        // Without a dependency, the circuit breaker does not count it.
        assert_eq!((reason, dependency), ("points-under-way", None));
        assert_eq!(retry_after, Some(Duration::from_secs(2)));
    }
    assert_eq!(cloud.items("").await.len(), 0, "a redemption that waits leaves nothing");

    cloud.handle(&earned(&ada(), 100, at(NOW))).await.unwrap();
    assert_eq!(cloud.handle(&redemption).await.unwrap(), Done::APPLIED);
    assert_eq!(cloud.points(ada().as_str()).await, (20, 100, "bronze".into()));
    // The balance no longer covers it, and need not.
    assert_eq!(cloud.handle(&redemption).await.unwrap(), Done::DUPLICATE);
    cloud.expire_marker(&redemption).await;
    assert_eq!(cloud.handle(&redemption).await.unwrap(), Done::DUPLICATE);
    assert_eq!(cloud.points(ada().as_str()).await, (20, 100, "bronze".into()));
    cloud.test.shutdown().await;
}

#[tokio::test]
async fn after_the_grace_it_is_refused_once_and_for_all() {
    let cloud = Cloud::start(NOW).await;
    cloud.handle(&earned(&ada(), 20, at(NOW))).await.unwrap();
    let redemption = redeemed(&ada(), 80, at(NOW));
    cloud.set_clock(at(NOW) + grace() - SignedDuration::from_secs(1));
    let failure = cloud.handle(&redemption).await.unwrap_err();
    let Failure::Transient { retry_after, .. } = failure else { panic!("{failure:?}") };
    assert_eq!(retry_after, Some(Duration::from_secs(1)), "not longer than it waits");

    cloud.set_clock(at(NOW) + grace());
    // The second time as if the process had been killed before the message was dead-lettered.
    for _ in 0..2 {
        let failure = cloud.handle(&redemption).await.unwrap_err();
        assert_eq!((failure.reason(), failure.is_permanent()), ("balance-insufficient", true));
    }
    let refusals = || async {
        let announced = cloud.announced().await;
        announced.into_iter().filter(|(name, _)| name == "RedemptionRefused").collect::<Vec<_>>()
    };
    let expected = json!({
        "customer_number": ada(), "redemption_id": redemption.metadata.event_id, "points": 80, "balance": 20
    });
    assert_eq!(refusals().await, [("RedemptionRefused".to_owned(), expected)]);
    assert_eq!(text(&cloud.entry(&redemption).await.unwrap(), "kind"), "refused");

    // A redrive from the dead-letter queue, when the points are there: the CRM was told otherwise.
    cloud.handle(&earned(&ada(), 100, at(NOW))).await.unwrap();
    for marker in [true, false] {
        if !marker {
            assert_eq!(refusals().await.len(), 1);
            cloud.expire_marker(&redemption).await;
        }
        let failure = cloud.handle(&redemption).await.unwrap_err();
        let Failure::Permanent { reason, source } = failure else { panic!("{failure:?}") };
        assert_eq!(
            (reason, source.unwrap().to_string().as_str()),
            ("refused-before", "balance-insufficient")
        );
    }
    assert_eq!(cloud.points(ada().as_str()).await, (120, 120, "bronze".into()));
    assert_eq!(refusals().await, [], "the announcement went with its marker; no other is made");
    cloud.test.shutdown().await;
}

#[tokio::test]
async fn a_redemption_from_a_backlog_waits_from_its_first_receive() {
    let cloud = Cloud::start(NOW).await;
    let redemption = redeemed(&ada(), 80, at(NOW) - SignedDuration::from_hours(5));
    let received = at(NOW);
    let failure = cloud.handle_received(&redemption, received).await.unwrap_err();
    assert_eq!(failure.reason(), "points-under-way");
    cloud.set_clock(received + grace());
    let failure = cloud.handle_received(&redemption, received).await.unwrap_err();
    assert_eq!(failure.reason(), "balance-insufficient");
    cloud.test.shutdown().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_refusal_that_is_delivered_many_times_at_once_is_announced_once() {
    let cloud = std::sync::Arc::new(Cloud::start(NOW).await);
    let redemption = redeemed(&ada(), 80, at(NOW));
    cloud.set_clock(at(NOW) + grace());
    let mut handled = tokio::task::JoinSet::new();
    for _ in 0..10 {
        let (cloud, redemption) = (std::sync::Arc::clone(&cloud), redemption.clone());
        handled.spawn(async move { cloud.handle(&redemption).await.unwrap_err().reason() });
    }
    for reason in handled.join_all().await {
        assert_eq!(reason, "balance-insufficient");
    }
    assert_eq!(cloud.announced().await.len(), 1);
    std::sync::Arc::into_inner(cloud).unwrap().test.shutdown().await;
}
