//! Transactions against scripted responses, for behaviour that no emulator shows on demand.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use aws_sdk_dynamodb::config::retry::RetryConfig;
use aws_sdk_dynamodb::config::{BehaviorVersion, Credentials, Region};
use aws_smithy_runtime_api::client::http::{
    HttpClient, HttpConnector, HttpConnectorFuture, HttpConnectorSettings, SharedHttpConnector,
};
use aws_smithy_runtime_api::client::orchestrator::{HttpRequest, HttpResponse};
use aws_smithy_runtime_api::client::runtime_components::RuntimeComponents;
use aws_smithy_types::body::SdkBody;
use envelope::Metadata;
use serde_json::{Value, json, value::RawValue};

use outcome::Failure;

use super::*;

/// Answers each request with the next scripted response, and records the request bodies.
#[derive(Clone, Debug, Default)]
struct Script {
    answers: Arc<Mutex<VecDeque<(u16, Value)>>>,
    requests: Arc<Mutex<Vec<Value>>>,
}

impl HttpConnector for Script {
    fn call(&self, request: HttpRequest) -> HttpConnectorFuture {
        let body = serde_json::from_slice(request.body().bytes().unwrap()).unwrap();
        self.requests.lock().unwrap().push(body);
        let (status, answer) = self.answers.lock().unwrap().pop_front().expect("one request too many");
        let body = SdkBody::from(answer.to_string());
        HttpConnectorFuture::ready(Ok(HttpResponse::new(status.try_into().unwrap(), body)))
    }
}

impl HttpClient for Script {
    fn http_connector(&self, _: &HttpConnectorSettings, _: &RuntimeComponents) -> SharedHttpConnector {
        SharedHttpConnector::new(self.clone())
    }
}

impl Script {
    fn of(answers: impl IntoIterator<Item = (u16, Value)>) -> (Self, DynamoDb) {
        let script = Self { answers: Arc::new(Mutex::new(answers.into_iter().collect())), ..Self::default() };
        let builder = aws_sdk_dynamodb::Config::builder()
            .behavior_version(BehaviorVersion::latest())
            .region(Region::new("eu-central-1"))
            .credentials_provider(Credentials::new("local", "local", None, None, "test"))
            .retry_config(RetryConfig::disabled())
            .http_client(script.clone());
        (script, DynamoDb::untraced(builder))
    }

    fn requests(&self) -> Vec<Value> {
        self.requests.lock().unwrap().clone()
    }
}

fn done() -> (u16, Value) {
    (200, json!({}))
}

fn failed(code: &str) -> (u16, Value) {
    (400, json!({"__type": format!("com.amazonaws.dynamodb.v20120810#{code}"), "message": "no"}))
}

fn cancelled(reasons: &Value) -> (u16, Value) {
    let error = "com.amazonaws.dynamodb.v20120810#TransactionCanceledException";
    (400, json!({"__type": error, "Message": "cancelled", "CancellationReasons": reasons}))
}

fn codes(codes: &[&str]) -> (u16, Value) {
    cancelled(&codes.iter().map(|code| json!({"Code": code})).collect())
}

fn event() -> Envelope {
    let occurred_at = "2026-03-01T12:00:00Z".parse().unwrap();
    Envelope {
        source: "foostore.crm".into(),
        event_type: "CustomerRenamed".into(),
        customer_number: None,
        metadata: Metadata::first(Uuid::from_u128(7), occurred_at, occurred_at),
        data: RawValue::from_string(r#"{"name":"Ada"}"#.into()).unwrap(),
    }
}

fn change() -> TransactWriteItem {
    let put = Put::builder().table_name("members").item("pk", AttributeValue::S("MEMBER#1".into()));
    TransactWriteItem::builder().put(put.build().unwrap()).build()
}

/// Returns an announcement that `event` causes.
fn announcement(id: u128) -> Envelope {
    let metadata = Metadata { event_id: Uuid::from_u128(id), ..event().metadata };
    Envelope { source: "foostore.loyalty".into(), event_type: "MemberRenamed".into(), metadata, ..event() }
}

fn transaction() -> Transaction {
    Transaction::new("members", &event(), "membership").announce(&announcement(8)).change(change())
}

fn keys(request: &Value) -> Vec<String> {
    let items = request["TransactItems"].as_array().unwrap();
    items.iter().map(|item| item["Put"]["Item"]["pk"]["S"].as_str().unwrap().to_owned()).collect()
}

async fn commit(
    answers: impl IntoIterator<Item = (u16, Value)>,
) -> (Result<Commit, CommitError>, Vec<Value>) {
    let (script, client) = Script::of(answers);
    let result = transaction().commit(&client).await;
    (result, script.requests())
}

#[tokio::test(start_paused = true)]
async fn the_marker_comes_first_and_carries_the_announcement() {
    let (result, requests) = commit([done()]).await;
    assert_eq!(result.unwrap(), Commit::Applied);
    let id = event().metadata.event_id;
    assert_eq!(keys(&requests[0]), [&format!("EVENT#membership#{id}"), "MEMBER#1"]);
    let marker = &requests[0]["TransactItems"][0]["Put"];
    assert_eq!(marker["Item"]["event_id"]["S"], announcement(8).metadata.event_id.to_string());
    assert_eq!(marker["Item"]["event_type"]["S"], "MemberRenamed");
    assert_eq!(marker["Item"]["data"]["S"], r#"{"name":"Ada"}"#);
    assert_eq!(marker["ConditionExpression"], "attribute_not_exists(#pk)");
    assert_eq!(marker["ReturnValuesOnConditionCheckFailure"], "ALL_OLD");
    assert_eq!(marker["Item"]["handler"]["S"], "membership");
    assert_eq!(marker["Item"]["fingerprint"]["S"], fingerprint(&event()));
    let expires_at: i64 = marker["Item"]["expires_at"]["N"].as_str().unwrap().parse().unwrap();
    let days = (expires_at - Timestamp::now().as_second()) / 86_400;
    assert!((13..=14).contains(&days), "{days}");
}

#[tokio::test(start_paused = true)]
async fn further_announcements_are_items_and_all_are_if_they_shall_be_separate() {
    let (first, second) = (announcement(8).metadata.event_id, announcement(9).metadata.event_id);
    let marker = format!("EVENT#membership#{}", event().metadata.event_id);
    let (script, client) = Script::of([done(), done()]);
    let two = || transaction().announce(&announcement(9));
    two().commit(&client).await.unwrap();
    two().announcing(Announcing::Separately).commit(&client).await.unwrap();
    let [with_marker, separate] = script.requests().try_into().unwrap();
    let (change, first, second) =
        ("MEMBER#1".to_owned(), format!("OUTBOX#{first}"), format!("OUTBOX#{second}"));
    assert_eq!(keys(&with_marker), [marker.clone(), change.clone(), second.clone()]);
    assert_eq!(keys(&separate), [marker, change, first, second]);
    let marker = &separate["TransactItems"][0]["Put"]["Item"];
    assert!(marker.get("data").is_none() && marker.get("event_id").is_none(), "{marker}");
}

#[tokio::test(start_paused = true)]
async fn temporary_failures_are_retried_under_one_token() {
    let answers = [
        codes(&["None", "TransactionConflict", "None"]),
        codes(&["None", "None", "ThrottlingError"]),
        failed("ThrottlingException"),
        failed("ProvisionedThroughputExceededException"),
        failed("TransactionInProgressException"),
        done(),
    ];
    let (result, requests) = commit(answers).await;
    assert_eq!(result.unwrap(), Commit::Applied);
    assert_eq!(requests.len(), 6);
    let token = requests[0]["ClientRequestToken"].as_str().unwrap();
    assert!(!token.is_empty());
    // The requests must be identical, or DynamoDB would reject the reused token.
    assert!(requests.iter().all(|request| request == &requests[0]));
}

#[tokio::test(start_paused = true)]
async fn attempts_are_bounded() {
    for (answer, expected) in [
        (codes(&["TransactionConflict", "None", "None"]), ("contended", None)),
        (failed("ThrottlingException"), ("throttled", Some("DynamoDB"))),
        (codes(&["TransactionConflict", "ThrottlingError", "None"]), ("throttled", Some("DynamoDB"))),
    ] {
        let (script, client) = Script::of(std::iter::repeat_n(answer, 3));
        let retry = Retry { attempts: 3, ..Retry::default() };
        let error = transaction().retry(retry).commit(&client).await.unwrap_err();
        let failure = Failure::from(error);
        assert_eq!((failure.reason(), failure.dependency()), expected);
        assert!(matches!(failure, Failure::Transient { .. }));
        assert_eq!(script.requests().len(), 3);
    }
}

#[tokio::test(start_paused = true)]
async fn time_is_bounded_too() {
    let (script, client) = Script::of(std::iter::repeat_n(failed("ThrottlingException"), 1_000));
    let retry = Retry { attempts: 1_000, within: Duration::from_secs(2), ..Retry::default() };
    let begun = tokio::time::Instant::now();
    transaction().retry(retry).commit(&client).await.unwrap_err();
    assert!(begun.elapsed() <= Duration::from_secs(2));
    assert!(script.requests().len() < 1_000);
}

#[tokio::test(start_paused = true)]
async fn an_existing_marker_distinguishes_a_duplicate_from_a_reused_id() {
    let found = |item: Value| {
        let marker = json!({"Code": "ConditionalCheckFailed", "Item": item});
        cancelled(&json!([marker, {"Code": "ConditionalCheckFailed"}, {"Code": "None"}]))
    };
    let same = json!({"fingerprint": {"S": fingerprint(&event())}});
    assert_eq!(commit([found(same)]).await.0.unwrap(), Commit::Duplicate { attempt: None, refusal: None });

    let error = commit([found(json!({"fingerprint": {"S": "another"}}))]).await.0.unwrap_err();
    assert!(
        matches!(error, CommitError::EventIdReused { event_id } if event_id == event().metadata.event_id)
    );
    assert!(Failure::from(error).is_permanent());

    let error = commit([found(json!({}))]).await.0.unwrap_err();
    let failure = Failure::from(error);
    assert_eq!((failure.reason(), failure.is_permanent()), ("marker-unreadable", true));
}

#[tokio::test(start_paused = true)]
async fn lasting_failures_are_not_retried() {
    let dynamodb = Some("DynamoDB");
    for (answer, expected) in [
        (codes(&["None", "ConditionalCheckFailed", "None"]), ("contended", None)),
        (codes(&["None", "ValidationError", "None"]), ("rejected", dynamodb)),
        (failed("ValidationException"), ("rejected", dynamodb)),
        (failed("AccessDeniedException"), ("misconfigured", dynamodb)),
        (failed("ResourceNotFoundException"), ("misconfigured", dynamodb)),
        ((500, json!({})), ("unavailable", dynamodb)),
    ] {
        let (result, requests) = commit([answer]).await;
        let failure = Failure::from(result.unwrap_err());
        assert_eq!((failure.reason(), failure.dependency()), expected);
        assert_eq!(requests.len(), 1);
    }
}

#[tokio::test(start_paused = true)]
async fn an_error_does_not_quote_the_conflicting_items() {
    let secret = json!({"Code": "ConditionalCheckFailed", "Item": {"email": {"S": "ada@example.com"}}});
    let answers = [cancelled(&json!([{"Code": "None"}, secret.clone()])), cancelled(&json!([secret]))];
    for answer in answers {
        let error = commit([answer]).await.0.unwrap_err();
        assert!(!format!("{error} {error:?}").contains("ada@"), "{error:?}");
    }
}
