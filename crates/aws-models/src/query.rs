//! The query protocol's requests: a form in which dots and numbers stand for structures, lists and maps.

use std::collections::BTreeMap;

use serde_json::{Map, Value};

use crate::model::{Kind, Member, Model, Shape};
use crate::scalar;

/// Fields of a form that are read; the largest batches need a few hundred.
const MAX_FIELDS: usize = 10_000;
/// Parts of a field's name that are followed.
const MAX_PARTS: usize = 32;

/// A field with everything whose name continues its own.
#[derive(Debug, Default)]
struct Field {
    text: Option<String>,
    children: BTreeMap<String, Field>,
}

impl Model {
    /// Reads an operation's input from a form (AWS Query protocol, "Query parameters"), such as
    /// `Attributes.entry.1.key=FilterPolicy`. Fields that belong to no member are ignored.
    #[must_use]
    pub fn read_form(&self, operation: &str, form: impl IntoIterator<Item = (String, String)>) -> Value {
        let mut root = Field::default();
        for (name, text) in form.into_iter().take(MAX_FIELDS) {
            let field = name
                .splitn(MAX_PARTS, '.')
                .fold(&mut root, |field, part| field.children.entry(part.to_owned()).or_default());
            field.text = Some(text);
        }
        self.input(operation).map_or_else(
            || Value::Object(Map::new()),
            |shape| Value::Object(self.structure(shape, &mut root)),
        )
    }

    fn structure(&self, shape: &Shape, field: &mut Field) -> Map<String, Value> {
        let mut members = Map::new();
        for (name, member) in &shape.members.0 {
            let Some(of_member) = self.shape(member) else { continue };
            let wire = name_in_form(name, member, of_member);
            if let Some(mut field) = field.children.remove(wire) {
                members.insert(name.clone(), self.value(member, of_member, &mut field));
            }
        }
        members
    }

    fn value(&self, member: &Member, shape: &Shape, field: &mut Field) -> Value {
        match &shape.kind {
            Kind::Structure => Value::Object(self.structure(shape, field)),
            Kind::List => {
                let Some((item, of_item)) = self.with_shape(shape.item.as_ref()) else { return Value::Null };
                let items = numbered(field, is_flattened(member, shape), item.wire("member"));
                items.into_iter().map(|mut field| self.value(item, of_item, &mut field)).collect()
            }
            Kind::Map => {
                let (Some((key, of_key)), Some((value, of_value))) =
                    (self.with_shape(shape.key.as_ref()), self.with_shape(shape.value.as_ref()))
                else {
                    return Value::Null;
                };
                let mut entries = Map::new();
                for mut field in numbered(field, is_flattened(member, shape), "entry") {
                    let name = field.children.remove(key.wire("key")).unwrap_or_default();
                    let mut content = field.children.remove(value.wire("value")).unwrap_or_default();
                    let Value::String(name) = self.value(key, of_key, &mut { name }) else { continue };
                    entries.insert(name, self.value(value, of_value, &mut content));
                }
                Value::Object(entries)
            }
            kind => scalar::read(kind, field.text.take().unwrap_or_default()),
        }
    }
}

/// Returns a member's name in a form. A flattened list goes by the name of its items.
fn name_in_form<'a>(name: &'a str, member: &'a Member, shape: &'a Shape) -> &'a str {
    let of_items = shape.item.as_ref().and_then(|item| item.wire.as_deref());
    match of_items {
        Some(of_items) if is_flattened(member, shape) => of_items,
        _ => member.wire(name),
    }
}

fn is_flattened(member: &Member, shape: &Shape) -> bool {
    member.flattened || shape.flattened
}

/// Takes the numbered children, in the order of their numbers.
fn numbered(field: &mut Field, flattened: bool, inner: &str) -> Vec<Field> {
    let children = if flattened {
        std::mem::take(&mut field.children)
    } else {
        field.children.remove(inner).unwrap_or_default().children
    };
    let mut numbered: Vec<(u32, Field)> =
        children.into_iter().filter_map(|(number, field)| Some((number.parse().ok()?, field))).collect();
    numbered.sort_by_key(|(number, _)| *number);
    numbered.into_iter().map(|(_, field)| field).collect()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::Service;

    fn read(service: Service, operation: &str, form: &[(&str, &str)]) -> Value {
        let form = form.iter().map(|(name, text)| ((*name).to_owned(), (*text).to_owned()));
        Model::of(service).unwrap().read_form(operation, form)
    }

    #[test]
    fn lists_and_maps_of_sns() {
        let form = [
            ("TopicArn", "arn"),
            ("PublishBatchRequestEntries.member.2.Id", "b"),
            ("PublishBatchRequestEntries.member.2.Message", "two"),
            ("PublishBatchRequestEntries.member.1.Id", "a"),
            ("PublishBatchRequestEntries.member.1.MessageAttributes.entry.1.Name", "channel"),
            ("PublishBatchRequestEntries.member.1.MessageAttributes.entry.1.Value.DataType", "String"),
            ("PublishBatchRequestEntries.member.1.MessageAttributes.entry.1.Value.StringValue", "a.b"),
        ];
        assert_eq!(
            read(Service::Sns, "PublishBatch", &form),
            json!({"TopicArn": "arn", "PublishBatchRequestEntries": [
                {"Id": "a", "MessageAttributes": {"channel": {"DataType": "String", "StringValue": "a.b"}}},
                {"Id": "b", "Message": "two"},
            ]})
        );
    }

    #[test]
    fn flattened_lists_and_maps_of_sqs() {
        let form = [
            ("Action", "ReceiveMessage"),
            ("QueueUrl", "q"),
            ("AttributeName.1", "All"),
            ("MessageAttributeName.1", "a.*"),
            ("WaitTimeSeconds", "1"),
        ];
        assert_eq!(
            read(Service::Sqs, "ReceiveMessage", &form),
            json!({"QueueUrl": "q", "AttributeNames": ["All"], "MessageAttributeNames": ["a.*"], "WaitTimeSeconds": 1})
        );
        let form = [
            ("QueueName", "q"),
            ("Attribute.1.Name", "DelaySeconds"),
            ("Attribute.1.Value", "5"),
            ("Tag.1.Key", "k"),
        ];
        assert_eq!(
            read(Service::Sqs, "CreateQueue", &form),
            json!({"QueueName": "q", "Attributes": {"DelaySeconds": "5"}, "tags": {"k": ""}})
        );
        let form = [
            ("SendMessageBatchRequestEntry.1.Id", "a"),
            ("SendMessageBatchRequestEntry.1.DelaySeconds", "x"),
        ];
        assert_eq!(
            read(Service::Sqs, "SendMessageBatch", &form),
            json!({"Entries": [{"Id": "a", "DelaySeconds": "x"}]})
        );
    }

    #[test]
    fn an_empty_list_is_one() {
        assert_eq!(
            read(Service::Sns, "PublishBatch", &[("PublishBatchRequestEntries", "")]),
            json!({"PublishBatchRequestEntries": []})
        );
    }
}
