//! Runs the handler on AWS in this process: what it remembers, and what the topic's subscribers receive.

use std::collections::BTreeMap;
use std::time::Duration;

use contracts::{
    Channel, Channels, Contact, DiscountActivated, DiscountExpired, MemberEnrolled, MemberErased,
    MemberPreferencesChanged, MemberRenamed, Name, NotificationRequested, Subject, Tier, TierAscended,
    TierDescended,
};
use envelope::{Envelope, Event, Metadata};
use handlers::AtLeastOnce;
use jiff::Timestamp;
use opentelemetry::metrics::MeterProvider as _;
use opentelemetry::metrics::noop::NoopMeterProvider;
use opentelemetry_sdk::trace::SpanData;
use publisher::TopicPublisher;
use service_test::TestCloud;
use sqs_consumer::{AtLeastOnceHandler as _, Delivery, Done, Failure, Place};
use telemetry::attributes;
use telemetry::testing::{Recorder, attribute};
use topology::{Service, topic};
use tracing::Instrument as _;
use uuid::Uuid;

use crate::attempts::Attempts;
use crate::domain::notification_id;
use crate::handler::Notify;
use crate::members::Members;

/// Receives what the notifier publishes.
const SINK: &str = "sink";
const CUSTOMER: &str = "123456789012";

/// The notifier's resources, and a queue that takes everything from its topic.
struct House {
    cloud: TestCloud,
    sqs: aws_sdk_sqs::Client,
}

impl House {
    async fn build() -> Self {
        type Members = (MemberEnrolled, MemberRenamed, MemberPreferencesChanged, MemberErased);
        type Others = (TierAscended, TierDescended, DiscountActivated, DiscountExpired);
        let cloud = TestCloud::start([
            crate::topology(),
            Service::new("membership").publishes_to_bus().emits::<Members>(),
            Service::new("others").publishes_to_bus().emits::<Others>(),
            Service::new(SINK).receives(topic("notifications")),
        ])
        .await;
        let sqs = aws_sdk_sqs::Client::new(cloud.aws());
        Self { cloud, sqs }
    }

    fn notifier(&self) -> AtLeastOnce<Notify> {
        let meter = NoopMeterProvider::new().meter("notifier");
        let patience = publisher::PublisherSettings {
            max_attempts: 2,
            backoff: Duration::from_millis(1),
            ..publisher::PublisherSettings::default()
        };
        let sns = aws_sdk_sns::Client::new(self.cloud.aws());
        let topic_arn = self.cloud.variable(crate::NAME, "NOTIFICATIONS_TOPIC_ARN");
        let table = self.cloud.variable(crate::NAME, "NOTIFICATIONS_TABLE_NAME");
        AtLeastOnce::new(Notify::new(
            Members::new(self.cloud.dynamodb(), table.clone()),
            Attempts::new(self.cloud.dynamodb(), table),
            TopicPublisher::new(sns, topic_arn, patience, &meter),
            Duration::from_mins(15),
        ))
    }

    /// Returns what is remembered of the customer: the attributes that are strings.
    async fn remembered(&self) -> BTreeMap<String, String> {
        let item = self.cloud.item("notifications", format!("MEMBER#{CUSTOMER}")).await.unwrap_or_default();
        item.into_iter().filter_map(|(name, value)| Some((name, value.as_s().ok()?.clone()))).collect()
    }

    /// Receives `count` requests from the subscribed queue, with their metadata, sorted by channel.
    async fn requested(&self, count: usize) -> Vec<(Metadata, NotificationRequested)> {
        let queue_url = self.cloud.variable(SINK, "QUEUE_URL");
        let mut requests = Vec::new();
        while requests.len() < count {
            let received = self
                .sqs
                .receive_message()
                .queue_url(&queue_url)
                .max_number_of_messages(10)
                .wait_time_seconds(10)
                .send()
                .await
                .unwrap()
                .messages
                .unwrap_or_default();
            assert!(!received.is_empty(), "{} of {count} requests arrived", requests.len());
            for message in received {
                let envelope = Envelope::read(message.body().unwrap()).unwrap().envelope;
                let request = envelope.decode::<NotificationRequested>().unwrap();
                requests.push((envelope.metadata, request));
                let receipt = message.receipt_handle().unwrap();
                self.sqs.delete_message().queue_url(&queue_url).receipt_handle(receipt).send().await.unwrap();
            }
        }
        assert_eq!(requests.len(), count);
        requests.sort_by_key(|(_, request)| request.channel);
        requests
    }
}

fn contact(given: &str, channels: impl IntoIterator<Item = Channel>) -> Contact {
    Contact {
        name: Name { given: given.parse().unwrap(), family: "Lovelace".parse().unwrap() },
        email: "ada@example.com".parse().unwrap(),
        channels: Channels::from_iter(channels),
        locale: "en".parse().unwrap(),
    }
}

/// Creates a delivery of `event`, which occurred and was announced `second` seconds into the test's day.
fn announced<E: Event>(event: &E, second: i64) -> Delivery {
    let now = at(second);
    let first = Metadata::first(Uuid::new_v4(), now, now);
    let metadata = Metadata::caused_by(&first, Uuid::new_v4(), now, now);
    Delivery {
        envelope: Envelope::new(metadata, event).unwrap(),
        attempt: 1,
        message_id: "message".into(),
        sent_at: now,
        first_received_at: now,
        received_at: now,
        replay_name: None,
        place: Place::default(),
    }
}

fn renamed(given: &str, second: i64) -> Delivery {
    renamed_in(0, given, second)
}

/// Announces a rename in the membership that began `began` seconds into the test's day.
fn renamed_in(began: i64, given: &str, second: i64) -> Delivery {
    let contact = contact(given, [Channel::Email]);
    let enrolled_at = Some(at(began));
    announced(&MemberRenamed { customer_number: CUSTOMER.parse().unwrap(), contact, enrolled_at }, second)
}

fn erased(contact: Option<Contact>, second: i64) -> Delivery {
    let customer_number = CUSTOMER.parse().unwrap();
    announced(&MemberErased { customer_number, contact, enrolled_again_at: None }, second)
}

fn at(second: i64) -> Timestamp {
    let start: Timestamp = "2026-03-01T12:00:00Z".parse().unwrap();
    Timestamp::from_second(start.as_second() + second).unwrap()
}

#[tokio::test]
async fn each_channel_gets_one_request_and_the_contact_is_remembered() {
    let house = House::build().await;
    let event = MemberEnrolled {
        customer_number: CUSTOMER.parse().unwrap(),
        contact: contact("Ada", [Channel::Email, Channel::Wallet]),
        enrolled_at: Some(at(0)),
        previous_email: None,
    };
    let delivery = announced(&event, 0);
    assert_eq!(house.notifier().handle(&delivery).await.unwrap(), Done::new("notified"));

    let cause = &delivery.envelope.metadata;
    let requests = house.requested(2).await;
    let channels: Vec<Channel> = requests.iter().map(|(_, request)| request.channel).collect();
    assert_eq!(channels, [Channel::Email, Channel::Wallet]);
    for (metadata, request) in requests {
        assert_eq!(request.notification_id, notification_id(cause.event_id, request.channel));
        assert_eq!(metadata.event_id, request.notification_id);
        assert_eq!(metadata.causation_id, Some(cause.event_id));
        assert_eq!(metadata.correlation_id, cause.correlation_id);
        assert_eq!(request.subject, Subject::MemberEnrolled);
        assert_eq!(request.contact, event.contact);
        assert_eq!(
            (request.enrolled_at, request.announced_at),
            (event.enrolled_at, Some(cause.published_at))
        );
    }
    let remembered = house.remembered().await;
    assert_eq!(remembered["given_name"], "Ada");
    assert_eq!(remembered["family_name"], "Lovelace");
    assert_eq!(remembered["email"], "ada@example.com");
    assert_eq!(remembered["locale"], "en");
    house.cloud.shutdown().await;
}

#[tokio::test]
async fn a_redelivery_requests_the_same_notification_again() {
    let house = House::build().await;
    let notifier = house.notifier();
    let delivery = renamed("Ada", 0);
    for _ in 0..2 {
        notifier.handle(&delivery).await.unwrap();
    }
    let requests = house.requested(2).await;
    assert_eq!(requests[0].1, requests[1].1);
    assert_eq!(requests[0].0.event_id, requests[1].0.event_id);
    house.cloud.shutdown().await;
}

/// Runs an attempt within a span, and returns its spans.
async fn recorded(attempt: impl Future<Output = Result<Done, Failure>>) -> Recorder {
    let recorder = Recorder::new();
    let _installed = recorder.install();
    let span = tracing::info_span!("process", otel.name = "process", otel.kind = "consumer");
    attempt.instrument(span).await.unwrap();
    recorder
}

/// A killed attempt may have published without its spans' having left.
#[tokio::test]
async fn a_redelivery_sends_the_spans_that_the_requests_of_a_killed_attempt_have_as_parents() {
    let house = House::build().await;
    let notifier = house.notifier();
    // None is the last event of the member when its second attempt comes.
    notifier.handle(&renamed("Ada", 9)).await.unwrap();
    for first in [renamed("Ada", 0), ascended(1), erased(Some(contact("Ada", [Channel::Email])), 10)] {
        let killed = recorded(notifier.handle(&first)).await;
        let (process, send) = (killed.span("process"), killed.span("send shop-test-notifications"));

        let again = Delivery { attempt: 2, ..first };
        let spans = recorded(notifier.handle(&again)).await.spans();
        let same = |span: &SpanData| {
            let found = spans.iter().find(|it| it.span_context.span_id() == span.span_context.span_id());
            found.unwrap_or_else(|| panic!("no stand-in for {}", span.name)).clone()
        };
        assert_eq!(same(&send).parent_span_id, process.span_context.span_id());
        for span in [same(&process), same(&send)] {
            assert_eq!(
                attribute(&span, attributes::AWS_XRAY_IN_PROGRESS),
                Some(&opentelemetry::Value::Bool(true))
            );
        }
    }
    house.cloud.shutdown().await;
}

#[tokio::test]
async fn a_late_event_is_notified_but_changes_nothing() {
    let house = House::build().await;
    let notifier = house.notifier();
    for delivery in [renamed("Second", 2), renamed("First", 1)] {
        assert_eq!(notifier.handle(&delivery).await.unwrap(), Done::new("notified"));
    }
    assert_eq!(house.remembered().await["given_name"], "Second");
    let mut told: Vec<String> =
        house.requested(2).await.into_iter().map(|(_, request)| request.contact.name.given.into()).collect();
    told.sort();
    assert_eq!(told, ["First", "Second"]);

    notifier.handle(&renamed("Third", 3)).await.unwrap();
    assert_eq!(house.remembered().await["given_name"], "Third");
    house.cloud.shutdown().await;
}

#[tokio::test]
async fn an_erasure_ends_the_membership_and_nothing_of_it_is_announced_any_more() {
    let house = House::build().await;
    let notifier = house.notifier();
    notifier.handle(&renamed("Ada", 1)).await.unwrap();
    let confirmation = erased(Some(contact("Ada", [Channel::Email])), 3);
    assert_eq!(notifier.handle(&confirmation).await.unwrap(), Done::new("notified"));
    // One was announced before the erasure, the other after it, for an event that overtook the erasure.
    for late in [renamed("Ada", 2), renamed("Ada", 9)] {
        assert_eq!(notifier.handle(&late).await.unwrap(), Done::without_effect("erased"));
    }
    assert_eq!(notifier.handle(&confirmation).await.unwrap(), Done::new("notified"), "a redelivery");

    let remembered = house.remembered().await;
    let names: Vec<&str> = remembered.keys().map(String::as_str).collect();
    assert_eq!(names, ["erased_at", "pk"], "a tombstone holds no personal data");
    let subjects: Vec<Subject> =
        house.requested(3).await.into_iter().map(|(_, request)| request.subject).collect();
    let farewells = subjects.iter().filter(|subject| **subject == Subject::MemberErased).count();
    assert_eq!(farewells, 2, "{subjects:?}");
    house.cloud.shutdown().await;
}

#[tokio::test]
async fn a_membership_that_began_after_the_erasure_is_remembered_whichever_comes_first() {
    let again = || renamed_in(5, "Augusta", 6);
    let erasure = || erased(Some(contact("Ada", [Channel::Email])), 3);
    for deliveries in [[renamed("Ada", 1), erasure(), again()], [renamed("Ada", 1), again(), erasure()]] {
        let house = House::build().await;
        let notifier = house.notifier();
        for delivery in deliveries {
            assert_eq!(notifier.handle(&delivery).await.unwrap(), Done::new("notified"));
        }
        let remembered = house.remembered().await;
        assert_eq!(remembered["given_name"], "Augusta");
        assert_eq!(remembered["erased_at"], "2026-03-01T12:00:03.000000000Z");
        assert_eq!(
            notifier.handle(&renamed("Ada", 2)).await.unwrap(),
            Done::without_effect("erased"),
            "the earlier membership stays over"
        );
        house.cloud.shutdown().await;
    }
}

#[tokio::test]
async fn an_erasure_known_after_the_next_enrolment_removes_nothing_of_it() {
    let house = House::build().await;
    let notifier = house.notifier();
    notifier.handle(&renamed("Ada", 1)).await.unwrap();
    let customer_number = CUSTOMER.parse().unwrap();
    let late = MemberErased { customer_number, contact: None, enrolled_again_at: Some(at(5)) };
    assert_eq!(notifier.handle(&announced(&late, 3)).await.unwrap(), Done::without_effect("nothing-to-send"));
    assert_eq!(house.remembered().await["given_name"], "Ada");
    notifier.handle(&renamed_in(5, "Augusta", 6)).await.unwrap();
    assert_eq!(house.remembered().await["given_name"], "Augusta");
    house.cloud.shutdown().await;
}

#[tokio::test]
async fn the_previous_address_hears_of_its_change_under_an_id_of_its_own() {
    let house = House::build().await;
    let event = MemberPreferencesChanged {
        customer_number: CUSTOMER.parse().unwrap(),
        contact: contact("Ada", [Channel::Email]),
        enrolled_at: Some(at(0)),
        previous_email: Some("byron@example.com".parse().unwrap()),
    };
    house.notifier().handle(&announced(&event, 1)).await.unwrap();
    let mut requests = house.requested(2).await;
    requests.sort_by_key(|(_, request)| request.subject == Subject::EmailChanged);
    let addresses: Vec<_> = requests.iter().map(|(_, request)| request.contact.email.as_str()).collect();
    assert_eq!(addresses, ["ada@example.com", "byron@example.com"]);
    assert_ne!(requests[0].1.notification_id, requests[1].1.notification_id);
    house.cloud.shutdown().await;
}

#[tokio::test]
async fn without_a_contact_or_a_channel_there_is_nothing_to_send() {
    let house = House::build().await;
    let notifier = house.notifier();
    let silent = MemberPreferencesChanged {
        customer_number: CUSTOMER.parse().unwrap(),
        contact: contact("Ada", []),
        enrolled_at: Some(at(0)),
        previous_email: None,
    };
    for delivery in [announced(&silent, 1), erased(None, 2)] {
        assert_eq!(notifier.handle(&delivery).await.unwrap(), Done::without_effect("nothing-to-send"));
    }
    assert!(house.remembered().await.contains_key("erased_at"));
    house.cloud.shutdown().await;
}

fn ascended(second: i64) -> Delivery {
    let event = TierAscended {
        customer_number: CUSTOMER.parse().unwrap(),
        tier: Tier::Gold,
        previous_tier: Tier::Silver,
        tier_points: 5_000,
        revision: 7,
    };
    announced(&event, second)
}

#[tokio::test]
async fn what_happens_to_a_member_is_told_over_the_channels_remembered() {
    let house = House::build().await;
    let notifier = house.notifier();
    let member = contact("Ada", [Channel::Email, Channel::App]);
    let enrolled = MemberEnrolled {
        customer_number: CUSTOMER.parse().unwrap(),
        contact: member.clone(),
        enrolled_at: Some(at(0)),
        previous_email: None,
    };
    notifier.handle(&announced(&enrolled, 0)).await.unwrap();
    house.requested(2).await;

    let delivery = ascended(1);
    assert_eq!(notifier.handle(&delivery).await.unwrap(), Done::new("notified"));
    let requests = house.requested(2).await;
    for ((_, request), channel) in requests.iter().zip([Channel::Email, Channel::App]) {
        let expected = NotificationRequested {
            customer_number: CUSTOMER.parse().unwrap(),
            notification_id: notification_id(delivery.envelope.metadata.event_id, channel),
            channel,
            subject: Subject::TierAscended { tier: Tier::Gold, previous_tier: Tier::Silver },
            contact: member.clone(),
            enrolled_at: Some(at(0)),
            announced_at: Some(at(1)),
        };
        assert_eq!(*request, expected);
    }
    house.cloud.shutdown().await;
}

#[tokio::test]
async fn what_happens_before_the_enrolment_is_known_waits_for_it_and_not_for_ever() {
    let house = House::build().await;
    let notifier = house.notifier();
    let delivery = ascended(1);
    let failure = notifier.handle(&delivery).await.unwrap_err();
    assert!(!failure.is_permanent());
    assert_eq!(failure.reason(), "contact-unknown");
    let late = Delivery { received_at: at(1 + 15 * 60), ..ascended(1) };
    assert_eq!(notifier.handle(&late).await.unwrap(), Done::without_effect("not-a-member"));

    notifier.handle(&renamed("Ada", 2)).await.unwrap();
    assert_eq!(notifier.handle(&delivery).await.unwrap(), Done::new("notified"));
    house.requested(2).await;
    house.cloud.shutdown().await;
}

#[tokio::test]
async fn what_happened_before_an_erasure_is_told_to_nobody() {
    let house = House::build().await;
    let notifier = house.notifier();
    notifier.handle(&erased(None, 5)).await.unwrap();
    assert_eq!(notifier.handle(&ascended(4)).await.unwrap(), Done::without_effect("erased"));
    assert_eq!(notifier.handle(&ascended(5)).await.unwrap(), Done::without_effect("erased"));
    // Of a membership that is to follow.
    assert_eq!(notifier.handle(&ascended(6)).await.unwrap_err().reason(), "contact-unknown");
    notifier.handle(&renamed_in(6, "Augusta", 7)).await.unwrap();
    assert_eq!(notifier.handle(&ascended(6)).await.unwrap(), Done::new("notified"));
    house.cloud.shutdown().await;
}

#[tokio::test]
async fn while_sns_is_unavailable_the_event_is_retried() {
    let house = House::build().await;
    let notifier = house.notifier();
    house.cloud.fail("sns", "PublishBatch", "500", 2).await;
    let delivery = renamed("Ada", 1);
    let failure = notifier.handle(&delivery).await.unwrap_err();
    assert_transient(&failure, "unavailable", "SNS");
    assert_eq!(notifier.handle(&delivery).await.unwrap(), Done::new("notified"));
    house.requested(1).await;
    house.cloud.shutdown().await;
}

#[tokio::test]
async fn while_dynamodb_is_unavailable_nothing_is_notified() {
    let house = House::build().await;
    let notifier = house.notifier();
    // One for each attempt of the SDK.
    house.cloud.fail("dynamodb", "UpdateItem", "throttle", 3).await;
    let delivery = renamed("Ada", 1);
    let failure = notifier.handle(&delivery).await.unwrap_err();
    assert_transient(&failure, "throttled", "DynamoDB");
    assert_eq!(notifier.handle(&delivery).await.unwrap(), Done::new("notified"));
    house.requested(1).await;
    house.cloud.shutdown().await;
}

#[tokio::test]
async fn an_unknown_or_malformed_event_is_dead_lettered() {
    let house = House::build().await;
    let notifier = house.notifier();
    let mut unknown = renamed("Ada", 1);
    unknown.envelope.event_type = "MemberPromoted".into();
    let failure = notifier.handle(&unknown).await.unwrap_err();
    assert!(failure.is_permanent());
    assert_eq!(failure.reason(), "unknown-event-type");

    let mut malformed = renamed("Ada", 1);
    malformed.envelope.event_type = MemberErased::TYPE.into();
    malformed.envelope.data = serde_json::value::to_raw_value("Mustermann").unwrap();
    let failure = notifier.handle(&malformed).await.unwrap_err();
    assert!(failure.is_permanent());
    assert_eq!(failure.reason(), "malformed-event");
    assert!(house.remembered().await.is_empty());
    house.cloud.shutdown().await;
}

fn assert_transient(failure: &Failure, expected_reason: &str, expected_dependency: &str) {
    let Failure::Transient { reason, dependency, .. } = failure else {
        panic!("{failure:?} is permanent");
    };
    assert_eq!((*reason, *dependency), (expected_reason, Some(expected_dependency)));
}
