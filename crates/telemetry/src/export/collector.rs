//! Requests to the collector: OTLP over HTTP with protobuf (<https://opentelemetry.io/docs/specs/otlp/#otlphttp>).

use std::error::Error;
use std::io::Read as _;
use std::time::Duration;

use bytes::Bytes;
use http::StatusCode;
use http::header::{CONTENT_TYPE, RETRY_AFTER};
use reqwest::blocking::{Client, Response};
use thiserror::Error;

/// The longest response that is read; a longer one counts as empty.
const MAX_RESPONSE: u64 = 64 * 1024;

/// The longest pause that a collector may ask for.
const MAX_RETRY_AFTER: Duration = Duration::from_secs(30);

/// Why the collector did not accept a request.
#[derive(Debug, Error)]
pub(crate) enum ExportError {
    /// It did not answer, or asked to be asked later: the same request may succeed then.
    #[error("{reason}")]
    Unavailable {
        /// The cause, without the address.
        reason: String,
        /// The pause that the collector asked for.
        retry_after: Option<Duration>,
    },
    /// It will never accept this request.
    #[error("the collector answered {0}")]
    Rejected(StatusCode),
}

/// The collector's address for one signal.
#[derive(Debug)]
pub(crate) struct Collector {
    client: Client,
    url: String,
    timeout: Duration,
}

impl Collector {
    /// Creates a blocking client, because exports run on threads without an async runtime; call this on such a thread
    /// too. A collector on this host is never reached through a proxy.
    pub(crate) fn new(url: &str, timeout: Duration) -> Result<Self, reqwest::Error> {
        let client = Client::builder();
        let client = if is_loopback(url) { client.no_proxy() } else { client };
        Ok(Self { client: client.build()?, url: url.to_owned(), timeout })
    }

    /// Sends one request, within the export timeout and at most `within`. Returns the body of the response.
    pub(crate) fn post(&self, request: Bytes, within: Duration) -> Result<Vec<u8>, ExportError> {
        let response = self
            .client
            .post(&self.url)
            .header(CONTENT_TYPE, "application/x-protobuf")
            .timeout(self.timeout.min(within))
            .body(request)
            .send()
            .map_err(|error| ExportError::Unavailable { reason: cause(&error), retry_after: None })?;
        match response.status() {
            status if status.is_success() => Ok(body(response)),
            // The statuses after which the standard asks for a retry.
            status @ (StatusCode::TOO_MANY_REQUESTS
            | StatusCode::BAD_GATEWAY
            | StatusCode::SERVICE_UNAVAILABLE
            | StatusCode::GATEWAY_TIMEOUT) => Err(ExportError::Unavailable {
                reason: format!("the collector answered {status}"),
                retry_after: retry_after(&response),
            }),
            status => Err(ExportError::Rejected(status)),
        }
    }
}

/// Returns the innermost cause, such as a refused connection; the outer ones only say that there is one.
fn cause(error: &dyn Error) -> String {
    match error.source() {
        Some(source) => cause(source),
        None => error.to_string(),
    }
}

/// Returns the pause that the response asks for in seconds. A date is ignored: the backoff is as good.
fn retry_after(response: &Response) -> Option<Duration> {
    let seconds = response.headers().get(RETRY_AFTER)?.to_str().ok()?.trim().parse().ok()?;
    Some(Duration::from_secs(seconds).min(MAX_RETRY_AFTER))
}

fn body(response: Response) -> Vec<u8> {
    let mut body = Vec::new();
    match response.take(MAX_RESPONSE).read_to_end(&mut body) {
        Ok(read) if (read as u64) < MAX_RESPONSE => body,
        // The request was accepted; only the details of how are unknown.
        _ => Vec::new(),
    }
}

fn is_loopback(url: &str) -> bool {
    let Ok(uri) = url.parse::<http::Uri>() else { return false };
    let host = uri.host().unwrap_or_default().trim_matches(['[', ']']);
    host == "localhost" || host.parse::<std::net::IpAddr>().is_ok_and(|address| address.is_loopback())
}

#[cfg(test)]
mod tests {
    use super::is_loopback;

    #[test]
    fn only_this_host_is_loopback() {
        assert!(is_loopback("http://localhost:4318/v1/traces"));
        assert!(is_loopback("http://127.0.0.1:4318/v1/traces"));
        assert!(is_loopback("http://[::1]:4318/v1/traces"));
        assert!(!is_loopback("http://collector:4318/v1/traces"));
        assert!(!is_loopback("http://10.0.0.7:4318/v1/traces"));
    }
}
