//! How often KMS is asked, and what it need not be asked for.

use super::*;

fn enrolled(customer: u32) -> Envelope {
    let customer_number = format!("1234567{customer:05}").parse().unwrap();
    let name = Name { given: "Ada".parse().unwrap(), family: "Lovelace".parse().unwrap() };
    envelope_at(at("2026-03-01T12:00:00Z"), &CustomerRenamed { customer_number, name })
}

fn settings() -> BatchSettings {
    BatchSettings { age: Duration::ZERO, bytes: usize::MAX, events: 100 }
}

#[tokio::test]
async fn kms_is_asked_once_for_any_number_of_customers() {
    let house = House::build().await;
    let task = house.task();
    assert_eq!(handle(&task, &enrolled(0)).await.unwrap(), Done::APPLIED);
    // Whatever comes later, KMS is not there.
    house.cloud.fail("kms", "*", "500", 1_000).await;
    for customer in 0..50 {
        assert_eq!(handle(&task, &enrolled(customer)).await.unwrap(), Done::APPLIED);
    }
    let failure = handle(&house.task(), &enrolled(0)).await.unwrap_err();
    assert!(matches!(failure, Failure::Transient { dependency: Some("KMS"), .. }), "{failure:?}");
    house.cloud.mend().await;
    assert_eq!(house.readable().await.len(), 51);
    assert_eq!(house.cloud.items(crate::TABLE, "BRANCH#").await.len(), 1);
    house.cloud.shutdown().await;
}

#[tokio::test]
async fn what_kms_wrapped_itself_is_read_and_wrapped_by_a_branch_key_once_it_is_used() {
    let house = House::build().await;
    let before = house.task_of(settings(), house.keys_wrapped_by(false));
    let first = renamed("2026-03-01T12:00:00Z", "Ada");
    assert_eq!(handle(&before, &first).await.unwrap(), Done::APPLIED);
    assert_eq!(house.cloud.items(crate::TABLE, "BRANCH#").await.len(), 0);
    let key = format!("CUSTOMER#{CUSTOMER}");
    let old = house.cloud.item(crate::TABLE, &key).await.unwrap();
    assert_eq!(house.readable().await, [first.data.get()]);
    assert_eq!(house.cloud.item(crate::TABLE, &key).await.unwrap(), old, "reading changes nothing");

    let second = renamed("2026-03-01T13:00:00Z", "Augusta");
    assert_eq!(handle(&house.task(), &second).await.unwrap(), Done::APPLIED);
    let new = house.cloud.item(crate::TABLE, &key).await.unwrap();
    assert_eq!(new["key_id"], old["key_id"]);
    assert!(new["wrapped_key"].as_b().unwrap().as_ref().starts_with(b"branch:"));
    assert_eq!(house.readable().await.len(), 2);
    // A task that has KMS wrap new keys reads those as well.
    let third = renamed("2026-03-01T14:00:00Z", "Grace");
    let again = house.task_of(settings(), house.keys_wrapped_by(false));
    assert_eq!(handle(&again, &third).await.unwrap(), Done::APPLIED);

    handle(&again, &erased("2026-03-01T15:00:00Z")).await.unwrap();
    assert!(house.readable().await.is_empty(), "the branch key alone decrypts nothing");
    house.cloud.shutdown().await;
}

#[tokio::test]
async fn tasks_that_need_the_first_branch_key_at_once_agree_on_one() {
    let house = House::build().await;
    let (one, other) = (house.task(), house.task());
    house.cloud.delay("kms", "GenerateDataKey", 200, 2).await;
    let events = [enrolled(1), enrolled(2)];
    let (a, b) = tokio::join!(handle(&one, &events[0]), handle(&other, &events[1]));
    assert_eq!((a.unwrap(), b.unwrap()), (Done::APPLIED, Done::APPLIED));
    assert_eq!(house.cloud.items(crate::TABLE, "BRANCH#").await.len(), 1);
    assert_eq!(house.readable().await.len(), 2);
    house.cloud.shutdown().await;
}
