//! What an erasure leaves of a customer: lines that nobody can decrypt.

use super::*;

#[tokio::test]
async fn an_erasure_makes_every_line_before_it_unreadable_for_good() {
    let house = House::build().await;
    let (one, other) = (house.task(), house.task());
    let first = renamed("2026-03-01T12:00:00Z", "Ada");
    assert_eq!(handle(&one, &first).await.unwrap(), Done::APPLIED);
    assert_eq!(handle(&other, &asks_for_erasure("2026-03-01T13:00:00Z")).await.unwrap(), Done::APPLIED);
    assert_eq!(house.readable().await.len(), 2);

    assert_eq!(handle(&one, &erased("2026-03-01T13:00:00Z")).await.unwrap(), WITHOUT_DATA);
    assert!(house.readable().await.is_empty());
    let item = house.cloud.item(crate::TABLE, format!("CUSTOMER#{CUSTOMER}")).await.unwrap();
    let mut names: Vec<_> = item.keys().map(String::as_str).collect();
    names.sort_unstable();
    assert_eq!(names, ["erased_at", "pk"]);

    // Whatever arrives late is kept without data, by the task that still has the key in memory too.
    for task in [&one, &other] {
        assert_eq!(handle(task, &first).await.unwrap(), WITHOUT_DATA);
        assert_eq!(handle(task, &asks_for_erasure("2026-03-01T13:00:00Z")).await.unwrap(), WITHOUT_DATA);
    }
    assert!(house.readable().await.is_empty());
    let erased = house.lines().await.into_iter().filter(|line| line.erased).count();
    // The first event twice is one object, since its lines are the same.
    assert_eq!(erased, 4, "the erasure itself, and what came late");
    house.cloud.shutdown().await;
}

#[tokio::test]
async fn a_customer_who_enrols_again_has_a_new_key_which_no_repeated_erasure_removes() {
    let house = House::build().await;
    let (one, other) = (house.task(), house.task());
    handle(&one, &renamed("2026-03-01T12:00:00Z", "Ada")).await.unwrap();
    handle(&other, &renamed("2026-03-01T12:00:00Z", "Augusta")).await.unwrap();
    let erasure = erased("2026-03-01T13:00:00Z");
    handle(&one, &erasure).await.unwrap();
    // The other task has the removed key in memory, and must not use it.
    let later = renamed("2026-03-01T14:00:00Z", "Grace");
    assert_eq!(handle(&other, &later).await.unwrap(), Done::APPLIED);
    assert_eq!(house.readable().await, [later.data.get()]);

    for repeated in [&erasure, &erased("2026-03-01T12:30:00Z")] {
        assert_eq!(handle(&one, repeated).await.unwrap(), WITHOUT_DATA);
        assert_eq!(house.readable().await, [later.data.get()]);
    }
    handle(&one, &erased("2026-03-01T15:00:00Z")).await.unwrap();
    assert!(house.readable().await.is_empty());
    house.cloud.shutdown().await;
}

#[tokio::test]
async fn an_erasure_in_the_future_or_of_nobody_is_refused() {
    let house = House::build().await;
    let task = house.task();
    let ahead = Timestamp::now() + jiff::SignedDuration::from_hours(1);
    let failure = handle(&task, &erased(&ahead.to_string())).await.unwrap_err();
    assert!(matches!(failure, Failure::Permanent { reason: "occurred-in-the-future", .. }), "{failure:?}");
    let mut nobody = erased("2026-03-01T13:00:00Z");
    nobody.customer_number = None;
    let failure = handle(&task, &nobody).await.unwrap_err();
    assert!(matches!(failure, Failure::Permanent { reason: "malformed-event", .. }), "{failure:?}");
    assert!(house.objects().await.is_empty());
    house.cloud.shutdown().await;
}
