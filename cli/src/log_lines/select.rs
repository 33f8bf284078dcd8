//! Selects the log lines that belong to an event, a trace or a customer.

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
        ["event_id", "correlation_id", "causation_id", "message_id"]
            .iter()
            .any(|name| self.text(name) == Some(event))
    }
}

/// Returns the records that belong to `wanted`, in order of time.
///
/// For an event, these are the lines that name it (as event, correlation, cause or message), and the lines of the same
/// traces that name no event, such as a warning logged while it was handled.
pub(crate) fn select(records: Vec<Record>, wanted: &Wanted) -> Vec<Record> {
    let mut chosen = match wanted {
        Wanted::Trace(id) => with(records, "trace_id", &id.to_string()),
        Wanted::Event(id) => of_event(records, &id.to_string()),
        Wanted::TraceOrEvent(trace, event) => {
            let trace = trace.to_string();
            if records.iter().any(|record| record.text("trace_id") == Some(&trace)) {
                with(records, "trace_id", &trace)
            } else {
                of_event(records, &event.to_string())
            }
        }
        Wanted::Customer(number) => with(records, "customer_number", number),
    };
    chosen.sort_by_key(Record::time);
    chosen
}

fn with(records: Vec<Record>, name: &str, value: &str) -> Vec<Record> {
    records.into_iter().filter(|record| record.text(name) == Some(value)).collect()
}

fn of_event(records: Vec<Record>, id: &str) -> Vec<Record> {
    let traces: BTreeSet<String> = records
        .iter()
        .filter(|record| record.mentions(id))
        .filter_map(|record| record.text("trace_id").map(str::to_owned))
        .collect();
    records
        .into_iter()
        .filter(|record| {
            record.mentions(id)
                || (record.text("event_id").is_none()
                    && record.text("trace_id").is_some_and(|trace| traces.contains(trace)))
        })
        .collect()
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
}
