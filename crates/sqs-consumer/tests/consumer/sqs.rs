//! The requests sent to SQS, and the reading of its responses.

use std::collections::HashMap;
use std::time::Duration;

use aws_sdk_sqs::config::{BehaviorVersion, Config, Credentials, Region};
use serde_json::{Value, json};
use sqs_consumer::queue::{
    AttributeValue, DeadLetter, MessageAttribute, Queue as _, Receipt, Receive, VisibilityChange,
};
use sqs_consumer::{DEAD_LETTER_ATTRIBUTE, SqsQueue};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpListener;
use tokio::task::JoinHandle;

const URL: &str = "https://sqs.eu-central-1.amazonaws.com/1/orders";

/// Starts a server that answers one request. Its task returns the operation and the request's body.
async fn answering(status: u16, answer: Value) -> (SqsQueue, JoinHandle<(String, Value)>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let server = tokio::spawn(async move {
        let (mut stream, _) = listener.accept().await.unwrap();
        let mut bytes = Vec::new();
        let (head, body) = loop {
            stream.read_buf(&mut bytes).await.unwrap();
            let text = String::from_utf8_lossy(&bytes).into_owned();
            let Some((head, body)) = text.split_once("\r\n\r\n") else { continue };
            let header = |name: &str| {
                head.lines()
                    .find_map(|line| line.split_once(": ").filter(|(key, _)| key.eq_ignore_ascii_case(name)))
                    .map(|(_, value)| value.to_owned())
            };
            if body.len() >= header("content-length").unwrap().parse::<usize>().unwrap() {
                break (header("x-amz-target").unwrap(), body.to_owned());
            }
        };
        let answer = answer.to_string();
        let response = format!(
            "HTTP/1.1 {status} X\r\ncontent-type: application/x-amz-json-1.0\r\nx-amzn-requestid: request-1\r\n\
             content-length: {}\r\nconnection: close\r\n\r\n{answer}",
            answer.len()
        );
        stream.write_all(response.as_bytes()).await.unwrap();
        (head.trim_start_matches("AmazonSQS.").to_owned(), serde_json::from_str(&body).unwrap())
    });
    let config = Config::builder()
        .behavior_version(BehaviorVersion::latest())
        .region(Region::new("eu-central-1"))
        .credentials_provider(Credentials::new("local", "local", None, None, "test"))
        .endpoint_url(format!("http://{address}"))
        .http_client(aws_smithy_http_client::Builder::new().build_http())
        .build();
    let client = aws_sdk_sqs::Client::from_conf(config);
    (SqsQueue::new(client, URL, format!("{URL}-dead-letter")), server)
}

#[tokio::test]
async fn a_receive_requests_every_attribute() {
    let message = json!({"MessageId": "m", "ReceiptHandle": "h", "Body": "{}",
        "Attributes": {"AWSTraceHeader": "Root=1", "ApproximateReceiveCount": "2"}});
    let (queue, server) = answering(200, json!({"Messages": [message]})).await;
    let request = Receive { max: 7, wait: Duration::from_secs(20), visibility: Duration::from_secs(30) };
    let messages = queue.receive(request).await.unwrap();
    let (operation, body) = server.await.unwrap();
    assert_eq!(operation, "ReceiveMessage");
    assert_eq!(
        body,
        json!({"QueueUrl": URL, "MaxNumberOfMessages": 7, "WaitTimeSeconds": 20, "VisibilityTimeout": 30,
            "MessageSystemAttributeNames": ["All"], "MessageAttributeNames": ["All"]})
    );
    assert_eq!(messages[0].trace_header.as_deref(), Some("Root=1"));
    assert_eq!(messages[0].receive_count, 2);
    assert_eq!((queue.name(), queue.dead_letter_name()), ("orders", "orders-dead-letter"));
    assert_eq!(queue.region(), Some("eu-central-1"));
}

#[tokio::test]
async fn deletes_return_the_entries_that_were_refused() {
    let failed = json!([{"Id": "1", "Code": "InternalError", "SenderFault": false}]);
    let (queue, server) = answering(200, json!({"Successful": [{"Id": "0"}], "Failed": failed})).await;
    let rejected = queue.delete(&[Receipt::new("a", "h0"), Receipt::new("b", "h1")]).await.unwrap();
    let (operation, body) = server.await.unwrap();
    assert_eq!(operation, "DeleteMessageBatch");
    assert_eq!(
        body["Entries"],
        json!([{"Id": "0", "ReceiptHandle": "h0"}, {"Id": "1", "ReceiptHandle": "h1"}])
    );
    assert_eq!((rejected.len(), rejected[0].index, &*rejected[0].code), (1, 1, "InternalError"));
    assert!(!rejected[0].sender_fault);
}

#[tokio::test]
async fn visibility_changes_are_sent_in_one_call() {
    let (queue, server) = answering(200, json!({"Successful": [{"Id": "0"}], "Failed": []})).await;
    let change = VisibilityChange { receipt: Receipt::new("a", "h0"), timeout: Duration::from_secs(9) };
    assert!(queue.change_visibility(&[change]).await.unwrap().is_empty());
    let (operation, body) = server.await.unwrap();
    assert_eq!(operation, "ChangeMessageVisibilityBatch");
    assert_eq!(body["Entries"], json!([{"Id": "0", "ReceiptHandle": "h0", "VisibilityTimeout": 9}]));
}

#[tokio::test]
async fn an_empty_list_makes_no_call() {
    let (queue, server) = answering(200, json!({})).await;
    assert!(queue.delete(&[]).await.unwrap().is_empty());
    assert!(queue.change_visibility(&[]).await.unwrap().is_empty());
    assert!(!server.is_finished());
    server.abort();
}

#[tokio::test]
async fn a_dead_letter_carries_header_attributes_and_reason() {
    let (queue, server) = answering(200, json!({"MessageId": "letter", "MD5OfMessageBody": "x"})).await;
    let attribute = |value: &str| MessageAttribute {
        data_type: "String".into(),
        value: AttributeValue::Text(value.into()),
    };
    let letter = DeadLetter {
        body: "rubbish".into(),
        trace_header: Some("Root=1-5759e988-bd862e3fe1be46a994272793".into()),
        attributes: HashMap::from([("channel".to_owned(), attribute("email"))]),
        description: "{\"reason\":\"bad\"}".into(),
    };
    let sent = queue.send_dead_letter(letter).await.unwrap();
    assert_eq!(sent.message_id.as_deref(), Some("letter"));
    assert_eq!(sent.request_id.as_deref(), Some("request-1"));
    let (operation, body) = server.await.unwrap();
    assert_eq!(operation, "SendMessage");
    let text = |value: &str| json!({"DataType": "String", "StringValue": value});
    assert_eq!(
        body,
        json!({"QueueUrl": format!("{URL}-dead-letter"), "MessageBody": "rubbish",
            "MessageAttributes": {"channel": text("email"), DEAD_LETTER_ATTRIBUTE: text("{\"reason\":\"bad\"}")},
            "MessageSystemAttributes": {"AWSTraceHeader": text("Root=1-5759e988-bd862e3fe1be46a994272793")}})
    );
}

#[tokio::test]
async fn errors_keep_the_names_aws_gives_them_and_are_not_retried() {
    let answer = json!({"__type": "com.amazonaws.sqs#RequestThrottled", "message": "slow down"});
    let (queue, server) = answering(400, answer).await;
    let error = queue.delete(&[Receipt::new("a", "h0")]).await.unwrap_err();
    server.await.unwrap();
    assert_eq!(error.to_string(), "DeleteMessageBatch failed: RequestThrottled");
    // The server accepted one connection and has ended.
    let error = queue.delete(&[Receipt::new("a", "h0")]).await.unwrap_err();
    assert_eq!(error.code, "connection");
}
