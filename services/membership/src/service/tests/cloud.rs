//! The members' table, as the topology makes it, and a service on it.

use std::collections::HashMap;

use aws_clients::{AwsSettings, TracingInterceptor};
use aws_sdk_dynamodb::Client;
use aws_sdk_dynamodb::config::{Builder, Credentials};
use aws_sdk_dynamodb::types::{
    AttributeDefinition, AttributeValue, BillingMode, KeySchemaElement, KeyType, ScalarAttributeType,
    StreamSpecification, StreamViewType,
};
use contracts::{Contact, CustomerNumber};
use envelope::Envelope;
use handlers::EffectivelyOnce;
use jiff::Timestamp;
use local_cloud::{LocalCloud, Settings};
use serde_json::{Value, json};
use sqs_consumer::{AtLeastOnceHandler, Delivery, Done, Failure};

use crate::members::Members;
use crate::service::Membership;

pub(super) const TABLE: &str = "members";

pub(super) type Item = HashMap<String, AttributeValue>;

pub(super) struct Cloud {
    local: LocalCloud,
    pub(super) client: Client,
    service: EffectivelyOnce<Membership>,
}

impl Cloud {
    pub(super) async fn start() -> Self {
        let free = "127.0.0.1:0".parse().unwrap();
        let settings = Settings { address: free, otlp_address: free, ..Settings::default() };
        let cloud = local_cloud::start(settings).await.unwrap();
        let config = aws_clients::sdk_config(&AwsSettings {
            region: Some("eu-central-1".to_owned()),
            endpoint_url: Some(cloud.endpoint_url()),
            credentials: Some(Credentials::new("local", "local", None, None, "test")),
        })
        .await;
        let client = Client::from_conf(Builder::from(&config).interceptor(TracingInterceptor::new()).build());
        create_table(&client).await;
        let members = Members::new(client.clone(), TABLE);
        let service = EffectivelyOnce::new(client.clone(), TABLE, crate::NAME, Membership::new(members));
        Self { local: cloud, client, service }
    }

    /// Delivers `event` to the service.
    pub(super) async fn handle(&self, event: &Envelope) -> Result<Done, Failure> {
        let now = Timestamp::now();
        let delivery = Delivery {
            envelope: event.clone(),
            attempt: 1,
            message_id: "message".to_owned(),
            sent_at: now,
            first_received_at: now,
            received_at: now,
            replay_name: None,
        };
        self.service.handle(&delivery).await
    }

    pub(super) async fn items(&self) -> Vec<Item> {
        self.client.scan().table_name(TABLE).send().await.unwrap().items.unwrap_or_default()
    }

    pub(super) async fn member(&self, customer_number: &CustomerNumber) -> Option<Item> {
        let key = AttributeValue::S(format!("MEMBER#{customer_number}"));
        self.client.get_item().table_name(TABLE).key("pk", key).send().await.unwrap().item
    }

    /// The outbox, in the order of occurrence.
    pub(super) async fn outbox(&self) -> Vec<Item> {
        let mut items = self.items().await;
        items.retain(|item| is(item, "OUTBOX#"));
        items.sort_by_key(|item| text(item, "occurred_at").parse::<Timestamp>().unwrap());
        items
    }

    /// What was announced: type and contact.
    pub(super) async fn announced(&self) -> Vec<(String, Option<Contact>)> {
        let announced = |item: &Item| {
            let data: Value = serde_json::from_str(text(item, "data")).unwrap();
            (text(item, "event_type").to_owned(), serde_json::from_value(data["contact"].clone()).unwrap())
        };
        self.outbox().await.iter().map(announced).collect()
    }

    /// Lets the next `times` calls of `operation` go wrong.
    pub(super) async fn fail(&self, operation: &str, error: &str, times: u32) {
        let fault = json!({"service": "dynamodb", "operation": operation, "error": error, "times": times});
        let answer = reqwest::Client::new().post(self.faults()).json(&fault).send().await.unwrap();
        assert!(answer.status().is_success(), "{}", answer.status());
    }

    /// Takes all faults back.
    pub(super) async fn mend(&self) {
        let answer = reqwest::Client::new().delete(self.faults()).send().await.unwrap();
        assert!(answer.status().is_success(), "{}", answer.status());
    }

    fn faults(&self) -> String {
        format!("{}/_local/faults", self.local.endpoint_url())
    }

    pub(super) async fn shutdown(self) {
        self.local.shutdown().await;
    }
}

pub(super) fn is(item: &Item, key_prefix: &str) -> bool {
    text(item, "pk").starts_with(key_prefix)
}

pub(super) fn text<'a>(item: &'a Item, attribute: &str) -> &'a str {
    item[attribute].as_s().unwrap()
}

async fn create_table(client: &Client) {
    let key = KeySchemaElement::builder().attribute_name("pk").key_type(KeyType::Hash);
    let attribute =
        AttributeDefinition::builder().attribute_name("pk").attribute_type(ScalarAttributeType::S);
    let stream =
        StreamSpecification::builder().stream_enabled(true).stream_view_type(StreamViewType::NewAndOldImages);
    client
        .create_table()
        .table_name(TABLE)
        .key_schema(key.build().unwrap())
        .attribute_definitions(attribute.build().unwrap())
        .billing_mode(BillingMode::PayPerRequest)
        .stream_specification(stream.build().unwrap())
        .send()
        .await
        .unwrap();
}
