//! Renders a log record as one line for people: time, level, service, message, fields, trace id.

use std::borrow::Cow;

use serde_json::{Map, Value};

use super::line::Line;
use crate::style::{Colour, Style, as_printable};

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

/// Widths of the columns of time and level.
const TIME: usize = 12;
const LEVEL: usize = 5;

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
                let mut shown = " ".repeat(TIME + 1 + LEVEL + 1);
                self.service(&mut shown, service);
                shown.extend([" ", &as_printable(text)]);
                shown
            }
            Line::Record(record) => self.record(service, record),
        }
    }

    fn record(&self, service: &str, record: &Map<String, Value>) -> String {
        let text = |name: &str| record.get(name).and_then(Value::as_str);
        let mut flow = self.style.flowing(" ", INDENT);
        flow.part(|out| {
            let time = text("timestamp").map(clock).unwrap_or_default();
            self.style.painted(Colour::Dim, out, |out| padded(out, &time, TIME));
            out.push(' ');
            self.level(out, text("level").unwrap_or_default());
            out.push(' ');
            self.service(out, text("service").unwrap_or(service));
            out.push(' ');
            self.style.painted(Colour::Bold, out, |out| plain(out, record.get("message")));
        });
        let rest =
            record.keys().map(String::as_str).filter(|name| !FIRST.contains(name) && !PLACED.contains(name));
        for name in FIRST.into_iter().chain(rest) {
            let value = record.get(name).filter(|value| !value.is_null());
            // An event that began its own correlation shows its id once.
            let repeated = name == "correlation_id" && record.get("event_id") == value;
            if value.is_none() || repeated {
                continue;
            }
            flow.part(|out| {
                self.style.painted(Colour::Dim, out, |out| out.extend([&*as_printable(name), "="]));
                match name {
                    "reason" | "error" => self.style.painted(Colour::Red, out, |out| plain(out, value)),
                    _ => plain(out, value),
                }
            });
        }
        if let Some(trace) = text("trace_id").filter(|id| !id.is_empty()) {
            flow.part(|out| self.style.painted(Colour::Dim, out, |out| out.push_str(&as_printable(trace))));
        }
        flow.finish()
    }

    fn service(&self, out: &mut String, name: &str) {
        self.style.painted(Colour::of_name(name), out, |out| padded(out, &as_printable(name), self.width));
    }

    fn level(&self, out: &mut String, level: &str) {
        let colour = match level {
            "ERROR" => Colour::Red,
            "WARN" => Colour::Yellow,
            "INFO" => Colour::Green,
            _ => Colour::Dim,
        };
        self.style.painted(colour, out, |out| padded(out, &as_printable(level), LEVEL));
    }
}

/// Appends a text and as many spaces as it lacks of `width`.
fn padded(out: &mut String, text: &str, width: usize) {
    out.push_str(text);
    out.extend(std::iter::repeat_n(' ', width.saturating_sub(text.chars().count())));
}

/// Formats the time of day in UTC to the millisecond; returns the text unchanged if it is not a timestamp.
fn clock(timestamp: &str) -> Cow<'_, str> {
    // As services write it.
    let form = |(place, byte): (usize, u8)| match place {
        4 | 7 => byte == b'-',
        10 => byte == b'T',
        13 | 16 => byte == b':',
        19 => byte == b'.',
        26 => byte == b'Z',
        _ => byte.is_ascii_digit(),
    };
    if timestamp.len() == 27 && timestamp.bytes().enumerate().all(form) {
        return timestamp[11..23].into();
    }
    match timestamp.parse::<jiff::Timestamp>() {
        Ok(at) => {
            let time = at.to_zoned(jiff::tz::TimeZone::UTC).time();
            format!("{:02}:{:02}:{:02}.{:03}", time.hour(), time.minute(), time.second(), time.millisecond())
                .into()
        }
        Err(_) => as_printable(timestamp),
    }
}

/// Appends a value for people: strings have no quotes.
fn plain(out: &mut String, value: Option<&Value>) {
    match value {
        None => {}
        Some(Value::String(text)) => out.push_str(&as_printable(text)),
        Some(other) => out.push_str(&as_printable(&other.to_string())),
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
    fn times_are_those_of_the_day_in_utc() {
        for (timestamp, time) in [
            ("2026-11-23T02:34:05.006789Z", "02:34:05.006"),
            ("2026-11-23T02:34:05Z", "02:34:05.000"),
            ("2026-11-23T02:34:05.006789+01:00", "01:34:05.006"),
            ("yesterday at about a quarter", "yesterday at about a quarter"),
            ("2026-11-23T02:34:05.00678 Z", "2026-11-23T02:34:05.00678 Z"),
        ] {
            assert_eq!(clock(timestamp), time);
        }
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
