//! Handles events against DynamoDB in this process.

mod cloud;
mod outbox;

use std::sync::Arc;

use aws_sdk_dynamodb::types::AttributeValue;
use contracts::{
    Channel, Channels, Contact, ContactPreferencesChanged, CustomerEnrolled, CustomerErased, CustomerNumber,
    CustomerRenamed, EmailAddress, MemberErased, Name,
};
use envelope::{Envelope, Event, Metadata};
use jiff::Timestamp;
use serde_json::value::RawValue;
use sqs_consumer::{Done, Failure};
use uuid::Uuid;

use self::cloud::Cloud;

const STALE: Done = Done::without_effect("stale");
const ERASED: Done = Done::without_effect("erased");

fn ada() -> CustomerNumber {
    "123456789012".parse().unwrap()
}

fn name(given: &str) -> Name {
    Name { given: given.parse().unwrap(), family: "Lovelace".parse().unwrap() }
}

fn email(local: &str) -> EmailAddress {
    format!("{local}@example.com").parse().unwrap()
}

/// Creates an event that occurred at that second, under a new id.
fn event<E: Event>(second: i64, event: &E) -> Envelope {
    let occurred_at = Timestamp::from_second(second).unwrap();
    let metadata = Metadata::first(Uuid::new_v4(), occurred_at, Timestamp::now());
    Envelope::new(metadata, event).unwrap()
}

fn enrolled(second: i64) -> Envelope {
    let channels = Channels::from([Channel::Email]);
    let (name, email) = (name("Ada"), email("ada"));
    event(second, &CustomerEnrolled { customer_number: ada(), name, email, channels, locale: None })
}

fn renamed(second: i64, given: &str) -> Envelope {
    event(second, &CustomerRenamed { customer_number: ada(), name: name(given) })
}

fn prefers(second: i64, local: &str) -> Envelope {
    let email = Some(email(local));
    let (channels, locale) = (None, None);
    event(second, &ContactPreferencesChanged { customer_number: ada(), email, channels, locale })
}

fn erased(second: i64) -> Envelope {
    event(second, &CustomerErased { customer_number: ada() })
}

fn contact(given: &str, local: &str) -> Contact {
    Contact {
        name: name(given),
        email: email(local),
        channels: Channels::from([Channel::Email]),
        locale: "en".parse().unwrap(),
    }
}

/// Returns `other` under the id of `event`.
fn reusing(event: &Envelope, other: Envelope) -> Envelope {
    Envelope { metadata: event.metadata.clone(), ..other }
}

#[tokio::test]
async fn every_event_is_applied_and_announced() {
    let cloud = Cloud::start().await;
    for event in [enrolled(1), renamed(2, "Augusta"), prefers(3, "augusta")] {
        assert_eq!(cloud.handle(&event).await.unwrap(), Done::APPLIED);
    }
    let mut announced = cloud.announced().await;
    assert_eq!(cloud.handle(&erased(4)).await.unwrap(), Done::APPLIED);
    // The erasure has removed the others.
    announced.extend(cloud.announced().await);
    let contacts: Vec<_> =
        announced.iter().map(|(name, contact)| (name.as_str(), contact.as_ref().unwrap())).collect();
    assert_eq!(
        contacts,
        [
            ("MemberEnrolled", &contact("Ada", "ada")),
            ("MemberRenamed", &contact("Augusta", "ada")),
            ("MemberPreferencesChanged", &contact("Augusta", "augusta")),
            ("MemberErased", &contact("Augusta", "augusta")),
        ]
    );
    cloud.shutdown().await;
}

#[tokio::test]
async fn a_rename_before_the_enrolment_waits_for_it() {
    let cloud = Cloud::start().await;
    assert_eq!(cloud.handle(&renamed(2, "Augusta")).await.unwrap(), Done::APPLIED);
    assert_eq!(cloud.announced().await, []);
    assert_eq!(cloud.handle(&enrolled(1)).await.unwrap(), Done::APPLIED);
    assert_eq!(cloud.announced().await, [("MemberEnrolled".to_owned(), Some(contact("Augusta", "ada")))]);
    cloud.shutdown().await;
}

#[tokio::test]
async fn a_duplicate_and_a_stale_event_change_nothing() {
    let cloud = Cloud::start().await;
    let events = [enrolled(1), renamed(5, "Augusta")];
    for event in &events {
        cloud.handle(event).await.unwrap();
    }
    let before = cloud.member(&ada()).await.unwrap();
    for event in &events {
        assert_eq!(cloud.handle(event).await.unwrap(), Done::DUPLICATE);
    }
    let stale = renamed(2, "Ida");
    assert_eq!(cloud.handle(&stale).await.unwrap(), STALE);
    assert_eq!(cloud.handle(&stale).await.unwrap(), Done::DUPLICATE);
    assert_eq!(cloud.member(&ada()).await.unwrap(), before);
    assert_eq!(cloud.announced().await.len(), 2);
    cloud.shutdown().await;
}

#[tokio::test]
async fn an_erasure_leaves_a_tombstone_without_personal_data() {
    let cloud = Cloud::start().await;
    for event in [enrolled(1), renamed(2, "Augusta"), erased(3)] {
        cloud.handle(&event).await.unwrap();
    }
    for event in [renamed(2, "Ida"), enrolled(3)] {
        assert_eq!(cloud.handle(&event).await.unwrap(), ERASED);
    }
    let item = cloud.member(&ada()).await.unwrap();
    let mut attributes: Vec<_> = item.keys().map(String::as_str).collect();
    attributes.sort_unstable();
    assert_eq!(attributes, ["customer_number", "erased", "outbox", "pk", "revision"]);
    assert!(!format!("{item:?}").contains("Lovelace"));
    cloud.shutdown().await;
}

#[tokio::test]
async fn an_enrolment_after_an_erasure_is_a_new_member() {
    let cloud = Cloud::start().await;
    for event in [enrolled(1), erased(3), enrolled(5), renamed(6, "Augusta")] {
        assert_eq!(cloud.handle(&event).await.unwrap(), Done::APPLIED);
    }
    let announced = cloud.announced().await;
    let types: Vec<_> = announced.iter().map(|(event_type, _)| event_type.as_str()).collect();
    assert_eq!(types, ["MemberErased", "MemberEnrolled", "MemberRenamed"]);
    cloud.shutdown().await;
}

#[tokio::test]
async fn what_overtakes_the_next_enrolment_waits_for_it_outside_the_tombstone_and_expires() {
    let cloud = Cloud::start().await;
    for event in [enrolled(1), erased(3), renamed(6, "Augusta"), prefers(7, "augusta")] {
        assert_eq!(cloud.handle(&event).await.unwrap(), Done::APPLIED);
    }
    assert!(!format!("{:?}", cloud.member(&ada()).await.unwrap()).contains("Lovelace"));
    let pending = || cloud.test.item("members", format!("PENDING#{}", ada()));
    let expires_at: i64 = pending().await.unwrap()["expires_at"].as_n().unwrap().parse().unwrap();
    let days = (expires_at - Timestamp::now().as_second()) / 86_400;
    assert!((13..=14).contains(&days), "{days}");

    assert_eq!(cloud.handle(&enrolled(5)).await.unwrap(), Done::APPLIED);
    assert_eq!(cloud.announced().await.last().unwrap().1, Some(contact("Augusta", "augusta")));
    assert_eq!(pending().await, None, "it is part of the member now");

    // An erasure removes what waits as well.
    for event in [erased(10), renamed(12, "Ida"), erased(13)] {
        assert_eq!(cloud.handle(&event).await.unwrap(), Done::APPLIED);
    }
    assert_eq!(pending().await, None);
    cloud.shutdown().await;
}

#[tokio::test]
async fn an_event_from_far_in_the_future_is_a_permanent_failure_and_freezes_nobody() {
    let cloud = Cloud::start().await;
    let far: Timestamp = "9999-01-01T00:00:00Z".parse().unwrap();
    let in_minutes = |minutes| Timestamp::now() + jiff::SignedDuration::from_mins(minutes);
    for occurred_at in [far, in_minutes(11)] {
        let early = Envelope { metadata: Metadata { occurred_at, ..enrolled(1).metadata }, ..enrolled(1) };
        let failure = cloud.handle(&early).await.unwrap_err();
        assert_eq!((failure.reason(), failure.is_permanent()), ("occurred-in-the-future", true));
    }
    // What ingest accepts, also if its clock is ahead of ours.
    let accepted =
        Envelope { metadata: Metadata { occurred_at: in_minutes(6), ..enrolled(1).metadata }, ..enrolled(1) };
    assert_eq!(cloud.handle(&accepted).await.unwrap(), Done::APPLIED);
    cloud.shutdown().await;
}

#[tokio::test]
async fn events_that_change_nothing_are_announced_only_if_the_setting_says_so() {
    for (announces_unchanged, announced) in [(false, 1), (true, 4)] {
        let cloud = Cloud::start_announcing(announces_unchanged).await;
        for event in [enrolled(1), renamed(2, "Ada"), prefers(3, "ada"), enrolled(4)] {
            assert_eq!(cloud.handle(&event).await.unwrap(), Done::APPLIED);
        }
        assert_eq!(cloud.announced().await.len(), announced);
        cloud.shutdown().await;
    }
}

#[tokio::test]
async fn an_erasure_of_someone_unknown_is_kept_and_announced_without_a_contact() {
    let cloud = Cloud::start().await;
    assert_eq!(cloud.handle(&erased(3)).await.unwrap(), Done::APPLIED);
    assert_eq!(cloud.handle(&enrolled(1)).await.unwrap(), ERASED);
    assert_eq!(cloud.announced().await, [("MemberErased".to_owned(), None)]);
    cloud.shutdown().await;
}

#[tokio::test]
async fn a_reused_event_id_is_a_permanent_failure() {
    let cloud = Cloud::start().await;
    let (applied, stale) = (enrolled(5), renamed(1, "Ida"));
    cloud.handle(&applied).await.unwrap();
    assert_eq!(cloud.handle(&stale).await.unwrap(), STALE);
    let before = cloud.member(&ada()).await.unwrap();
    for reused in [reusing(&applied, renamed(5, "Eve")), reusing(&stale, renamed(5, "Eve"))] {
        let failure = cloud.handle(&reused).await.unwrap_err();
        assert_eq!((failure.reason(), failure.is_permanent()), ("event-id-reused", true));
    }
    assert_eq!(cloud.member(&ada()).await.unwrap(), before);
    cloud.shutdown().await;
}

#[tokio::test]
async fn an_unknown_or_malformed_event_is_a_permanent_failure() {
    let cloud = Cloud::start().await;
    let unknown = Envelope { event_type: "CustomerWaved".into(), ..enrolled(1) };
    let nameless = r#"{"customer_number": "123456789012", "name": {"given": "Ada", "family": "\n"}}"#;
    let malformed = Envelope { data: RawValue::from_string(nameless.into()).unwrap(), ..renamed(1, "Ada") };
    for (event, reason) in [(unknown, "unknown-event-type"), (malformed, "malformed-event")] {
        let failure = cloud.handle(&event).await.unwrap_err();
        assert_eq!((failure.reason(), failure.is_permanent()), (reason, true));
        assert!(!format!("{failure:?}").contains("Ada"));
    }
    assert_eq!(cloud.items().await.len(), 0);
    cloud.shutdown().await;
}

#[tokio::test]
async fn an_item_that_is_not_a_member_is_a_permanent_failure() {
    let cloud = Cloud::start().await;
    let key = AttributeValue::S(format!("MEMBER#{}", ada()));
    let table = cloud.test.variable(crate::NAME, "MEMBERS_TABLE_NAME");
    cloud.test.dynamodb().put_item().table_name(table).item("pk", key).send().await.unwrap();
    let failure = cloud.handle(&enrolled(1)).await.unwrap_err();
    assert_eq!((failure.reason(), failure.is_permanent()), ("member-unreadable", true));
    cloud.shutdown().await;
}

/// Several workers update one member: each write depends on the read before it.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn many_events_of_one_member_at_once_are_all_applied() {
    let cloud = Arc::new(Cloud::start().await);
    let mut applied = 0;
    for round in 0..5_i64 {
        let first = round * 100;
        let mut events = vec![enrolled(first)];
        events.extend((1..6).map(|second| renamed(first + second, "Augusta")));
        events.extend((1..6).map(|second| prefers(first + second, "augusta")));
        // Every event twice.
        let mut handled = tokio::task::JoinSet::new();
        for event in [events.clone(), events].concat() {
            let cloud = Arc::clone(&cloud);
            handled.spawn(async move { cloud.handle(&event).await.unwrap() });
        }
        let outcomes = handled.join_all().await;
        let duplicates = outcomes.iter().filter(|outcome| **outcome == Done::DUPLICATE).count();
        assert_eq!(duplicates, 11, "{outcomes:?}");
        applied += outcomes.iter().filter(|outcome| **outcome == Done::APPLIED).count();
    }
    let member = cloud.member(&ada()).await.unwrap();
    assert_eq!(member["revision"].as_n().unwrap(), &applied.to_string(), "no write was lost");
    let known = member["known"].as_m().unwrap();
    let version =
        |field: &str| known[field].as_m().unwrap()["version"].as_m().unwrap()["occurred_at"].clone();
    let last = AttributeValue::S(Timestamp::from_second(405).unwrap().to_string());
    assert_eq!((version("name"), version("email")), (last.clone(), last));
    assert_eq!(cloud.items().await.iter().filter(|item| cloud::is(item, "EVENT#")).count(), 55);
}

#[tokio::test]
async fn a_throttled_or_failing_dynamodb_is_a_transient_failure_that_names_it() {
    let cloud = Cloud::start().await;
    for (operation, error, reason) in [
        ("GetItem", "throttle", "throttled"),
        ("GetItem", "500", "unavailable"),
        ("TransactWriteItems", "500", "unavailable"),
    ] {
        cloud.test.fail("dynamodb", operation, error, 3).await;
        let failure = cloud.handle(&enrolled(1)).await.unwrap_err();
        let Failure::Transient { reason: found, dependency, .. } = failure else { panic!("{failure:?}") };
        assert_eq!((found, dependency), (reason, Some("DynamoDB")));
        cloud.test.mend().await;
    }
    assert_eq!(cloud.handle(&enrolled(1)).await.unwrap(), Done::APPLIED);
    cloud.shutdown().await;
}

#[tokio::test]
async fn after_a_lost_answer_the_next_delivery_is_a_duplicate() {
    let cloud = Cloud::start().await;
    let event = enrolled(1);
    // One for each attempt of the SDK.
    cloud.test.fail("dynamodb", "TransactWriteItems", "drop-response", 3).await;
    let failure = cloud.handle(&event).await.unwrap_err();
    assert!(!failure.is_permanent(), "{failure:?}");
    assert_eq!(cloud.handle(&event).await.unwrap(), Done::DUPLICATE);
    assert_eq!(cloud.announced().await.len(), 1);
    cloud.shutdown().await;
}
