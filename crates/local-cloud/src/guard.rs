//! Keeps web pages away from the control API, which lists mail and makes calls fail.
//!
//! A page in a browser on this machine can send requests here: to the loopback address, or to its own domain once that
//! resolves to the loopback address (DNS rebinding). Programs do neither.

use std::net::IpAddr;

use axum::extract::Request;
use axum::middleware::Next;
use axum::response::{IntoResponse, Json, Response};
use http::header::{CONTENT_TYPE, HOST, ORIGIN};
use http::{HeaderMap, Method, StatusCode};
use serde_json::json;

/// Domains that cannot be registered: RFC 6761 reserves the first, ICANN the second for private use, as in
/// `host.docker.internal`.
const OWN_DOMAINS: [&str; 2] = [".localhost", ".internal"];

/// Refuses what a web page could have sent.
pub(crate) async fn only_programs(request: Request, next: Next) -> Response {
    match refusal(request.method(), request.headers()) {
        None => next.run(request).await,
        Some((status, error)) => (status, Json(json!({ "error": error }))).into_response(),
    }
}

fn refusal(method: &Method, headers: &HeaderMap) -> Option<(StatusCode, &'static str)> {
    let text = |name| headers.get(name).map(|value: &http::HeaderValue| value.to_str().unwrap_or_default());
    if text(HOST).is_some_and(|host| !is_own(host)) {
        return Some((
            StatusCode::FORBIDDEN,
            "the Host header names another server: use an IP address, localhost or a name without a dot",
        ));
    }
    let fetched = headers.get("sec-fetch-site").is_some_and(|site| site != "none" && site != "same-origin");
    if headers.contains_key(ORIGIN) || fetched {
        return Some((StatusCode::FORBIDDEN, "requests of web pages are refused"));
    }
    // A page may send a form or plain text anywhere, but JSON only to a server that allows it.
    let is_json = text(CONTENT_TYPE).is_some_and(|kind| {
        kind.split(';').next().is_some_and(|kind| kind.trim().eq_ignore_ascii_case("application/json"))
    });
    if method == Method::POST && !is_json {
        return Some((
            StatusCode::UNSUPPORTED_MEDIA_TYPE,
            "a body of content-type application/json is required",
        ));
    }
    None
}

/// Whether a Host header can only mean this machine, or this program by its name in a container network.
fn is_own(host: &str) -> bool {
    let name = match host.strip_prefix('[').and_then(|rest| rest.split_once(']')) {
        Some((address, _)) => address,
        None => host.rsplit_once(':').map_or(host, |(name, _)| name),
    };
    let name = name.trim_end_matches('.').to_ascii_lowercase();
    name.parse::<IpAddr>().is_ok()
        || !name.contains('.')
        || OWN_DOMAINS.iter().any(|domain| name.ends_with(domain))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn status(method: &Method, headers: &[(&'static str, &'static str)]) -> Option<u16> {
        let headers = headers.iter().map(|(name, value)| {
            (http::HeaderName::from_static(name), http::HeaderValue::from_static(value))
        });
        refusal(method, &headers.collect()).map(|(status, _)| status.as_u16())
    }

    #[test]
    fn names_that_a_page_cannot_own_are_taken() {
        for host in [
            "127.0.0.1:4566",
            "localhost:4566",
            "LOCALHOST",
            "[::1]:4566",
            "cloud:4566",
            "172.18.0.2",
            "a.localhost",
            "host.docker.internal:4566",
        ] {
            assert!(is_own(host), "{host}");
        }
        for host in ["evil.example", "evil.example:4566", "127.0.0.1.evil.example", "localhost.evil.example"]
        {
            assert!(!is_own(host), "{host}");
        }
    }

    #[test]
    fn a_page_can_send_nothing_that_is_taken() {
        let json = ("content-type", "application/json");
        let host = ("host", "127.0.0.1:4566");
        assert_eq!(status(&Method::POST, &[host, ("content-type", "application/json; charset=utf-8")]), None);
        assert_eq!(status(&Method::GET, &[host]), None);
        assert_eq!(status(&Method::DELETE, &[host]), None);
        assert_eq!(status(&Method::GET, &[host, ("sec-fetch-site", "none")]), None, "typed by a person");
        for method in [Method::GET, Method::POST, Method::DELETE] {
            assert_eq!(status(&method, &[json, ("host", "evil.example")]), Some(403));
            assert_eq!(status(&method, &[json, host, ("origin", "http://evil.example")]), Some(403));
            assert_eq!(status(&method, &[json, host, ("origin", "null")]), Some(403));
            assert_eq!(status(&method, &[json, host, ("sec-fetch-site", "cross-site")]), Some(403));
        }
        assert_eq!(status(&Method::POST, &[host]), Some(415));
        assert_eq!(status(&Method::POST, &[host, ("content-type", "text/plain")]), Some(415));
    }
}
