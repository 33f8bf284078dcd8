//! A DynamoDB with one table, and faults on demand.

use std::collections::HashMap;

use aws_clients::DynamoDb;
use aws_sdk_dynamodb::Config;
use aws_sdk_dynamodb::config::retry::RetryConfig;
use aws_sdk_dynamodb::config::{BehaviorVersion, Credentials, Region};
use aws_sdk_dynamodb::types::{
    AttributeDefinition, AttributeValue, BillingMode, KeySchemaElement, KeyType, ScalarAttributeType,
};
use local_cloud::{LocalCloud, Settings};
use serde_json::{Value, json};

pub(crate) const TABLE: &str = "things";

pub(crate) type Item = HashMap<String, AttributeValue>;

pub(crate) struct Cloud {
    local: LocalCloud,
    pub(crate) client: DynamoDb,
    /// A client with the SDK's own retries disabled.
    pub(crate) impatient: DynamoDb,
}

impl Cloud {
    pub(crate) async fn start() -> Self {
        let free = "127.0.0.1:0".parse().unwrap();
        let settings = Settings { address: free, otlp_address: free, ..Settings::default() };
        let cloud = local_cloud::start(settings).await.unwrap();
        let config = Config::builder()
            .behavior_version(BehaviorVersion::latest())
            .region(Region::new("eu-central-1"))
            .credentials_provider(Credentials::new("local", "local", None, None, "test"))
            .endpoint_url(cloud.endpoint_url())
            .http_client(aws_smithy_http_client::Builder::new().build_http());
        let client = DynamoDb::untraced(config.clone());
        let impatient = DynamoDb::untraced(config.retry_config(RetryConfig::disabled()));
        let key = KeySchemaElement::builder().attribute_name("pk").key_type(KeyType::Hash).build().unwrap();
        let attribute = AttributeDefinition::builder()
            .attribute_name("pk")
            .attribute_type(ScalarAttributeType::S)
            .build()
            .unwrap();
        client
            .create_table()
            .table_name(TABLE)
            .key_schema(key)
            .attribute_definitions(attribute)
            .billing_mode(BillingMode::PayPerRequest)
            .send()
            .await
            .unwrap();
        Self { local: cloud, client, impatient }
    }

    /// Makes the next `times` calls of `operation` fail.
    pub(crate) async fn fail(&self, operation: &str, error: &str, times: u32) {
        let fault = json!({"service": "dynamodb", "operation": operation, "error": error, "times": times});
        let url = format!("{}/_local/faults", self.local.endpoint_url());
        let answer = reqwest::Client::new().post(url).json::<Value>(&fault).send().await.unwrap();
        assert!(answer.status().is_success(), "{}", answer.status());
    }

    pub(crate) async fn item(&self, key: &str) -> Option<Item> {
        let key = AttributeValue::S(key.to_owned());
        self.client.get_item().table_name(TABLE).key("pk", key).send().await.unwrap().item
    }

    pub(crate) async fn items(&self) -> Vec<Item> {
        self.client.scan().table_name(TABLE).send().await.unwrap().items.unwrap_or_default()
    }

    pub(crate) async fn shutdown(self) {
        self.local.shutdown().await;
    }
}
