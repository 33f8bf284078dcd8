//! Reading the body of an SQS message.

use std::borrow::Cow;
use std::collections::HashMap;

use serde::Deserialize;
use serde::de::IgnoredAny;
use serde_json::value::RawValue;
use thiserror::Error;

use crate::{Envelope, Metadata};

/// The longest customer number, in characters.
const LONGEST_IDENTIFIER: usize = 64;

/// A received envelope.
#[derive(Debug, Clone)]
pub struct Received {
    /// The event.
    pub envelope: Envelope,
    /// The name of the EventBridge replay that sent the event again, if one did
    /// ([`replay-name`](https://docs.aws.amazon.com/eventbridge/latest/userguide/eb-replay-archived-event.html)).
    pub replay_name: Option<String>,
    /// The attributes in the SNS envelope around the message, if there is one: a producer that knows no other carrier puts
    /// its trace context there.
    pub attributes: HashMap<String, String>,
}

impl Received {
    /// Returns whether the event is on its way again, by a replay of EventBridge or from an archive of this layer.
    #[must_use]
    pub fn is_replayed(&self) -> bool {
        self.replay_name.is_some() || self.envelope.metadata.replayed
    }
}

/// A body that is not an event. Messages name the place and never quote a value.
#[derive(Debug, Error, PartialEq, Eq)]
pub enum ReadError {
    /// Not JSON at all.
    #[error("body is not JSON: line {line}, column {column}")]
    NotJson {
        /// Line of the first fault, from one.
        line: usize,
        /// Column of the first fault, from one.
        column: usize,
    },
    /// JSON, but not an event.
    #[error("body is not an event: {path} is missing or has another shape")]
    NotAnEvent {
        /// The path of the first place that is wrong, such as `detail.metadata.event_id`.
        path: String,
    },
    /// The data is neither an object nor a string that holds one.
    #[error("detail.data is neither a JSON object nor a string that holds one")]
    Data,
}

/// An SNS envelope; another form has none of its fields.
#[derive(Deserialize)]
struct Outer<'a> {
    #[serde(rename = "Type", borrow, default)]
    kind: Option<Cow<'a, str>>,
    #[serde(rename = "Message", borrow, default)]
    message: Option<Cow<'a, str>>,
    #[serde(rename = "MessageAttributes", borrow, default)]
    attributes: Option<&'a RawValue>,
}

/// An attribute in an SNS envelope
/// ([format](https://docs.aws.amazon.com/sns/latest/dg/sns-message-and-json-formats.html)).
#[derive(Deserialize)]
struct Attribute {
    #[serde(rename = "Value")]
    value: String,
}

#[derive(Deserialize)]
struct Message<'a> {
    /// What an SNS envelope has and an event has not.
    #[serde(rename = "Type", default)]
    kind: Option<IgnoredAny>,
    source: String,
    #[serde(rename = "detail-type")]
    detail_type: String,
    #[serde(rename = "replay-name", default)]
    replay_name: Option<String>,
    #[serde(borrow)]
    detail: Detail<'a>,
}

#[derive(Deserialize)]
struct Detail<'a> {
    metadata: Metadata,
    #[serde(borrow)]
    data: &'a RawValue,
}

impl Envelope {
    /// Reads the body of an SQS message: an EventBridge event, an SNS envelope around a message, or
    /// the message itself. `data` may be an object, or a string that holds one (a Pipe does not decode
    /// a DynamoDB string that holds JSON).
    ///
    /// # Errors
    /// [`ReadError`] if the body is none of these. It names the place, never a value.
    pub fn read(body: &str) -> Result<Received, ReadError> {
        // Nearly every body is the event itself.
        if let Ok(message @ Message { kind: None, .. }) = serde_json::from_str::<Message<'_>>(body) {
            return message.received();
        }
        let outer: Outer<'_> = parse(body)?;
        match (outer.kind.as_deref(), outer.message) {
            (Some("Notification"), Some(message)) => {
                Ok(Received { attributes: attributes(outer.attributes), ..read_message(&message)? })
            }
            _ => read_message(body),
        }
    }
}

fn read_message(body: &str) -> Result<Received, ReadError> {
    parse::<Message<'_>>(body)?.received()
}

impl Message<'_> {
    fn received(self) -> Result<Received, ReadError> {
        let data = object(self.detail.data)?;
        Ok(Received {
            envelope: Envelope {
                source: self.source,
                event_type: self.detail_type,
                customer_number: customer_number(&data),
                metadata: self.detail.metadata,
                data,
            },
            replay_name: self.replay_name,
            attributes: HashMap::new(),
        })
    }
}

/// Returns the attributes of an SNS envelope. They are not part of the event, so unreadable ones count as absent.
fn attributes(given: Option<&RawValue>) -> HashMap<String, String> {
    let read = |given: &RawValue| serde_json::from_str::<HashMap<String, Attribute>>(given.get()).ok();
    let attributes = given.and_then(read).unwrap_or_default();
    attributes.into_iter().map(|(name, attribute)| (name, attribute.value)).collect()
}

/// Reads a body. Keeping track of the path takes as long as reading does, so it is left to a second attempt at what is wrong.
fn parse<'a, T: Deserialize<'a>>(body: &'a str) -> Result<T, ReadError> {
    if let Ok(read) = serde_json::from_str(body) {
        return Ok(read);
    }
    let mut deserializer = serde_json::Deserializer::from_str(body);
    serde_path_to_error::deserialize(&mut deserializer).map_err(|error| {
        let inner = error.inner();
        if inner.is_data() {
            ReadError::NotAnEvent { path: error.path().to_string() }
        } else {
            ReadError::NotJson { line: inner.line(), column: inner.column() }
        }
    })
}

fn object(data: &RawValue) -> Result<Box<RawValue>, ReadError> {
    let text = data.get().trim_start();
    let data = if text.starts_with('"') {
        let inner: String = serde_json::from_str(text).map_err(|_| ReadError::Data)?;
        RawValue::from_string(inner).map_err(|_| ReadError::Data)?
    } else {
        data.to_owned()
    };
    if data.get().trim_start().starts_with('{') { Ok(data) } else { Err(ReadError::Data) }
}

fn customer_number(data: &RawValue) -> Option<String> {
    #[derive(Deserialize)]
    struct About<'a> {
        #[serde(borrow)]
        customer_number: Cow<'a, str>,
    }
    let about: About<'_> = serde_json::from_str(data.get()).ok()?;
    Some(about.customer_number).filter(|number| is_identifier(number)).map(Cow::into_owned)
}

/// Tells an identifier from personal data in the wrong field, which must not reach telemetry: a name has no digit, an
/// address has an `@`. What an identifier looks like in one domain is for its event types to check.
fn is_identifier(text: &str) -> bool {
    (1..=LONGEST_IDENTIFIER).contains(&text.len())
        && text.bytes().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_'))
        && text.bytes().any(|byte| byte.is_ascii_digit())
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};
    use uuid::Uuid;

    use super::*;

    fn event(data: &Value) -> Value {
        let id = Uuid::from_u128(7);
        json!({
            "version": "0", "id": "6a7e8feb-b491-4cf7-a9f1-bf3703467718", "account": "000000000000",
            "time": "2026-03-01T12:00:00Z", "region": "eu-central-1", "resources": [],
            "source": "foostore.crm", "detail-type": "CustomerErased",
            "detail": {
                "metadata": {
                    "event_id": id, "occurred_at": "2026-03-01T12:00:00Z", "published_at": "2026-03-01T12:00:01Z",
                    "schema_version": 1, "correlation_id": id, "trace": "Root=1-5759e988-bd862e3fe1be46a994272793"
                },
                "data": data
            }
        })
    }

    #[test]
    fn reads_an_eventbridge_event() {
        let received =
            Envelope::read(&event(&json!({"customer_number": "123456789012"})).to_string()).unwrap();
        assert_eq!(received.envelope.event_type, "CustomerErased");
        assert_eq!(received.envelope.source, "foostore.crm");
        assert_eq!(received.envelope.customer_number.as_deref(), Some("123456789012"));
        assert_eq!(received.replay_name, None);
    }

    #[test]
    fn reads_data_that_a_pipe_left_as_a_string() {
        let body = event(&json!(r#"{"customer_number": "123456789012"}"#)).to_string();
        let received = Envelope::read(&body).unwrap();
        assert_eq!(received.envelope.data.get(), r#"{"customer_number": "123456789012"}"#);
        assert_eq!(received.envelope.customer_number.as_deref(), Some("123456789012"));
    }

    #[test]
    fn reads_an_sns_envelope_and_raw_delivery() {
        let sent = Envelope::read(&event(&json!({"n": 1})).to_string()).unwrap().envelope;
        let wrapped =
            json!({"Type": "Notification", "MessageId": "m", "Message": sent.message()}).to_string();
        for body in [wrapped, sent.message()] {
            let received = Envelope::read(&body).unwrap().envelope;
            assert_eq!(received.metadata, sent.metadata);
            assert_eq!(received.data.get(), r#"{"n":1}"#);
            assert_eq!(received.customer_number, None);
        }
    }

    #[test]
    fn an_sns_envelope_is_opened_whatever_else_it_has() {
        let sent = Envelope::read(&event(&json!({"n": 1})).to_string()).unwrap().envelope;
        let mut both = event(&json!({"n": 2}));
        both["Type"] = json!("Notification");
        both["Message"] = json!(sent.message());
        assert_eq!(Envelope::read(&both.to_string()).unwrap().envelope.data.get(), r#"{"n":1}"#);
        both["Type"] = json!("SubscriptionConfirmation");
        assert_eq!(Envelope::read(&both.to_string()).unwrap().envelope.data.get(), r#"{"n":2}"#);
    }

    #[test]
    fn unreadable_attributes_of_an_sns_envelope_do_not_cost_the_event() {
        let sent = Envelope::read(&event(&json!({"n": 1})).to_string()).unwrap().envelope;
        let read = |attributes: Value| {
            let wrapped =
                json!({"Type": "Notification", "Message": sent.message(), "MessageAttributes": attributes});
            Envelope::read(&wrapped.to_string()).unwrap().attributes
        };
        let good = json!({"traceparent": {"Type": "String", "Value": "00"}});
        assert_eq!(read(good), [("traceparent".to_owned(), "00".to_owned())].into());
        for other in [json!(null), json!([]), json!({"a": {"Value": 1}}), json!({"a": 1})] {
            assert!(read(other).is_empty());
        }
    }

    #[test]
    fn takes_identifiers_of_any_domain_and_no_personal_data() {
        let read = |number: &str| {
            let body = event(&json!({"customer_number": number})).to_string();
            Envelope::read(&body).unwrap().envelope.customer_number
        };
        for right in ["123456789012", "C-7", "de_00042", "2f0c1d43-7f0f-5a0e-9a4c-0c6b6f0b1c11"] {
            assert_eq!(read(right).as_deref(), Some(right));
        }
        for wrong in
            ["", "Mustermann", "Ada Lovelace 2", "ada1@example.com", "+49 30 1234", "１２３", &"1".repeat(65)]
        {
            assert_eq!(read(wrong), None, "{wrong}");
        }
    }

    #[test]
    fn keeps_the_name_of_a_replay() {
        let mut body = event(&json!({}));
        body["replay-name"] = json!("again");
        assert_eq!(Envelope::read(&body.to_string()).unwrap().replay_name.as_deref(), Some("again"));
    }

    #[test]
    fn names_the_place_and_never_the_value() {
        assert_eq!(Envelope::read("{\"a\": secret").unwrap_err(), ReadError::NotJson { line: 1, column: 7 });
        assert_eq!(Envelope::read("[]").unwrap_err(), ReadError::NotAnEvent { path: ".".into() });
        let mut body = event(&json!({}));
        body["detail"]["metadata"]["event_id"] = json!("Mustermann");
        let error = Envelope::read(&body.to_string()).unwrap_err();
        assert_eq!(error, ReadError::NotAnEvent { path: "detail.metadata.event_id".into() });
        for data in [json!(null), json!(3), json!([]), json!("Mustermann"), json!("[1]")] {
            assert_eq!(Envelope::read(&event(&data).to_string()).unwrap_err(), ReadError::Data);
        }
    }
}
