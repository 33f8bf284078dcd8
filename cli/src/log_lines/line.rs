//! A parsed log line.

use serde_json::{Map, Value};

/// A line of a service's output: a JSON object, or text that is not one (a panic, a library that prints).
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Line {
    /// A log record.
    Record(Map<String, Value>),
    /// Anything else.
    Text(String),
}

impl Line {
    /// Parses one line without its line break.
    pub(crate) fn read(text: &str) -> Self {
        match serde_json::from_str::<Value>(text) {
            Ok(Value::Object(record)) if record.contains_key("message") || record.contains_key("level") => {
                Self::Record(record)
            }
            _ => Self::Text(text.to_owned()),
        }
    }

    /// Returns the string field `name` of a record.
    #[cfg(feature = "local")]
    pub(crate) fn field(&self, name: &str) -> Option<&str> {
        match self {
            Self::Record(record) => record.get(name).and_then(Value::as_str),
            Self::Text(_) => None,
        }
    }

    /// Converts the line to a record; text becomes one too, so that any JSON tool can read the file.
    #[cfg(feature = "local")]
    pub(crate) fn into_record(
        self,
        service: &str,
        stream: &'static str,
        now: jiff::Timestamp,
    ) -> Map<String, Value> {
        match self {
            Self::Record(record) => record,
            Self::Text(text) => [
                ("timestamp", now.to_string()),
                ("service", service.to_owned()),
                ("stream", stream.to_owned()),
                ("message", text),
            ]
            .into_iter()
            .map(|(name, value)| (name.to_owned(), Value::from(value)))
            .collect(),
        }
    }
}

#[cfg(all(test, feature = "local"))]
mod tests {
    use super::*;

    #[test]
    fn only_records_are_records() {
        assert_eq!(
            Line::read(r#"{"level":"INFO","message":"listening"}"#).field("message"),
            Some("listening")
        );
        for text in ["thread 'main' panicked at", "{\"a\":1}", "[1]", "", "{"] {
            assert_eq!(Line::read(text), Line::Text(text.to_owned()));
        }
    }

    #[test]
    fn text_is_kept_as_a_record() {
        let record =
            Line::read("thread 'main' panicked").into_record("email", "stderr", jiff::Timestamp::UNIX_EPOCH);
        assert_eq!(
            Value::Object(record),
            serde_json::json!({"timestamp": "1970-01-01T00:00:00Z", "service": "email", "stream": "stderr",
                               "message": "thread 'main' panicked"})
        );
    }
}
