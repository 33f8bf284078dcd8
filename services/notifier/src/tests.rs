//! The handler against a cloud in this process: what is remembered, and what the topic's subscribers get.

use std::collections::{BTreeMap, HashMap};
use std::time::Duration;

use aws_clients::AwsSettings;
use aws_credential_types::Credentials;
use aws_sdk_dynamodb::types::{
    AttributeDefinition, AttributeValue, BillingMode, KeySchemaElement, KeyType, ScalarAttributeType,
};
use aws_types::SdkConfig;
use contracts::{
    Channel, Channels, Contact, MemberEnrolled, MemberErased, MemberPreferencesChanged, MemberRenamed, Name,
    NotificationRequested, Template,
};
use envelope::{Envelope, Event, Metadata};
use handlers::AtLeastOnce;
use jiff::Timestamp;
use local_cloud::LocalCloud;
use opentelemetry::metrics::MeterProvider as _;
use opentelemetry::metrics::noop::NoopMeterProvider;
use publisher::TopicPublisher;
use sqs_consumer::{AtLeastOnceHandler as _, Delivery, Done, Failure};
use uuid::Uuid;

use crate::domain::notification_id;
use crate::handler::NotifyMember;
use crate::members::Members;

const TABLE: &str = "notifications";
const CUSTOMER: &str = "123456789012";

/// A cloud with the notifier's table, its topic, and a queue that takes everything from the topic.
struct House {
    cloud: LocalCloud,
    aws: SdkConfig,
    dynamodb: aws_sdk_dynamodb::Client,
    sqs: aws_sdk_sqs::Client,
    queue_url: String,
    topic_arn: String,
}

impl House {
    async fn build() -> Self {
        let address = "127.0.0.1:0".parse().unwrap();
        let settings =
            local_cloud::Settings { address, otlp_address: address, ..local_cloud::Settings::default() };
        let cloud = local_cloud::start(settings).await.unwrap();
        let aws = aws_clients::sdk_config(&AwsSettings {
            region: Some("eu-central-1".into()),
            endpoint_url: Some(cloud.endpoint_url()),
            credentials: Some(Credentials::new("local", "local", None, None, "test")),
        })
        .await;
        let dynamodb = aws_sdk_dynamodb::Client::new(&aws);
        create_table(&dynamodb).await;

        let sqs = aws_sdk_sqs::Client::new(&aws);
        let queue_url = sqs.create_queue().queue_name("sink").send().await.unwrap().queue_url.unwrap();
        let sns = aws_sdk_sns::Client::new(&aws);
        let topic_arn = sns.create_topic().name("notifications").send().await.unwrap().topic_arn.unwrap();
        sns.subscribe()
            .topic_arn(&topic_arn)
            .protocol("sqs")
            .endpoint("arn:aws:sqs:eu-central-1:000000000000:sink")
            .send()
            .await
            .unwrap();
        Self { cloud, aws, dynamodb, sqs, queue_url, topic_arn }
    }

    fn notifier(&self) -> AtLeastOnce<NotifyMember> {
        let meter = NoopMeterProvider::new().meter("notifier");
        let patience = publisher::PublisherSettings {
            max_attempts: 2,
            backoff: Duration::from_millis(1),
            ..publisher::PublisherSettings::default()
        };
        let sns = aws_sdk_sns::Client::new(&self.aws);
        AtLeastOnce::new(NotifyMember::new(
            Members::new(self.dynamodb.clone(), TABLE.to_owned()),
            TopicPublisher::new(sns, self.topic_arn.clone(), patience, &meter),
        ))
    }

    async fn fault(&self, body: &'static str) {
        let url = format!("{}/_local/faults", self.cloud.endpoint_url());
        let client = reqwest::Client::new();
        let answer =
            client.post(url).header("content-type", "application/json").body(body).send().await.unwrap();
        assert!(answer.status().is_success(), "{}", answer.status());
    }

    /// What is remembered of the customer: every attribute that is a string.
    async fn remembered(&self) -> BTreeMap<String, String> {
        let key = AttributeValue::S(format!("MEMBER#{CUSTOMER}"));
        let item = self.dynamodb.get_item().table_name(TABLE).key("pk", key).send().await.unwrap().item;
        let item: HashMap<_, _> = item.unwrap_or_default();
        item.into_iter().filter_map(|(name, value)| Some((name, value.as_s().ok()?.clone()))).collect()
    }

    /// Takes `count` requests from the subscribed queue, with their metadata, sorted by channel.
    async fn requested(&self, count: usize) -> Vec<(Metadata, NotificationRequested)> {
        let mut requests = Vec::new();
        while requests.len() < count {
            let received = self
                .sqs
                .receive_message()
                .queue_url(&self.queue_url)
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
                self.sqs
                    .delete_message()
                    .queue_url(&self.queue_url)
                    .receipt_handle(receipt)
                    .send()
                    .await
                    .unwrap();
            }
        }
        assert_eq!(requests.len(), count);
        requests.sort_by_key(|(_, request)| request.channel);
        requests
    }
}

async fn create_table(dynamodb: &aws_sdk_dynamodb::Client) {
    let attribute = AttributeDefinition::builder()
        .attribute_name("pk")
        .attribute_type(ScalarAttributeType::S)
        .build()
        .unwrap();
    let key = KeySchemaElement::builder().attribute_name("pk").key_type(KeyType::Hash).build().unwrap();
    dynamodb
        .create_table()
        .table_name(TABLE)
        .attribute_definitions(attribute)
        .key_schema(key)
        .billing_mode(BillingMode::PayPerRequest)
        .send()
        .await
        .unwrap();
}

fn contact(given: &str, channels: impl IntoIterator<Item = Channel>) -> Contact {
    Contact {
        name: Name { given: given.parse().unwrap(), family: "Lovelace".parse().unwrap() },
        email: "ada@example.com".parse().unwrap(),
        channels: Channels::from_iter(channels),
        locale: "en".parse().unwrap(),
    }
}

/// `event`, announced `second` seconds into the test's day.
fn announced<E: Event>(event: &E, second: i64) -> Delivery {
    let start: Timestamp = "2026-03-01T12:00:00Z".parse().unwrap();
    let now = Timestamp::from_second(start.as_second() + second).unwrap();
    let first = Metadata::first(Uuid::new_v4(), start, start);
    let metadata = Metadata::caused_by(&first, Uuid::new_v4(), start, now);
    Delivery {
        envelope: Envelope::new(metadata, event).unwrap(),
        attempt: 1,
        message_id: "message".into(),
        sent_at: now,
        first_received_at: now,
        received_at: now,
        replay_name: None,
    }
}

fn renamed(given: &str, second: i64) -> Delivery {
    let contact = contact(given, [Channel::Email]);
    announced(&MemberRenamed { customer_number: CUSTOMER.parse().unwrap(), contact }, second)
}

fn erased(contact: Option<Contact>, second: i64) -> Delivery {
    announced(&MemberErased { customer_number: CUSTOMER.parse().unwrap(), contact }, second)
}

#[tokio::test]
async fn each_channel_gets_one_request_and_the_contact_is_remembered() {
    let house = House::build().await;
    let event = MemberEnrolled {
        customer_number: CUSTOMER.parse().unwrap(),
        contact: contact("Ada", [Channel::Email, Channel::Wallet]),
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
        assert_eq!(request.template, Template::MemberEnrolled);
        assert_eq!(request.contact, event.contact);
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

#[tokio::test]
async fn an_event_that_comes_late_is_told_but_changes_nothing() {
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
async fn an_erasure_leaves_a_tombstone_that_wins() {
    let house = House::build().await;
    let notifier = house.notifier();
    notifier.handle(&renamed("Ada", 1)).await.unwrap();
    // The erasure is older than what is remembered, and something newer comes after it.
    let confirmation = erased(Some(contact("Ada", [Channel::Email])), 0);
    assert_eq!(notifier.handle(&confirmation).await.unwrap(), Done::new("notified"));
    notifier.handle(&renamed("Ada", 9)).await.unwrap();

    let remembered = house.remembered().await;
    let names: Vec<&str> = remembered.keys().map(String::as_str).collect();
    assert_eq!(names, ["erased_at", "pk", "version"], "a tombstone has no personal field");
    let templates: Vec<Template> =
        house.requested(3).await.into_iter().map(|(_, request)| request.template).collect();
    assert!(templates.contains(&Template::MemberErased), "{templates:?}");
    house.cloud.shutdown().await;
}

#[tokio::test]
async fn without_a_contact_or_a_channel_there_is_nothing_to_send() {
    let house = House::build().await;
    let notifier = house.notifier();
    let silent =
        MemberPreferencesChanged { customer_number: CUSTOMER.parse().unwrap(), contact: contact("Ada", []) };
    for delivery in [announced(&silent, 1), erased(None, 2)] {
        assert_eq!(notifier.handle(&delivery).await.unwrap(), Done::new("nothing-to-send"));
    }
    assert!(house.remembered().await.contains_key("erased_at"));
    house.cloud.shutdown().await;
}

#[tokio::test]
async fn when_sns_is_away_the_event_is_tried_again() {
    let house = House::build().await;
    let notifier = house.notifier();
    house.fault(r#"{"service": "sns", "operation": "PublishBatch", "error": "500", "times": 2}"#).await;
    let delivery = renamed("Ada", 1);
    let failure = notifier.handle(&delivery).await.unwrap_err();
    assert_transient(&failure, "notification-not-published", "SNS");
    assert_eq!(notifier.handle(&delivery).await.unwrap(), Done::new("notified"));
    house.requested(1).await;
    house.cloud.shutdown().await;
}

#[tokio::test]
async fn when_dynamodb_is_away_nothing_is_told_yet() {
    let house = House::build().await;
    let notifier = house.notifier();
    // One more than the SDK retries by itself would get past.
    house.fault(r#"{"service": "dynamodb", "operation": "PutItem", "error": "throttle", "times": 3}"#).await;
    let delivery = renamed("Ada", 1);
    let failure = notifier.handle(&delivery).await.unwrap_err();
    assert_transient(&failure, "dynamodb-throttled", "DynamoDB");
    assert_eq!(notifier.handle(&delivery).await.unwrap(), Done::new("notified"));
    house.requested(1).await;
    house.cloud.shutdown().await;
}

#[tokio::test]
async fn what_is_no_event_of_a_member_is_put_aside() {
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
