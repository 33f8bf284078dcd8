//! The JSON document that a queue receives unless its subscription delivers raw messages.

use std::fmt::Write as _;

use super::message::Message;

/// What the envelope contains besides the message.
#[derive(Debug)]
pub(super) struct Envelope<'a> {
    pub(super) message_id: &'a str,
    /// Of a FIFO topic's message.
    pub(super) sequence_number: Option<&'a str>,
    pub(super) topic_arn: &'a str,
    pub(super) subscription_arn: &'a str,
    /// `1` or `2`.
    pub(super) signature_version: &'a str,
    /// In RFC 3339, with milliseconds.
    pub(super) timestamp: &'a str,
    /// Where this cloud is reached, such as `http://127.0.0.1:4566`.
    pub(super) endpoint: &'a str,
}

/// Messages are not signed: no subscriber could verify a key of this cloud.
const SIGNATURE: &str = "bm90IHNpZ25lZCBieSB0aGUgbG9jYWwgY2xvdWQ=";

impl Envelope<'_> {
    /// Writes the envelope with AWS's members, in AWS's order and layout. Messages of FIFO topics have no signature.
    pub(super) fn to_json(&self, message: &Message) -> String {
        let mut members = vec![("Type", quoted("Notification")), ("MessageId", quoted(self.message_id))];
        if let Some(number) = self.sequence_number {
            members.push(("SequenceNumber", quoted(number)));
        }
        members.push(("TopicArn", quoted(self.topic_arn)));
        if let Some(subject) = &message.subject {
            members.push(("Subject", quoted(subject)));
        }
        members.push(("Message", quoted(&message.text)));
        members.push(("Timestamp", quoted(self.timestamp)));
        if self.sequence_number.is_none() {
            members.push(("SignatureVersion", quoted(self.signature_version)));
            members.push(("Signature", quoted(SIGNATURE)));
            members.push(("SigningCertURL", quoted(&self.certificate_url())));
        }
        let unsubscribe =
            format!("{}/?Action=Unsubscribe&SubscriptionArn={}", self.endpoint, self.subscription_arn);
        members.push(("UnsubscribeURL", quoted(&unsubscribe)));
        if !message.attributes.is_empty() {
            members.push(("MessageAttributes", attributes(message)));
        }
        object(&members, "")
    }

    fn certificate_url(&self) -> String {
        format!("{}/SimpleNotificationService-00000000000000000000000000000000.pem", self.endpoint)
    }
}

fn attributes(message: &Message) -> String {
    let mut text = "{".to_owned();
    for (index, (name, attribute)) in message.attributes.iter().enumerate() {
        let separator = if index == 0 { "" } else { "," };
        let (data_type, value) = (quoted(&attribute.data_type), quoted(attribute.text()));
        // Writing to a string cannot fail.
        write!(text, "{separator}\n    {} : {{\"Type\":{data_type},\"Value\":{value}}}", quoted(name)).ok();
    }
    text.push_str("\n  }");
    text
}

fn object(members: &[(&str, String)], indent: &str) -> String {
    let lines: Vec<_> =
        members.iter().map(|(name, value)| format!("{indent}  {} : {value}", quoted(name))).collect();
    format!("{{\n{}\n{indent}}}", lines.join(",\n"))
}

fn quoted(text: &str) -> String {
    serde_json::Value::from(text).to_string()
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    fn message(value: Value) -> Message {
        Message::new(serde_json::from_value(value).unwrap()).unwrap()
    }

    fn envelope(sequence_number: Option<&str>, message: &Message) -> String {
        Envelope {
            message_id: "id",
            sequence_number,
            topic_arn: "arn:t",
            subscription_arn: "arn:t:s",
            signature_version: "1",
            timestamp: "2026-11-26T03:00:00.000Z",
            endpoint: "http://127.0.0.1:4566",
        }
        .to_json(message)
    }

    #[test]
    fn members_are_in_awss_order_and_layout() {
        let message = message(json!({"Message": "a\"ö\n", "Subject": "s", "MessageAttributes": {
            "n": {"DataType": "Number", "StringValue": "1"},
            "b": {"DataType": "Binary", "BinaryValue": "AQI="},
        }}));
        let text = envelope(None, &message);
        let expected = r#"{
  "Type" : "Notification",
  "MessageId" : "id",
  "TopicArn" : "arn:t",
  "Subject" : "s",
  "Message" : "a\"ö\n",
  "Timestamp" : "2026-11-26T03:00:00.000Z",
  "SignatureVersion" : "1",
  "Signature" : "bm90IHNpZ25lZCBieSB0aGUgbG9jYWwgY2xvdWQ=",
  "SigningCertURL" : "http://127.0.0.1:4566/SimpleNotificationService-00000000000000000000000000000000.pem",
  "UnsubscribeURL" : "http://127.0.0.1:4566/?Action=Unsubscribe&SubscriptionArn=arn:t:s",
  "MessageAttributes" : {
    "b" : {"Type":"Binary","Value":"AQI="},
    "n" : {"Type":"Number","Value":"1"}
  }
}"#;
        assert_eq!(text, expected);
        assert!(serde_json::from_str::<Value>(&text).is_ok());
    }

    #[test]
    fn a_fifo_topics_message_has_a_number_and_no_signature() {
        let text = envelope(Some("10000000000000000001"), &message(json!({"Message": "m"})));
        let members: Value = serde_json::from_str(&text).unwrap();
        assert_eq!(members["SequenceNumber"], "10000000000000000001");
        for absent in ["SignatureVersion", "Signature", "SigningCertURL", "Subject", "MessageAttributes"] {
            assert!(members.get(absent).is_none(), "{absent}");
        }
    }
}
