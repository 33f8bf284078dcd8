//! The spans of a message: its `process` span, and the `send` span of a dead letter.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use envelope::{Envelope, Received};
use jiff::Timestamp;
use opentelemetry::propagation::Extractor;
use opentelemetry::trace::Status;
use opentelemetry::{Context, KeyValue, Value};
use opentelemetry_semantic_conventions::attribute;
use telemetry::context::{self, Incoming};
use telemetry::{attributes, span_id};
use tracing::Span;
use tracing_opentelemetry::OpenTelemetrySpanExt as _;

use crate::conclusion::{Conclusion, Problem, RETRY, Settlement};
use crate::queue::{AttributeValue, Message, MessageAttribute, Queue, SentDeadLetter};

/// `messaging.system` of SQS.
pub(crate) const AWS_SQS: &str = "aws_sqs";
/// The name of an event that describes a failure
/// ([conventions](https://opentelemetry.io/docs/specs/semconv/exceptions/)).
const EXCEPTION: &str = "exception";
/// The attribute for the event's age when it was received, in milliseconds.
const EVENT_AGE_MS: &str = "event.age_ms";
/// `rpc.service` of SQS, which names its node in X-Ray.
const SQS: &str = "SQS";
/// The operation of a span that handles a message.
const PROCESS: &str = "process";

/// The span of one message.
pub(crate) struct ProcessSpan {
    pub(crate) span: Span,
    /// Whether the span is recorded.
    pub(crate) recorded: bool,
    /// The annotations that the span has from the start; `None` if nothing set on the span would be kept.
    annotations: Option<Vec<&'static str>>,
}

/// What receives the messages, as their spans name it.
#[derive(Debug, Default)]
pub(crate) struct Source {
    service: String,
    queue: String,
    url: String,
    span_name: String,
}

impl Source {
    pub(crate) fn new<Q: Queue>(queue: &Q, service: &str) -> Self {
        Self {
            service: service.to_owned(),
            queue: queue.name().to_owned(),
            url: queue.url().to_owned(),
            span_name: format!("process {}", queue.name()),
        }
    }

    /// Creates the span of a message without attributes.
    fn bare_span(&self, parent: Context) -> Span {
        let span = tracing::info_span!(
            parent: None,
            "process",
            otel.name = self.span_name,
            otel.kind = "consumer",
        );
        below(parent, &span);
        span
    }

    /// Creates the span of a message with all that is known from the start, so that it has it even if this process is killed
    /// meanwhile. As fields of the span, attributes are set at once; each one set later is looked up by itself.
    fn span(&self, parent: Context, message: &Described<'_>) -> Span {
        let Known { event_id, event_type, customer_number, attempt, origin } = &message.known;
        let span = tracing::info_span!(
            parent: None,
            "process",
            otel.name = self.span_name,
            otel.kind = "consumer",
            { attribute::MESSAGING_SYSTEM } = AWS_SQS,
            { attribute::MESSAGING_OPERATION_NAME } = PROCESS,
            { attribute::MESSAGING_OPERATION_TYPE } = PROCESS,
            { attribute::MESSAGING_DESTINATION_NAME } = self.queue,
            { attribute::MESSAGING_MESSAGE_ID } = message.id,
            { attribute::AWS_SQS_QUEUE_URL } = self.url,
            // Makes the exporter name the segment after the service; without it it would be named after the span.
            { attributes::AWS_REMOTE_SERVICE } = self.service,
            { attribute::MESSAGING_MESSAGE_BODY_SIZE } = message.body_size,
            { attribute::MESSAGING_MESSAGE_CONVERSATION_ID } = message.correlation_id,
            { EVENT_AGE_MS } = message.age_ms,
            { attributes::EVENT_ID } = event_id,
            { attributes::EVENT_TYPE } = event_type,
            { attributes::CUSTOMER_NUMBER } = customer_number,
            { attributes::ATTEMPT } = attempt,
            { attributes::ORIGIN_TRACE_ID } = origin,
        );
        below(parent, &span);
        span
    }
}

fn below(parent: Context, span: &Span) {
    if let Err(error) = span.set_parent(parent) {
        // Happens only without a telemetry subscriber, where there is no trace to continue.
        tracing::trace!(error = %error, "no parent set");
    }
}

/// What the span of a message says of it.
struct Described<'a> {
    id: &'a str,
    body_size: Option<i64>,
    correlation_id: Option<String>,
    age_ms: Option<i64>,
    known: Known<'a>,
}

impl Described<'_> {
    /// Sets the same on a span that is recorded although the caller decided against it, by a sampler that asks no caller.
    fn add_to(&self, span: Span, source: &Source) -> Span {
        let text = |text: &str| Some(Value::from(text.to_owned()));
        let Known { event_id, event_type, customer_number, attempt, origin } = &self.known;
        let attributes = [
            (attribute::MESSAGING_SYSTEM, Some(AWS_SQS.into())),
            (attribute::MESSAGING_OPERATION_NAME, Some(PROCESS.into())),
            (attribute::MESSAGING_OPERATION_TYPE, Some(PROCESS.into())),
            (attribute::MESSAGING_DESTINATION_NAME, text(&source.queue)),
            (attribute::MESSAGING_MESSAGE_ID, text(self.id)),
            (attribute::AWS_SQS_QUEUE_URL, text(&source.url)),
            (attributes::AWS_REMOTE_SERVICE, text(&source.service)),
            (attribute::MESSAGING_MESSAGE_BODY_SIZE, self.body_size.map(Value::from)),
            (attribute::MESSAGING_MESSAGE_CONVERSATION_ID, self.correlation_id.as_deref().and_then(text)),
            (EVENT_AGE_MS, self.age_ms.map(Value::from)),
            (attributes::EVENT_ID, event_id.as_deref().and_then(text)),
            (attributes::EVENT_TYPE, event_type.and_then(text)),
            (attributes::CUSTOMER_NUMBER, customer_number.and_then(text)),
            (attributes::ATTEMPT, attempt.map(Value::from)),
            (attributes::ORIGIN_TRACE_ID, origin.as_deref().and_then(text)),
        ];
        for (name, value) in attributes {
            if let Some(value) = value {
                span.set_attribute(name, value);
            }
        }
        span
    }
}

/// The annotations that are known before the message is handled.
struct Known<'a> {
    event_id: Option<String>,
    event_type: Option<&'a str>,
    customer_number: Option<&'a str>,
    attempt: Option<i64>,
    origin: Option<String>,
}

impl<'a> Known<'a> {
    fn new(envelope: Option<&'a Envelope>, attempt: u32, origin: Option<xray::TraceId>, first: bool) -> Self {
        Self {
            event_id: envelope.map(|envelope| envelope.metadata.event_id.to_string()),
            event_type: envelope.map(|envelope| envelope.event_type.as_str()),
            customer_number: envelope
                .filter(|_| first)
                .and_then(|envelope| envelope.customer_number.as_deref()),
            attempt: (attempt > 1).then(|| attempt.into()),
            origin: origin.map(|origin| origin.to_string()),
        }
    }

    fn names(&self) -> Vec<&'static str> {
        let all = [
            (attributes::EVENT_ID, self.event_id.is_some()),
            (attributes::EVENT_TYPE, self.event_type.is_some()),
            (attributes::CUSTOMER_NUMBER, self.customer_number.is_some()),
            (attributes::ATTEMPT, self.attempt.is_some()),
            (attributes::ORIGIN_TRACE_ID, self.origin.is_some()),
        ];
        all.into_iter().filter_map(|(name, known)| known.then_some(name)).collect()
    }
}

/// The place of a delivery in its trace: what received it, and the context that it carried.
#[derive(Clone, Debug, Default)]
pub struct Place {
    source: Arc<Source>,
    /// Empty if the message's span began a new trace.
    incoming: Incoming,
}

impl Place {
    /// Sends the span of an earlier attempt, as in progress. Its parent is that of this attempt.
    pub(crate) fn stand_in(&self, attempt: &str, message_id: &str, began: Timestamp, envelope: &Envelope) {
        let Some((id, parent)) = self.incoming.of_earlier(attempt) else { return };
        if span_id::of(&Span::current()) == Some(id) {
            return;
        }
        let first = self.incoming.trace_id().is_none();
        let known = Known::new(Some(envelope), 1, None, first);
        let names = known.names();
        let described =
            Described { id: message_id, body_size: None, correlation_id: None, age_ms: None, known };
        let span = span_id::start_with(id, || self.source.span(parent, &described));
        span.set_attribute(attributes::AWS_XRAY_IN_PROGRESS, true);
        let began = i64::try_from(began.as_nanosecond()).unwrap_or(i64::MAX);
        span.set_attribute(attributes::BEGAN_AT_UNIX_NANO, began);
        attributes::annotate_with(&span, &names, []);
    }
}

/// Adapts the attributes of a message to the propagator's interface: those of SQS, and those in an SNS envelope. A producer
/// instrumented with OpenTelemetry alone has no other carrier.
struct Attributes<'a> {
    sqs: &'a HashMap<String, MessageAttribute>,
    sns: Option<&'a HashMap<String, String>>,
}

impl Extractor for Attributes<'_> {
    fn get(&self, key: &str) -> Option<&str> {
        match self.sqs.get(key).map(|attribute| &attribute.value) {
            Some(AttributeValue::Text(text)) => Some(text),
            Some(AttributeValue::Binary(_)) => None,
            None => self.sns?.get(key).map(String::as_str),
        }
    }

    fn keys(&self) -> Vec<&str> {
        let sns = self.sns.into_iter().flat_map(HashMap::keys);
        self.sqs.keys().chain(sns).map(String::as_str).collect()
    }
}

impl ProcessSpan {
    /// Starts the span. It continues the trace that the message carries, unless the event was replayed or is too old:
    /// X-Ray accepts no segments for a trace older than a day, so the span starts a new trace that refers to the old
    /// one.
    pub(crate) fn start(
        source: &Arc<Source>,
        new_trace_after: Duration,
        message: &Message,
        received: Option<&Received>,
        now: Timestamp,
    ) -> (Self, Place) {
        let metadata = received.map(|received| &received.envelope.metadata);
        let incoming = Incoming::from_message(
            metadata.and_then(|metadata| metadata.trace.as_deref()),
            message.trace_header.as_deref(),
        )
        .or_attributes(&Attributes {
            sqs: &message.attributes,
            sns: received.map(|received| &received.attributes),
        });
        let carried = incoming.trace_id();
        let replayed = received.is_some_and(Received::is_replayed);
        let old = metadata.is_some_and(|metadata| age(metadata.published_at, now) > new_trace_after);
        let starts_anew = replayed || old;
        let (parent, incoming) = if starts_anew {
            (incoming.into_new_trace(), Incoming::default())
        } else {
            (incoming.clone().into_context(), incoming)
        };

        let unsampled = incoming.is_unsampled();
        let place = Place { source: Arc::clone(source), incoming };
        // Attributes that nothing keeps would be most of what such a span costs.
        let bare = unsampled.then(|| source.bare_span(parent.clone()));
        let bare = match bare {
            Some(span) if !context::is_recording(&span) => {
                return (Self { span, recorded: false, annotations: None }, place);
            }
            other => other,
        };
        let envelope = received.map(|received| &received.envelope);
        let origin = carried.filter(|_| starts_anew);
        let first = starts_anew || carried.is_none();
        let known = Known::new(envelope, message.receive_count, origin, first);
        let annotations = Some(known.names());
        let described = Described {
            id: message.receipt.message_id(),
            body_size: Some(int(message.body.len() as u128)),
            correlation_id: metadata.map(|metadata| metadata.correlation_id.to_string()),
            age_ms: metadata.map(|metadata| int(age(metadata.occurred_at, now).as_millis())),
            known,
        };
        let span = match bare {
            Some(span) => described.add_to(span, source),
            None => source.span(parent, &described),
        };
        let recorded = context::is_recorded(&span);
        (Self { span, recorded, annotations }, place)
    }

    /// Records how the message ended.
    pub(crate) fn finish(&self, conclusion: &Conclusion) {
        let Some(annotations) = &self.annotations else { return };
        let outcome = [(attributes::OUTCOME, conclusion.outcome.into())];
        attributes::annotate_with(&self.span, annotations, outcome);
        if let (RETRY, Settlement::ReturnToQueue(delay)) = (conclusion.outcome, &conclusion.settlement) {
            self.span.set_attribute(attributes::RETRY_DELAY_MS, int(delay.as_millis()));
        }
        if let Some(Problem { reason, detail, .. }) = &conclusion.problem {
            failed(&self.span, reason, detail.as_deref());
        }
    }
}

/// Marks a span as failed: the reason is its error type, the detail the message of its exception.
fn failed(span: &Span, reason: &str, detail: Option<&str>) {
    span.set_status(Status::error(reason.to_owned()));
    span.set_attribute(attribute::ERROR_TYPE, reason.to_owned());
    let exception = vec![
        KeyValue::new(attribute::EXCEPTION_TYPE, reason.to_owned()),
        KeyValue::new(attribute::EXCEPTION_MESSAGE, detail.unwrap_or(reason).to_owned()),
    ];
    span.add_event(EXCEPTION, exception);
}

/// Starts the span for sending a dead letter, as a child of the current span. The call itself creates no span, so this
/// one stands for it and becomes the `aws` subsegment.
pub(crate) fn dead_letter_span<Q: Queue>(queue: &Q) -> Span {
    let span = tracing::info_span!(
        "send",
        otel.name = format_args!("send {}", queue.dead_letter_name()),
        otel.kind = "producer",
    );
    span.set_attribute(attributes::RPC_SYSTEM, attributes::AWS_API);
    span.set_attribute(attributes::RPC_SERVICE, SQS);
    span.set_attribute(attribute::RPC_METHOD, "SendMessage");
    span.set_attribute(attribute::MESSAGING_SYSTEM, AWS_SQS);
    span.set_attribute(attribute::MESSAGING_OPERATION_NAME, "send");
    span.set_attribute(attribute::MESSAGING_OPERATION_TYPE, "send");
    span.set_attribute(attribute::MESSAGING_DESTINATION_NAME, queue.dead_letter_name().to_owned());
    span.set_attribute(attribute::AWS_SQS_QUEUE_URL, queue.dead_letter_url().to_owned());
    span.set_attribute(attributes::AWS_QUEUE_URL, queue.dead_letter_url().to_owned());
    if let Some(region) = queue.region() {
        span.set_attribute(attributes::AWS_REGION, region.to_owned());
    }
    span
}

/// Records how sending a dead letter ended.
pub(crate) fn finish_dead_letter(span: &Span, result: Result<&SentDeadLetter, &str>) {
    match result {
        Ok(sent) => {
            if let Some(id) = &sent.message_id {
                span.set_attribute(attribute::MESSAGING_MESSAGE_ID, id.clone());
            }
            if let Some(id) = &sent.request_id {
                span.set_attribute(attribute::AWS_REQUEST_ID, id.clone());
            }
        }
        Err(code) => failed(span, code, None),
    }
}

/// Returns the time from `then` to `now`, or zero if another machine's clock is ahead of this one's.
pub(crate) fn age(then: Timestamp, now: Timestamp) -> Duration {
    Duration::try_from(now.duration_since(then)).unwrap_or_default()
}

fn int(number: u128) -> i64 {
    i64::try_from(number).unwrap_or(i64::MAX)
}
