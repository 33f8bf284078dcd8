//! The code that calls AWS: each operation through the crate that calls it in a service.

use std::time::Duration;

use aws_clients::AwsError;
use aws_sdk_dynamodb::types::AttributeValue;
use envelope::{Envelope, Event, Metadata};
use idempotency::{Claim, Claims, Commit, Retry, Transaction};
use jiff::Timestamp;
use opentelemetry::metrics::MeterProvider as _;
use opentelemetry::metrics::noop::NoopMeterProvider;
use outcome::Failure;
use publisher::{EventPublisher, PublisherSettings, TopicPublisher};
use serde::{Deserialize, Serialize};
use sqs_consumer::SqsQueue;
use sqs_consumer::queue::{DeadLetter, Queue as _, QueueError, Receipt, Receive, VisibilityChange};
use uuid::Uuid;

use crate::aws::refusing;

/// An operation that the services call.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Operation {
    pub(crate) service: &'static str,
    pub(crate) name: &'static str,
    /// The SDK's package.
    pub(crate) sdk: &'static str,
    /// The operation's module in that package.
    pub(crate) module: &'static str,
}

const fn dynamodb(name: &'static str, module: &'static str) -> Operation {
    Operation { service: "DynamoDB", name, sdk: "aws-sdk-dynamodb", module }
}

const fn sqs(name: &'static str, module: &'static str) -> Operation {
    Operation { service: "SQS", name, sdk: "aws-sdk-sqs", module }
}

const fn s3(name: &'static str, module: &'static str) -> Operation {
    Operation { service: "S3", name, sdk: "aws-sdk-s3", module }
}

const fn kms(name: &'static str, module: &'static str) -> Operation {
    Operation { service: "KMS", name, sdk: "aws-sdk-kms", module }
}

pub(crate) const OPERATIONS: &[Operation] = &[
    Operation { service: "SNS", name: "PublishBatch", sdk: "aws-sdk-sns", module: "publish_batch" },
    Operation { service: "EventBridge", name: "PutEvents", sdk: "aws-sdk-eventbridge", module: "put_events" },
    dynamodb("GetItem", "get_item"),
    dynamodb("PutItem", "put_item"),
    dynamodb("UpdateItem", "update_item"),
    dynamodb("DeleteItem", "delete_item"),
    dynamodb("TransactWriteItems", "transact_write_items"),
    Operation { service: "SES", name: "SendEmail", sdk: "aws-sdk-sesv2", module: "send_email" },
    s3("PutObject", "put_object"),
    s3("GetObject", "get_object"),
    kms("GenerateDataKey", "generate_data_key"),
    kms("Decrypt", "decrypt"),
    sqs("ReceiveMessage", "receive_message"),
    sqs("DeleteMessageBatch", "delete_message_batch"),
    sqs("ChangeMessageVisibilityBatch", "change_message_visibility_batch"),
    sqs("SendMessage", "send_message"),
];

#[derive(Serialize, Deserialize)]
struct Moved {
    customer_number: String,
}

impl Event for Moved {
    const TYPE: &'static str = "Moved";
    const SOURCE: &'static str = "crm";

    fn customer_number(&self) -> &str {
        &self.customer_number
    }
}

fn event() -> Envelope {
    let now = Timestamp::now();
    let event = Moved { customer_number: "123456789012".to_owned() };
    Envelope::new(Metadata::first(Uuid::from_u128(7), now, now), &event).unwrap()
}

/// Fails the operation with `code`, and returns how the calling code classifies the error.
pub(crate) async fn call(operation: &Operation, code: &str) -> String {
    match operation.service {
        "SNS" | "EventBridge" => publish(operation, code).await,
        "DynamoDB" => write(operation, code).await,
        "SQS" => settle(operation, code).await,
        "S3" => store(operation, code).await,
        "KMS" => encrypt(operation, code).await,
        _ => send(operation, code).await,
    }
}

fn word(failure: impl Into<Failure>) -> String {
    failure.into().reason().to_owned()
}

async fn publish(operation: &Operation, code: &str) -> String {
    let config = refusing(operation, code);
    let meter = NoopMeterProvider::new().meter("test");
    let settings = PublisherSettings::default();
    let published = if operation.service == "SNS" {
        let client = aws_sdk_sns::Client::new(&config);
        TopicPublisher::new(client, "arn:aws:sns:eu-central-1:1:t".to_owned(), settings, &meter)
            .publish(event(), &[])
            .await
    } else {
        let client = aws_sdk_eventbridge::Client::new(&config);
        EventPublisher::new(client, "bus".to_owned(), settings, &meter).publish(event()).await
    };
    word(published.unwrap_err())
}

async fn write(operation: &Operation, code: &str) -> String {
    let client = aws_clients::untraced_dynamodb(&refusing(operation, code));
    let claims = Claims::new("claims");
    let claimed = claims.claim(&client, "CLAIM#7", Duration::from_secs(20), Timestamp::now(), None).await;
    let result = match (operation.name, claimed) {
        ("GetItem", _) => {
            let read =
                client.get_item().table_name("t").key("pk", AttributeValue::S("k".into())).send().await;
            Err(AwsError::of("DynamoDB", "GetItem", read.unwrap_err()).into())
        }
        ("TransactWriteItems", _) => {
            let retry = Retry { attempts: 2, ..Retry::default() };
            let commit = Transaction::new("t", &event(), "test").retry(retry).commit(&client).await;
            commit.map(|commit| assert_eq!(commit, Commit::Applied)).map_err(Failure::from)
        }
        ("UpdateItem", Ok(Claim::Claimed(token))) => {
            claims.complete(&client, &token, Timestamp::now()).await.map_err(Failure::from)
        }
        ("DeleteItem", Ok(Claim::Claimed(token))) => {
            claims.release(&client, &token).await.map_err(Failure::from)
        }
        (_, claimed) => claimed.map(drop).map_err(Failure::from),
    };
    match code {
        "ConditionalCheckFailedException" => "a regular outcome: another worker owns the claim".to_owned(),
        "TransactionCanceledException" => "classified by the reasons of its items, else contended".to_owned(),
        _ => word(result.unwrap_err()),
    }
}

async fn send(operation: &Operation, code: &str) -> String {
    let client = aws_sdk_sesv2::Client::new(&refusing(operation, code));
    let sent = client.send_email().from_email_address("loyalty@foostore.example").send().await;
    word(AwsError::of("SES", "SendEmail", sent.unwrap_err()))
}

async fn store(operation: &Operation, code: &str) -> String {
    let client = aws_sdk_s3::Client::new(&refusing(operation, code));
    word(if operation.name == "GetObject" {
        let read = client.get_object().bucket("b").key("k").send().await;
        AwsError::of("S3", "GetObject", read.unwrap_err())
    } else {
        let written = client.put_object().bucket("b").key("k").send().await;
        AwsError::of("S3", "PutObject", written.unwrap_err())
    })
}

async fn encrypt(operation: &Operation, code: &str) -> String {
    let client = aws_sdk_kms::Client::new(&refusing(operation, code));
    word(if operation.name == "Decrypt" {
        let opened = client.decrypt().key_id("alias/k").send().await;
        AwsError::of("KMS", "Decrypt", opened.unwrap_err())
    } else {
        let made = client.generate_data_key().key_id("alias/k").number_of_bytes(32).send().await;
        AwsError::of("KMS", "GenerateDataKey", made.unwrap_err())
    })
}

async fn settle(operation: &Operation, code: &str) -> String {
    let client = aws_sdk_sqs::Client::new(&refusing(operation, code));
    let queue = SqsQueue::new(client, "https://sqs.test/1/q", "https://sqs.test/1/q-dead-letter");
    let receipt = Receipt::new("id", "handle");
    let second = Duration::from_secs(1);
    let result = match operation.name {
        "ReceiveMessage" => {
            let receive = Receive { max: 1, wait: Duration::ZERO, visibility: second };
            queue.receive(receive).await.map(drop)
        }
        "DeleteMessageBatch" => queue.delete(&[receipt]).await.map(drop),
        "ChangeMessageVisibilityBatch" => {
            queue.change_visibility(&[VisibilityChange { receipt, timeout: second }]).await.map(drop)
        }
        _ => {
            let letter = DeadLetter {
                body: "{}".to_owned(),
                trace_header: None,
                attributes: std::collections::HashMap::new(),
                description: "{}".to_owned(),
            };
            queue.send_dead_letter(letter).await.map(drop)
        }
    };
    let QueueError { source, .. } = result.unwrap_err();
    let error = source.unwrap().downcast::<AwsError>().unwrap();
    error.class().to_string()
}
