use aws_sdk_dynamodb::types::{AttributeValue, Put, TransactWriteItem};
use aws_sdk_sqs::config::retry::RetryConfig;
use aws_sdk_sqs::config::timeout::TimeoutConfig;
use aws_sdk_sqs::error::{ProvideErrorMetadata as _, SdkError};
use serde_json::json;

use crate::dynamodb::table;
use crate::support::{Cloud, cloud};

fn without_retries(cloud: &Cloud) -> aws_sdk_sqs::Client {
    let config = aws_sdk_sqs::config::Builder::from(&cloud.sdk).retry_config(RetryConfig::disabled());
    aws_sdk_sqs::Client::from_conf(config.build())
}

#[tokio::test]
async fn throttles_and_failures_look_as_each_service_writes_them() {
    let cloud = cloud().await;
    let queue = cloud.queue("q").await;
    let sqs = without_retries(&cloud);
    let send = || sqs.send_message().queue_url(&queue).message_body("x").send();
    cloud.fault(json!({"service": "sqs", "operation": "SendMessage", "error": "throttle", "times": 1})).await;
    assert_eq!(send().await.unwrap_err().code(), Some("RequestThrottled"));
    send().await.unwrap();
    cloud.fault(json!({"service": "sqs", "error": "500", "after": 1, "times": 1})).await;
    send().await.unwrap();
    assert_eq!(send().await.unwrap_err().raw_response().unwrap().status().as_u16(), 500);
    send().await.unwrap();
    assert_eq!(cloud.depth(&queue).await, 3);
    cloud.local.shutdown().await;
}

#[tokio::test]
async fn an_operation_with_a_dropped_response_was_carried_out() {
    let cloud = cloud().await;
    let queue = cloud.queue("q").await;
    cloud
        .fault(json!({"service": "sqs", "operation": "SendMessage", "error": "drop-response", "times": 1}))
        .await;
    let error =
        without_retries(&cloud).send_message().queue_url(&queue).message_body("x").send().await.unwrap_err();
    assert!(matches!(error, SdkError::DispatchFailure(_)), "{error:?}");
    assert_eq!(cloud.depth(&queue).await, 1);

    // The SDK retries with the same token, and the transaction is committed once.
    table(&cloud, "items").await;
    cloud.fault(json!({"service": "dynamodb", "error": "drop-response", "times": 1})).await;
    let put = Put::builder()
        .table_name("items")
        .item("pk", AttributeValue::S("a".to_owned()))
        .condition_expression("attribute_not_exists(pk)")
        .build()
        .unwrap();
    cloud
        .dynamodb
        .transact_write_items()
        .transact_items(TransactWriteItem::builder().put(put).build())
        .send()
        .await
        .unwrap();
    cloud.local.shutdown().await;
}

#[tokio::test]
async fn a_timeout_leaves_the_client_waiting() {
    let cloud = cloud().await;
    let queue = cloud.queue("q").await;
    cloud.fault(json!({"service": "sqs", "operation": "SendMessage", "error": "timeout"})).await;
    let config =
        aws_sdk_sqs::config::Builder::from(&cloud.sdk).retry_config(RetryConfig::disabled()).timeout_config(
            TimeoutConfig::builder().operation_timeout(std::time::Duration::from_millis(200)).build(),
        );
    let sqs = aws_sdk_sqs::Client::from_conf(config.build());
    let error = sqs.send_message().queue_url(&queue).message_body("x").send().await.unwrap_err();
    assert!(matches!(error, SdkError::TimeoutError(_)), "{error:?}");
    assert_eq!(cloud.depth(&queue).await, 0);
    cloud.local.shutdown().await;
}

#[tokio::test]
async fn faults_can_be_listed_and_removed() {
    let cloud = cloud().await;
    cloud.fault(json!({"service": "sqs", "error": "500"})).await;
    let faults = cloud.url("/_local/faults");
    let listed: Vec<serde_json::Value> = cloud.http.get(&faults).send().await.unwrap().json().await.unwrap();
    assert_eq!(listed[0]["error"], "500");
    assert!(without_retries(&cloud).list_queues().send().await.is_err());
    cloud.http.delete(format!("{faults}/{}", listed[0]["id"])).send().await.unwrap();
    cloud.sqs.list_queues().send().await.unwrap();
    let refused =
        cloud.http.post(&faults).body(r#"{"service": "sqs", "error": "explode"}"#).send().await.unwrap();
    assert_eq!(refused.status(), 400);
    cloud.local.shutdown().await;
}
