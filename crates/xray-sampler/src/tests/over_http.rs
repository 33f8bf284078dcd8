//! The poller over HTTP, in real time.

use std::convert::Infallible;
use std::time::Duration;

use axum::Router;
use axum::body::{Body, Bytes};
use axum::extract::State;
use axum::http::{HeaderMap, StatusCode, Uri};
use axum::response::{IntoResponse as _, Redirect, Response};
use axum::routing::post;
use futures_util::stream;
use opentelemetry::KeyValue;
use opentelemetry::trace::SpanKind;
use opentelemetry_sdk::trace::ShouldSample as _;
use serde_json::{Value, json};
use tokio::net::TcpListener;

use super::support::{DATE, ManualClock, UNSAMPLED, resource, rule};
use super::xray::{Fault, XRay};
use crate::transport::Operation::{self, GetSamplingRules, GetSamplingTargets};
use crate::transport::{MAX_RESPONSE, Transport};
use crate::{HttpError, HttpTransport, Poller, XRaySampler};

/// Serves a router, and returns its address.
async fn serve(router: Router) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let endpoint = format!("http://{}", listener.local_addr().unwrap());
    tokio::spawn(async move { axum::serve(listener, router).await });
    endpoint
}

/// Answers like a proxy in front of X-Ray.
async fn answer(State(xray): State<XRay>, uri: Uri, headers: HeaderMap, body: Bytes) -> Response {
    let operation = match uri.path() {
        "/GetSamplingRules" => GetSamplingRules,
        "/SamplingTargets" => GetSamplingTargets,
        _ => return StatusCode::NOT_FOUND.into_response(),
    };
    assert_eq!(headers["content-type"], "application/json");
    assert!(!headers.contains_key("authorization") && !headers.contains_key("traceparent"));
    let (status, body) = xray.answer(operation, &body).await;
    (StatusCode::from_u16(status).unwrap(), body).into_response()
}

async fn over_http(xray: &XRay) -> HttpTransport {
    let router = Router::new().fallback(post(answer)).with_state(xray.clone());
    // A trailing slash is allowed.
    HttpTransport::new(&format!("{}/", serve(router).await)).unwrap()
}

fn sampler() -> XRaySampler {
    XRaySampler::with_clock(&resource(&[("service.name", "orders")]), ManualClock::new())
}

/// Decides about a trace, and returns the rule that sampled it.
fn decide(sampler: &XRaySampler, path: &str) -> Option<String> {
    let attributes = [KeyValue::new("url.path", path.to_owned())];
    let result = sampler.should_sample(None, UNSAMPLED, "", &SpanKind::Server, &attributes, &[]);
    result.attributes.first().map(|attribute| attribute.value.to_string())
}

fn all(name: &str, path: &str) -> Value {
    rule(name, &json!({ "URLPath": path, "FixedRate": 1.0 }))
}

#[tokio::test]
async fn sixty_rules_in_pages_are_applied_and_reported() {
    let rules: Vec<Value> =
        (0..60).map(|number| all(&format!("rule-{number}"), &format!("/{number}"))).collect();
    let xray = XRay::with(&rules).paged_by(7);
    let sampler = sampler();
    let mut poller = Poller::new(&sampler, over_http(&xray).await);
    poller.refresh().await;
    for number in 0..60 {
        assert_eq!(decide(&sampler, &format!("/{number}")), Some(format!("rule-{number}")));
    }
    poller.report().await;
    let mut reported: Vec<String> =
        xray.documents().iter().map(|document| document["RuleName"].to_string()).collect();
    reported.sort();
    reported.dedup();
    assert_eq!(reported.len(), 60);
    assert_eq!(xray.arrived(GetSamplingTargets).len(), 3);
    assert_eq!(xray.arrived(GetSamplingRules).len(), 9);
}

#[tokio::test]
async fn the_last_rules_remain_in_use_whatever_the_response() {
    let xray = XRay::with(&[all("Default", "*")]);
    let sampler = sampler();
    let mut poller = Poller::new(&sampler, over_http(&xray).await);
    poller.refresh().await;
    let huge = format!("{}{{}}", " ".repeat(MAX_RESPONSE)).into_bytes();
    let faults = [
        Fault::Refused(403),
        Fault::Refused(500),
        Fault::Refused(204),
        Fault::Body(huge),
        Fault::Body(b"null".to_vec()),
        Fault::Body(b"{}".to_vec()),
        Fault::Body(br#"{"SamplingRuleRecords": []}"#.to_vec()),
        Fault::Body(br#"{"SamplingRuleRecords": [null], "NextToken": null}"#.to_vec()),
        Fault::Body(br#"{"SamplingRuleRecords": {}}"#.to_vec()),
        Fault::Body(br#"{"SamplingRuleRecords": [{"SamplingRule": {"#.to_vec()),
        Fault::Body(b"<html>".to_vec()),
        Fault::Body(vec![0xff; 100]),
        Fault::Body(Vec::new()),
        // Endless pages.
        Fault::Body(br#"{"SamplingRuleRecords": [], "NextToken": "again"}"#.to_vec()),
    ];
    for fault in faults {
        let name = format!("{fault:?}").chars().take(60).collect::<String>();
        xray.fail(GetSamplingRules, fault);
        assert!(poller.refresh().await <= Duration::from_secs(303), "{name}");
        assert_eq!(decide(&sampler, "/").as_deref(), Some("Default"), "{name}");
    }
    assert!(xray.arrived(GetSamplingRules).len() < 50, "paging is bounded");
    xray.heal();
    xray.modify(&[all("a", "*")], DATE);
    poller.refresh().await;
    assert_eq!(decide(&sampler, "/").as_deref(), Some("a"));
}

#[tokio::test]
async fn a_hanging_server_does_not_block_the_poller() {
    let xray = XRay::with(&[all("Default", "*")]);
    xray.fail(GetSamplingRules, Fault::Hanging);
    let sampler = sampler();
    let mut poller = Poller::new(&sampler, over_http(&xray).await);
    poller.calls.timeout = Duration::from_millis(100);
    poller.refresh().await;
    assert_eq!(xray.arrived(GetSamplingRules).len(), 1);
    assert_eq!(decide(&sampler, "/"), None);
    xray.heal();
    poller.calls.timeout = Duration::from_secs(10);
    poller.refresh().await;
    assert_eq!(decide(&sampler, "/").as_deref(), Some("Default"));
}

#[tokio::test]
async fn rules_that_change_while_the_poller_runs_are_applied() {
    let xray = XRay::with(&[rule("Default", &json!({}))]);
    let sampler = sampler();
    let mut poller = Poller::new(&sampler, over_http(&xray).await);
    poller.timing.report = Duration::from_millis(5);
    let handle = poller.handle();
    let task = tokio::spawn(poller.run());
    // Each decision leads to a report, and its response announces that rules were modified.
    for (number, name) in ["one", "two", "three"].into_iter().enumerate() {
        let date = DATE + f64::from(u32::try_from(number).unwrap());
        xray.modify(&[all(name, "*"), rule("Default", &json!({}))], date);
        tokio::time::timeout(Duration::from_mins(1), async {
            while decide(&sampler, "/").as_deref() != Some(name) {
                tokio::time::sleep(Duration::from_millis(1)).await;
            }
        })
        .await
        .unwrap();
    }
    handle.stop();
    task.await.unwrap();
}

/// Makes one call, and returns why it failed.
async fn failure(endpoint: &str) -> HttpError {
    HttpTransport::new(endpoint).unwrap().post(Operation::GetSamplingRules, b"{}".to_vec()).await.unwrap_err()
}

#[tokio::test]
async fn an_error_states_the_reason_and_not_the_address() {
    let refusing = post(async || (StatusCode::FORBIDDEN, format!("not authorized{}", "!".repeat(10_000))));
    let error = failure(&serve(Router::new().fallback(refusing)).await).await.to_string();
    assert!(error.starts_with("status 403: not authorized!"), "{error}");
    assert!(error.len() < 400, "{error}");

    let port = TcpListener::bind("127.0.0.1:0").await.unwrap().local_addr().unwrap().port();
    let error = failure(&format!("http://127.0.0.1:{port}")).await;
    assert!(matches!(error, HttpError::NoResponse(_)), "{error}");
    assert!(error.to_string().to_lowercase().contains("refused"), "{error}");
    assert!(!error.to_string().contains("127.0.0.1"), "{error}");
}

#[tokio::test]
async fn an_endless_response_is_read_up_to_the_limit() {
    let chunk = Ok::<_, Infallible>(Bytes::from(vec![b' '; 64 * 1024]));
    let endless = post(async move || Body::from_stream(stream::repeat(chunk.clone())));
    let error = failure(&serve(Router::new().fallback(endless)).await).await;
    assert!(matches!(error, HttpError::TooLong), "{error}");
}

#[tokio::test]
async fn redirects_are_not_followed() {
    let redirecting = post(async || Redirect::temporary("/elsewhere"));
    let router =
        Router::new().route("/GetSamplingRules", redirecting).route("/elsewhere", post(async || "{}"));
    let error = failure(&serve(router).await).await;
    assert!(matches!(error, HttpError::Refused { status: 307, .. }), "{error}");
}
