//! What the requests of a client have in common, and how a further one is made of it.

use std::sync::{PoisonError, RwLock};
use std::time::{Duration, SystemTime};

use aws_credential_types::Credentials;
use aws_smithy_runtime_api::box_error::BoxError;
use aws_smithy_runtime_api::client::auth::{AuthScheme as _, AuthSchemeId};
use aws_smithy_runtime_api::client::http::{
    HttpClient as _, HttpConnector as _, HttpConnectorSettings, SharedHttpConnector,
};
use aws_smithy_runtime_api::client::identity::{ResolveCachedIdentity as _, SharedIdentityResolver};
use aws_smithy_runtime_api::client::orchestrator::{HttpRequest, HttpResponse};
use aws_smithy_runtime_api::client::result::ConnectorError;
use aws_smithy_runtime_api::client::runtime_components::RuntimeComponents;
use aws_smithy_types::body::SdkBody;
use aws_smithy_types::byte_stream::ByteStream;
use aws_smithy_types::config_bag::ConfigBag;
use aws_smithy_types::timeout::TimeoutConfig;
use http::Uri;
use thiserror::Error;
use tokio::time::timeout;

use crate::sigv4::{Key, Request, Scope, written};

/// When a request was signed.
const DATE: &str = "x-amz-date";
/// The session of temporary credentials.
const TOKEN: &str = "x-amz-security-token";
/// The signature.
const AUTHORIZATION: &str = "authorization";
/// The host, which the connection adds and the signature covers.
const HOST: &str = "host";
/// The type of the body, which is signed too.
const CONTENT_TYPE: &str = "content-type";
/// What the names of AWS's own headers begin with, all of which must be signed
/// ([canonical headers](https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_sigv-create-signed-request.html)).
const OF_AWS: &str = "x-amz-";

/// The headers that are the same in each request.
const LASTING: [&str; 4] = [CONTENT_TYPE, "user-agent", "x-amz-user-agent", "x-amzn-query-mode"];
/// Headers of requests that cannot be sent directly: the body is compressed, or has its own checksum.
const UNSUPPORTED: [&str; 3] = ["content-encoding", "x-amz-content-sha256", "x-amz-trailer"];

/// What the requests of a client have in common.
pub struct Route {
    uri: Uri,
    host: String,
    headers: Vec<(&'static str, String)>,
    scope: Scope,
    key: RwLock<Option<Key>>,
    connector: SharedHttpConnector,
    credentials: SharedIdentityResolver,
    components: RuntimeComponents,
    limit: Option<Duration>,
}

/// Why there is no response.
#[derive(Debug, Error)]
pub enum Unanswered {
    /// The request is of another kind, or there are no credentials for it. Nothing was sent.
    #[error("the request cannot be made")]
    Unmade,
    /// No connection, or a broken one.
    #[error("the request was not answered")]
    Connection(#[source] ConnectorError),
    /// No response in time.
    #[error("no response within {0:?}")]
    Timeout(Duration),
    /// The response broke off.
    #[error("the response broke off")]
    Response(#[source] BoxError, Box<HttpResponse>),
}

impl Route {
    /// Returns what `request` has in common with those to come. `None` if such requests cannot be sent directly.
    pub(crate) fn of(
        request: &HttpRequest,
        components: &RuntimeComponents,
        config: &ConfigBag,
    ) -> Option<Self> {
        let header = |name: &str| request.headers().get(name);
        let uri: Uri = request.uri().parse().ok()?;
        let is_plain = request.method() == "POST" && uri.query().is_none() && is_canonical(uri.path());
        if !is_plain || UNSUPPORTED.into_iter().any(|name| header(name).is_some()) {
            return None;
        }
        let lasting = LASTING.into_iter().filter_map(|name| Some((name, header(name)?.to_owned())));
        let scheme = components.auth_scheme(AuthSchemeId::from("sigv4"))?;
        let timeouts = config.load::<TimeoutConfig>()?;
        let limits = [timeouts.operation_attempt_timeout(), timeouts.operation_timeout()];
        let mut settings = HttpConnectorSettings::builder();
        settings.set_connect_timeout(timeouts.connect_timeout());
        settings.set_read_timeout(timeouts.read_timeout());
        Some(Self {
            host: host(&uri)?,
            uri,
            headers: lasting.collect(),
            scope: Scope::of(header(AUTHORIZATION)?)?,
            key: RwLock::default(),
            connector: components.http_client()?.http_connector(&settings.build(), components),
            credentials: scheme.identity_resolver(components)?,
            components: components.clone(),
            limit: limits.into_iter().flatten().min(),
        })
    }

    /// Returns the region that requests are signed for.
    #[must_use]
    pub fn region(&self) -> &str {
        self.scope.region()
    }

    /// Signs and sends a request, and reads the whole response, within `limit` or else the limit of an attempt of the client
    /// whose request showed the way. The request needs its path, its body, and the headers in which it differs from others.
    ///
    /// # Errors
    /// [`Unanswered`] if there is no response. A response that reports a failure is none.
    pub async fn send(
        &self,
        request: HttpRequest,
        limit: Option<Duration>,
    ) -> Result<HttpResponse, Unanswered> {
        match limit.or(self.limit) {
            Some(limit) => {
                timeout(limit, self.answer(request)).await.unwrap_or(Err(Unanswered::Timeout(limit)))
            }
            None => self.answer(request).await,
        }
    }

    async fn answer(&self, request: HttpRequest) -> Result<HttpResponse, Unanswered> {
        let request = self.signed(request).await.ok_or(Unanswered::Unmade)?;
        let mut response = self.connector.call(request).await.map_err(Unanswered::Connection)?;
        match ByteStream::new(response.take_body()).collect().await {
            Ok(body) => {
                *response.body_mut() = SdkBody::from(body.into_bytes());
                Ok(response)
            }
            Err(error) => Err(Unanswered::Response(error.into(), Box::new(response))),
        }
    }

    /// Completes a request. `None` if it is of another kind, or if there are no credentials for it.
    async fn signed(&self, mut request: HttpRequest) -> Option<HttpRequest> {
        if request.uri() != self.uri.path() || request.method() != "POST" {
            return None;
        }
        let cache = self.components.identity_cache();
        let config = ConfigBag::base();
        let identity =
            cache.resolve_cached_identity(self.credentials.clone(), &self.components, &config).await.ok()?;
        let credentials = identity.data::<Credentials>()?;
        let now = self.components.time_source()?.now();
        let time = written(jiff::Timestamp::try_from(now).ok()?);

        request.set_uri(self.uri.clone()).ok()?;
        let headers = request.headers_mut();
        for (name, value) in &self.headers {
            if !headers.contains_key(name) {
                headers.try_insert(*name, value.clone()).ok()?;
            }
        }
        if let Some(token) = credentials.session_token() {
            headers.try_insert(TOKEN, token.to_owned()).ok()?;
        }
        let authorization = self.authorization(credentials, now, &time, &request)?;
        let headers = request.headers_mut();
        headers.try_insert(DATE, time).ok()?;
        headers.try_insert(AUTHORIZATION, authorization).ok()?;
        Some(request)
    }

    fn authorization(
        &self,
        credentials: &Credentials,
        now: SystemTime,
        time: &str,
        request: &HttpRequest,
    ) -> Option<String> {
        let own = request
            .headers()
            .iter()
            .filter(|(name, _)| name.starts_with(OF_AWS) || *name == CONTENT_TYPE)
            .chain([(HOST, self.host.as_str()), (DATE, time)]);
        let mut headers: Vec<_> = own.collect();
        headers.sort_unstable();
        let request =
            Request { path: self.uri.path(), headers: &headers, body: request.body().bytes()?, time };

        let known = self.key.read().unwrap_or_else(PoisonError::into_inner);
        if let Some(key) = known.as_ref().filter(|key| key.fits(credentials, time)) {
            return Some(key.authorization(&request));
        }
        drop(known);
        let key = Key::derive(credentials, &self.scope, now, time);
        let authorization = key.authorization(&request);
        *self.key.write().unwrap_or_else(PoisonError::into_inner) = Some(key);
        Some(authorization)
    }
}

/// `Debug` omits everything else: the key is a secret.
impl std::fmt::Debug for Route {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Route").field("uri", &self.uri).finish_non_exhaustive()
    }
}

/// Whether a path is signed as it is: the signature would encode other characters.
fn is_canonical(path: &str) -> bool {
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"-_.~/".contains(&byte);
    path.bytes().all(plain) && !path.contains("//") && !path.contains("/.")
}

/// Returns the `Host` header of a request, which names no port that the scheme implies.
fn host(uri: &Uri) -> Option<String> {
    let authority = uri.authority()?;
    let implied = match uri.scheme_str()? {
        "https" => 443,
        _ => 80,
    };
    let host = authority.host();
    Some(match authority.port_u16() {
        Some(port) if port != implied => format!("{host}:{port}"),
        _ => host.to_owned(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_host_names_no_port_that_the_scheme_implies() {
        let of = |uri: &str| host(&uri.parse().unwrap()).unwrap();
        assert_eq!(of("https://sqs.eu-central-1.amazonaws.com/"), "sqs.eu-central-1.amazonaws.com");
        assert_eq!(of("https://localhost:443/"), "localhost");
        assert_eq!(of("http://127.0.0.1:4566/"), "127.0.0.1:4566");
        assert_eq!(of("http://[::1]:80/"), "[::1]");
    }

    #[test]
    fn a_path_that_the_signature_would_change_is_not_known() {
        for path in ["/", "/v2/email/outbound-emails", "/base/"] {
            assert!(is_canonical(path), "{path}");
        }
        for path in ["/a%20b", "//", "/a/../b", "/a:b", "/ä"] {
            assert!(!is_canonical(path), "{path}");
        }
    }
}
