//! The spans that calls record and the header they send.

use std::time::Duration;

use aws_clients::TracingInterceptor;
use aws_sdk_dynamodb::error::SdkError;
use aws_sdk_dynamodb::types::{AttributeValue, Delete, Put, TransactWriteItem};
use aws_types::SdkConfig;
use opentelemetry::trace::{SpanKind, Status};
use telemetry::testing::{Recorder, attribute};
use tokio::net::TcpListener;

use crate::aws::{Aws, config, in_process_span, text};

fn dynamodb(config: &SdkConfig) -> aws_sdk_dynamodb::Client {
    aws_sdk_dynamodb::Client::from_conf(
        aws_sdk_dynamodb::config::Builder::from(config).interceptor(TracingInterceptor::new()).build(),
    )
}

#[tokio::test]
async fn a_call_is_a_client_span_and_its_header_names_it_as_parent() {
    let aws = Aws::answering([Some((200, "{}"))]).await;
    let client = dynamodb(&aws.config().await);
    let recorder = Recorder::new();
    let put =
        |table| Put::builder().table_name(table).item("pk", AttributeValue::S("1".into())).build().unwrap();
    in_process_span(
        &recorder,
        client
            .transact_write_items()
            .transact_items(TransactWriteItem::builder().put(put("members")).build())
            .transact_items(TransactWriteItem::builder().put(put("members")).build())
            .transact_items(
                TransactWriteItem::builder()
                    .delete(
                        Delete::builder()
                            .table_name("claims")
                            .key("pk", AttributeValue::S("1".into()))
                            .build()
                            .unwrap(),
                    )
                    .build(),
            )
            .send(),
    )
    .await
    .unwrap();

    let (call, process) = (recorder.span("DynamoDB.TransactWriteItems"), recorder.span("process"));
    assert_eq!(call.span_kind, SpanKind::Client);
    assert_eq!(call.parent_span_id, process.span_context.span_id());
    assert_eq!(text(&call, "rpc.system").as_deref(), Some("aws-api"));
    assert_eq!(text(&call, "rpc.service").as_deref(), Some("DynamoDB"));
    assert_eq!(text(&call, "rpc.method").as_deref(), Some("TransactWriteItems"));
    assert_eq!(text(&call, "aws.region").as_deref(), Some("eu-central-1"));
    assert_eq!(text(&call, "aws.request_id").as_deref(), Some("REQUEST-1"));
    assert_eq!(text(&call, "aws.dynamodb.table_names").as_deref(), Some(r#"["claims","members"]"#));
    assert_eq!(attribute(&call, "http.response.status_code"), Some(&200_i64.into()));
    assert_eq!(attribute(&call, "http.request.resend_count"), None);
    assert_eq!(call.status, Status::Unset);
    assert_eq!(
        aws.headers("x-amzn-trace-id"),
        [format!(
            "Root=1-5759e988-bd862e3fe1be46a994272793;Parent={};Sampled=1;Lineage=1:a:1",
            call.span_context.span_id()
        )]
    );
}

#[tokio::test]
async fn retries_are_counted_in_one_span_and_each_carries_the_header() {
    let aws = Aws::answering([Some((500, "{}")), Some((200, "{}"))]).await;
    let client = dynamodb(&aws.config().await);
    let recorder = Recorder::new();
    in_process_span(&recorder, client.list_tables().send()).await.unwrap();
    let call = recorder.span("DynamoDB.ListTables");
    assert_eq!(attribute(&call, "http.request.resend_count"), Some(&1_i64.into()));
    assert_eq!(attribute(&call, "http.response.status_code"), Some(&200_i64.into()));
    assert_eq!(call.status, Status::Unset);
    let headers = aws.headers("x-amzn-trace-id");
    assert_eq!(headers.len(), 2);
    assert_eq!(headers[0], headers[1]);
}

async fn get_item(
    recorder: &Recorder,
    answers: Vec<Option<(u16, &'static str)>>,
) -> opentelemetry_sdk::trace::SpanData {
    let aws = Aws::answering(answers).await;
    let config =
        aws.config().await.to_builder().retry_config(aws_config::retry::RetryConfig::disabled()).build();
    let client = dynamodb(&config);
    let call = client.get_item().table_name("members").key("pk", AttributeValue::S("1".into())).send();
    in_process_span(recorder, call).await.unwrap_err();
    recorder.span("DynamoDB.GetItem")
}

#[tokio::test]
async fn a_throttle_is_marked_even_though_dynamodb_returns_400() {
    let recorder = Recorder::new();
    let body = r#"{"__type":"com.amazon.coral.availability#ThrottlingException","message":"slow down"}"#;
    let call = get_item(&recorder, vec![Some((400, body))]).await;
    assert_eq!(text(&call, "error.type").as_deref(), Some("ThrottlingException"));
    assert_eq!(attribute(&call, "aws.throttled"), Some(&true.into()));
    assert_eq!(attribute(&call, "http.response.status_code"), Some(&400_i64.into()));
    assert_eq!(attribute(&call, "http.status_code"), Some(&429_i64.into()));
    assert_eq!(call.status, Status::error("ThrottlingException"));
}

#[tokio::test]
async fn a_condition_that_did_not_hold_is_not_a_failure() {
    let recorder = Recorder::new();
    let body =
        r#"{"__type":"com.amazonaws.dynamodb.v20120810#ConditionalCheckFailedException","message":"no"}"#;
    let call = get_item(&recorder, vec![Some((400, body))]).await;
    assert_eq!(text(&call, "error.type").as_deref(), Some("ConditionalCheckFailedException"));
    assert_eq!(attribute(&call, "http.response.status_code"), Some(&400_i64.into()));
    assert_eq!(call.status, Status::Unset);
    assert!(call.events.is_empty());
}

#[tokio::test]
async fn an_error_shows_its_code_and_never_its_message() {
    let recorder = Recorder::new();
    let body = r#"{"__type":"x#ValidationException","message":"bad item: Ada Lovelace"}"#;
    let call = get_item(&recorder, vec![Some((400, body))]).await;
    assert_eq!(call.status, Status::error("ValidationException"));
    assert_eq!(call.events[0].name, "exception");
    assert!(!format!("{call:?}").contains("Lovelace"));
    assert_eq!(attribute(&call, "aws.throttled"), None);
}

#[tokio::test]
async fn a_refused_connection_ends_the_span_without_a_status() {
    let unused = TcpListener::bind("127.0.0.1:0").await.unwrap().local_addr().unwrap();
    let config =
        config(unused).await.to_builder().retry_config(aws_config::retry::RetryConfig::disabled()).build();
    let recorder = Recorder::new();
    in_process_span(&recorder, dynamodb(&config).list_tables().send()).await.unwrap_err();
    let call = recorder.span("DynamoDB.ListTables");
    assert_eq!(text(&call, "error.type").as_deref(), Some("connection"));
    assert_eq!(attribute(&call, "http.response.status_code"), None);
    assert_eq!(call.status, Status::error("connection"));
}

#[tokio::test]
async fn a_timeout_ends_the_span() {
    let aws = Aws::answering([None]).await;
    let timeouts =
        aws_config::timeout::TimeoutConfig::builder().operation_timeout(Duration::from_millis(100)).build();
    let config = aws.config().await.to_builder().timeout_config(timeouts).build();
    let recorder = Recorder::new();
    let error = in_process_span(&recorder, dynamodb(&config).list_tables().send()).await.unwrap_err();
    assert!(matches!(error, SdkError::TimeoutError(_)));
    assert_eq!(text(&recorder.span("DynamoDB.ListTables"), "error.type").as_deref(), Some("timeout"));
}

#[tokio::test]
async fn a_dropped_call_ends_its_span() {
    let aws = Aws::answering([None]).await;
    let client = dynamodb(&aws.config().await);
    let recorder = Recorder::new();
    let call = async {
        let asked = async {
            while aws.requests.lock().unwrap().is_empty() {
                tokio::task::yield_now().await;
            }
        };
        tokio::select! {
            _ = client.list_tables().send() => panic!("there is no response"),
            () = asked => {}
        }
    };
    in_process_span(&recorder, call).await;
    let call = recorder.span("DynamoDB.ListTables");
    assert_eq!(text(&call, "error.type").as_deref(), Some("cancelled"));
    assert_eq!(call.status, Status::error("cancelled"));
}

#[tokio::test]
async fn ses_is_named_as_x_ray_names_it() {
    let aws = Aws::answering([Some((200, r#"{"MessageId":"1"}"#))]).await;
    let client = aws_sdk_sesv2::Client::from_conf(
        aws_sdk_sesv2::config::Builder::from(&aws.config().await)
            .interceptor(aws_clients::tracing_interceptor())
            .build(),
    );
    let recorder = Recorder::new();
    in_process_span(&recorder, client.send_email().send()).await.unwrap();
    let call = recorder.span("SES.SendEmail");
    assert_eq!(text(&call, "rpc.service").as_deref(), Some("SES"));
    assert_eq!(text(&call, "rpc.method").as_deref(), Some("SendEmail"));
}

#[tokio::test]
async fn topics_and_queues_are_named() {
    let recorder = Recorder::new();
    let publish = Aws::answering([Some((
        200,
        "<PublishResponse><PublishResult><MessageId>1</MessageId></PublishResult></PublishResponse>",
    ))])
    .await;
    let sns = aws_sdk_sns::Client::from_conf(
        aws_sdk_sns::config::Builder::from(&publish.config().await)
            .interceptor(TracingInterceptor::new())
            .build(),
    );
    let topic = "arn:aws:sns:eu-central-1:000000000000:notifications";
    in_process_span(&recorder, sns.publish().topic_arn(topic).message("{}").send()).await.unwrap();
    assert_eq!(text(&recorder.span("SNS.Publish"), "aws.sns.topic.arn").as_deref(), Some(topic));

    let send = Aws::answering([Some((200, r#"{"MessageId":"1"}"#))]).await;
    let sqs = aws_sdk_sqs::Client::from_conf(
        aws_sdk_sqs::config::Builder::from(&send.config().await)
            .interceptor(TracingInterceptor::new())
            .build(),
    );
    let queue = "http://sqs/000000000000/members";
    in_process_span(&recorder, sqs.send_message().queue_url(queue).message_body("{}").send()).await.ok();
    let call = recorder.span("SQS.SendMessage");
    assert_eq!(text(&call, "aws.sqs.queue.url").as_deref(), Some(queue));
    assert_eq!(text(&call, "aws.queue_url").as_deref(), Some(queue));
}

#[tokio::test]
async fn buckets_objects_and_keys_of_kms_have_nodes_of_their_own() {
    let aws = Aws::answering([
        Some((200, "")),
        Some((412, "<Error><Code>PreconditionFailed</Code><Message>no</Message></Error>")),
        Some((200, "{}")),
    ])
    .await;
    let config = aws.config().await;
    let (s3, recorder) = (aws_clients::s3(&config), Recorder::new());
    let put = || s3.put_object().bucket("archive").key("year=2026/a.gz").if_none_match("*");
    in_process_span(&recorder, Box::pin(put().send())).await.unwrap();
    let call = recorder.span("S3.PutObject");
    assert_eq!(text(&call, "rpc.service").as_deref(), Some("S3"));
    assert_eq!(text(&call, "aws.s3.bucket").as_deref(), Some("archive"));
    assert_eq!(text(&call, "aws.s3.key").as_deref(), Some("year=2026/a.gz"));
    assert_eq!(text(&call, "aws.request_id").as_deref(), Some("REQUEST-1"));
    assert_eq!(aws.headers("x-amzn-trace-id").len(), 1);

    let recorder = Recorder::new();
    in_process_span(&recorder, Box::pin(put().send())).await.unwrap_err();
    let call = recorder.span("S3.PutObject");
    assert_eq!(text(&call, "error.type").as_deref(), Some("PreconditionFailed"));
    assert_eq!(call.status, Status::Unset, "a condition that does not hold is a regular outcome");

    let kms = aws_clients::kms(&config);
    let decrypt = kms.decrypt().key_id("alias/archive").encryption_context("customer_number", "1");
    in_process_span(&recorder, decrypt.send()).await.unwrap();
    let call = recorder.span("KMS.Decrypt");
    assert_eq!(text(&call, "rpc.service").as_deref(), Some("KMS"));
    assert!(!format!("{:?}", call.attributes).contains("customer_number"));
}

#[tokio::test]
async fn a_client_without_the_interceptor_creates_no_spans_and_one_without_telemetry_still_works() {
    let aws = Aws::answering([Some((200, "{}")), Some((200, "{}"))]).await;
    let config = aws.config().await;
    let recorder = Recorder::new();
    in_process_span(&recorder, aws_sdk_dynamodb::Client::new(&config).list_tables().send()).await.unwrap();
    assert_eq!(recorder.spans().len(), 1, "the process span alone");
    dynamodb(&config).list_tables().send().await.unwrap();
    assert!(
        aws.requests.lock().unwrap().iter().all(|request| !request.headers.contains_key("x-amzn-trace-id"))
    );
}
