//! REST with XML, which S3 speaks: operations that differ in more than method and path, members in headers, and XML
//! bodies.

use std::collections::BTreeMap;

use percent_encoding::percent_decode_str;
use roxmltree::{Document, Node, ParsingOptions};
use serde_json::{Map, Value};

use crate::model::{Kind, Member, Model, Operation, Shape};
use crate::scalar;

/// The deepest nesting of elements that is read.
const MAX_DEPTH: usize = 32;
/// The largest document that is read: one that deletes 1,000 objects has some 3,000 elements with as many texts.
const MAX_NODES: u32 = 50_000;

/// The parts of a request besides its method and its body. Names of headers are in small letters.
#[derive(Clone, Copy, Debug)]
pub struct RestParts<'a> {
    /// The path, as it stands on the wire.
    pub path: &'a str,
    /// The pairs of the query string, decoded.
    pub query: &'a [(String, String)],
    /// The headers.
    pub headers: &'a [(String, String)],
}

impl RestParts<'_> {
    fn has(&self, needed: &str) -> bool {
        self.query.iter().any(|(name, _)| name == needed)
            || self.headers.iter().any(|(name, _)| name == needed)
    }
}

/// The body of a request is not the XML document that the operation takes.
#[derive(Debug, thiserror::Error)]
#[error("the body is not the XML document of the operation")]
pub struct MalformedXml;

/// The body of a response.
#[derive(Debug, PartialEq, Eq)]
pub enum Payload {
    /// There is none, or the operation's own bytes.
    None,
    /// An XML document.
    Xml(String),
    /// A text as it is, such as a policy.
    Text(String),
}

impl Model {
    /// Returns the operation that a method and the parts of a request mean, with the members in the path. Of several
    /// that fit, the one that demands most.
    #[must_use]
    pub fn route_rest_xml(
        &self,
        method: &str,
        parts: RestParts<'_>,
    ) -> Option<(&str, Vec<(String, String)>)> {
        let fitting = self.operations.iter().filter_map(|(name, operation)| {
            let (demands, labels) = operation.fits(method, parts)?;
            Some((demands, name.as_str(), labels))
        });
        // The first of equals: an operation without further demands precedes its variants.
        let best = fitting.reduce(|best, next| if next.0 > best.0 { next } else { best });
        best.map(|(_, name, labels)| (name, labels))
    }

    /// Returns an operation's input: members in the path, in the query string, in headers and in an XML body. Bytes that
    /// are the whole body stay where they are.
    ///
    /// # Errors
    /// If the body is not the operation's document.
    pub fn bind_rest_xml(
        &self,
        operation: &str,
        labels: &[(String, String)],
        parts: RestParts<'_>,
        body: &[u8],
    ) -> Result<Value, MalformedXml> {
        let mut input = Map::new();
        let Some(shape) = self.input(operation) else { return Ok(Value::Object(input)) };
        let payload = self.operations.get(operation).and_then(|operation| operation.input_payload.as_deref());
        for (name, member) in &shape.members.0 {
            let Some(of_member) = self.shape(member) else { continue };
            let wire = member.wire(name);
            let value = match member.location.as_deref() {
                Some("uri") => first(labels, wire).map(|text| scalar::read(&of_member.kind, text)),
                Some("querystring") => {
                    first(parts.query, wire).map(|text| scalar::read(&of_member.kind, text))
                }
                Some("header") => self.of_header(of_member, first(parts.headers, &wire.to_ascii_lowercase())),
                Some("headers") => prefixed(parts.headers, &wire.to_ascii_lowercase()),
                _ if payload == Some(name) => self.of_payload(wire, of_member, body)?,
                _ => None,
            };
            if let Some(value) = value {
                input.insert(name.clone(), value);
            }
        }
        Ok(Value::Object(input))
    }

    /// Returns an operation's output as headers and a body.
    #[must_use]
    pub fn write_rest_xml(&self, operation: &str, output: &Value) -> (Vec<(String, String)>, Payload) {
        let mut headers = Vec::new();
        let (Some(modelled), Some(shape)) = (self.operations.get(operation), self.output(operation)) else {
            return (headers, Payload::None);
        };
        for (name, member) in &shape.members.0 {
            let (Some(value), Some(of_member)) = (output.get(name), self.shape(member)) else { continue };
            match (member.location.as_deref(), value) {
                (Some("header"), value) => {
                    headers
                        .push((member.wire(name).to_owned(), scalar::write_header(&of_member.kind, value)));
                }
                (Some("headers"), Value::Object(entries)) => {
                    let prefix = member.wire(name);
                    headers.extend(entries.iter().filter_map(|(key, value)| {
                        Some((format!("{prefix}{key}"), value.as_str()?.to_owned()))
                    }));
                }
                _ => {}
            }
        }
        (headers, self.document(modelled, shape, output))
    }

    fn document(&self, operation: &Operation, shape: &Shape, output: &Value) -> Payload {
        let (shape, value) = match operation.output_payload.as_deref() {
            None => (shape, output),
            Some(payload) => {
                let member = shape.members.0.iter().find(|(name, _)| name == payload);
                let of_member = member.and_then(|(_, member)| self.shape(member));
                match (of_member, output.get(payload)) {
                    (Some(of_member), Some(value)) => (of_member, value),
                    _ => return Payload::None,
                }
            }
        };
        match (operation.root.as_deref(), value) {
            (Some(root), value) => Payload::Xml(self.write_document(root, shape, value)),
            (None, Value::String(text)) => Payload::Text(text.clone()),
            (None, _) => Payload::None,
        }
    }

    /// A time that cannot be read is no condition, which is what HTTP says of its conditional headers.
    fn of_header(&self, shape: &Shape, text: Option<String>) -> Option<Value> {
        let text = text?;
        match (&shape.kind, shape.item.as_ref().and_then(|item| self.shape(item))) {
            (Kind::List, Some(of_item)) => {
                let items = text.split(',').map(|item| scalar::read(&of_item.kind, item.trim().to_owned()));
                Some(Value::Array(items.collect()))
            }
            (Kind::Timestamp, _) => scalar::read_header_time(&text),
            (kind, _) => Some(scalar::read(kind, text)),
        }
    }

    fn of_payload(&self, root: &str, shape: &Shape, body: &[u8]) -> Result<Option<Value>, MalformedXml> {
        if body.is_empty() || matches!(shape.kind, Kind::Blob) {
            return Ok(None);
        }
        let text = std::str::from_utf8(body).map_err(|_| MalformedXml)?;
        if matches!(shape.kind, Kind::String) {
            return Ok(Some(Value::String(text.to_owned())));
        }
        let options = ParsingOptions { nodes_limit: MAX_NODES, ..ParsingOptions::default() };
        let document = Document::parse_with_options(text, options).map_err(|_| MalformedXml)?;
        let element = document.root_element();
        if element.tag_name().name() != root {
            return Err(MalformedXml);
        }
        self.read_element(shape, element, 0).map(Some)
    }

    fn read_element(
        &self,
        shape: &Shape,
        element: Node<'_, '_>,
        depth: usize,
    ) -> Result<Value, MalformedXml> {
        if depth > MAX_DEPTH {
            return Err(MalformedXml);
        }
        match shape.kind {
            Kind::Structure => self.read_structure(shape, element, depth),
            Kind::List => {
                let Some((item, of_item)) = self.with_shape(shape.item.as_ref()) else {
                    return Err(MalformedXml);
                };
                let wire = item.wire("member");
                let items = element.children().filter(Node::is_element).map(|child| {
                    if child.tag_name().name() != wire {
                        return Err(MalformedXml);
                    }
                    self.read_element(of_item, child, depth + 1)
                });
                items.collect::<Result<_, _>>().map(Value::Array)
            }
            _ if element.children().any(|child| child.is_element()) => Err(MalformedXml),
            ref kind => Ok(scalar::read(kind, element.text().unwrap_or_default().to_owned())),
        }
    }

    /// S3 validates documents against a schema: an element that it does not know is an error.
    fn read_structure(
        &self,
        shape: &Shape,
        element: Node<'_, '_>,
        depth: usize,
    ) -> Result<Value, MalformedXml> {
        let known: BTreeMap<&str, (&str, &Member)> = shape
            .members
            .0
            .iter()
            .map(|(name, member)| (member.wire(name), (name.as_str(), member)))
            .collect();
        let mut members = Map::new();
        for child in element.children().filter(Node::is_element) {
            let (name, member) = known.get(child.tag_name().name()).ok_or(MalformedXml)?;
            let of_member = self.shape(member).ok_or(MalformedXml)?;
            let flattened = matches!(of_member.kind, Kind::List) && (member.flattened || of_member.flattened);
            if flattened {
                let of_item =
                    of_member.item.as_ref().and_then(|item| self.shape(item)).ok_or(MalformedXml)?;
                let item = self.read_element(of_item, child, depth + 1)?;
                let items = members.entry(*name).or_insert_with(|| Value::Array(Vec::new()));
                items.as_array_mut().ok_or(MalformedXml)?.push(item);
            } else if members
                .insert((*name).to_owned(), self.read_element(of_member, child, depth + 1)?)
                .is_some()
            {
                return Err(MalformedXml);
            }
        }
        Ok(Value::Object(members))
    }
}

impl Operation {
    /// Returns how much the operation demands beyond its path, and the members in that, if a request fits it.
    fn fits(&self, method: &str, parts: RestParts<'_>) -> Option<(usize, Vec<(String, String)>)> {
        let template = self.path.as_deref().filter(|_| self.method.as_deref() == Some(method))?;
        let (template, query) = template.split_once('?').unwrap_or((template, ""));
        let labels = labels(template, parts.path)?;
        let literals: Vec<_> = query.split('&').filter(|literal| !literal.is_empty()).collect();
        let fits = literals.iter().all(|literal| {
            let (name, value) = literal.split_once('=').unwrap_or((literal, ""));
            parts.query.iter().any(|(of, text)| of == name && (value.is_empty() || text == value))
        });
        let fits = fits && self.needs.iter().all(|needed| parts.has(needed));
        fits.then(|| (literals.len() + self.needs.len(), labels))
    }
}

/// Returns the labels of a template such as `/{Bucket}/{Key+}`, if the path fits it.
fn labels(template: &str, path: &str) -> Option<Vec<(String, String)>> {
    let decode = |text: &str| percent_decode_str(text).decode_utf8().ok().map(std::borrow::Cow::into_owned);
    let path = path.strip_prefix('/')?;
    let (bucket, key) = path.split_once('/').unwrap_or((path, ""));
    match template {
        "/" => path.is_empty().then(Vec::new),
        "/{Bucket}" if key.is_empty() && !bucket.is_empty() => {
            Some(vec![("Bucket".to_owned(), decode(bucket)?)])
        }
        "/{Bucket}/{Key+}" if !key.is_empty() && !bucket.is_empty() => {
            Some(vec![("Bucket".to_owned(), decode(bucket)?), ("Key".to_owned(), decode(key)?)])
        }
        _ => None,
    }
}

fn first(pairs: &[(String, String)], wanted: &str) -> Option<String> {
    pairs.iter().find(|(name, _)| name == wanted).map(|(_, text)| text.clone())
}

fn prefixed(headers: &[(String, String)], prefix: &str) -> Option<Value> {
    let entries: Map<_, _> = headers
        .iter()
        .filter_map(|(name, text)| Some((name.strip_prefix(prefix)?.to_owned(), Value::from(text.as_str()))))
        .collect();
    (!entries.is_empty()).then_some(Value::Object(entries))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::Service;

    fn pairs(all: &[(&str, &str)]) -> Vec<(String, String)> {
        all.iter().map(|(name, text)| ((*name).to_owned(), (*text).to_owned())).collect()
    }

    #[test]
    fn what_a_request_carries_tells_operations_apart() {
        let model = Model::of(Service::S3).unwrap();
        let route = |method, path, query: &[(&str, &str)], headers: &[(&str, &str)]| {
            let (query, headers) = (pairs(query), pairs(headers));
            let parts = RestParts { path, query: &query, headers: &headers };
            model.route_rest_xml(method, parts).map(|(operation, _)| operation.to_owned())
        };
        for (method, path, query, headers, operation) in [
            ("GET", "/", &[][..], &[][..], "ListBuckets"),
            ("PUT", "/b", &[], &[], "CreateBucket"),
            ("PUT", "/b/", &[], &[], "CreateBucket"),
            ("GET", "/b", &[], &[], "ListObjects"),
            ("GET", "/b", &[("list-type", "2"), ("prefix", "a")], &[], "ListObjectsV2"),
            ("GET", "/b", &[("tagging", "")], &[], "GetBucketTagging"),
            ("POST", "/b", &[("delete", "")], &[], "DeleteObjects"),
            ("GET", "/b/a/b", &[("x-id", "GetObject")], &[], "GetObject"),
            ("GET", "/b/a", &[("uploadId", "1")], &[], "ListParts"),
            ("PUT", "/b/a", &[], &[], "PutObject"),
            ("PUT", "/b/a", &[], &[("x-amz-copy-source", "/b/c")], "CopyObject"),
            ("PUT", "/b/a", &[("partNumber", "1"), ("uploadId", "1")], &[], "UploadPart"),
            ("HEAD", "/b/a", &[], &[], "HeadObject"),
        ] {
            assert_eq!(route(method, path, query, headers).as_deref(), Some(operation));
        }
        assert_eq!(route("PATCH", "/b", &[], &[]), None);
        assert_eq!(route("GET", "/b/%FF", &[], &[]), None);
    }

    #[test]
    fn members_come_from_path_headers_and_document() {
        let model = Model::of(Service::S3).unwrap();
        let headers = pairs(&[("content-type", "text/plain"), ("x-amz-meta-a", "1"), ("if-none-match", "*")]);
        let parts = RestParts { path: "/b/x%20y/z", query: &[], headers: &headers };
        let (operation, labels) = model.route_rest_xml("PUT", parts).unwrap();
        assert_eq!(
            model.bind_rest_xml(operation, &labels, parts, b"bytes").unwrap(),
            json!({"Bucket": "b", "Key": "x y/z", "ContentType": "text/plain", "Metadata": {"a": "1"}, "IfNoneMatch": "*"})
        );
        let parts = RestParts { path: "/b", query: &[], headers: &[] };
        let bind = |body: &str| {
            let labels = pairs(&[("Bucket", "b")]);
            model.bind_rest_xml("PutBucketLifecycleConfiguration", &labels, parts, body.as_bytes())
        };
        let body = "<LifecycleConfiguration xmlns=\"http://s3.amazonaws.com/doc/2006-03-01/\"><Rule><ID>a</ID><Filter>\
                    <Prefix>p</Prefix></Filter><Status>Enabled</Status><Expiration><Days>3</Days></Expiration></Rule>\
                    </LifecycleConfiguration>";
        assert_eq!(
            bind(body).unwrap()["LifecycleConfiguration"],
            json!({"Rules": [{"ID": "a", "Filter": {"Prefix": "p"}, "Status": "Enabled", "Expiration": {"Days": 3}}]})
        );
        let deep = format!("<LifecycleConfiguration>{}", "<Rule>".repeat(10_000));
        let bomb = "<!DOCTYPE a [<!ENTITY b \"c\">]><LifecycleConfiguration/>";
        for body in ["<a/>", "<LifecycleConfiguration><a/></LifecycleConfiguration>", "{", &deep, bomb] {
            assert!(bind(body).is_err(), "{body}");
        }
    }

    #[test]
    fn outputs_become_headers_and_documents() {
        let model = Model::of(Service::S3).unwrap();
        let (headers, payload) = model.write_rest_xml(
            "GetObject",
            &json!({"ETag": "\"e\"", "LastModified": 1_700_000_000, "Metadata": {"a": "1"}, "ContentLength": 3}),
        );
        assert_eq!(
            headers,
            pairs(&[
                ("Last-Modified", "Tue, 14 Nov 2023 22:13:20 GMT"),
                ("Content-Length", "3"),
                ("ETag", "\"e\""),
                ("x-amz-meta-a", "1"),
            ])
        );
        assert_eq!(payload, Payload::None);
        let (_, payload) = model.write_rest_xml("GetBucketPolicy", &json!({"Policy": "{}"}));
        assert_eq!(payload, Payload::Text("{}".to_owned()));
        let listed = json!({"Name": "b", "Contents": [{"Key": "a&b", "Size": 1}], "KeyCount": 1});
        let (_, payload) = model.write_rest_xml("ListObjectsV2", &listed);
        assert_eq!(
            payload,
            Payload::Xml(
                "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<ListBucketResult xmlns=\"http://s3.amazonaws.com/doc/2006-03-01/\">\
                 <Contents><Key>a&amp;b</Key><Size>1</Size></Contents><Name>b</Name><KeyCount>1</KeyCount></ListBucketResult>"
                    .to_owned()
            )
        );
    }
}
