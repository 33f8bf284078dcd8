//! Every version is pushed to the phones, and none twice.

use super::*;
use crate::device::{DeviceId, PushToken};
use crate::registrations::{MOST, Registered};

fn device(name: &str) -> DeviceId {
    name.parse().unwrap()
}

fn token(text: &str) -> PushToken {
    text.parse().unwrap()
}

impl House {
    async fn register(&self, name: &str, customer: &CustomerNumber, push_token: &str) -> Registered {
        let registrations = self.registrations();
        registrations.register(&device(name), Serial::of(customer), &token(push_token)).await.unwrap()
    }

    /// Returns the tokens that were pushed to, with the status of each.
    async fn told(&self) -> Vec<(String, u64)> {
        let pushes = self.cloud.pushes_to_phones().await;
        let told = pushes.iter().map(|push| {
            assert_eq!(push["topic"], PASS_TYPE, "{push}");
            (push["token"].as_str().unwrap().to_owned(), push["status"].as_u64().unwrap())
        });
        told.collect()
    }
}

fn ok(tokens: &[&str]) -> Vec<(String, u64)> {
    tokens.iter().map(|token| ((*token).to_owned(), 200)).collect()
}

#[tokio::test]
async fn each_phone_of_a_pass_is_told_of_a_change_once() {
    let house = House::build().await;
    let (service, customer) = (house.service(), customer(1));
    handle(&service, &enrolled(&customer, 0)).await.unwrap();
    assert!(house.told().await.is_empty(), "there is no phone yet");
    house.register("phone", &customer, "aa").await;
    house.register("watch", &customer, "bb").await;
    let event = points(&customer, 1, 150, 1);
    handle(&service, &event).await.unwrap();
    handle(&service, &event).await.unwrap();
    handle(&service, &enrolled(&customer, -1)).await.unwrap();
    let mut told = house.told().await;
    told.sort();
    assert_eq!(told, ok(&["aa", "bb"]));
    house.cloud.shutdown().await;
}

#[tokio::test]
async fn what_was_written_and_not_told_is_told_by_the_redelivery() {
    let house = House::build().await;
    let (service, customer) = (house.service(), customer(2));
    handle(&service, &enrolled(&customer, 0)).await.unwrap();
    house.register("phone", &customer, "aa").await;
    let event = points(&customer, 1, 150, 1);
    for (status, reason) in [(503, "unavailable"), (429, "throttled"), (403, "misconfigured")] {
        house.cloud.refuse_pushes_to_phones(status, "Reason", 1).await;
        let failure = handle(&service, &event).await.unwrap_err();
        let expected = (false, reason, Some("APNs"));
        assert_eq!((failure.is_permanent(), failure.reason(), failure.dependency()), expected);
    }
    house.cloud.fail("apns", "Push", "timeout", 1).await;
    assert_eq!(handle(&service, &event).await.unwrap_err().reason(), "unavailable");
    // The pass is as it was.
    assert_eq!(handle(&service, &event).await.unwrap(), UNCHANGED);
    assert_eq!(house.told().await.pop().unwrap(), ("aa".to_owned(), 200));
    let count = house.told().await.len();
    assert_eq!(handle(&service, &event).await.unwrap(), UNCHANGED);
    assert_eq!(house.told().await.len(), count);
    house.cloud.shutdown().await;
}

#[tokio::test]
async fn a_phone_that_is_gone_is_forgotten() {
    let house = House::build().await;
    let (service, customer) = (house.service(), customer(3));
    handle(&service, &enrolled(&customer, 0)).await.unwrap();
    for (status, reason) in [(410, "Unregistered"), (400, "BadDeviceToken")] {
        house.register("phone", &customer, "aa").await;
        house.cloud.refuse_pushes_to_phones(status, reason, 1).await;
        let revision = u64::from(status);
        assert_eq!(
            handle(&service, &points(&customer, 1, 1, 1_000 - revision)).await.unwrap(),
            Done::APPLIED
        );
        assert!(house.registrations().of_device(&device("phone")).await.unwrap().is_empty());
        assert!(house.cloud.items("wallet-registrations", "").await.is_empty());
    }
    house.cloud.shutdown().await;
}

#[tokio::test]
async fn of_a_silent_event_phones_are_told_with_the_next_one_or_if_the_pass_is_void() {
    let house = House::build().await;
    let (service, customer) = (house.service(), customer(6));
    handle(&service, &enrolled(&customer, 0)).await.unwrap();
    house.register("phone", &customer, "aa").await;
    let silent = |mut event: Envelope| {
        event.metadata.silent = true;
        event
    };
    assert_eq!(handle(&service, &silent(points(&customer, 1, 150, 1))).await.unwrap(), Done::APPLIED);
    assert!(house.told().await.is_empty());
    assert_eq!(handle(&service, &points(&customer, 2, 200, 2)).await.unwrap(), Done::APPLIED);
    assert_eq!(house.told().await.len(), 1);
    assert_eq!(handle(&service, &silent(erased(&customer, 3))).await.unwrap(), Done::APPLIED);
    assert_eq!(house.told().await.len(), 2);
    house.cloud.shutdown().await;
}

#[tokio::test]
async fn after_an_erasure_phones_are_told_and_their_registrations_end_in_time() {
    let house = House::build().await;
    let (service, gone, other) = (house.service(), customer(4), customer(5));
    for customer in [&gone, &other] {
        handle(&service, &enrolled(customer, 0)).await.unwrap();
    }
    house.register("phone", &gone, "aa").await;
    house.register("family", &gone, "bb").await;
    house.register("family", &other, "bb").await;
    handle(&service, &erased(&gone, 1)).await.unwrap();
    assert_eq!(house.told().await.len(), 2);
    let expiring = async || {
        let items = house.cloud.items("wallet-registrations", "").await;
        let expiring = items.iter().filter(|item| item.contains_key("expires_at"));
        let mut keys: Vec<_> = expiring.map(|item| item["pk"].as_s().unwrap().clone()).collect();
        keys.sort();
        keys
    };
    assert_eq!(expiring().await, ["DEVICE#phone".to_owned(), format!("PASS#{}", Serial::of(&gone))]);
    handle(&service, &enrolled(&gone, 2)).await.unwrap();
    assert!(expiring().await.is_empty());
    house.cloud.shutdown().await;
}

#[tokio::test]
async fn registrations_are_bounded_and_made_once() {
    let house = House::build().await;
    let customer = customer(6);
    for number in 0..MOST {
        assert_eq!(house.register(&format!("phone-{number}"), &customer, "aa").await, Registered::New);
    }
    assert_eq!(house.register("one-more", &customer, "aa").await, Registered::TooMany);
    assert_eq!(house.register("phone-0", &customer, "bb").await, Registered::Before);
    assert_eq!(house.register("phone-0", &customer, "bb").await, Registered::Before);
    let pass = house.registrations().of_pass(Serial::of(&customer)).await.unwrap();
    assert_eq!((pass.devices.len(), &pass.devices[&device("phone-0")]), (MOST, &token("bb")));
    // A push that was refused is about the token it went to.
    let serial = Serial::of(&customer);
    house.registrations().unregister(&device("phone-0"), serial, Some(&token("aa"))).await.unwrap();
    assert_eq!(house.registrations().of_pass(serial).await.unwrap().devices.len(), MOST);
    house.cloud.shutdown().await;
}

#[tokio::test]
async fn phones_that_register_at_the_same_time_are_all_registered() {
    let house = House::build().await;
    let customer = customer(7);
    let names = ["phone", "watch", "tablet"];
    futures_util::future::join_all(names.map(|name| house.register(name, &customer, "aa"))).await;
    let pass = house.registrations().of_pass(Serial::of(&customer)).await.unwrap();
    assert_eq!(pass.devices.len(), 3);
    house.cloud.shutdown().await;
}
