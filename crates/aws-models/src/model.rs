//! The table of a service.

use std::collections::{BTreeMap, HashMap};
use std::sync::OnceLock;

use regex_lite::Regex;
use serde::{Deserialize, Deserializer};

/// A service whose model is known.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Service {
    /// Amazon `DynamoDB`.
    DynamoDb,
    /// Amazon `DynamoDB` Streams.
    DynamoDbStreams,
    /// Amazon `EventBridge`.
    Events,
    /// AWS KMS.
    Kms,
    /// Amazon `EventBridge` Pipes.
    Pipes,
    /// Amazon S3.
    S3,
    /// Amazon SES, API version 1.
    Ses,
    /// Amazon SES, API version 2.
    SesV2,
    /// Amazon SNS.
    Sns,
    /// Amazon SQS.
    Sqs,
    /// AWS STS.
    Sts,
    /// AWS X-Ray.
    XRay,
}

/// The operations of a service, the shapes they refer to, and its errors.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Model {
    /// The API version, such as `2012-11-05`.
    pub version: String,
    /// The XML namespace of the query protocol's responses.
    pub namespace: Option<String>,
    /// Operations by name. Of some services, only those that the table was rendered for.
    pub operations: BTreeMap<String, Operation>,
    pub(crate) shapes: Shapes,
    /// Modelled errors by the name of their shape.
    pub errors: BTreeMap<String, ModelledError>,
}

/// An operation of a service.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Operation {
    pub(crate) input: Option<String>,
    pub(crate) output: Option<String>,
    pub(crate) method: Option<String>,
    pub(crate) path: Option<String>,
    /// How older clients call it.
    pub(crate) former: Option<Route>,
    /// What else tells a request of S3 from those of other operations: parameters of the query string and headers.
    #[serde(default)]
    pub(crate) needs: Vec<String>,
    /// Whether S3 demands a checksum of the request's body.
    #[serde(default)]
    pub needs_checksum: bool,
    /// The member that is the body of the request.
    pub(crate) input_payload: Option<String>,
    /// The member that is the body of the response.
    pub(crate) output_payload: Option<String>,
    /// The root element of the response.
    pub(crate) root: Option<String>,
}

/// A method and the template of a path.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Route {
    pub(crate) method: String,
    pub(crate) path: String,
}

/// An error of a service's model.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ModelledError {
    /// The code on the wire of the query protocol.
    pub code: String,
    /// The HTTP status.
    pub status: u16,
}

#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Kind {
    Structure,
    List,
    Map,
    #[default]
    String,
    Integer,
    Number,
    Boolean,
    Blob,
    Timestamp,
    /// Any JSON.
    Document,
}

#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Shape {
    pub(crate) kind: Kind,
    #[serde(default)]
    pub(crate) required: Vec<String>,
    pub(crate) min: Option<f64>,
    pub(crate) max: Option<f64>,
    pub(crate) pattern: Option<String>,
    /// A pattern for Rust's engine that accepts what `pattern` does.
    pub(crate) equivalent: Option<String>,
    #[serde(rename = "enum", default)]
    pub(crate) values: Vec<String>,
    #[serde(default)]
    pub(crate) union: bool,
    #[serde(default)]
    pub(crate) flattened: bool,
    #[serde(default)]
    pub(crate) members: Members,
    pub(crate) item: Option<Member>,
    pub(crate) key: Option<Member>,
    pub(crate) value: Option<Member>,
    #[serde(skip)]
    compiled: OnceLock<Option<Regex>>,
}

/// The shapes of a service. Members refer to them by their places, since every value of a request is checked against one.
#[derive(Debug, Deserialize)]
#[serde(from = "HashMap<String, Shape>")]
pub(crate) struct Shapes {
    all: Vec<Shape>,
    places: HashMap<String, usize>,
}

impl From<HashMap<String, Shape>> for Shapes {
    fn from(shapes: HashMap<String, Shape>) -> Self {
        let (names, mut all): (Vec<_>, Vec<_>) = shapes.into_iter().unzip();
        let places: HashMap<_, _> =
            names.into_iter().enumerate().map(|(place, name)| (name, place)).collect();
        for shape in &mut all {
            let Shape { members, item, key, value, .. } = shape;
            let members = members.0.iter_mut().map(|(_, member)| member);
            for member in members.chain(item).chain(key).chain(value) {
                member.place = places.get(&member.shape).copied();
            }
        }
        Self { all, places }
    }
}

impl Shapes {
    fn named(&self, name: &str) -> Option<&Shape> {
        self.all.get(*self.places.get(name)?)
    }
}

/// The members of a structure, in the model's order.
#[derive(Debug, Default)]
pub(crate) struct Members(pub(crate) Vec<(String, Member)>);

impl<'de> Deserialize<'de> for Members {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct InOrder;
        impl<'de> serde::de::Visitor<'de> for InOrder {
            type Value = Members;

            fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.write_str("members by name")
            }

            fn visit_map<A: serde::de::MapAccess<'de>>(self, mut map: A) -> Result<Members, A::Error> {
                let mut members = Vec::new();
                while let Some(entry) = map.next_entry()? {
                    members.push(entry);
                }
                Ok(Members(members))
            }
        }
        deserializer.deserialize_map(InOrder)
    }
}

/// A reference to a shape, with the names that protocols use for it.
#[derive(Debug, Deserialize)]
#[serde(from = "Reference")]
pub(crate) struct Member {
    pub(crate) shape: String,
    /// Where the shape is among those of the service.
    place: Option<usize>,
    pub(crate) wire: Option<String>,
    pub(crate) location: Option<String>,
    pub(crate) flattened: bool,
}

#[derive(Deserialize)]
#[serde(untagged)]
enum Reference {
    Name(String),
    #[serde(rename_all = "camelCase")]
    Full {
        shape: String,
        wire: Option<String>,
        location: Option<String>,
        #[serde(default)]
        flattened: bool,
    },
}

impl From<Reference> for Member {
    fn from(reference: Reference) -> Self {
        match reference {
            Reference::Name(shape) => {
                Self { shape, place: None, wire: None, location: None, flattened: false }
            }
            Reference::Full { shape, wire, location, flattened } => {
                Self { shape, place: None, wire, location, flattened }
            }
        }
    }
}

impl Member {
    /// Returns the member's name in a form, in XML or in a path; `name` is the one in the model.
    pub(crate) fn wire<'a>(&'a self, name: &'a str) -> &'a str {
        self.wire.as_deref().unwrap_or(name)
    }
}

impl Model {
    /// Reads the model of a service. It is compiled into this crate.
    ///
    /// # Errors
    /// If the table does not have the form that this version reads, which a test rules out.
    pub fn of(service: Service) -> Result<Self, serde_json::Error> {
        serde_json::from_str(match service {
            Service::DynamoDb => include_str!("../models/dynamodb.json"),
            Service::DynamoDbStreams => include_str!("../models/dynamodbstreams.json"),
            Service::Events => include_str!("../models/events.json"),
            Service::Kms => include_str!("../models/kms.json"),
            Service::Pipes => include_str!("../models/pipes.json"),
            Service::S3 => include_str!("../models/s3.json"),
            Service::Ses => include_str!("../models/ses.json"),
            Service::SesV2 => include_str!("../models/sesv2.json"),
            Service::Sns => include_str!("../models/sns.json"),
            Service::Sqs => include_str!("../models/sqs.json"),
            Service::Sts => include_str!("../models/sts.json"),
            Service::XRay => include_str!("../models/xray.json"),
        })
    }

    /// Returns the shape of an operation's input. Operations without one take no parameters.
    pub(crate) fn input(&self, operation: &str) -> Option<&Shape> {
        self.shapes.named(self.operations.get(operation)?.input.as_ref()?)
    }

    pub(crate) fn output(&self, operation: &str) -> Option<&Shape> {
        self.shapes.named(self.operations.get(operation)?.output.as_ref()?)
    }

    pub(crate) fn shape(&self, member: &Member) -> Option<&Shape> {
        self.shapes.all.get(member.place?)
    }

    /// Returns the item of a list, or the key or value of a map, with its shape.
    pub(crate) fn with_shape<'a>(&'a self, member: Option<&'a Member>) -> Option<(&'a Member, &'a Shape)> {
        member.and_then(|member| Some((member, self.shape(member)?)))
    }
}

impl Shape {
    /// Returns whether all of a text matches the shape's pattern, as Java's `matches` decides.
    pub(crate) fn accepts(&self, text: &str) -> bool {
        let Some(pattern) = self.equivalent.as_ref().or(self.pattern.as_ref()) else { return true };
        let compiled = self.compiled.get_or_init(|| Regex::new(&format!("^(?:{pattern})$")).ok());
        compiled.as_ref().is_none_or(|regex| regex.is_match(text))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const ALL: [Service; 12] = [
        Service::DynamoDb,
        Service::DynamoDbStreams,
        Service::Events,
        Service::Kms,
        Service::Pipes,
        Service::S3,
        Service::Ses,
        Service::SesV2,
        Service::Sns,
        Service::Sqs,
        Service::Sts,
        Service::XRay,
    ];

    #[test]
    fn every_table_can_be_read_and_refers_to_shapes_that_exist() {
        for service in ALL {
            let model = Model::of(service).unwrap();
            for (name, operation) in &model.operations {
                for shape in operation.input.iter().chain(&operation.output) {
                    assert!(model.shapes.named(shape).is_some(), "{service:?} {name}");
                }
            }
            for (name, place) in &model.shapes.places {
                let shape = &model.shapes.all[*place];
                let members = shape.members.0.iter().map(|(_, member)| member);
                for member in members.chain(&shape.item).chain(&shape.key).chain(&shape.value) {
                    assert!(model.shape(member).is_some(), "{service:?} {name}");
                }
            }
        }
    }

    #[test]
    fn every_pattern_compiles() {
        for service in ALL {
            let shapes = Model::of(service).unwrap().shapes;
            for (name, place) in &shapes.places {
                let shape = &shapes.all[*place];
                if let Some(pattern) = shape.equivalent.as_ref().or(shape.pattern.as_ref()) {
                    Regex::new(&format!("^(?:{pattern})$"))
                        .unwrap_or_else(|error| panic!("{service:?} {name}: {error}"));
                }
            }
        }
    }
}
