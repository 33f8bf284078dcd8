//! An in-process AWS with the resources that services declare.

use std::collections::{BTreeMap, HashMap};

use aws_clients::AwsSettings;
use aws_credential_types::Credentials;
use aws_sdk_dynamodb::types::AttributeValue;
use aws_sdk_sqs::types::QueueAttributeName;
use aws_types::SdkConfig;
use envelope::Envelope;
use local_cloud::{LocalCloud, Settings};
use provisioning::Outputs;
use serde_json::{Value, json};
use topology::{Service, Topology};

const APPLICATION: &str = "shop";
const ENVIRONMENT: &str = "test";
const REGION: &str = "eu-central-1";
const ACCESS_KEY: &str = "local";

/// A table's item.
pub type Item = HashMap<String, AttributeValue>;

/// An in-process AWS with the queues, tables and topics of the services under test.
pub struct TestCloud {
    local: LocalCloud,
    aws: SdkConfig,
    dynamodb: aws_clients::DynamoDb,
    sqs: aws_sdk_sqs::Client,
    outputs: Outputs,
}

impl TestCloud {
    /// Starts a cloud with the resources that `services` declare: the service under test, and stand-ins for those that
    /// emit what it consumes or publish what it receives. Physical names begin with `shop-test-`.
    ///
    /// # Panics
    /// If the declarations do not match or AWS refuses one.
    pub async fn start(services: impl IntoIterator<Item = Service>) -> Self {
        let any_port = "127.0.0.1:0".parse().unwrap();
        let settings = Settings { address: any_port, otlp_address: any_port, ..Settings::default() };
        let local = local_cloud::start(settings).await.unwrap();
        let aws = aws_clients::sdk_config(&AwsSettings {
            region: Some(REGION.to_owned()),
            endpoint_url: Some(local.endpoint_url()),
            credentials: Some(Credentials::new(ACCESS_KEY, ACCESS_KEY, None, None, "test")),
        })
        .await;
        let topology = services.into_iter().fold(Topology::new(APPLICATION, ENVIRONMENT), Topology::service);
        let outputs = provisioning::provision(&topology.resources().unwrap(), &aws).await.unwrap();
        let dynamodb = aws_clients::dynamodb(&aws);
        let sqs = aws_sdk_sqs::Client::new(&aws);
        Self { local, aws, dynamodb, sqs, outputs }
    }

    /// Returns the configuration for clients of any AWS service.
    #[must_use]
    pub fn aws(&self) -> &SdkConfig {
        &self.aws
    }

    /// Returns a DynamoDB client with the same settings as in production.
    #[must_use]
    pub fn dynamodb(&self) -> aws_clients::DynamoDb {
        self.dynamodb.clone()
    }

    /// Returns the value of a variable through which `service` finds one of its resources, such as `QUEUE_URL`.
    ///
    /// # Panics
    /// If the service has no such variable.
    #[must_use]
    pub fn variable(&self, service: &str, name: &str) -> String {
        self.outputs.environment(service).remove(name).unwrap()
    }

    /// Returns the whole environment for `service` as a process: its resources, AWS, and settings for a test. Telemetry
    /// is disabled, and a receive waits for one second only, so that a shutdown need not wait for a long poll.
    #[must_use]
    pub fn environment(&self, service: &str) -> BTreeMap<String, String> {
        let mut variables = self.outputs.environment(service);
        let more = [
            ("AWS_ENDPOINT_URL", self.local.endpoint_url()),
            ("AWS_REGION", REGION.to_owned()),
            ("AWS_ACCESS_KEY_ID", ACCESS_KEY.to_owned()),
            ("AWS_SECRET_ACCESS_KEY", ACCESS_KEY.to_owned()),
            ("HEALTH_ADDRESS", "127.0.0.1:0".to_owned()),
            ("OTEL_SDK_DISABLED", "true".to_owned()),
            ("CONSUMER_WAIT_S", "1".to_owned()),
        ];
        variables.extend(more.map(|(name, value)| (name.to_owned(), value)));
        variables
    }

    /// Makes the next `times` calls of an operation of an AWS service (`dynamodb`, `sqs`, `ses` …) fail with
    /// `throttle`, `500`, `timeout` (no response at all) or `drop-response` (carried out, but the response is lost).
    ///
    /// # Panics
    /// If there is no such fault.
    pub async fn fail(&self, service: &str, operation: &str, error: &str, times: u32) {
        self.inject(&json!({"service": service, "operation": operation, "error": error, "times": times}))
            .await;
    }

    /// Delays the next `times` calls of an operation of an AWS service, before they are carried out.
    ///
    /// # Panics
    /// If the cloud does not respond.
    pub async fn delay(&self, service: &str, operation: &str, delay_ms: u64, times: u32) {
        let error = json!({"delay_ms": delay_ms});
        self.inject(&json!({"service": service, "operation": operation, "error": error, "times": times}))
            .await;
    }

    /// Makes the receiver of webhooks answer the next `times` pushes with a status from 400 to 599, and with `Retry-After` if
    /// one is given. The kinds of [`fail`](Self::fail) are for the service `webhook`, operation `Push`.
    ///
    /// # Panics
    /// If the cloud does not respond.
    pub async fn answer_pushes(&self, status: u16, retry_after: Option<&str>, times: u32) {
        let answer = json!({"code": "Refused", "status": status, "retry_after": retry_after});
        let error = json!({"answer": answer});
        self.inject(&json!({"service": "webhook", "operation": "Push", "error": error, "times": times}))
            .await;
    }

    /// Returns the URL at which the cloud receives webhooks, signed with [`local_cloud::WEBHOOK_SECRET`].
    #[must_use]
    pub fn webhook_url(&self) -> String {
        self.local.webhook_url()
    }

    /// Returns the secret with which the cloud verifies webhooks.
    #[must_use]
    pub fn webhook_secret(&self) -> &'static str {
        local_cloud::WEBHOOK_SECRET
    }

    /// Returns the requests that the receiver of webhooks got, accepted or not, as JSON.
    ///
    /// # Panics
    /// If the cloud does not respond.
    pub async fn pushes(&self) -> Vec<Value> {
        reqwest::get(self.webhook_url()).await.unwrap().json().await.unwrap()
    }

    /// Returns the URL below which the cloud receives pushes to phones.
    #[must_use]
    pub fn apns_url(&self) -> String {
        self.local.apns_url()
    }

    /// Makes Apple's push service refuse the next `times` pushes to phones with a status from 400 to 599 and a reason. The kinds
    /// of [`fail`](Self::fail) are for the service `apns`, operation `Push`.
    ///
    /// # Panics
    /// If the cloud does not respond.
    pub async fn refuse_pushes_to_phones(&self, status: u16, reason: &str, times: u32) {
        let error = json!({"answer": {"code": reason, "status": status}});
        self.inject(&json!({"service": "apns", "operation": "Push", "error": error, "times": times})).await;
    }

    /// Returns the pushes to phones that arrived, accepted or not, as JSON.
    ///
    /// # Panics
    /// If the cloud does not respond.
    pub async fn pushes_to_phones(&self) -> Vec<Value> {
        reqwest::get(self.apns_url()).await.unwrap().json().await.unwrap()
    }

    async fn inject(&self, fault: &Value) {
        let answer = reqwest::Client::new().post(self.url("faults")).json(fault).send().await.unwrap();
        assert!(answer.status().is_success(), "{}", answer.status());
    }

    /// Ends all faults.
    ///
    /// # Panics
    /// If the cloud does not respond.
    pub async fn mend(&self) {
        let answer = reqwest::Client::new().delete(self.url("faults")).send().await.unwrap();
        assert!(answer.status().is_success(), "{}", answer.status());
    }

    /// Returns the mails that SES accepted, as JSON.
    ///
    /// # Panics
    /// If the cloud does not respond.
    pub async fn mails(&self) -> Vec<Value> {
        reqwest::get(self.url("mail")).await.unwrap().json().await.unwrap()
    }

    /// Sends an event to the queue of `service`.
    ///
    /// # Panics
    /// If the service has no queue.
    pub async fn send(&self, service: &str, event: &Envelope) {
        let url = self.variable(service, "QUEUE_URL");
        self.sqs.send_message().queue_url(url).message_body(event.message()).send().await.unwrap();
    }

    /// Takes the next message from the queue of `service`, as the event that it holds; waits for up to ten seconds.
    ///
    /// # Panics
    /// If the service has no queue, none comes, or it holds no event.
    pub async fn take(&self, service: &str) -> Envelope {
        let url = self.variable(service, "QUEUE_URL");
        let request = self.sqs.receive_message().queue_url(&url).wait_time_seconds(10);
        let message = request.send().await.unwrap().messages.unwrap_or_default().pop().unwrap();
        let handle = message.receipt_handle().unwrap();
        self.sqs.delete_message().queue_url(&url).receipt_handle(handle).send().await.unwrap();
        Envelope::read(message.body().unwrap()).unwrap().envelope
    }

    /// Returns how many messages are in the queue of `service`, whether visible, delayed or in flight.
    ///
    /// # Panics
    /// If the service has no queue.
    pub async fn depth(&self, service: &str) -> u32 {
        self.count(self.variable(service, "QUEUE_URL")).await
    }

    /// Returns how many messages are in the dead-letter queue of `service`.
    ///
    /// # Panics
    /// If the service has no queue.
    pub async fn dead_letters(&self, service: &str) -> u32 {
        self.count(self.variable(service, "DEAD_LETTER_QUEUE_URL")).await
    }

    async fn count(&self, queue_url: String) -> u32 {
        let counts = vec![
            QueueAttributeName::ApproximateNumberOfMessages,
            QueueAttributeName::ApproximateNumberOfMessagesNotVisible,
            QueueAttributeName::ApproximateNumberOfMessagesDelayed,
        ];
        let request = self.sqs.get_queue_attributes().queue_url(queue_url);
        let answer = request.set_attribute_names(Some(counts)).send().await.unwrap();
        answer.attributes.unwrap().values().map(|count| count.parse::<u32>().unwrap()).sum()
    }

    /// Returns the item of a table (by its logical name) with this value of the partition key `pk`.
    ///
    /// # Panics
    /// If there is no such table.
    pub async fn item(&self, table: &str, key: impl Into<String>) -> Option<Item> {
        let get = self.dynamodb.get_item().table_name(physical(table));
        get.key("pk", AttributeValue::S(key.into())).consistent_read(true).send().await.unwrap().item
    }

    /// Returns the items of a table (by its logical name) whose partition key `pk` begins with `prefix`.
    ///
    /// # Panics
    /// If there is no such table.
    pub async fn items(&self, table: &str, prefix: &str) -> Vec<Item> {
        let scan = self.dynamodb.scan().table_name(physical(table)).consistent_read(true).send().await;
        let mut items = scan.unwrap().items.unwrap_or_default();
        items.retain(|item| {
            item.get("pk").is_some_and(|key| key.as_s().is_ok_and(|key| key.starts_with(prefix)))
        });
        items
    }

    /// Returns the items of a table (by its logical name) that announce an event, be they markers or not.
    ///
    /// # Panics
    /// If there is no such table.
    pub async fn announcements(&self, table: &str) -> Vec<Item> {
        let mut items = self.items(table, "").await;
        items.retain(|item| {
            let key = item["pk"].as_s().unwrap();
            (key.starts_with("EVENT#") || key.starts_with("OUTBOX#")) && item.contains_key("data")
        });
        items
    }

    /// Shuts the cloud down.
    pub async fn shutdown(self) {
        self.local.shutdown().await;
    }

    fn url(&self, what: &str) -> String {
        format!("{}/_local/{what}", self.local.endpoint_url())
    }
}

impl std::fmt::Debug for TestCloud {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("TestCloud").field("endpoint_url", &self.local.endpoint_url()).finish_non_exhaustive()
    }
}

fn physical(table: &str) -> String {
    format!("{APPLICATION}-{ENVIRONMENT}-{table}")
}
