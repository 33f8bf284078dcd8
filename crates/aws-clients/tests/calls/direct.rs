//! Calls that pass the SDK's machinery by: their requests, and what happens when they fail.

use std::time::Duration;

use aws_clients::{DirectClient, DynamoDb, Operation};
use aws_config::retry::RetryConfig;
use aws_config::timeout::TimeoutConfig;
use aws_sdk_dynamodb::config::Builder;
use aws_sdk_dynamodb::operation::get_item::builders::GetItemFluentBuilder;
use aws_sdk_dynamodb::operation::put_item::PutItemError;
use aws_sdk_dynamodb::types::{AttributeValue, Put, TransactWriteItem};
use aws_sdk_eventbridge::types::PutEventsRequestEntry;
use aws_sdk_sesv2::types::{Body, Content, Destination, EmailContent, Message};
use aws_sdk_sns::types::PublishBatchRequestEntry;
use direct_requests::FAILURES;
use opentelemetry::trace::Status;
use serde_json::Value;
use telemetry::testing::{Recorder, attribute};

use crate::aws::{Aws, Request, in_process_span, text};

type Answer = Option<(u16, &'static str)>;

const OK: Answer = Some((200, "{}"));
const UNAVAILABLE: Answer = Some((503, "{}"));
const THROTTLED: Answer = Some((400, r#"{"__type":"x#ThrottlingException"}"#));
const CONDITION: Answer =
    Some((400, r#"{"__type":"x#ConditionalCheckFailedException","Item":{"pk":{"S":"found"}}}"#));

/// Headers that differ from request to request, and those by which the SDK numbers its calls and attempts.
const OWN: [&str; 4] = ["authorization", "x-amz-date", "amz-sdk-invocation-id", "amz-sdk-request"];

/// Creates a client whose attempts end soon, and of which a call makes two.
async fn dynamodb(aws: &Aws) -> DynamoDb {
    let limits = TimeoutConfig::builder().operation_attempt_timeout(Duration::from_millis(200));
    let retries = RetryConfig::standard().with_max_attempts(2).with_initial_backoff(Duration::from_millis(1));
    let builder = Builder::from(&aws.config().await);
    DirectClient::traced(builder.timeout_config(limits.build()).retry_config(retries))
}

fn get(client: &DynamoDb) -> GetItemFluentBuilder {
    client.get_item().table_name("members").key("pk", AttributeValue::S("1".into()))
}

fn is_of_the_sdk(request: &Request) -> bool {
    request.headers.contains_key("amz-sdk-invocation-id")
}

impl Aws {
    /// Returns which of the requests the SDK has made.
    fn of_the_sdk(&self) -> Vec<bool> {
        self.requests.lock().unwrap().iter().map(is_of_the_sdk).collect()
    }
}

/// Makes a call twice, and checks that the second request is the first but for the SDK's machinery.
async fn same_without_the_sdk<C, O: Operation>(
    answer: &'static str,
    client: impl AsyncFnOnce(&Aws) -> DirectClient<C>,
    operation: impl Fn(&C) -> O,
) {
    let aws = Aws::answering([Some((200, answer)); 2]).await;
    let client = client(&aws).await;
    for _ in 0..2 {
        client.call(operation(&client)).await.unwrap();
    }
    let requests = aws.requests.lock().unwrap();
    let [first, second] = requests.as_slice() else { panic!("{requests:?}") };
    assert!(is_of_the_sdk(first) && !is_of_the_sdk(second), "{second:?}");
    assert_eq!((&second.path, &second.body), (&first.path, &first.body));
    for (name, value) in &first.headers {
        assert!(OWN.contains(&name.as_str()) || second.headers.get(name) == Some(value), "{name}");
    }
    // All headers of AWS's own have to be signed.
    let signed = second.headers["authorization"].to_str().unwrap();
    let names = signed.split_once("SignedHeaders=").unwrap().1.split_once(',').unwrap().0;
    for name in second.headers.keys().map(|name| name.as_str()).filter(|name| name.starts_with("x-amz-")) {
        assert!(names.split(';').any(|signed| signed == name), "{name} is not in {names}");
    }
}

#[tokio::test]
async fn every_operation_of_dynamodb_is_the_same_without_the_sdk() {
    let key = || AttributeValue::S("1".into());
    same_without_the_sdk("{}", dynamodb, |client| client.get_item().table_name("t").key("pk", key())).await;
    same_without_the_sdk("{}", dynamodb, |client| client.put_item().table_name("t").item("pk", key())).await;
    same_without_the_sdk("{}", dynamodb, |client| client.delete_item().table_name("t").key("pk", key()))
        .await;
    same_without_the_sdk("{}", dynamodb, |client| {
        client.update_item().table_name("t").key("pk", key()).update_expression("REMOVE a")
    })
    .await;
    same_without_the_sdk("{}", dynamodb, |client| {
        client.query().table_name("t").key_condition_expression("pk = :pk")
    })
    .await;
    same_without_the_sdk("{}", dynamodb, |client| {
        let put = Put::builder().table_name("t").item("pk", key()).build().unwrap();
        client
            .transact_write_items()
            .client_request_token("token")
            .transact_items(TransactWriteItem::builder().put(put).build())
    })
    .await;
}

#[tokio::test]
async fn events_messages_and_mails_are_the_same_without_the_sdk() {
    let events =
        async |aws: &Aws| DirectClient::<aws_sdk_eventbridge::Client>::untraced((&aws.config().await).into());
    same_without_the_sdk("{}", events, |client| {
        client.put_events().entries(PutEventsRequestEntry::builder().detail("{}").build())
    })
    .await;
    let topics =
        async |aws: &Aws| DirectClient::<aws_sdk_sns::Client>::untraced((&aws.config().await).into());
    let published = "<PublishBatchResponse><PublishBatchResult/></PublishBatchResponse>";
    same_without_the_sdk(published, topics, |client| {
        let entry = PublishBatchRequestEntry::builder().id("0").message("ü & more").build().unwrap();
        client.publish_batch().topic_arn("arn").publish_batch_request_entries(entry)
    })
    .await;
    let mails =
        async |aws: &Aws| DirectClient::<aws_sdk_sesv2::Client>::untraced((&aws.config().await).into());
    same_without_the_sdk(r#"{"MessageId":"1"}"#, mails, |client| {
        let text = Content::builder().data("ü").build().unwrap();
        let body = Body::builder().text(text.clone()).build();
        let message = Message::builder().subject(text).body(body).build();
        let to = Destination::builder().to_addresses("ada@foostore.example").build();
        client.send_email().destination(to).content(EmailContent::builder().simple(message).build())
    })
    .await;
}

#[tokio::test]
async fn a_direct_call_has_the_span_and_the_header_of_one_of_the_sdk() {
    let aws = Aws::answering([OK; 2]).await;
    let client = dynamodb(&aws).await;
    let mut spans = Vec::new();
    for _ in 0..2 {
        let recorder = Recorder::new();
        in_process_span(&recorder, client.call(get(&client))).await.unwrap();
        spans.push((recorder.span("DynamoDB.GetItem"), recorder.span("process")));
    }
    let [(by_sdk, _), (direct, process)] = spans.as_slice() else { panic!("two spans") };
    let sorted = |span: &opentelemetry_sdk::trace::SpanData| {
        let pairs = span.attributes.iter().map(|pair| (pair.key.to_string(), pair.value.to_string()));
        let mut pairs: Vec<_> = pairs.filter(|(key, _)| !key.starts_with("thread.")).collect();
        pairs.sort();
        pairs
    };
    assert_eq!(sorted(direct), sorted(by_sdk));
    assert_eq!(direct.parent_span_id, process.span_context.span_id());
    assert_eq!((&direct.span_kind, &direct.status), (&by_sdk.span_kind, &by_sdk.status));
    let headers = aws.headers("x-amzn-trace-id");
    assert!(headers[1].contains(&format!("Parent={};", direct.span_context.span_id())), "{headers:?}");
    assert_eq!(aws.of_the_sdk(), [true, false]);
}

#[tokio::test]
async fn the_sdk_takes_over_what_failed_in_the_same_span() {
    let aws = Aws::answering([OK, UNAVAILABLE, OK, OK]).await;
    let client = dynamodb(&aws).await;
    client.call(get(&client)).await.unwrap();
    let recorder = Recorder::new();
    in_process_span(&recorder, client.call(get(&client))).await.unwrap();
    let call = recorder.span("DynamoDB.GetItem");
    assert_eq!(recorder.spans().len(), 2, "one call in one process");
    assert_eq!(attribute(&call, "http.request.resend_count"), Some(&1_i64.into()));
    assert_eq!(attribute(&call, "http.response.status_code"), Some(&200_i64.into()));
    assert_eq!(call.status, Status::Unset);
    assert!(client.is_direct(), "that the service is busy says nothing about the request");
    client.call(get(&client)).await.unwrap();
    assert_eq!(aws.of_the_sdk(), [true, false, true, false]);
}

#[tokio::test]
async fn no_call_makes_more_attempts_than_the_sdk_would() {
    for (answer, code) in [(THROTTLED, "ThrottlingException"), (UNAVAILABLE, "503"), (None, "timeout")] {
        let aws = Aws::answering([OK, answer, answer]).await;
        let client = dynamodb(&aws).await;
        client.call(get(&client)).await.unwrap();
        let recorder = Recorder::new();
        in_process_span(&recorder, client.call(get(&client))).await.unwrap_err();
        let call = recorder.span("DynamoDB.GetItem");
        assert_eq!(text(&call, "error.type").as_deref(), Some(code));
        assert_eq!(attribute(&call, "http.request.resend_count"), Some(&1_i64.into()));
        assert_eq!(aws.of_the_sdk(), [true, false, true], "{code}");
    }
}

#[tokio::test]
async fn the_sdk_makes_all_calls_if_only_its_own_requests_are_taken() {
    const UNSIGNED: Answer = Some((403, r#"{"__type":"x#InvalidSignatureException"}"#));
    // Each call is refused directly, taken over by the SDK, and shows the way to the next.
    let refused = (0..FAILURES).flat_map(|_| [UNSIGNED, OK]);
    let aws = Aws::answering([OK].into_iter().chain(refused).chain([OK, OK])).await;
    let client = dynamodb(&aws).await;
    for _ in 0..FAILURES + 3 {
        client.call(get(&client)).await.unwrap();
    }
    let taken_over = (0..FAILURES).flat_map(|_| [false, true]);
    let expected: Vec<_> = [true].into_iter().chain(taken_over).chain([true, true]).collect();
    assert_eq!(aws.of_the_sdk(), expected);
    assert!(!client.is_direct());
}

#[tokio::test]
async fn what_the_service_refuses_is_not_sent_again() {
    let aws = Aws::answering([OK, CONDITION, OK]).await;
    let client = dynamodb(&aws).await;
    let put = || client.put_item().table_name("members").item("pk", AttributeValue::S("1".into()));
    client.call(put()).await.unwrap();
    let recorder = Recorder::new();
    let error = in_process_span(&recorder, client.call(put())).await.unwrap_err();
    let PutItemError::ConditionalCheckFailedException(failed) = error.into_service_error() else {
        panic!("another error")
    };
    assert_eq!(failed.item.unwrap()["pk"], AttributeValue::S("found".into()));
    let call = recorder.span("DynamoDB.PutItem");
    assert_eq!(text(&call, "error.type").as_deref(), Some("ConditionalCheckFailedException"));
    assert_eq!(text(&call, "aws.request_id").as_deref(), Some("REQUEST-1"));
    assert_eq!(attribute(&call, "http.request.resend_count"), None);
    assert_eq!(call.status, Status::Unset);
    client.call(put()).await.unwrap();
    assert_eq!(aws.of_the_sdk(), [true, false, false]);
}

#[tokio::test]
async fn all_attempts_of_a_transaction_have_the_same_token() {
    let aws = Aws::answering([OK, UNAVAILABLE, OK]).await;
    let client = dynamodb(&aws).await;
    let put = Put::builder().table_name("t").item("pk", AttributeValue::S("1".into())).build().unwrap();
    let items = TransactWriteItem::builder().put(put).build();
    for _ in 0..2 {
        client.call(client.transact_write_items().transact_items(items.clone())).await.unwrap();
    }
    let requests = aws.requests.lock().unwrap();
    let token = |request: &Request| {
        serde_json::from_str::<Value>(&request.body).unwrap()["ClientRequestToken"].clone()
    };
    let tokens: Vec<_> = requests.iter().map(token).collect();
    assert!(tokens.iter().all(Value::is_string) && tokens[0] != tokens[1]);
    assert_eq!(tokens[1], tokens[2]);
}

#[tokio::test]
async fn a_dropped_direct_call_ends_its_span() {
    let aws = Aws::answering([OK, None]).await;
    let client = dynamodb(&aws).await;
    client.call(get(&client)).await.unwrap();
    let recorder = Recorder::new();
    let call = async {
        let asked = async {
            while aws.requests.lock().unwrap().len() < 2 {
                tokio::task::yield_now().await;
            }
        };
        tokio::select! {
            _ = client.call(get(&client)) => panic!("there is no response"),
            () = asked => {}
        }
    };
    in_process_span(&recorder, call).await;
    assert_eq!(text(&recorder.span("DynamoDB.GetItem"), "error.type").as_deref(), Some("cancelled"));
}
