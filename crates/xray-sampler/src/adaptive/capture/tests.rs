use std::sync::Arc;
use std::time::Duration;

use opentelemetry::trace::{
    SpanContext, SpanId, SpanKind, Status, TraceContextExt as _, TraceFlags, TraceState, Tracer as _,
    TracerProvider as _,
};
use opentelemetry::{Context, KeyValue, TraceId};
use opentelemetry_sdk::trace::SdkTracerProvider;
use serde_json::json;

use super::Capture;
use crate::XRaySampler;
use crate::tests::support::{Finished, ManualClock, parsed, resource, rule};

impl Finished {
    fn take(&self) -> Vec<String> {
        let spans = std::mem::take(&mut *self.0.lock().unwrap());
        assert!(spans.iter().all(|span| span.span_context.is_sampled()), "{spans:?}");
        spans.iter().map(|span| span.name.to_string()).collect()
    }
}

/// A service whose rules sample only the path `/sampled`.
struct Service {
    sampler: XRaySampler,
    tracers: SdkTracerProvider,
    passed: Finished,
    clock: Arc<ManualClock>,
}

impl Service {
    fn start(config: &str) -> Self {
        let (passed, clock) = (Finished::default(), ManualClock::new());
        let sampler = XRaySampler::with_clock(&resource(&[]), clock.clone()).recording_unsampled();
        let boost = json!({"MaxRate": 1.0, "CooldownWindowMinutes": 5});
        let all = json!({"FixedRate": 1.0, "URLPath": "/sampled", "Priority": 1, "SamplingRateBoost": boost});
        let default = rule("Default", &json!({"SamplingRateBoost": boost}));
        let without = rule("without", &json!({"URLPath": "/without", "Priority": 2}));
        sampler.shared().install([rule("sampled", &all), without, default].iter().map(parsed).collect());
        let capture = Capture::with_clock(passed.clone(), config.parse().unwrap(), clock.clone());
        let tracers = SdkTracerProvider::builder()
            .with_sampler(sampler.clone())
            .with_span_processor(capture.reporting_to(&sampler))
            .build();
        Self { sampler, tracers, passed, clock }
    }

    /// Handles a request below a parent, with a call that ends before it and another that ends after it.
    fn handle(&self, parent: &Context, path: &'static str, status: i64) {
        let tracer = self.tracers.tracer("test");
        let builder = tracer
            .span_builder("request")
            .with_kind(SpanKind::Server)
            .with_attributes([KeyValue::new("url.path", path)]);
        let request = parent.with_span(builder.start_with_context(&tracer, parent));
        let call = request.with_span(tracer.start_with_context("call", &request));
        let inner = call.with_span(tracer.start_with_context("inner", &call));
        let late = request.with_span(tracer.start_with_context("late", &request));
        request.span().set_attribute(KeyValue::new("http.response.status_code", status));
        for done in [inner, call, request, late] {
            done.span().end();
        }
    }
}

const ALL: [&str; 4] = ["inner", "call", "request", "late"];

fn caller(is_sampled: bool) -> Context {
    let flags = TraceFlags::default().with_sampled(is_sampled);
    let span = SpanContext::new(TraceId::from(7), SpanId::from(7), flags, true, TraceState::default());
    Context::new().with_remote_span_context(span)
}

#[test]
fn a_failed_request_that_no_rule_sampled_is_passed_on_with_everything_below_it() {
    let service = Service::start("version: 1.0");
    service.handle(&Context::new(), "/", 503);
    assert_eq!(service.passed.take(), ALL);
    service.handle(&Context::new(), "/", 202);
    assert!(service.passed.take().is_empty());
}

#[test]
fn a_sampled_trace_is_passed_on_as_it_ends() {
    let service = Service::start("version: 1.0");
    for status in [202, 503] {
        service.handle(&Context::new(), "/sampled", status);
        assert_eq!(service.passed.take(), ALL);
    }
}

#[test]
fn a_callers_decision_is_never_overruled() {
    let service = Service::start("version: 1.0");
    service.handle(&caller(false), "/", 503);
    assert!(service.passed.take().is_empty());
    service.handle(&caller(true), "/", 202);
    assert_eq!(service.passed.take(), ALL);
}

#[test]
fn captures_are_limited_per_second() {
    let service = Service::start("{version: 1.0, anomalyCaptureLimit: {anomalyTracesPerSecond: 2}}");
    for _ in 0..5 {
        service.handle(&Context::new(), "/", 500);
    }
    assert_eq!(service.passed.take().len(), 2 * ALL.len());
    service.clock.advance(Duration::from_secs(1));
    service.handle(&Context::new(), "/", 500);
    assert_eq!(service.passed.take(), ALL);
    let off = Service::start("{version: 1.0, anomalyCaptureLimit: {anomalyTracesPerSecond: 0}}");
    off.handle(&Context::new(), "/", 500);
    assert!(off.passed.take().is_empty());
}

#[test]
fn an_error_without_a_status_counts_and_names_the_rule_that_did_not_sample_it() {
    let service = Service::start("version: 1.0");
    let tracer = service.tracers.tracer("test");
    let sweep = Context::new().with_span(tracer.start("sweep"));
    assert!(!sweep.span().span_context().is_sampled(), "what follows is told that it is not sampled");
    sweep.span().set_status(Status::error("broken"));
    sweep.span().end();
    let spans = service.passed.0.lock().unwrap();
    assert_eq!(spans[0].attributes, [KeyValue::new("aws.xray.sampling_rule", "Default")]);
}

/// Returns the name of each rule with its traces that have ended, the anomalous ones, and the sampled ones of these.
fn ended(service: &Service) -> Vec<(String, [u64; 3])> {
    let taken = service.sampler.shared().take_statistics().into_iter();
    let ended = taken.filter_map(|(name, taken)| Some((name, taken.anomalies()?)));
    ended
        .map(|(name, one)| (name.to_string(), [one.total(), one.anomalies(), one.sampled_anomalies()]))
        .collect()
}

#[test]
fn traces_of_rules_that_may_be_boosted_are_counted_with_their_anomalies() {
    let service = Service::start("version: 1.0");
    for (path, status) in [("/", 503), ("/", 500), ("/", 202), ("/sampled", 503), ("/without", 503)] {
        service.handle(&Context::new(), path, status);
    }
    service.handle(&caller(true), "/", 503);
    service.handle(&caller(false), "/", 503);
    assert_eq!(ended(&service), [("sampled".to_owned(), [1, 1, 1]), ("Default".to_owned(), [3, 2, 0])]);
    assert_eq!(ended(&service), []);
}

#[test]
fn conditions_may_be_for_a_boost_alone() {
    let service =
        Service::start("{version: 1.0, anomalyConditions: [{errorCodeRegex: '^4', usage: sampling-boost}]}");
    service.handle(&Context::new(), "/", 404);
    service.handle(&Context::new(), "/", 503);
    assert!(service.passed.take().is_empty());
    assert_eq!(ended(&service), [("Default".to_owned(), [2, 1, 0])]);
}

#[test]
fn a_rule_can_turn_the_default_off() {
    let service = Service::start("version: 1.0");
    let boost = json!({"MaxRate": 1.0, "CooldownWindowMinutes": 5, "DisableDefaultAnomalyDetection": true});
    let default = rule("Default", &json!({"SamplingRateBoost": boost}));
    service.sampler.shared().install(vec![parsed(&default)]);
    service.handle(&Context::new(), "/", 503);
    assert_eq!(ended(&service), [("Default".to_owned(), [1, 0, 0])]);
    assert_eq!(service.passed.take(), ALL, "it is about the boost alone");
}
