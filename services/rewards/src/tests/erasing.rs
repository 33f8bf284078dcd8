//! What an erasure leaves of the ledger.

use envelope::Envelope;
use jiff::SignedDuration;
use sqs_consumer::Done;

use super::cloud::{Cloud, at, customer, earned, erased, redeemed};
use super::{NOW, ada};

/// Returns how many entries of the ledger say whose they are.
async fn named(cloud: &Cloud) -> usize {
    let entries = cloud.items("LEDGER#").await;
    entries
        .iter()
        .filter(|entry| entry.contains_key("customer_number") || entry.contains_key("points"))
        .count()
}

#[tokio::test]
async fn entries_lose_whose_they_are_and_no_replay_of_them_counts() {
    let cloud = Cloud::start(NOW).await;
    let hour = SignedDuration::from_hours(1);
    let of_ada = [earned(&ada(), 500, at(NOW) - hour * 3), redeemed(&ada(), 200, at(NOW) - hour * 2)];
    let of_grace = earned(&customer(8), 70, at(NOW) - hour * 3);
    for event in of_ada.iter().chain([&of_grace]) {
        cloud.handle(event).await.unwrap();
    }
    cloud.handle(&erased(&ada(), at(NOW) - hour)).await.unwrap();
    cloud.set_clock(at(NOW) + SignedDuration::from_secs(1));
    cloud.sweep().await;
    for event in &of_ada {
        let mut names: Vec<_> = cloud.entry(event).await.unwrap().into_keys().collect();
        names.sort_unstable();
        assert_eq!(names, ["kind", "pk"]);
        cloud.expire_marker(event).await;
        assert_eq!(cloud.handle(event).await.unwrap(), Done::DUPLICATE);
    }
    assert_eq!(cloud.points(ada().as_str()).await, (0, 0, "bronze".into()));
    assert!(cloud.entry(&of_grace).await.unwrap().contains_key("customer_number"), "another customer's");
    // Nothing of the customer is left but the tombstone, and what the outbox has announced.
    let items = cloud.items("").await;
    let left: Vec<_> = items.iter().filter(|item| format!("{item:?}").contains(ada().as_str())).collect();
    assert!(
        left.iter().all(|item| {
            let key = item["pk"].as_s().unwrap();
            key.starts_with("REWARDS#") || item.contains_key("event_type")
        }),
        "{left:?}"
    );
    cloud.test.shutdown().await;
}

/// Two hundred entries take three transactions; the sweeper is killed after each.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_erasure_of_many_entries_goes_on_after_a_crash() {
    const ENTRIES: usize = 200;
    let cloud = Cloud::start(NOW).await;
    let events: Vec<_> = (0..ENTRIES).map(|_| earned(&ada(), 10, at(NOW))).collect();
    for event in &events {
        cloud.handle(event).await.unwrap();
    }
    cloud.handle(&erased(&ada(), at(NOW))).await.unwrap();
    assert_eq!(cloud.points(ada().as_str()).await, (0, 0, "bronze".into()), "the sums at once");
    assert_eq!(named(&cloud).await, ENTRIES);
    cloud.set_clock(at(NOW) + SignedDuration::from_secs(1));
    let mut left = ENTRIES;
    while left > 0 {
        let sweeper = cloud.start_sweeper(|accounts| accounts);
        super::cloud::until("some entries to be erased", async || named(&cloud).await < left).await;
        drop(sweeper);
        left = named(&cloud).await;
        // The lease of the killed sweeper ends.
        cloud.advance(SignedDuration::from_secs(40));
    }
    cloud.sweep().await;
    assert_eq!(cloud.items("LEDGER#").await.len(), ENTRIES, "the keys stay");
    assert_eq!(cloud.points(ada().as_str()).await, (0, 0, "bronze".into()));
    let account = cloud.items("REWARDS#").await.pop().unwrap();
    assert!(!account.contains_key("erasing") && !account.contains_key("due_at"), "{account:?}");
    assert_eq!(account["entries"].as_n().unwrap(), "0");
    cloud.test.shutdown().await;
}

#[tokio::test]
async fn an_erasure_that_arrives_after_later_events_removes_what_occurred_before_it() {
    let cloud = Cloud::start(NOW).await;
    let hour = |number: i64| at(NOW) - SignedDuration::from_hours(24 - number);
    let before = [earned(&ada(), 6_000, hour(1)), redeemed(&ada(), 100, hour(2))];
    let after = [earned(&ada(), 300, hour(4)), redeemed(&ada(), 50, hour(5))];
    for event in before.iter().chain(&after) {
        cloud.handle(event).await.unwrap();
    }
    assert_eq!(cloud.points(ada().as_str()).await, (6_150, 6_300, "gold".into()));
    cloud.handle(&erased(&ada(), hour(3))).await.unwrap();
    cloud.set_clock(at(NOW) + SignedDuration::from_secs(1));
    cloud.sweep().await;
    assert_eq!(cloud.points(ada().as_str()).await, (250, 300, "bronze".into()));
    let names = |entry: &Envelope| {
        let (cloud, entry) = (&cloud, entry.clone());
        async move { cloud.entry(&entry).await.unwrap().contains_key("customer_number") }
    };
    for event in &before {
        assert!(!names(event).await);
    }
    for event in &after {
        assert!(names(event).await);
    }
    // No descent: it is not because a year has passed.
    assert_eq!(cloud.outbox("TierDescended").await.len(), 0);
    let announced = cloud.announced().await;
    let (_, last) = announced.iter().rfind(|(name, _)| name == "PointsBalanceChanged").unwrap();
    assert_eq!((&last["balance"], &last["tier_points"]), (&250.into(), &300.into()));
    // What counts still ceases to count in its time.
    cloud.set_clock(at("2027-03-01T12:00:00Z"));
    cloud.sweep().await;
    assert_eq!(cloud.points(ada().as_str()).await, (250, 0, "bronze".into()));
    cloud.test.shutdown().await;
}
