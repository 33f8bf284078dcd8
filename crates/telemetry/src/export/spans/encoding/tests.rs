use std::time::Duration;

use opentelemetry::TraceId;
use opentelemetry::trace::{SpanKind, TraceFlags, TraceState};
use opentelemetry_proto::tonic::collector::trace::v1::ExportTraceServiceRequest;
use opentelemetry_proto::transform::trace::tonic::group_spans_by_resource_and_scope;
use opentelemetry_sdk::trace::{SpanEvents, SpanLinks};

use super::*;

fn context(remote: bool, state: TraceState) -> SpanContext {
    let (trace, span) = (TraceId::from(u128::MAX / 7), SpanId::from(u64::MAX / 5));
    SpanContext::new(trace, span, TraceFlags::SAMPLED, remote, state)
}

fn bare(scope: &InstrumentationScope) -> SpanData {
    SpanData {
        span_context: context(false, TraceState::NONE),
        parent_span_id: SpanId::INVALID,
        parent_span_is_remote: false,
        span_kind: SpanKind::Internal,
        name: "".into(),
        start_time: UNIX_EPOCH,
        end_time: UNIX_EPOCH - Duration::from_secs(1),
        attributes: Vec::new(),
        dropped_attributes_count: 0,
        events: SpanEvents::default(),
        links: SpanLinks::default(),
        status: Status::Unset,
        instrumentation_scope: scope.clone(),
    }
}

/// Values of every kind, the defaults among them.
fn attributes() -> Vec<KeyValue> {
    let arrays = [
        Array::Bool(vec![true, false]),
        Array::I64(vec![0, -1, i64::MAX]),
        Array::F64(vec![0.0, 0.5]),
        Array::String(vec!["".into(), "a".repeat(200).into()]),
        Array::String(Vec::new()),
    ];
    let values = [
        Value::Bool(true),
        Value::Bool(false),
        Value::I64(0),
        Value::I64(300),
        Value::I64(i64::MIN),
        Value::F64(0.0),
        Value::F64(-1.5),
        "".into(),
        "Müller".into(),
        // Around the lengths at which the length of the length changes.
        "a".repeat(100).into(),
        "a".repeat(127).into(),
        "a".repeat(128).into(),
        "a".repeat(20_000).into(),
    ];
    let all = values.into_iter().chain(arrays.map(Value::Array));
    all.enumerate().map(|(index, value)| KeyValue::new(format!("key.{index}"), value)).collect()
}

fn full(scope: &InstrumentationScope) -> SpanData {
    let at = UNIX_EPOCH + Duration::from_nanos(1_700_000_000_123_456_789);
    let state = TraceState::from_key_value([("a", "1"), ("b", "2")]).unwrap();
    let mut events = SpanEvents::default();
    events.events = vec![Event::new("exception", at, attributes(), 3), Event::with_name("")];
    events.dropped_count = 4;
    let mut links = SpanLinks::default();
    links.links = vec![Link::new(context(true, state.clone()), attributes(), 5)];
    links.dropped_count = 6;
    SpanData {
        span_context: context(false, state),
        parent_span_id: SpanId::from(7),
        parent_span_is_remote: true,
        span_kind: SpanKind::Consumer,
        name: "process members".into(),
        start_time: at,
        end_time: at + Duration::from_millis(3),
        attributes: attributes(),
        dropped_attributes_count: 2,
        events,
        links,
        status: Status::error("no"),
        instrumentation_scope: scope.clone(),
    }
}

/// What the generated types make of the same spans.
fn generated(spans: Vec<SpanData>, resource: &Resource) -> ExportTraceServiceRequest {
    let resource_spans = group_spans_by_resource_and_scope(spans, &resource.into());
    ExportTraceServiceRequest { resource_spans }
}

#[test]
fn a_request_is_what_the_generated_types_write() {
    let plain = InstrumentationScope::builder("telemetry").build();
    let described = InstrumentationScope::builder("other")
        .with_version("1")
        .with_schema_url("https://schema.test/scope")
        .with_attributes(attributes())
        .build();
    let ok = SpanData { status: Status::Ok, span_kind: SpanKind::Server, ..full(&described) };
    let mut spans = vec![bare(&plain), full(&described), full(&plain), ok];
    for span_kind in [SpanKind::Client, SpanKind::Producer] {
        spans.push(SpanData { span_kind, ..bare(&plain) });
    }
    let resources = [
        Resource::builder_empty().build(),
        Resource::builder_empty().with_schema_url(attributes(), "https://schema.test/resource").build(),
    ];
    for resource in resources {
        for spans in [&spans[..], &spans[..1]] {
            let written = Encoder::new(&resource).encode(spans);
            let expected = generated(spans.to_vec(), &resource);
            assert_eq!(ExportTraceServiceRequest::decode(&*written).unwrap(), expected);
            // Byte for byte, so that nothing is there that a lenient reader passes over.
            assert_eq!(written.len(), expected.encoded_len());
        }
    }
}
