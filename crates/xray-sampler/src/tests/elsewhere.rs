//! Bugs of samplers for other languages, with a test for each.

use std::sync::Arc;
use std::time::Duration;

use opentelemetry::trace::{Span as _, SpanKind, Tracer as _, TracerProvider as _};
use opentelemetry::{Context, KeyValue};
use opentelemetry_sdk::trace::{
    ParentBasedSampler, Sampler, SamplingDecision, SdkTracerProvider, ShouldSample as _,
};
use serde_json::{Value, json};
use tracing_subscriber::layer::SubscriberExt as _;

use super::support::{DATE, ManualClock, UNSAMPLED, parsed, resource, rule};
use super::xray::{Fault, Status, XRay};
use crate::clock::Clock as _;
use crate::transport::Operation::{self, GetSamplingRules, GetSamplingTargets};
use crate::transport::{MAX_RESPONSE, Transport};
use crate::{HttpTransport, Poller, XRaySampler};

/// A sampler, and a poller that is driven by hand.
struct World {
    sampler: XRaySampler,
    poller: Poller<XRay>,
    xray: XRay,
    clock: Arc<ManualClock>,
}

impl World {
    async fn with(rules: &[Value]) -> Self {
        let (clock, xray) = (ManualClock::new(), XRay::with(rules));
        let sampler = XRaySampler::with_clock(&resource(&[("service.name", "orders")]), clock.clone());
        let mut poller = Poller::new(&sampler, xray.clone());
        poller.refresh().await;
        Self { sampler, poller, xray, clock }
    }

    fn decide_with(&self, attributes: &[KeyValue]) -> (bool, Option<String>) {
        let result = self.sampler.should_sample(None, UNSAMPLED, "", &SpanKind::Server, attributes, &[]);
        let rule = result.attributes.first().map(|attribute| attribute.value.to_string());
        (result.decision == SamplingDecision::RecordAndSample, rule)
    }

    fn decide(&self) -> bool {
        self.decide_with(&[]).0
    }

    /// Returns how many of twenty traces in one instant are sampled.
    fn sampled(&self) -> usize {
        (0..20).filter(|_| self.decide()).count()
    }

    /// Assigns a quota to the Default rule, until some seconds from now, with the next report.
    async fn assign(&mut self, quota: u32, seconds: f64) {
        let target = json!({ "ReservoirQuota": quota, "ReservoirQuotaTTL": self.clock.date() + seconds });
        self.xray.assign("Default", target);
        self.decide();
        self.poller.report().await;
        self.clock.advance(Duration::from_secs(1));
    }
}

fn default(changes: &Value) -> Value {
    rule("Default", changes)
}

/// Java and .NET match literals without regard to case, but not patterns with wildcards; Python neither.
#[tokio::test]
async fn case_is_ignored_in_literals_and_in_patterns() {
    let exact = rule("exact", &json!({ "HTTPMethod": "post", "URLPath": "/V1/Events", "FixedRate": 1.0 }));
    let pattern = rule("pattern", &json!({ "HTTPMethod": "POS?", "URLPath": "/V2/*", "FixedRate": 1.0 }));
    let world = World::with(&[exact, pattern, default(&json!({}))]).await;
    for (path, rule) in [("/v1/events", "exact"), ("/v2/events", "pattern")] {
        let attributes = [KeyValue::new("http.request.method", "Post"), KeyValue::new("url.path", path)];
        assert_eq!(world.decide_with(&attributes), (true, Some(rule.to_owned())));
    }
}

/// aws-otel-js-instrumentation #79: without a parent-based sampler around it, every span counts as a request.
#[tokio::test]
async fn traces_are_counted_and_not_spans() {
    let mut world = World::with(&[default(&json!({ "FixedRate": 1.0 }))]).await;
    // Without the parent-based sampler around it, as well as with it.
    for provider in [
        SdkTracerProvider::builder().with_sampler(world.sampler.clone()),
        SdkTracerProvider::builder().with_sampler(ParentBasedSampler::new(world.sampler.clone())),
        SdkTracerProvider::builder().with_sampler(Sampler::ParentBased(Box::new(world.sampler.clone()))),
    ] {
        let tracer = provider.build().tracer("test");
        tracer.in_span("root", |_| {
            for _ in 0..5 {
                tracer.in_span("child", |_| tracer.in_span("grandchild", |_| ()));
            }
        });
    }
    world.poller.report().await;
    assert_eq!(world.xray.documents()[0]["RequestCount"], 3);
}

/// Go #3619 and Java: any change replaces the state of all rules. .NET: a changed rule keeps its old rate.
#[tokio::test]
async fn a_changed_rule_takes_effect_and_leaves_the_quotas_of_others_alone() {
    let mut world = World::with(&[default(&json!({ "ReservoirSize": 10 }))]).await;
    world.assign(4, 300.0).await;
    let other = rule("other", &json!({ "URLPath": "/other" }));
    world.xray.modify(&[other, default(&json!({ "ReservoirSize": 10 }))], DATE);
    world.poller.refresh().await;
    assert_eq!(world.sampled(), 4);
    // A changed rate takes effect at once.
    world.xray.modify(&[default(&json!({ "FixedRate": 1.0 }))], DATE);
    world.poller.refresh().await;
    assert_eq!(world.sampled(), 20);
}

/// .NET #4638: of new rules and new targets that arrive together, one is lost.
#[tokio::test]
async fn rules_and_targets_that_arrive_together_are_both_applied() {
    let mut world = World::with(&[default(&json!({ "ReservoirSize": 10 }))]).await;
    // As if another poller ran on another thread.
    let shared = world.sampler.shared().clone();
    let fetching = std::thread::spawn(move || {
        for number in 0..500 {
            let other = rule("other", &json!({ "URLPath": "/other", "Priority": number + 1 }));
            shared.install([other, default(&json!({ "ReservoirSize": 10 }))].iter().map(parsed).collect());
        }
    });
    for quota in 1..100 {
        world.assign(quota % 10 + 1, 300.0).await;
        assert_eq!(world.sampled(), usize::try_from(quota % 10 + 1).unwrap());
    }
    fetching.join().unwrap();
    let other = [KeyValue::new("url.path", "/other")];
    world.decide_with(&other);
    let names: Vec<String> =
        world.sampler.shared().take_statistics().iter().map(|(name, _)| name.to_string()).collect();
    assert!(names.contains(&"other".to_owned()), "{names:?}");
}

/// Java ignores `LastRuleModification`, so that a modified rule takes effect minutes later.
#[tokio::test(start_paused = true)]
async fn modified_rules_take_effect_with_the_next_report() {
    let xray = XRay::with(&[default(&json!({}))]);
    let sampler = XRaySampler::new(&resource(&[]));
    tokio::spawn(Poller::new(&sampler, xray.clone()).run());
    xray.until(|xray| !xray.arrived(GetSamplingRules).is_empty()).await;
    tokio::time::sleep(Duration::from_secs(1)).await;
    xray.modify(&[default(&json!({ "FixedRate": 1.0 }))], DATE);
    let decide = || sampler.should_sample(None, UNSAMPLED, "", &SpanKind::Server, &[], &[]).decision;
    assert_eq!(decide(), SamplingDecision::Drop);
    tokio::time::sleep(Duration::from_secs(11)).await;
    assert_eq!(decide(), SamplingDecision::RecordAndSample);
}

/// .NET: an error empties the list of rules.
#[tokio::test]
async fn an_error_leaves_the_last_rules_in_use() {
    let mut world = World::with(&[default(&json!({ "FixedRate": 1.0 }))]).await;
    for fault in [Fault::Refused(500), Fault::Body(b"{}".to_vec()), Fault::Body(b"null".to_vec())] {
        world.xray.fail(GetSamplingRules, fault);
        world.poller.refresh().await;
        assert_eq!(world.sampled(), 20);
    }
}

/// .NET: an exception, such as for a `null`, ends polling.
#[tokio::test(start_paused = true)]
async fn polling_continues_after_any_response() {
    let xray = XRay::with(&[default(&json!({ "FixedRate": 1.0 }))]);
    let sampler = XRaySampler::new(&resource(&[]));
    tokio::spawn(Poller::new(&sampler, xray.clone()).run());
    let decide = || drop(sampler.should_sample(None, UNSAMPLED, "", &SpanKind::Server, &[], &[]));
    tokio::time::sleep(Duration::from_secs(1)).await;
    for body in
        ["null", "", "[]", "{\"SamplingTargetDocuments\": [null]}", "{\"LastRuleModification\": \"x\"}"]
    {
        for operation in [GetSamplingRules, GetSamplingTargets] {
            xray.fail(operation, Fault::Body(body.into()));
        }
        decide();
        let (rules, targets) = (xray.arrived(GetSamplingRules).len(), xray.arrived(GetSamplingTargets).len());
        tokio::time::sleep(Duration::from_secs(310)).await;
        assert!(xray.arrived(GetSamplingRules).len() > rules, "{body}");
        assert!(xray.arrived(GetSamplingTargets).len() > targets, "{body}");
    }
}

/// ADOT for Java #1298: empty statistics are reported. Java, .NET, JavaScript: more than 25 documents in one call.
#[tokio::test]
async fn only_rules_with_requests_are_reported_25_at_a_time() {
    let rules: Vec<Value> = (0..60)
        .map(|number| rule(&format!("rule-{number}"), &json!({ "URLPath": format!("/{number}") })))
        .collect();
    let mut world = World::with(&rules).await;
    world.poller.report().await;
    assert!(world.xray.arrived(GetSamplingTargets).is_empty(), "a call without statistics");
    for number in 0..26 {
        world.decide_with(&[KeyValue::new("url.path", format!("/{number}"))]);
    }
    world.poller.report().await;
    // The stand-in refuses more than 25 at once, as the service does.
    assert_eq!(world.xray.documents().len(), 26);
    assert!(world.sampler.shared().take_statistics().is_empty());
}

/// All: `NextToken` is ignored.
#[tokio::test]
async fn all_pages_of_rules_are_read() {
    let xray = XRay::with(&[
        rule("a", &json!({ "URLPath": "/a" })),
        rule("b", &json!({ "URLPath": "/b" })),
        default(&json!({ "FixedRate": 1.0 })),
    ]);
    let sampler = XRaySampler::new(&resource(&[]));
    Poller::new(&sampler, xray.paged_by(1)).refresh().await;
    let result = sampler.should_sample(None, UNSAMPLED, "", &SpanKind::Server, &[], &[]);
    assert_eq!(result.decision, SamplingDecision::RecordAndSample);
}

/// .NET #4316: missing attributes break parsing. Python: unknown fields do.
#[tokio::test]
async fn missing_attributes_and_unknown_fields_are_accepted() {
    let mut missing = rule("missing", &json!({ "URLPath": "/missing", "FixedRate": 1.0 }));
    missing.as_object_mut().unwrap().remove("Attributes");
    let null = rule("null", &json!({ "URLPath": "/null", "FixedRate": 1.0, "Attributes": null }));
    let boost = json!({ "MaxRate": 0.5, "CooldownWindowMinutes": 5, "DisableDefaultAnomalyDetection": true });
    let new = json!({ "URLPath": "/new", "FixedRate": 1.0, "SamplingRateBoost": boost, "Tomorrow": [1, {}] });
    let world = World::with(&[missing, null, rule("new", &new), default(&json!({}))]).await;
    for name in ["missing", "null", "new"] {
        let path = KeyValue::new("url.path", format!("/{name}"));
        assert_eq!(world.decide_with(&[path]), (true, Some(name.to_owned())));
    }
}

/// .NET GHSA-28xm-prxc-5866: a response of any length is read. .NET #4858: a pattern may take forever as a regex.
#[tokio::test]
async fn the_length_of_a_response_and_the_time_of_a_match_are_bounded() {
    let mut world = World::with(&[default(&json!({ "FixedRate": 1.0 }))]).await;
    let mut huge = json!({ "SamplingRuleRecords": [{ "SamplingRule": default(&json!({})) }] }).to_string();
    huge.push_str(&" ".repeat(MAX_RESPONSE));
    world.xray.fail(GetSamplingRules, Fault::Body(huge.into()));
    world.poller.refresh().await;
    assert_eq!(world.sampled(), 20, "also refused if the transport read it");

    let catastrophic = rule("catastrophic", &json!({ "URLPath": "*a".repeat(60) + "b" }));
    let world = World::with(&[catastrophic, default(&json!({ "FixedRate": 1.0 }))]).await;
    assert!(world.decide_with(&[KeyValue::new("url.path", "a".repeat(8_000))]).0);
}

/// Without a special case, which only JavaScript has, the Default rule may not match.
#[tokio::test]
async fn the_default_rule_always_matches_and_comes_last() {
    let never = json!({ "FixedRate": 1.0, "Priority": 1, "ServiceName": "x", "Host": "x", "Attributes": { "x": "x" } });
    let world = World::with(&[default(&never), rule("a", &json!({ "URLPath": "/a" }))]).await;
    assert_eq!(world.decide_with(&[]), (true, Some("Default".to_owned())));
    assert!(!world.decide_with(&[KeyValue::new("url.path", "/a")]).0, "a rule that matches comes first");
}

/// .NET compares the validity of a quota with the wall clock each time.
#[tokio::test]
async fn adjusting_the_clock_neither_ends_nor_extends_a_quota() {
    let mut world = World::with(&[default(&json!({ "ReservoirSize": 10 }))]).await;
    world.assign(4, 300.0).await;
    world.clock.step(86_400.0);
    assert_eq!(world.sampled(), 4, "a clock set forward ends nothing");
    world.clock.step(-172_800.0);
    world.clock.advance(Duration::from_mins(5));
    assert_eq!(world.sampled(), 1, "a clock set back extends nothing");
}

/// Java and .NET stop borrowing after a target without a quota, and after a quota has expired.
#[tokio::test]
async fn borrowing_continues_without_a_quota_and_resumes_after_one() {
    let mut world = World::with(&[default(&json!({ "ReservoirSize": 10 }))]).await;
    world.xray.assign("Default", json!({ "FixedRate": 0.0, "Interval": 10 }));
    world.decide();
    world.poller.report().await;
    world.clock.advance(Duration::from_secs(1));
    assert_eq!(world.sampled(), 1, "no quota yet");
    world.assign(4, 60.0).await;
    assert_eq!(world.sampled(), 4);
    world.clock.advance(Duration::from_mins(1));
    assert_eq!(world.sampled(), 1, "the quota has expired");
}

/// Java: of several rules that match, the last one counted (adaptive sampling).
#[tokio::test]
async fn the_first_matching_rule_decides_and_is_the_only_one_counted() {
    let first = rule("first", &json!({ "Priority": 1, "FixedRate": 1.0 }));
    let mut world =
        World::with(&[default(&json!({})), rule("second", &json!({ "Priority": 2 })), first]).await;
    assert_eq!(world.decide_with(&[]), (true, Some("first".to_owned())));
    world.poller.report().await;
    let reported: Vec<Value> =
        world.xray.documents().iter().map(|document| document["RuleName"].clone()).collect();
    assert_eq!(reported, ["first"]);
}

/// A transport that is instrumented, as an SDK's client is.
struct Instrumented {
    xray: XRay,
    tracer: opentelemetry_sdk::trace::SdkTracer,
}

impl Transport for Instrumented {
    type Error = Status;

    async fn post(&self, operation: Operation, body: Vec<u8>) -> Result<Vec<u8>, Status> {
        let span = tracing::info_span!("request");
        assert!(span.is_disabled());
        let mut otel = self.tracer.start("request");
        let answer = self.xray.post(operation, body).await;
        assert!(!otel.is_recording(), "also after the task resumed");
        assert!(!self.tracer.start("response").is_recording());
        otel.end();
        answer
    }
}

/// Without suppression, which JavaScript added, the calls are traced themselves.
#[tokio::test]
async fn the_poller_does_not_trace_itself() {
    let world = World::with(&[default(&json!({ "FixedRate": 1.0 }))]).await;
    let provider = SdkTracerProvider::builder().with_sampler(world.sampler.clone()).build();
    let layer = tracing_opentelemetry::layer().with_tracer(provider.tracer("test"));
    let _subscriber = tracing::subscriber::set_default(tracing_subscriber::registry().with(layer));
    // The poller may run within a span.
    let span = tracing::info_span!("service").entered();
    assert!(!span.is_disabled());
    let transport = Instrumented { xray: world.xray.clone(), tracer: provider.tracer("test") };
    let mut poller = Poller::new(&world.sampler, transport);
    world.sampler.shared().take_statistics();
    world.decide();
    poller.refresh().await;
    poller.report().await;
    assert!(!Context::is_current_telemetry_suppressed());
    assert_eq!(world.xray.documents()[0]["RequestCount"], 1, "the trace before the calls");
    assert!(world.sampler.shared().take_statistics().is_empty(), "a call was counted as a trace");
}

/// aws-otel.github.io #235: an endpoint without a scheme fails obscurely.
#[test]
fn an_endpoint_without_a_scheme_is_refused_with_an_example() {
    let error = HttpTransport::new("localhost:2000").unwrap_err().to_string();
    assert!(error.contains("http://localhost:2000"), "{error}");
}

/// Java #1959: only former attribute names are matched. The X-Ray SDK for Python #323: absent ones match everything.
#[tokio::test]
async fn current_and_former_names_are_matched_and_absent_values_are_not() {
    let health = rule("health", &json!({ "URLPath": "/health", "FixedRate": 1.0 }));
    let world = World::with(&[health, default(&json!({}))]).await;
    for path in [
        KeyValue::new("url.path", "/health"),
        KeyValue::new("url.full", "http://example.com/health?deep=1"),
        KeyValue::new("http.target", "/health?deep=1"),
        KeyValue::new("http.url", "http://example.com/health"),
    ] {
        assert_eq!(world.decide_with(&[path]), (true, Some("health".to_owned())));
    }
    assert!(!world.decide(), "a span without a path");
}
