//! The rules that turn what SES publishes about mails into events of the layer.
//!
//! SES delivers to the account's default bus only
//! ([`EventBridgeDestination`](https://docs.aws.amazon.com/ses/latest/APIReference-V2/API_EventBridgeDestination.html)); the
//! types are listed in
//! [SES events](https://docs.aws.amazon.com/eventbridge/latest/ref/events-ref-ses.html), the details in
//! [event data](https://docs.aws.amazon.com/ses/latest/dg/event-publishing-retrieving-sns-contents.html).

use std::collections::BTreeMap;
use std::fmt::Write as _;

use envelope::mail;
use serde_json::{Map, Value, json};

use crate::MailFeedback;

/// What a rule delivers in place of the event itself: a template, and the JSON paths of its variables
/// ([input transformation](https://docs.aws.amazon.com/eventbridge/latest/userguide/eb-transform-target-input.html)).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Transformer {
    /// The JSON path of each variable.
    pub paths: BTreeMap<String, String>,
    /// The template.
    pub template: String,
}

/// One kind of feedback.
pub(crate) struct Feedback {
    /// The last part of the rule's name.
    pub(crate) name: &'static str,
    /// The type of events in the configuration set's destination.
    pub(crate) event_type: &'static str,
    /// The `detail-type` on the default bus.
    detail_type: &'static str,
    /// `reason` in the event's data.
    reason: &'static str,
}

/// Every kind. A bounce that is not permanent says nothing about the address: the mailbox is full, or its owner is away.
pub(crate) const ALL: [Feedback; 2] = [
    Feedback { name: "bounces", event_type: "BOUNCE", detail_type: "Email Bounced", reason: "bounce" },
    Feedback {
        name: "complaints",
        event_type: "COMPLAINT",
        detail_type: "Email Complaint Received",
        reason: "complaint",
    },
];

/// Matches events about mails that were sent with the configuration set and have every tag.
pub(crate) fn pattern(kind: &Feedback, feedback: &MailFeedback, configuration_set: &str) -> Value {
    let present =
        feedback.tags.iter().chain(&mail::TAGS).map(|tag| ((*tag).to_owned(), json!([{"exists": true}])));
    let mut tags: Map<String, Value> = present.collect();
    tags.insert("ses:configuration-set".to_owned(), json!([configuration_set]));
    let mut detail = json!({"mail": {"tags": tags}});
    if kind.reason == "bounce" {
        detail["bounce"] = json!({"bounceType": ["Permanent"]});
    }
    json!({"source": ["aws.ses"], "detail-type": [kind.detail_type], "detail": detail})
}

/// Turns the event into an envelope, in the chain and the trace of the mail.
///
/// `published_at` says how old the trace is, so it is the time of the mail. SES adds no trace header to its events, and
/// EventBridge none either.
pub(crate) fn transformer(kind: &Feedback, feedback: &MailFeedback) -> Transformer {
    let own = [("id", "$.id"), ("time", "$.time"), ("mailed_at", "$.detail.mail.timestamp")];
    let own = own.into_iter().map(|(name, path)| (name.to_owned(), path.to_owned()));
    let tags = feedback.tags.iter().chain(&mail::TAGS);
    let tags = tags.map(|tag| ((*tag).to_owned(), format!("$.detail.mail.tags.{tag}[0]")));
    let (trace_id, parent_id, sampled) = (mail::TRACE_ID, mail::PARENT_ID, mail::SAMPLED);
    let mut template = format!(
        r#"{{"source":"{}","detail-type":"{}","detail":{{"metadata":{{"event_id":<id>,"occurred_at":<time>,"published_at":<mailed_at>,"schema_version":1,"correlation_id":<{}>,"causation_id":<{}>,"trace":"Root=<{trace_id}>;Parent=<{parent_id}>;Sampled=<{sampled}>"}},"data":{{"reason":"{}","mailed_at":<mailed_at>"#,
        feedback.event.source,
        feedback.event.name,
        mail::CORRELATION_ID,
        mail::EVENT_ID,
        kind.reason,
    );
    for tag in &feedback.tags {
        // Writing to a String cannot fail.
        _ = write!(template, r#","{tag}":<{tag}>"#);
    }
    template.push_str("}}}");
    Transformer { paths: own.chain(tags).collect(), template }
}
