//! Puts a marker with an announcement into the outbox, and looks at the event that leaves the Pipe.

use std::collections::HashMap;

use ::xray::TraceHeader;
use aws_sdk_dynamodb::Client;
use aws_sdk_dynamodb::types::AttributeValue;
use aws_sdk_sqs::types::Message;
use envelope::{Envelope, Metadata};
use idempotency::outbox;
use jiff::Timestamp;
use serde_json::Value;
use uuid::Uuid;

use super::super::assumptions::{PIPE_DATA_STRING, PIPE_EVENT, PIPE_HEADER};
use super::super::bench::{Bench, mark};
use super::super::finding::{Finding, Verdict};
use super::super::inbox;
use super::super::scratch::{PIPE, TABLE, ThroughPipe};
use super::header;
use crate::aws_failure::failed;

const NAMES: [&str; 3] = [PIPE_DATA_STRING, PIPE_EVENT, PIPE_HEADER];

pub(super) async fn check(bench: &Bench) -> Vec<Finding> {
    let none = |why: &str| NAMES.map(|name| Finding::inconclusive(name, why)).to_vec();
    match arrived(bench).await {
        Err(error) => none(&format!("{error:#}")),
        Ok(Arrived { message: None, given_up, .. }) => none(&format!(
            "{}; messages on its dead-letter queue: {given_up}",
            bench.too_late("no event left the Pipe")
        )),
        Ok(Arrived { message: Some(message), sent, header, .. }) => {
            let body = message.body().unwrap_or_default();
            vec![data(body), event(body, &sent), carrier(&header, inbox::header(&message))]
        }
    }
}

struct Arrived {
    message: Option<Message>,
    sent: Envelope,
    /// The header of the call that wrote the item.
    header: TraceHeader,
    given_up: String,
}

async fn arrived(bench: &Bench) -> anyhow::Result<Arrived> {
    let (mark, header) = (mark(), header::any());
    let now = Timestamp::now();
    // Without a cause, so that an empty attribute passes through the template too.
    let metadata =
        Metadata { trace: Some(header::any().to_string()), ..Metadata::first(Uuid::new_v4(), now, now) };
    let sent = Envelope::new(metadata, &ThroughPipe { mark: mark.clone() })?;
    let on_request = header.clone();
    Client::new(&bench.place.config)
        .put_item()
        .table_name(bench.physical(TABLE))
        .set_item(Some(marker(&sent, now)))
        .customize()
        .mutate_request(move |request| header::put_on(request, &on_request))
        .send()
        .await
        .map_err(|error| failed("PutItem", error))?;
    let inbox = bench.inbox(PIPE).await?;
    let message = inbox.take(&[&mark], bench.wait).await?.remove(mark.as_str());
    let given_up = match message {
        Some(_) => String::new(),
        None => bench.inbox(&format!("{TABLE}-outbox-dead-letter")).await?.depth().await?,
    };
    Ok(Arrived { message, sent, header, given_up })
}

/// Returns a marker that announces `event`, as a service writes it.
fn marker(event: &Envelope, now: Timestamp) -> HashMap<String, AttributeValue> {
    let mut marker = outbox::item(event, now);
    let key = outbox::marker_key(TABLE, Uuid::new_v4());
    marker.insert(envelope::outbox::PARTITION_KEY.to_owned(), AttributeValue::S(key));
    marker
}

fn data(body: &str) -> Finding {
    let body: Value = serde_json::from_str(body).unwrap_or_default();
    match &body["detail"]["data"] {
        Value::String(_) => Finding::holds(PIPE_DATA_STRING, "data is a string that holds JSON"),
        Value::Object(_) => Finding::does_not_hold(PIPE_DATA_STRING, "data is an object"),
        _ => Finding::does_not_hold(PIPE_DATA_STRING, "data is neither a string nor an object"),
    }
}

fn event(body: &str, sent: &Envelope) -> Finding {
    let read = match Envelope::read(body) {
        Ok(received) => received.envelope,
        Err(error) => return Finding::does_not_hold(PIPE_EVENT, error.to_string()),
    };
    let parts = [
        ("source", read.source == sent.source),
        ("detail-type", read.event_type == sent.event_type),
        ("metadata", read.metadata == sent.metadata),
        ("data", read.data.get() == sent.data.get()),
    ];
    let other: Vec<_> = parts.iter().filter(|(_, same)| !same).map(|(name, _)| *name).collect();
    if other.is_empty() {
        Finding::holds(PIPE_EVENT, "source, detail-type, metadata and data are unchanged")
    } else {
        Finding::does_not_hold(PIPE_EVENT, format!("changed: {}", other.join(", ")))
    }
}

fn carrier(written_with: &TraceHeader, arrived: Option<&str>) -> Finding {
    let carried = header::carried(written_with, arrived);
    Finding::new(PIPE_HEADER, Verdict::of(!carried.same_root), carried.seen)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn sent() -> Envelope {
        let at = "2026-03-01T12:00:00Z".parse().unwrap();
        let metadata = Metadata::first(Uuid::from_u128(7), at, at);
        Envelope::new(metadata, &ThroughPipe { mark: "x".into() }).unwrap()
    }

    fn body(data: &Value) -> String {
        let mut detail: Value = serde_json::from_str(&sent().detail()).unwrap();
        detail["data"] = data.clone();
        json!({"source": sent().source, "detail-type": sent().event_type, "detail": detail}).to_string()
    }

    #[test]
    fn data_may_come_either_way_and_is_told_apart() {
        let (string, object) = (body(&json!("{\"mark\":\"x\"}")), body(&json!({"mark": "x"})));
        assert_eq!(data(&string).verdict, Verdict::Holds);
        assert_eq!(data(&object).verdict, Verdict::DoesNotHold);
        assert_eq!(event(&string, &sent()).verdict, Verdict::Holds);
        assert_eq!(event(&object, &sent()).verdict, Verdict::Holds);
    }

    #[test]
    fn a_part_that_changed_is_named() {
        let finding = event(&body(&json!({"mark": "y"})), &sent());
        assert_eq!(finding, Finding::does_not_hold(PIPE_EVENT, "changed: data"));
        assert_eq!(event("{}", &sent()).verdict, Verdict::DoesNotHold);
    }

    #[test]
    fn only_the_same_trace_was_handed_on() {
        let header = header::any();
        assert_eq!(carrier(&header, None).verdict, Verdict::Holds);
        assert_eq!(carrier(&header, Some(&header::any().to_string())).verdict, Verdict::Holds);
        assert_eq!(carrier(&header, Some(&header.to_string())).verdict, Verdict::DoesNotHold);
    }
}
