//! The telemetry of a hop: its span, its log line, its metrics.

use std::time::Duration;

use envelope::Envelope;
use opentelemetry::metrics::MeterProvider as _;
use opentelemetry::trace::{SpanId, SpanKind, Status, TraceId};
use opentelemetry_sdk::metrics::data::{AggregatedMetrics, MetricData};
use opentelemetry_sdk::metrics::{InMemoryMetricExporter, SdkMeterProvider};
use opentelemetry_sdk::trace::SpanData;
use opentelemetry_semantic_conventions::attribute as semconv;
use serde_json::{Value, json};
use sqs_consumer::queue::{AttributeValue, MessageAttribute};
use sqs_consumer::{ConsumerSettings, Delivery, Done, Failure};
use telemetry::attributes;
use telemetry::testing::{Recorder, attribute};
use tracing::Instrument as _;

use crate::bench::{Answer, Bench, CUSTOMER, Does, answers, ordered, settings};
use crate::fake_queue::Put;

const METADATA: &str = "Root=1-5759e988-bd862e3fe1be46a994272793;Parent=53995c3f42cd8ad8;Sampled=1";
const NATIVE: &str =
    "Root=1-5759e988-bd862e3fe1be46a994272793;Parent=00f067aa0ba902b7;Sampled=1;Lineage=1:a87bd80c:1";
const ROOT: &str = "1-5759e988-bd862e3fe1be46a994272793";

fn traced(bench: &Bench, trace: Option<&str>) -> Envelope {
    let mut envelope = ordered(&bench.queue, 1);
    envelope.metadata.trace = trace.map(str::to_owned);
    envelope
}

/// Runs one message through a handler and returns its process span.
async fn hop(bench: &Bench, put: Put, answer: fn(&Delivery) -> Result<Done, Failure>) -> SpanData {
    bench.queue.put_with(put);
    let task = bench.start(answers(answer));
    bench.queue.until_empty().await;
    bench.stop(task).await;
    bench.recorder.span("process orders")
}

fn text(span: &SpanData, key: &str) -> Option<String> {
    attribute(span, key).map(|value| value.as_str().into_owned())
}

fn annotations(span: &SpanData) -> Vec<String> {
    let Some(opentelemetry::Value::Array(opentelemetry::Array::String(keys))) =
        attribute(span, attributes::AWS_XRAY_ANNOTATIONS)
    else {
        return Vec::new();
    };
    let mut keys: Vec<_> = keys.iter().map(ToString::to_string).collect();
    keys.sort_unstable();
    keys
}

#[tokio::test(start_paused = true)]
async fn a_message_has_one_process_span_that_continues_the_events_trace() {
    let bench = Bench::new();
    let envelope = traced(&bench, Some(METADATA));
    let body = envelope.message();
    let put = Put { body, trace_header: Some(NATIVE.into()), ..Put::default() };
    let span = hop(&bench, put, |_| Ok(Done::APPLIED)).await;

    assert_eq!(span.span_kind, SpanKind::Consumer);
    assert_eq!(span.span_context.trace_id(), TraceId::from_hex("5759e988bd862e3fe1be46a994272793").unwrap());
    assert_eq!(
        span.parent_span_id,
        SpanId::from_hex("53995c3f42cd8ad8").unwrap(),
        "the metadata takes precedence"
    );
    assert_eq!(span.status, Status::Unset);
    for (key, value) in [
        (semconv::MESSAGING_SYSTEM, "aws_sqs"),
        (semconv::MESSAGING_OPERATION_NAME, "process"),
        (semconv::MESSAGING_OPERATION_TYPE, "process"),
        (semconv::MESSAGING_DESTINATION_NAME, "orders"),
        (semconv::MESSAGING_MESSAGE_ID, "message-0"),
        (semconv::AWS_SQS_QUEUE_URL, "https://sqs.test/1/orders"),
        (attributes::AWS_REMOTE_SERVICE, "membership"),
        (attributes::EVENT_ID, &envelope.metadata.event_id.to_string()),
        (attributes::EVENT_TYPE, "Ordered"),
        (attributes::OUTCOME, "applied"),
    ] {
        assert_eq!(text(&span, key).as_deref(), Some(value), "{key}");
    }
    assert_eq!(annotations(&span), ["event_id", "event_type", "outcome"]);
    for key in
        [attributes::RPC_SYSTEM, attributes::RPC_SERVICE, attributes::ATTEMPT, attributes::CUSTOMER_NUMBER]
    {
        assert_eq!(attribute(&span, key), None, "{key}");
    }
    assert_eq!(bench.recorder.spans().len(), 1, "receives, deletes and visibility changes create none");
}

#[tokio::test(start_paused = true)]
async fn sampling_rules_can_match_the_message_and_its_event() {
    let bench = Bench::new();
    let envelope = traced(&bench, None);
    hop(&bench, Put { body: envelope.message(), ..Put::default() }, |_| Ok(Done::APPLIED)).await;
    let known = bench.recorder.sampled_by("process orders");
    let known = |key| known.iter().find(|pair| pair.key.as_str() == key).map(|pair| pair.value.to_string());
    for (key, value) in [
        (semconv::MESSAGING_SYSTEM, "aws_sqs"),
        (semconv::MESSAGING_OPERATION_TYPE, "process"),
        (semconv::MESSAGING_DESTINATION_NAME, "orders"),
        (attributes::EVENT_ID, &envelope.metadata.event_id.to_string()),
        (attributes::EVENT_TYPE, "Ordered"),
        (attributes::CUSTOMER_NUMBER, CUSTOMER),
    ] {
        assert_eq!(known(key).as_deref(), Some(value), "{key}");
    }
}

#[tokio::test(start_paused = true)]
async fn the_native_header_is_the_fallback_and_its_unknown_fields_are_kept() {
    for (metadata, parent) in [(None, "00f067aa0ba902b7"), (Some(METADATA), "53995c3f42cd8ad8")] {
        let bench = Bench::new();
        let body = traced(&bench, metadata).message();
        let header = std::sync::Arc::new(std::sync::Mutex::new(None));
        let seen = std::sync::Arc::clone(&header);
        bench.queue.put_with(Put { body, trace_header: Some(NATIVE.into()), ..Put::default() });
        let task = bench.start(answers(move |_| {
            *seen.lock().unwrap() = telemetry::context::current_header();
            Ok(Done::APPLIED)
        }));
        bench.queue.until_empty().await;
        bench.stop(task).await;
        let span = bench.recorder.span("process orders");
        assert_eq!(span.parent_span_id.to_string(), parent);
        let id = span.span_context.span_id();
        let expected = format!("Root={ROOT};Parent={id};Sampled=1;Lineage=1:a87bd80c:1");
        assert_eq!(header.lock().unwrap().as_deref(), Some(&*expected), "the header a handler injects");
    }
}

#[tokio::test(start_paused = true)]
async fn a_traceparent_among_the_message_attributes_counts_when_nothing_better_is_there() {
    let root_alone = format!("Root={ROOT};Lineage=1:a87bd80c:1");
    let cases = [
        (None, None, "0af7651916cd43dd8448eb211c80319c"),
        (None, Some(root_alone.as_str()), "0af7651916cd43dd8448eb211c80319c"),
        (None, Some(NATIVE), "5759e988bd862e3fe1be46a994272793"),
        (Some(METADATA), None, "5759e988bd862e3fe1be46a994272793"),
    ];
    for (metadata, native, trace) in cases {
        let bench = Bench::new();
        let value =
            AttributeValue::Text("00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01".to_owned());
        let traceparent = MessageAttribute { data_type: "String".to_owned(), value };
        let put = Put {
            body: traced(&bench, metadata).message(),
            trace_header: native.map(str::to_owned),
            attributes: [("traceparent".to_owned(), traceparent)].into(),
            ..Put::default()
        };
        let span = hop(&bench, put, |_| Ok(Done::APPLIED)).await;
        assert_eq!(span.span_context.trace_id().to_string(), trace, "{metadata:?} {native:?}");
        assert_eq!(
            span.parent_span_id.to_string() == "b7ad6b7169203331",
            trace.starts_with("0af7"),
            "{metadata:?} {native:?}"
        );
    }
}

/// A topic without raw delivery hands on the attributes in the body; OpenTelemetry's X-Ray propagators write its header.
#[tokio::test(start_paused = true)]
async fn a_producer_that_knows_only_attributes_is_continued_whatever_its_propagator_and_its_way() {
    const W3C: &str = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01";
    const XRAY: &str = "Root=1-0af76519-16cd43dd8448eb211c80319c;Parent=b7ad6b7169203331;Sampled=1";
    for (name, value) in [("traceparent", W3C), ("X-Amzn-Trace-Id", XRAY), ("x-amzn-trace-id", XRAY)] {
        for wrapped in [false, true] {
            let bench = Bench::new();
            let message = traced(&bench, None).message();
            let put = if wrapped {
                let attributes = json!({name: {"Type": "String", "Value": value}});
                let body =
                    json!({"Type": "Notification", "Message": message, "MessageAttributes": attributes});
                Put { body: body.to_string(), ..Put::default() }
            } else {
                let value = AttributeValue::Text(value.to_owned());
                let attribute = MessageAttribute { data_type: "String".to_owned(), value };
                Put { body: message, attributes: [(name.to_owned(), attribute)].into(), ..Put::default() }
            };
            let span = hop(&bench, put, |_| Ok(Done::APPLIED)).await;
            assert_eq!(span.parent_span_id.to_string(), "b7ad6b7169203331", "{name} wrapped: {wrapped}");
            let trace = span.span_context.trace_id().to_string();
            assert_eq!(trace, "0af7651916cd43dd8448eb211c80319c", "{name} wrapped: {wrapped}");
        }
    }
}

#[tokio::test(start_paused = true)]
async fn a_message_wrapped_in_an_sns_envelope_is_read_as_well() {
    let bench = Bench::new();
    let message = traced(&bench, Some(METADATA)).message();
    let body = json!({"Type": "Notification", "MessageId": "x", "TopicArn": "arn", "Message": message});
    let span = hop(&bench, Put { body: body.to_string(), ..Put::default() }, |_| Ok(Done::APPLIED)).await;
    assert_eq!(span.parent_span_id.to_string(), "53995c3f42cd8ad8");
    assert_eq!(text(&span, attributes::EVENT_TYPE).as_deref(), Some("Ordered"));
}

#[tokio::test(start_paused = true)]
async fn spans_of_the_handler_are_children_of_the_process_span() {
    let bench = Bench::new();
    bench.put(1);
    let task = bench.start(Does(|_: &Delivery| {
        let call = tracing::info_span!("call", otel.name = "DynamoDB.PutItem", otel.kind = "client");
        Box::pin(async { Ok(Done::APPLIED) }.instrument(call)) as Answer
    }));
    bench.queue.until_empty().await;
    bench.stop(task).await;
    let (process, call) = (bench.recorder.span("process orders"), bench.recorder.span("DynamoDB.PutItem"));
    assert_eq!(call.parent_span_id, process.span_context.span_id());
    assert_eq!(call.span_context.trace_id(), process.span_context.trace_id());
}

#[tokio::test(start_paused = true)]
async fn a_replayed_or_old_event_starts_a_trace_that_refers_to_the_original() {
    let old = |bench: &Bench, hours: i64| {
        let mut envelope = traced(bench, Some(METADATA));
        envelope.metadata.published_at = bench.queue.now() - jiff::SignedDuration::from_hours(hours);
        envelope.message()
    };
    let replayed = |bench: &Bench| {
        let mut event: Value = serde_json::from_str(&traced(bench, Some(METADATA)).message()).unwrap();
        event["replay-name"] = "march".into();
        event.to_string()
    };
    for (make, anew) in [
        (&replayed as &dyn Fn(&Bench) -> String, true),
        (&|bench| old(bench, 25), true),
        (&|bench| old(bench, 23), false),
    ] {
        let bench = Bench::new();
        let put = Put { body: make(&bench), ..Put::default() };
        let span = hop(&bench, put, |_| Ok(Done::APPLIED)).await;
        let trace_id = span.span_context.trace_id().to_string();
        assert_eq!(trace_id != "5759e988bd862e3fe1be46a994272793", anew);
        assert_eq!(text(&span, attributes::ORIGIN_TRACE_ID).as_deref(), anew.then_some(ROOT));
        if anew {
            assert_eq!(span.parent_span_id, SpanId::INVALID);
            let keys = ["customer_number", "event_id", "event_type", "origin_trace_id", "outcome"];
            assert_eq!(annotations(&span), keys, "it is the first segment of its trace");
        }
    }
}

#[tokio::test(start_paused = true)]
async fn a_retry_is_annotated_with_its_attempt_and_a_failure_marks_the_span() {
    let bench = Bench::new();
    let body = traced(&bench, Some(METADATA)).message();
    bench.queue.put_with(Put { body, ..Put::default() });
    let task = bench.start(answers(|delivery| match delivery.attempt {
        1 => Err(Failure::transient("throttled").on("DynamoDB").because("slow down")),
        _ => Ok(Done::DUPLICATE),
    }));
    bench.queue.until_empty().await;
    bench.stop(task).await;
    let spans = bench.recorder.spans();
    let [first, second] = &spans[..] else { panic!("{} spans", spans.len()) };
    assert_eq!(first.status, Status::error("throttled"));
    assert_eq!(text(first, semconv::ERROR_TYPE).as_deref(), Some("throttled"));
    assert_eq!(text(first, attributes::OUTCOME).as_deref(), Some("retry"));
    let exception = &first.events.events[0];
    assert_eq!(exception.name, "exception");
    assert!(exception.attributes.iter().any(|a| a.value.as_str() == "slow down"));
    assert_eq!(second.status, Status::Unset);
    assert_eq!(attribute(second, attributes::ATTEMPT), Some(&opentelemetry::Value::I64(2)));
    assert_eq!(annotations(second), ["attempt", "event_id", "event_type", "outcome"]);
    assert_eq!(first.span_context.trace_id(), second.span_context.trace_id());
}

#[tokio::test(start_paused = true)]
async fn a_dead_letter_has_a_producer_span_that_shows_sqs() {
    let bench = Bench::new();
    let body = traced(&bench, Some(METADATA)).message();
    let process = hop(&bench, Put { body, ..Put::default() }, |_| Err(Failure::permanent("bad"))).await;
    assert_eq!(process.status, Status::error("bad"));
    let send = bench.recorder.span("send orders-dead-letter");
    assert_eq!(send.span_kind, SpanKind::Producer);
    assert_eq!(send.parent_span_id, process.span_context.span_id());
    for (key, value) in [
        (attributes::RPC_SYSTEM, "aws-api"),
        (attributes::RPC_SERVICE, "SQS"),
        (semconv::RPC_METHOD, "SendMessage"),
        (semconv::AWS_REQUEST_ID, "request-1"),
        (semconv::MESSAGING_MESSAGE_ID, "letter-1"),
        (semconv::MESSAGING_DESTINATION_NAME, "orders-dead-letter"),
        (attributes::AWS_QUEUE_URL, "https://sqs.test/1/orders-dead-letter"),
        (attributes::AWS_REGION, "eu-central-1"),
    ] {
        assert_eq!(text(&send, key).as_deref(), Some(value), "{key}");
    }
    // The message had no native header, so the dead letter carries the header of its `send` span.
    let header = bench.queue.state().letters[0].trace_header.clone().unwrap();
    assert_eq!(header, format!("Root={ROOT};Parent={};Sampled=1", send.span_context.span_id()));
}

#[tokio::test(start_paused = true)]
async fn every_hop_writes_one_line_whether_sampled_or_not() {
    for sampled in ["1", "0"] {
        let bench = Bench::new();
        let envelope =
            traced(&bench, Some(&format!("Root={ROOT};Parent=53995c3f42cd8ad8;Sampled={sampled}")));
        let body = envelope.message();
        bench.queue.put_with(Put { body, age: Duration::from_secs(2), ..Put::default() });
        let task = bench.start(Does(|_: &Delivery| {
            Box::pin(async {
                tokio::time::sleep(Duration::from_millis(40)).await;
                Ok(Done::APPLIED)
            }) as Answer
        }));
        bench.queue.until_empty().await;
        bench.stop(task).await;
        assert_eq!(bench.recorder.spans().len(), usize::from(sampled == "1"));
        let [line] = &bench.hops()[..] else { panic!("one line") };
        let metadata = &envelope.metadata;
        for (key, value) in [
            ("level", json!("INFO")),
            ("trace_id", json!(ROOT)),
            ("event_type", json!("Ordered")),
            ("event_id", json!(metadata.event_id)),
            ("correlation_id", json!(metadata.correlation_id)),
            ("customer_number", json!(CUSTOMER)),
            ("attempt", json!(1)),
            ("waiting_ms", json!(2_000)),
            ("processing_ms", json!(40)),
            ("outcome", json!("applied")),
            ("reason", Value::Null),
            ("error", Value::Null),
        ] {
            assert_eq!(line[key], value, "{key}");
        }
    }
}

#[tokio::test(start_paused = true)]
async fn a_failed_hop_is_logged_with_its_reason_at_the_right_level() {
    let bench = Bench::new();
    bench.put(1);
    bench.queue.put("rubbish");
    let task = bench.start(answers(|delivery| match delivery.attempt {
        1 => Err(Failure::transient("throttled").because("slow down")),
        _ => Ok(Done::APPLIED),
    }));
    bench.queue.until_empty().await;
    bench.stop(task).await;
    let hops = bench.hops();
    let of = |outcome: &str| hops.iter().find(|hop| hop["outcome"] == outcome).unwrap();
    let retry = of("retry");
    assert_eq!(
        (&retry["level"], &retry["reason"], &retry["error"]),
        (&json!("WARN"), &json!("throttled"), &json!("slow down"))
    );
    let dead = of("dead-letter");
    assert_eq!((&dead["level"], &dead["reason"]), (&json!("ERROR"), &json!("malformed-event")));
    assert_eq!(dead["error"], "body is not JSON: line 1, column 1");
    assert!(dead["message_id"].is_string() && dead["trace_id"].is_string(), "these alone identify it");
    assert_eq!(hops.len(), 3, "one for each delivery");
}

#[tokio::test(start_paused = true)]
async fn measures_what_operators_need_and_never_by_customer_or_event() {
    let exporter = InMemoryMetricExporter::default();
    let provider = SdkMeterProvider::builder().with_periodic_exporter(exporter.clone()).build();
    let bench = Bench::with(provider.meter("test"), Recorder::new());
    bench.put(20);
    bench.queue.put("rubbish");
    let settings = ConsumerSettings { visibility: Duration::from_secs(3), concurrency: 21, ..settings() };
    let handler = Does(|delivery: &Delivery| {
        let again = delivery.attempt == 1 && crate::bench::item(delivery) == 0;
        Box::pin(async move {
            tokio::time::sleep(Duration::from_millis(2_500)).await;
            if again { Err(Failure::transient("throttled").on("DynamoDB")) } else { Ok(Done::APPLIED) }
        }) as Answer
    });
    let task = bench.start_with(settings, handler);
    bench.queue.until_empty().await;
    bench.stop(task).await;
    provider.force_flush().unwrap();

    let finished = exporter.get_finished_metrics().unwrap();
    let mut points: Vec<(String, String, f64)> = Vec::new();
    for metric in finished.last().unwrap().scope_metrics().flat_map(|scope| scope.metrics()) {
        let name = metric.name();
        let mut push = |attributes: String, value: f64| points.push((name.to_owned(), attributes, value));
        #[expect(clippy::cast_precision_loss, reason = "small counts")]
        match metric.data() {
            AggregatedMetrics::U64(MetricData::Sum(sum)) => {
                sum.data_points().for_each(|p| push(shown(p.attributes()), p.value() as f64));
            }
            AggregatedMetrics::I64(MetricData::Gauge(gauge)) => {
                gauge.data_points().for_each(|p| push(shown(p.attributes()), p.value() as f64));
            }
            AggregatedMetrics::U64(MetricData::Gauge(gauge)) => {
                gauge.data_points().for_each(|p| push(shown(p.attributes()), p.value() as f64));
            }
            AggregatedMetrics::F64(MetricData::Histogram(histogram)) => {
                histogram.data_points().for_each(|p| push(shown(p.attributes()), p.count() as f64));
            }
            other => panic!("{name}: {other:?}"),
        }
    }
    let value = |name: &str, with: &str| {
        points.iter().filter(|(n, a, _)| n == name && a.contains(with)).map(|(.., v)| v).sum::<f64>()
    };
    let close = |left: f64, right: f64| assert!((left - right).abs() < f64::EPSILON, "{left} is not {right}");
    close(value("messaging.client.consumed.messages", ""), 22.0);
    close(value("messaging.process.duration", ""), 22.0);
    close(value("messaging.process.duration", "error.type=malformed-event"), 1.0);
    close(value("consumer.messages", "outcome=applied"), 20.0);
    close(value("consumer.messages", "event_type=Ordered"), 21.0);
    close(value("consumer.messages", "outcome=dead-letter"), 1.0);
    close(value("consumer.retries", "reason=throttled"), 1.0);
    close(value("consumer.dead_letters", "reason=malformed-event"), 1.0);
    close(value("consumer.event.age", "stage=received"), 21.0);
    close(value("consumer.event.age", "stage=done"), 20.0);
    close(value("consumer.event.delay", ""), 20.0);
    assert!(points.iter().any(|(name, ..)| name == "consumer.in_flight"));
    close(value("consumer.in_flight", ""), 0.0);
    assert!(value("consumer.batch.fill", "") >= 3.0);
    assert!(value("consumer.visibility.extensions", "") >= 20.0);
    assert!(value("messaging.client.operation.duration", "name=delete") >= 3.0);
    assert!(value("messaging.client.operation.duration", "name=receive") >= 3.0);
    assert!(points.iter().any(|(name, ..)| name == "consumer.pollers"));
    for (name, attributes, _) in &points {
        assert!(attributes.contains("messaging.system=aws_sqs"), "{name}: {attributes}");
        assert!(attributes.contains("messaging.destination.name=orders"), "{name}: {attributes}");
        assert!(!attributes.contains(CUSTOMER) && !attributes.contains("event_id"), "{name}: {attributes}");
    }
}

fn shown<'a>(attributes: impl Iterator<Item = &'a opentelemetry::KeyValue>) -> String {
    attributes.map(|kv| format!("{}={}", kv.key, kv.value)).collect::<Vec<_>>().join(" ")
}

/// What an attempt keeps with its effect, as the next one finds it.
const EARLIER: &str = "Root=1-5759e988-bd862e3fe1be46a994272793;Parent=6c696c5e918682e5;Sampled=1";

#[tokio::test(start_paused = true)]
async fn a_redelivery_stands_in_for_the_attempt_that_left_its_effect_and_no_span() {
    let bench = Bench::new();
    let body = traced(&bench, Some(METADATA)).message();
    bench.queue.put_with(Put { body, ..Put::default() });
    let task = bench.start(answers(|delivery| {
        // Nothing follows from its own span or from none, nor from anything at the first delivery.
        let own = telemetry::context::recorded_header();
        for attempt in [Some(EARLIER), own.as_deref(), None] {
            delivery.stand_in_for(attempt);
        }
        if delivery.attempt == 1 { Err(Failure::transient("killed")) } else { Ok(Done::DUPLICATE) }
    }));
    bench.queue.until_empty().await;
    bench.stop(task).await;

    let spans = bench.recorder.spans();
    let [first, earlier, second] = &spans[..] else { panic!("not three spans: {spans:#?}") };
    assert_eq!(earlier.span_context.span_id(), SpanId::from_hex("6c696c5e918682e5").unwrap());
    assert_eq!(attribute(earlier, attributes::AWS_XRAY_IN_PROGRESS), Some(&opentelemetry::Value::Bool(true)));
    assert_eq!(attribute(second, attributes::AWS_XRAY_IN_PROGRESS), None);
    assert_eq!(annotations(earlier), ["event_id", "event_type"]);
    for key in [attributes::AWS_REMOTE_SERVICE, attributes::EVENT_ID, semconv::MESSAGING_MESSAGE_ID] {
        assert_eq!(text(earlier, key), text(second, key), "{key}");
    }
    assert_eq!((&earlier.name, earlier.parent_span_id), (&second.name, second.parent_span_id));
    assert!(earlier.start_time <= first.start_time, "it began when the message was received first");
    assert_eq!(attribute(earlier, attributes::BEGAN_AT_UNIX_NANO), None);
}
