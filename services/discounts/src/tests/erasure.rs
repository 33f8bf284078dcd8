//! Erasures.

use contracts::MemberErased;
use jiff::{SignedDuration, Timestamp};

use crate::tests::world::{CUSTOMER, World, after, gift, redeemed, until};

fn erasure() -> MemberErased {
    let mut example: serde_json::Value =
        serde_json::from_str(<MemberErased as contracts::Contract>::EXAMPLE).unwrap();
    example["customer_number"] = CUSTOMER.into();
    serde_json::from_value(example).unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn an_erasure_removes_every_discount_that_was_given_before_it() {
    let mut world = World::start().await;
    let before = Timestamp::now() - SignedDuration::from_mins(10);
    // More than one transaction can remove.
    for number in 0..90 {
        let given = gift(&format!("D-{number}"), 10, after(3_600));
        world.handle(&service_test::envelope_at(before, &given)).await;
    }
    let later = Timestamp::now() - SignedDuration::from_mins(1);
    world.handle(&service_test::envelope_at(later, &gift("LATER", 10, after(3_600)))).await;

    let erased_at = before + SignedDuration::from_mins(5);
    let erased = service_test::envelope_at(erased_at, &erasure());
    world.handle(&erased).await;
    world.sweep();
    until("the discounts to be gone", || async {
        (world.cloud.items(crate::TABLE, "DISCOUNT#").await.len() == 1).then_some(())
    })
    .await;
    assert!(world.discount("LATER").await.is_some());

    // The tombstone refuses what arrives late, and looks once more.
    let late = service_test::envelope_at(before, &gift("D-1", 10, after(3_600)));
    assert_eq!(world.handle(&late).await.outcome, "erased");
    let late = service_test::envelope_at(erased_at, &redeemed("D-2"));
    assert_eq!(world.handle(&late).await.outcome, "erased", "at the same instant the erasure wins");
    let earlier = service_test::envelope_at(before, &erasure());
    assert_eq!(world.handle(&earlier).await.outcome, "stale");
    world.jump(SignedDuration::from_mins(20));
    let tombstone = until("the last look", || async {
        let tombstone = world.cloud.item(crate::TABLE, format!("CUSTOMER#{CUSTOMER}")).await.unwrap();
        (!tombstone.contains_key("due_at")).then_some(tombstone)
    })
    .await;
    assert!(!tombstone.contains_key("parked_reason"), "{tombstone:?}");
    assert!(world.discount("LATER").await.is_some());
    world.stop().await;
}

/// A discount that the index did not have yet when the erasure looked first is found by its last look.
#[tokio::test(flavor = "multi_thread")]
async fn a_discount_that_the_index_lacked_is_removed_by_the_last_look() {
    let mut world = World::start().await;
    let before = Timestamp::now() - SignedDuration::from_mins(10);
    world.handle(&service_test::envelope_at(before, &gift("HIDDEN", 10, after(86_400)))).await;
    let dynamodb = world.cloud.dynamodb();
    let update = |expression: &'static str| {
        let update = dynamodb.update_item().table_name("shop-test-discounts");
        let key = aws_sdk_dynamodb::types::AttributeValue::S(format!("DISCOUNT#{CUSTOMER}#HIDDEN"));
        update.key("pk", key).update_expression(expression)
    };
    update("REMOVE customer_number").send().await.unwrap();
    world.handle(&service_test::envelope_at(before, &erasure())).await;
    world.sweep();
    until("the first look", || async {
        let tombstone = world.cloud.item(crate::TABLE, format!("CUSTOMER#{CUSTOMER}")).await.unwrap();
        let due: Timestamp = tombstone["due_at"].as_s().unwrap().parse().unwrap();
        (due > Timestamp::now()).then_some(())
    })
    .await;
    assert!(world.discount("HIDDEN").await.is_some());

    let number = aws_sdk_dynamodb::types::AttributeValue::S(CUSTOMER.to_owned());
    let indexed = update("SET customer_number = :number").expression_attribute_values(":number", number);
    indexed.send().await.unwrap();
    world.jump(SignedDuration::from_mins(20));
    until("the discount to be gone", || async { world.item("HIDDEN").await.is_none().then_some(()) }).await;
    world.stop().await;
}

/// Used before the erasure, given again after it, which arrives last.
#[tokio::test(flavor = "multi_thread")]
async fn a_gift_to_a_new_membership_is_activated_when_the_erasure_between_arrives_last() {
    let mut world = World::start().await;
    let before = Timestamp::now() - SignedDuration::from_mins(10);
    world.handle(&service_test::envelope_at(before, &redeemed("AGAIN"))).await;
    let given = gift("AGAIN", 10, after(3_600));
    let given = service_test::envelope_at(before + SignedDuration::from_mins(2), &given);
    assert_eq!(world.handle(&given).await.outcome, "used-already");
    world.handle(&service_test::envelope_at(before + SignedDuration::from_mins(1), &erasure())).await;
    world.sweep();
    until("the activation", || async {
        world.announced_of("AGAIN").await.contains(&"DiscountActivated".to_owned()).then_some(())
    })
    .await;
    let item = world.item("AGAIN").await.unwrap();
    assert!(item.contains_key("due_at"), "it falls due like any other");
    world.stop().await;
}
