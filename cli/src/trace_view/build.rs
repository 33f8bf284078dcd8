//! Builds the table from X-Ray's documents: the name, operation and failure of each.

use telemetry::attributes;
use xray::{Cause, Node, Segment, Trace};

use super::deliveries::{never_finished, text};
use super::next::next;
use super::sheet::{Entry, Mark, Sheet};

/// Converts the trace to a table. `now` is in seconds since the epoch.
pub(super) fn sheet(trace: &Trace, now: f64) -> Sheet {
    let start = trace.start_time().unwrap_or_default();
    // A caller who is traced too knows nothing of the event.
    let about = trace
        .walk()
        .map(|(_, node)| node)
        .find(|node| node.segment().annotations.contains_key(attributes::EVENT_ID));
    let annotations = about.or_else(|| trace.entry()).map(|node| {
        node.segment().annotations.iter().map(|(name, value)| (name.clone(), value.to_string())).collect()
    });
    let entries: Vec<Entry> = trace.walk().map(|(depth, node)| entry(trace, depth, node, now)).collect();
    Sheet {
        id: trace.id().to_string(),
        start,
        end: trace.end_time().unwrap_or(start).max(start),
        count: entries.len(),
        annotations: annotations.unwrap_or_default(),
        entries,
        problems: trace.problems().iter().map(ToString::to_string).collect(),
    }
}

fn entry(trace: &Trace, depth: usize, node: Node<'_>, now: f64) -> Entry {
    let segment = node.segment();
    Entry {
        name: segment.name.clone(),
        operation: operation(segment),
        start: segment.start_time,
        end: segment.end_time.filter(|_| !segment.is_in_progress()),
        note: note(segment).map(|note| {
            [Some(note), next(trace, node, now)].into_iter().flatten().collect::<Vec<_>>().join(", ")
        }),
        mark: never_finished(trace, segment).map(Mark::NeverFinished).or_else(|| mark(segment)),
        depth,
        segment: !node.is_subsegment(),
        links: segment.links.iter().map(|link| link.trace_id.to_string()).collect(),
    }
}

/// Returns how handling a message or request ended, and at which attempt if not at the first.
fn note(segment: &Segment) -> Option<String> {
    let annotation = |name| segment.annotations.get(name).map(ToString::to_string);
    let outcome = annotation(attributes::OUTCOME)?;
    Some(match annotation(attributes::ATTEMPT) {
        Some(attempt) => format!("{outcome}, attempt {attempt}"),
        None => outcome,
    })
}

/// Describes the operation: the AWS call and its resource, the HTTP request, or the message processed.
fn operation(segment: &Segment) -> String {
    if let Some(aws) = &segment.aws
        && let Some(operation) = &aws.operation
    {
        let resource = aws
            .table_name
            .clone()
            .or_else(|| aws.table_names.first().cloned())
            .or_else(|| aws.queue_url.as_ref().and_then(|url| url.rsplit('/').next().map(str::to_owned)));
        return match resource {
            Some(resource) => format!("{operation} {resource}"),
            None => operation.clone(),
        };
    }
    if let Some(destination) = text(segment, "messaging.destination.name") {
        let operation = text(segment, "messaging.operation.name").unwrap_or("process");
        return format!("{operation} {destination}");
    }
    if let Some(request) = segment.http.as_ref().and_then(|http| http.request.as_ref()) {
        let method = request.method.as_deref().unwrap_or("HTTP");
        let path = request.url.as_deref().map(path_of).unwrap_or_default();
        return format!("{method} {path}").trim_end().to_owned();
    }
    String::new()
}

fn path_of(url: &str) -> &str {
    let after = url.split_once("://").map_or(url, |(_, rest)| rest);
    let path = after.find('/').map_or("/", |slash| &after[slash..]);
    path.split(['?', '#']).next().unwrap_or(path)
}

fn mark(segment: &Segment) -> Option<Mark> {
    let reason = || reason(segment);
    if segment.throttle == Some(true) {
        Some(Mark::Throttle(reason()))
    } else if segment.fault == Some(true) {
        Some(Mark::Fault(reason()))
    } else if segment.error == Some(true) {
        Some(Mark::Error(reason()))
    } else {
        None
    }
}

/// Returns the message or type of the first exception, both if a service dead-letters or retries for a reason, else the
/// status of the response.
fn reason(segment: &Segment) -> String {
    let exception = match &segment.cause {
        Some(Cause::Detail(detail)) => detail.exceptions.first(),
        _ => None,
    };
    let said = exception.and_then(|exception| {
        let mut texts = [&exception.kind, &exception.message].map(|text| text.as_deref().unwrap_or_default());
        if !segment.annotations.contains_key(attributes::OUTCOME) || texts[0] == texts[1] {
            texts[0] = "";
        }
        let texts: Vec<&str> = texts.into_iter().filter(|text| !text.is_empty()).collect();
        (!texts.is_empty()).then(|| texts.join(": "))
    });
    let status = || segment.http.as_ref()?.response.as_ref()?.status;
    said.or_else(|| status().map(|status| format!("status {status}"))).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::style::Style;

    const TRACE: &str = "1-5759e988-bd862e3fe1be46a994272793";

    fn drawn(documents: &[&str]) -> String {
        sheet(&Trace::read(TRACE.parse().unwrap(), documents.iter().copied()).unwrap(), 2000.0)
            .draw(Style::PLAIN)
    }

    #[test]
    fn documents_become_lines() {
        let drawn = drawn(&[
            r#"{"name":"ingest","id":"00000000000000a1","trace_id":"1-5759e988-bd862e3fe1be46a994272793",
                "start_time":1000.0,"end_time":1000.02,"annotations":{"event_type":"CustomerRenamed","attempt":2},
                "http":{"request":{"method":"POST","url":"http://127.0.0.1:8080/v1/events?x=1"},
                        "response":{"status":202}},
                "subsegments":[{"name":"EventBridge","id":"00000000000000a2","namespace":"aws",
                    "start_time":1000.001,"end_time":1000.01,"aws":{"operation":"PutEvents"}}]}"#,
            r#"{"name":"membership","id":"00000000000000b1","parent_id":"00000000000000a2",
                "trace_id":"1-5759e988-bd862e3fe1be46a994272793","start_time":1000.05,"end_time":1000.1,"fault":true,
                "metadata":{"default":{"messaging.operation.name":"process",
                                       "messaging.destination.name":"foostore-local-membership"}},
                "cause":{"exceptions":[{"message":"dynamodb-throttled","type":"Transient"}]}}"#,
            r#"{"name":"DynamoDB","id":"00000000000000b2","parent_id":"00000000000000b1","type":"subsegment",
                "trace_id":"1-5759e988-bd862e3fe1be46a994272793","start_time":1000.06,"end_time":1000.09,
                "namespace":"aws","throttle":true,"error":true,"http":{"response":{"status":429}},
                "aws":{"operation":"TransactWriteItems","table_name":"foostore-local-members"}}"#,
        ]);
        assert_eq!(
            drawn,
            "\
trace 1-5759e988-bd862e3fe1be46a994272793  100 ms  4 segments  attempt=2  event_type=CustomerRenamed

ingest             POST /v1/events                              0.0 ms     20 ms  ██████
└─ EventBridge     PutEvents                                    1.0 ms    9.0 ms  ███
   └─ membership   process foostore-local-membership             50 ms     50 ms                 ███████████████  fault: dynamodb-throttled
      └─ DynamoDB  TransactWriteItems foostore-local-members     60 ms     30 ms                    █████████     throttled: status 429
",
            "\n{drawn}"
        );
    }

    #[test]
    fn outcomes_are_shown_and_the_heading_is_about_the_event() {
        let drawn = drawn(&[
            r#"{"name":"crm","id":"00000000000000a1","trace_id":"1-5759e988-bd862e3fe1be46a994272793",
                "start_time":1000.0,"end_time":1000.2,"annotations":{"tenant":"x"}}"#,
            r#"{"name":"email","id":"00000000000000b1","parent_id":"00000000000000a1",
                "trace_id":"1-5759e988-bd862e3fe1be46a994272793","start_time":1000.1,"end_time":1000.2,
                "annotations":{"event_id":"e-1","outcome":"retry","attempt":2}}"#,
        ]);
        assert!(drawn.lines().next().unwrap().contains("event_id=e-1"), "{drawn}");
        assert!(drawn.contains("█  retry, attempt 2\n"), "{drawn}");
    }

    #[test]
    fn a_delivery_whose_process_was_killed_never_finished() {
        let segment = |id: u8, times: &str, more: &str| {
            format!(
                r#"{{"name":"membership","id":"00000000000000b{id}","parent_id":"00000000000000a1",
                    "trace_id":"1-5759e988-bd862e3fe1be46a994272793",{times},
                    "metadata":{{"default":{{"messaging.message.id":"m-1"}}}},"annotations":{{{more}}}}}"#
            )
        };
        let ingest = r#"{"name":"ingest","id":"00000000000000a1","start_time":1000.0,"end_time":1000.1,
            "trace_id":"1-5759e988-bd862e3fe1be46a994272793"}"#;
        let first = segment(1, r#""start_time":1000.2,"in_progress":true"#, "");
        let second = segment(2, r#""start_time":1030.2,"in_progress":true"#, r#""attempt":2"#);
        let third =
            segment(3, r#""start_time":1060.2,"end_time":1060.3"#, r#""attempt":3,"outcome":"applied""#);

        let documents = [ingest, first.as_str(), second.as_str()];
        let growing = Trace::read(TRACE.parse().unwrap(), documents).unwrap();
        assert!(!crate::trace_view::is_closed(&growing));
        let text = sheet(&growing, 2000.0).draw(Style::PLAIN);
        assert!(text.contains("attempt 1, never finished") && text.contains("in progress"), "{text}");

        let documents = [ingest, first.as_str(), second.as_str(), third.as_str()];
        let ended = Trace::read(TRACE.parse().unwrap(), documents).unwrap();
        assert!(crate::trace_view::is_closed(&ended));
        let text = sheet(&ended, 2000.0).draw(Style::PLAIN);
        let lines: Vec<_> = text.lines().filter(|line| line.contains("membership")).collect();
        assert!(lines[0].ends_with("attempt 1, never finished"), "{text}");
        assert!(lines[1].ends_with("attempt 2, never finished"), "{text}");
        assert!(lines[2].ends_with("applied, attempt 3"), "{text}");
    }

    #[test]
    fn an_orphan_is_named() {
        let drawn = drawn(&[
            r#"{"name":"ingest","id":"00000000000000a1","trace_id":"1-5759e988-bd862e3fe1be46a994272793",
                "start_time":1000.0,"in_progress":true}"#,
            r#"{"name":"email","id":"00000000000000b1","parent_id":"00000000000000ff",
                "trace_id":"1-5759e988-bd862e3fe1be46a994272793","start_time":1000.5,"end_time":1001.0}"#,
        ]);
        assert!(drawn.contains("in progress"), "{drawn}");
        assert!(drawn.contains("! segment 00000000000000b1 has the parent 00000000000000ff"), "{drawn}");
    }

    #[test]
    fn paths_are_what_follows_the_host() {
        assert_eq!(path_of("https://host:1/a/b?c#d"), "/a/b");
        assert_eq!(path_of("http://host"), "/");
        assert_eq!(path_of("/a"), "/a");
    }
}
