//! Spans that the services do not create, or not in every run, to compare their documents.

use opentelemetry_proto::tonic::collector::trace::v1::ExportTraceServiceRequest;
use opentelemetry_proto::tonic::common::v1::any_value::Value as Any;
use opentelemetry_proto::tonic::common::v1::{AnyValue, ArrayValue, KeyValue};
use opentelemetry_proto::tonic::resource::v1::Resource;
use opentelemetry_proto::tonic::trace::v1::span::{Event, Link, SpanKind};
use opentelemetry_proto::tonic::trace::v1::status::StatusCode;
use opentelemetry_proto::tonic::trace::v1::{ResourceSpans, ScopeSpans, Span, Status};

/// The beginning of the ids of these traces.
pub(super) const TRACES: &str = "1-6921a3b1-";
/// One of these is part of the id of each of these spans and their parents. A segment for a local root has a new id.
pub(super) const IDS: [&str; 2] = ["000000000000", "0909090909"];

const PARENT: [u8; 8] = [9; 8];

fn text(value: &str) -> Any {
    Any::StringValue(value.to_owned())
}

fn number(value: i64) -> Any {
    Any::IntValue(value)
}

fn texts(values: &[&str]) -> Any {
    let values = values.iter().map(|value| AnyValue { value: Some(text(value)) }).collect();
    Any::ArrayValue(ArrayValue { values })
}

fn pairs(pairs: &[(&str, Any)]) -> Vec<KeyValue> {
    let pair = |(key, value): &(&str, Any)| KeyValue {
        key: (*key).to_owned(),
        value: Some(AnyValue { value: Some(value.clone()) }),
        ..KeyValue::default()
    };
    pairs.iter().map(pair).collect()
}

fn span(kind: SpanKind, name: &str, attributes: &[(&str, Any)]) -> Span {
    Span {
        parent_span_id: PARENT.to_vec(),
        name: name.to_owned(),
        kind: kind.into(),
        attributes: pairs(attributes),
        ..Span::default()
    }
}

fn failed(message: &str, span: Span) -> Span {
    Span { status: Some(Status { code: StatusCode::Error.into(), message: message.to_owned() }), ..span }
}

fn root(span: Span) -> Span {
    Span { parent_span_id: Vec::new(), ..span }
}

fn with_event(name: &str, attributes: &[(&str, Any)], span: Span) -> Span {
    let event = Event {
        name: name.to_owned(),
        time_unix_nano: 1_763_000_000_123_456_789,
        attributes: pairs(attributes),
        ..Event::default()
    };
    Span { events: vec![event], ..span }
}

fn linked(span: Span) -> Span {
    let link = Link {
        trace_id: vec![5; 16],
        span_id: vec![6; 8],
        attributes: pairs(&[("messaging.message.id", text("m-1"))]),
        ..Link::default()
    };
    Span { links: vec![link], ..span }
}

/// Assigns ids to the spans and puts them into one trace of a service with this resource.
fn request(trace: u8, resource: &[(&str, Any)], spans: Vec<Span>) -> ExportTraceServiceRequest {
    let mut trace_id = vec![0x69, 0x21, 0xa3, 0xb1];
    trace_id.extend([trace; 12]);
    let spans = spans
        .into_iter()
        .zip(1_u8..)
        .map(|(span, id)| Span {
            trace_id: trace_id.clone(),
            span_id: vec![trace, 0, 0, 0, 0, 0, 0, id],
            start_time_unix_nano: 1_763_000_000_100_000_001 + u64::from(id) * 1_234_567,
            end_time_unix_nano: 1_763_000_000_900_000_007 + u64::from(id) * 7_654_321,
            ..span
        })
        .collect();
    ExportTraceServiceRequest {
        resource_spans: vec![ResourceSpans {
            resource: Some(Resource { attributes: pairs(resource), ..Resource::default() }),
            scope_spans: vec![ScopeSpans { spans, ..ScopeSpans::default() }],
            ..ResourceSpans::default()
        }],
    }
}

fn service(more: &[(&'static str, Any)]) -> Vec<(&'static str, Any)> {
    let mut resource = vec![
        ("service.name", text("rewards")),
        ("service.namespace", text("foostore")),
        ("service.version", text("1.2.0")),
        ("telemetry.sdk.name", text("opentelemetry")),
        ("telemetry.sdk.language", text("rust")),
        ("telemetry.sdk.version", text("0.33.1")),
    ];
    resource.extend_from_slice(more);
    resource
}

fn fargate() -> Vec<(&'static str, Any)> {
    service(&[
        ("cloud.provider", text("aws")),
        ("cloud.platform", text("aws_ecs")),
        ("cloud.region", text("eu-central-1")),
        ("cloud.account.id", text("123456789012")),
        ("cloud.availability_zone", text("eu-central-1a")),
        ("aws.ecs.launchtype", text("fargate")),
        ("aws.ecs.cluster.arn", text("arn:aws:ecs:eu-central-1:123456789012:cluster/c")),
        ("aws.ecs.task.arn", text("arn:aws:ecs:eu-central-1:123456789012:task/c/t")),
        ("aws.ecs.task.family", text("rewards")),
        ("aws.ecs.container.arn", text("arn:aws:ecs:eu-central-1:123456789012:container/c/t/x")),
        ("container.id", text("t-1")),
        ("container.name", text("rewards")),
        ("container.image.tags", texts(&["1.2.0"])),
        (
            "aws.log.group.arns",
            texts(&["arn:aws:logs:eu-central-1:123456789012:log-group:/foostore/rewards"]),
        ),
    ])
}

/// Returns one request per trace.
pub(super) fn made_up() -> Vec<ExportTraceServiceRequest> {
    let here = service(&[("host.name", text("laptop"))]);
    let elsewhere = service(&[("cloud.provider", text("gcp")), ("cloud.platform", text("gcp_cloud_run"))]);
    let ec2 = service(&[
        ("cloud.provider", text("aws")),
        ("cloud.platform", text("aws_ec2")),
        ("host.id", text("i-1")),
        ("aws.log.group.names", texts(&["/foostore/a", "/foostore/b"])),
    ]);
    let mut requests = vec![
        request(1, &fargate(), entries()),
        request(2, &fargate(), consumers()),
        request(3, &fargate(), calls()),
        request(4, &fargate(), outcomes()),
        request(5, &fargate(), attributes()),
        request(6, &fargate(), foreign()),
        request(7, &here, consumers()),
        request(8, &elsewhere, calls()),
        request(9, &ec2, entries()),
        request(10, &[], entries()),
    ];
    // Each in a separate trace, because one of their documents has an id generated on the way.
    requests
        .extend(local_roots().into_iter().zip(20..).map(|(span, id)| request(id, &fargate(), vec![span])));
    requests
}

fn entries() -> Vec<Span> {
    let http = [
        ("http.request.method", text("POST")),
        ("http.route", text("/v1/events")),
        ("url.scheme", text("https")),
        ("url.path", text("/v1/events")),
        ("url.query", text("a=b")),
        ("server.address", text("events.example.com")),
        ("server.port", number(8443)),
        ("client.address", text("203.0.113.9")),
        ("user_agent.original", text("curl/8")),
        ("http.response.status_code", number(202)),
    ];
    let older = [
        ("http.method", text("GET")),
        ("http.url", text("http://events.example.com/health")),
        ("http.client_ip", text("203.0.113.10")),
        ("http.status_code", number(404)),
    ];
    vec![
        root(span(SpanKind::Server, "POST /v1/events", &http)),
        span(SpanKind::Server, "GET /health", &older),
        root(span(SpanKind::Internal, "tick", &[])),
        span(SpanKind::Internal, "decide {\"odd\"} größe", &[("points", number(12))]),
        span(SpanKind::Unspecified, "unspecified", &[]),
        root(span(SpanKind::Client, "GET", &[("url.full", text("https://hooks.example.com/push?token=1"))])),
        span(SpanKind::Server, "named", &[("aws.local.service", text("renamed"))]),
    ]
}

fn consumers() -> Vec<Span> {
    let messaging = |more: &[(&'static str, Any)]| {
        let mut attributes = vec![
            ("messaging.system", text("aws_sqs")),
            ("messaging.operation.name", text("process")),
            ("messaging.operation.type", text("process")),
            ("messaging.destination.name", text("foostore-prod-rewards")),
            (
                "aws.sqs.queue.url",
                text("https://sqs.eu-central-1.amazonaws.com/123456789012/foostore-prod-rewards"),
            ),
        ];
        attributes.extend_from_slice(more);
        span(SpanKind::Consumer, "process foostore-prod-rewards", &attributes)
    };
    vec![
        messaging(&[]),
        messaging(&[("aws.local.service", text("rewards"))]),
        messaging(&[("aws.remote.service", text("rewards"))]),
        messaging(&[("peer.service", text("rewards"))]),
        root(messaging(&[("aws.remote.service", text("rewards"))])),
        linked(messaging(&[("aws.remote.service", text("rewards"))])),
    ]
}

fn calls() -> Vec<Span> {
    let call = |kind, service: &str, method: &str, more: &[(&'static str, Any)]| {
        let mut attributes = vec![
            ("rpc.system", text("aws-api")),
            ("rpc.system.name", text("aws-api")),
            ("rpc.service", text(service)),
            ("rpc.method", text(method)),
            ("aws.region", text("eu-central-1")),
            ("aws.request_id", text("r-1")),
        ];
        attributes.extend_from_slice(more);
        span(kind, &format!("{service}.{method}"), &attributes)
    };
    let queue = text("https://sqs.eu-central-1.amazonaws.com/123456789012/q");
    let topic = text("arn:aws:sns:eu-central-1:123456789012:t");
    let tables = |names: &[&str]| ("aws.dynamodb.table_names", texts(names));
    vec![
        call(SpanKind::Producer, "EventBridge", "PutEvents", &[("event_id", text("e-1"))]),
        call(SpanKind::Producer, "SNS", "PublishBatch", &[("aws.sns.topic.arn", topic)]),
        call(SpanKind::Producer, "SQS", "SendMessage", &[("aws.queue_url", queue)]),
        call(SpanKind::Client, "DynamoDB", "TransactWriteItems", &[tables(&["members"])]),
        call(SpanKind::Client, "DynamoDB", "TransactWriteItems", &[tables(&["members", "rewards"])]),
        call(SpanKind::Client, "S3", "PutObject", &[("aws.s3.bucket", text("passes"))]),
        call(SpanKind::Client, "SES", "SendEmail", &[("http.response.status_code", number(200))]),
        span(
            SpanKind::Client,
            "SQS.ReceiveMessage",
            &[("rpc.system.name", text("aws-api")), ("rpc.service", text("SQS"))],
        ),
        span(
            SpanKind::Client,
            "S3.GetObject",
            &[("aws.service", text("S3")), ("aws.operation", text("GetObject"))],
        ),
        span(
            SpanKind::Client,
            "push",
            &[("aws.remote.service", text("AWS::SNS")), ("rpc.system", text("aws-api"))],
        ),
    ]
}

fn outcomes() -> Vec<Span> {
    let status = |key: &'static str, code| span(SpanKind::Client, "call", &[(key, number(code))]);
    let aws = |more: &[(&'static str, Any)]| {
        let mut attributes = vec![("rpc.system", text("aws-api")), ("rpc.service", text("DynamoDB"))];
        attributes.extend_from_slice(more);
        span(SpanKind::Client, "DynamoDB.PutItem", &attributes)
    };
    let exception = [
        ("exception.type", text("dynamodb::Throttled")),
        ("exception.message", text("too fast")),
        ("exception.stacktrace", text("0: main\n1: start")),
    ];
    let attempt =
        [("http.response.status_code", number(503)), ("aws.http.error_message", text("Service Unavailable"))];
    let both = |first: (&'static str, i64), second: (&'static str, i64)| {
        failed("throttled", aws(&[(first.0, number(first.1)), (second.0, number(second.1))]))
    };
    let (older, stable) = ("http.status_code", "http.response.status_code");
    vec![
        status(stable, 399),
        status(stable, 400),
        status(stable, 429),
        status(older, 429),
        status(stable, 500),
        status(stable, 600),
        failed("said 200", status(stable, 200)),
        both((stable, 400), (older, 429)),
        both((older, 429), (stable, 400)),
        failed("", span(SpanKind::Internal, "silent", &[])),
        failed("it broke", span(SpanKind::Internal, "loud", &[])),
        failed("", span(SpanKind::Client, "text", &[("http.status_text", text("Bad Gateway"))])),
        failed("broke", with_event("exception", &exception, span(SpanKind::Consumer, "process q", &[]))),
        with_event("exception", &exception, aws(&[])),
        with_event("HTTP request failure", &attempt, aws(&[])),
        with_event("something else", &[], span(SpanKind::Internal, "eventful", &[])),
    ]
}

fn attributes() -> Vec<Span> {
    let all = [
        (
            "aws.xray.annotations",
            texts(&["event_id", "attempt", "first", "share", "tags", "odd-key", "dot.ted"]),
        ),
        ("event_id", text("e-1")),
        ("attempt", number(2)),
        ("first", Any::BoolValue(true)),
        ("share", Any::DoubleValue(0.5)),
        ("tags", texts(&["a", "b"])),
        ("odd-key", text("x")),
        ("dot.ted", text("y")),
        ("empty", text("")),
        ("whole", Any::DoubleValue(2.0)),
        ("enduser.id", text("u-1")),
        ("aws.xray.metadata.loyalty", text(r#"{"tier":"Gold"}"#)),
        ("aws.xray.metadata.broken", text("{")),
    ];
    vec![
        root(span(SpanKind::Server, "annotated", &all)),
        span(SpanKind::Client, "annotated inside", &all),
        span(SpanKind::Server, "one annotation as a text", &[("aws.xray.annotations", text("event_id"))]),
        span(
            SpanKind::Server,
            "resource",
            &[("aws.xray.annotations", texts(&["otel.resource.service.version"]))],
        ),
        linked(span(SpanKind::Client, "linked", &[])),
        span(SpanKind::Server, "begun", &[("aws.xray.inprogress", Any::BoolValue(true))]),
        span(SpanKind::Server, "ended", &[("aws.xray.inprogress", Any::BoolValue(false))]),
    ]
}

fn foreign() -> Vec<Span> {
    let database = [
        ("db.system", text("postgresql")),
        ("db.name", text("loyalty")),
        ("db.user", text("reader")),
        ("db.statement", text("select 1")),
        ("db.connection_string", text("jdbc:postgresql://db.example.com:5432/loyalty")),
    ];
    vec![
        span(SpanKind::Client, "query", &database),
        span(
            SpanKind::Client,
            "peer",
            &[("net.peer.name", text("push.example.com")), ("net.peer.port", number(443))],
        ),
        span(
            SpanKind::Client,
            "host",
            &[("http.host", text("push.example.com")), ("http.target", text("/a"))],
        ),
        span(
            SpanKind::Client,
            "grpc",
            &[("rpc.system", text("grpc")), ("rpc.service", text("push.v1.Push"))],
        ),
        span(SpanKind::Client, &"long name ".repeat(30), &[]),
        span(SpanKind::Internal, "{}", &[]),
    ]
}

fn local_roots() -> Vec<Span> {
    let local = ("aws.span.kind", text("LOCAL_ROOT"));
    let own = ("aws.local.service", text("rewards"));
    let other = ("aws.remote.service", text("queue"));
    let operation = ("aws.remote.operation", text("receive"));
    vec![
        span(SpanKind::Server, "server", &[local.clone(), own.clone()]),
        span(SpanKind::Internal, "internal", &[local.clone(), own.clone()]),
        linked(span(SpanKind::Consumer, "consumer", &[local.clone(), own.clone(), other.clone(), operation])),
        linked(span(SpanKind::Client, "client", &[local.clone(), own, other.clone()])),
        span(SpanKind::Consumer, "without its own name", &[local.clone(), other]),
        span(SpanKind::Producer, "alone", &[local]),
    ]
}
