//! What waits for nothing: envelope, header, span, log line. Where there is a general way to do the same, it is measured too.

use std::io::Write as _;

use benchmarks::{body, published, renamed, trace_header};
use contracts::CustomerRenamed;
use envelope::Envelope;
use jiff::Timestamp;
use opentelemetry_semantic_conventions::attribute;
use serde::Serialize;
use serde_json::Value;
use telemetry::attributes;
use telemetry::context;
use telemetry::hop::HopLine;
use tracing::Span;
use tracing_opentelemetry::OpenTelemetrySpanExt as _;
use uuid::Uuid;
use xray::TraceHeader;

use crate::case::Case;

/// The name of the queue in spans.
const QUEUE: &str = "membership";

/// Returns the cases.
pub(crate) fn cases() -> anyhow::Result<Vec<Case>> {
    let mut cases = envelopes()?;
    cases.extend(headers()?);
    cases.extend(spans());
    cases.extend(lines());
    Ok(cases)
}

fn envelopes() -> anyhow::Result<Vec<Case>> {
    let now = Timestamp::now();
    let text = body(now, &trace_header(now, true));
    let event = renamed()?;
    let sent = published(&event)?;
    let value: Value = serde_json::from_str(&sent.detail())?;
    let (general, read, decoded) = (text.clone(), text.clone(), text);
    Ok(vec![
        Case::of("a message's body as a JSON value", move || serde_json::from_str::<Value>(&general)),
        Case::of("envelope, read", move || Envelope::read(&read)).against("a message's body as a JSON value"),
        Case::of("envelope, read, with its data", move || {
            Envelope::read(&decoded).map(|received| received.envelope.decode::<CustomerRenamed>())
        })
        .against("a message's body as a JSON value"),
        Case::of("a JSON value as text", move || value.to_string()),
        Case::of("envelope, made and written", move || published(&event).map(|sent| sent.detail()))
            .against("a JSON value as text"),
        Case::of("envelope, written", move || sent.detail()).against("a JSON value as text"),
    ])
}

fn headers() -> anyhow::Result<Vec<Case>> {
    let text = trace_header(Timestamp::now(), true);
    let header: TraceHeader = text.parse()?;
    Ok(vec![
        Case::of("trace header, parsed", move || text.parse::<TraceHeader>()),
        Case::of("trace header, formatted", move || header.to_string()),
    ])
}

fn spans() -> Vec<Case> {
    let now = Timestamp::now();
    let (unsampled, sampled) = (trace_header(now, false), trace_header(now, true));
    vec![
        Case::of("span, unsampled", move || unsampled_span(&unsampled)),
        Case::of("span, sampled and exported", move || sampled_span(&sampled)).against("span, unsampled"),
    ]
}

/// Makes the span of a message whose trace is not recorded.
fn unsampled_span(header: &str) -> Span {
    let span = tracing::info_span!(
        parent: None, "process", otel.name = "process membership", otel.kind = "consumer",
    );
    below(header, span)
}

/// Makes the span of a message whose trace is recorded, with the attributes that the consumer sets.
fn sampled_span(header: &str) -> Span {
    let id = Uuid::new_v4().to_string();
    let span = tracing::info_span!(
        parent: None,
        "process",
        otel.name = "process membership",
        otel.kind = "consumer",
        { attribute::MESSAGING_SYSTEM } = "aws_sqs",
        { attribute::MESSAGING_OPERATION_NAME } = "process",
        { attribute::MESSAGING_OPERATION_TYPE } = "process",
        { attribute::MESSAGING_DESTINATION_NAME } = QUEUE,
        { attribute::MESSAGING_MESSAGE_ID } = id,
        { attribute::MESSAGING_MESSAGE_BODY_SIZE } = 700_i64,
        { attribute::MESSAGING_MESSAGE_CONVERSATION_ID } = id,
        { attribute::AWS_SQS_QUEUE_URL } = "https://sqs.eu-central-1.amazonaws.com/000000000000/membership",
        { attributes::EVENT_ID } = id,
        { attributes::EVENT_TYPE } = "CustomerRenamed",
        { attributes::CUSTOMER_NUMBER } = "123456789012",
        outcome = "applied",
    );
    below(header, span)
}

fn below(header: &str, span: Span) -> Span {
    if let Err(error) = span.set_parent(context::from_message(Some(header), None)) {
        tracing::trace!(error = %error, "no parent set");
    }
    span
}

/// The fields of a log line.
#[derive(Serialize)]
struct Line<'a> {
    timestamp: Timestamp,
    level: &'a str,
    service: &'a str,
    environment: &'a str,
    message: &'a str,
    event_type: &'a str,
    event_id: String,
    correlation_id: String,
    customer_number: &'a str,
    message_id: &'a str,
    attempt: u32,
    waiting_ms: u64,
    processing_ms: u64,
    outcome: &'a str,
}

fn lines() -> Vec<Case> {
    let (event, message) = (Uuid::new_v4(), Uuid::new_v4().to_string());
    let of_serde = message.clone();
    vec![
        Case::of("a JSON line by serde, written at once", move || {
            let line = Line {
                timestamp: Timestamp::now(),
                level: "INFO",
                service: "micro",
                environment: "local",
                message: "event",
                event_type: "CustomerRenamed",
                event_id: event.to_string(),
                correlation_id: event.to_string(),
                customer_number: "123456789012",
                message_id: &of_serde,
                attempt: 1,
                waiting_ms: 12,
                processing_ms: 3,
                outcome: "applied",
            };
            let mut text = serde_json::to_vec(&line).unwrap_or_default();
            text.push(b'\n');
            std::io::stdout().write_all(&text)
        }),
        Case::of("log line of a hop", move || {
            let line = HopLine {
                event_type: Some("CustomerRenamed"),
                event_id: Some(event.to_string()),
                correlation_id: Some(event.to_string()),
                customer_number: Some("123456789012"),
                message_id: Some(&message),
                attempt: Some(1),
                waiting_ms: Some(12),
                processing_ms: 3,
                outcome: "applied",
                ..HopLine::default()
            };
            line.write(tracing::Level::INFO);
        })
        .against("a JSON line by serde, written at once"),
    ]
}
