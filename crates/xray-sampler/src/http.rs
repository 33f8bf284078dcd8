//! Calls over plain HTTP, without a signature.

use std::error::Error;

use reqwest::header::CONTENT_TYPE;
use reqwest::redirect::Policy;
use reqwest::{Client, Response, StatusCode, Url};
use thiserror::Error;

use crate::transport::{MAX_ANSWER, Operation, Transport};

/// The longest part of an error's body that is repeated, in characters.
const MAX_REASON: usize = 300;

/// Sends calls to a proxy that signs them: the extension `awsproxy` of the OpenTelemetry collector, or the X-Ray daemon,
/// both of which listen on port 2000 (<https://github.com/open-telemetry/opentelemetry-collector-contrib/tree/main/extension/awsproxy>).
#[derive(Clone, Debug)]
pub struct HttpTransport {
    client: Client,
    endpoint: String,
}

/// An endpoint that cannot be used.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum InvalidEndpoint {
    /// It is not a URL with a scheme and a host.
    #[error("expected an address such as http://localhost:2000")]
    NotHttp,
    /// No HTTP client could be created.
    #[error("no HTTP client: {0}")]
    Client(#[from] reqwest::Error),
}

/// Why a call over HTTP failed.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum HttpError {
    /// There was no answer, or it broke off.
    #[error("{0}")]
    NoAnswer(String),
    /// The answer has a status other than 200.
    #[error("status {status}: {reason}")]
    Refused {
        /// The status.
        status: u16,
        /// The beginning of the body, in which AWS names the reason.
        reason: String,
    },
    /// The answer is longer than [`MAX_ANSWER`].
    #[error("the answer is longer than {MAX_ANSWER} bytes")]
    TooLong,
}

impl HttpTransport {
    /// Creates a transport to an endpoint such as `http://localhost:2000`. Paths are appended to it. A proxy on this host
    /// is reached directly, whatever the environment says about HTTP proxies, and redirects are not followed.
    ///
    /// # Errors
    /// When the endpoint is not an absolute URL with the scheme `http` or `https`. The latter needs a `reqwest` built with
    /// TLS, as this crate's is not.
    pub fn new(endpoint: &str) -> Result<Self, InvalidEndpoint> {
        let url: Url = endpoint.parse().map_err(|_| InvalidEndpoint::NotHttp)?;
        if !matches!(url.scheme(), "http" | "https") || !url.has_host() {
            return Err(InvalidEndpoint::NotHttp);
        }
        let client = Client::builder().redirect(Policy::none());
        let client = if is_loopback(&url) { client.no_proxy() } else { client };
        Ok(Self { client: client.build()?, endpoint: endpoint.trim_end_matches('/').to_owned() })
    }
}

impl Transport for HttpTransport {
    type Error = HttpError;

    async fn post(&self, operation: Operation, body: Vec<u8>) -> Result<Vec<u8>, HttpError> {
        let request = self
            .client
            .post(format!("{}{}", self.endpoint, operation.path()))
            .header(CONTENT_TYPE, "application/json")
            .body(body);
        let response = request.send().await.map_err(no_answer)?;
        match response.status() {
            StatusCode::OK => read(response).await,
            status => {
                let body = read(response).await.unwrap_or_default();
                let reason = String::from_utf8_lossy(&body).chars().take(MAX_REASON).collect();
                Err(HttpError::Refused { status: status.as_u16(), reason })
            }
        }
    }
}

/// Reads a body piece by piece, so that no more than the limit is ever in memory.
async fn read(mut response: Response) -> Result<Vec<u8>, HttpError> {
    let mut body = Vec::new();
    while let Some(chunk) = response.chunk().await.map_err(no_answer)? {
        if body.len() + chunk.len() > MAX_ANSWER {
            return Err(HttpError::TooLong);
        }
        body.extend_from_slice(&chunk);
    }
    Ok(body)
}

fn no_answer(error: reqwest::Error) -> HttpError {
    HttpError::NoAnswer(innermost(&error.without_url()))
}

/// Returns the innermost cause, such as a refused connection; the outer ones only say that there is one.
fn innermost(error: &dyn Error) -> String {
    error.source().map_or_else(|| error.to_string(), innermost)
}

fn is_loopback(url: &Url) -> bool {
    let host = url.host_str().unwrap_or_default().trim_matches(['[', ']']);
    host == "localhost" || host.parse::<std::net::IpAddr>().is_ok_and(|address| address.is_loopback())
}

#[cfg(test)]
mod tests {
    use super::{HttpTransport, is_loopback};

    #[test]
    fn an_endpoint_needs_a_scheme_and_a_host() {
        for endpoint in
            ["localhost:2000", "collector", "", "ftp://collector:2000", "http://", "unix:/run/xray"]
        {
            assert!(HttpTransport::new(endpoint).is_err(), "{endpoint}");
        }
        for endpoint in ["http://localhost:2000", "http://10.0.0.7:2000/", "https://collector/xray"] {
            assert!(HttpTransport::new(endpoint).is_ok(), "{endpoint}");
        }
    }

    #[test]
    fn only_this_host_is_loopback() {
        let is_loopback = |url: &str| is_loopback(&url.parse().unwrap());
        assert!(is_loopback("http://localhost:2000"));
        assert!(is_loopback("http://127.0.0.1:2000"));
        assert!(is_loopback("http://[::1]:2000"));
        assert!(!is_loopback("http://collector:2000"));
        assert!(!is_loopback("http://10.0.0.7:2000"));
    }
}
