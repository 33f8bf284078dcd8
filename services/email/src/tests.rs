//! Runs the handler on AWS in this process: how many mails it sends, whatever goes wrong.

use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::Duration;

use aws_clients::DynamoDb;
use aws_sdk_dynamodb::config::retry::RetryConfig;
use contracts::{
    Channel, Channels, Contact, MemberEnrolled, MemberErased, MemberPreferencesChanged, MemberRenamed, Name,
    NotificationRequested, Subject,
};
use envelope::{Envelope, Event, Metadata};
use handlers::{AtLeastOnce, Claimed, EffectivelyOnce, Lease};
use idempotency::{Claim, Claims};
use jiff::Timestamp;
use service_test::{Item, TestCloud};
use sqs_consumer::{AtLeastOnceHandler as _, Delivery, Done, Failure, Place};
use topology::{Service, Topic};
use uuid::Uuid;

use crate::address_digest::AddressDigest;
use crate::feedback::MarkAddresses;
use crate::handler::{Email, SendMail};
use crate::members::FollowMembers;
use crate::recipients::Recipients;
use crate::ses::Ses;

mod feedback;
mod suppression;

const SENDER: &str = "FooStore <loyalty@foostore.example>";
const SENT: Done = Done::new("sent");
const LEASE: Lease = Lease { duration: Duration::from_secs(20), effect: Duration::from_secs(5) };

/// What membership announces.
type Members = (MemberEnrolled, MemberRenamed, MemberPreferencesChanged, MemberErased);

/// The service's resources, a verified sender, and a clock that only a test moves.
struct House {
    cloud: TestCloud,
    /// Without retries, so that one fault is one failure.
    dynamodb: DynamoDb,
    clock: Arc<AtomicI64>,
}

impl House {
    async fn build() -> Self {
        let notifier = Service::new("notifier").publishes(Topic::new("notifications").attribute("channel"));
        let membership = Service::new("membership").publishes_to_bus().emits::<Members>();
        let cloud = TestCloud::start([crate::topology(), notifier, membership]).await;
        let config = aws_sdk_dynamodb::config::Builder::from(cloud.aws());
        let dynamodb = DynamoDb::untraced(config.retry_config(RetryConfig::disabled()));
        aws_sdk_sesv2::Client::new(cloud.aws())
            .create_email_identity()
            .email_identity("loyalty@foostore.example")
            .send()
            .await
            .unwrap();
        Self { cloud, dynamodb, clock: Arc::new(AtomicI64::new(1_772_366_400)) }
    }

    fn table(&self) -> String {
        self.cloud.variable(crate::NAME, "EMAIL_DELIVERIES_TABLE_NAME")
    }

    fn service(&self) -> Email {
        self.service_with(SENDER, LEASE)
    }

    fn service_with(&self, sender: &str, lease: Lease) -> Email {
        let clock = Arc::clone(&self.clock);
        let set = self.cloud.variable(crate::NAME, "EMAIL_CONFIGURATION_SET");
        let ses = Ses::new(self.cloud.aws(), sender.to_owned(), set, lease.effect);
        let recipients = Recipients::new(self.dynamodb.clone(), self.table());
        let mails = SendMail::new(crate::domain::Writer::new().unwrap(), ses, recipients.clone(), lease);
        Email {
            mails: Claimed::new(self.dynamodb.clone(), self.table(), lease, mails)
                .with_clock(move || Timestamp::from_second(clock.load(Ordering::SeqCst)).unwrap()),
            feedback: EffectivelyOnce::new(
                self.dynamodb.clone(),
                self.cloud.variable(crate::NAME, "EMAIL_ANNOUNCEMENTS_TABLE_NAME"),
                crate::NAME,
                MarkAddresses::new(recipients.clone()),
            ),
            members: AtLeastOnce::new(FollowMembers::new(recipients)),
        }
    }

    fn now(&self) -> Timestamp {
        Timestamp::from_second(self.clock.load(Ordering::SeqCst)).unwrap()
    }

    fn advance(&self, time: Duration) {
        self.clock.fetch_add(i64::try_from(time.as_secs()).unwrap(), Ordering::SeqCst);
    }

    async fn count(&self) -> usize {
        self.cloud.mails().await.len()
    }
}

fn request(channel: Channel) -> NotificationRequested {
    NotificationRequested {
        customer_number: "123456789012".parse().unwrap(),
        notification_id: Uuid::new_v4(),
        channel,
        subject: Subject::MemberRenamed,
        contact: Contact {
            name: Name { given: "Ada".parse().unwrap(), family: "Lovelace".parse().unwrap() },
            email: "ada@example.com".parse().unwrap(),
            channels: Channels::from([Channel::Email]),
            locale: "en".parse().unwrap(),
        },
        enrolled_at: None,
        announced_at: None,
    }
}

fn delivery<E: Event>(notification_id: Uuid, event: &E) -> Delivery {
    let now: Timestamp = "2026-03-01T12:00:00Z".parse().unwrap();
    let crm = Metadata::first(Uuid::new_v4(), now, now);
    let member = Metadata::caused_by(&crm, Uuid::new_v4(), now, now);
    let metadata = Metadata::caused_by(&member, notification_id, now, now);
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

fn mail() -> Delivery {
    let request = request(Channel::Email);
    delivery(request.notification_id, &request)
}

fn assert_transient(failure: &Failure, expected_reason: &str) {
    let Failure::Transient { reason, dependency, .. } = failure else { panic!("{failure:?} is permanent") };
    assert_eq!((*reason, *dependency), (expected_reason, Some("SES")));
}

fn assert_permanent(failure: &Failure, reason: &str) {
    assert!(failure.is_permanent(), "{failure:?} is transient");
    assert_eq!(failure.reason(), reason);
}

#[tokio::test]
async fn a_notification_is_mailed_once_however_often_it_is_delivered() {
    let house = House::build().await;
    let (service, mail) = (house.service(), mail());
    assert_eq!(service.handle(&mail).await.unwrap(), SENT);
    for _ in 0..2 {
        house.advance(LEASE.duration * 2);
        assert_eq!(service.handle(&mail).await.unwrap(), Done::DUPLICATE);
    }

    let mails = house.cloud.mails().await;
    assert_eq!(mails.len(), 1);
    assert_eq!(mails[0]["from"], SENDER);
    assert_eq!(mails[0]["to"], serde_json::json!(["ada@example.com"]));
    assert_eq!(mails[0]["subject"], "Your name was changed");
    assert!(mails[0]["text"].as_str().unwrap().contains("Ada Lovelace"));
    let metadata = &mail.envelope.metadata;
    let address = AddressDigest::of(&"123456789012".parse().unwrap(), &"ada@example.com".parse().unwrap());
    assert_eq!(
        mails[0]["tags"],
        serde_json::json!({
            "notification_id": metadata.event_id,
            "customer_number": "123456789012",
            "address_digest": address.to_string(),
            "enrolled_at": metadata.occurred_at.as_nanosecond().to_string(),
            "event_id": metadata.causation_id,
            "correlation_id": metadata.correlation_id,
            // The test has no span.
            "trace_id": "none",
            "parent_id": "none",
            "sampled": "none",
        })
    );
    assert_eq!(mails[0]["configuration_set"], house.cloud.variable(crate::NAME, "EMAIL_CONFIGURATION_SET"));
    house.cloud.shutdown().await;
}

#[tokio::test]
async fn copies_that_come_at_once_are_mailed_once() {
    let house = House::build().await;
    let (service, mail) = (house.service(), mail());
    let (one, two) = tokio::join!(service.handle(&mail), service.handle(&mail));
    assert_eq!([&one, &two].iter().filter(|result| matches!(result, Ok(done) if *done == SENT)).count(), 1);
    assert_eq!(house.count().await, 1);
    house.cloud.shutdown().await;
}

#[tokio::test]
async fn a_mail_whose_sender_died_is_sent_when_the_lease_ends() {
    let house = House::build().await;
    let (service, mail) = (house.service(), mail());
    // A process that claims the mail and dies.
    let id = format!("NOTIFICATION#{}", mail.envelope.metadata.event_id);
    let claim = Claims::new(house.table())
        .claim(&house.dynamodb, &id, LEASE.duration, house.now(), None)
        .await
        .unwrap();
    assert!(matches!(claim, Claim::Claimed(_)));

    house.advance(Duration::from_secs(5));
    let failure = service.handle(&mail).await.unwrap_err();
    let Failure::Transient { reason, dependency, retry_after, .. } = failure else { panic!("permanent") };
    assert_eq!((reason, dependency), ("claimed-by-another", None));
    assert_eq!(retry_after, Some(Duration::from_secs(15)), "what is left of the lease");
    assert_eq!(house.count().await, 0);

    house.advance(Duration::from_secs(15));
    assert_eq!(service.handle(&mail).await.unwrap(), SENT);
    assert_eq!(house.count().await, 1);
    house.cloud.shutdown().await;
}

#[tokio::test]
async fn a_throttled_mail_is_sent_by_the_next_attempt_without_waiting_for_the_lease() {
    let house = House::build().await;
    let (service, mail) = (house.service(), mail());
    house.cloud.fail("ses", "SendEmail", "throttle", 1).await;
    assert_transient(&service.handle(&mail).await.unwrap_err(), "throttled");
    assert_eq!(house.count().await, 0);
    assert_eq!(service.handle(&mail).await.unwrap(), SENT);
    assert_eq!(house.count().await, 1);
    house.cloud.shutdown().await;
}

#[tokio::test]
async fn a_mail_that_ses_failed_to_accept_is_not_lost() {
    let house = House::build().await;
    let (service, mail) = (house.service(), mail());
    house.cloud.fail("ses", "SendEmail", "500", 1).await;
    assert_transient(&service.handle(&mail).await.unwrap_err(), "unavailable");
    assert_eq!(service.handle(&mail).await.unwrap(), SENT);
    assert_eq!(house.count().await, 1);
    house.cloud.shutdown().await;
}

#[tokio::test]
async fn a_call_without_an_answer_is_abandoned_in_time() {
    let house = House::build().await;
    let lease = Lease { effect: Duration::from_millis(200), ..LEASE };
    let (service, mail) = (house.service_with(SENDER, lease), mail());
    house.cloud.fail("ses", "SendEmail", "timeout", 1).await;
    assert_transient(&service.handle(&mail).await.unwrap_err(), "unavailable");
    assert_eq!(service.handle(&mail).await.unwrap(), SENT);
    assert_eq!(house.count().await, 1);
    house.cloud.shutdown().await;
}

/// The one case in which a customer gets a mail twice. The SDK itself must not make it three times.
#[tokio::test]
async fn an_answer_that_is_lost_doubles_the_mail_and_no_more() {
    let house = House::build().await;
    let (service, mail) = (house.service(), mail());
    house.cloud.fail("ses", "SendEmail", "drop-response", 1).await;
    assert_transient(&service.handle(&mail).await.unwrap_err(), "unavailable");
    assert_eq!(house.count().await, 1);
    assert_eq!(service.handle(&mail).await.unwrap(), SENT);
    assert_eq!(service.handle(&mail).await.unwrap(), Done::DUPLICATE);
    assert_eq!(house.count().await, 2);
    house.cloud.shutdown().await;
}

#[tokio::test]
async fn a_record_that_fails_is_retried_without_a_second_mail() {
    let house = House::build().await;
    let (service, mail) = (house.service(), mail());
    house.cloud.fail("dynamodb", "UpdateItem", "throttle", 3).await;
    assert_eq!(service.handle(&mail).await.unwrap(), SENT);
    assert_eq!(service.handle(&mail).await.unwrap(), Done::DUPLICATE);
    assert_eq!(house.count().await, 1);
    house.cloud.shutdown().await;
}

#[tokio::test]
async fn a_record_that_never_succeeds_does_not_return_the_message_to_the_queue() {
    let house = House::build().await;
    let (service, mail) = (house.service(), mail());
    house.cloud.fail("dynamodb", "UpdateItem", "500", u32::MAX).await;
    assert_eq!(service.handle(&mail).await.unwrap(), SENT);
    assert_eq!(house.count().await, 1);
    house.cloud.shutdown().await;
}

/// The claim could end between SES's acceptance and the record, and the mail would be sent again.
#[tokio::test]
async fn a_mail_is_not_sent_if_the_decision_leaves_no_time_for_its_record() {
    let house = House::build().await;
    let lease = Lease { duration: Duration::from_secs(6), effect: Duration::from_secs(1) };
    let (service, mail) = (house.service_with(SENDER, lease), mail());
    house.cloud.delay("dynamodb", "GetItem", 3_000, 1).await;
    let failure = service.handle(&mail).await.unwrap_err();
    let Failure::Transient { reason, dependency, .. } = failure else { panic!("permanent") };
    assert_eq!((reason, dependency), ("decision-took-too-long", Some("DynamoDB")));
    assert_eq!(house.count().await, 0);
    assert_eq!(service.handle(&mail).await.unwrap(), SENT);
    assert_eq!(house.count().await, 1);
    house.cloud.shutdown().await;
}

#[tokio::test]
async fn without_a_claim_nothing_is_sent() {
    let house = House::build().await;
    let (service, mail) = (house.service(), mail());
    house.cloud.fail("dynamodb", "PutItem", "throttle", 1).await;
    let failure = service.handle(&mail).await.unwrap_err();
    let Failure::Transient { reason, dependency, .. } = failure else { panic!("permanent") };
    assert_eq!((reason, dependency), ("throttled", Some("DynamoDB")));
    assert_eq!(house.count().await, 0);
    assert_eq!(service.handle(&mail).await.unwrap(), SENT);
    house.cloud.shutdown().await;
}

#[tokio::test]
async fn mails_wait_for_the_verification_of_their_sender() {
    let house = House::build().await;
    let mail = mail();
    let unverified = house.service_with("nobody@foostore.example", LEASE);
    let failure = unverified.handle(&mail).await.unwrap_err();
    assert_transient(&failure, "misconfigured");
    let Failure::Transient { source, .. } = failure else { unreachable!() };
    let cause = source.unwrap().to_string();
    assert!(cause.contains("MessageRejected") && !cause.contains('@'), "{cause}");

    assert_eq!(house.service().handle(&mail).await.unwrap(), SENT);
    assert_eq!(house.count().await, 1);
    house.cloud.shutdown().await;
}

#[tokio::test]
async fn a_mail_that_ses_refuses_is_a_rejection_and_can_be_sent_when_it_is_redelivered() {
    let house = House::build().await;
    let mail = mail();
    let failure = house.service_with("", LEASE).handle(&mail).await.unwrap_err();
    let Failure::Rejected { dependency, code, .. } = failure else { panic!("{failure:?}") };
    assert_eq!((dependency, code.as_str()), ("SES", "BadRequestException"));

    assert_eq!(house.service().handle(&mail).await.unwrap(), SENT);
    assert_eq!(house.count().await, 1);
    house.cloud.shutdown().await;
}

#[tokio::test]
async fn what_is_not_a_mail_is_dead_lettered() {
    let house = House::build().await;
    let service = house.service();
    let other = request(Channel::Wallet);
    let other = delivery(other.notification_id, &other);
    assert_permanent(&service.handle(&other).await.unwrap_err(), "other-channel");

    let mut unknown = mail();
    unknown.envelope.event_type = "MemberPromoted".into();
    assert_permanent(&service.handle(&unknown).await.unwrap_err(), "unknown-event-type");

    let mut malformed = mail();
    malformed.envelope.data = serde_json::value::to_raw_value("Mustermann").unwrap();
    assert_permanent(&service.handle(&malformed).await.unwrap_err(), "malformed-event");
    assert_eq!(house.count().await, 0);
    house.cloud.shutdown().await;
}
