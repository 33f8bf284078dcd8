use std::time::{Duration, Instant};

use aws_sdk_dynamodb::types::{AttributeValue, Put, TransactWriteItem};
use aws_sdk_eventbridge::types::PutEventsRequestEntry;
use aws_sdk_sns::types::PublishBatchRequestEntry;
use aws_sdk_sqs::config::retry::RetryConfig;
use aws_sdk_sqs::config::timeout::TimeoutConfig;
use aws_sdk_sqs::error::{ProvideErrorMetadata as _, SdkError};
use aws_sdk_sqs::types::{MessageSystemAttributeName, SendMessageBatchRequestEntry};
use serde_json::json;

use crate::dynamodb::table;
use crate::support::{ACCOUNT, Cloud, cloud};

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
    let config = aws_sdk_sqs::config::Builder::from(&cloud.sdk)
        .retry_config(RetryConfig::disabled())
        .timeout_config(TimeoutConfig::builder().operation_timeout(Duration::from_millis(200)).build());
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
        cloud.http.post(&faults).json(&json!({"service": "sqs", "error": "explode"})).send().await.unwrap();
    assert_eq!(refused.status(), 400);
    cloud.local.shutdown().await;
}

fn faults_url(cloud: &Cloud) -> String {
    cloud.url("/_local/faults")
}

#[tokio::test]
async fn a_fault_for_one_queue_or_table_spares_the_others() {
    let cloud = cloud().await;
    let (broken, sound) = (cloud.queue("broken").await, cloud.queue("sound").await);
    cloud.fault(json!({"service": "sqs", "resource": "broken", "error": "500"})).await;
    let sqs = without_retries(&cloud);
    let send = |queue: &str| sqs.send_message().queue_url(queue).message_body("x").send();
    assert!(send(&broken).await.is_err());
    send(&sound).await.unwrap();

    table(&cloud, "items").await;
    table(&cloud, "others").await;
    let arn = format!("arn:aws:dynamodb:eu-central-1:{ACCOUNT}:table/others");
    let code = json!({"answer": {"code": "ResourceNotFoundException", "status": 400, "message": "gone"}});
    cloud.fault(json!({"service": "dynamodb", "resource": arn, "error": code})).await;
    cloud.dynamodb.scan().table_name("items").send().await.unwrap();
    let error = cloud.dynamodb.scan().table_name("others").send().await.unwrap_err();
    assert_eq!((error.code(), error.message()), (Some("ResourceNotFoundException"), Some("gone")));
    cloud.local.shutdown().await;
}

#[tokio::test]
async fn a_delayed_call_is_carried_out() {
    let cloud = cloud().await;
    let queue = cloud.queue("q").await;
    cloud.fault(json!({"service": "sqs", "operation": "SendMessage", "error": {"delay_ms": 150}})).await;
    let began = Instant::now();
    without_retries(&cloud).send_message().queue_url(&queue).message_body("x").send().await.unwrap();
    assert!(began.elapsed() >= Duration::from_millis(150));
    assert_eq!(cloud.depth(&queue).await, 1);
    cloud.local.shutdown().await;
}

#[tokio::test]
async fn a_fault_that_could_never_affect_a_call_is_refused_with_what_is_wrong() {
    let cloud = cloud().await;
    for (fault, part) in [
        (json!({"service": "s4", "error": "500"}), "no service \"s4\""),
        (
            json!({"service": "sqs", "operation": "SendMesage", "error": "500"}),
            "sqs has no operation SendMesage",
        ),
        (json!({"service": "sqs", "error": "sometimes"}), "unknown variant `sometimes`"),
        (json!({"service": "sns", "error": "reorder"}), "ReceiveMessage of sqs"),
    ] {
        let refused = cloud.http.post(faults_url(&cloud)).json(&fault).send().await.unwrap();
        assert_eq!(refused.status(), 400);
        let answer: serde_json::Value = refused.json().await.unwrap();
        assert!(answer["error"].as_str().unwrap().contains(part), "{answer}");
    }
    let gone = cloud.http.delete(format!("{}/7", faults_url(&cloud))).send().await.unwrap();
    assert_eq!(gone.status(), 404);
    cloud.local.shutdown().await;
}

#[tokio::test]
async fn a_web_page_can_neither_arm_a_fault_nor_read_mail() {
    let cloud = cloud().await;
    let fault = r#"{"service": "sqs", "error": "500"}"#;
    let post = || cloud.http.post(faults_url(&cloud)).body(fault);
    let json = ("content-type", "application/json");
    let status = async |request: reqwest::RequestBuilder| request.send().await.unwrap().status().as_u16();
    assert_eq!(status(post()).await, 415);
    assert_eq!(status(post().header("content-type", "text/plain")).await, 415);
    assert_eq!(status(post().header(json.0, json.1).header("origin", "http://evil.example")).await, 403);
    assert_eq!(status(post().header(json.0, json.1).header("sec-fetch-site", "cross-site")).await, 403);
    assert_eq!(status(post().header(json.0, json.1).header("host", "evil.example:4566")).await, 403);
    let rebound = cloud.http.get(cloud.url("/_local/mail")).header("host", "evil.example");
    assert_eq!(status(rebound).await, 403);
    let clear = cloud.http.delete(faults_url(&cloud)).header("origin", "http://evil.example");
    assert_eq!(status(clear).await, 403);
    assert_eq!(status(post().header(json.0, json.1).header("host", "cloud:4566")).await, 201);
    cloud.local.shutdown().await;
}

#[tokio::test]
async fn entries_of_a_batch_fail_and_the_others_are_carried_out() {
    let cloud = cloud().await;
    let queue = cloud.queue("q").await;
    let entries = json!({"entries": {"code": "InternalError", "message": "m", "at": [1]}});
    cloud
        .fault(json!({"service": "sqs", "operation": "SendMessageBatch", "error": entries, "times": 1}))
        .await;
    let entry = |id: &str| SendMessageBatchRequestEntry::builder().id(id).message_body(id).build().unwrap();
    let batch = || {
        let entries = Some(vec![entry("a"), entry("b"), entry("c")]);
        cloud.sqs.send_message_batch().queue_url(&queue).set_entries(entries).send()
    };
    let sent = batch().await.unwrap();
    assert_eq!(sent.successful().len(), 2);
    let failed = &sent.failed()[0];
    assert_eq!((failed.id(), failed.code(), failed.sender_fault()), ("b", "InternalError", false));
    assert_eq!(cloud.depth(&queue).await, 2);
    assert!(batch().await.unwrap().failed().is_empty());

    let topic = cloud.sns.create_topic().name("t").send().await.unwrap().topic_arn.unwrap();
    let entries = json!({"entries": {"code": "InternalError", "sender_fault": true, "at": [0]}});
    cloud.fault(json!({"service": "sns", "operation": "PublishBatch", "error": entries})).await;
    let entry = |id: &str| PublishBatchRequestEntry::builder().id(id).message("m").build().unwrap();
    let entries = Some(vec![entry("x"), entry("y")]);
    let published =
        cloud.sns.publish_batch().topic_arn(topic).set_publish_batch_request_entries(entries).send().await;
    let published = published.unwrap();
    assert_eq!(published.successful()[0].message_id().map(str::len), Some(36));
    assert_eq!(published.successful()[0].id(), Some("y"));
    assert_eq!((published.failed()[0].id(), published.failed()[0].sender_fault()), ("x", true));

    let entries = json!({"entries": {"code": "ThrottlingException"}});
    cloud.fault(json!({"service": "events", "operation": "PutEvents", "error": entries})).await;
    let event = PutEventsRequestEntry::builder().source("s").detail_type("t").detail("{}").build();
    let put = cloud.events.put_events().entries(event.clone()).entries(event).send().await.unwrap();
    assert_eq!(put.failed_entry_count(), 2);
    assert_eq!(put.entries()[1].error_code(), Some("ThrottlingException"));
    cloud.local.shutdown().await;
}

#[tokio::test]
async fn a_message_is_delivered_again_although_it_was_deleted() {
    let cloud = cloud().await;
    let queue = cloud.queue("q").await;
    cloud.fault(json!({"service": "sqs", "resource": "q", "error": "duplicate", "times": 1})).await;
    cloud.sqs.send_message().queue_url(&queue).message_body("x").send().await.unwrap();
    let first = cloud.receive(&queue).await;
    let handle = first.receipt_handle().unwrap();
    cloud.sqs.delete_message().queue_url(&queue).receipt_handle(handle).send().await.unwrap();
    let again = cloud.receive(&queue).await;
    assert_eq!(again.message_id(), first.message_id());
    let count = &again.attributes().unwrap()[&MessageSystemAttributeName::ApproximateReceiveCount];
    assert_eq!(count, "2");
    let handle = again.receipt_handle().unwrap();
    cloud.sqs.delete_message().queue_url(&queue).receipt_handle(handle).send().await.unwrap();
    assert!(cloud.receive_within(&queue, 0).await.is_none());
    cloud.local.shutdown().await;
}

#[tokio::test]
async fn a_younger_message_overtakes_an_older_one() {
    let cloud = cloud().await;
    let queue = cloud.queue("q").await;
    cloud.fault(json!({"service": "sqs", "error": "reorder"})).await;
    let send = |body: &str| cloud.sqs.send_message().queue_url(&queue).message_body(body).send();
    send("old").await.unwrap();
    assert!(cloud.receive_within(&queue, 0).await.is_none(), "held back");
    send("young").await.unwrap();
    let received = cloud.sqs.receive_message().queue_url(&queue).max_number_of_messages(10).send().await;
    let messages = received.unwrap().messages.unwrap_or_default();
    let bodies: Vec<_> = messages.iter().map(|message| message.body().unwrap()).collect();
    assert_eq!(bodies, ["young", "old"]);
    cloud.local.shutdown().await;
}
