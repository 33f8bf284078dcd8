//! Turns the log of `up`, and of the local cloud inside it, into records like those of the services.

use std::fmt;

use serde_json::{Map, Value};
use tracing::field::{Field, Visit};
use tracing::{Event, Subscriber};
use tracing_subscriber::Layer;
use tracing_subscriber::layer::Context;

use super::line::Line;

/// A `tracing` layer that passes each event to `sink` as a log record, with the name to show it under.
pub(crate) struct Capture<S> {
    sink: S,
}

impl<S: Fn(&'static str, Line) + Send + Sync + 'static> Capture<S> {
    pub(crate) fn new(sink: S) -> Self {
        Self { sink }
    }
}

impl<S, R> Layer<R> for Capture<S>
where
    S: Fn(&'static str, Line) + Send + Sync + 'static,
    R: Subscriber,
{
    fn on_event(&self, event: &Event<'_>, _: Context<'_, R>) {
        let metadata = event.metadata();
        // Everything outside the command line itself belongs to the local cloud and its libraries.
        let name = if metadata.target().starts_with("foostore") { "foostore" } else { "cloud" };
        let mut fields = Fields(Map::new());
        event.record(&mut fields);
        let mut record = fields.0;
        record.insert("timestamp".to_owned(), jiff::Timestamp::now().to_string().into());
        record.insert("level".to_owned(), metadata.level().as_str().into());
        record.insert("service".to_owned(), name.into());
        record.entry("message").or_insert_with(|| metadata.name().into());
        (self.sink)(name, Line::Record(record));
    }
}

struct Fields(Map<String, Value>);

impl Fields {
    fn put(&mut self, field: &Field, value: Value) {
        self.0.insert(field.name().to_owned(), value);
    }
}

impl Visit for Fields {
    fn record_f64(&mut self, field: &Field, value: f64) {
        self.put(field, value.into());
    }

    fn record_i64(&mut self, field: &Field, value: i64) {
        self.put(field, value.into());
    }

    fn record_u64(&mut self, field: &Field, value: u64) {
        self.put(field, value.into());
    }

    fn record_bool(&mut self, field: &Field, value: bool) {
        self.put(field, value.into());
    }

    fn record_str(&mut self, field: &Field, value: &str) {
        self.put(field, value.into());
    }

    fn record_debug(&mut self, field: &Field, value: &dyn fmt::Debug) {
        self.put(field, format!("{value:?}").into());
    }
}

#[cfg(test)]
mod tests {
    use std::sync::{Arc, Mutex};

    use tracing_subscriber::layer::SubscriberExt as _;

    use super::*;

    #[test]
    fn an_event_becomes_a_record() {
        let seen = Arc::new(Mutex::new(Vec::new()));
        let sink = {
            let seen = seen.clone();
            move |name, line| seen.lock().unwrap().push((name, line))
        };
        let subscriber = tracing_subscriber::registry().with(Capture::new(sink));
        tracing::subscriber::with_default(subscriber, || tracing::info!(port = 8080, "bound"));
        let seen = seen.lock().unwrap();
        assert_eq!(seen[0].0, "foostore");
        assert_eq!(seen[0].1.field("message"), Some("bound"));
        assert_eq!(seen[0].1.field("level"), Some("INFO"));
        let Line::Record(record) = &seen[0].1 else { panic!("{seen:?}") };
        assert_eq!(record["port"], 8080);
    }
}
