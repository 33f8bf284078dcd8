//! Moves a message that cannot be handled to the dead-letter queue, with the reason.

use std::collections::HashMap;

use aws_clients::ErrorClass;
use serde_json::{Map, Value, json};
use tracing::Instrument as _;

use crate::conclusion::Problem;
use crate::queue::{AttributeValue, DeadLetter, Message, MessageAttribute, Queue, QueueError};
use crate::shared::Shared;
use crate::trace;

/// The message attribute that explains, as JSON, why a message was dead-lettered:
/// `{"reason", "permanent", "dependency", "detail", "service", "attempts", "trace", "queue", "failed_at"}`, and
/// `attributes_dropped` if some of the message's attributes found no room. `permanent` means that the same message
/// would fail again. A message near SQS's limit has less of it, at least `reason`.
pub const DEAD_LETTER_ATTRIBUTE: &str = "dead_letter";

/// The most message attributes SQS accepts
/// (<https://docs.aws.amazon.com/AWSSimpleQueueService/latest/SQSDeveloperGuide/sqs-message-metadata.html>).
const MAX_ATTRIBUTES: usize = 10;

/// The most bytes of a message with the name, type and value of each attribute
/// (<https://docs.aws.amazon.com/AWSSimpleQueueService/latest/SQSDeveloperGuide/quotas-messages.html>). The trace header
/// does not count, since it is a system attribute
/// (<https://docs.aws.amazon.com/AWSSimpleQueueService/latest/APIReference/API_SendMessage.html>).
const MAX_BYTES: usize = 1024 * 1024;

/// How many bytes of attributes to try after a refusal: a queue may have a lower limit, which a service may not look up.
const ROOM_AFTER_REFUSAL: [usize; 2] = [300, 64];

/// The lengths to which the detail is shortened, in characters.
const DETAIL_LENGTHS: [usize; 4] = [400, 200, 100, 40];

const TYPE: &str = "String";

/// Sends the message to the dead-letter queue; the caller still has to delete it from its own queue. Must be called
/// inside the message's `process` span.
///
/// The body, the native trace header and the message attributes are passed on unchanged, so that a redriven message
/// equals the original. A message without a native header gets the header of the `send` span. If all of it does not
/// fit, the detail is shortened first, then the largest attributes are dropped, then all of the description except the
/// reason.
///
/// # Errors
/// [`QueueError`]; if its class is [`ErrorClass::Rejected`], no form of this message is accepted.
pub(crate) async fn send<Q: Queue, H>(
    shared: &Shared<Q, H>,
    message: &Message,
    problem: &Problem,
    permanent: bool,
) -> Result<(), QueueError> {
    let trace_id = telemetry::context::trace_id_of(&tracing::Span::current()).map(|id| id.to_string());
    let description = [
        ("reason", json!(problem.reason)),
        ("permanent", json!(permanent)),
        ("dependency", json!(problem.dependency)),
        ("detail", json!(problem.detail)),
        ("service", json!(shared.settings.service)),
        ("attempts", json!(message.receive_count)),
        ("trace", json!(trace_id)),
        ("queue", json!(shared.queue.name())),
        ("failed_at", json!(shared.clock.now().to_string())),
    ];
    let description = description.into_iter().map(|(name, value)| (name.to_owned(), value)).collect();
    let span = trace::dead_letter_span(&*shared.queue);
    let sent = async {
        let sent = send_what_fits(&*shared.queue, message, &description).await;
        trace::finish_dead_letter(&span, sent.as_ref().map_err(|error| error.code.as_str()));
        sent
    }
    .instrument(span.clone())
    .await;
    sent.map(drop)
}

async fn send_what_fits<Q: Queue>(
    queue: &Q,
    message: &Message,
    description: &Map<String, Value>,
) -> Result<crate::queue::SentDeadLetter, QueueError> {
    let mut refusal = QueueError::new("SendMessage", "too-large").with_class(ErrorClass::Rejected);
    let room = MAX_BYTES.saturating_sub(message.body.len());
    for room in std::iter::once(room).chain(ROOM_AFTER_REFUSAL.into_iter().filter(|less| *less < room)) {
        let Some((attributes, description)) = fitted(&message.attributes, description, room) else { break };
        let letter = DeadLetter {
            body: message.body.clone(),
            trace_header: message.trace_header.clone().or_else(telemetry::context::current_header),
            attributes,
            description,
        };
        match queue.send_dead_letter(letter).await {
            Err(error) if error.class == ErrorClass::Rejected => refusal = error,
            other => return other,
        }
    }
    Err(refusal)
}

/// Returns as much of the attributes and the description as fits into `room` bytes, or nothing if not even the reason
/// does. The description takes up one of the places SQS allows, and replaces the one from an earlier dead-lettering.
fn fitted(
    attributes: &HashMap<String, MessageAttribute>,
    description: &Map<String, Value>,
    room: usize,
) -> Option<(HashMap<String, MessageAttribute>, String)> {
    let mut kept: Vec<_> = attributes.iter().filter(|(name, _)| *name != DEAD_LETTER_ATTRIBUTE).collect();
    // The smallest first: the fewest are dropped.
    kept.sort_by_key(|(name, attribute)| (attribute.bytes() + name.len(), *name));
    let all = kept.len();
    kept.truncate(MAX_ATTRIBUTES - 1);
    let mut descriptions = shortened(description);
    let mut text = descriptions.next()?;
    loop {
        if all > kept.len() && text.contains_key("detail") {
            text.insert("attributes_dropped".to_owned(), (all - kept.len()).into());
        }
        let json = Value::Object(text.clone()).to_string();
        let bytes = DEAD_LETTER_ATTRIBUTE.len() + TYPE.len() + json.len();
        let others: usize = kept.iter().map(|(name, attribute)| attribute.bytes() + name.len()).sum();
        if bytes + others <= room {
            let kept = kept.into_iter().map(|(name, attribute)| (name.clone(), attribute.clone()));
            return Some((kept.collect(), json));
        }
        if text.get("detail").is_some_and(|detail| !detail.is_null()) || kept.pop().is_none() {
            text = descriptions.next()?;
        }
    }
}

/// Returns the description, then ever shorter ones: with less and less of the detail, without it, with what a person
/// needs to find the log line, and with the reason alone.
fn shortened(description: &Map<String, Value>) -> impl Iterator<Item = Map<String, Value>> {
    let with_detail = |detail: Value| {
        let mut shorter = description.clone();
        shorter.insert("detail".to_owned(), detail);
        shorter
    };
    let only = |fields: &[&str]| {
        let kept = description.iter().filter(|(name, _)| fields.contains(&name.as_str()));
        kept.map(|(name, value)| (name.clone(), value.clone())).collect::<Map<_, _>>()
    };
    let detail = description.get("detail").and_then(Value::as_str).unwrap_or_default();
    let cut = |length| Value::String(detail.chars().take(length).chain(['…']).collect());
    let lengths = DETAIL_LENGTHS.into_iter().filter(|length| *length < detail.chars().count());
    let mut forms = vec![description.clone()];
    forms.extend(lengths.map(|length| with_detail(cut(length))));
    forms.push(with_detail(Value::Null));
    forms.push(only(&["reason", "permanent", "service", "attempts", "trace"]));
    forms.push(only(&["reason", "permanent", "service", "attempts"]));
    forms.push(only(&["reason", "permanent"]));
    forms.push(only(&["reason"]));
    forms.into_iter()
}

impl MessageAttribute {
    /// Returns the bytes of type and value, as SQS counts them.
    fn bytes(&self) -> usize {
        let value = match &self.value {
            AttributeValue::Text(text) => text.len(),
            AttributeValue::Binary(bytes) => bytes.len(),
        };
        self.data_type.len() + value
    }
}

impl DeadLetter {
    /// Returns the body, the trace header and all message attributes, including the description.
    #[must_use]
    pub fn into_parts(self) -> (String, Option<String>, HashMap<String, MessageAttribute>) {
        let mut attributes = self.attributes;
        let value = AttributeValue::Text(self.description);
        attributes
            .insert(DEAD_LETTER_ATTRIBUTE.to_owned(), MessageAttribute { data_type: TYPE.to_owned(), value });
        (self.body, self.trace_header, attributes)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn attribute(bytes: usize) -> MessageAttribute {
        MessageAttribute { data_type: TYPE.to_owned(), value: AttributeValue::Text("x".repeat(bytes)) }
    }

    fn description() -> Map<String, Value> {
        let Value::Object(description) = json!({
            "reason": "malformed-event", "permanent": true, "dependency": null, "detail": "Ä".repeat(500), "service": "email",
            "attempts": 7, "trace": "1-5759e988-bd862e3fe1be46a994272793", "queue": "foostore-local-email",
            "failed_at": "2026-03-01T12:00:00Z",
        }) else {
            unreachable!()
        };
        description
    }

    /// Returns the names of the attributes kept in `room` bytes, and the description.
    fn kept(
        attributes: &HashMap<String, MessageAttribute>,
        room: usize,
    ) -> Option<(Vec<String>, Map<String, Value>)> {
        let (kept, text) = fitted(attributes, &description(), room)?;
        let others: usize = kept.iter().map(|(name, attribute)| name.len() + attribute.bytes()).sum();
        let bytes = DEAD_LETTER_ATTRIBUTE.len() + TYPE.len() + text.len() + others;
        assert!(bytes <= room && kept.len() < MAX_ATTRIBUTES);
        let mut names: Vec<_> = kept.into_keys().collect();
        names.sort();
        Some((names, serde_json::from_str(&text).unwrap()))
    }

    #[test]
    fn never_has_more_attributes_than_sqs_accepts_and_drops_the_largest() {
        for count in 0..=10 {
            let attributes = (0..count).map(|n| (format!("a{n}"), attribute(10 - n))).collect();
            let (names, text) = kept(&attributes, MAX_BYTES).unwrap();
            assert_eq!(names.len(), count.min(9));
            assert_eq!(names.contains(&"a0".to_owned()), (1..10).contains(&count));
            assert_eq!(text.get("attributes_dropped"), (count == 10).then_some(&json!(1)));
            assert_eq!(text["detail"], description()["detail"]);
        }
    }

    #[test]
    fn the_description_of_an_earlier_dead_lettering_is_replaced() {
        let attributes = HashMap::from([(DEAD_LETTER_ATTRIBUTE.to_owned(), attribute(5))]);
        let (names, text) = kept(&attributes, MAX_BYTES).unwrap();
        assert_eq!((names.len(), text.get("attributes_dropped")), (0, None));
    }

    #[test]
    fn the_detail_is_shortened_before_attributes_are_dropped_and_the_reason_stays_to_the_end() {
        let attributes = HashMap::from([
            ("channel".to_owned(), attribute(5)),
            ("small".to_owned(), attribute(50)),
            ("large".to_owned(), attribute(300)),
        ]);
        let mut last = (3, usize::MAX, 9);
        for room in (17 + 28..2_000).rev() {
            let (names, text) = kept(&attributes, room).unwrap();
            let detail = text.get("detail").and_then(Value::as_str).map_or(0, |text| text.chars().count());
            let fields = text.keys().filter(|name| *name != "attributes_dropped").count();
            let now = (names.len(), detail, fields);
            assert!(now.0 <= last.0 && now.1 <= last.1 && now.2 <= last.2, "{room}: {last:?}, then {now:?}");
            assert!(names.len() == 3 || detail == 0, "{room}: attributes go after the detail");
            assert!(names.is_empty() || fields == 9, "{room}: the description goes after the attributes");
            assert_eq!(text["reason"], "malformed-event");
            if names.len() == 2 {
                assert_eq!(
                    (&*names, &text["attributes_dropped"]),
                    (&["channel".into(), "small".into()][..], &json!(1))
                );
            }
            last = now;
        }
        assert_eq!((last.0, last.2), (0, 1));
        assert!(fitted(&attributes, &description(), 17 + 10).is_none());
    }
}
