//! The `http` block, from the deprecated and the stable HTTP conventions alike.

use std::net::IpAddr;

use opentelemetry_proto::tonic::common::v1::any_value::Value as Any;
use opentelemetry_proto::tonic::trace::v1::Span;
use opentelemetry_proto::tonic::trace::v1::span::SpanKind;
use opentelemetry_semantic_conventions::attribute;
use xray::{Http, HttpRequest, HttpResponse};

use super::{Attributes, deprecated, keys};

/// Any of these makes a span an HTTP span.
const OF_HTTP: [&str; 15] = [
    deprecated::HTTP_METHOD,
    attribute::HTTP_REQUEST_METHOD,
    deprecated::HTTP_CLIENT_IP,
    deprecated::HTTP_USER_AGENT,
    attribute::USER_AGENT_ORIGINAL,
    deprecated::HTTP_STATUS_CODE,
    attribute::HTTP_RESPONSE_STATUS_CODE,
    deprecated::HTTP_URL,
    attribute::URL_FULL,
    deprecated::HTTP_SCHEME,
    attribute::URL_SCHEME,
    deprecated::HTTP_HOST,
    deprecated::HTTP_TARGET,
    deprecated::HTTP_SERVER_NAME,
    deprecated::NET_HOST_PORT,
];
/// So do these, which are also parts of the URL.
const PATH_AND_QUERY: [&str; 2] = [attribute::URL_PATH, attribute::URL_QUERY];
/// These do not, but they are removed from the attributes all the same.
const OF_THE_CONNECTION: [&str; 9] = [
    attribute::HOST_NAME,
    deprecated::NET_HOST_NAME,
    deprecated::NET_PEER_NAME,
    deprecated::NET_PEER_PORT,
    deprecated::NET_PEER_IP,
    attribute::NETWORK_PEER_ADDRESS,
    attribute::CLIENT_ADDRESS,
    attribute::SERVER_ADDRESS,
    attribute::SERVER_PORT,
];
/// Without one of these, or the peer's address, there is no host and hence no URL.
const OF_A_HOST: [&str; 9] = [
    deprecated::HTTP_URL,
    attribute::URL_FULL,
    deprecated::HTTP_HOST,
    deprecated::HTTP_SERVER_NAME,
    attribute::HOST_NAME,
    deprecated::NET_HOST_NAME,
    deprecated::NET_PEER_NAME,
    deprecated::NET_PEER_IP,
    attribute::SERVER_ADDRESS,
];

pub(super) fn take(attributes: &mut Attributes<'_>, span: &Span, kind: SpanKind) -> Option<Http> {
    let is_http = OF_HTTP.iter().chain(&PATH_AND_QUERY).any(|key| attributes.contains(key));
    let block = is_http.then(|| block(attributes, span, kind));
    for key in OF_HTTP.iter().chain(&PATH_AND_QUERY).chain(&OF_THE_CONNECTION) {
        attributes.remove(key);
    }
    block
}

fn block(all: &Attributes<'_>, span: &Span, kind: SpanKind) -> Http {
    let peer = address(all, attribute::NETWORK_PEER_ADDRESS);
    let old_peer = all.filled(deprecated::NET_PEER_IP);
    let behind_no_proxy = peer.is_some() || all.contains(deprecated::NET_PEER_IP);
    let client_ip = address(all, attribute::CLIENT_ADDRESS)
        .or_else(|| all.filled(deprecated::HTTP_CLIENT_IP))
        .or(old_peer)
        .or_else(|| peer.clone());
    let has_host = peer.is_some() || OF_A_HOST.iter().any(|key| all.contains(key));
    let server = kind == SpanKind::Server;
    Http {
        request: Some(HttpRequest {
            method: first_text(all, &[attribute::HTTP_REQUEST_METHOD, deprecated::HTTP_METHOD]),
            url: has_host.then(|| if server { server_url(all) } else { client_url(all) }),
            user_agent: first_text(all, &[attribute::USER_AGENT_ORIGINAL, deprecated::HTTP_USER_AGENT]),
            x_forwarded_for: (client_ip.is_some() && !behind_no_proxy).then_some(true),
            client_ip,
            ..HttpRequest::default()
        }),
        response: Some(HttpResponse {
            status: status(span),
            content_length: Some(content_length(all, span)),
            ..HttpResponse::default()
        }),
    }
}

/// Returns the last status of the span, deprecated or stable. A throttled call has both, and they differ.
fn status(span: &Span) -> Option<i64> {
    let is_status =
        |key: &str| [deprecated::HTTP_STATUS_CODE, attribute::HTTP_RESPONSE_STATUS_CODE].contains(&key);
    let last = span.attributes.iter().rev().find(|attribute| is_status(&attribute.key))?;
    match last.value.as_ref()?.value.as_ref()? {
        Any::IntValue(status) => Some(*status),
        _ => Some(0),
    }
}

fn address(attributes: &Attributes<'_>, key: &str) -> Option<String> {
    attributes.filled(key).filter(|text| text.parse::<IpAddr>().is_ok())
}

fn first_text(attributes: &Attributes<'_>, keys: &[&str]) -> Option<String> {
    keys.iter().find_map(|key| attributes.filled(key))
}

/// Returns the first port found. Most instrumentations record a number, some a string.
fn first_port(attributes: &Attributes<'_>, keys: &[&str]) -> Option<String> {
    keys.iter().find_map(|key| match attributes.get(key)? {
        Any::StringValue(port) if !port.is_empty() => Some(port.clone()),
        Any::IntValue(port) => Some(port.to_string()),
        _ => None,
    })
}

fn client_url(attributes: &Attributes<'_>) -> String {
    let host = first_text(attributes, &[deprecated::HTTP_HOST]);
    let port = match host {
        Some(_) => None,
        None => first_port(attributes, &[deprecated::NET_PEER_PORT, attribute::NETWORK_PEER_PORT]),
    };
    let host = host.or_else(|| {
        first_text(
            attributes,
            &[deprecated::NET_PEER_NAME, deprecated::NET_PEER_IP, attribute::SERVER_ADDRESS],
        )
    });
    url(attributes, host, port)
}

fn server_url(attributes: &Attributes<'_>) -> String {
    let host = first_text(attributes, &[deprecated::HTTP_HOST]);
    let port = match host {
        Some(_) => None,
        None => first_port(attributes, &[deprecated::NET_HOST_PORT, attribute::SERVER_PORT]),
    };
    let host = host.or_else(|| {
        first_text(
            attributes,
            &[
                deprecated::HTTP_SERVER_NAME,
                deprecated::NET_HOST_NAME,
                attribute::HOST_NAME,
                attribute::SERVER_ADDRESS,
            ],
        )
    });
    url(attributes, host, port)
}

fn url(attributes: &Attributes<'_>, host: Option<String>, port: Option<String>) -> String {
    if let Some(full) = first_text(attributes, &[attribute::URL_FULL, deprecated::HTTP_URL]) {
        return full;
    }
    let scheme = first_text(attributes, &[attribute::URL_SCHEME, deprecated::HTTP_SCHEME])
        .unwrap_or_else(|| "http".to_owned());
    let usual = match scheme.as_str() {
        "http" => Some("80"),
        "https" => Some("443"),
        _ => None,
    };
    let mut url = format!("{scheme}://{}", host.unwrap_or_default());
    if let Some(port) = port.filter(|port| Some(port.as_str()) != usual) {
        url.push(':');
        url.push_str(&port);
    }
    if let Some(target) = attributes.text(deprecated::HTTP_TARGET) {
        return url + target;
    }
    url.push_str(attributes.text(attribute::URL_PATH).unwrap_or("/"));
    if let Some(query) = attributes.text(attribute::URL_QUERY) {
        if !query.starts_with('?') {
            url.push('?');
        }
        url.push_str(query);
    }
    url
}

/// Returns the size of the response if it was recorded as a received message, otherwise 0.
fn content_length(attributes: &Attributes<'_>, span: &Span) -> i64 {
    let received = |attributes: &Attributes<'_>| {
        (attributes.text(deprecated::MESSAGE_TYPE) == Some("RECEIVED"))
            .then(|| attributes.integer(keys::PAYLOAD_SIZE))
            .flatten()
            .filter(|size| *size != 0)
    };
    received(attributes)
        .or_else(|| span.events.iter().find_map(|event| received(&Attributes::of(&event.attributes))))
        .unwrap_or(0)
}
