//! Requests to the collector: OTLP over HTTP with protobuf (<https://opentelemetry.io/docs/specs/otlp/#otlphttp>).

use std::error::Error;
use std::time::Duration;

use bytes::Bytes;
use http::header::{CONTENT_TYPE, RETRY_AFTER};
use http::{Response, StatusCode};
use thiserror::Error;
use ureq::{Agent, Body};

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
    agent: Agent,
    url: String,
    timeout: Duration,
}

impl Collector {
    /// Creates a blocking client that starts no threads, because exports run on threads without an async runtime. The
    /// collector is never reached through a proxy: it is near the service, and its address is plain HTTP.
    pub(crate) fn new(url: &str, timeout: Duration) -> Self {
        let config = Agent::config_builder().proxy(None).http_status_as_error(false).max_redirects(0);
        Self { agent: config.build().new_agent(), url: url.to_owned(), timeout }
    }

    /// Sends one request, within the export timeout and at most `within`. Returns the body of the response.
    pub(crate) fn post(&self, request: &Bytes, within: Duration) -> Result<Vec<u8>, ExportError> {
        let response = self
            .agent
            .post(&self.url)
            .header(CONTENT_TYPE, "application/x-protobuf")
            .config()
            .timeout_global(Some(self.timeout.min(within)))
            .build()
            .send(&request[..])
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
fn retry_after(response: &Response<Body>) -> Option<Duration> {
    let seconds = response.headers().get(RETRY_AFTER)?.to_str().ok()?.trim().parse().ok()?;
    Some(Duration::from_secs(seconds).min(MAX_RETRY_AFTER))
}

fn body(mut response: Response<Body>) -> Vec<u8> {
    let read = response.body_mut().with_config().limit(MAX_RESPONSE).read_to_vec();
    // The request was accepted; only the details of how are unknown.
    read.unwrap_or_default()
}
