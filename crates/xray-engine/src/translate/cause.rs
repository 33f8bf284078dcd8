//! Error flags and exceptions, from the span's status, its HTTP status and its events.

use opentelemetry_proto::tonic::trace::v1::span::{Event, SpanKind};
use opentelemetry_proto::tonic::trace::v1::status::StatusCode;
use opentelemetry_semantic_conventions::attribute;
use xray::{Cause, CauseDetail, Exception};

use super::ids::new_id;
use super::source::Source;
use super::{Attributes, deprecated, keys};

#[derive(Debug, Default)]
pub(super) struct Outcome {
    pub(super) error: bool,
    pub(super) throttle: bool,
    pub(super) fault: bool,
    pub(super) cause: Option<Cause>,
}

pub(super) fn take(left: &mut Attributes<'_>, source: &Source<'_>) -> Outcome {
    let failed = source.span.status.as_ref().is_some_and(|status| status.code() == StatusCode::Error);
    let exceptions: Vec<Exception> =
        source.span.events.iter().filter_map(|event| exception(event, source)).collect();
    let cause = if !exceptions.is_empty() {
        Some(exceptions)
    } else if failed {
        let text = left.filled(keys::STATUS_TEXT);
        left.remove(keys::STATUS_TEXT);
        let message = source.span.status.as_ref().map(|status| status.message.clone());
        message.filter(|message| !message.is_empty()).or(text).map(|message| {
            vec![Exception {
                id: Some(new_id().to_string()),
                kind: Some(String::new()),
                message: Some(message),
                ..Exception::default()
            }]
        })
    } else {
        None
    };

    // The HTTP status takes precedence over the span's: a 4xx that a server returns does not make its span fail.
    let status = [deprecated::HTTP_STATUS_CODE, attribute::HTTP_RESPONSE_STATUS_CODE]
        .into_iter()
        .find_map(|key| source.attributes.get(key).map(|_| source.attributes.integer(key).unwrap_or(0)));
    let mut outcome = match status {
        Some(code @ 400..=499) => Outcome { error: true, throttle: code == 429, ..Outcome::default() },
        Some(500..=599) => Outcome { fault: true, ..Outcome::default() },
        _ => Outcome { fault: failed, ..Outcome::default() },
    };
    outcome.cause =
        cause.map(|exceptions| Cause::Detail(CauseDetail { exceptions, ..CauseDetail::default() }));
    outcome
}

/// Returns the exception that an event records, without its stack trace, as the exporter does for Rust.
fn exception(event: &Event, source: &Source<'_>) -> Option<Exception> {
    let attributes = Attributes::of(&event.attributes);
    let text = |key| attributes.text(key).unwrap_or_default().to_owned();
    let (kind, message, remote) = if event.name == keys::EXCEPTION {
        let remote = matches!(source.kind, SpanKind::Client | SpanKind::Producer);
        (text(attribute::EXCEPTION_TYPE), text(attribute::EXCEPTION_MESSAGE), remote)
    } else if event.name == keys::ATTEMPT_FAILED && source.is_aws_call() {
        let code = attributes.integer(attribute::HTTP_RESPONSE_STATUS_CODE)?;
        let message = attributes.text(keys::ATTEMPT_FAILED_MESSAGE)?;
        let at = event.time_unix_nano / 1_000;
        let message = format!("{code}@{}.{:06}@{message}", at / 1_000_000, at % 1_000_000);
        (keys::ATTEMPT_FAILED_TYPE.to_owned(), message, true)
    } else {
        return None;
    };
    Some(Exception {
        id: Some(new_id().to_string()),
        kind: Some(kind),
        message: Some(message),
        remote: Some(remote),
        ..Exception::default()
    })
}
