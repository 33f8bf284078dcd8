//! The handlers on the table that the topology declares.

mod due;
mod erasure;
mod world;

use jiff::{SignedDuration, Timestamp};
use proptest::prelude::*;
use proptest::strategy::ValueTree as _;
use proptest::test_runner::TestRunner;
use sqs_consumer::Done;

use crate::tests::world::{World, after, gift, redeemed};

#[tokio::test]
async fn a_gift_is_activated_and_a_redemption_ends_it() {
    let world = World::start().await;
    let given = service_test::envelope(&gift("SUMMER", 10, after(60)));
    assert_eq!(world.handle(&given).await, Done::APPLIED);
    assert_eq!(world.handle(&given).await, Done::DUPLICATE);
    assert_eq!(world.announced().await, [("DiscountActivated".to_owned(), 1)]);
    let item = world.item("SUMMER").await.unwrap();
    assert!(item.contains_key("due_at") && item.contains_key("due_bucket"));
    assert_eq!(item["due_event_id"].as_s().unwrap(), &given.metadata.event_id.to_string());

    world.handle(&service_test::envelope(&redeemed("SUMMER"))).await;
    assert_eq!(
        world.announced().await,
        [("DiscountActivated".to_owned(), 1), ("DiscountUsed".to_owned(), 2)]
    );
    assert!(!world.item("SUMMER").await.unwrap().contains_key("due_at"), "it no longer falls due");
    world.stop().await;
}

#[tokio::test]
async fn a_redemption_before_its_gift_is_remembered() {
    let world = World::start().await;
    world.handle(&service_test::envelope(&redeemed("SUMMER"))).await;
    let given = world.handle(&service_test::envelope(&gift("SUMMER", 10, after(60)))).await;
    assert_eq!(given.outcome, "used-already");
    assert_eq!(world.announced().await, [("DiscountUsed".to_owned(), 1)]);
    world.stop().await;
}

#[tokio::test]
async fn what_occurs_in_the_future_is_refused() {
    let world = World::start().await;
    let ahead = Timestamp::now() + SignedDuration::from_hours(2);
    let given = service_test::envelope_at(ahead, &gift("SUMMER", 10, after(60)));
    let refused = world.try_handle(&given).await.unwrap_err();
    assert_eq!((refused.reason(), refused.is_permanent()), ("occurred-in-the-future", true));
    world.stop().await;
}

/// Events that are handled at once, twice and in any order, with lost answers, end as those in order do.
#[tokio::test(flavor = "multi_thread")]
async fn any_order_with_conflicts_ends_in_the_same_state() {
    let world = World::start().await;
    let mut runner = TestRunner::deterministic();
    for round in 0..6_u32 {
        let discount = format!("ROUND-{round}");
        let history = prop::collection::vec((1..4_u8, 0..4_i64), 2..6);
        let history = history.new_tree(&mut runner).unwrap().current();
        let begun = Timestamp::now() - SignedDuration::from_secs(60);
        let mut events = Vec::new();
        for (number, (percentage, second)) in (0_i64..).zip(history) {
            let occurred_at = begun + SignedDuration::from_secs(second) + SignedDuration::from_millis(number);
            let event = gift(&discount, percentage, after(3_600 + number));
            events.push(service_test::envelope_at(occurred_at, &event));
        }
        if round % 2 == 1 {
            let occurred_at = begun + SignedDuration::from_secs(2);
            events.push(service_test::envelope_at(occurred_at, &redeemed(&discount)));
        }
        let latest = events
            .iter()
            .filter(|event| event.event_type == "DiscountGifted")
            .max_by_key(|event| (event.metadata.occurred_at, event.metadata.event_id))
            .unwrap();

        world.cloud.fail("dynamodb", "TransactWriteItems", "drop-response", 2).await;
        let handling = events.iter().chain(events.iter().rev()).map(|event| world.handle(event));
        futures_util::future::join_all(handling).await;
        world.cloud.mend().await;

        let stored = world.discount(&discount).await.unwrap();
        let kept = stored.gift.unwrap().version;
        assert_eq!(
            (kept.occurred_at, kept.event_id),
            (latest.metadata.occurred_at, latest.metadata.event_id)
        );
        let expected = if round % 2 == 1 { crate::domain::State::Used } else { crate::domain::State::Active };
        assert_eq!(stored.state, expected);
        let used = world.announced_of(&discount).await.into_iter().filter(|kind| kind == "DiscountUsed");
        assert_eq!(used.count(), (round % 2) as usize, "announced once");
    }
    world.stop().await;
}
