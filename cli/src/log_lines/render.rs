//! Renders a log record as one line for people: time, level, service, message, fields, trace id.

use serde_json::{Map, Value};

use super::line::Line;
use crate::style::{Colour, Style, printable};

/// Fields with a fixed place in the line, and those of no use to someone who watches a run.
const PLACED: [&str; 8] =
    ["timestamp", "level", "service", "environment", "message", "trace_id", "stream", "target"];
/// Fields that come first, in this order, because they describe what happened to an event; the others follow by name.
const FIRST: [&str; 9] = [
    "event_type",
    "outcome",
    "reason",
    "error",
    "customer_number",
    "event_id",
    "attempt",
    "waiting_ms",
    "processing_ms",
];

/// What a line begins with that continues another one: below its message.
const INDENT: &str = "                    ";

/// Renders log lines for one output.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Renderer {
    style: Style,
    /// Width of the service column.
    width: usize,
}

impl Renderer {
    /// Creates a renderer. `services` are the names to expect, which set the width of their column.
    pub(crate) fn new<'a>(style: Style, services: impl IntoIterator<Item = &'a str>) -> Self {
        let width = services.into_iter().map(|name| name.chars().count()).max().unwrap_or(0);
        Self { style, width }
    }

    /// Renders one line without a line break at its end; a long one is broken to fit the terminal. `service` is used if the line does not name its service.
    pub(crate) fn line(&self, service: &str, line: &Line) -> String {
        match line {
            Line::Text(text) => {
                format!("{:12} {:5} {} {}", "", "", self.service(service), printable(text))
            }
            Line::Record(record) => self.record(service, record),
        }
    }

    fn record(&self, service: &str, record: &Map<String, Value>) -> String {
        let text = |name: &str| record.get(name).and_then(Value::as_str);
        let time = text("timestamp").map(clock).unwrap_or_default();
        let level = text("level").unwrap_or_default();
        let message = record.get("message").map(plain).unwrap_or_default();
        let first = format!(
            "{} {} {} {}",
            self.style.paint(Colour::Dim, &format!("{time:12}")),
            self.level(level),
            self.service(text("service").unwrap_or(service)),
            self.style.paint(Colour::Bold, &message),
        );
        let rest =
            record.keys().map(String::as_str).filter(|name| !FIRST.contains(name) && !PLACED.contains(name));
        let mut parts = vec![first];
        for name in FIRST.into_iter().filter(|name| record.contains_key(*name)).chain(rest) {
            // An event that began its own correlation shows its id once.
            let repeated = name == "correlation_id" && record.get("event_id") == record.get(name);
            if record[name].is_null() || repeated {
                continue;
            }
            let value = plain(&record[name]);
            let value = match name {
                "reason" | "error" => self.style.paint(Colour::Red, &value),
                _ => value,
            };
            let name = self.style.paint(Colour::Dim, &format!("{}=", printable(name)));
            parts.push(format!("{name}{value}"));
        }
        if let Some(trace) = text("trace_id").filter(|id| !id.is_empty()) {
            parts.push(self.style.paint(Colour::Dim, &printable(trace)));
        }
        self.style.flow(parts, " ", INDENT)
    }

    fn service(&self, name: &str) -> String {
        let padded = format!("{:width$}", printable(name), width = self.width);
        self.style.paint(Colour::of_name(name), &padded)
    }

    fn level(&self, level: &str) -> String {
        let padded = format!("{:5}", printable(level));
        match level {
            "ERROR" => self.style.paint(Colour::Red, &padded),
            "WARN" => self.style.paint(Colour::Yellow, &padded),
            "INFO" => self.style.paint(Colour::Green, &padded),
            _ => self.style.paint(Colour::Dim, &padded),
        }
    }
}

/// Formats the time of day in UTC to the millisecond; returns the text unchanged if it is not a timestamp.
fn clock(timestamp: &str) -> String {
    match timestamp.parse::<jiff::Timestamp>() {
        Ok(at) => {
            let time = at.to_zoned(jiff::tz::TimeZone::UTC).time();
            format!("{:02}:{:02}:{:02}.{:03}", time.hour(), time.minute(), time.second(), time.millisecond())
        }
        Err(_) => printable(timestamp),
    }
}

/// Formats a value for people: strings have no quotes.
fn plain(value: &Value) -> String {
    match value {
        Value::String(text) => printable(text),
        other => printable(&other.to_string()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn renderer(style: Style) -> Renderer {
        Renderer::new(style, ["ingest", "membership"])
    }

    #[test]
    fn a_hop_line_reads_from_left_to_right() {
        let line = Line::read(
            r#"{"timestamp":"2026-11-23T02:34:05.006789Z","level":"INFO","service":"ingest","environment":"local",
               "message":"event","trace_id":"1-5759e988-bd862e3fe1be46a994272793","processing_ms":12,
               "event_id":"9d2a","event_type":"CustomerRenamed","outcome":"published","customer_number":"000000000042",
               "correlation_id":"9d2a","causation_id":null}"#,
        );
        assert_eq!(
            renderer(Style::PLAIN).line("?", &line),
            "02:34:05.006 INFO  ingest     event event_type=CustomerRenamed outcome=published \
             customer_number=000000000042 event_id=9d2a processing_ms=12 \
             1-5759e988-bd862e3fe1be46a994272793"
        );
    }

    #[test]
    fn text_keeps_its_place_under_the_records() {
        assert_eq!(
            renderer(Style::PLAIN).line("membership", &Line::read("thread 'main' \u{1b}[31mpanicked")),
            "                   membership thread 'main' \u{fffd}[31mpanicked"
        );
    }

    #[test]
    fn levels_and_reasons_are_coloured() {
        let line = Line::read(r#"{"level":"ERROR","message":"event","reason":"malformed-event"}"#);
        let shown = renderer(Style::COLOUR).line("ingest", &line);
        assert!(shown.contains("\u{1b}[31mERROR\u{1b}[0m"), "{shown}");
        assert!(shown.contains("\u{1b}[31mmalformed-event\u{1b}[0m"), "{shown}");
    }
}
