//! Points that cease to count for the tier.

use std::collections::BTreeSet;

use jiff::SignedDuration;
use serde_json::json;
use sqs_consumer::Done;

use super::cloud::{Cloud, at, customer, earned, erased, number, text, until};
use super::{NOW, ada};

/// Twelve months after `NOW`, and a second.
const YEAR_LATER: &str = "2027-03-01T12:00:01Z";

#[tokio::test]
async fn after_twelve_months_points_leave_the_tier_and_stay_in_the_balance() {
    let cloud = Cloud::start(NOW).await;
    let first = earned(&ada(), 1_200, at(NOW));
    cloud.handle(&first).await.unwrap();
    let second = earned(&ada(), 900, at("2026-03-01T12:00:00Z") + SignedDuration::from_hours(24));
    cloud.set_clock(second.metadata.occurred_at);
    cloud.handle(&second).await.unwrap();

    cloud.set_clock(at(YEAR_LATER) - SignedDuration::from_secs(2));
    cloud.sweep().await;
    assert_eq!(cloud.points(ada().as_str()).await, (2_100, 2_100, "silver".into()));
    cloud.set_clock(at(YEAR_LATER));
    cloud.sweep().await;
    assert_eq!(cloud.points(ada().as_str()).await, (2_100, 900, "bronze".into()));

    let descended = cloud.outbox("TierDescended").await;
    let [item] = descended.as_slice() else { panic!("{descended:?}") };
    let data: serde_json::Value = serde_json::from_str(text(item, "data")).unwrap();
    let expected = json!({
        "customer_number": ada(), "tier": "bronze", "previous_tier": "silver", "tier_points": 900, "revision": 3
    });
    assert_eq!(data, expected);
    let announced = cloud.announced().await;
    let (name, changed) = &announced[announced.len() - 2];
    assert_eq!(
        (name.as_str(), &changed["balance"], &changed["revision"]),
        ("PointsBalanceChanged", &json!(2_100), &json!(3))
    );
    // It belongs to the chain of the event whose points left, and occurred when they did.
    let first_id = first.metadata.event_id.to_string();
    assert_eq!(text(item, "correlation_id"), first_id);
    assert_eq!(text(item, "occurred_at"), "2027-03-01T12:00:00Z");

    // The account is due again for the second event, whose chain follows.
    let account = cloud.items("REWARDS#").await.pop().unwrap();
    assert_eq!(text(&account, "due_at"), "2027-03-02T12:00:00.000000000Z");
    cloud.set_clock(at(YEAR_LATER) + SignedDuration::from_hours(24));
    cloud.sweep().await;
    assert_eq!(cloud.points(ada().as_str()).await, (2_100, 0, "bronze".into()));
    let changed = cloud.outbox("PointsBalanceChanged").await;
    let second_id = second.metadata.event_id.to_string();
    assert_eq!(changed.iter().filter(|item| text(item, "correlation_id") == second_id).count(), 2);
    assert_eq!(cloud.outbox("TierDescended").await.len(), 1);
    let account = cloud.items("REWARDS#").await.pop().unwrap();
    assert!(!account.contains_key("due_at"), "nothing is left to count");
    cloud.test.shutdown().await;
}

#[tokio::test]
async fn points_of_a_leap_day_count_until_the_last_day_of_february() {
    let cloud = Cloud::start("2028-02-29T08:00:00Z").await;
    cloud.handle(&earned(&ada(), 1_000, at("2028-02-29T08:00:00Z"))).await.unwrap();
    cloud.set_clock(at("2029-02-28T07:59:59Z"));
    cloud.sweep().await;
    assert_eq!(cloud.points(ada().as_str()).await.1, 1_000);
    cloud.set_clock(at("2029-02-28T08:00:01Z"));
    cloud.sweep().await;
    assert_eq!(cloud.points(ada().as_str()).await, (1_000, 0, "bronze".into()));
    cloud.test.shutdown().await;
}

#[tokio::test]
async fn points_that_arrive_after_or_right_before_their_end_count_for_the_balance_only() {
    let cloud = Cloud::start(YEAR_LATER).await;
    let ended = at(NOW);
    for occurred_at in [ended, ended + SignedDuration::from_mins(4)] {
        cloud.handle(&earned(&ada(), 1_000, occurred_at)).await.unwrap();
    }
    assert_eq!(cloud.points(ada().as_str()).await, (2_000, 0, "bronze".into()));
    cloud.handle(&earned(&ada(), 1_000, ended + SignedDuration::from_mins(10))).await.unwrap();
    assert_eq!(cloud.points(ada().as_str()).await, (3_000, 1_000, "silver".into()));
    cloud.set_clock(at(YEAR_LATER) + SignedDuration::from_mins(10));
    cloud.sweep().await;
    assert_eq!(cloud.points(ada().as_str()).await, (3_000, 0, "bronze".into()));
    assert_eq!(cloud.outbox("TierDescended").await.len(), 1);
    cloud.test.shutdown().await;
}

#[tokio::test]
async fn many_entries_leave_page_by_page_and_are_descended_from_once() {
    const ENTRIES: u32 = 50;
    let cloud = Cloud::start(NOW).await;
    for entry in 0..ENTRIES {
        // Several at the same instant.
        let occurred_at = at(NOW) - SignedDuration::from_secs((entry / 10).into());
        cloud.handle(&earned(&ada(), 100, occurred_at)).await.unwrap();
    }
    cloud.set_clock(at(YEAR_LATER));
    let sweeper = cloud.start_sweeper(|accounts| accounts.with_pages(7, 14));
    cloud.swept().await;
    drop(sweeper);
    assert_eq!(cloud.points(ada().as_str()).await, (5_000, 0, "bronze".into()));
    let descended = cloud.outbox("TierDescended").await;
    let tiers: BTreeSet<_> = descended.iter().map(|item| text(item, "data").to_owned()).collect();
    assert_eq!(tiers.len(), descended.len());
    // From gold to silver with the first entries, and to bronze with the last but some.
    assert_eq!(descended.len(), 2, "{tiers:?}");
    let changes = cloud.outbox("PointsBalanceChanged").await.len();
    assert_eq!(changes, usize::try_from(ENTRIES).unwrap() + 4, "one for each transaction of 14 entries");
    cloud.test.shutdown().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn two_sweepers_at_once_announce_each_descent_once() {
    const CUSTOMERS: u64 = 30;
    let cloud = Cloud::start(NOW).await;
    for number in 1..=CUSTOMERS {
        cloud.handle(&earned(&customer(number), 1_000, at(NOW))).await.unwrap();
        cloud.handle(&earned(&customer(number), 500, at(NOW))).await.unwrap();
    }
    cloud.set_clock(at(YEAR_LATER));
    let sweepers = [cloud.start_sweeper(|accounts| accounts), cloud.start_sweeper(|accounts| accounts)];
    cloud.swept().await;
    drop(sweepers);
    let descended = cloud.outbox("TierDescended").await;
    let customers: BTreeSet<_> = descended.iter().map(|item| text(item, "data").to_owned()).collect();
    assert_eq!((descended.len(), customers.len()), (30, 30));
    for number in 1..=CUSTOMERS {
        assert_eq!(cloud.points(customer(number).as_str()).await, (1_500, 0, "bronze".into()));
    }
    cloud.test.shutdown().await;
}

/// The index may not show yet what has just arrived, so the account is looked at again.
#[tokio::test]
async fn an_account_that_points_have_just_reached_is_looked_at_again_after_the_margin() {
    let cloud = Cloud::start(NOW).await;
    cloud.handle(&earned(&ada(), 100, at(NOW))).await.unwrap();
    cloud.set_clock(at(YEAR_LATER));
    cloud.handle(&earned(&ada(), 70, at(YEAR_LATER))).await.unwrap();
    cloud.sweep().await;
    let account = cloud.items("REWARDS#").await.pop().unwrap();
    assert_eq!(number::<u32>(&account, "tier_points"), 70);
    assert_eq!(text(&account, "due_at"), "2027-03-01T12:05:01.000000000Z");
    let announced = cloud.announced().await.len();
    cloud.set_clock(at(YEAR_LATER) + SignedDuration::from_mins(6));
    cloud.sweep().await;
    let account = cloud.items("REWARDS#").await.pop().unwrap();
    assert_eq!(text(&account, "due_at"), "2028-03-01T12:00:01.000000000Z");
    assert_eq!(cloud.announced().await.len(), announced, "nothing visible has changed");
    cloud.test.shutdown().await;
}

#[tokio::test]
async fn an_erasure_before_the_end_leaves_nothing_to_descend_from() {
    let cloud = Cloud::start(NOW).await;
    cloud.handle(&earned(&ada(), 1_000, at(NOW))).await.unwrap();
    assert_eq!(cloud.handle(&erased(&ada(), at(NOW))).await.unwrap(), Done::APPLIED);
    cloud.set_clock(at(YEAR_LATER));
    cloud.sweep().await;
    until("the account to be due no longer", async || {
        !cloud.items("REWARDS#").await.pop().unwrap().contains_key("due_at")
    })
    .await;
    assert_eq!(cloud.outbox("TierDescended").await.len(), 0);
    cloud.test.shutdown().await;
}
