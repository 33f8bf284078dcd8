//! The requests sent to AWS and the handling of its responses, with a connector in place of the network.

use std::sync::{Arc, Mutex};

use aws_sdk_eventbridge::config::{BehaviorVersion, Credentials, Region};
use aws_smithy_runtime_api::client::http::{
    HttpConnector, HttpConnectorFuture, SharedHttpConnector, http_client_fn,
};
use aws_smithy_runtime_api::client::orchestrator::{HttpRequest, HttpResponse};
use aws_smithy_types::body::SdkBody;
use envelope::{Envelope, Event, Metadata};
use opentelemetry::metrics::MeterProvider as _;
use opentelemetry::metrics::noop::NoopMeterProvider;
use opentelemetry::trace::{SpanKind, Status};
use opentelemetry_sdk::trace::SpanData;
use serde::{Deserialize, Serialize};
use telemetry::attributes;
use telemetry::testing::{Recorder, attribute};
use tracing::Instrument as _;
use uuid::Uuid;

use crate::{EventPublisher, PublishError, PublisherSettings, TopicPublisher};

#[derive(Serialize, Deserialize)]
struct Moved {
    customer_number: String,
}

impl Event for Moved {
    const TYPE: &'static str = "Moved";
    const SOURCE: &'static str = "crm";

    fn customer_number(&self) -> &str {
        &self.customer_number
    }
}

fn moved(event_id: Uuid) -> Envelope {
    let now = "2026-03-01T12:00:00Z".parse().unwrap();
    let event = Moved { customer_number: "123456789012".to_owned() };
    Envelope::new(Metadata::first(event_id, now, now), &event).unwrap()
}

/// One request, as AWS would have received it.
#[derive(Debug, Clone)]
struct Sent {
    trace_header: Option<String>,
    body: String,
}

type Answers = dyn Fn(usize, &str) -> (u16, String) + Send + Sync;

/// Answers every request by its number and body, and records it.
#[derive(Clone)]
struct Aws {
    answers: Arc<Answers>,
    sent: Arc<Mutex<Vec<Sent>>>,
}

impl std::fmt::Debug for Aws {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Aws")
    }
}

impl Aws {
    fn new(answers: impl Fn(usize, &str) -> (u16, String) + Send + Sync + 'static) -> Self {
        Self { answers: Arc::new(answers), sent: Arc::default() }
    }

    fn sent(&self) -> Vec<Sent> {
        self.sent.lock().unwrap().clone()
    }

    fn bus(&self) -> EventPublisher {
        let connector = SharedHttpConnector::new(self.clone());
        let config = aws_sdk_eventbridge::Config::builder()
            .behavior_version(BehaviorVersion::v2026_01_12())
            .region(Region::new("eu-central-1"))
            .credentials_provider(Credentials::new("id", "secret", None, None, "test"))
            .http_client(http_client_fn(move |_, _| connector.clone()))
            .build();
        let client = aws_sdk_eventbridge::Client::from_conf(config);
        EventPublisher::new(client, "foostore-test".to_owned(), PublisherSettings::default(), &meter())
    }

    fn topic(&self) -> TopicPublisher {
        let connector = SharedHttpConnector::new(self.clone());
        let config = aws_sdk_sns::Config::builder()
            .behavior_version(BehaviorVersion::v2026_01_12())
            .region(Region::new("eu-central-1"))
            .credentials_provider(Credentials::new("id", "secret", None, None, "test"))
            .http_client(http_client_fn(move |_, _| connector.clone()))
            .build();
        let client = aws_sdk_sns::Client::from_conf(config);
        let topic_arn = "arn:aws:sns:eu-central-1:000000000000:foostore-test".to_owned();
        TopicPublisher::new(client, topic_arn, PublisherSettings::default(), &meter())
    }
}

impl HttpConnector for Aws {
    fn call(&self, request: HttpRequest) -> HttpConnectorFuture {
        let body = String::from_utf8(request.body().bytes().unwrap_or_default().to_vec()).unwrap();
        let trace_header = request.headers().get("x-amzn-trace-id").map(str::to_owned);
        let number = {
            let mut sent = self.sent.lock().unwrap();
            sent.push(Sent { trace_header, body: body.clone() });
            sent.len()
        };
        let (status, answer) = (self.answers)(number, &body);
        let mut response = HttpResponse::new(status.try_into().unwrap(), SdkBody::from(answer));
        response.headers_mut().insert("x-amzn-requestid", format!("request-{number}"));
        HttpConnectorFuture::ready(Ok(response))
    }
}

fn meter() -> opentelemetry::metrics::Meter {
    NoopMeterProvider::new().meter("test")
}

fn entries(body: &str) -> Vec<serde_json::Value> {
    let body: serde_json::Value = serde_json::from_str(body).unwrap();
    body["Entries"].as_array().unwrap().clone()
}

/// Accepts every entry under the id `id`, except those with an error code.
fn put_events(codes: &[Option<&str>]) -> (u16, String) {
    let entries: Vec<_> = codes
        .iter()
        .map(|code| match code {
            None => serde_json::json!({"EventId": "id"}),
            Some(code) => serde_json::json!({"ErrorCode": code, "ErrorMessage": "no"}),
        })
        .collect();
    let failed = codes.iter().flatten().count();
    (200, serde_json::json!({"FailedEntryCount": failed, "Entries": entries}).to_string())
}

fn accept_batch(_: usize, body: &str) -> (u16, String) {
    let count = body.matches(".Id=").count();
    let members: Vec<_> =
        (0..count).map(|id| format!("<member><Id>{id}</Id><MessageId>m{id}</MessageId></member>")).collect();
    let members = members.concat();
    let answer = format!(
        "<PublishBatchResponse><PublishBatchResult><Successful>{members}</Successful><Failed/>\
         </PublishBatchResult><ResponseMetadata><RequestId>r</RequestId></ResponseMetadata></PublishBatchResponse>"
    );
    (200, answer)
}

fn text(span: &SpanData, key: &str) -> String {
    attribute(span, key).unwrap_or_else(|| panic!("{key} on {}", span.name)).to_string()
}

fn header_of(span: &SpanData) -> String {
    let root = xray::TraceId::from_bytes(span.span_context.trace_id().to_bytes());
    format!("Root={root};Parent={};Sampled=1", span.span_context.span_id())
}

#[tokio::test(start_paused = true)]
async fn each_entry_of_a_call_has_its_own_span_and_header_and_the_call_has_none() {
    let recorder = Recorder::new();
    let _installed = recorder.install();
    let aws = Aws::new(|_, body| put_events(&vec![None; entries(body).len()]));
    let bus = aws.bus();
    let publish = |name: &'static str, event_id| {
        let span = tracing::info_span!("caller", "otel.name" = name);
        bus.publish(moved(event_id)).instrument(span)
    };
    let ids = [Uuid::new_v4(), Uuid::new_v4()];
    let (one, other) = tokio::join!(publish("one", ids[0]), publish("other", ids[1]));
    assert_eq!((one.unwrap().id.as_str(), other.unwrap().id.as_str()), ("id", "id"));

    let sent = aws.sent();
    assert_eq!(sent.len(), 1);
    assert_eq!(sent[0].trace_header, None);
    let entries = entries(&sent[0].body);
    let mut spans = recorder.spans();
    spans.retain(|span| span.name == "send foostore-test");
    assert_eq!((spans.len(), recorder.spans().len()), (2, 4), "only the callers' and the entries' spans");

    for (index, caller) in ["one", "other"].into_iter().enumerate() {
        let entry = &entries[index];
        let caller = recorder.span(caller);
        let span = spans.iter().find(|span| span.parent_span_id == caller.span_context.span_id()).unwrap();
        assert_eq!(span.span_kind, SpanKind::Producer);
        assert_eq!(entry["TraceHeader"], header_of(span));
        let detail: serde_json::Value = serde_json::from_str(entry["Detail"].as_str().unwrap()).unwrap();
        assert_eq!(detail["metadata"]["trace"], entry["TraceHeader"]);
        assert_eq!(detail["metadata"]["event_id"], ids[index].to_string());
        assert_eq!(entry["Source"], "crm");
        assert_eq!(entry["DetailType"], "Moved");
        assert_eq!(entry["EventBusName"], "foostore-test");
        for (key, value) in [
            ("rpc.system", "aws-api"),
            ("rpc.service", "EventBridge"),
            ("rpc.method", "PutEvents"),
            ("aws.region", "eu-central-1"),
            ("aws.request_id", "request-1"),
            ("messaging.batch.message_count", "2"),
            ("messaging.message.id", "id"),
            ("http.response.status_code", "200"),
            ("event_id", &ids[index].to_string()),
        ] {
            assert_eq!(text(span, key), value, "{key}");
        }
        assert_eq!(span.status, Status::Unset);
    }
}

#[tokio::test(start_paused = true)]
async fn an_announced_event_has_a_copy_of_its_span_that_left_before_it() {
    let recorder = Recorder::new();
    let _installed = recorder.install();
    let spans = recorder.clone();
    let aws = Aws::new(move |_, _| {
        assert_eq!(spans.spans().len(), 1, "the copy");
        put_events(&[None])
    });
    let span = tracing::info_span!("caller", "otel.name" = "caller");
    let bus = aws.bus().announcing(telemetry::Departures::default());
    bus.publish(moved(Uuid::new_v4())).instrument(span).await.unwrap();
    let [copy, send, caller] = &recorder.spans()[..] else { panic!("not three spans") };
    assert_eq!(attribute(copy, attributes::AWS_XRAY_IN_PROGRESS), Some(&opentelemetry::Value::Bool(true)));
    assert_eq!(attribute(send, attributes::AWS_XRAY_IN_PROGRESS), None);
    assert_eq!(copy.span_context, send.span_context);
    assert_eq!((&copy.name, copy.parent_span_id), (&send.name, caller.span_context.span_id()));
}

/// Returns a caller's span whose parent is the one that a header names.
fn caller_within(header: &str) -> tracing::Span {
    let span = tracing::info_span!("caller", "otel.kind" = "internal");
    let parent = telemetry::context::from_message(Some(header), None);
    tracing_opentelemetry::OpenTelemetrySpanExt::set_parent(&span, parent).unwrap();
    span
}

#[tokio::test(start_paused = true)]
async fn an_unsampled_event_still_carries_its_trace() {
    let recorder = Recorder::new();
    let _installed = recorder.install();
    let aws = Aws::new(|_, _| put_events(&[None]));
    let span = caller_within("Root=1-5759e988-bd862e3fe1be46a994272793;Parent=53995c3f42cd8ad8;Sampled=0");
    aws.bus().publish(moved(Uuid::new_v4())).instrument(span).await.unwrap();
    let sent = entries(&aws.sent()[0].body)[0]["TraceHeader"].as_str().unwrap().to_owned();
    assert!(sent.starts_with("Root=1-5759e988-bd862e3fe1be46a994272793;Parent="), "{sent}");
    assert!(sent.ends_with(";Sampled=0"), "{sent}");
    assert!(recorder.spans().is_empty());
}

#[tokio::test(start_paused = true)]
async fn messages_of_traces_that_are_not_sampled_share_calls() {
    let recorder = Recorder::new();
    let _installed = recorder.install();
    let aws = Aws::new(accept_batch);
    let topic = aws.topic();
    let notify = |trace: u8| {
        let span = caller_within(&format!("Root=1-5759e988-{trace:024};Parent=53995c3f42cd8ad8;Sampled=0"));
        let publish = |channel| {
            let topic = topic.clone();
            async move { topic.publish(moved(Uuid::new_v4()), &[("channel", channel)]).await.unwrap() }
        };
        async move { tokio::join!(publish("email"), publish("app")) }.instrument(span)
    };
    tokio::join!(notify(1), notify(2), notify(3));
    let sent = aws.sent();
    assert_eq!(sent.len(), 1, "six messages fit into a call");
    assert_eq!(sent[0].trace_header, None, "no message gets the header of another's trace");
    for trace in 1..=3 {
        let in_body = format!("Root%3D1-5759e988-{trace:024}");
        assert_eq!(sent[0].body.matches(&in_body).count(), 2, "{}", sent[0].body);
    }
    notify(4).await;
    let header = aws.sent()[1].trace_header.clone().unwrap();
    assert!(
        header.starts_with(&format!("Root=1-5759e988-{:024};", 4)) && header.ends_with(";Sampled=0"),
        "{header}"
    );
}

#[tokio::test(start_paused = true)]
async fn a_refused_entry_is_an_error_on_its_span_alone() {
    let recorder = Recorder::new();
    let _installed = recorder.install();
    let aws = Aws::new(|_, _| put_events(&[None, Some("NotAuthorizedForSourceException")]));
    let bus = aws.bus();
    let (one, other) = tokio::join!(bus.publish(moved(Uuid::new_v4())), bus.publish(moved(Uuid::new_v4())));
    assert!(one.is_ok());
    let Err(PublishError::GaveUp { error, attempts: 1 }) = other else { unreachable!("{other:?}") };
    assert_eq!(
        error.to_string(),
        "EventBridge.PutEvents failed with NotAuthorizedForSourceException (request request-1)"
    );
    let spans = recorder.spans();
    let (failed, fine): (Vec<_>, Vec<_>) =
        spans.iter().partition(|span| matches!(span.status, Status::Error { .. }));
    assert_eq!((failed.len(), fine.len()), (1, 1));
    assert_eq!(text(failed[0], "http.response.status_code"), "200");
    assert_eq!(text(failed[0], "http.status_code"), "400");
    assert_eq!(text(failed[0], "error.type"), "NotAuthorizedForSourceException");
}

#[tokio::test(start_paused = true)]
async fn a_throttled_call_is_retried_by_the_publisher_alone_and_shows_on_the_span() {
    let recorder = Recorder::new();
    let _installed = recorder.install();
    let throttled = r#"{"__type":"ThrottlingException","message":"slow down"}"#;
    let aws = Aws::new(move |_, _| (400, throttled.to_owned()));
    let error = aws.bus().publish(moved(Uuid::new_v4())).await.unwrap_err();
    assert!(matches!(error, PublishError::GaveUp { attempts: 8, .. }), "{error:?}");
    assert_eq!(error.reason(), "ThrottlingException");
    assert_eq!(aws.sent().len(), 8, "the SDK's own retries are off");
    let span = recorder.span("send foostore-test");
    assert_eq!(text(&span, "http.response.status_code"), "400");
    assert_eq!(text(&span, "http.status_code"), "429");
    assert_eq!(text(&span, "http.request.resend_count"), "7");
    assert_eq!(text(&span, "aws.request_id"), "request-8");
}

#[tokio::test(start_paused = true)]
async fn messages_of_one_trace_share_a_call_that_carries_its_header() {
    let recorder = Recorder::new();
    let _installed = recorder.install();
    let aws = Aws::new(accept_batch);
    let topic = aws.topic();
    let publish = |channel| {
        let topic = topic.clone();
        async move { topic.publish(moved(Uuid::new_v4()), &[("channel", channel)]).await.unwrap() }
    };
    let one_trace = async { tokio::join!(publish("email"), publish("app")) };
    let (one_trace, lone, other) = tokio::join!(
        one_trace.instrument(tracing::info_span!("trace", "otel.kind" = "internal")),
        publish("email").instrument(tracing::info_span!("lone", "otel.kind" = "internal")),
        publish("email").instrument(tracing::info_span!("other", "otel.kind" = "internal")),
    );
    assert_eq!((one_trace.0.id.as_str(), one_trace.1.id.as_str()), ("m0", "m1"));
    assert_eq!((lone.id.as_str(), other.id.as_str()), ("m0", "m1"));

    let sent = aws.sent();
    assert_eq!(sent.len(), 2);
    let (headed, mixed): (Vec<_>, Vec<_>) = sent.iter().partition(|sent| sent.trace_header.is_some());
    assert_eq!((headed.len(), mixed.len()), (1, 1));
    let trace = recorder.span("trace").span_context;
    let spans = recorder.spans();
    let mut of_trace = spans
        .iter()
        .filter(|span| span.name == "send foostore-test" && span.span_context.trace_id() == trace.trace_id());
    assert!(of_trace.any(|span| headed[0].trace_header == Some(header_of(span))));
    assert!(headed[0].body.contains("channel") && headed[0].body.contains("app"), "{}", headed[0].body);
    assert!(!mixed[0].body.contains("StringValue=app"));

    let span = spans.iter().find(|span| span.name == "send foostore-test").unwrap();
    for (key, value) in [
        ("rpc.system", "aws-api"),
        ("rpc.service", "SNS"),
        ("rpc.method", "PublishBatch"),
        ("aws.sns.topic.arn", "arn:aws:sns:eu-central-1:000000000000:foostore-test"),
        ("messaging.batch.message_count", "2"),
    ] {
        assert_eq!(text(span, key), value, "{key}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_message_that_the_topic_failed_on_is_resent_alone() {
    let aws = Aws::new(|number, body| match number {
        1 => {
            let answer = "<PublishBatchResponse><PublishBatchResult><Successful><member><Id>0</Id>\
                <MessageId>m0</MessageId></member></Successful><Failed><member><Id>1</Id><Code>InternalError</Code>\
                <SenderFault>false</SenderFault></member></Failed></PublishBatchResult></PublishBatchResponse>";
            (200, answer.to_owned())
        }
        _ => accept_batch(number, body),
    });
    let topic = aws.topic();
    let publish = || topic.publish(moved(Uuid::new_v4()), &[]);
    let (one, other) = tokio::join!(publish(), publish());
    assert_eq!((one.unwrap().id.as_str(), other.unwrap().id.as_str()), ("m0", "m0"));
    let sent = aws.sent();
    assert_eq!(sent.len(), 2);
    assert_eq!((sent[0].body.matches(".Id=").count(), sent[1].body.matches(".Id=").count()), (2, 1));
}
