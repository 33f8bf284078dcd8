//! Problem details: how every refusal of this service looks on the wire.
//!
//! The format is [RFC 9457](https://www.rfc-editor.org/rfc/rfc9457). A problem names what is wrong and how to put it
//! right; it never repeats a value that was sent, since values are personal data.

use std::sync::atomic::{AtomicUsize, Ordering};

use axum::Json;
use axum::response::{IntoResponse, Response};
use http::header::{CONTENT_TYPE, RETRY_AFTER, WWW_AUTHENTICATE};
use http::{HeaderValue, StatusCode};
use serde::ser::SerializeMap as _;
use serde::{Serialize, Serializer};
use uuid::Uuid;

use crate::limits::{MAX_BODY_BYTES, MAX_EVENTS};
use webhook_signature::SignatureError;

/// How many seconds a caller should wait before trying again what was not published.
pub(crate) const RETRY_AFTER_S: u16 = 5;

/// The kinds of problem. Each has one `type` URI, one title and one status.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    MalformedJson,
    InvalidSignature,
    NotFound,
    MethodNotAllowed,
    RequestTimeout,
    BodyTooLarge,
    UnsupportedMediaType,
    InvalidEvent,
    InvalidList,
    FutureEvent,
    NotPublished,
    Overloaded,
    Internal,
}

impl Kind {
    pub(crate) fn status(self) -> StatusCode {
        match self {
            Self::MalformedJson => StatusCode::BAD_REQUEST,
            Self::InvalidSignature => StatusCode::UNAUTHORIZED,
            Self::NotFound => StatusCode::NOT_FOUND,
            Self::MethodNotAllowed => StatusCode::METHOD_NOT_ALLOWED,
            Self::RequestTimeout => StatusCode::REQUEST_TIMEOUT,
            Self::BodyTooLarge => StatusCode::PAYLOAD_TOO_LARGE,
            Self::UnsupportedMediaType => StatusCode::UNSUPPORTED_MEDIA_TYPE,
            Self::InvalidEvent | Self::InvalidList => StatusCode::UNPROCESSABLE_ENTITY,
            // Its form is right; what it conflicts with is the time at which it arrives.
            Self::FutureEvent => StatusCode::CONFLICT,
            Self::NotPublished | Self::Overloaded => StatusCode::SERVICE_UNAVAILABLE,
            Self::Internal => StatusCode::INTERNAL_SERVER_ERROR,
        }
    }

    /// The last part of the `type` URI; also the reason in log lines.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::MalformedJson => "malformed-json",
            Self::InvalidSignature => "invalid-signature",
            Self::NotFound => "not-found",
            Self::MethodNotAllowed => "method-not-allowed",
            Self::RequestTimeout => "request-timeout",
            Self::BodyTooLarge => "body-too-large",
            Self::UnsupportedMediaType => "unsupported-media-type",
            Self::InvalidEvent => "invalid-event",
            Self::InvalidList => "invalid-list",
            Self::FutureEvent => "future-event",
            Self::NotPublished => "not-published",
            Self::Overloaded => "overloaded",
            Self::Internal => "internal",
        }
    }

    fn title(self) -> &'static str {
        match self {
            Self::MalformedJson => "Body is not valid JSON",
            Self::InvalidSignature => "Signature missing or invalid",
            Self::NotFound => "Not found",
            Self::MethodNotAllowed => "Method not allowed",
            Self::RequestTimeout => "Request body timed out",
            Self::BodyTooLarge => "Body too large",
            Self::UnsupportedMediaType => "Content type not supported",
            Self::InvalidEvent => "Invalid event",
            Self::InvalidList => "Invalid list",
            Self::FutureEvent => "Event lies in the future",
            Self::NotPublished => "Event not published",
            Self::Overloaded => "Service overloaded",
            Self::Internal => "Internal error",
        }
    }
}

/// A wrong field.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub(crate) struct FieldError {
    /// Where it is: a JSON pointer ([RFC 6901](https://www.rfc-editor.org/rfc/rfc6901)) into the event.
    pub(crate) pointer: String,
    /// What is wrong and what would be right.
    pub(crate) detail: String,
    /// A stable code for the log line.
    #[serde(skip)]
    pub(crate) code: &'static str,
}

impl FieldError {
    /// `code:pointer` for log lines. The pointer of an unknown field is its parent's: its own name comes from the
    /// caller and could be anything.
    pub(crate) fn for_logs(&self) -> String {
        let pointer = match self.code {
            // It can have such names anywhere.
            DUPLICATE => "",
            UNKNOWN => self.pointer.rsplit_once('/').map_or("", |(parent, _)| parent),
            _ => self.pointer.as_str(),
        };
        format!("{}:{pointer}", self.code)
    }
}

/// The code of a time in the future.
pub(crate) const FUTURE: &str = "future";
/// The code of a field that an object has more than once.
pub(crate) const DUPLICATE: &str = "duplicate-field";
/// The code of an unknown field.
pub(crate) const UNKNOWN: &str = "unknown-field";

/// A problem, written as a response or in its item's place in a list.
#[derive(Debug, Clone)]
pub(crate) struct Problem {
    kind: Kind,
    detail: String,
    errors: Vec<FieldError>,
    /// Only what it is, without words: a list can have hundreds.
    brief: bool,
    /// The index of the item in the list, from 0.
    index: Option<usize>,
    /// The event's id, under which it can be sent again.
    event_id: Option<Uuid>,
    /// The trace of the request, or of the event in a list.
    trace_id: Option<String>,
}

impl Serialize for Problem {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut object = serializer.serialize_map(None)?;
        object.serialize_entry("type", &format_args!("urn:foostore:problem:{}", self.kind.name()))?;
        object.serialize_entry("status", &self.kind.status().as_u16())?;
        if !self.brief {
            object.serialize_entry("title", self.kind.title())?;
            object.serialize_entry("detail", &self.detail)?;
        }
        if !self.errors.is_empty() {
            object.serialize_entry("errors", &self.errors)?;
        }
        if let Some(index) = self.index {
            object.serialize_entry("index", &index)?;
        }
        if let Some(event_id) = self.event_id {
            object.serialize_entry("event_id", &event_id)?;
        }
        if let Some(trace_id) = &self.trace_id {
            object.serialize_entry("trace_id", trace_id)?;
        }
        object.end()
    }
}

impl Problem {
    pub(crate) fn new(kind: Kind, detail: impl Into<String>) -> Self {
        let detail = detail.into();
        Self { kind, detail, errors: Vec::new(), brief: false, index: None, event_id: None, trace_id: None }
    }

    pub(crate) fn malformed_json(detail: impl Into<String>) -> Self {
        Self::new(Kind::MalformedJson, detail)
    }

    pub(crate) fn invalid_signature(error: SignatureError) -> Self {
        Self::new(Kind::InvalidSignature, error.to_string())
    }

    /// The method is one of HTTP's own: a caller can write any word there, and it is not repeated.
    pub(crate) fn method_not_allowed(method: &str) -> Self {
        Self::new(Kind::MethodNotAllowed, format!("{method} is not allowed; send events with POST"))
    }

    pub(crate) fn request_timeout() -> Self {
        Self::new(Kind::RequestTimeout, "the request body did not arrive in time; send it again")
    }

    pub(crate) fn body_too_large() -> Self {
        let detail = format!("the body must have at most {MAX_BODY_BYTES} bytes; split a long list");
        Self::new(Kind::BodyTooLarge, detail)
    }

    pub(crate) fn content_type() -> Self {
        Self::new(Kind::UnsupportedMediaType, "the content type must be application/json")
    }

    /// A list with no events or too many.
    pub(crate) fn list_of_wrong_length(length: usize) -> Self {
        let detail = format!("the list must have 1 to {MAX_EVENTS} events, not {length}");
        let error = FieldError { pointer: String::new(), detail: detail.clone(), code: "wrong-length" };
        Self { errors: vec![error], ..Self::new(Kind::InvalidList, detail) }
    }

    pub(crate) fn not_published(event_id: Uuid) -> Self {
        let detail = "the event is valid but could not be published; send it again under this event_id";
        Self { event_id: Some(event_id), ..Self::new(Kind::NotPublished, detail) }
    }

    pub(crate) fn overloaded() -> Self {
        Self::new(Kind::Overloaded, "too many requests are in flight; try again later")
    }

    pub(crate) fn internal() -> Self {
        Self::new(Kind::Internal, "the request could not be answered")
    }

    /// An event with wrong fields.
    pub(crate) fn invalid(errors: Vec<FieldError>, left_out: usize) -> Self {
        let detail = match (errors.len() + left_out, left_out) {
            (1, _) => "1 field is wrong; see errors".to_owned(),
            (count, 0) => format!("{count} fields are wrong; see errors"),
            (count, left_out) => format!("{count} fields are wrong; see errors, without the last {left_out}"),
        };
        Self { errors, ..Self::new(Kind::InvalidEvent, detail) }
    }

    /// Takes the wrong fields' share of the `room` for all of an answer. Without enough, they are left out.
    pub(crate) fn within(self, room: &AtomicUsize) -> Self {
        let take = |room: usize| room.checked_sub(self.errors.len());
        match room.fetch_update(Ordering::Relaxed, Ordering::Relaxed, take) {
            Ok(_) => self,
            Err(_) => Self { errors: Vec::new(), detail: String::new(), brief: true, ..self },
        }
    }

    /// An event whose only fault is its time.
    pub(crate) fn future(errors: Vec<FieldError>) -> Self {
        let detail = "occurred_at is more than five minutes in the future; check the sender's clock";
        Self { errors, ..Self::new(Kind::FutureEvent, detail) }
    }

    pub(crate) fn at(self, index: Option<usize>) -> Self {
        Self { index, ..self }
    }

    pub(crate) fn traced(self, trace_id: Option<String>) -> Self {
        Self { trace_id, ..self }
    }

    pub(crate) fn kind(&self) -> Kind {
        self.kind
    }

    pub(crate) fn errors(&self) -> &[FieldError] {
        &self.errors
    }
}

impl IntoResponse for Problem {
    fn into_response(self) -> Response {
        let mut response = (self.kind.status(), Json(&self)).into_response();
        let headers = response.headers_mut();
        headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/problem+json"));
        match self.kind {
            Kind::NotPublished | Kind::Overloaded => {
                headers.insert(RETRY_AFTER, HeaderValue::from(RETRY_AFTER_S));
            }
            Kind::InvalidSignature => {
                let scheme = HeaderValue::from_static(
                    "HMAC-SHA256 headers=\"webhook-id webhook-timestamp webhook-signature\"",
                );
                headers.insert(WWW_AUTHENTICATE, scheme);
            }
            _ => {}
        }
        response
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_problem_says_only_what_it_knows() {
        let problem = serde_json::to_value(Problem::new(Kind::NotFound, "no such path")).unwrap();
        assert_eq!(
            problem,
            serde_json::json!({
                "type": "urn:foostore:problem:not-found", "title": "Not found",
                "status": 404, "detail": "no such path",
            })
        );
    }

    #[test]
    fn an_unknown_fields_name_is_not_logged() {
        let unknown = FieldError { pointer: "/data/Ada".into(), detail: String::new(), code: UNKNOWN };
        assert_eq!(unknown.for_logs(), "unknown-field:/data");
        let wrong = FieldError { pointer: "/data/name".into(), detail: String::new(), code: "wrong-type" };
        assert_eq!(wrong.for_logs(), "wrong-type:/data/name");
    }
}
