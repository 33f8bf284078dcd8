//! The request to the webhook.

use std::error::Error;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use http::header::{CONTENT_TYPE, USER_AGENT};
use http::{HeaderMap, HeaderValue, Request, StatusCode};
use http_body_util::{BodyExt as _, Full};
use hyper::body::Incoming;
use hyper_rustls::{ConfigBuilderExt as _, HttpsConnector, HttpsConnectorBuilder};
use hyper_util::client::legacy::Client;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::{TokioExecutor, TokioTimer};
use jiff::Timestamp;
use rustls::{ClientConfig, RootCertStore};
use sqs_consumer::Failure;
use telemetry::http_call::HttpCall;
use thiserror::Error;
use tokio::time::timeout;
use uuid::Uuid;
use webhook_signature::{ID_HEADER, SIGNATURE_HEADER, Secrets, TIMESTAMP_HEADER};

use crate::resolver::{GuardedResolver, ResolveError};
use crate::retry_after;
use crate::target::Target;

/// The dependency that is named when the webhook is at fault.
pub(crate) const WEBHOOK: &str = "webhook";

/// How long a connection may take to be established, with TLS.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(5);
/// How long a connection is kept for the next push: less than what load balancers allow by default.
const IDLE: Duration = Duration::from_secs(30);
/// How much of an answer's body is read, so that its connection can be used again. Nobody reads what it says.
const BODY_BYTES: usize = 4 * 1024;
/// How long that may take.
const BODY_TIME: Duration = Duration::from_secs(1);

/// Pushes to one endpoint, each in exactly one request. It follows no redirect and uses no proxy.
#[derive(Clone, Debug)]
pub(crate) struct Webhook {
    client: Client<HttpsConnector<HttpConnector<GuardedResolver>>, Full<Bytes>>,
    target: Target,
    secrets: Secrets,
    timeout: Duration,
}

/// Why a push is not known to have arrived.
#[derive(Debug, Error)]
pub(crate) enum PushError {
    /// The endpoint does not exist any longer, and wants no more pushes.
    #[error("endpoint answered with 410")]
    Gone,
    /// Any other status than 2xx.
    #[error("endpoint answered with {status}", status = .status.as_u16())]
    Status {
        /// The status.
        status: StatusCode,
        /// How long the endpoint wants to be left alone.
        retry_after: Option<Duration>,
    },
    /// There was no answer in time.
    #[error("no answer within {} ms", .0.as_millis())]
    Timeout(Duration),
    /// The host's addresses are none that may be connected to.
    #[error("the host has no address that may be connected to")]
    Forbidden,
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

impl PushError {
    /// Returns the status, or a word in its place.
    fn code(&self) -> String {
        match self {
            Self::Gone => StatusCode::GONE.as_str().to_owned(),
            Self::Status { status, .. } => status.as_str().to_owned(),
            Self::Timeout(_) | Self::Forbidden | Self::Connection { .. } | Self::Unwritable(_) => {
                self.word().to_owned()
            }
        }
    }

    /// Returns the word for the absence of an answer.
    fn word(&self) -> &'static str {
        match self {
            Self::Timeout(_) => aws_clients::code::TIMEOUT,
            Self::Forbidden => "forbidden-address",
            Self::Connection { code, .. } => code,
            Self::Unwritable(_) => "unwritable",
            Self::Gone | Self::Status { .. } => "status",
        }
    }

    /// Returns the failure of a message, to be tried again after `pause`, or later if the endpoint says so.
    ///
    /// Every failure names the webhook: when most pushes fail, receiving pauses, whatever the status.
    pub(crate) fn into_failure(self, pause: Duration) -> Failure {
        let (reason, retry_after) = match &self {
            Self::Status { status, retry_after } => {
                let reason = match status.as_u16() {
                    429 => "throttled",
                    500.. => "unavailable",
                    _ => "refused",
                };
                (reason, Some(retry_after.unwrap_or_default().max(pause)))
            }
            Self::Timeout(_) | Self::Connection { .. } => ("unavailable", Some(pause)),
            Self::Gone => ("refused", Some(pause)),
            // A deployment or a zone must be corrected, and then every message can succeed at once.
            Self::Forbidden => ("misconfigured", None),
            Self::Unwritable(_) => return Failure::permanent("push-unwritable").because(self),
        };
        Failure::Transient {
            reason,
            dependency: Some(WEBHOOK),
            misconfigured: matches!(self, Self::Forbidden),
            code: Some(self.code()),
            source: Some(Box::new(self)),
            retry_after,
        }
    }
}

impl Webhook {
    /// Creates a client for `target` that signs with `secrets` and abandons a request after `timeout`.
    ///
    /// # Errors
    /// If the target is reached over TLS and this system trusts no authority.
    pub(crate) fn new(target: Target, secrets: Secrets, timeout: Duration) -> std::io::Result<Self> {
        let mut http = HttpConnector::new_with_resolver(GuardedResolver { private: target.private });
        http.enforce_http(false);
        http.set_nodelay(true);
        http.set_connect_timeout(Some(CONNECT_TIMEOUT));
        let connector = HttpsConnectorBuilder::new()
            .with_tls_config(tls(target.is_encrypted())?)
            .https_or_http()
            .enable_http1()
            .wrap_connector(http);
        let client = Client::builder(TokioExecutor::new())
            .pool_timer(TokioTimer::new())
            .pool_idle_timeout(IDLE)
            .build(connector);
        Ok(Self { client, target, secrets, timeout })
    }

    /// Pushes a body. `id` is the same whenever the same push is repeated.
    pub(crate) async fn push(&self, id: Uuid, body: Bytes) -> Result<(), PushError> {
        let mut call = HttpCall::post(self.target.peer(WEBHOOK));
        let request = self.request(id, body, call.headers()).map_err(PushError::Unwritable)?;
        let answer = match timeout(self.timeout, self.client.request(request)).await {
            Ok(Ok(answer)) => answer,
            Ok(Err(error)) => {
                let error = failed(error);
                call.failed(error.word());
                return Err(error);
            }
            Err(_) => {
                let error = PushError::Timeout(self.timeout);
                call.failed(error.word());
                return Err(error);
            }
        };
        let status = answer.status();
        call.answered(status.as_u16());
        let retry_after = retry_after::read(answer.headers(), Timestamp::now());
        // What the body says, and whether it arrives, changes nothing.
        drop(timeout(BODY_TIME, read_some(answer.into_body())).await);
        match status {
            _ if status.is_success() => Ok(()),
            StatusCode::GONE => Err(PushError::Gone),
            _ => Err(PushError::Status { status, retry_after }),
        }
    }

    /// Returns the webhook's host.
    pub(crate) fn host(&self) -> &str {
        self.target.host()
    }

    fn request(&self, id: Uuid, body: Bytes, trace: HeaderMap) -> Result<Request<Full<Bytes>>, http::Error> {
        let id = id.to_string();
        let now_s = Timestamp::now().as_second();
        let mut request = Request::post(self.target.uri().clone())
            .header(CONTENT_TYPE, "application/json")
            .header(USER_AGENT, concat!("foostore-app/", env!("CARGO_PKG_VERSION")))
            .header(ID_HEADER, &id)
            .header(TIMESTAMP_HEADER, now_s)
            .header(SIGNATURE_HEADER, HeaderValue::try_from(self.secrets.sign(&id, now_s, &body))?)
            .body(Full::new(body))?;
        request.headers_mut().extend(trace);
        Ok(request)
    }
}

/// Returns what TLS trusts: the authorities of this system, or nobody where TLS is not used.
fn tls(encrypted: bool) -> std::io::Result<ClientConfig> {
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let builder = ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .map_err(std::io::Error::other)?;
    let builder = if encrypted {
        builder.with_native_roots()?
    } else {
        builder.with_root_certificates(RootCertStore::empty())
    };
    Ok(builder.with_no_client_auth())
}

/// Reads a request's failure: the resolver's refusal is among its causes.
fn failed(error: hyper_util::client::legacy::Error) -> PushError {
    let mut cause: Option<&(dyn Error + 'static)> = error.source();
    while let Some(error) = cause {
        if matches!(error.downcast_ref(), Some(ResolveError::Forbidden)) {
            return PushError::Forbidden;
        }
        cause = error.source();
    }
    let code = if error.is_connect() { "connect" } else { "connection-lost" };
    PushError::Connection { code, source: error }
}

/// Reads a body up to its end or its limit.
async fn read_some(mut body: Incoming) {
    let mut left = BODY_BYTES;
    while let Some(Ok(frame)) = body.frame().await {
        let length = frame.data_ref().map_or(0, Bytes::len);
        let Some(rest) = left.checked_sub(length) else { return };
        left = rest;
    }
}
