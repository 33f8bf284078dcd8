//! A message to publish: what is accepted, and what each subscriber reads.

use std::collections::BTreeMap;

use serde::Deserialize;
use serde_json::{Map, Value};

use super::attributes::{Attributes, Input as AttributeInput};
use super::errors::{invalid_parameter, no_value};
use crate::reply::AwsError;

/// Largest size of one message, or of all messages of a batch (AWS General Reference, "Amazon SNS quotas").
pub(super) const MAX_BYTES: usize = 256 * 1024;
/// AWS's documentation says "less than 100", and AWS accepts 100.
const MAX_SUBJECT: usize = 100;
const MAX_FIFO_ID: usize = 128;

/// The members of `Publish` that belong to the message; an entry of a batch has the same.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct Input {
    pub(super) id: Option<String>,
    message: Option<String>,
    subject: Option<String>,
    message_structure: Option<String>,
    #[serde(default)]
    message_attributes: BTreeMap<String, AttributeInput>,
    message_deduplication_id: Option<String>,
    message_group_id: Option<String>,
}

/// A checked message.
#[derive(Clone, Debug)]
pub(super) struct Message {
    /// As it was published; a FIFO topic deduplicates by it.
    pub(super) published: String,
    /// For queues: with the `MessageStructure` `json`, only their part.
    pub(super) text: String,
    pub(super) subject: Option<String>,
    pub(super) attributes: Attributes,
    pub(super) deduplication_id: Option<String>,
    pub(super) group_id: Option<String>,
}

impl Message {
    /// Checks everything but the size and what depends on the topic (SNS API reference, `Publish`).
    pub(super) fn new(input: Input) -> Result<Self, AwsError> {
        let published = input.message.ok_or_else(|| no_value("Message"))?;
        if published.is_empty() {
            return Err(invalid_parameter("Empty message"));
        }
        if let Some(subject) = &input.subject {
            check_subject(subject)?;
        }
        let attributes = Attributes::new(input.message_attributes)?;
        let text = match input.message_structure.as_deref() {
            Some("json") => text_for_queues(&published)?,
            Some(_) => return Err(invalid_parameter("MessageStructure")),
            None => published.clone(),
        };
        check_fifo_id("MessageGroupId", input.message_group_id.as_deref())?;
        check_fifo_id("MessageDeduplicationId", input.message_deduplication_id.as_deref())?;
        Ok(Self {
            published,
            text,
            subject: input.subject,
            attributes,
            deduplication_id: input.message_deduplication_id,
            group_id: input.message_group_id,
        })
    }

    /// Returns a message without subject and attributes, such as an event.
    pub(super) fn plain(text: String) -> Result<Self, AwsError> {
        Self::new(Input {
            id: None,
            message: Some(text),
            subject: None,
            message_structure: None,
            message_attributes: BTreeMap::new(),
            message_deduplication_id: None,
            message_group_id: None,
        })
    }

    /// Returns the size that counts towards [`MAX_BYTES`].
    pub(super) fn bytes(&self) -> usize {
        self.published.len() + self.attributes.bytes()
    }

    pub(super) fn check_size(&self) -> Result<(), AwsError> {
        if self.bytes() > MAX_BYTES { Err(invalid_parameter("Message too long")) } else { Ok(()) }
    }
}

fn check_subject(subject: &str) -> Result<(), AwsError> {
    let fits = (1..=MAX_SUBJECT).contains(&subject.chars().count());
    if fits && !subject.contains(char::is_control) { Ok(()) } else { Err(invalid_parameter("Subject")) }
}

/// Group and deduplication ids consist of alphanumeric and punctuation characters (API reference, `Publish`).
fn check_fifo_id(parameter: &str, id: Option<&str>) -> Result<(), AwsError> {
    let Some(id) = id else { return Ok(()) };
    let fits = (1..=MAX_FIFO_ID).contains(&id.len()) && id.chars().all(|c| c.is_ascii_graphic());
    if fits {
        return Ok(());
    }
    Err(invalid_parameter(format!(
        "{parameter} Reason: The {parameter} parameter can only include alphanumeric and punctuation characters, \
         and must be 1 to {MAX_FIFO_ID} characters long"
    )))
}

/// Returns the part of a structured message that is meant for queues, or the default one. A part that is no string
/// counts as absent.
fn text_for_queues(message: &str) -> Result<String, AwsError> {
    let parts: Map<String, Value> = serde_json::from_str(message)
        .map_err(|_| invalid_parameter("Message Structure - JSON message body failed to parse"))?;
    let part = |name| parts.get(name).and_then(Value::as_str);
    let default = part("default")
        .ok_or_else(|| invalid_parameter("Message Structure - No default entry in JSON message body"))?;
    Ok(part("sqs").unwrap_or(default).to_owned())
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn message(value: Value) -> Result<Message, AwsError> {
        Message::new(serde_json::from_value(value).unwrap())
    }

    fn refusal(value: Value) -> String {
        message(value).unwrap_err().message
    }

    #[test]
    fn a_subject_is_one_line_of_up_to_100_characters() {
        for subject in ["", "a\nb", "a\tb", &"x".repeat(101)] {
            assert_eq!(refusal(json!({"Message": "m", "Subject": subject})), "Invalid parameter: Subject");
        }
        assert!(message(json!({"Message": "m", "Subject": "ä".repeat(100)})).is_ok());
    }

    #[test]
    fn a_structured_message_has_a_default_and_may_have_a_part_for_queues() {
        let structured = |body: &str| message(json!({"Message": body, "MessageStructure": "json"}));
        let refused = |body| structured(body).unwrap_err().message;
        let no_default = "Invalid parameter: Message Structure - No default entry in JSON message body";
        assert_eq!(refused(r#"{"sqs": "x"}"#), no_default);
        assert_eq!(refused(r#"{"default": {"object": "x"}}"#), no_default);
        assert_eq!(
            refused(r#"{"default": "x"} }"#),
            "Invalid parameter: Message Structure - JSON message body failed to parse"
        );
        let text = |body| structured(body).unwrap().text;
        assert_eq!(text(r#"{"default": "d", "sqs": "q"}"#), "q");
        assert_eq!(text(r#"{"default": "d", "sqs": {"a": 1}}"#), "d");
        assert_eq!(text(r#"{"default": "d", "default": "e"}"#), "e");
        let unknown = json!({"Message": "m", "MessageStructure": "xml"});
        assert_eq!(refusal(unknown), "Invalid parameter: MessageStructure");
    }

    #[test]
    fn attributes_count_towards_the_size() {
        let attributes = json!({"attr1": {"DataType": "Number", "StringValue": "1"}});
        let sized = |bytes: usize| {
            message(json!({"Message": "a".repeat(bytes), "MessageAttributes": attributes})).unwrap()
        };
        assert!(sized(MAX_BYTES - 12).check_size().is_ok());
        let too_long = sized(MAX_BYTES - 11).check_size().unwrap_err();
        assert_eq!(too_long.message, "Invalid parameter: Message too long");
    }

    #[test]
    fn an_empty_message_and_malformed_ids_are_refused() {
        assert_eq!(refusal(json!({"Message": ""})), "Invalid parameter: Empty message");
        for id in ["", "a b", &"x".repeat(129), "ä"] {
            assert!(message(json!({"Message": "m", "MessageGroupId": id})).is_err(), "{id}");
        }
    }
}
