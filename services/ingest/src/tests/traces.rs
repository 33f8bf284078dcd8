//! Spans and log lines.

use super::*;
use opentelemetry::trace::{SpanId, SpanKind, Status, TraceId};
use opentelemetry_sdk::trace::SpanData;
use telemetry::testing::{Recorder, attribute};

const ROOT: &str = "1-5759e988-bd862e3fe1be46a994272793";

fn text(span: &SpanData, key: &str) -> String {
    attribute(span, key).map(ToString::to_string).unwrap_or_default()
}

fn annotations(span: &SpanData) -> String {
    text(span, "aws.xray.annotations")
}

fn with_header(name: &'static str, value: &str) -> Request<Body> {
    let mut request = post(renamed().to_string());
    request.headers_mut().insert(name, value.parse().unwrap());
    request
}

fn xray(id: TraceId) -> String {
    ::xray::TraceId::from_bytes(id.to_bytes()).to_string()
}

#[tokio::test(start_paused = true)]
async fn a_single_event_continues_the_callers_trace() {
    for (name, value, parent) in [
        (
            "x-amzn-trace-id",
            format!("Root={ROOT};Parent=53995c3f42cd8ad8;Sampled=1"),
            Some("53995c3f42cd8ad8"),
        ),
        ("x-amzn-trace-id", format!("Self=1-67891234-12456789abcdef012345678;Root={ROOT};Sampled=1"), None),
        ("x-amzn-trace-id", format!("Root={ROOT}"), None),
        (
            "x-amzn-trace-id",
            format!("Root={ROOT};Parent=53995c3f42cd8ad8;Sampled=?"),
            Some("53995c3f42cd8ad8"),
        ),
        (
            "traceparent",
            "00-5759e988bd862e3fe1be46a994272793-53995c3f42cd8ad8-01".to_owned(),
            Some("53995c3f42cd8ad8"),
        ),
    ] {
        let recorder = Recorder::new();
        let _installed = recorder.install();
        let bus = Bus::accepting();
        let answer = send(&Service::over(&bus).router(), with_header(name, &value)).await;
        assert_eq!(answer.body["trace_id"], ROOT, "{value}");
        let span = recorder.span("POST /v1/events");
        assert_eq!(span.span_kind, SpanKind::Server);
        assert_eq!(xray(span.span_context.trace_id()), ROOT);
        let expected = parent.map_or(SpanId::INVALID, |parent| SpanId::from_hex(parent).unwrap());
        assert_eq!(span.parent_span_id, expected, "{value}");
        let header = bus.published()[0].1.clone().unwrap();
        let current = format!("Root={ROOT};Parent={};Sampled=1", span.span_context.span_id());
        assert!(header.starts_with(&current), "{header}");
    }
}

#[tokio::test(start_paused = true)]
async fn an_unsampled_event_leaves_no_span_but_its_trace_id_everywhere_else() {
    let recorder = Recorder::new();
    let _installed = recorder.install();
    let bus = Bus::accepting();
    let request = with_header("x-amzn-trace-id", &format!("Root={ROOT};Parent=53995c3f42cd8ad8;Sampled=0"));
    let answer = send(&Service::over(&bus).router(), request).await;
    assert_eq!(answer.body["trace_id"], ROOT);
    assert!(recorder.spans().is_empty());
    let logs = recorder.logs();
    let line = logs.iter().find(|line| line["message"] == "event").unwrap();
    assert_eq!(line["trace_id"], ROOT);
}

#[tokio::test(start_paused = true)]
async fn rubbish_and_nothing_start_a_trace() {
    for value in ["rubbish", "Root=1-0-0", ""] {
        let recorder = Recorder::new();
        let _installed = recorder.install();
        let bus = Bus::accepting();
        let answer = send(&Service::over(&bus).router(), with_header("x-amzn-trace-id", value)).await;
        let span = recorder.span("POST /v1/events");
        assert_eq!(span.parent_span_id, SpanId::INVALID);
        assert_eq!(answer.body["trace_id"], xray(span.span_context.trace_id()));
    }
}

#[tokio::test(start_paused = true)]
async fn the_first_segment_can_be_found_by_its_event_and_shows_the_request() {
    let recorder = Recorder::new();
    let _installed = recorder.install();
    let bus = Bus::accepting();
    let mut request = post(renamed().to_string());
    request.headers_mut().insert("host", "events.example.com:8443".parse().unwrap());
    request.headers_mut().insert("user-agent", "crm/1.0".parse().unwrap());
    request.headers_mut().insert("x-forwarded-for", "203.0.113.9".parse().unwrap());
    let answer = send(&Service::over(&bus).router(), request).await;
    let span = recorder.span("POST /v1/events");
    for (key, value) in [
        ("application", "foostore"),
        ("environment", "test"),
        ("customer_number", "123456789012"),
        ("event_id", answer.body["event_id"].as_str().unwrap()),
        ("event_type", "CustomerRenamed"),
        ("http.request.method", "POST"),
        ("http.route", "/v1/events"),
        ("url.path", "/v1/events"),
        ("http.response.status_code", "202"),
        ("server.address", "events.example.com"),
        ("server.port", "8443"),
        ("user_agent.original", "crm/1.0"),
    ] {
        assert_eq!(text(&span, key), value, "{key}");
    }
    for key in ["application", "environment", "customer_number", "event_id", "event_type"] {
        assert!(annotations(&span).contains(key), "{key} among {}", annotations(&span));
    }
    assert_eq!(span.status, Status::Unset);
    assert!(!format!("{span:?}").contains("203.0.113.9"));
}

#[tokio::test(start_paused = true)]
async fn each_event_of_a_list_has_a_trace_of_its_own_that_leads_back() {
    let recorder = Recorder::new();
    let _installed = recorder.install();
    let bus = Bus::accepting();
    let mut request = post(json!([renamed(), invalid(), renamed()]).to_string());
    let header = format!("Root={ROOT};Parent=53995c3f42cd8ad8;Sampled=1");
    request.headers_mut().insert("x-amzn-trace-id", header.parse().unwrap());
    let answer = send(&Service::over(&bus).router(), request).await;

    let spans = recorder.spans();
    assert_eq!(spans.len(), 3);
    let (own, items): (Vec<_>, Vec<_>) =
        spans.iter().partition(|span| xray(span.span_context.trace_id()) == ROOT);
    assert_eq!((own.len(), items.len()), (1, 2));
    assert_eq!(own[0].parent_span_id, SpanId::from_hex("53995c3f42cd8ad8").unwrap());
    assert_eq!(text(own[0], "customer_number"), "");
    assert_eq!(text(own[0], "http.response.status_code"), "202");
    assert_ne!(items[0].span_context.trace_id(), items[1].span_context.trace_id());
    for (index, published) in [0, 2].into_iter().zip(bus.published()) {
        let trace_id = answer.body[index]["trace_id"].as_str().unwrap();
        let span = items.iter().find(|span| xray(span.span_context.trace_id()) == trace_id).unwrap();
        assert_eq!((&span.span_kind, span.parent_span_id), (&SpanKind::Server, SpanId::INVALID));
        assert_eq!(text(span, "request_trace_id"), ROOT);
        assert_eq!(text(span, "event_id"), answer.body[index]["event_id"].as_str().unwrap());
        assert!(annotations(span).contains("request_trace_id"));
        assert!(published.1.unwrap().starts_with(&format!("Root={trace_id};")));
    }
}

#[tokio::test(start_paused = true)]
async fn failures_show_on_their_segments() {
    let recorder = Recorder::new();
    let _installed = recorder.install();
    post_json(&Service::over(&Bus::failing()).router(), &renamed()).await;
    let span = recorder.span("POST /v1/events");
    assert_eq!(text(&span, "http.response.status_code"), "503");
    assert_eq!(text(&span, "error.type"), "not-published");
    assert!(matches!(span.status, Status::Error { .. }));

    let recorder = Recorder::new();
    let _installed = recorder.install();
    let answer = post_json(&Service::over(&Bus::accepting()).router(), &invalid()).await;
    let span = recorder.span("POST /v1/events");
    assert_eq!(text(&span, "http.response.status_code"), "422");
    assert_eq!(span.status, Status::Unset, "a refusal is no failure of ours");
    assert_eq!(answer.body["trace_id"], xray(span.span_context.trace_id()));
}

#[tokio::test(start_paused = true)]
async fn health_and_unknown_requests_are_not_traced() {
    let recorder = Recorder::new();
    let _installed = recorder.install();
    let router = Service::over(&Bus::accepting()).router();
    for (method, path) in [
        ("GET", "/health/live"),
        ("GET", "/health/ready"),
        ("GET", "/openapi.json"),
        ("GET", "/v1/events"),
        ("POST", "/v1/other"),
    ] {
        send(&router, Request::builder().method(method).uri(path).body(Body::empty()).unwrap()).await;
    }
    assert!(recorder.spans().is_empty());
}

/// Anybody can send such a request, and could name somebody else's trace in it.
#[tokio::test(start_paused = true)]
async fn a_request_that_is_refused_leaves_neither_a_span_nor_a_line() {
    let recorder = Recorder::new();
    let _installed = recorder.install();
    let bus = Bus::accepting();
    let header = format!("Root={ROOT};Parent=53995c3f42cd8ad8;Sampled=1");
    let secrets = Some("whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw".parse().unwrap());
    let signing = Service { secrets, ..Service::over(&bus) }.router();
    let mut full = Service::over(&bus);
    full.limits.concurrent_requests = 0;
    let (open, full) = (Service::over(&bus).router(), full.router());
    let pending = futures_util::stream::pending::<Result<bytes::Bytes, std::io::Error>>();
    for (router, body, status) in [
        (&signing, Body::from(renamed().to_string()), 401),
        (&open, Body::from(" ".repeat(1024 * 1024 + 1)), 413),
        (&open, Body::from_stream(pending), 408),
        (&full, Body::from(renamed().to_string()), 503),
    ] {
        let mut request = post(body);
        request.headers_mut().insert("x-amzn-trace-id", header.parse().unwrap());
        let answer = send(router, request).await;
        assert_eq!(answer.status, status);
        assert_eq!(answer.body.get("trace_id"), None);
    }
    assert!(recorder.spans().is_empty() && recorder.logs().is_empty(), "{:?}", recorder.logs());
}

#[tokio::test(start_paused = true)]
async fn every_event_leaves_one_line_and_no_personal_data_anywhere() {
    let recorder = Recorder::new();
    let _installed = recorder.install();
    let bus = Bus::new(|envelope| {
        if envelope.customer_number.as_deref() == Some("999999999999") { Err(throttled()) } else { Ok(()) }
    });
    let mut unpublishable = renamed();
    unpublishable["customer_number"] = json!("999999999999");
    let bad = json!({
        "type": "CustomerEnrolled", "customer_number": "123456789012",
        "data": {
            "name": {"given": "Ada\n", "family": "Lovelace"}, "email": "Ada@@Lovelace", "channels": [],
            "Ada Lovelace": 1,
        },
    });
    let router = Service::over(&bus).router();
    let answer = post_json(&router, &json!([renamed(), bad, unpublishable])).await;
    send(&router, post("{\"Ada\": Lovelace")).await;

    let logs = recorder.logs();
    let events: Vec<_> = logs.iter().filter(|line| line["message"] == "event").collect();
    assert_eq!(events.len(), 3);
    let of = |outcome: &str| *events.iter().find(|line| line["outcome"] == outcome).unwrap();
    let accepted = of("accepted");
    assert_eq!(accepted["event_id"], answer.body[0]["event_id"]);
    assert_eq!(accepted["correlation_id"], answer.body[0]["event_id"]);
    assert_eq!(accepted["trace_id"], answer.body[0]["trace_id"]);
    assert_eq!(accepted["event_type"], "CustomerRenamed");
    assert_eq!(accepted["customer_number"], "123456789012");
    assert!(accepted["processing_ms"].is_u64());
    let rejected = of("rejected");
    assert_eq!(rejected["reason"], "invalid-event");
    let fields = rejected["fields"].as_str().unwrap();
    for field in ["wrong-value:/data/name/given", "wrong-value:/data/email", "unknown-field:/data"] {
        assert!(fields.split(',').any(|found| found == field), "{field} in {fields}");
    }
    let unpublished = of("unpublished");
    assert_eq!(unpublished["reason"], "ThrottlingException");
    assert_eq!(unpublished["event_id"], answer.body[2]["event_id"]);
    let refused: Vec<_> = logs.iter().filter(|line| line["message"] == "request refused").collect();
    assert_eq!(refused.len(), 1);
    assert_eq!(refused[0]["reason"], "malformed-json");

    let everything = format!("{logs:?}{:?}", recorder.spans());
    assert!(!everything.contains("Ada") && !everything.contains("Lovelace"), "{everything}");
}

#[tokio::test(start_paused = true)]
async fn a_caller_behind_a_load_balancer_is_continued_and_told_so() {
    const BALANCER: &str = "1-00000001-000000000000000000000001";
    let recorder = Recorder::new();
    let _installed = recorder.install();
    let bus = Bus::accepting();
    let mut request = with_header("x-amzn-trace-id", &format!("Root={BALANCER}"));
    let traceparent = "00-5759e988bd862e3fe1be46a994272793-53995c3f42cd8ad8-01";
    request.headers_mut().insert("traceparent", traceparent.parse().unwrap());
    let answer = send(&Service::over(&bus).router(), request).await;
    let span = recorder.span("POST /v1/events");
    assert_eq!(xray(span.span_context.trace_id()), ROOT);
    assert_eq!(span.parent_span_id.to_string(), "53995c3f42cd8ad8");
    assert_eq!(text(&span, "load_balancer_trace_id"), BALANCER);
    let id = span.span_context.span_id();
    assert_eq!(answer.headers["x-amzn-trace-id"], format!("Root={ROOT};Parent={id};Sampled=1"));
    assert_eq!(answer.headers["traceresponse"], format!("00-5759e988bd862e3fe1be46a994272793-{id}-01"));
}

/// Returns what sampling rules can match of the span with this name.
fn sampled_by(recorder: &Recorder, name: &str, key: &str) -> String {
    let known = recorder.sampled_by(name);
    known.iter().find(|pair| pair.key.as_str() == key).map(|pair| pair.value.to_string()).unwrap_or_default()
}

#[tokio::test(start_paused = true)]
async fn sampling_rules_can_match_the_request_and_its_event() {
    let recorder = Recorder::new();
    let _installed = recorder.install();
    let bus = Bus::accepting();
    let mut request = post(renamed().to_string());
    request.headers_mut().insert("host", "events.example.com:8443".parse().unwrap());
    assert_eq!(send(&Service::over(&bus).router(), request).await.status, StatusCode::ACCEPTED);
    for (key, value) in [
        ("url.path", "/v1/events"),
        ("http.request.method", "POST"),
        ("server.address", "events.example.com"),
        // The rules in deploy/observability.yaml match it.
        ("environment", "test"),
        ("application", "foostore"),
        ("event_type", "CustomerRenamed"),
        ("customer_number", "123456789012"),
    ] {
        assert_eq!(sampled_by(&recorder, "POST /v1/events", key), value, "{key}");
    }
}

#[tokio::test(start_paused = true)]
async fn sampling_rules_can_match_a_refused_event_and_a_refused_body() {
    let mut wrong = renamed();
    wrong["data"] = json!({});
    for (body, event_type) in [(wrong.to_string(), "CustomerRenamed"), ("{".to_owned(), "")] {
        let recorder = Recorder::new();
        let _installed = recorder.install();
        let answer = send(&Service::over(&Bus::accepting()).router(), post(body)).await;
        assert!(answer.status.is_client_error());
        let known = |key| sampled_by(&recorder, "POST /v1/events", key);
        assert_eq!((&*known("environment"), &*known("event_type")), ("test", event_type));
    }
}

#[tokio::test(start_paused = true)]
async fn sampling_rules_can_match_each_event_of_a_list() {
    let recorder = Recorder::new();
    let _installed = recorder.install();
    let answer = send(&Service::over(&Bus::accepting()).router(), post(json!([renamed()]).to_string())).await;
    assert_eq!(answer.status, StatusCode::ACCEPTED);
    let spans = recorder.all_sampled_by("POST /v1/events");
    let types: Vec<_> =
        spans.iter().map(|span| span.iter().any(|pair| pair.key.as_str() == "event_type")).collect();
    assert_eq!(types, [false, true], "the request, and its event");
    for span in spans {
        for key in ["url.path", "http.request.method", "environment"] {
            assert!(span.iter().any(|pair| pair.key.as_str() == key), "{key} among {span:?}");
        }
    }
}
