//! The name of a document. X-Ray draws one node per name, so a segment should have the name of its service.

use opentelemetry_proto::tonic::trace::v1::span::SpanKind;
use opentelemetry_semantic_conventions::attribute;

use super::source::Source;
use super::{Attributes, deprecated, keys};

/// The longest name derived from a span's name, in bytes.
const MAX_LENGTH: usize = 200;

/// Returns the first candidate that is present and not empty.
pub(super) fn of(source: &Source<'_>) -> String {
    let attributes = &source.attributes;
    steered(source)
        .or_else(|| attributes.filled(deprecated::PEER_SERVICE))
        .or_else(|| attributes.filled(keys::AWS_SERVICE))
        .or_else(|| database(attributes))
        .or_else(|| {
            let service = source.resource.filled(attribute::SERVICE_NAME);
            service.filter(|_| source.kind == SpanKind::Server)
        })
        .or_else(|| attributes.filled(deprecated::RPC_SERVICE))
        .or_else(|| attributes.filled(deprecated::HTTP_HOST))
        .or_else(|| attributes.filled(deprecated::NET_PEER_NAME))
        .unwrap_or_else(|| from_span(&source.span.name))
}

/// Returns the name set by the attributes whose only purpose is to name things in X-Ray.
fn steered(source: &Source<'_>) -> Option<String> {
    let attributes = &source.attributes;
    match source.kind {
        SpanKind::Server => attributes.filled(keys::LOCAL_SERVICE),
        SpanKind::Internal if attributes.text(keys::SPAN_KIND) == Some(keys::LOCAL_ROOT) => {
            attributes.filled(keys::LOCAL_SERVICE)
        }
        SpanKind::Client | SpanKind::Producer | SpanKind::Consumer => {
            attributes.filled(keys::REMOTE_SERVICE).map(|name| trimmed(&name, source).to_owned())
        }
        SpanKind::Internal | SpanKind::Unspecified => None,
    }
}

/// Whether the name comes from `aws.service`, which puts the document into the `aws` namespace.
pub(super) fn is_named_by_aws_service(source: &Source<'_>) -> bool {
    source.attributes.contains(keys::AWS_SERVICE)
        && steered(source).is_none()
        && source.attributes.filled(deprecated::PEER_SERVICE).is_none()
}

/// Removes the prefix that some instrumentations put before the name of an AWS service.
pub(super) fn trimmed<'a>(name: &'a str, source: &Source<'_>) -> &'a str {
    if !source.is_aws_call() {
        return name;
    }
    name.strip_prefix("AWS.SDK.").or_else(|| name.strip_prefix("AWS::")).unwrap_or(name)
}

/// Returns `database@host`.
fn database(attributes: &Attributes<'_>) -> Option<String> {
    let name = attributes.filled(deprecated::DB_NAME)?;
    let host = attributes.text(deprecated::DB_CONNECTION_STRING).and_then(host);
    Some(host.map_or_else(|| name.clone(), |host| format!("{name}@{host}")))
}

/// Returns the host of a URL, which may begin with `jdbc:`.
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

/// Removes the characters that X-Ray does not allow in the name of a segment.
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
