use opentelemetry::trace::{
    SpanContext, SpanId, SpanKind, TraceContextExt as _, TraceFlags, TraceState, Tracer as _,
    TracerProvider as _,
};
use opentelemetry::{Context, KeyValue, TraceId};
use opentelemetry_sdk::trace::{
    ParentBasedSampler, SamplingDecision, SamplingResult, SdkTracerProvider, ShouldSample as _, SpanData,
};
use serde_json::{Value, json};
use tracing_opentelemetry::OpenTelemetrySpanExt as _;
use tracing_subscriber::layer::SubscriberExt as _;

use super::{SAMPLING_RULE, XRaySampler};
use crate::statistics::Counts;
use crate::tests::support::{Finished, ManualClock, UNSAMPLED, parsed, resource, rule};

fn sampler(rules: &[Value]) -> XRaySampler {
    let sampler = XRaySampler::with_clock(&resource(&[("service.name", "orders")]), ManualClock::new());
    sampler.shared().install(rules.iter().map(parsed).collect());
    sampler
}

fn events_and_default() -> XRaySampler {
    let events = json!({ "URLPath": "/v1/events", "HTTPMethod": "POST", "FixedRate": 1.0 });
    sampler(&[rule("events", &events), rule("Default", &json!({}))])
}

fn requests(sampler: &XRaySampler) -> Vec<(String, u64)> {
    let taken = sampler.shared().take_statistics();
    taken.into_iter().map(|(name, taken)| (name.to_string(), taken.counts().unwrap().requests)).collect()
}

fn below(is_sampled: bool) -> Context {
    let flags = TraceFlags::default().with_sampled(is_sampled);
    let state = TraceState::from_key_value([("vendor", "value")]).unwrap();
    let span = SpanContext::new(TraceId::from(7), SpanId::from(7), flags, true, state);
    Context::new().with_remote_span_context(span)
}

fn ask(sampler: &XRaySampler, parent: Option<&Context>) -> SamplingResult {
    sampler.should_sample(parent, UNSAMPLED, "GET /", &SpanKind::Server, &[], &[])
}

#[test]
fn rules_decide_about_a_root_and_its_attribute_names_the_rule() {
    let sampler = sampler(&[rule("Default", &json!({ "FixedRate": 1.0 }))]);
    for parent in [None, Some(&Context::new())] {
        let result = ask(&sampler, parent);
        assert_eq!(result.decision, SamplingDecision::RecordAndSample);
        assert_eq!(result.attributes, [KeyValue::new(SAMPLING_RULE, "Default")]);
        assert_eq!(result.trace_state, TraceState::default());
    }
    assert_eq!(requests(&sampler), [("Default".to_owned(), 2)]);
}

#[test]
fn a_trace_that_is_not_sampled_has_no_attributes() {
    let result = ask(&sampler(&[rule("Default", &json!({}))]), None);
    assert_eq!(result.decision, SamplingDecision::Drop);
    assert!(result.attributes.is_empty());
}

#[test]
fn a_valid_parent_is_followed_and_not_counted() {
    for (rate, is_sampled) in [(0.0, true), (1.0, false)] {
        let sampler = sampler(&[rule("Default", &json!({ "FixedRate": rate }))]);
        let result = ask(&sampler, Some(&below(is_sampled)));
        assert_eq!(result.decision == SamplingDecision::RecordAndSample, is_sampled);
        assert!(result.attributes.is_empty());
        assert_eq!(result.trace_state.get("vendor"), Some("value"));
        assert!(requests(&sampler).is_empty());
    }
}

#[test]
fn a_trace_with_a_parent_is_decided_and_counted_on_demand() {
    let sampler = sampler(&[rule("Default", &json!({ "FixedRate": 1.0 }))]).deciding_below_parents();
    let result = ask(&sampler, Some(&below(false)));
    assert_eq!(result.decision, SamplingDecision::RecordAndSample);
    assert_eq!(result.attributes, [KeyValue::new(SAMPLING_RULE, "Default")]);
    assert_eq!(result.trace_state.get("vendor"), Some("value"));
    assert_eq!(requests(&sampler), [("Default".to_owned(), 1)]);
}

#[test]
fn clones_share_rules_limits_and_statistics() {
    let sampler = sampler(&[rule("Default", &json!({ "ReservoirSize": 1 }))]);
    let boxed: Box<dyn opentelemetry_sdk::trace::ShouldSample> = Box::new(sampler.clone());
    let decision = |sampler: &dyn opentelemetry_sdk::trace::ShouldSample| {
        sampler.should_sample(None, UNSAMPLED, "", &SpanKind::Server, &[], &[]).decision
    };
    assert_eq!(decision(&*boxed), SamplingDecision::RecordAndSample);
    assert_eq!(decision(&sampler), SamplingDecision::Drop);
    let counts = sampler.shared().take_statistics()[0].1.counts();
    assert_eq!(counts, Some(Counts { requests: 2, sampled: 1, borrowed: 1 }));
}

impl Finished {
    /// Returns the name of each span, with the rule that sampled it.
    fn with_rules(&self) -> Vec<(String, Option<String>)> {
        let rule = |span: &SpanData| {
            let attribute =
                span.attributes.iter().find(|attribute| attribute.key.as_str() == SAMPLING_RULE)?;
            Some(attribute.value.as_str().into_owned())
        };
        self.0.lock().unwrap().iter().map(|span| (span.name.to_string(), rule(span))).collect()
    }
}

fn provider(sampler: &XRaySampler) -> (SdkTracerProvider, Finished) {
    let finished = Finished::default();
    let provider = SdkTracerProvider::builder()
        .with_sampler(ParentBasedSampler::new(sampler.clone()))
        .with_span_processor(finished.clone())
        .build();
    (provider, finished)
}

#[test]
fn with_the_sdk_a_trace_is_counted_once_and_only_its_root_names_the_rule() {
    let sampler = events_and_default();
    let (provider, finished) = provider(&sampler);
    let tracer = provider.tracer("test");
    let attributes = [KeyValue::new("url.path", "/v1/events"), KeyValue::new("http.request.method", "POST")];
    let root = tracer.span_builder("POST /v1/events").with_attributes(attributes).start(&tracer);
    let context = Context::new().with_span(root);
    for _ in 0..10 {
        drop(tracer.span_builder("child").start_with_context(&tracer, &context));
    }
    drop(context);
    drop(tracer.span_builder("GET /").start(&tracer));
    let spans = finished.with_rules();
    assert_eq!(spans.len(), 11, "the other trace is not sampled");
    assert!(spans.contains(&("POST /v1/events".to_owned(), Some("events".to_owned()))));
    assert_eq!(spans.iter().filter(|(_, rule)| rule.is_some()).count(), 1);
    assert_eq!(requests(&sampler), [("events".to_owned(), 1), ("Default".to_owned(), 1)]);
}

#[test]
fn attributes_set_before_a_span_of_tracing_is_entered_are_matched() {
    let sampler = events_and_default();
    let (provider, finished) = provider(&sampler);
    let layer = tracing_opentelemetry::layer().with_tracer(provider.tracer("test"));
    tracing::subscriber::with_default(tracing_subscriber::registry().with(layer), || {
        let span = tracing::info_span!(parent: None, "request", otel.kind = "server");
        span.set_parent(Context::new()).unwrap();
        span.set_attribute("url.path", "/v1/events");
        span.set_attribute("http.request.method", "POST");
        span.in_scope(|| ());
    });
    assert_eq!(finished.with_rules(), [("request".to_owned(), Some("events".to_owned()))]);
}
