//! What a user asks for, as the condition of a CloudWatch Logs Insights query.
//!
//! Insights discovers the fields of log events in JSON
//! (<https://docs.aws.amazon.com/AmazonCloudWatch/latest/logs/CWL_AnalyzeLogData-discoverable-fields.html>), so the names
//! are those of the log lines. No value needs an escape: ids have their own syntax, and words are checked when they are
//! read.

use std::collections::BTreeSet;

use crate::log_lines::{EVENT_FIELDS, Filters};
use crate::wanted::Wanted;

/// Returns the condition for lines about `wanted` that have what `filters` ask for. Whose line it is, and since when, is
/// not part of it.
pub(super) fn about(wanted: Option<&Wanted>, filters: &Filters) -> String {
    let id = wanted.map(|wanted| match wanted {
        Wanted::Event(event) => names_event(&event.to_string()),
        Wanted::Trace(trace) => equals("trace_id", &trace.to_string()),
        Wanted::TraceOrEvent(trace, event) => {
            format!("({} or {})", equals("trace_id", &trace.to_string()), names_event(&event.to_string()))
        }
        Wanted::Customer(number) => equals("customer_number", number),
    });
    let outcome = one_of("outcome", &filters.outcomes);
    let reason = one_of("reason", &filters.reasons);
    let conditions: Vec<String> = id.into_iter().chain(outcome).chain(reason).collect();
    if conditions.is_empty() {
        // Only log lines: a library that prints writes no JSON.
        return "ispresent(message)".to_owned();
    }
    conditions.join(" and ")
}

/// Returns the condition for lines of traces that name no event.
pub(super) fn beside(traces: &BTreeSet<String>) -> Option<String> {
    let traces = list("trace_id", traces)?;
    Some(format!("{traces} and not ispresent(event_id)"))
}

fn names_event(id: &str) -> String {
    let any: Vec<String> = EVENT_FIELDS.iter().map(|name| equals(name, id)).collect();
    format!("({})", any.join(" or "))
}

fn one_of(name: &str, words: &[String]) -> Option<String> {
    list(name, words)
}

fn list<'a>(name: &str, values: impl IntoIterator<Item = &'a String>) -> Option<String> {
    let values: Vec<String> = values.into_iter().map(|value| format!("\"{value}\"")).collect();
    (!values.is_empty()).then(|| format!("{name} in [{}]", values.join(", ")))
}

fn equals(name: &str, value: &str) -> String {
    format!("{name} = \"{value}\"")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_same_words_as_for_a_local_run() {
        let id = |text: &str| text.parse::<Wanted>().unwrap();
        let event = "0190b7c4-3c6e-4a50-8d2c-6a9f6a1b2c3d";
        let none = Filters::default();
        assert_eq!(
            about(Some(&id(event)), &none),
            format!(
                "(event_id = \"{event}\" or correlation_id = \"{event}\" or causation_id = \"{event}\" or \
                 message_id = \"{event}\")"
            )
        );
        assert_eq!(about(Some(&id("100000000001")), &none), "customer_number = \"100000000001\"");
        let filters = Filters {
            outcomes: vec!["retry".to_owned(), "dead-letter".to_owned()],
            reasons: vec!["ses-throttled".to_owned()],
            ..Filters::default()
        };
        let trace = "1-5759e988-bd862e3fe1be46a994272793";
        assert_eq!(
            about(Some(&id(trace)), &filters),
            format!(
                "trace_id = \"{trace}\" and outcome in [\"retry\", \"dead-letter\"] and reason in [\"ses-throttled\"]"
            )
        );
        assert_eq!(about(None, &none), "ispresent(message)");
    }

    #[test]
    fn lines_beside_an_event_are_those_of_its_traces() {
        assert_eq!(beside(&BTreeSet::new()), None);
        let traces = BTreeSet::from(["1-a".to_owned(), "1-b".to_owned()]);
        assert_eq!(
            beside(&traces).as_deref(),
            Some("trace_id in [\"1-a\", \"1-b\"] and not ispresent(event_id)")
        );
    }
}
