//! Runs the handler on AWS in this process: how often the webhook hears of a notification, whatever goes wrong.

use std::time::Duration;

use aws_clients::DynamoDb;
use aws_sdk_dynamodb::config::retry::RetryConfig;
use contracts::{
    Channel, Channels, Contact, CustomerNumber, MemberEnrolled, MemberErased, MemberPreferencesChanged,
    MemberRenamed, Name, NotificationRequested, Subject, Tier,
};
use envelope::{Envelope, Event, Metadata};
use handlers::{AtLeastOnce, Claimed, Lease};
use jiff::Timestamp;
use serde_json::Value;
use service_test::TestCloud;
use sqs_consumer::{AtLeastOnceHandler as _, Delivery, Done, Failure, Place};
use topology::{Service, Topic};
use uuid::Uuid;

use crate::endpoint::Endpoint;
use crate::handler::{App, PushNotification};
use crate::members::FollowMembers;
use crate::recipients::Recipients;
use crate::target::Target;
use crate::webhook::{WEBHOOK, Webhook};

mod answers;
mod giving_up;
mod suppression;

const PUSHED: Done = Done::new("pushed");
const DISABLED: Done = Done::without_effect("endpoint-disabled");
const LEASE: Lease = Lease { duration: Duration::from_secs(20), effect: Duration::from_secs(5) };

/// What membership announces.
type Members = (MemberEnrolled, MemberRenamed, MemberPreferencesChanged, MemberErased);

/// The service's resources, and the receiver of its pushes.
struct House {
    cloud: TestCloud,
    /// Without retries, so that one fault is one failure.
    dynamodb: DynamoDb,
}

impl House {
    async fn build() -> Self {
        let notifier = Service::new("notifier").publishes(Topic::new("notifications").attribute("channel"));
        let membership = Service::new("membership").publishes_to_bus().emits::<Members>();
        let cloud = TestCloud::start([crate::topology(), notifier, membership]).await;
        let config = aws_sdk_dynamodb::config::Builder::from(cloud.aws());
        let dynamodb = DynamoDb::untraced(config.retry_config(RetryConfig::disabled()));
        Self { cloud, dynamodb }
    }

    fn service(&self) -> App {
        self.service_with(&self.cloud.webhook_url(), self.cloud.webhook_secret(), LEASE)
    }

    fn service_with(&self, url: &str, secrets: &str, lease: Lease) -> App {
        let table = self.cloud.variable(crate::NAME, "APP_DELIVERIES_TABLE_NAME");
        let target = Target::read(url, true, true).unwrap();
        let endpoint = Endpoint::new(self.dynamodb.clone(), table.clone(), target.digest());
        let recipients = Recipients::new(self.dynamodb.clone(), table.clone());
        let webhook = Webhook::new(target, secrets.parse().unwrap(), lease.effect).unwrap();
        let pushes = PushNotification::new(webhook, endpoint, recipients.clone());
        App {
            pushes: Claimed::new(self.dynamodb.clone(), table, lease, pushes),
            members: AtLeastOnce::new(FollowMembers::new(recipients)),
        }
    }

    /// Returns the status of each push, and whether its id had been accepted before.
    async fn pushes(&self) -> Vec<(u64, bool)> {
        let pushes = self.cloud.pushes().await;
        pushes.iter().map(|push| (push["status"].as_u64().unwrap(), push["repeated"] == true)).collect()
    }
}

fn customer() -> CustomerNumber {
    "123456789012".parse().unwrap()
}

fn request(channel: Channel) -> NotificationRequested {
    NotificationRequested {
        customer_number: customer(),
        notification_id: Uuid::new_v4(),
        channel,
        subject: Subject::TierAscended { tier: Tier::Gold, previous_tier: Tier::Silver },
        contact: Contact {
            name: Name { given: "Ada".parse().unwrap(), family: "Lovelace".parse().unwrap() },
            email: "ada@example.com".parse().unwrap(),
            channels: Channels::from([Channel::App]),
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

fn notification() -> Delivery {
    let request = request(Channel::App);
    delivery(request.notification_id, &request)
}

/// Returns the reason, the code and the delay of a failure of the webhook.
fn of_the_webhook(failure: &Failure) -> (&'static str, &str, Option<Duration>) {
    let Failure::Transient { reason, dependency, code, retry_after, .. } = failure else {
        panic!("{failure:?} is permanent")
    };
    assert_eq!(*dependency, Some(WEBHOOK));
    (reason, code.as_deref().unwrap(), *retry_after)
}

#[tokio::test]
async fn a_notification_is_pushed_once_however_often_it_is_delivered() {
    let house = House::build().await;
    let (service, notification) = (house.service(), notification());
    assert_eq!(service.handle(&notification).await.unwrap(), PUSHED);
    for _ in 0..2 {
        assert_eq!(service.handle(&notification).await.unwrap(), Done::DUPLICATE);
    }
    let pushes = house.cloud.pushes().await;
    let [push] = pushes.as_slice() else { panic!("{pushes:?}") };
    let metadata = &notification.envelope.metadata;
    assert_eq!(push["id"], metadata.event_id.to_string());
    let body = &push["body"];
    assert_eq!(body["type"], "notification.tier-ascended");
    assert_eq!(body["timestamp"], "2026-03-01T12:00:00Z");
    assert_eq!(body["data"]["customer_number"], "123456789012");
    assert_eq!(body["data"]["event_id"], metadata.causation_id.unwrap().to_string());
    assert_eq!(body["data"]["tier"], "gold");
    let text = body.to_string();
    assert!(!text.contains("Ada") && !text.contains("Lovelace") && !text.contains('@'), "{text}");
    house.cloud.shutdown().await;
}

#[tokio::test]
async fn two_deliveries_at_once_push_once() {
    let house = House::build().await;
    let (service, notification) = (house.service(), notification());
    house.cloud.delay("webhook", "Push", 300, 1).await;
    let (one, two) = tokio::join!(service.handle(&notification), service.handle(&notification));
    let (done, failure) = match (one, two) {
        (Ok(done), Err(failure)) | (Err(failure), Ok(done)) => (done, failure),
        both => panic!("{both:?}"),
    };
    assert_eq!((done, failure.reason()), (PUSHED, "claimed-by-another"));
    assert_eq!(house.pushes().await, [(204, false)]);
    house.cloud.shutdown().await;
}

#[tokio::test]
async fn notifications_for_other_channels_and_unknown_events_are_dead_lettered() {
    let house = House::build().await;
    let service = house.service();
    let request = request(Channel::Email);
    let failure = service.handle(&delivery(request.notification_id, &request)).await.unwrap_err();
    assert!(failure.is_permanent());
    assert_eq!(failure.reason(), "other-channel");
    let mut unknown = notification();
    unknown.envelope.event_type = "SomethingElse".into();
    assert!(service.handle(&unknown).await.unwrap_err().is_permanent());
    let mut malformed = notification();
    malformed.envelope.data =
        serde_json::value::to_raw_value(&serde_json::json!({"customer_number": 7})).unwrap();
    let failure = service.handle(&malformed).await.unwrap_err();
    assert_eq!((failure.is_permanent(), failure.reason()), (true, "malformed-event"));
    assert!(house.pushes().await.is_empty());
    house.cloud.shutdown().await;
}

#[tokio::test]
async fn while_the_table_cannot_be_read_nothing_is_pushed() {
    let house = House::build().await;
    let service = house.service();
    let notification = notification();
    for operation in ["PutItem", "GetItem"] {
        house.cloud.fail("dynamodb", operation, "500", 1).await;
        let failure = service.handle(&notification).await.unwrap_err();
        assert_eq!((failure.is_permanent(), failure.dependency()), (false, Some("DynamoDB")));
    }
    assert!(house.pushes().await.is_empty());
    assert_eq!(service.handle(&notification).await.unwrap(), PUSHED);
    house.cloud.shutdown().await;
}

/// What the back end has accepted is not pushed again only because the record of it is late.
#[tokio::test]
async fn a_push_that_cannot_be_recorded_is_acknowledged_all_the_same() {
    let house = House::build().await;
    let service = house.service();
    house.cloud.fail("dynamodb", "UpdateItem", "500", 1).await;
    assert_eq!(service.handle(&notification()).await.unwrap(), PUSHED);
    house.cloud.shutdown().await;
}

#[tokio::test]
async fn while_a_secret_is_replaced_requests_carry_a_signature_of_each() {
    let house = House::build().await;
    let other = "whsec_AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8=";
    let both = format!("{other},{}", house.cloud.webhook_secret());
    let url = house.cloud.webhook_url();
    assert_eq!(house.service_with(&url, &both, LEASE).handle(&notification()).await.unwrap(), PUSHED);
    let failure = house.service_with(&url, other, LEASE).handle(&notification()).await.unwrap_err();
    assert_eq!(of_the_webhook(&failure).1, "401");
    let pushes: Vec<Value> = house.cloud.pushes().await;
    assert!(pushes[0].get("error").is_none(), "{:?}", pushes[0]);
    assert!(pushes[1]["error"].as_str().unwrap().starts_with("no signature is"), "{:?}", pushes[1]);
    house.cloud.shutdown().await;
}
