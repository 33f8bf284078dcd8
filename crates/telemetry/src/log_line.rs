//! Renders one event as one line: a flat JSON object for CloudWatch Logs, or readable text.

use std::error::Error;
use std::fmt::{self, Write as _};

use serde::ser::{Serialize, SerializeMap as _, Serializer};
use serde_json::Value;
use tracing::field::{Field, Visit};

use crate::settings::LogFormat;

/// Names with a fixed meaning in a line. An event's field of such a name gets the prefix `field_`, so that it cannot
/// pass for the line's own. `trace_id` is not among them: an event may name its trace itself.
const OWN: [&str; 5] = ["timestamp", "level", "service", "environment", "target"];

/// The fields of every line.
pub(crate) struct Line<'a> {
    pub(crate) timestamp: jiff::Timestamp,
    pub(crate) level: &'static str,
    pub(crate) service: &'a str,
    pub(crate) environment: &'a str,
    pub(crate) target: &'a str,
    pub(crate) trace_id: Option<String>,
    pub(crate) fields: Fields,
}

impl Line<'_> {
    /// Renders the line with its line feed.
    pub(crate) fn render(&self, format: LogFormat) -> String {
        let mut line = match format {
            LogFormat::Json => serde_json::to_string(self).unwrap_or_else(|error| {
                format!(
                    r#"{{"level":"ERROR","message":"a log line could not be written: {:?}"}}"#,
                    error.classify()
                )
            }),
            LogFormat::Text => self.text(),
        };
        line.push('\n');
        line
    }

    fn text(&self) -> String {
        let message = self.fields.message.as_deref().unwrap_or_default();
        let mut line = format!("{:.6} {:>5} {} {message}", self.timestamp, self.level, self.service);
        for (key, value) in &self.fields.others {
            // Writing to a String cannot fail.
            let written = match value {
                Value::String(text) if !text.contains(char::is_whitespace) => write!(line, " {key}={text}"),
                other => write!(line, " {key}={other}"),
            };
            debug_assert!(written.is_ok());
        }
        if let Some(trace_id) = self.trace_id() {
            line.push_str(" trace_id=");
            line.push_str(trace_id);
        }
        line.replace('\n', "\\n")
    }

    /// Returns the span's trace, unless the event names one itself.
    fn trace_id(&self) -> Option<&str> {
        let named = self.fields.others.iter().any(|(key, _)| key == "trace_id");
        self.trace_id.as_deref().filter(|_| !named)
    }
}

impl Serialize for Line<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(None)?;
        map.serialize_entry("timestamp", &format_args!("{:.6}", self.timestamp))?;
        map.serialize_entry("level", self.level)?;
        map.serialize_entry("service", self.service)?;
        map.serialize_entry("environment", self.environment)?;
        map.serialize_entry("message", self.fields.message.as_deref().unwrap_or_default())?;
        if let Some(trace_id) = self.trace_id() {
            map.serialize_entry("trace_id", trace_id)?;
        }
        for (key, value) in &self.fields.others {
            map.serialize_entry(key, value)?;
        }
        map.serialize_entry("target", self.target)?;
        map.end()
    }
}

/// The fields of an event, in their order; the last one of a name wins.
#[derive(Default)]
pub(crate) struct Fields {
    message: Option<String>,
    others: Vec<(String, Value)>,
}

impl Fields {
    fn push(&mut self, field: &Field, value: Value) {
        let name = field.name();
        let name = name.strip_prefix("r#").unwrap_or(name);
        if name == "message" {
            self.message = Some(match value {
                Value::String(text) => text,
                other => other.to_string(),
            });
            return;
        }
        let key = if OWN.contains(&name) { format!("field_{name}") } else { name.to_owned() };
        match self.others.iter_mut().find(|(known, _)| *known == key) {
            Some((_, known)) => *known = value,
            None => self.others.push((key, value)),
        }
    }
}

impl Visit for Fields {
    fn record_f64(&mut self, field: &Field, value: f64) {
        self.push(field, value.into());
    }

    fn record_i64(&mut self, field: &Field, value: i64) {
        self.push(field, value.into());
    }

    fn record_u64(&mut self, field: &Field, value: u64) {
        self.push(field, value.into());
    }

    fn record_bool(&mut self, field: &Field, value: bool) {
        self.push(field, value.into());
    }

    fn record_str(&mut self, field: &Field, value: &str) {
        self.push(field, value.into());
    }

    /// Records an error with its causes, outermost first.
    fn record_error(&mut self, field: &Field, value: &(dyn Error + 'static)) {
        let mut text = value.to_string();
        let mut cause = value.source();
        while let Some(error) = cause {
            text.push_str(": ");
            text.push_str(&error.to_string());
            cause = error.source();
        }
        self.push(field, text.into());
    }

    fn record_debug(&mut self, field: &Field, value: &dyn fmt::Debug) {
        self.push(field, format!("{value:?}").into());
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_is_one_readable_line() {
        let line = Line {
            timestamp: "2026-11-23T02:34:56.789012Z".parse().unwrap(),
            level: "INFO",
            service: "membership",
            environment: "local",
            target: "consumer",
            trace_id: Some("1-5759e988-bd862e3fe1be46a994272793".to_owned()),
            fields: Fields {
                message: Some("event\nforged line".to_owned()),
                others: vec![("attempt".into(), 2.into()), ("reason".into(), "two words".into())],
            },
        };
        assert_eq!(
            line.render(LogFormat::Text),
            "2026-11-23T02:34:56.789012Z  INFO membership event\\nforged line attempt=2 reason=\"two words\" \
             trace_id=1-5759e988-bd862e3fe1be46a994272793\n"
        );
        assert_eq!(line.render(LogFormat::Json).lines().count(), 1);
    }
}
