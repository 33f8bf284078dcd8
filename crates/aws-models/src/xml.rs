//! The query protocol's responses.

use serde_json::Value;

use crate::model::{Kind, Member, Model, Shape};
use crate::scalar;

impl Model {
    /// Writes an operation's output as XML (AWS Query protocol, "Response serialization").
    #[must_use]
    pub fn write_response(&self, operation: &str, output: &Value, request_id: &str) -> String {
        let mut xml = format!("<{operation}Response{}>", self.namespace());
        if let Some(shape) = self.output(operation) {
            element(&mut xml, &format!("{operation}Result"), |xml| self.structure_xml(shape, output, xml));
        }
        element(&mut xml, "ResponseMetadata", |xml| text(xml, "RequestId", request_id));
        xml.extend(["</", operation, "Response>"]);
        xml
    }

    /// Writes an error as XML.
    #[must_use]
    pub fn write_error(&self, code: &str, message: &str, is_sender: bool, request_id: &str) -> String {
        let mut xml = format!("<ErrorResponse{}>", self.namespace());
        element(&mut xml, "Error", |xml| {
            text(xml, "Type", if is_sender { "Sender" } else { "Receiver" });
            text(xml, "Code", code);
            text(xml, "Message", message);
        });
        text(&mut xml, "RequestId", request_id);
        xml.push_str("</ErrorResponse>");
        xml
    }

    /// Writes a document with this root, as the REST protocol with XML does. Members in headers are no part of it.
    pub(crate) fn write_document(&self, root: &str, shape: &Shape, value: &Value) -> String {
        let mut xml = format!("<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<{root}{}>", self.namespace());
        match value {
            Value::Object(_) => self.structure_xml(shape, value, &mut xml),
            scalar => escape_into(&mut xml, &scalar::write(&shape.kind, scalar)),
        }
        xml.extend(["</", root, ">"]);
        xml
    }

    fn namespace(&self) -> String {
        self.namespace.as_ref().map(|namespace| format!(" xmlns=\"{namespace}\"")).unwrap_or_default()
    }

    fn structure_xml(&self, shape: &Shape, value: &Value, xml: &mut String) {
        for (name, member) in &shape.members.0 {
            if let (Some(value), Some(of_member)) = (value.get(name), self.shape(member))
                && !value.is_null()
                && member.location.is_none()
            {
                self.member_xml(member.wire(name), member, of_member, value, xml);
            }
        }
    }

    fn member_xml(&self, name: &str, member: &Member, shape: &Shape, value: &Value, xml: &mut String) {
        let flattened = member.flattened || shape.flattened;
        match (&shape.kind, value) {
            (Kind::Structure, _) => element(xml, name, |xml| self.structure_xml(shape, value, xml)),
            (Kind::List, Value::Array(items)) => {
                let Some((item, of_item)) = self.with_shape(shape.item.as_ref()) else { return };
                if flattened {
                    for value in items {
                        self.member_xml(item.wire(name), item, of_item, value, xml);
                    }
                } else {
                    element(xml, name, |xml| {
                        for value in items {
                            self.member_xml(item.wire("member"), item, of_item, value, xml);
                        }
                    });
                }
            }
            (Kind::Map, Value::Object(entries)) => {
                let (Some((key, of_key)), Some((content, of_content))) =
                    (self.with_shape(shape.key.as_ref()), self.with_shape(shape.value.as_ref()))
                else {
                    return;
                };
                let write = |xml: &mut String, around: &str| {
                    for (entry, value) in entries {
                        element(xml, around, |xml| {
                            self.member_xml(key.wire("key"), key, of_key, &Value::from(entry.as_str()), xml);
                            self.member_xml(content.wire("value"), content, of_content, value, xml);
                        });
                    }
                };
                if flattened {
                    write(xml, name);
                } else {
                    element(xml, name, |xml| write(xml, "entry"));
                }
            }
            (kind, value) => text(xml, name, &scalar::write(kind, value)),
        }
    }
}

/// Writes an element, which AWS closes at once if it is empty.
fn element(xml: &mut String, name: &str, content: impl FnOnce(&mut String)) {
    xml.extend(["<", name, ">"]);
    let start = xml.len();
    content(xml);
    if xml.len() == start {
        xml.truncate(start - 1);
        xml.push_str("/>");
    } else {
        xml.extend(["</", name, ">"]);
    }
}

fn text(xml: &mut String, name: &str, text: &str) {
    element(xml, name, |xml| escape_into(xml, text));
}

/// Appends a text with XML's escapes. What XML 1.0 cannot carry becomes a replacement character.
fn escape_into(xml: &mut String, text: &str) {
    for character in text.chars() {
        match character {
            '&' => xml.push_str("&amp;"),
            '<' => xml.push_str("&lt;"),
            '>' => xml.push_str("&gt;"),
            '"' => xml.push_str("&quot;"),
            // A parser would read it as a line feed.
            '\r' => xml.push_str("&#xD;"),
            '\t' | '\n' => xml.push(character),
            '\0'..' ' | '\u{fffe}' | '\u{ffff}' => xml.push('\u{fffd}'),
            other => xml.push(other),
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::Service;

    #[test]
    fn lists_and_maps_of_sns() {
        let model = Model::of(Service::Sns).unwrap();
        assert_eq!(
            model.write_response("ListTopics", &json!({"Topics": [{"TopicArn": "a"}]}), "id"),
            "<ListTopicsResponse xmlns=\"http://sns.amazonaws.com/doc/2010-03-31/\"><ListTopicsResult><Topics><member>\
             <TopicArn>a</TopicArn></member></Topics></ListTopicsResult><ResponseMetadata><RequestId>id</RequestId>\
             </ResponseMetadata></ListTopicsResponse>"
        );
        let attributes =
            model.write_response("GetTopicAttributes", &json!({"Attributes": {"k": "<v>"}}), "id");
        assert!(
            attributes
                .contains("<Attributes><entry><key>k</key><value>&lt;v&gt;</value></entry></Attributes>"),
            "{attributes}"
        );
        let without_output = model.write_response("Unsubscribe", &json!({}), "id");
        assert!(!without_output.contains("UnsubscribeResult"), "{without_output}");
    }

    #[test]
    fn flattened_lists_and_maps_of_sqs() {
        let model = Model::of(Service::Sqs).unwrap();
        let message = json!({"Messages": [{"Body": "a\rb", "Attributes": {"SentTimestamp": "1"}}]});
        let empty = model.write_response("ReceiveMessage", &json!({}), "id");
        assert!(empty.contains("<ReceiveMessageResult/>"), "{empty}");
        let xml = model.write_response("ReceiveMessage", &message, "id");
        assert!(
            xml.contains(
                "<ReceiveMessageResult><Message><Body>a&#xD;b</Body><Attribute><Name>SentTimestamp</Name><Value>1\
                 </Value></Attribute></Message></ReceiveMessageResult>"
            ),
            "{xml}"
        );
    }

    #[test]
    fn errors_name_who_is_at_fault() {
        let xml = Model::of(Service::Sts).unwrap().write_error("Throttling", "Rate exceeded", true, "id");
        assert_eq!(
            xml,
            "<ErrorResponse xmlns=\"https://sts.amazonaws.com/doc/2011-06-15/\"><Error><Type>Sender</Type><Code>\
             Throttling</Code><Message>Rate exceeded</Message></Error><RequestId>id</RequestId></ErrorResponse>"
        );
    }
}
