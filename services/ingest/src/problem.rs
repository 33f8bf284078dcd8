//! Problem details: how every refusal of this service looks on the wire.
//!
//! The format is [RFC 9457](https://www.rfc-editor.org/rfc/rfc9457). A problem names what is wrong and how to put it
//! right; it never repeats a value that was sent, as those are personal data.

use axum::Json;
use axum::response::{IntoResponse, Response};
use http::header::{CONTENT_TYPE, RETRY_AFTER, WWW_AUTHENTICATE};
use http::{HeaderValue, StatusCode};
use serde::ser::SerializeMap as _;
use serde::{Serialize, Serializer};
use uuid::Uuid;

/// After how many seconds a caller may try again what was not published.
pub(crate) const RETRY_AFTER_S: u16 = 5;

/// The kinds of problem. Each is one `type` URI, one title and one status.
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
            Self::NotPublished => "not-published",
            Self::Overloaded => "overloaded",
            Self::Internal => "internal",
        }
    }

    fn title(self) -> &'static str {
        match self {
            Self::MalformedJson => "The body is not JSON",
            Self::InvalidSignature => "The request is not signed, or not rightly",
            Self::NotFound => "There is nothing here",
            Self::MethodNotAllowed => "The method is not allowed here",
            Self::RequestTimeout => "The request took too long to arrive",
            Self::BodyTooLarge => "The body is too large",
            Self::UnsupportedMediaType => "The content type is not supported",
            Self::InvalidEvent => "The event is not valid",
            Self::InvalidList => "The list is not valid",
            Self::NotPublished => "The event could not be published",
            Self::Overloaded => "The service is busy",
            Self::Internal => "Something went wrong on our side",
        }
    }
}

/// One wrong field.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub(crate) struct FieldError {
    /// Where it is: a JSON pointer ([RFC 6901](https://www.rfc-editor.org/rfc/rfc6901)) into the event.
    pub(crate) pointer: String,
    /// What is wrong and what would be right.
    pub(crate) detail: String,
    /// A stable word for the log line.
    #[serde(skip)]
    pub(crate) code: &'static str,
}

impl FieldError {
    /// `code:pointer` for log lines. The pointer of an unknown field is its parent's: its own name is the caller's
    /// text, and could be anything.
    pub(crate) fn for_logs(&self) -> String {
        let pointer = match self.code {
            UNKNOWN => self.pointer.rsplit_once('/').map_or("", |(parent, _)| parent),
            _ => self.pointer.as_str(),
        };
        format!("{}:{pointer}", self.code)
    }
}

/// The code of a field that should not be there.
pub(crate) const UNKNOWN: &str = "unknown-field";

/// A problem, as it is written in a response or in its item's place in a list.
#[derive(Debug, Clone)]
pub(crate) struct Problem {
    kind: Kind,
    detail: String,
    errors: Vec<FieldError>,
    /// Which item of the list, counted from 0.
    index: Option<usize>,
    /// The event's id, so that it can be sent again under it.
    event_id: Option<Uuid>,
    /// The trace to look at.
    trace_id: Option<String>,
}

impl Serialize for Problem {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut object = serializer.serialize_map(None)?;
        object.serialize_entry("type", &format_args!("urn:foostore:problem:{}", self.kind.name()))?;
        object.serialize_entry("title", self.kind.title())?;
        object.serialize_entry("status", &self.kind.status().as_u16())?;
        object.serialize_entry("detail", &self.detail)?;
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
        Self { kind, detail, errors: Vec::new(), index: None, event_id: None, trace_id: None }
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

    pub(crate) fn with_errors(self, errors: Vec<FieldError>) -> Self {
        Self { errors, ..self }
    }

    pub(crate) fn at(self, index: Option<usize>) -> Self {
        Self { index, ..self }
    }

    pub(crate) fn about(self, event_id: Uuid) -> Self {
        Self { event_id: Some(event_id), ..self }
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
                let scheme =
                    HeaderValue::from_static("HMAC-SHA256 headers=\"X-Signature-Timestamp X-Signature\"");
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
                "type": "urn:foostore:problem:not-found", "title": "There is nothing here",
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
