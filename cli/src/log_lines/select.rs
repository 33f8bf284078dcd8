//! Selects the log lines that belong to an event, a trace or a customer, and of those the ones that a user asked for.

use std::collections::BTreeSet;

use serde_json::{Map, Value};

use crate::wanted::Wanted;

/// A log record and the file it comes from.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Record {
    /// The service, taken from the file's name.
    pub(crate) service: String,
    /// The line.
    pub(crate) fields: Map<String, Value>,
}

impl Record {
    fn text(&self, name: &str) -> Option<&str> {
        self.fields.get(name).and_then(Value::as_str)
    }

    fn time(&self) -> Option<jiff::Timestamp> {
        self.text("timestamp").and_then(|text| text.parse().ok())
    }

    fn mentions(&self, event: &str) -> bool {
        EVENT_FIELDS.iter().any(|name| self.text(name) == Some(event))
    }
}

/// The fields that name an event: as itself, as the one that began everything, as the cause, or by its message.
pub(crate) const EVENT_FIELDS: [&str; 4] = ["event_id", "correlation_id", "causation_id", "message_id"];

/// What a line must have. A list that is empty admits every line.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Filters {
    pub(crate) services: Vec<String>,
    pub(crate) outcomes: Vec<String>,
    pub(crate) reasons: Vec<String>,
    /// The earliest time.
    pub(crate) since: Option<jiff::Timestamp>,
}

impl Filters {
    fn admit(&self, record: &Record) -> bool {
        let one_of = |wanted: &[String], found: Option<&str>| {
            wanted.is_empty() || found.is_some_and(|found| wanted.iter().any(|wanted| wanted == found))
        };
        let service = record.text("service").unwrap_or(&record.service);
        one_of(&self.services, Some(service))
            && one_of(&self.outcomes, record.text("outcome"))
            && one_of(&self.reasons, record.text("reason"))
            && self.since.is_none_or(|since| record.time().is_some_and(|time| time >= since))
    }
}

/// Selects records, as many as there are at once or as they come.
#[derive(Debug)]
pub(crate) struct Selection {
    wanted: Option<Wanted>,
    filters: Filters,
    /// The traces of the event, as far as lines have named them.
    traces: BTreeSet<String>,
    /// Whether an id of both forms has turned out to be a trace's.
    is_trace: bool,
}

impl Selection {
    /// Creates a selection of the lines about `wanted`, or of all, that have what `filters` ask for.
    pub(crate) fn new(wanted: Option<Wanted>, filters: Filters) -> Self {
        Self { wanted, filters, traces: BTreeSet::new(), is_trace: false }
    }

    /// Returns those of the next records that are selected, in order of time.
    ///
    /// For an event, these are the lines that name it (as event, correlation, cause or message), and the lines of the same
    /// traces that name no event, such as a warning logged while it was handled.
    pub(crate) fn take(&mut self, mut records: Vec<Record>) -> Vec<Record> {
        self.learn(&records);
        records.retain(|record| self.is_about(record) && self.filters.admit(record));
        records.sort_by_key(Record::time);
        records
    }

    /// Returns the traces of the event, as far as they are known.
    pub(crate) fn traces(&self) -> &BTreeSet<String> {
        &self.traces
    }

    fn learn(&mut self, records: &[Record]) {
        let event = match &self.wanted {
            Some(Wanted::Event(event)) => event.to_string(),
            Some(Wanted::TraceOrEvent(trace, event)) => {
                let trace = trace.to_string();
                self.is_trace |= records.iter().any(|record| record.text("trace_id") == Some(&trace));
                event.to_string()
            }
            _ => return,
        };
        let naming = records.iter().filter(|record| record.mentions(&event));
        self.traces.extend(naming.filter_map(|record| record.text("trace_id").map(str::to_owned)));
    }

    fn is_about(&self, record: &Record) -> bool {
        let in_trace = |id: String| record.text("trace_id") == Some(&id);
        match &self.wanted {
            None => true,
            Some(Wanted::Trace(trace)) => in_trace(trace.to_string()),
            Some(Wanted::TraceOrEvent(trace, _)) if self.is_trace => in_trace(trace.to_string()),
            Some(Wanted::Event(event) | Wanted::TraceOrEvent(_, event)) => {
                record.mentions(&event.to_string())
                    || (record.text("event_id").is_none()
                        && record.text("trace_id").is_some_and(|trace| self.traces.contains(trace)))
            }
            Some(Wanted::Customer(number)) => record.text("customer_number") == Some(number),
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    const TRACE: &str = "1-5759e988-bd862e3fe1be46a994272793";
    const EVENT: &str = "0190b7c4-3c6e-4a50-8d2c-6a9f6a1b2c3d";

    fn record(service: &str, second: u32, fields: &Value) -> Record {
        let mut fields = fields.as_object().unwrap().clone();
        fields.insert("timestamp".to_owned(), format!("2026-11-23T02:34:{second:02}.5Z").into());
        Record { service: service.to_owned(), fields }
    }

    fn records() -> Vec<Record> {
        vec![
            record("email", 4, &json!({"event_id": "other", "correlation_id": EVENT, "trace_id": TRACE})),
            record("ingest", 1, &json!({"event_id": EVENT, "correlation_id": EVENT, "trace_id": TRACE})),
            record("membership", 2, &json!({"message": "slow", "trace_id": TRACE})),
            record(
                "membership",
                3,
                &json!({"event_id": "stranger", "correlation_id": "stranger", "trace_id": TRACE}),
            ),
            record("membership", 3, &json!({"message": "started"})),
        ]
    }

    fn select(records: Vec<Record>, wanted: &Wanted) -> Vec<Record> {
        Selection::new(Some(wanted.clone()), Filters::default()).take(records)
    }

    fn services(records: &[Record]) -> Vec<&str> {
        records.iter().map(|record| record.service.as_str()).collect()
    }

    #[test]
    fn an_event_is_followed_over_all_services() {
        let chosen = select(records(), &EVENT.parse().unwrap());
        assert_eq!(services(&chosen), ["ingest", "membership", "email"]);
    }

    #[test]
    fn a_customer_or_a_message_is_followed_too() {
        let mut records = records();
        records.push(record("email", 5, &json!({"customer_number": "123456789012", "trace_id": "1-a"})));
        let message = "5f0c3b1e-8d2c-4a50-9e6a-6a9f6a1b2c3d";
        records.push(record("notifier", 6, &json!({"message_id": message, "trace_id": "1-b"})));
        assert_eq!(services(&select(records.clone(), &"123456789012".parse().unwrap())), ["email"]);
        assert_eq!(services(&select(records.clone(), &message.parse().unwrap())), ["notifier"]);
        // Without hyphens an event id has the form of a trace id.
        assert_eq!(select(records.clone(), &EVENT.replace('-', "").parse().unwrap()).len(), 3);
        assert_eq!(select(records, &"5759e988bd862e3fe1be46a994272793".parse().unwrap()).len(), 4);
    }

    #[test]
    fn a_trace_takes_every_line_in_it() {
        let chosen = select(records(), &"5759e988bd862e3fe1be46a994272793".parse().unwrap());
        assert_eq!(services(&chosen), ["ingest", "membership", "membership", "email"]);
    }

    #[test]
    fn lines_are_selected_by_what_they_have() {
        let mut all = records();
        all.push(record("email", 9, &json!({"outcome": "retry", "reason": "ses-throttled"})));
        all.push(record("notifier", 8, &json!({"outcome": "retry", "reason": "sns-throttled"})));
        let chosen = |filters| services(&Selection::new(None, filters).take(all.clone())).join(" ");
        let some = |word: &str| vec![word.to_owned()];
        assert_eq!(chosen(Filters { services: some("email"), ..Filters::default() }), "email email");
        assert_eq!(chosen(Filters { outcomes: some("retry"), ..Filters::default() }), "notifier email");
        let reasons = some("ses-throttled");
        assert_eq!(chosen(Filters { outcomes: some("retry"), reasons, ..Filters::default() }), "email");
        let since = "2026-11-23T02:34:08Z".parse().ok();
        assert_eq!(chosen(Filters { since, ..Filters::default() }), "notifier email");
        assert_eq!(
            chosen(Filters { services: some("email"), outcomes: some("sent"), ..Filters::default() }),
            ""
        );
    }

    #[test]
    fn what_comes_later_belongs_to_the_event_by_what_came_before() {
        let mut selection = Selection::new(EVENT.parse().ok(), Filters::default());
        let mut rest = records();
        let ingest = rest.remove(1);
        assert_eq!(services(&selection.take(vec![ingest])), ["ingest"]);
        assert_eq!(services(&selection.take(rest)), ["membership", "email"]);
    }
}
