//! Moves a message that cannot be handled to the dead-letter queue, with the reason.

use std::collections::HashMap;

use serde_json::json;
use tracing::Instrument as _;

use crate::conclusion::Problem;
use crate::queue::{AttributeValue, DeadLetter, Message, MessageAttribute, Queue, QueueError};
use crate::shared::Shared;
use crate::trace;

/// The message attribute that explains, as JSON, why a message was dead-lettered:
/// `{"reason", "permanent", "dependency", "detail", "service", "attempts", "trace", "queue", "failed_at"}`. `permanent`
/// means that the same message would fail again.
pub const DEAD_LETTER_ATTRIBUTE: &str = "dead_letter";

/// The most message attributes SQS accepts.
const MAX_ATTRIBUTES: usize = 10;

/// Sends the message to the dead-letter queue; the caller still has to delete it from its own queue. Must be called
/// inside the message's `process` span.
///
/// The body, the native trace header and the message attributes are passed on unchanged, so that a redriven message
/// equals the original. A message without a native header gets the header of the `send` span.
pub(crate) async fn send<Q: Queue, H>(
    shared: &Shared<Q, H>,
    message: Message,
    problem: &Problem,
    permanent: bool,
) -> Result<(), QueueError> {
    let trace_id = telemetry::context::trace_id_of(&tracing::Span::current()).map(|id| id.to_string());
    let description = json!({
        "reason": problem.reason,
        "permanent": permanent,
        "dependency": problem.dependency,
        "detail": problem.detail,
        "service": shared.settings.service,
        "attempts": message.receive_count,
        "trace": trace_id,
        "queue": shared.queue.name(),
        "failed_at": shared.clock.now().to_string(),
    });
    let span = trace::dead_letter_span(&*shared.queue);
    let sent = async {
        let letter = DeadLetter {
            body: message.body,
            trace_header: message.trace_header.or_else(telemetry::context::current_header),
            attributes: kept(message.attributes),
            description: description.to_string(),
        };
        let sent = shared.queue.send_dead_letter(letter).await;
        trace::finish_dead_letter(&span, sent.as_ref().map_err(|error| error.code.as_str()));
        sent
    }
    .instrument(span.clone())
    .await;
    sent.map(drop)
}

/// Returns the attributes to pass on. The description takes up one of the places SQS allows, and replaces the one from
/// an earlier dead-lettering.
fn kept(mut attributes: HashMap<String, MessageAttribute>) -> HashMap<String, MessageAttribute> {
    attributes.remove(DEAD_LETTER_ATTRIBUTE);
    if attributes.len() >= MAX_ATTRIBUTES {
        let mut names: Vec<_> = attributes.keys().cloned().collect();
        names.sort_unstable();
        for name in names.drain(MAX_ATTRIBUTES - 1..) {
            attributes.remove(&name);
        }
    }
    attributes
}

impl DeadLetter {
    /// Returns the body, the trace header and all message attributes, including the description.
    #[must_use]
    pub fn into_parts(self) -> (String, Option<String>, HashMap<String, MessageAttribute>) {
        let mut attributes = self.attributes;
        let value = AttributeValue::Text(self.description);
        attributes.insert(
            DEAD_LETTER_ATTRIBUTE.to_owned(),
            MessageAttribute { data_type: "String".to_owned(), value },
        );
        (self.body, self.trace_header, attributes)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn never_has_more_attributes_than_sqs_accepts() {
        let attribute =
            || MessageAttribute { data_type: "String".to_owned(), value: AttributeValue::Text("x".into()) };
        for count in 0..=10 {
            let attributes: HashMap<_, _> = (0..count).map(|n| (format!("a{n:02}"), attribute())).collect();
            let letter = DeadLetter {
                body: "{}".to_owned(),
                trace_header: None,
                attributes: kept(attributes),
                description: "{}".to_owned(),
            };
            let (_, _, all) = letter.into_parts();
            assert_eq!(all.len(), (count + 1).min(10));
            assert!(all.contains_key(DEAD_LETTER_ATTRIBUTE));
        }
    }
}
