//! Reading a document as `PutTraceSegments` does, with X-Ray's reasons for refusing one.

use serde::Deserialize;
use serde_json::value::RawValue;
use serde_json::{Map, Value};
use thiserror::Error;

use super::Segment;

/// The largest document that X-Ray accepts, in bytes
/// (<https://docs.aws.amazon.com/xray/latest/devguide/xray-api-segmentdocuments.html>).
pub const MAX_DOCUMENT_BYTES: usize = 64 * 1024;
/// The longest name of a segment, in characters.
const MAX_NAME: usize = 200;
/// What a name may contain besides letters, digits and whitespace
/// (<https://docs.aws.amazon.com/xray/latest/devguide/xray-api-segmentdocuments.html>).
const SYMBOLS_IN_NAMES: &str = "_.:/%&#=+\\-@";

/// Why a string is not a segment document. It is not repeated, because it may contain personal data.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum DocumentError {
    /// It is not JSON, or a field has the wrong type.
    #[error("the segment document cannot be read at line {line}, column {column}")]
    Parse {
        /// Counted from 1; 0 if the JSON is valid but the structure is wrong.
        line: usize,
        /// Counted from 1; 0 if the JSON is valid but the structure is wrong.
        column: usize,
    },
    /// A required field is missing.
    #[error("the segment document has no {0}")]
    Missing(&'static str),
    /// A field has an invalid value.
    #[error("the segment document has an invalid {0}")]
    Invalid(&'static str),
    /// More than 64 KB.
    #[error("the segment document is larger than {MAX_DOCUMENT_BYTES} bytes")]
    TooLarge,
}

impl DocumentError {
    /// Returns a code like those of `PutTraceSegments`, such as `MissingId`.
    #[must_use]
    pub fn code(&self) -> String {
        let camel = |field: &str| -> String {
            field
                .split('_')
                .map(|word| {
                    let mut letters = word.chars();
                    letters
                        .next()
                        .map(|first| first.to_ascii_uppercase())
                        .into_iter()
                        .chain(letters)
                        .collect::<String>()
                })
                .collect()
        };
        match self {
            Self::Parse { .. } => "ParseError".to_owned(),
            Self::Missing(field) => format!("Missing{}", camel(field)),
            Self::Invalid(field) => format!("Invalid{}", camel(field)),
            Self::TooLarge => "DocumentTooLarge".to_owned(),
        }
    }
}

/// A document without those embedded in it.
#[derive(Deserialize)]
struct Shallow<'a> {
    #[serde(borrow, default)]
    subsegments: Option<Vec<&'a RawValue>>,
    #[serde(flatten)]
    fields: Map<String, Value>,
}

/// A document that is being read.
struct Open<'a> {
    segment: Segment,
    embedded: std::vec::IntoIter<&'a RawValue>,
}

impl<'a> Shallow<'a> {
    fn read(document: &'a str) -> Result<Self, DocumentError> {
        serde_json::from_str(document)
            .map_err(|error| DocumentError::Parse { line: error.line(), column: error.column() })
    }

    fn open(self) -> Result<Open<'a>, DocumentError> {
        let segment = serde_json::from_value(Value::Object(self.fields))
            .map_err(|_| DocumentError::Parse { line: 0, column: 0 })?;
        Ok(Open { segment, embedded: self.subsegments.unwrap_or_default().into_iter() })
    }
}

impl Segment {
    /// Reads a document and checks only that it is one: a segment, or an independent or embedded subsegment.
    ///
    /// # Errors
    /// When the text is not a JSON object, when `name`, `id` or `start_time` is missing or invalid, or when another field
    /// has the wrong type.
    pub fn read(document: &str) -> Result<Self, DocumentError> {
        // One that embeds no other needs no care, and is read several times as fast. If it is refused, the reason is still
        // to be found.
        if !may_embed(document)
            && let Ok(segment) = serde_json::from_str::<Self>(document)
            && has_valid_length(&segment.name)
        {
            return Ok(segment);
        }
        Self::read_without_recursion(document)
    }

    fn read_without_recursion(document: &str) -> Result<Self, DocumentError> {
        // The outermost first, each with those embedded in it that are still to be read. Without recursion, so that a
        // document may nest them as deep as X-Ray takes them, which is as deep as they fit.
        let outermost = Shallow::read(document)?;
        Self::check_fields(&outermost.fields)?;
        let mut open = vec![outermost.open()?];
        while let Some(innermost) = open.last_mut() {
            if let Some(embedded) = innermost.embedded.next() {
                open.push(Shallow::read(embedded.get())?.open()?);
            } else if let Some(Open { segment, .. }) = open.pop() {
                match open.last_mut() {
                    Some(outer) => outer.segment.subsegments.push(segment),
                    None => return Ok(segment),
                }
            }
        }
        Err(DocumentError::Parse { line: 0, column: 0 })
    }

    /// Checks the fields that a document must have.
    fn check_fields(fields: &Map<String, Value>) -> Result<(), DocumentError> {
        let text = |name: &'static str| match fields.get(name) {
            None | Some(Value::Null) => Err(DocumentError::Missing(name)),
            Some(Value::String(text)) => Ok(text.as_str()),
            Some(_) => Err(DocumentError::Invalid(name)),
        };
        let name = text("name")?;
        if !has_valid_length(name) {
            return Err(DocumentError::Invalid("name"));
        }
        text("id")?.parse::<crate::SegmentId>().map_err(|_| DocumentError::Invalid("id"))?;
        if fields.contains_key("trace_id") {
            text("trace_id")?.parse::<crate::TraceId>().map_err(|_| DocumentError::Invalid("trace_id"))?;
        }
        if fields.contains_key("parent_id") {
            text("parent_id")?
                .parse::<crate::SegmentId>()
                .map_err(|_| DocumentError::Invalid("parent_id"))?;
        }
        match fields.get("start_time") {
            None | Some(Value::Null) => return Err(DocumentError::Missing("start_time")),
            Some(Value::Number(_)) => {}
            Some(_) => return Err(DocumentError::Invalid("start_time")),
        }
        Ok(())
    }

    /// Reads a document as X-Ray does on arrival: in addition to [`Segment::read`], it must be complete by itself.
    ///
    /// # Errors
    /// As for [`Segment::read`], and as for [`Segment::check_sent`].
    pub fn read_sent(document: &str) -> Result<Self, DocumentError> {
        let segment = Self::read(document)?;
        segment.check_sent(document)?;
        Ok(segment)
    }

    /// Checks what X-Ray checks on arrival of the segment, whose text is `document`.
    ///
    /// # Errors
    /// When the document is larger than 64 KB, has a name with a character that X-Ray does not accept, has no `trace_id`, ends
    /// before it starts, has neither `end_time` nor `in_progress`, or is an independent subsegment without `parent_id`.
    pub fn check_sent(&self, document: &str) -> Result<(), DocumentError> {
        if document.len() > MAX_DOCUMENT_BYTES {
            return Err(DocumentError::TooLarge);
        }
        let allowed = |c: char| c.is_alphanumeric() || c.is_whitespace() || SYMBOLS_IN_NAMES.contains(c);
        if !has_valid_length(&self.name) || !self.name.chars().all(allowed) {
            return Err(DocumentError::Invalid("name"));
        }
        if self.trace_id.is_none() {
            return Err(DocumentError::Missing("trace_id"));
        }
        match self.end_time {
            None if !self.is_in_progress() => return Err(DocumentError::Missing("end_time")),
            Some(end) if end < self.start_time => return Err(DocumentError::Invalid("end_time")),
            _ => {}
        }
        if self.is_subsegment() && self.parent_id.is_none() {
            return Err(DocumentError::Missing("parent_id"));
        }
        Ok(())
    }
}

/// Whether a document may embed others. An escape may be a letter of the member's name.
fn may_embed(document: &str) -> bool {
    document.contains("subsegments") || document.contains("\\u")
}

fn has_valid_length(name: &str) -> bool {
    !name.is_empty() && name.chars().count() <= MAX_NAME
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::{AnnotationValue, Cause};

    fn whole() -> Value {
        json!({
            "name": "ingest", "id": "70de5b6f19ff9a0a", "trace_id": "1-581cf771-a006649127e371903a2de979",
            "parent_id": "70de5b6f19ff9a0b", "start_time": 1_478_293_361.271_25, "end_time": 1_478_293_361.449,
            "origin": "AWS::ECS::Fargate", "user": "123456789012", "service": {"version": "1.2.0"},
            "resource_arn": "arn:aws:ecs:eu-central-1:000000000000:task/1",
            "http": {"request": {"method": "POST", "url": "https://example.com/v1/events", "client_ip": "192.0.2.1",
                "user_agent": "curl", "x_forwarded_for": true}, "response": {"status": 202, "content_length": 86}},
            "aws": {"operation": "PutEvents", "region": "eu-central-1", "request_id": "r", "queue_url": "q",
                "table_name": "t", "table_names": ["t", "u"], "account_id": "000000000000", "retries": 2,
                "ecs": {"container": "ingest", "task_arn": "a"}, "xray": {"sdk": "opentelemetry for rust",
                "sdk_version": "0.33", "auto_instrumentation": false},
                "cloudwatch_logs": [{"log_group": "g", "arn": "a"}], "elastic_beanstalk": {"deployment_id": 32}},
            "error": false, "throttle": false, "fault": true,
            "cause": {"exceptions": [{"id": "fe90dc2bd6c1ab4c", "type": "io", "message": "gone", "remote": false,
                "stack": [{"path": "a.rs", "line": 1, "label": "run"}]}]},
            "annotations": {"customer_number": "123456789012", "attempt": 2, "ratio": 0.5, "new": true},
            "metadata": {"default": {"otel.resource.service.name": "ingest"}},
            "links": [{"trace_id": "1-581cf771-a006649127e371903a2de970", "id": "70de5b6f19ff9a0c",
                "attributes": {"k": "v"}}],
            "subsegments": [{"name": "validate", "id": "53995c3f42cd8ad8", "start_time": 1_478_293_361.3,
                "end_time": 1_478_293_361.4, "precursor_ids": ["53995c3f42cd8ad9"]}],
            "something_new": {"a": [1, 2]}
        })
    }

    #[test]
    fn a_document_survives_reading_and_writing_with_its_unknown_fields() {
        let segment = Segment::read_sent(&whole().to_string()).unwrap();
        assert_eq!(segment.annotations["attempt"], AnnotationValue::from(2));
        assert!(segment.other.contains_key("something_new"));
        assert!(segment.aws.as_ref().unwrap().other.contains_key("elastic_beanstalk"));
        assert_eq!(serde_json::from_str::<Value>(&segment.to_json()).unwrap(), whole());
    }

    #[test]
    fn a_cause_may_be_the_id_of_an_exception() {
        let mut document = whole();
        document["cause"] = json!("fe90dc2bd6c1ab4c");
        let segment = Segment::read_sent(&document.to_string()).unwrap();
        assert_eq!(segment.cause, Some(Cause::Exception("fe90dc2bd6c1ab4c".to_owned())));
    }

    #[test]
    fn documents_that_x_ray_refuses_are_refused_with_its_code() {
        let changes: [(&str, Value, &str); 15] = [
            ("name", Value::Null, "MissingName"),
            ("name", json!(""), "InvalidName"),
            ("name", json!("x".repeat(201)), "InvalidName"),
            ("name", json!("a?b"), "InvalidName"),
            ("id", Value::Null, "MissingId"),
            ("id", json!("70de5b6f19ff9a0"), "InvalidId"),
            ("trace_id", Value::Null, "MissingTraceId"),
            ("trace_id", json!("581cf771"), "InvalidTraceId"),
            ("parent_id", json!("none"), "InvalidParentId"),
            ("start_time", Value::Null, "MissingStartTime"),
            ("start_time", json!("now"), "InvalidStartTime"),
            ("end_time", Value::Null, "MissingEndTime"),
            ("end_time", json!(1), "InvalidEndTime"),
            ("annotations", json!({"a": {"b": 1}}), "ParseError"),
            ("metadata", json!({"default": "x".repeat(65_536)}), "DocumentTooLarge"),
        ];
        for (field, value, code) in changes {
            let mut document = whole();
            if value.is_null() {
                document.as_object_mut().unwrap().remove(field);
            } else {
                document[field] = value;
            }
            assert_eq!(Segment::read_sent(&document.to_string()).unwrap_err().code(), code, "{field}");
        }
        for text in ["", "{", "[]", "7"] {
            assert_eq!(Segment::read_sent(text).unwrap_err().code(), "ParseError", "{text}");
        }
        let lonely = r#"{"name":"a","id":"70de5b6f19ff9a0a","trace_id":"1-581cf771-a006649127e371903a2de979",
            "start_time":1,"end_time":2,"type":"subsegment"}"#;
        assert_eq!(Segment::read_sent(lonely).unwrap_err().code(), "MissingParentId");
    }

    #[test]
    fn a_name_has_letters_of_any_script_and_some_symbols() {
        let mut document = whole();
        for name in ["Prämien 7", "会员", r"a_b.c:d/e%f&g#h=i+j\k-l@m"] {
            document["name"] = json!(name);
            assert_eq!(Segment::read_sent(&document.to_string()).unwrap().name, name);
        }
        for name in ["a?b", "a{b}", "a,b", "a(b)", "a\u{1}b", "a*b", "a;b", "a\"b", "a'b", "a|b", "a<b>"] {
            document["name"] = json!(name);
            assert_eq!(
                Segment::read_sent(&document.to_string()),
                Err(DocumentError::Invalid("name")),
                "{name}"
            );
        }
    }

    #[test]
    fn a_document_in_progress_has_no_end() {
        let mut document = whole();
        document.as_object_mut().unwrap().remove("end_time");
        document["in_progress"] = json!(true);
        assert!(Segment::read_sent(&document.to_string()).unwrap().is_in_progress());
    }
}
