//! AWS in this process, with what a topology declares.

use std::collections::{BTreeMap, HashMap};

use aws_clients::AwsSettings;
use aws_credential_types::Credentials;
use aws_sdk_dynamodb::types::AttributeValue;
use aws_sdk_sqs::types::QueueAttributeName;
use aws_types::SdkConfig;
use envelope::{Envelope, Event, EventSet, Metadata};
use jiff::Timestamp;
use local_cloud::{LocalCloud, Settings};
use serde_json::{Value, json};
use sqs_consumer::Delivery;
use topology::{Service, Topology};
use uuid::Uuid;

pub(crate) struct Cloud {
    local: LocalCloud,
    pub(crate) aws: SdkConfig,
    pub(crate) dynamodb: aws_sdk_dynamodb::Client,
    sqs: aws_sdk_sqs::Client,
    /// The variables by which the service finds its resources, and AWS.
    pub(crate) variables: BTreeMap<String, String>,
}

impl Cloud {
    /// Starts with the resources of `service`, whose events `E` something else emits.
    pub(crate) async fn start<E: EventSet>(service: Service) -> Self {
        let free = "127.0.0.1:0".parse().unwrap();
        let settings = Settings { address: free, otlp_address: free, ..Settings::default() };
        let local = local_cloud::start(settings).await.unwrap();
        let aws = aws_clients::sdk_config(&AwsSettings {
            region: Some("eu-central-1".to_owned()),
            endpoint_url: Some(local.endpoint_url()),
            credentials: Some(Credentials::new("local", "local", None, None, "test")),
        })
        .await;
        let name = service.name();
        let topology = Topology::new("shop", "test")
            .service(Service::new("source").publishes_to_bus().emits::<E>())
            .service(service);
        let outputs = provisioning::provision(&topology.resources().unwrap(), &aws).await.unwrap();
        let mut variables = outputs.environment(name);
        variables.extend(
            [
                ("AWS_ENDPOINT_URL", local.endpoint_url()),
                ("AWS_REGION", "eu-central-1".to_owned()),
                ("AWS_ACCESS_KEY_ID", "local".to_owned()),
                ("AWS_SECRET_ACCESS_KEY", "local".to_owned()),
                ("HEALTH_ADDRESS", "127.0.0.1:0".to_owned()),
                ("OTEL_SDK_DISABLED", "true".to_owned()),
                // So that a shutdown need not wait for a long poll.
                ("CONSUMER_WAIT_S", "1".to_owned()),
            ]
            .map(|(name, value)| (name.to_owned(), value)),
        );
        let dynamodb = aws_sdk_dynamodb::Client::new(&aws);
        let sqs = aws_sdk_sqs::Client::new(&aws);
        Self { local, aws, dynamodb, sqs, variables }
    }

    /// Lets the next `times` calls of a DynamoDB operation go wrong.
    pub(crate) async fn fail(&self, operation: &str, error: &str, times: u32) {
        let fault = json!({"service": "dynamodb", "operation": operation, "error": error, "times": times});
        let url = format!("{}/_local/faults", self.local.endpoint_url());
        let answer = reqwest::Client::new().post(url).json::<Value>(&fault).send().await.unwrap();
        assert!(answer.status().is_success(), "{}", answer.status());
    }

    /// Puts an event on the service's queue.
    pub(crate) async fn send(&self, event: &Envelope) {
        let url = &self.variables["QUEUE_URL"];
        self.sqs.send_message().queue_url(url).message_body(event.message()).send().await.unwrap();
    }

    /// How many messages are on the queue that this variable names, visible or in flight.
    pub(crate) async fn depth(&self, variable: &str) -> u32 {
        let counts = [
            QueueAttributeName::ApproximateNumberOfMessages,
            QueueAttributeName::ApproximateNumberOfMessagesNotVisible,
            QueueAttributeName::ApproximateNumberOfMessagesDelayed,
        ];
        let request = self.sqs.get_queue_attributes().queue_url(&self.variables[variable]);
        let answer = request.set_attribute_names(Some(counts.to_vec())).send().await.unwrap();
        answer.attributes.unwrap().values().map(|count| count.parse::<u32>().unwrap()).sum()
    }

    pub(crate) async fn item(&self, table: &str, key: String) -> Option<HashMap<String, AttributeValue>> {
        let table = &self.variables[table];
        let key = AttributeValue::S(key);
        self.dynamodb.get_item().table_name(table).key("pk", key).send().await.unwrap().item
    }

    pub(crate) async fn count(&self, table: &str, prefix: &str) -> usize {
        let items = self.dynamodb.scan().table_name(&self.variables[table]).send().await.unwrap();
        items.items().iter().filter(|item| item["pk"].as_s().unwrap().starts_with(prefix)).count()
    }

    pub(crate) async fn shutdown(self) {
        self.local.shutdown().await;
    }
}

/// An event that nothing caused.
pub(crate) fn first<E: Event>(event: &E) -> Envelope {
    let now = Timestamp::now();
    Envelope::new(Metadata::first(Uuid::new_v4(), now, now), event).unwrap()
}

/// A first delivery of the event.
pub(crate) fn delivery(envelope: &Envelope) -> Delivery {
    let now = Timestamp::now();
    Delivery {
        envelope: envelope.clone(),
        attempt: 1,
        message_id: "message".to_owned(),
        sent_at: now,
        first_received_at: now,
        received_at: now,
        replay_name: None,
    }
}
