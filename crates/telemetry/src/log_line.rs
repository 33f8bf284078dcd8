//! Renders one event as one line: a flat JSON object for CloudWatch Logs, or readable text.

use std::borrow::Cow;
use std::error::Error;
use std::fmt;
use std::io::Write as _;
use std::ops::Range;

use serde::Serialize;
use tracing::field::{Field, Visit};

use crate::hop;
use crate::settings::LogFormat;

/// The room that most lines need, in bytes.
const TYPICAL_LENGTH: usize = 512;

/// The fields that most events have at most.
const TYPICAL_NUMBER: usize = 16;

/// Names with a fixed meaning in a line. An event's field of such a name gets the prefix `field_`, so that it cannot
/// pass for the line's own. `trace_id` is not among them: an event may name its trace itself.
const OWN: [&str; 5] = ["timestamp", "level", "service", "environment", "target"];

/// What every line of a process has in common.
#[derive(Debug)]
pub(crate) struct Common {
    service: String,
    /// The part of a JSON line that is the same in each: service and environment.
    json: Vec<u8>,
    format: LogFormat,
}

impl Common {
    pub(crate) fn new(service: &str, environment: &str, format: LogFormat) -> Self {
        let mut json = Vec::new();
        json_entry(&mut json, "service", service);
        json_entry(&mut json, "environment", environment);
        Self { service: service.to_owned(), json, format }
    }

    /// Returns the fields of an event, to be recorded.
    pub(crate) fn fields(&self) -> Fields {
        Fields {
            format: self.format,
            message: String::new(),
            others: Vec::with_capacity(TYPICAL_LENGTH),
            places: Vec::with_capacity(TYPICAL_NUMBER),
        }
    }
}

/// A line that is complete but for its common part. Nothing of it is kept as a value: with a line for each event, that
/// would be most of what a line costs.
pub(crate) struct Line<'a> {
    pub(crate) timestamp: jiff::Timestamp,
    pub(crate) level: &'static str,
    pub(crate) target: &'a str,
    pub(crate) trace_id: Option<xray::TraceId>,
    pub(crate) fields: Fields,
}

impl Line<'_> {
    /// Renders the line with its line feed.
    pub(crate) fn render(&self, common: &Common) -> Vec<u8> {
        let mut line = Vec::with_capacity(TYPICAL_LENGTH + self.fields.others.len());
        match common.format {
            LogFormat::Json => self.json(common, &mut line),
            LogFormat::Text => self.text(common, &mut line),
        }
        line.push(b'\n');
        line
    }

    fn json(&self, common: &Common, line: &mut Vec<u8>) {
        write(line, format_args!("{{\"timestamp\":\"{:.6}\"", self.timestamp));
        json_entry(line, "level", self.level);
        line.extend_from_slice(&common.json);
        json_entry(line, "message", &self.fields.message);
        if let Some(trace_id) = self.trace_id() {
            write(line, format_args!(",\"trace_id\":\"{trace_id}\""));
        }
        line.extend_from_slice(&self.fields.others);
        // One line for each event: 26 bytes that say nothing.
        if self.target != hop::TARGET {
            json_entry(line, "target", self.target);
        }
        line.push(b'}');
    }

    fn text(&self, common: &Common, line: &mut Vec<u8>) {
        write(line, format_args!("{:.6} {:>5} {} ", self.timestamp, self.level, common.service));
        for byte in self.fields.message.bytes() {
            match byte {
                b'\n' => line.extend_from_slice(b"\\n"),
                byte => line.push(byte),
            }
        }
        line.extend_from_slice(&self.fields.others);
        if let Some(trace_id) = self.trace_id() {
            write(line, format_args!(" trace_id={trace_id}"));
        }
    }

    /// Returns the span's trace, unless the event names one itself.
    fn trace_id(&self) -> Option<xray::TraceId> {
        self.trace_id.filter(|_| !self.fields.has("trace_id"))
    }
}

/// The fields of an event in the form of the line, in their order; the last one of a name wins.
pub(crate) struct Fields {
    format: LogFormat,
    message: String,
    /// All fields but the message, each with what separates it from the one before.
    others: Vec<u8>,
    places: Vec<Place>,
}

/// Where a field is among the others.
struct Place {
    field: Range<usize>,
    name: Range<usize>,
}

impl Fields {
    fn push(&mut self, field: &Field, value: &Value<'_>) {
        let name = field.name();
        let name = name.strip_prefix("r#").unwrap_or(name);
        if name == "message" {
            self.message = value.plain().into_owned();
            return;
        }
        let prefix = if OWN.contains(&name) { "field_" } else { "" };
        let start = self.others.len();
        let (before, between) = match self.format {
            LogFormat::Json => (",\"", "\":"),
            LogFormat::Text => (" ", "="),
        };
        self.others.extend_from_slice(before.as_bytes());
        let name_start = self.others.len();
        self.others.extend_from_slice(prefix.as_bytes());
        self.others.extend_from_slice(name.as_bytes());
        let name = name_start..self.others.len();
        self.others.extend_from_slice(between.as_bytes());
        match self.format {
            LogFormat::Json => value.write_json(&mut self.others),
            LogFormat::Text => value.write_text(&mut self.others),
        }
        match self
            .places
            .iter()
            .position(|place| self.others[place.name.clone()] == self.others[name.clone()])
        {
            None => self.places.push(Place { field: start..self.others.len(), name }),
            Some(known) => self.replace(known, start),
        }
    }

    /// Puts the field that begins at `start`, the last, in the place of a known one of the same name.
    fn replace(&mut self, known: usize, start: usize) {
        let last = self.others.split_off(start);
        let before = self.places[known].field.len();
        self.others.splice(self.places[known].field.clone(), last.iter().copied());
        let moved = |at: usize| at + last.len() - before;
        self.places[known].field.end = moved(self.places[known].field.end);
        for Place { field, name } in &mut self.places[known + 1..] {
            *field = moved(field.start)..moved(field.end);
            *name = moved(name.start)..moved(name.end);
        }
    }

    fn has(&self, name: &str) -> bool {
        self.places.iter().any(|place| self.others[place.name.clone()] == *name.as_bytes())
    }
}

/// The value of a field, written where it belongs without a copy in between.
enum Value<'a> {
    Text(&'a str),
    Debug(&'a dyn fmt::Debug),
    F64(f64),
    I64(i64),
    U64(u64),
    Bool(bool),
}

impl Value<'_> {
    fn plain(&self) -> Cow<'_, str> {
        match self {
            Self::Text(text) => Cow::Borrowed(text),
            Self::Debug(value) => Cow::Owned(format!("{value:?}")),
            Self::F64(value) => Cow::Owned(value.to_string()),
            Self::I64(value) => Cow::Owned(value.to_string()),
            Self::U64(value) => Cow::Owned(value.to_string()),
            Self::Bool(value) => Cow::Owned(value.to_string()),
        }
    }

    /// Writes the value, in quotation marks if it has white space.
    fn write_text(&self, out: &mut Vec<u8>) {
        match self {
            Self::Text(_) | Self::Debug(_) => {
                let plain = self.plain();
                if plain.contains(char::is_whitespace) {
                    json(out, &plain);
                } else {
                    out.extend_from_slice(plain.as_bytes());
                }
            }
            number => number.write_json(out),
        }
    }

    fn write_json(&self, out: &mut Vec<u8>) {
        match *self {
            Self::Text(text) => json(out, text),
            Self::Debug(value) => json(out, &format_args!("{value:?}")),
            Self::F64(value) => json(out, &value),
            Self::I64(value) => json(out, &value),
            Self::U64(value) => json(out, &value),
            Self::Bool(value) => json(out, &value),
        }
    }
}

/// Appends a member to an object that has one already. `name` needs no escapes.
fn json_entry(out: &mut Vec<u8>, name: &str, value: &str) {
    out.extend_from_slice(b",\"");
    out.extend_from_slice(name.as_bytes());
    out.extend_from_slice(b"\":");
    json(out, value);
}

/// Appends a JSON value. Numbers and texts can be written, and writing to memory cannot fail.
fn json<T: Serialize + ?Sized>(out: &mut Vec<u8>, value: &T) {
    let written = serde_json::to_writer(out, value);
    debug_assert!(written.is_ok());
}

/// Appends text. Writing to memory cannot fail.
fn write(out: &mut Vec<u8>, text: fmt::Arguments<'_>) {
    let written = out.write_fmt(text);
    debug_assert!(written.is_ok());
}

impl Visit for Fields {
    fn record_f64(&mut self, field: &Field, value: f64) {
        self.push(field, &Value::F64(value));
    }

    fn record_i64(&mut self, field: &Field, value: i64) {
        self.push(field, &Value::I64(value));
    }

    fn record_u64(&mut self, field: &Field, value: u64) {
        self.push(field, &Value::U64(value));
    }

    fn record_bool(&mut self, field: &Field, value: bool) {
        self.push(field, &Value::Bool(value));
    }

    fn record_str(&mut self, field: &Field, value: &str) {
        self.push(field, &Value::Text(value));
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
        self.push(field, &Value::Text(&text));
    }

    fn record_debug(&mut self, field: &Field, value: &dyn fmt::Debug) {
        self.push(field, &Value::Debug(value));
    }
}

#[cfg(test)]
mod tests {
    use std::sync::{Arc, Mutex};

    use tracing::{Event, Subscriber};
    use tracing_subscriber::layer::{Context, SubscriberExt as _};
    use tracing_subscriber::{Layer, Registry};

    use super::*;

    /// Renders each event at one time in one trace.
    struct Rendered(Common, Arc<Mutex<Vec<u8>>>);

    impl<S: Subscriber> Layer<S> for Rendered {
        fn on_event(&self, event: &Event<'_>, _: Context<'_, S>) {
            let mut fields = self.0.fields();
            event.record(&mut fields);
            let line = Line {
                timestamp: "2026-11-23T02:34:56.789012Z".parse().unwrap(),
                level: "INFO",
                target: "consumer",
                trace_id: Some("1-5759e988-bd862e3fe1be46a994272793".parse().unwrap()),
                fields,
            };
            self.1.lock().unwrap().extend(line.render(&self.0));
        }
    }

    fn rendered(format: LogFormat, log: impl FnOnce()) -> String {
        let lines = Arc::new(Mutex::default());
        let layer = Rendered(Common::new("membership", "local", format), Arc::clone(&lines));
        tracing::subscriber::with_default(Registry::default().with(layer), log);
        let lines = std::mem::take(&mut *lines.lock().unwrap());
        String::from_utf8(lines).unwrap()
    }

    #[test]
    fn text_is_one_readable_line() {
        let line = rendered(LogFormat::Text, || {
            tracing::info!(attempt = 2, reason = "two words", code = ?Some(1), "event\nforged line");
        });
        assert_eq!(
            line,
            "2026-11-23T02:34:56.789012Z  INFO membership event\\nforged line attempt=2 reason=\"two words\" \
             code=Some(1) trace_id=1-5759e988-bd862e3fe1be46a994272793\n"
        );
    }

    #[test]
    fn json_is_one_flat_object() {
        let line = rendered(LogFormat::Json, || {
            tracing::info!(attempt = 2, ratio = 0.5, sick = f64::NAN, ok = true, text = "a \"b\"\n", "event");
        });
        assert_eq!(
            line,
            concat!(
                r#"{"timestamp":"2026-11-23T02:34:56.789012Z","level":"INFO","service":"membership","environment":"local","#,
                r#""message":"event","trace_id":"1-5759e988-bd862e3fe1be46a994272793","attempt":2,"ratio":0.5,"sick":null,"#,
                r#""ok":true,"text":"a \"b\"\n","target":"consumer"}"#,
                "\n"
            )
        );
    }

    #[test]
    fn the_last_field_of_a_name_wins_in_the_place_of_the_first() {
        let log = || tracing::info!(a = 1, b = "between", a = "longer than before", c = 3, b = 2, "event");
        let line: serde_json::Value = serde_json::from_str(&rendered(LogFormat::Json, log)).unwrap();
        assert_eq!(
            (&line["a"], &line["b"], &line["c"]),
            (&"longer than before".into(), &2.into(), &3.into())
        );
        let text = rendered(LogFormat::Text, log);
        assert!(text.contains("event a=\"longer than before\" b=2 c=3 trace_id="), "{text}");
    }
}
