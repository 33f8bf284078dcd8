//! Discounts that fall due.

use jiff::SignedDuration;

use crate::tests::world::{World, after, gift, redeemed, until};

#[tokio::test(flavor = "multi_thread")]
async fn a_discount_expires_at_its_time_unless_it_was_used_or_extended() {
    let mut world = World::start().await;
    world.sweep();
    for discount in ["EXPIRES", "USED", "EXTENDED"] {
        world.handle(&service_test::envelope(&gift(discount, 10, after(600)))).await;
    }
    world.handle(&service_test::envelope(&redeemed("USED"))).await;
    world.handle(&service_test::envelope(&gift("EXTENDED", 10, after(86_400)))).await;

    world.jump(SignedDuration::from_mins(11));
    until("the expiry", || async {
        world.announced_of("EXPIRES").await.contains(&"DiscountExpired".to_owned()).then_some(())
    })
    .await;
    let expired = world.discount("EXPIRES").await.unwrap();
    assert_eq!(expired.state, crate::domain::State::Expired);
    for discount in ["USED", "EXTENDED"] {
        assert!(!world.announced_of(discount).await.contains(&"DiscountExpired".to_owned()));
    }
    world.jump(SignedDuration::from_hours(25));
    until("the later expiry", || async {
        world.announced_of("EXTENDED").await.contains(&"DiscountExpired".to_owned()).then_some(())
    })
    .await;
    world.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_gift_that_has_expired_already_is_recorded_alone() {
    let mut world = World::start().await;
    world.sweep();
    let done = world.handle(&service_test::envelope(&gift("LATE", 10, after(-60)))).await;
    assert_eq!(done.outcome, "expired-already");
    // What falls due after it has been handled when this one's turn would have come.
    world.handle(&service_test::envelope(&gift("OTHER", 10, after(60)))).await;
    world.jump(SignedDuration::from_mins(2));
    until("the other's expiry", || async { (world.announced_of("OTHER").await.len() == 2).then_some(()) })
        .await;
    assert_eq!(world.announced_of("LATE").await, [] as [String; 0]);
    world.stop().await;
}
