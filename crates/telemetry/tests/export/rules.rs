//! Sampling by X-Ray's rules, which a task fetches.

use std::io;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use axum::Router;
use axum::http::StatusCode;
use axum::routing::post;
use telemetry::context::{Incoming, header_of};
use telemetry::{RulesSetting, SamplerSetting, Settings, StartError, Telemetry};
use tokio::net::TcpListener;
use tokio::sync::Notify;
use tracing::Dispatch;
use tracing_opentelemetry::OpenTelemetrySpanExt as _;

use super::collector::{Collector, settings};

const HEADER: &str = "Root=1-5759e988-bd862e3fe1be46a994272793;Parent=53995c3f42cd8ad8";

/// An X-Ray whose rules record each trace of one path, and none of the others.
struct XRay {
    url: String,
    /// Notified for each request for rules.
    fetched: Arc<Notify>,
    /// Whether it answers.
    answers: Arc<Mutex<bool>>,
}

impl XRay {
    async fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let (fetched, answers) = (Arc::new(Notify::new()), Arc::new(Mutex::new(true)));
        let (seen, answering) = (fetched.clone(), answers.clone());
        let rules = post(async move || {
            seen.notify_one();
            if *answering.lock().unwrap() { Ok(rules()) } else { Err(StatusCode::SERVICE_UNAVAILABLE) }
        });
        let router = Router::new().route("/GetSamplingRules", rules);
        tokio::spawn(axum::serve(listener, router).into_future());
        Self { url, fetched, answers }
    }

    fn settings(&self, collector: &Collector) -> Settings {
        let mut settings = settings(&collector.url);
        let interval = Duration::from_secs(1);
        let endpoint = self.url.clone();
        settings.otel.sampler = SamplerSetting::XRay(RulesSetting { endpoint, interval, adaptive: None });
        settings
    }
}

fn rules() -> String {
    let rule = |name: &str, priority: u32, path: &str, rate: u32| {
        serde_json::json!({"SamplingRule": {
            "RuleName": name, "Priority": priority, "FixedRate": rate, "ReservoirSize": 0, "URLPath": path,
            "ServiceName": "membership", "ServiceType": "*", "Host": "*", "HTTPMethod": "*", "ResourceARN": "*",
            "Version": 1,
        }})
    };
    let mut default = rule("Default", 10_000, "*", 0);
    default["SamplingRule"]["ServiceName"] = "*".into();
    serde_json::json!({"SamplingRuleRecords": [rule("vip", 1, "/vip", 1), default]}).to_string()
}

/// Makes a span, and returns the decision about it.
fn decision(dispatch: &Dispatch, path: &str, parent: Incoming) -> String {
    tracing::dispatcher::with_default(dispatch, || {
        let span = tracing::info_span!("request", otel.kind = "server");
        span.set_parent(parent.into_context()).unwrap();
        span.set_attribute("url.path", path.to_owned());
        let header = header_of(&span).unwrap();
        header.split(';').find(|field| field.starts_with("Sampled=")).unwrap().to_owned()
    })
}

async fn until(what: &str, condition: impl Fn() -> bool) {
    tokio::time::timeout(Duration::from_mins(1), async {
        while !condition() {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    })
    .await
    .unwrap_or_else(|_| panic!("waited for {what}"));
}

#[tokio::test]
async fn rules_decide_unless_a_parent_has_and_are_named_on_the_span() {
    let (collector, xray) = (Collector::start().await, XRay::start().await);
    let (telemetry, dispatch) = Telemetry::build(xray.settings(&collector), io::sink()).unwrap();
    // Before the rules arrive, one trace a second is recorded, so this takes several attempts.
    let refused = || decision(&dispatch, "/other", Incoming::default()) == "Sampled=0";
    let by_rule = || (0..20).all(|_| decision(&dispatch, "/vip", Incoming::default()) == "Sampled=1");
    until("the rules", || refused() && by_rule()).await;

    let carried = |field: &str| Incoming::from_message(Some(&format!("{HEADER}{field}")), None);
    assert_eq!(decision(&dispatch, "/vip", carried(";Sampled=0")), "Sampled=0");
    assert_eq!(decision(&dispatch, "/other", carried(";Sampled=1")), "Sampled=1");
    for open in ["", ";Sampled=?"] {
        assert_eq!(decision(&dispatch, "/vip", carried(open)), "Sampled=1", "{open}");
        assert_eq!(decision(&dispatch, "/other", carried(open)), "Sampled=0", "{open}");
    }
    telemetry.shutdown().await.unwrap();

    let traces = collector.traces.lock().unwrap();
    let spans = traces.iter().flat_map(|request| &request.resource_spans);
    let spans: Vec<_> =
        spans.flat_map(|resource| &resource.scope_spans).flat_map(|scope| &scope.spans).collect();
    assert!(spans.iter().all(|span| span.name == "request"), "the calls to X-Ray are not traced");
    let rule = |span: &&opentelemetry_proto::tonic::trace::v1::Span| {
        let rule = span.attributes.iter().find(|pair| pair.key == "aws.xray.sampling_rule");
        format!("{:?}", rule.map(|pair| &pair.value)).contains("\"vip\"")
    };
    assert!(spans.iter().filter(|span| rule(span)).count() >= 22);
    assert!(spans.iter().any(|span| !span.parent_span_id.is_empty() && !rule(span)), "a parent decided");
}

/// Handles a request of a path without traces, which calls something and fails or not.
fn handle(dispatch: &Dispatch, name: &'static str, parent: Incoming, fails: bool) {
    tracing::dispatcher::with_default(dispatch, || {
        let span = tracing::info_span!("request", otel.name = name, otel.kind = "server");
        span.set_parent(parent.into_context()).unwrap();
        assert!(header_of(&span).unwrap().ends_with("Sampled=0"), "later services are told not to sample");
        span.in_scope(|| drop(tracing::info_span!("call", otel.kind = "client").entered()));
        span.set_attribute("http.response.status_code", if fails { 503 } else { 202 });
    });
}

#[tokio::test]
async fn a_failed_request_that_no_rule_sampled_is_captured_unless_its_caller_decided() {
    let (collector, xray) = (Collector::start().await, XRay::start().await);
    let mut settings = xray.settings(&collector);
    let SamplerSetting::XRay(rules) = &mut settings.otel.sampler else { panic!("another sampler") };
    rules.adaptive =
        Some("{version: 1.0, anomalyCaptureLimit: {anomalyTracesPerSecond: 1000}}".parse().unwrap());
    let (telemetry, dispatch) = Telemetry::build(settings, io::sink()).unwrap();
    let refused = || (0..20).all(|_| decision(&dispatch, "/other", Incoming::default()) == "Sampled=0");
    until("the rules", refused).await;

    let carried = |field: &str| Incoming::from_message(Some(&format!("{HEADER}{field}")), None);
    handle(&dispatch, "fine", Incoming::default(), false);
    handle(&dispatch, "failed", Incoming::default(), true);
    handle(&dispatch, "undecided", carried(";Sampled=?"), true);
    handle(&dispatch, "refused by its caller", carried(";Sampled=0"), true);
    telemetry.shutdown().await.unwrap();
    let mut spans = collector.spans();
    spans.retain(|name| name != "request");
    assert_eq!(spans, ["call", "failed", "call", "undecided"]);
}

#[tokio::test]
async fn polling_ends_with_telemetry_whether_it_is_shut_down_or_dropped() {
    let (collector, xray) = (Collector::start().await, XRay::start().await);
    for is_shut_down in [true, false] {
        let (telemetry, _dispatch) = Telemetry::build(xray.settings(&collector), io::sink()).unwrap();
        xray.fetched.notified().await;
        if is_shut_down {
            telemetry.shutdown().await.unwrap();
        } else {
            drop(telemetry);
        }
        // More than the interval, in which another request would arrive.
        let another = tokio::time::timeout(Duration::from_millis(1_200), xray.fetched.notified()).await;
        assert!(another.is_err(), "polled on");
    }
}

#[tokio::test]
async fn an_unavailable_x_ray_is_logged_once_and_delays_nothing() {
    let (collector, xray) = (Collector::start().await, XRay::start().await);
    *xray.answers.lock().unwrap() = false;
    let logs = Logs::default();
    let (telemetry, dispatch) = Telemetry::build(xray.settings(&collector), logs.clone()).unwrap();
    assert_eq!(decision(&dispatch, "/other", Incoming::default()), "Sampled=1", "the first of a second");
    // Two failures.
    xray.fetched.notified().await;
    xray.fetched.notified().await;
    telemetry.shutdown().await.unwrap();
    let lines = String::from_utf8(logs.0.lock().unwrap().clone()).unwrap();
    assert_eq!(lines.matches("cannot fetch sampling rules").count(), 1, "{lines}");
    assert_eq!(lines.matches("no current sampling rules").count(), 1, "{lines}");
    assert!(lines.contains("503"), "{lines}");
}

#[tokio::test]
async fn without_an_exporter_no_rules_are_fetched() {
    let (collector, xray) = (Collector::start().await, XRay::start().await);
    let mut settings = xray.settings(&collector);
    settings.otel.traces_endpoint = None;
    // Not even a runtime is needed.
    let building = std::thread::spawn(move || Telemetry::build(settings, io::sink()));
    let (telemetry, dispatch) = building.join().unwrap().unwrap();
    assert_eq!(decision(&dispatch, "/other", Incoming::default()), "Sampled=1");
    telemetry.shutdown().await.unwrap();
}

#[tokio::test]
async fn rules_without_a_runtime_are_an_error_at_the_start() {
    let (collector, xray) = (Collector::start().await, XRay::start().await);
    let settings = xray.settings(&collector);
    let building = std::thread::spawn(move || Telemetry::build(settings, io::sink()));
    assert!(matches!(building.join().unwrap(), Err(StartError::NoRuntime)));
}

/// What was logged.
#[derive(Clone, Default)]
struct Logs(Arc<Mutex<Vec<u8>>>);

impl io::Write for Logs {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.lock().unwrap().extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}
