//! The name of a document. X-Ray draws one node for each name, so a segment should bear its service's.

use opentelemetry_proto::tonic::trace::v1::span::SpanKind;
use opentelemetry_semantic_conventions::attribute;

use super::{Attributes, Source, names, older};

/// The longest name made of a span's name, in bytes.
const MAX_LENGTH: usize = 200;

/// The first of the names that is there and not empty.
pub(super) fn of(source: &Source<'_>) -> String {
    let attributes = &source.attributes;
    steered(source)
        .or_else(|| attributes.filled(older::PEER_SERVICE))
        .or_else(|| attributes.filled(names::AWS_SERVICE))
        .or_else(|| database(attributes))
        .or_else(|| {
            let service = source.resource.filled(attribute::SERVICE_NAME);
            service.filter(|_| source.kind == SpanKind::Server)
        })
        .or_else(|| attributes.filled(older::RPC_SERVICE))
        .or_else(|| attributes.filled(older::HTTP_HOST))
        .or_else(|| attributes.filled(older::NET_PEER_NAME))
        .unwrap_or_else(|| from_span(&source.span.name))
}

/// What the attributes say that exist for nothing but X-Ray names.
fn steered(source: &Source<'_>) -> Option<String> {
    let attributes = &source.attributes;
    match source.kind {
        SpanKind::Server => attributes.filled(names::LOCAL_SERVICE),
        SpanKind::Internal if attributes.text(names::SPAN_KIND) == Some(names::LOCAL_ROOT) => {
            attributes.filled(names::LOCAL_SERVICE)
        }
        SpanKind::Client | SpanKind::Producer | SpanKind::Consumer => {
            attributes.filled(names::REMOTE_SERVICE).map(|name| trimmed(&name, attributes).to_owned())
        }
        SpanKind::Internal | SpanKind::Unspecified => None,
    }
}

/// Whether the span is a call of the AWS SDK. Only the older attribute counts, as in the exporter.
pub(super) fn is_aws_call(attributes: &Attributes) -> bool {
    attributes.text(older::RPC_SYSTEM) == Some(names::AWS_API)
}

/// Whether `aws.service` gave the name, which makes the document one of the `aws` namespace.
pub(super) fn is_named_by_aws_service(source: &Source<'_>) -> bool {
    source.attributes.contains(names::AWS_SERVICE)
        && steered(source).is_none()
        && source.attributes.filled(older::PEER_SERVICE).is_none()
}

/// The name of an AWS service without the prefix some instrumentations write.
pub(super) fn trimmed<'a>(name: &'a str, attributes: &Attributes) -> &'a str {
    if !is_aws_call(attributes) {
        return name;
    }
    name.strip_prefix("AWS.SDK.").or_else(|| name.strip_prefix("AWS::")).unwrap_or(name)
}

/// `database@host`.
fn database(attributes: &Attributes) -> Option<String> {
    let name = attributes.filled(older::DB_NAME)?;
    let host = attributes.text(older::DB_CONNECTION_STRING).and_then(host);
    Some(host.map_or_else(|| name.clone(), |host| format!("{name}@{host}")))
}

/// The host of a URL, which may begin with `jdbc:`.
fn host(url: &str) -> Option<&str> {
    let (_, rest) = url.strip_prefix("jdbc:").unwrap_or(url).split_once("://")?;
    let authority = rest.split(['/', '?', '#']).next()?;
    let address = authority.rsplit_once('@').map_or(authority, |(_, address)| address);
    let host = match address.strip_prefix('[') {
        Some(version_6) => version_6.split(']').next()?,
        None => address.split(':').next()?,
    };
    (!host.is_empty()).then_some(host)
}

/// A span's name without the characters that X-Ray does not allow in a segment's.
fn from_span(name: &str) -> String {
    let allowed = |character: &char| {
        character.is_alphabetic() || character.is_ascii_digit() || " _.:/%&#=+-@".contains(*character)
    };
    let mut name: String = name.chars().filter(allowed).collect();
    if name.is_empty() {
        return "span".to_owned();
    }
    name.truncate(name.floor_char_boundary(MAX_LENGTH));
    name
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_host_of_a_database_url_is_found() {
        assert_eq!(host("jdbc:mysql://user:secret@db.example.com:3306/x?y"), Some("db.example.com"));
        assert_eq!(host("postgres://[::1]:5432"), Some("::1"));
        assert_eq!(host("Server=db;Port=1"), None);
    }

    #[test]
    fn a_span_name_loses_what_x_ray_does_not_allow() {
        assert_eq!(from_span("process {foo} \\ größe"), "process foo  größe");
        assert_eq!(from_span("{}"), "span");
        assert_eq!(from_span(&"é".repeat(150)).len(), 200);
        assert_eq!(from_span(&format!("a{}", "é".repeat(150))).len(), 199);
    }
}
