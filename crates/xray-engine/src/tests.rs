//! The engine over HTTP, with the AWS SDK as its client.

mod account;
mod graph;
mod groups;
mod retrieval;
mod sampling;

use std::io::Write as _;
use std::net::{Ipv4Addr, SocketAddr};
use std::time::{Duration, SystemTime};

use aws_sdk_xray::Client;
use aws_sdk_xray::config::{BehaviorVersion, Credentials, Region};
use aws_sdk_xray::error::ProvideErrorMetadata as _;
use aws_sdk_xray::primitives::DateTime;
use aws_sdk_xray::types::{AnnotationValue, SamplingStrategy, SamplingStrategyName, TimeRangeType};
use opentelemetry_proto::tonic::collector::trace::v1::{
    ExportTraceServiceRequest, ExportTraceServiceResponse,
};
use opentelemetry_proto::tonic::common::v1::any_value::Value as Any;
use opentelemetry_proto::tonic::common::v1::{AnyValue, ArrayValue};
use opentelemetry_proto::tonic::resource::v1::Resource;
use opentelemetry_proto::tonic::trace::v1::span::SpanKind;
use opentelemetry_proto::tonic::trace::v1::{ResourceSpans, ScopeSpans, Span};
use prost::Message as _;
use xray::{Segment, SegmentId, Trace, TraceId};

use crate::translate::tests::{TRACE, fargate, pairs, span, text};
use crate::{Engine, Settings};

/// When the example spans start, epoch seconds.
const START: i64 = 1_465_510_280;

struct Served {
    engine: Engine,
    client: Client,
    otlp: String,
}

async fn listen(router: axum::Router) -> SocketAddr {
    let listener = tokio::net::TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(async move { axum::serve(listener, router).await });
    address
}

/// Serves an engine that accepts the examples, which are years old.
async fn serve(settings: Settings) -> Served {
    let settings = Settings { retention: Duration::MAX, ..settings };
    served(settings).await
}

async fn served(settings: Settings) -> Served {
    serving(Engine::new(settings).unwrap()).await
}

async fn serving(engine: Engine) -> Served {
    let address = listen(engine.api_router()).await;
    let otlp = format!("http://{}", listen(engine.otlp_router()).await);
    let config = aws_sdk_xray::Config::builder()
        .behavior_version(BehaviorVersion::latest())
        .http_client(aws_smithy_http_client::Builder::new().build_http())
        .endpoint_url(format!("http://{address}"))
        .region(Region::from_static("eu-central-1"))
        .credentials_provider(Credentials::new("local", "local", None, None, "tests"))
        .build();
    Served { engine, client: Client::from_conf(config), otlp }
}

fn request(spans: Vec<Span>) -> ExportTraceServiceRequest {
    let resource = Resource { attributes: fargate(), ..Resource::default() };
    let scope_spans = vec![ScopeSpans { spans, ..ScopeSpans::default() }];
    ExportTraceServiceRequest {
        resource_spans: vec![ResourceSpans {
            resource: Some(resource),
            scope_spans,
            ..ResourceSpans::default()
        }],
    }
}

/// Returns a request, the publishing of its event and the event's processing, as two services would record them.
fn flow() -> [Span; 3] {
    let listed = |keys: &[&str]| {
        let values = keys.iter().map(|key| AnyValue { value: Some(text(key)) }).collect();
        ("aws.xray.annotations", Any::ArrayValue(ArrayValue { values }))
    };
    let entry = [
        listed(&["customer_number", "event_type"]),
        ("customer_number", text("123456789012")),
        ("event_type", text("CustomerRenamed")),
        ("http.request.method", text("POST")),
        ("url.full", text("http://127.0.0.1/v1/events")),
        ("http.response.status_code", Any::IntValue(202)),
    ];
    let send = [
        ("rpc.system", text("aws-api")),
        ("rpc.service", text("EventBridge")),
        ("rpc.method", text("PutEvents")),
        ("http.response.status_code", Any::IntValue(429)),
    ];
    let process = [
        listed(&["attempt", "first", "event_type"]),
        ("aws.remote.service", text("foostore-email")),
        ("event_type", text("CustomerRenamed")),
        ("attempt", Any::IntValue(2)),
        ("first", Any::BoolValue(false)),
    ];
    let with = |span: Span, id: u8, parent: &[u8], end: u64| Span {
        span_id: vec![id; 8],
        parent_span_id: parent.to_vec(),
        end_time_unix_nano: span.start_time_unix_nano + end,
        ..span
    };
    [
        with(span(SpanKind::Server, "POST /v1/events", &entry), 1, &[], 500_000_000),
        with(span(SpanKind::Producer, "send bus", &send), 2, &[1; 8], 400_000_000),
        with(span(SpanKind::Consumer, "process q", &process), 3, &[2; 8], 2_000_000_000),
    ]
}

impl Served {
    async fn export(&self, spans: Vec<Span>) -> reqwest::Response {
        reqwest::Client::new()
            .post(format!("{}/v1/traces", self.otlp))
            .header("content-type", "application/x-protobuf")
            .body(request(spans).encode_to_vec())
            .send()
            .await
            .unwrap()
    }

    async fn trace(&self, id: TraceId) -> Trace {
        let answer = self.client.batch_get_traces().trace_ids(id.to_string()).send().await.unwrap();
        let [trace] = answer.traces() else { panic!("one trace") };
        let documents = trace.segments().iter().map(|segment| segment.document().unwrap());
        Trace::read(id, documents).unwrap()
    }

    /// Returns the ids of the traces that start in the hour of the examples and match.
    async fn search(&self, filter: &str) -> Vec<String> {
        let mut pages = self
            .client
            .get_trace_summaries()
            .start_time(DateTime::from_secs(START))
            .end_time(DateTime::from_secs(START + 3600))
            .filter_expression(filter)
            .into_paginator()
            .send();
        let mut ids = Vec::new();
        while let Some(page) = pages.next().await {
            ids.extend(
                page.unwrap().trace_summaries().iter().map(|summary| summary.id().unwrap().to_owned()),
            );
        }
        ids
    }
}

#[tokio::test]
async fn spans_that_arrive_late_and_out_of_order_are_one_trace() {
    let served = serve(Settings::default()).await;
    let [entry, send, process] = flow();
    for span in [process, entry, send] {
        let response = served.export(vec![span]).await;
        assert_eq!(response.status(), 200);
        let answer = ExportTraceServiceResponse::decode(response.bytes().await.unwrap()).unwrap();
        assert_eq!(answer.partial_success, None);
    }
    let trace = served.trace(TraceId::from_bytes(TRACE)).await;
    assert!(trace.problems().is_empty(), "{:?}", trace.problems());
    let tree: Vec<_> = trace.walk().map(|(depth, node)| (depth, node.segment().name.as_str())).collect();
    assert_eq!(tree, [(0, "foostore-membership"), (1, "EventBridge"), (2, "foostore-email")]);
}

#[tokio::test]
async fn batch_get_traces_returns_known_traces_and_names_unknown_ones() {
    let served = serve(Settings::default()).await;
    served.export(flow().into()).await;
    let id = TraceId::from_bytes(TRACE).to_string();
    let unknown = "1-5759e988-000000000000000000000001";
    let ids = [unknown, &id, "malformed"].map(str::to_owned).to_vec();
    let answer = served.client.batch_get_traces().set_trace_ids(Some(ids)).send().await.unwrap();
    let [trace] = answer.traces() else { panic!("one trace") };
    assert_eq!(
        (trace.id(), trace.duration(), trace.limit_exceeded()),
        (Some(id.as_str()), Some(2.0), Some(false))
    );
    let ids: Vec<_> = trace.segments().iter().map(|segment| segment.id().unwrap()).collect();
    // EventBridge forwards messages, so it has its own node.
    assert_eq!(ids, ["0101010101010101", "0202020202020202", "0303030303030303", "fdfdfdfdfdfdfdfd"]);
    let inferred: serde_json::Value = serde_json::from_str(trace.segments()[3].document().unwrap()).unwrap();
    assert_eq!(inferred["inferred"], true);
    assert_eq!((&inferred["name"], &inferred["origin"]), (&"EventBridge".into(), &"AWS::EventBridge".into()));
    assert_eq!(inferred["parent_id"], "0202020202020202");
    assert_eq!(answer.unprocessed_trace_ids(), [unknown, "malformed"]);

    let six = vec![unknown.to_owned(); 6];
    let error = served.client.batch_get_traces().set_trace_ids(Some(six)).send().await.unwrap_err();
    assert!(error.as_service_error().unwrap().is_invalid_request_exception());
    assert!(error.message().unwrap().contains("at most 5"));
}

#[tokio::test]
async fn a_summary_shows_what_is_in_the_trace() {
    let served = serve(Settings::default()).await;
    served.export(flow().into()).await;
    let answer = served
        .client
        .get_trace_summaries()
        .start_time(DateTime::from_secs(START))
        .end_time(DateTime::from_secs(START))
        .filter_expression(r#"annotation.customer_number = "123456789012" AND annotation.attempt = 2"#)
        .send()
        .await
        .unwrap();
    let [summary] = answer.trace_summaries() else { panic!("one summary") };
    assert_eq!(summary.start_time(), Some(&DateTime::from_secs_and_nanos(START, 250_000_000)));
    assert_eq!((summary.duration(), summary.response_time()), (Some(2.0), Some(0.5)));
    let flags = (summary.has_error(), summary.has_fault(), summary.has_throttle(), summary.is_partial());
    assert_eq!(flags, (Some(false), Some(false), Some(true), Some(false)));
    let http = summary.http().unwrap();
    assert_eq!((http.http_method(), http.http_status()), (Some("POST"), Some(202)));
    assert_eq!(http.http_url(), Some("http://127.0.0.1/v1/events"));
    let entry = summary.entry_point().unwrap();
    assert_eq!((entry.name(), entry.r#type()), (Some("foostore-membership"), Some("AWS::ECS::Fargate")));
    let services: Vec<_> =
        summary.service_ids().iter().map(|id| (id.name().unwrap(), id.r#type().unwrap())).collect();
    let wanted = [
        ("foostore-membership", "AWS::ECS::Fargate"),
        ("EventBridge", "AWS::EventBridge"),
        ("foostore-email", "AWS::ECS::Fargate"),
    ];
    assert_eq!(services, wanted);

    let annotations = summary.annotations().unwrap();
    let [attempt] = annotations["attempt"].as_slice() else { panic!("one value") };
    assert_eq!(attempt.annotation_value(), Some(&AnnotationValue::NumberValue(2.0)));
    assert_eq!(attempt.service_ids()[0].name(), Some("foostore-email"));
    assert_eq!(annotations["first"][0].annotation_value(), Some(&AnnotationValue::BooleanValue(false)));
    let [event_type] = annotations["event_type"].as_slice() else { panic!("one value") };
    assert_eq!(event_type.service_ids().len(), 2);
    assert_eq!(
        event_type.annotation_value(),
        Some(&AnnotationValue::StringValue("CustomerRenamed".to_owned()))
    );
}

#[tokio::test]
async fn summaries_are_those_of_the_share_that_is_asked_for() {
    let served = serve(Settings::default()).await;
    served.export(flow().into()).await;
    let count = async |sampling: bool, rate: f64| {
        let strategy = SamplingStrategy::builder().name(SamplingStrategyName::FixedRate).value(rate).build();
        let call = served.client.get_trace_summaries().sampling(sampling).sampling_strategy(strategy);
        let call = call.start_time(DateTime::from_secs(START)).end_time(DateTime::from_secs(START + 1));
        call.send().await.map(|answer| answer.trace_summaries().len())
    };
    assert_eq!(count(true, 1.0).await.unwrap(), 1);
    assert_eq!(count(true, 0.0).await.unwrap(), 0);
    assert_eq!(count(false, 0.0).await.unwrap(), 1);
    let error = count(true, 1.5).await.unwrap_err();
    assert!(error.message().unwrap().contains("from 0 to 1"), "{error:?}");
}

#[tokio::test]
async fn summaries_are_found_by_time_in_three_ways() {
    let served = serve(Settings::default()).await;
    served.export(flow().into()).await;
    let now =
        i64::try_from(SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap().as_secs()).unwrap();
    let count = async |from: i64, to: i64, kind: TimeRangeType| {
        let call = served.client.get_trace_summaries().time_range_type(kind);
        let call = call.start_time(DateTime::from_secs(from)).end_time(DateTime::from_secs(to));
        call.send().await.unwrap().trace_summaries().len()
    };
    assert_eq!(count(START, START + 1, TimeRangeType::TraceId).await, 1);
    assert_eq!(count(START + 1, START + 9, TimeRangeType::TraceId).await, 0);
    assert_eq!(count(START - 9, START - 1, TimeRangeType::TraceId).await, 0);
    assert_eq!(count(START, START + 1, TimeRangeType::Service).await, 0);
    assert_eq!(count(START, START + 2, TimeRangeType::Service).await, 1);
    assert_eq!(count(START, START + 2, TimeRangeType::Event).await, 0);
    assert_eq!(count(now - 60, now + 60, TimeRangeType::Event).await, 1);
}

#[tokio::test]
async fn many_summaries_come_in_pages() {
    let served = serve(Settings { page_size: 2, ..Settings::default() }).await;
    for number in 1..=7_u8 {
        let attributes =
            [("aws.xray.annotations", text("not a list")), ("parity", Any::IntValue(i64::from(number % 2)))];
        let made = Span { trace_id: vec![number; 16], ..span(SpanKind::Server, "s", &attributes) };
        served.export(vec![made]).await;
    }
    assert_eq!(served.search("").await.len(), 7);
    assert!(served.search("annotation.parity = 1").await.is_empty());

    let served = serve(Settings {
        page_size: 2,
        indexed_attributes: vec!["parity".to_owned()],
        ..Settings::default()
    })
    .await;
    let spans = (1..=7_u8).map(|number| Span {
        trace_id: vec![number; 16],
        attributes: pairs(&[("parity", Any::IntValue(i64::from(number % 2)))]),
        ..span(SpanKind::Server, "s", &[])
    });
    assert_eq!(served.engine.record(&request(spans.collect())).spans, 0);
    let wanted = [1, 3, 5, 7].map(|number| TraceId::from_bytes([number; 16]).to_string());
    assert_eq!(served.search("annotation.parity = 1").await, wanted);
}

#[tokio::test]
async fn invalid_requests_are_refused_as_aws_does() {
    let served = serve(Settings::default()).await;
    let call = || served.client.get_trace_summaries().start_time(DateTime::from_secs(START));
    let ranged = || call().end_time(DateTime::from_secs(START + 1));
    let refused = [
        (
            ranged().filter_expression("ok responsetme > 5"),
            "invalid filter expression: unknown keyword responsetme at position 4; did you mean responsetime?",
        ),
        (call().end_time(DateTime::from_secs(START - 1)), "EndTime is before StartTime"),
        (ranged().next_token("malformed"), "next token"),
    ];
    for (call, message) in refused {
        let error = call.send().await.unwrap_err();
        assert_eq!(error.code(), Some("InvalidRequestException"));
        assert!(error.message().unwrap().contains(message), "{:?}", error.message());
    }
}

#[tokio::test]
async fn put_trace_segments_keeps_documents_as_they_are_and_names_the_bad_ones() {
    let served = serve(Settings::default()).await;
    let id = TraceId::from_bytes(TRACE);
    let good = format!(
        r#"{{ "trace_id": "{id}", "id": "70de5b6f19ff9a0a", "name": "Scorekeep", "start_time": {START}, "end_time": {START}.5,
            "subsegments": [{{"id": "70de5b6f19ff9a0b", "name": "inner", "start_time": {START}, "end_time": {START}.25}}] }}"#
    );
    let independent = format!(
        r#"{{"trace_id":"{id}","id":"70de5b6f19ff9a0c","parent_id":"70de5b6f19ff9a0b","type":"subsegment","name":"SNS",
            "namespace":"aws","start_time":{START},"end_time":{START}.1}}"#
    );
    let answer = served
        .client
        .put_trace_segments()
        .trace_segment_documents(&good)
        .trace_segment_documents(r#"{"id": "70de5b6f19ff9a0d", "name": "x"}"#)
        .trace_segment_documents("malformed")
        .trace_segment_documents(&independent)
        .send()
        .await
        .unwrap();
    let refused: Vec<_> = answer
        .unprocessed_trace_segments()
        .iter()
        .map(|refused| (refused.id(), refused.error_code().unwrap()))
        .collect();
    assert_eq!(refused, [(Some("70de5b6f19ff9a0d"), "MissingStartTime"), (None, "ParseError")]);

    let answer = served.client.batch_get_traces().trace_ids(id.to_string()).send().await.unwrap();
    let documents: Vec<_> =
        answer.traces()[0].segments().iter().map(|segment| segment.document().unwrap()).collect();
    assert_eq!(documents[..2], [good, independent]);
    let trace = served.trace(id).await;
    assert_eq!(trace.walk().map(|(depth, _)| depth).collect::<Vec<_>>(), [0, 1, 2]);
    assert!(trace.problems().is_empty());
}

fn gzip(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    encoder.write_all(bytes).unwrap();
    encoder.finish().unwrap()
}

impl Served {
    async fn post(&self, path: &str, headers: &[(&str, &str)], body: Vec<u8>) -> (u16, String) {
        let mut call = reqwest::Client::new().post(format!("{}{path}", self.otlp)).body(body);
        for (name, value) in headers {
            call = call.header(*name, *value);
        }
        let response = call.send().await.unwrap();
        (response.status().as_u16(), response.text().await.unwrap())
    }
}

#[tokio::test]
async fn otlp_is_taken_in_json_and_compressed() {
    let served = serve(Settings::default()).await;
    let (json, protobuf) = (("content-type", "application/json"), ("content-type", "application/x-protobuf"));
    let compressed = ("content-encoding", "gzip");
    // As the specification writes it: ids in hexadecimal, 64-bit numbers as text.
    let body = format!(
        r#"{{"resourceSpans":[{{"resource":{{"attributes":[{{"key":"service.name","value":{{"stringValue":"js"}}}}]}},
            "scopeSpans":[{{"scope":{{"name":"s"}},"spans":[{{"traceId":"5b8efff798038103d269b633813fc60c",
            "spanId":"eee19b7ec3c1b174","name":"request","kind":2,"startTimeUnixNano":"{START}000000000",
            "endTimeUnixNano":"{START}500000000","attributes":[{{"key":"n","value":{{"intValue":"7"}}}},
            {{"key":"m","value":{{"intValue":7}}}},{{"key":"l","value":{{"arrayValue":{{"values":[{{"boolValue":true}}]}}}}}}],
            "futureField":1}}]}}]}}]}}"#
    );
    assert_eq!(served.post("/v1/traces", &[json], body.clone().into()).await, (200, "{}".to_owned()));
    let [entry, send, process] = flow();
    let as_json = serde_json::to_vec(&request(vec![entry])).unwrap();
    assert_eq!(served.post("/v1/traces", &[json, compressed], gzip(&as_json)).await.0, 200);
    let as_protobuf = request(vec![send, process]).encode_to_vec();
    assert_eq!(served.post("/v1/traces", &[protobuf, compressed], gzip(&as_protobuf)).await.0, 200);

    let trace = served.trace("1-5b8efff7-98038103d269b633813fc60c".parse().unwrap()).await;
    assert_eq!(trace.entry().unwrap().segment().name, "js");
    let trace = served.trace(TraceId::from_bytes(TRACE)).await;
    assert!(trace.problems().is_empty() && trace.nodes().count() == 3, "{trace:?}");
    assert_eq!(served.post("/v1/metrics", &[json, compressed], gzip(b"{}")).await, (200, "{}".to_owned()));
}

#[tokio::test]
async fn otlp_in_another_form_is_refused_with_what_is_accepted() {
    let served = serve(Settings::default()).await;
    let protobuf = ("content-type", "application/x-protobuf");
    let (status, text) = served.post("/v1/traces", &[("content-type", "text/plain")], b"x".to_vec()).await;
    assert_eq!(status, 415);
    assert!(text.contains("application/x-protobuf and application/json"));
    let (status, text) =
        served.post("/v1/traces", &[protobuf, ("content-encoding", "br")], b"x".to_vec()).await;
    assert_eq!(status, 415);
    assert!(text.contains("gzip"));
    assert_eq!(
        served.post("/v1/traces", &[protobuf, ("content-encoding", "gzip")], b"x".to_vec()).await.0,
        400
    );
    let bomb = gzip(&vec![0; 17 * 1024 * 1024]);
    assert_eq!(served.post("/v1/traces", &[protobuf, ("content-encoding", "gzip")], bomb).await.0, 413);
    assert_eq!(served.post("/v1/traces", &[protobuf], b"malformed".to_vec()).await.0, 400);
    assert_eq!(
        served.post("/v1/traces", &[("content-type", "application/json")], b"[".to_vec()).await.0,
        400
    );
    assert_eq!(served.post("/v1/metrics", &[protobuf], b"malformed".to_vec()).await.0, 400);
    assert_eq!(served.post("/v1/metrics", &[protobuf], Vec::new()).await, (200, String::new()));
    assert_eq!(served.post("/v1/logs", &[protobuf], Vec::new()).await, (200, String::new()));
}

#[tokio::test]
async fn what_x_ray_would_not_take_of_a_span_is_left_out() {
    let served = serve(Settings::default()).await;
    let large = span(SpanKind::Server, "s", &[("text", text(&"x".repeat(100_000)))]);
    let named = span(SpanKind::Client, "s", &[("aws.remote.service", text("a?b"))]);
    for (span, reason) in [(large, "larger than 65536 bytes"), (named, "invalid name")] {
        let rejected = served.engine.record(&request(vec![span]));
        assert_eq!(rejected.spans, 1);
        assert!(rejected.reason.as_ref().unwrap().contains(reason), "{rejected:?}");
    }
    assert!(served.search("").await.is_empty());
}

#[tokio::test]
async fn spans_without_ids_are_named_and_the_others_kept() {
    let served = serve(Settings::default()).await;
    let good = span(SpanKind::Server, "s", &[]);
    let bad = Span { trace_id: Vec::new(), ..good.clone() };
    let response = served.export(vec![bad.clone(), good, bad]).await;
    assert_eq!(response.status(), 200);
    let answer = ExportTraceServiceResponse::decode(response.bytes().await.unwrap()).unwrap();
    let partial = answer.partial_success.unwrap();
    assert_eq!(partial.rejected_spans, 2);
    assert!(partial.error_message.contains("trace id"));
    assert_eq!(served.search("").await.len(), 1);
}

#[tokio::test]
async fn a_segment_in_progress_makes_a_partial_trace() {
    let served = serve(Settings::default()).await;
    let begun = Segment {
        trace_id: Some(TraceId::from_bytes(TRACE)),
        in_progress: Some(true),
        ..Segment::new("slow", SegmentId::from_bytes([5; 8]), 1_465_510_281.0)
    };
    served.client.put_trace_segments().trace_segment_documents(begun.to_json()).send().await.unwrap();
    let answer = served
        .client
        .get_trace_summaries()
        .start_time(DateTime::from_secs(START))
        .end_time(DateTime::from_secs(START + 1))
        .send()
        .await
        .unwrap();
    let summary = &answer.trace_summaries()[0];
    assert_eq!((summary.is_partial(), summary.duration()), (Some(true), None));
}

#[tokio::test]
async fn a_start_that_is_a_month_off_or_in_milliseconds_is_refused() {
    let served = served(Settings::default()).await;
    let now = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap().as_secs_f64();
    let month = Duration::from_hours(31 * 24).as_secs_f64();
    let document = |start: f64| {
        format!(
            r#"{{"trace_id":"1-5759e988-bd862e3fe1be46a994272793","id":"70de5b6f19ff9a0a","name":"a",
                "start_time":{start},"end_time":{start}}}"#
        )
    };
    let put = |start: f64| served.client.put_trace_segments().trace_segment_documents(document(start)).send();
    for start in [now - month, now + month, now * 1e3, 0.0] {
        let refused = put(start).await.unwrap().unprocessed_trace_segments.unwrap_or_default();
        assert_eq!(refused[0].error_code(), Some("InvalidStartTime"), "{start}");
    }
    assert!(put(now - month / 2.0).await.unwrap().unprocessed_trace_segments().is_empty());
    // The example span is years old.
    let rejected = served.engine.record(&request(flow().to_vec()));
    assert_eq!(rejected.spans, 3);
    assert_eq!(rejected.reason.as_deref(), Some("the segment document has an invalid start_time"));
}

#[tokio::test]
async fn subsegments_may_be_nested_as_deep_as_a_document_is_large() {
    let served = serve(Settings::default()).await;
    let level =
        |id: usize| format!(r#"{{"id":"{:016x}","name":"n","start_time":{START},"end_time":{START}"#, id + 1);
    let depth = 600;
    let opened: Vec<_> = (1..=depth).map(|id| format!(r#","subsegments":[{}"#, level(id))).collect();
    let document =
        format!(r#"{},"trace_id":"{}"{}{}}}"#, level(0), xray_id(), opened.concat(), "}]".repeat(depth));
    assert!(document.len() < 65_536);
    let put = served.client.put_trace_segments().trace_segment_documents(&document).send().await.unwrap();
    assert!(put.unprocessed_trace_segments().is_empty(), "{put:?}");
    let trace = served.trace(xray_id()).await;
    assert_eq!(trace.nodes().count(), depth + 1);
}

fn xray_id() -> TraceId {
    TraceId::from_bytes(TRACE)
}
