//! Calls over plain HTTP, without a signature.

use std::error::Error;

use reqwest::header::CONTENT_TYPE;
use reqwest::redirect::Policy;
use reqwest::{Client, Response, StatusCode, Url};
use thiserror::Error;

use crate::transport::{MAX_RESPONSE, Operation, Transport};

/// The longest part of an error response that is reported, in characters.
const MAX_REASON: usize = 300;

/// Sends calls to a proxy that signs them: the extension `awsproxy` of the OpenTelemetry collector, or the X-Ray
/// daemon, both of which listen on port 2000
/// (<https://github.com/open-telemetry/opentelemetry-collector-contrib/tree/main/extension/awsproxy>).
#[derive(Clone, Debug)]
pub struct HttpTransport {
    client: Client,
    endpoint: String,
}

/// An invalid endpoint.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum InvalidEndpoint {
    /// It is not a URL with a scheme and a host.
    #[error("expected an address such as http://localhost:2000")]
    NotHttp,
    /// The HTTP client could not be created.
    #[error("cannot create an HTTP client: {0}")]
    Client(#[from] reqwest::Error),
}

/// Why a call over HTTP failed.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum HttpError {
    /// There was no response, or the connection was closed in the middle of it.
    #[error("{0}")]
    NoResponse(String),
    /// The response has a status other than 200.
    #[error("status {status}: {reason}")]
    Refused {
        /// The status.
        status: u16,
        /// The beginning of the body, which is where AWS states the reason.
        reason: String,
    },
    /// The response is longer than [`MAX_RESPONSE`].
    #[error("the response is longer than {MAX_RESPONSE} bytes")]
    TooLong,
}

impl HttpTransport {
    /// Creates a transport to an endpoint such as `http://localhost:2000`, to which the paths of the calls are
    /// appended. An endpoint on this host is reached directly, even if the environment configures an HTTP proxy.
    /// Redirects are not followed.
    ///
    /// # Errors
    /// When the endpoint is not an absolute URL with the scheme `http` or `https`. Calls over `https` fail unless
    /// `reqwest` is built with TLS, a feature that this crate does not enable.
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
        let response = request.send().await.map_err(no_response)?;
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

/// Reads a body in chunks, so that it never takes much more memory than the limit.
async fn read(mut response: Response) -> Result<Vec<u8>, HttpError> {
    let mut body = Vec::new();
    while let Some(chunk) = response.chunk().await.map_err(no_response)? {
        if body.len() + chunk.len() > MAX_RESPONSE {
            return Err(HttpError::TooLong);
        }
        body.extend_from_slice(&chunk);
    }
    Ok(body)
}

fn no_response(error: reqwest::Error) -> HttpError {
    HttpError::NoResponse(innermost(&error.without_url()))
}

/// Returns the innermost cause, such as a refused connection. The outer errors only state that there is one.
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
