//! The exporter's rules, shown by documents. Times, ids and strings are examples.

use opentelemetry_proto::tonic::common::v1::any_value::Value as Any;
use opentelemetry_proto::tonic::common::v1::{AnyValue, ArrayValue, KeyValue};
use opentelemetry_proto::tonic::trace::v1::span::{Event, Link, SpanKind};
use opentelemetry_proto::tonic::trace::v1::status::StatusCode;
use opentelemetry_proto::tonic::trace::v1::{Span, Status};
use serde_json::json;
use xray::{AnnotationValue, Cause, Exception, Segment};

use super::source::Untranslatable;
use super::{Attributes, documents};

mod blocks;

pub(crate) const TRACE: [u8; 16] = *b"\x57\x59\xe9\x88some trace!!";
const PARENT: [u8; 8] = [9; 8];

pub(crate) fn text(value: &str) -> Any {
    Any::StringValue(value.to_owned())
}

fn texts(values: &[&str]) -> Any {
    let values = values.iter().map(|value| AnyValue { value: Some(text(value)) }).collect();
    Any::ArrayValue(ArrayValue { values })
}

pub(crate) fn pairs(pairs: &[(&str, Any)]) -> Vec<KeyValue> {
    let pair = |(key, value): &(&str, Any)| KeyValue {
        key: (*key).to_owned(),
        value: Some(AnyValue { value: Some(value.clone()) }),
        ..KeyValue::default()
    };
    pairs.iter().map(pair).collect()
}

/// A span with a parent, one and a half seconds long.
pub(crate) fn span(kind: SpanKind, name: &str, attributes: &[(&str, Any)]) -> Span {
    Span {
        trace_id: TRACE.to_vec(),
        span_id: vec![1; 8],
        parent_span_id: PARENT.to_vec(),
        name: name.to_owned(),
        kind: kind.into(),
        start_time_unix_nano: 1_465_510_280_250_000_000,
        end_time_unix_nano: 1_465_510_281_750_000_000,
        attributes: pairs(attributes),
        ..Span::default()
    }
}

fn without_parent(span: Span) -> Span {
    Span { parent_span_id: Vec::new(), ..span }
}

fn failed(span: Span, message: &str) -> Span {
    Span { status: Some(Status { code: StatusCode::Error.into(), message: message.to_owned() }), ..span }
}

pub(crate) fn fargate() -> Vec<KeyValue> {
    pairs(&[
        ("service.name", text("foostore-membership")),
        ("service.version", text("1.2.0")),
        ("cloud.provider", text("aws")),
        ("cloud.platform", text("aws_ecs")),
        ("aws.ecs.launchtype", text("fargate")),
        ("aws.ecs.task.arn", text("arn:aws:ecs:eu-central-1:000000000000:task/t")),
        ("telemetry.sdk.name", text("opentelemetry")),
        ("telemetry.sdk.language", text("rust")),
        ("telemetry.sdk.version", text("0.33.1")),
    ])
}

fn all(span: &Span) -> Vec<Segment> {
    documents(span, &Attributes::new(&fargate()), &[]).unwrap()
}

fn one(span: &Span) -> Segment {
    let mut documents = all(span);
    assert_eq!(documents.len(), 1);
    documents.remove(0)
}

fn exceptions(segment: &Segment) -> &[Exception] {
    match &segment.cause {
        Some(Cause::Detail(detail)) => &detail.exceptions,
        _ => &[],
    }
}

/// Whether the document is a subsegment, its name, its namespace.
fn shape(segment: &Segment) -> (bool, &str, Option<&str>) {
    (segment.is_subsegment(), &segment.name, segment.namespace.as_deref())
}

#[test]
fn a_server_span_is_a_segment_named_after_its_service() {
    let segment = one(&span(SpanKind::Server, "POST /v1/events", &[]));
    assert_eq!(shape(&segment), (false, "foostore-membership", None));
    assert_eq!(segment.origin.as_deref(), Some("AWS::ECS::Fargate"));
    assert_eq!(segment.trace_id.unwrap().to_string(), "1-5759e988-736f6d652074726163652121");
    assert_eq!(segment.id.to_string(), "0101010101010101");
    assert_eq!(segment.parent_id.unwrap().to_string(), "0909090909090909");
    assert_eq!((segment.start_time, segment.end_time), (1_465_510_280.25, Some(1_465_510_281.75)));
    assert_eq!(segment.service.unwrap().version.as_deref(), Some("1.2.0"));
    let aws = segment.aws.unwrap();
    assert_eq!(aws.ecs.unwrap().launch_type.as_deref(), Some("fargate"));
    assert_eq!(aws.xray.unwrap().sdk.as_deref(), Some("opentelemetry for rust"));
}

#[test]
fn a_consumer_span_is_a_segment_named_after_the_span() {
    let name = "process foostore-membership";
    assert_eq!(shape(&one(&span(SpanKind::Consumer, name, &[]))), (false, name, None));
    let local = [("aws.local.service", text("foostore-membership"))];
    assert_eq!(shape(&one(&span(SpanKind::Consumer, name, &local))), (false, name, None));
}

#[test]
fn a_consumer_span_can_say_that_its_segment_is_its_service() {
    for key in ["aws.remote.service", "peer.service"] {
        let attributes = [(key, text("foostore-membership"))];
        let segment = one(&span(SpanKind::Consumer, "process queue", &attributes));
        assert_eq!(shape(&segment), (false, "foostore-membership", None), "{key}");
        assert_eq!(segment.metadata["default"]["otel.resource.service.name"], "foostore-membership");
    }
}

#[test]
fn a_local_root_that_consumes_is_a_segment_and_a_subsegment_in_it() {
    let attributes = [
        ("aws.span.kind", text("LOCAL_ROOT")),
        ("aws.local.service", text("membership")),
        ("aws.remote.service", text("queue")),
        ("messaging.system", text("aws_sqs")),
    ];
    let mut consumer = span(SpanKind::Consumer, "process queue", &attributes);
    consumer.links.push(Link { trace_id: TRACE.to_vec(), span_id: vec![7; 8], ..Link::default() });
    let documents = all(&consumer);
    let [dependency, service] = documents.as_slice() else { panic!("two documents") };

    assert_eq!(shape(service), (false, "membership", None));
    assert_eq!(service.parent_id.unwrap().to_string(), "0909090909090909");
    assert_eq!(service.links.len(), 1);
    let kept = service.metadata["default"].as_object().unwrap();
    assert!(kept.keys().all(|key| key.starts_with("otel.resource.")));

    assert_eq!(shape(dependency), (true, "queue", Some("remote")));
    assert_eq!(dependency.id.to_string(), "0101010101010101");
    assert_eq!(dependency.parent_id, Some(service.id));
    assert!(dependency.links.is_empty());
}

#[test]
fn a_local_root_that_is_no_call_is_a_segment() {
    let attributes = [("aws.span.kind", text("LOCAL_ROOT")), ("aws.local.service", text("membership"))];
    assert_eq!(shape(&one(&span(SpanKind::Internal, "tick", &attributes))), (false, "membership", None));
}

#[test]
fn a_local_root_without_a_local_name_is_named_after_its_service() {
    let consumer = span(SpanKind::Consumer, "process queue", &[("aws.span.kind", text("LOCAL_ROOT"))]);
    let names: Vec<_> = all(&consumer).into_iter().map(|segment| segment.name).collect();
    assert_eq!(names, ["process queue", "foostore-membership"]);
}

#[test]
fn a_span_in_progress_has_no_end() {
    let attributes = [("aws.xray.inprogress", Any::BoolValue(true))];
    let segment = one(&span(SpanKind::Server, "begun", &attributes));
    assert_eq!((segment.end_time, segment.in_progress), (None, Some(true)));
    assert!(!segment.metadata["default"].as_object().unwrap().contains_key("aws.xray.inprogress"));
}

#[test]
fn an_internal_span_is_a_subsegment_if_it_has_a_parent() {
    let internal = span(SpanKind::Internal, "validate", &[]);
    assert_eq!(shape(&one(&internal)), (true, "validate", None));
    assert_eq!(shape(&one(&without_parent(internal))), (false, "validate", None));
}

#[test]
fn a_call_of_the_aws_sdk_is_a_subsegment_named_after_the_service_called() {
    let attributes = [
        ("rpc.system", text("aws-api")),
        ("rpc.service", text("DynamoDB")),
        ("rpc.method", text("TransactWriteItems")),
        ("aws.region", text("eu-central-1")),
        ("aws.request_id", text("4KBNV")),
        ("aws.queue_url", text("https://sqs/q")),
        ("aws.dynamodb.table_names", texts(&["foostore-local-members"])),
    ];
    for kind in [SpanKind::Client, SpanKind::Producer] {
        let segment = one(&span(kind, "DynamoDB.TransactWriteItems", &attributes));
        assert_eq!(shape(&segment), (true, "DynamoDB", Some("aws")));
        let metadata = json!({
            "rpc.system": "aws-api", "rpc.service": "DynamoDB", "aws.dynamodb.table_names": ["foostore-local-members"]
        });
        assert_eq!(segment.metadata["default"], metadata);
        let aws = segment.aws.unwrap();
        assert_eq!(aws.operation.as_deref(), Some("TransactWriteItems"));
        assert_eq!(aws.region.as_deref(), Some("eu-central-1"));
        assert_eq!(aws.request_id.as_deref(), Some("4KBNV"));
        assert_eq!(aws.queue_url.as_deref(), Some("https://sqs/q"));
        assert_eq!(
            (aws.table_name.as_deref(), aws.table_names),
            (Some("foostore-local-members"), Vec::new())
        );
    }
}

#[test]
fn an_aws_call_with_the_newer_attribute_only_is_any_remote_call() {
    let attributes = [("rpc.system.name", text("aws-api")), ("rpc.method", text("DynamoDB/PutItem"))];
    let segment = one(&span(SpanKind::Client, "DynamoDB.PutItem", &attributes));
    assert_eq!(shape(&segment), (true, "DynamoDB.PutItem", Some("remote")));
    assert_eq!(shape(&one(&span(SpanKind::Producer, "send bus", &[]))), (true, "send bus", Some("remote")));
}

#[test]
fn the_prefix_of_an_aws_services_name_is_cut() {
    for (name, wanted) in [("AWS.SDK.DynamoDB", "DynamoDB"), ("AWS::SNS", "SNS"), ("SQS", "SQS")] {
        let attributes = [("rpc.system", text("aws-api")), ("aws.remote.service", text(name))];
        assert_eq!(one(&span(SpanKind::Client, "c", &attributes)).name, wanted);
    }
}

#[test]
fn names_are_taken_in_the_exporters_order() {
    let mut attributes = vec![
        ("net.peer.name", text("peer.example.com")),
        ("http.host", text("host.example.com")),
        ("rpc.service", text("Rpc")),
        ("db.name", text("orders")),
        ("db.connection_string", text("jdbc:mysql://db.example.com:3306/x")),
        ("aws.service", text("Aws")),
        ("peer.service", text("peer")),
        ("aws.remote.service", text("remote-service")),
    ];
    for wanted in ["remote-service", "peer", "Aws", "orders@db.example.com"] {
        assert_eq!(one(&span(SpanKind::Client, "s", &attributes)).name, wanted);
        attributes.pop();
    }
    attributes.pop();
    for wanted in ["Rpc", "host.example.com", "peer.example.com", "s"] {
        assert_eq!(one(&span(SpanKind::Client, "s", &attributes)).name, wanted);
        attributes.pop();
    }
    let local = [("aws.local.service", text("local-service")), ("peer.service", text("peer"))];
    assert_eq!(one(&span(SpanKind::Server, "s", &local)).name, "local-service");
}

#[test]
fn aws_service_alone_makes_an_aws_subsegment() {
    let segment = one(&span(SpanKind::Client, "c", &[("aws.service", text("S3"))]));
    assert_eq!(shape(&segment), (true, "S3", Some("aws")));
}

#[test]
fn of_two_statuses_the_deprecated_one_decides_and_the_last_is_shown() {
    let (truth, throttle) = ("http.response.status_code", "http.status_code");
    for (first, last) in [(truth, throttle), (throttle, truth)] {
        let status = |key| (key, Any::IntValue(if key == truth { 400 } else { 429 }));
        let segment = one(&span(SpanKind::Client, "DynamoDB.PutItem", &[status(first), status(last)]));
        assert_eq!((segment.error, segment.throttle), (Some(true), Some(true)));
        let shown = segment.http.unwrap().response.unwrap().status;
        assert_eq!(shown, Some(if last == truth { 400 } else { 429 }), "{last} is last");
    }
}

#[test]
fn the_http_status_decides_on_the_flags() {
    let cases = [
        (200, (false, false, false)),
        (404, (true, false, false)),
        (429, (true, true, false)),
        (503, (false, false, true)),
    ];
    for (status, flags) in cases {
        for key in ["http.response.status_code", "http.status_code"] {
            let segment = one(&span(SpanKind::Server, "s", &[(key, Any::IntValue(status))]));
            let found = (segment.error, segment.throttle, segment.fault);
            assert_eq!(found, (Some(flags.0), Some(flags.1), Some(flags.2)), "{key} {status}");
            assert_eq!(segment.http.unwrap().response.unwrap().status, Some(status));
        }
    }
}

#[test]
fn a_failed_span_without_http_status_is_a_fault_with_its_message() {
    let segment = one(&failed(span(SpanKind::Internal, "s", &[]), "table gone"));
    assert_eq!((segment.error, segment.throttle, segment.fault), (Some(false), Some(false), Some(true)));
    let [exception] = exceptions(&segment) else { panic!("one exception") };
    assert_eq!(exception.message.as_deref(), Some("table gone"));
    assert_eq!(exception.id.as_ref().unwrap().len(), 16);

    let client_error =
        failed(span(SpanKind::Client, "s", &[("http.response.status_code", Any::IntValue(400))]), "");
    let segment = one(&client_error);
    assert_eq!((segment.error, segment.fault, segment.cause.is_none()), (Some(true), Some(false), true));
}

#[test]
fn exception_events_become_the_cause_without_the_stack_of_rust() {
    let attributes = [
        ("exception.type", text("ThrottlingException")),
        ("exception.message", text("slow down")),
        ("exception.stacktrace", text("at main.rs:1")),
    ];
    let event = Event { name: "exception".to_owned(), attributes: pairs(&attributes), ..Event::default() };
    for (kind, remote) in [(SpanKind::Client, true), (SpanKind::Consumer, false)] {
        let mut thrown = failed(span(kind, "s", &[]), "ignored");
        thrown.events = vec![event.clone()];
        let segment = one(&thrown);
        let [exception] = exceptions(&segment) else { panic!("one exception") };
        assert_eq!(exception.kind.as_deref(), Some("ThrottlingException"));
        assert_eq!(exception.message.as_deref(), Some("slow down"));
        assert_eq!(exception.remote, Some(remote));
        assert!(exception.stack.is_empty());
        assert_eq!(segment.fault, Some(true));
    }
    let caught = Span { events: vec![event], ..span(SpanKind::Internal, "s", &[]) };
    assert_eq!(one(&caught).fault, Some(false));
}

#[test]
fn a_failed_attempt_of_an_aws_call_is_an_exception() {
    let attributes =
        [("http.response.status_code", Any::IntValue(503)), ("aws.http.error_message", text("SlowDown"))];
    let mut call = span(SpanKind::Client, "s", &[("rpc.system", text("aws-api"))]);
    call.events = vec![Event {
        name: "HTTP request failure".to_owned(),
        time_unix_nano: 1_465_510_280_000_500_000,
        attributes: pairs(&attributes),
        ..Event::default()
    }];
    let segment = one(&call);
    let [exception] = exceptions(&segment) else { panic!("one exception") };
    assert_eq!(exception.message.as_deref(), Some("503@1465510280.000500@SlowDown"));
    assert_eq!(exception.kind.as_deref(), Some("aws.http.error.event"));
}

#[test]
fn listed_attributes_become_annotations_and_keep_their_type() {
    let attributes = [
        (
            "aws.xray.annotations",
            texts(&["event.id", "attempt", "new", "ratio", "channels", "absent", "http.url"]),
        ),
        ("event.id", text("e-1")),
        ("attempt", Any::IntValue(2)),
        ("new", Any::BoolValue(true)),
        ("ratio", Any::DoubleValue(0.5)),
        ("channels", texts(&["email"])),
        ("http.url", text("https://example.com")),
        ("other key", text("kept")),
    ];
    for kind in [SpanKind::Server, SpanKind::Internal] {
        let segment = one(&span(kind, "s", &attributes));
        let wanted = [
            ("attempt", AnnotationValue::from(2)),
            ("event.id", "e-1".into()),
            ("new", true.into()),
            ("ratio", AnnotationValue::Number(serde_json::Number::from_f64(0.5).unwrap())),
        ];
        let found: Vec<_> =
            segment.annotations.iter().map(|(key, value)| (key.as_str(), value.clone())).collect();
        assert_eq!(found, wanted);
        assert_eq!(segment.metadata["default"]["other key"], "kept");
    }
}

#[test]
fn indexed_attributes_are_annotations_everywhere_even_those_of_a_block() {
    let indexed = ["otel.resource.service.name", "rpc.method", "customer number"].map(str::to_owned);
    let attributes =
        [("rpc.system", text("aws-api")), ("rpc.method", text("PutItem")), ("customer number", text("1"))];
    let resource = Attributes::new(&fargate());
    let call = documents(&span(SpanKind::Client, "c", &attributes), &resource, &indexed).unwrap().remove(0);
    let keys: Vec<_> = call.annotations.keys().map(String::as_str).collect();
    assert_eq!(keys, ["customer_number", "rpc.method"]);
    assert_eq!(call.aws.unwrap().operation.as_deref(), Some("PutItem"));
    let server = documents(&span(SpanKind::Server, "s", &[]), &resource, &indexed).unwrap().remove(0);
    assert_eq!(server.annotations["otel.resource.service.name"], "foostore-membership".into());
    assert!(server.metadata["default"].get("otel.resource.service.name").is_none());
    assert_eq!(server.metadata["default"]["otel.resource.cloud.provider"], "aws");
}

#[test]
fn everything_else_is_metadata_and_the_resource_only_on_segments() {
    let attributes = [
        ("messaging.system", text("aws_sqs")),
        ("aws.sns.topic.arn", text("arn:topic")),
        ("aws.xray.metadata.debug", text(r#"{"a": [1]}"#)),
        ("aws.xray.metadata.Default", text(r#"{"merged": true}"#)),
        ("aws.xray.metadata.bad", text("no json")),
        // A field of X-Ray's own SDKs has the rule (`aws.xray.sampling_rule_name`), which the collector's exporter does
        // not know.
        ("aws.xray.sampling_rule", text("vip")),
        ("enduser.id", text("u-1")),
        ("bytes", Any::BytesValue(b"hi".to_vec())),
    ];
    let segment = one(&span(SpanKind::Internal, "s", &attributes));
    assert_eq!(segment.user.as_deref(), Some("u-1"));
    assert_eq!(segment.metadata["debug"], json!({"a": [1]}));
    let default = json!({
        "messaging.system": "aws_sqs", "aws.sns.topic.arn": "arn:topic", "merged": true,
        "aws.xray.metadata.bad": "no json", "aws.xray.sampling_rule": "vip", "bytes": "aGk="
    });
    assert_eq!(segment.metadata["default"], default);
    let metadata = one(&span(SpanKind::Server, "s", &[])).metadata;
    assert_eq!(metadata["default"]["otel.resource.service.version"], "1.2.0");
}

#[test]
fn links_are_in_the_document() {
    let mut consumer = span(SpanKind::Consumer, "s", &[]);
    consumer.links.push(Link {
        trace_id: TRACE.to_vec(),
        span_id: vec![7; 8],
        attributes: pairs(&[("k", Any::IntValue(1))]),
        ..Link::default()
    });
    let wanted = json!([{"trace_id": "1-5759e988-736f6d652074726163652121", "id": "0707070707070707", "attributes": {"k": 1}}]);
    assert_eq!(serde_json::to_value(one(&consumer).links).unwrap(), wanted);
}

#[test]
fn any_trace_id_but_zeros_is_accepted() {
    let mut odd = span(SpanKind::Server, "s", &[]);
    odd.trace_id = vec![0xff; 16];
    assert_eq!(one(&odd).trace_id.unwrap().to_string(), "1-ffffffff-ffffffffffffffffffffffff");

    let resource = Attributes::default();
    odd.trace_id = vec![0; 16];
    assert_eq!(documents(&odd, &resource, &[]), Err(Untranslatable::TraceId));
    odd.trace_id = TRACE.to_vec();
    odd.span_id = vec![1; 7];
    assert_eq!(documents(&odd, &resource, &[]), Err(Untranslatable::SpanId));
    odd.span_id = vec![1; 8];
    odd.links.push(Link::default());
    assert_eq!(documents(&odd, &resource, &[]), Err(Untranslatable::Link));
}

#[test]
fn every_document_is_one_that_x_ray_would_take() {
    let kinds =
        [SpanKind::Server, SpanKind::Client, SpanKind::Producer, SpanKind::Consumer, SpanKind::Internal];
    for kind in kinds {
        let document = one(&failed(span(kind, "s", &[("k", text("v"))]), "m"));
        assert_eq!(Segment::read_sent(&document.to_json()).unwrap(), document);
    }
}
