//! The request to Apple's push service, which makes a phone ask for changes
//! ([Sending notification requests to APNs](https://developer.apple.com/documentation/usernotifications/sending-notification-requests-to-apns)).

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use http::header::CONTENT_TYPE;
use http::{HeaderMap, Request, StatusCode};
use http_body_util::{BodyExt as _, Full, Limited};
use hyper::body::Incoming;
use hyper_rustls::{ConfigBuilderExt as _, HttpsConnector, HttpsConnectorBuilder};
use hyper_util::client::legacy::Client;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::{TokioExecutor, TokioTimer};
use rustls::{ClientConfig, RootCertStore};
use serde::Deserialize;
use sqs_consumer::Failure;
use telemetry::http_call::HttpCall;
use thiserror::Error;
use tokio::time::timeout;

use crate::device::PushToken;
use crate::endpoint::{APNS, Endpoint};
use crate::identity::Identity;

/// How long a connection may take to be established, with TLS.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(5);
/// How long a connection is kept for the next push. Apple asks for connections to be kept.
const IDLE: Duration = Duration::from_mins(5);
/// How much of an answer's body is read. A refusal is a few words.
const BODY_BYTES: usize = 4 * 1024;
/// How long that may take.
const BODY_TIME: Duration = Duration::from_secs(1);
/// What a push says: nothing, as the phone asks for what has changed.
const PAYLOAD: &[u8] = b"{}";

/// Pushes to phones, by HTTP/2 where the endpoint speaks it. It follows no redirect and uses no proxy.
#[derive(Clone, Debug)]
pub(crate) struct Apns {
    client: Client<HttpsConnector<HttpConnector>, Full<Bytes>>,
    endpoint: Endpoint,
    /// The type of the passes.
    topic: String,
    timeout: Duration,
}

/// Why a push is not known to have been accepted.
#[derive(Debug, Error)]
pub(crate) enum PushError {
    /// The phone is not reached by this token any longer.
    #[error("the push token is not in use")]
    Gone,
    /// Any other refusal.
    #[error("APNs answered with {status} {reason}", status = .status.as_u16())]
    Status {
        /// The status.
        status: StatusCode,
        /// The reason, one word of Apple's.
        reason: String,
    },
    /// There was no answer in time.
    #[error("no answer within {} ms", .0.as_millis())]
    Timeout(Duration),
    /// There is no connection, or it ended without an answer.
    #[error("no answer")]
    Connection {
        /// `connect`, or `connection-lost`.
        code: &'static str,
        #[source]
        source: hyper_util::client::legacy::Error,
    },
    /// The request could not be written.
    #[error("the request cannot be written")]
    Unwritable(#[source] http::Error),
}

impl From<PushError> for Failure {
    fn from(error: PushError) -> Self {
        let (reason, code) = match &error {
            PushError::Gone => ("refused", StatusCode::GONE.as_str().to_owned()),
            PushError::Status { status, .. } => {
                let reason = match status.as_u16() {
                    429 => "throttled",
                    500.. => "unavailable",
                    _ => "misconfigured",
                };
                (reason, status.as_str().to_owned())
            }
            PushError::Timeout(_) => ("unavailable", aws_clients::code::TIMEOUT.to_owned()),
            PushError::Connection { code, .. } => ("unavailable", (*code).to_owned()),
            PushError::Unwritable(_) => return Self::permanent("push-unwritable").because(error),
        };
        Self::Transient {
            reason,
            dependency: Some(APNS),
            // The certificate, the topic or the headers: no push can succeed.
            misconfigured: reason == "misconfigured",
            code: Some(code),
            source: Some(Box::new(error)),
            retry_after: None,
        }
    }
}

/// Why there is no client.
#[derive(Debug, Error)]
pub(crate) enum NoClient {
    /// The certificate or key is none that TLS takes.
    #[error("the certificate of the pass type cannot be used for TLS")]
    Identity(#[from] rustls::pki_types::pem::Error),
    /// The certificate and key are none that TLS takes.
    #[error("the certificate of the pass type cannot be used for TLS")]
    Tls(#[from] rustls::Error),
    /// This system trusts no authority.
    #[error("this system trusts no authority")]
    Roots(#[from] std::io::Error),
}

impl Apns {
    /// Creates a client that identifies itself with the certificate of the pass type `topic`, and abandons a request after
    /// `timeout`.
    ///
    /// # Errors
    /// If the certificate cannot be used, or this system trusts no authority.
    pub(crate) fn new(
        endpoint: Endpoint,
        topic: impl Into<String>,
        identity: &Identity,
        timeout: Duration,
    ) -> Result<Self, NoClient> {
        let mut http = HttpConnector::new();
        http.enforce_http(false);
        http.set_nodelay(true);
        http.set_connect_timeout(Some(CONNECT_TIMEOUT));
        let connector = HttpsConnectorBuilder::new()
            .with_tls_config(tls(endpoint.is_encrypted(), identity)?)
            .https_or_http()
            .enable_http1()
            .enable_http2()
            .wrap_connector(http);
        let client = Client::builder(TokioExecutor::new())
            .pool_timer(TokioTimer::new())
            .pool_idle_timeout(IDLE)
            .build(connector);
        Ok(Self { client, endpoint, topic: topic.into(), timeout })
    }

    /// Makes a phone ask for changes.
    pub(crate) async fn push(&self, token: &PushToken) -> Result<(), PushError> {
        let mut call = HttpCall::post(self.endpoint.peer());
        let request = self.request(token, call.headers()).map_err(PushError::Unwritable)?;
        let answer = match timeout(self.timeout, self.client.request(request)).await {
            Ok(Ok(answer)) => answer,
            Ok(Err(source)) => {
                let code = if source.is_connect() { "connect" } else { "connection-lost" };
                call.failed(code);
                return Err(PushError::Connection { code, source });
            }
            Err(_) => {
                call.failed(aws_clients::code::TIMEOUT);
                return Err(PushError::Timeout(self.timeout));
            }
        };
        let status = answer.status();
        call.answered(status.as_u16());
        if status.is_success() {
            return Ok(());
        }
        let reason = timeout(BODY_TIME, reason(answer.into_body())).await.ok().flatten().unwrap_or_default();
        Err(refusal(status, reason))
    }

    fn request(&self, token: &PushToken, trace: HeaderMap) -> Result<Request<Full<Bytes>>, http::Error> {
        let mut request = Request::post(self.endpoint.of(token))
            .header(CONTENT_TYPE, "application/json")
            .header("apns-topic", &self.topic)
            .header("apns-push-type", "background")
            // The one that is prescribed for what shows nothing by itself.
            .header("apns-priority", "5")
            .body(Full::new(Bytes::from_static(PAYLOAD)))?;
        request.headers_mut().extend(trace);
        Ok(request)
    }
}

/// What a refusal means
/// ([Handling notification responses](https://developer.apple.com/documentation/usernotifications/handling-notification-responses-from-apns)).
fn refusal(status: StatusCode, reason: String) -> PushError {
    let gone = ["BadDeviceToken", "DeviceTokenNotForTopic", "Unregistered", "ExpiredToken"];
    if status == StatusCode::GONE || (status == StatusCode::BAD_REQUEST && gone.contains(&&*reason)) {
        PushError::Gone
    } else {
        PushError::Status { status, reason }
    }
}

/// Reads the reason in the body of a refusal: a word.
async fn reason(body: Incoming) -> Option<String> {
    #[derive(Deserialize)]
    struct Refusal {
        reason: String,
    }
    let body = Limited::new(body, BODY_BYTES).collect().await.ok()?.to_bytes();
    let Refusal { reason } = serde_json::from_slice(&body).ok()?;
    let is_word = reason.len() <= 50 && reason.bytes().all(|byte| byte.is_ascii_alphanumeric());
    is_word.then_some(reason)
}

/// Returns what TLS trusts and shows: the authorities of this system and the certificate, or nothing where TLS is not used.
fn tls(encrypted: bool, identity: &Identity) -> Result<ClientConfig, NoClient> {
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let builder = ClientConfig::builder_with_provider(provider).with_safe_default_protocol_versions()?;
    let (chain, key) = identity.of_client()?;
    let builder = if encrypted {
        builder.with_native_roots()?
    } else {
        builder.with_root_certificates(RootCertStore::empty())
    };
    Ok(builder.with_client_auth_cert(chain, key)?)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_refusal_is_about_the_phone_or_about_everything_or_passes() {
        let of =
            |status: u16, reason: &str| refusal(StatusCode::from_u16(status).unwrap(), reason.to_owned());
        for (status, reason) in
            [(410, "Unregistered"), (410, ""), (400, "BadDeviceToken"), (400, "DeviceTokenNotForTopic")]
        {
            assert!(matches!(of(status, reason), PushError::Gone), "{status} {reason}");
        }
        for (status, reason, expected) in [
            (400, "BadTopic", "misconfigured"),
            (403, "BadCertificate", "misconfigured"),
            (429, "TooManyRequests", "throttled"),
            (503, "ServiceUnavailable", "unavailable"),
        ] {
            let failure = Failure::from(of(status, reason));
            assert_eq!((failure.reason(), failure.dependency()), (expected, Some(APNS)));
        }
    }

    #[test]
    fn the_certificate_of_the_pass_type_is_one_for_tls() {
        let identity = Identity::read(service_test::PASS_IDENTITY).unwrap();
        assert!(tls(false, &identity).unwrap().client_auth_cert_resolver.has_certs());
    }
}
