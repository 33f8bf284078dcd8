//! The HTTP attributes of a span, under their current and their former names.
//!
//! Current names: <https://opentelemetry.io/docs/specs/semconv/http/http-spans/>; former ones:
//! <https://opentelemetry.io/docs/specs/semconv/non-normative/http-migration/>.

#![expect(deprecated, reason = "older instrumentation is matched too")]

use opentelemetry::{KeyValue, Value};
use opentelemetry_semantic_conventions::attribute;

/// The values that rules are matched against. Absent ones are empty.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Http<'a> {
    /// The path of the URL, without the query.
    pub(crate) path: &'a str,
    pub(crate) method: &'a str,
    /// The host's name, without the port.
    pub(crate) host: &'a str,
}

impl<'a> Http<'a> {
    pub(crate) fn of(attributes: &'a [KeyValue]) -> Self {
        Self {
            path: path(attributes).unwrap_or_default(),
            method: method(attributes).unwrap_or_default(),
            host: host(attributes).unwrap_or_default(),
        }
    }
}

fn path(attributes: &[KeyValue]) -> Option<&str> {
    text(attributes, attribute::URL_PATH)
        .or_else(|| text(attributes, attribute::URL_FULL).and_then(path_of_url))
        .or_else(|| text(attributes, attribute::HTTP_TARGET).map(without_query))
        .or_else(|| text(attributes, attribute::HTTP_URL).and_then(path_of_url))
}

fn method(attributes: &[KeyValue]) -> Option<&str> {
    /// What instrumentation records for a method that it does not know; the original is in another attribute.
    const OTHER: &str = "_OTHER";
    match text(attributes, attribute::HTTP_REQUEST_METHOD) {
        Some(OTHER) => text(attributes, attribute::HTTP_REQUEST_METHOD_ORIGINAL).or(Some(OTHER)),
        Some(method) => Some(method),
        None => text(attributes, attribute::HTTP_METHOD),
    }
}

fn host(attributes: &[KeyValue]) -> Option<&str> {
    text(attributes, attribute::SERVER_ADDRESS)
        .or_else(|| text(attributes, attribute::HTTP_HOST).map(without_port))
        .or_else(|| text(attributes, attribute::NET_HOST_NAME))
}

/// Returns the value of the last attribute with a key if it is a string. The last one is also the one that is exported.
pub(crate) fn text<'a>(attributes: &'a [KeyValue], key: &str) -> Option<&'a str> {
    let attribute = attributes.iter().rev().find(|attribute| attribute.key.as_str() == key)?;
    match &attribute.value {
        Value::String(text) => Some(text.as_str()),
        _ => None,
    }
}

/// Returns the path of an absolute URL, which is `/` if it ends with the host.
fn path_of_url(url: &str) -> Option<&str> {
    let (_, after_scheme) = url.split_once("://")?;
    let path = after_scheme.find(['/', '?', '#']).map_or("", |start| &after_scheme[start..]);
    Some(if path.starts_with('/') { without_query(path) } else { "/" })
}

fn without_query(target: &str) -> &str {
    target.split(['?', '#']).next().unwrap_or_default()
}

/// Removes the port from the value of a `Host` header.
fn without_port(host: &str) -> &str {
    match host.rsplit_once(':') {
        // An IPv6 address is in brackets if a port follows.
        Some((name, port)) if port.bytes().all(|byte| byte.is_ascii_digit()) => {
            if name.contains(':') && !name.ends_with(']') { host } else { name }
        }
        _ => host,
    }
}

#[cfg(test)]
mod tests {
    use opentelemetry::KeyValue;

    use super::{Http, path_of_url, without_port};

    fn http(attributes: &[KeyValue]) -> (&str, &str, &str) {
        let Http { path, method, host } = Http::of(attributes);
        (path, method, host)
    }

    #[test]
    fn current_names_are_read() {
        let attributes = [
            KeyValue::new("url.path", "/v1/events"),
            KeyValue::new("http.request.method", "POST"),
            KeyValue::new("server.address", "api.example.com"),
        ];
        assert_eq!(http(&attributes), ("/v1/events", "POST", "api.example.com"));
    }

    #[test]
    fn former_names_are_read_only_in_the_absence_of_current_ones() {
        let mut attributes = vec![
            KeyValue::new("http.target", "/old?page=1"),
            KeyValue::new("http.method", "GET"),
            KeyValue::new("http.host", "old.example.com:8080"),
            KeyValue::new("net.host.name", "older.example.com"),
        ];
        assert_eq!(http(&attributes), ("/old", "GET", "old.example.com"));
        attributes.extend([
            KeyValue::new("url.full", "https://api.example.com/new?page=1"),
            KeyValue::new("http.request.method", "PUT"),
            KeyValue::new("server.address", "api.example.com"),
        ]);
        assert_eq!(http(&attributes), ("/new", "PUT", "api.example.com"));
        let oldest = [
            KeyValue::new("http.url", "http://old.example.com/oldest#top"),
            KeyValue::new("net.host.name", "older.example.com"),
        ];
        assert_eq!(http(&oldest), ("/oldest", "", "older.example.com"));
    }

    #[test]
    fn a_method_unknown_to_the_instrumentation_is_read_from_its_original() {
        let other = KeyValue::new("http.request.method", "_OTHER");
        let original = KeyValue::new("http.request.method_original", "PURGE");
        assert_eq!(http(&[other.clone(), original]).1, "PURGE");
        assert_eq!(http(&[other]).1, "_OTHER");
    }

    #[test]
    fn the_last_attribute_of_a_key_wins_and_only_strings_are_read() {
        let attributes = [KeyValue::new("url.path", "/first"), KeyValue::new("url.path", "/second")];
        assert_eq!(http(&attributes).0, "/second");
        assert_eq!(http(&[KeyValue::new("url.path", 7)]).0, "");
    }

    #[test]
    fn the_path_of_a_url_ends_before_the_query() {
        for (url, path) in [
            ("https://example.com/a/b?c=/d", Some("/a/b")),
            ("https://example.com", Some("/")),
            ("https://example.com?q=/x", Some("/")),
            ("https://example.com#/x", Some("/")),
            ("https://example.com/", Some("/")),
            ("/only/a/path", None),
            ("", None),
        ] {
            assert_eq!(path_of_url(url), path, "{url}");
        }
    }

    #[test]
    fn a_port_is_not_part_of_the_host() {
        for (host, name) in [
            ("example.com:8080", "example.com"),
            ("example.com", "example.com"),
            ("[::1]:80", "[::1]"),
            ("[::1]", "[::1]"),
            ("::1", "::1"),
            ("", ""),
        ] {
            assert_eq!(without_port(host), name, "{host}");
        }
    }
}
