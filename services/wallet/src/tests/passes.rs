//! One pass for each customer, the same whatever the order.

use futures_util::future::join_all;
use rand::SeedableRng as _;
use rand::rngs::StdRng;
use rand::seq::SliceRandom as _;
use serde_json::json;

use super::*;

fn renamed(customer: &CustomerNumber, second: i64, given: &str) -> Envelope {
    let customer_number = customer.clone();
    event(second, &MemberRenamed { customer_number, contact: contact(given), enrolled_at: Some(at(0)) })
}

fn activated(customer: &CustomerNumber, second: i64, id: &str, revision: u64) -> Envelope {
    event(
        second,
        &DiscountActivated {
            customer_number: customer.clone(),
            discount_id: id.parse().unwrap(),
            value: contracts::DiscountValue::Percentage(Percentage::try_from(15).unwrap()),
            valid_until: at(100_000),
            revision,
        },
    )
}

fn used(customer: &CustomerNumber, second: i64, id: &str, revision: u64) -> Envelope {
    let (customer_number, discount_id) = (customer.clone(), id.parse().unwrap());
    event(second, &DiscountUsed { customer_number, discount_id, revision })
}

/// What happens to a customer.
fn history(customer: &CustomerNumber) -> Vec<Envelope> {
    vec![
        enrolled(customer, 0),
        points(customer, 1, 150, 1),
        activated(customer, 2, "SUMMER", 1),
        renamed(customer, 3, "Augusta"),
        points(customer, 4, 5_150, 2),
        activated(customer, 5, "WINTER", 1),
        used(customer, 6, "SUMMER", 2),
        points(customer, 7, 4_000, 3),
    ]
}

#[tokio::test]
async fn an_enrolment_makes_a_signed_pass_and_later_events_change_it() {
    let house = House::build().await;
    let (service, customer) = (house.service(), customer(1));
    assert_eq!(handle(&service, &enrolled(&customer, 0)).await.unwrap(), Done::APPLIED);
    let (pass, files) = house.pass(&customer).await;
    assert_eq!(pass["storeCard"]["secondaryFields"][0]["value"], "Ada Lovelace");
    assert_eq!(pass["voided"], false);
    assert_eq!(pass["serialNumber"], Serial::of(&customer).to_string());
    for file in ["manifest.json", "signature", "icon.png", "de.lproj/pass.strings"] {
        assert!(files.iter().any(|name| name == file), "{files:?}");
    }
    let bucket = house.cloud.variable(crate::NAME, "WALLET_PASSES_BUCKET_NAME");
    let object =
        aws_clients::s3(house.cloud.aws()).head_object().bucket(bucket).key(Serial::of(&customer).key());
    let object = object.send().await.unwrap();
    assert_eq!(object.content_type(), Some("application/vnd.apple.pkpass"));

    assert_eq!(handle(&service, &points(&customer, 5, 150, 2)).await.unwrap(), Done::APPLIED);
    let version = house.version(&customer).await;
    assert_eq!(handle(&service, &points(&customer, 4, 100, 1)).await.unwrap(), UNCHANGED);
    assert_eq!(handle(&service, &enrolled(&customer, -5)).await.unwrap(), UNCHANGED);
    assert_eq!(house.version(&customer).await, version, "an older event writes nothing");
    let (changed, _) = house.pass(&customer).await;
    assert_eq!(changed["storeCard"]["primaryFields"][0]["value"], 150);
    assert_eq!(changed["authenticationToken"], pass["authenticationToken"]);
    house.cloud.shutdown().await;
}

#[tokio::test]
async fn any_order_and_repetition_of_a_history_ends_in_the_same_pass() {
    let house = House::build().await;
    let service = house.service();
    // What differs between two customers with the same history.
    let shown = |customer: CustomerNumber| {
        let house = &house;
        async move {
            let (pass, _) = house.pass(&customer).await;
            let (serial, token) =
                (Serial::of(&customer).to_string(), pass["authenticationToken"].as_str().unwrap());
            let text =
                pass.to_string().replace(customer.as_str(), "N").replace(&serial, "S").replace(token, "T");
            // Each history has ids of its own.
            let mut pass: Value = serde_json::from_str(&text).unwrap();
            pass["userInfo"]["member"]["announced"][1].take();
            pass
        }
    };
    let first = customer(100);
    for event in history(&first) {
        handle(&service, &event).await.unwrap();
    }
    let expected = shown(first).await;
    assert_eq!(expected["storeCard"]["secondaryFields"][0]["value"], "Augusta Lovelace");
    for seed in 1..=12 {
        let customer = customer(100 + seed);
        let mut events = history(&customer);
        events.extend(events.clone());
        events.shuffle(&mut StdRng::seed_from_u64(seed));
        for event in &events {
            handle(&service, event).await.unwrap();
        }
        assert_eq!(shown(customer).await, expected, "seed {seed}");
    }
    house.cloud.shutdown().await;
}

#[tokio::test]
async fn two_tasks_that_write_one_pass_at_the_same_time_lose_nothing() {
    let house = House::build().await;
    let (one, two) = (house.service(), house.service());
    let customer = customer(2);
    let events = history(&customer);
    // Each task gets each event. Those that others overtook in every round come again, as from a queue.
    let mut left: Vec<_> = events.iter().chain(&events).enumerate().collect();
    while !left.is_empty() {
        let service = |index: usize| if index.is_multiple_of(2) { &one } else { &two };
        let outcomes = join_all(left.iter().map(|(index, event)| handle(service(*index), event))).await;
        let again = left.into_iter().zip(outcomes).filter_map(|(event, outcome)| match outcome {
            Ok(_) => None,
            Err(failure) => {
                assert_eq!((failure.is_permanent(), failure.reason()), (false, "contended"));
                Some(event)
            }
        });
        left = again.collect();
    }
    let (pass, _) = house.pass(&customer).await;
    assert_eq!(pass["storeCard"]["secondaryFields"][0]["value"], "Augusta Lovelace");
    assert_eq!(pass["storeCard"]["primaryFields"][0]["value"], 4_000);
    let back = pass["storeCard"]["backFields"].as_array().unwrap();
    assert_eq!((back.len(), &back[0]["key"]), (2, &json!("discount-WINTER")), "{back:?}");
    house.cloud.shutdown().await;
}

#[tokio::test]
async fn a_lost_answer_of_s3_is_no_second_version() {
    let house = House::build().await;
    let (service, customer) = (house.service(), customer(3));
    handle(&service, &enrolled(&customer, 0)).await.unwrap();
    house.cloud.fail("s3", "PutObject", "drop-response", 1).await;
    let event = points(&customer, 1, 150, 1);
    // The client tries again, and finds its own pass in the way of its condition.
    assert_eq!(handle(&service, &event).await.unwrap(), UNCHANGED);
    let version = house.version(&customer).await;
    assert_eq!(handle(&service, &event).await.unwrap(), UNCHANGED);
    assert_eq!(house.version(&customer).await, version);
    house.cloud.shutdown().await;
}

#[tokio::test]
async fn while_s3_fails_the_event_waits() {
    let house = House::build().await;
    let (service, customer) = (house.service(), customer(4));
    handle(&service, &enrolled(&customer, 0)).await.unwrap();
    for operation in ["GetObject", "PutObject"] {
        house.cloud.fail("s3", operation, "500", 3).await;
        let failure = handle(&service, &points(&customer, 1, 150, 1)).await.unwrap_err();
        assert_eq!((failure.is_permanent(), failure.dependency()), (false, Some("S3")));
    }
    assert_eq!(handle(&service, &points(&customer, 1, 150, 1)).await.unwrap(), Done::APPLIED);
    house.cloud.shutdown().await;
}

#[tokio::test]
async fn an_object_that_is_no_pass_is_never_overwritten() {
    let house = House::build().await;
    let (service, customer) = (house.service(), customer(5));
    let bucket = house.cloud.variable(crate::NAME, "WALLET_PASSES_BUCKET_NAME");
    let put = aws_clients::s3(house.cloud.aws()).put_object().bucket(bucket).key(Serial::of(&customer).key());
    put.body(b"something else".to_vec().into()).send().await.unwrap();
    let version = house.version(&customer).await;
    for event in [enrolled(&customer, 0), points(&customer, 1, 150, 1)] {
        let failure = handle(&service, &event).await.unwrap_err();
        assert_eq!((failure.is_permanent(), failure.reason()), (true, "pass-unreadable"));
    }
    assert_eq!(house.version(&customer).await, version);
    house.cloud.shutdown().await;
}

#[tokio::test]
async fn an_erasure_leaves_a_void_pass_without_a_name_and_a_new_enrolment_revives_it() {
    let house = House::build().await;
    let (service, customer) = (house.service(), customer(6));
    for event in history(&customer) {
        handle(&service, &event).await.unwrap();
    }
    assert_eq!(handle(&service, &erased(&customer, 10)).await.unwrap(), Done::APPLIED);
    let (pass, _) = house.pass(&customer).await;
    assert_eq!((&pass["voided"], &pass["storeCard"]), (&json!(true), &json!({})));
    assert!(!pass.to_string().contains("Lovelace"), "{pass}");
    for late in history(&customer) {
        assert_eq!(handle(&service, &late).await.unwrap(), UNCHANGED);
    }
    assert_eq!(handle(&service, &enrolled(&customer, 11)).await.unwrap(), Done::APPLIED);
    let (again, _) = house.pass(&customer).await;
    assert_eq!(again["voided"], false);
    assert_eq!(again["storeCard"]["primaryFields"][0]["value"], 0);
    assert_eq!(again["serialNumber"], pass["serialNumber"]);
    house.cloud.shutdown().await;
}
