//! Requests to SQS that do not pass through the SDK's machinery, which is most of what a request costs: for each, it
//! assembles its configuration, its interceptors and its endpoint again, and derives the key of the day.
//!
//! The SDK makes the first request, and an interceptor learns from it, if it succeeds, where requests go and with which headers,
//! credentials and connections. Further ones differ from it in their body and their signature. After a failure the SDK makes
//! the requests again until one succeeds, so that whatever has changed is learned anew. If its requests keep succeeding where
//! those after them fail, it makes all.

use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, PoisonError, RwLock};
use std::time::{Duration, SystemTime};

use aws_clients::{AwsError, service};
use aws_sdk_sqs::config::interceptors::{
    BeforeTransmitInterceptorContextRef, FinalizerInterceptorContextRef,
};
use aws_sdk_sqs::config::{ConfigBag, Credentials, Intercept, RuntimeComponents};
use aws_sdk_sqs::error::{BoxError, ErrorMetadata, SdkError};
use aws_sdk_sqs::operation::receive_message::ReceiveMessageError;
use aws_smithy_runtime_api::client::auth::{AuthScheme as _, AuthSchemeId};
use aws_smithy_runtime_api::client::http::{
    HttpClient as _, HttpConnector as _, HttpConnectorSettings, SharedHttpConnector,
};
use aws_smithy_runtime_api::client::identity::{ResolveCachedIdentity as _, SharedIdentityResolver};
use aws_smithy_runtime_api::client::orchestrator::{HttpRequest, HttpResponse};
use aws_smithy_types::body::SdkBody;
use aws_smithy_types::byte_stream::ByteStream;
use aws_smithy_types::config_bag::{Storable, StoreReplace};
use aws_smithy_types::timeout::TimeoutConfig;
use http::header::{AUTHORIZATION, CONTENT_TYPE, HeaderMap, HeaderName, HeaderValue};
use http::{Request, Uri};
use tokio::time::timeout;

use super::sigv4::{Key, Scope, written};

/// The operation of a request, as `AmazonSQS.<operation>`.
const TARGET: &str = "x-amz-target";
/// When a request was signed.
const DATE: &str = "x-amz-date";
/// The session of temporary credentials.
const TOKEN: &str = "x-amz-security-token";
/// The code of an error and whose fault it is, separated by a semicolon.
const QUERY_ERROR: &str = "x-amzn-query-error";

/// The headers that are the same in each request.
const LASTING: [&str; 4] = ["content-type", "user-agent", "x-amz-user-agent", "x-amzn-query-mode"];

/// How often in a row the first request after those of the SDK may fail before it makes all.
const FAILURES: u32 = 5;

/// Makes requests once it has seen one of the SDK.
#[derive(Clone, Debug, Default)]
pub(super) struct Direct(Arc<State>);

#[derive(Debug, Default)]
struct State {
    route: RwLock<Option<Arc<Route>>>,
    failures: AtomicU32,
}

/// Learns from requests of the SDK that succeed.
#[derive(Debug)]
struct Learning(Direct);

/// What a request of the SDK shows, until it is known whether it succeeds.
#[derive(Clone, Debug)]
struct Seen(Arc<Route>);

impl Storable for Seen {
    type Storer = StoreReplace<Self>;
}

/// What requests have in common.
struct Route {
    uri: Uri,
    host: String,
    headers: HeaderMap,
    scope: Scope,
    key: RwLock<Option<Key>>,
    connector: SharedHttpConnector,
    credentials: SharedIdentityResolver,
    components: RuntimeComponents,
}

impl Direct {
    /// Returns the interceptor for the clients whose requests show the way.
    pub(super) fn learning(&self) -> impl Intercept + use<> {
        Learning(self.clone())
    }

    /// Makes a request, and reads the response with `read`. `None` if the SDK is to make the request.
    pub(super) async fn call<T>(
        &self,
        operation: &'static str,
        body: impl FnOnce() -> String,
        limit: Duration,
        read: impl FnOnce(&[u8]) -> Option<T>,
    ) -> Option<Result<T, AwsError>> {
        let route = self.route()?;
        let called = timeout(limit, async {
            let request = route.request(operation, body()).await?;
            Some(answered(operation, route.connector.call(request).await, read).await)
        });
        let result = called.await.unwrap_or_else(|_| Some(Err(AwsError::timeout(service::SQS, operation))));
        if matches!(result, Some(Ok(_))) {
            self.0.failures.store(0, Ordering::Relaxed);
        } else if self.replace(None).is_some() {
            // Others that were made at the same time and failed too have found nothing to forget, and do not count.
            self.0.failures.fetch_add(1, Ordering::Relaxed);
        }
        result
    }

    /// Whether the next request is made here.
    pub(super) fn is_ready(&self) -> bool {
        self.route().is_some()
    }

    fn learns(&self) -> bool {
        !self.is_ready() && self.0.failures.load(Ordering::Relaxed) < FAILURES
    }

    fn route(&self) -> Option<Arc<Route>> {
        self.0.route.read().unwrap_or_else(PoisonError::into_inner).clone()
    }

    fn replace(&self, route: Option<Arc<Route>>) -> Option<Arc<Route>> {
        std::mem::replace(&mut *self.0.route.write().unwrap_or_else(PoisonError::into_inner), route)
    }
}

impl Intercept for Learning {
    fn name(&self) -> &'static str {
        "Learning"
    }

    fn read_before_transmit(
        &self,
        context: &BeforeTransmitInterceptorContextRef<'_>,
        components: &RuntimeComponents,
        config: &mut ConfigBag,
    ) -> Result<(), BoxError> {
        if self.0.learns()
            && let Some(route) = Route::of(context.request(), components, config)
        {
            config.interceptor_state().store_put(Seen(Arc::new(route)));
        }
        Ok(())
    }

    fn read_after_execution(
        &self,
        context: &FinalizerInterceptorContextRef<'_>,
        _: &RuntimeComponents,
        config: &mut ConfigBag,
    ) -> Result<(), BoxError> {
        if let (Some(Ok(_)), Some(Seen(route))) = (context.output_or_error(), config.load::<Seen>()) {
            self.0.replace(Some(Arc::clone(route)));
        }
        Ok(())
    }
}

impl Route {
    /// Returns what `request` has in common with those to come. `None` if it is of a kind that is not known here.
    fn of(request: &HttpRequest, components: &RuntimeComponents, config: &ConfigBag) -> Option<Self> {
        let header = |name: &str| request.headers().get(name);
        let uri: Uri = request.uri().parse().ok()?;
        if uri.path() != "/" || uri.query().is_some() || header("content-encoding").is_some() {
            return None;
        }
        let mut headers = HeaderMap::new();
        for name in LASTING {
            if let Some(value) = header(name) {
                headers.insert(HeaderName::from_static(name), HeaderValue::from_str(value).ok()?);
            }
        }
        let scheme = components.auth_scheme(AuthSchemeId::from("sigv4"))?;
        let timeouts = config.load::<TimeoutConfig>()?;
        let mut settings = HttpConnectorSettings::builder();
        settings.set_connect_timeout(timeouts.connect_timeout());
        settings.set_read_timeout(timeouts.read_timeout());
        Some(Self {
            host: host(&uri)?,
            uri,
            headers,
            scope: Scope::of(header(AUTHORIZATION.as_str())?)?,
            key: RwLock::default(),
            connector: components.http_client()?.http_connector(&settings.build(), components),
            credentials: scheme.identity_resolver(components)?,
            components: components.clone(),
        })
    }

    /// Returns a signed request. `None` if there are no credentials for it.
    async fn request(&self, operation: &str, body: String) -> Option<HttpRequest> {
        let cache = self.components.identity_cache();
        let config = ConfigBag::base();
        let identity =
            cache.resolve_cached_identity(self.credentials.clone(), &self.components, &config).await.ok()?;
        let credentials = identity.data::<Credentials>()?;
        let now = self.components.time_source()?.now();
        let time = written(jiff::Timestamp::try_from(now).ok()?);
        let target = format!("AmazonSQS.{operation}");

        let content_type = self.headers.get(CONTENT_TYPE)?.to_str().ok()?;
        let (host, token) = (self.host.as_str(), credentials.session_token());
        let signed: [Option<(&str, &str)>; 5] = [
            Some((CONTENT_TYPE.as_str(), content_type)),
            Some(("host", host)),
            Some((DATE, &time)),
            token.map(|token| (TOKEN, token)),
            Some((TARGET, &target)),
        ];
        let signed: Vec<_> = signed.into_iter().flatten().collect();
        let authorization = self.authorization(credentials, now, &time, &signed, body.as_bytes());

        let mut request = Request::post(self.uri.clone()).body(SdkBody::from(body)).ok()?;
        *request.headers_mut() = self.headers.clone();
        let own = [
            (AUTHORIZATION.as_str(), Some(&*authorization)),
            (DATE, Some(&*time)),
            (TARGET, Some(&*target)),
            (TOKEN, token),
        ];
        for (name, value) in own {
            if let Some(value) = value {
                let name = HeaderName::from_static(name);
                request.headers_mut().insert(name, HeaderValue::from_str(value).ok()?);
            }
        }
        HttpRequest::try_from(request).ok()
    }

    fn authorization(
        &self,
        credentials: &Credentials,
        now: SystemTime,
        time: &str,
        headers: &[(&str, &str)],
        body: &[u8],
    ) -> String {
        let known = self.key.read().unwrap_or_else(PoisonError::into_inner);
        if let Some(key) = known.as_ref().filter(|key| key.fits(credentials, time)) {
            return key.authorization(time, headers, body);
        }
        drop(known);
        let key = Key::derive(credentials, &self.scope, now, time);
        let authorization = key.authorization(time, headers, body);
        *self.key.write().unwrap_or_else(PoisonError::into_inner) = Some(key);
        authorization
    }
}

/// `Debug` omits everything else: the key is a secret.
impl std::fmt::Debug for Route {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Route").field("uri", &self.uri).finish_non_exhaustive()
    }
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

/// Reads the answer to a request.
async fn answered<T>(
    operation: &'static str,
    answer: Result<HttpResponse, aws_sdk_sqs::error::ConnectorError>,
    read: impl FnOnce(&[u8]) -> Option<T>,
) -> Result<T, AwsError> {
    let failed =
        |error: SdkError<ReceiveMessageError, HttpResponse>| AwsError::of(service::SQS, operation, error);
    let mut response = answer.map_err(|error| failed(SdkError::dispatch_failure(error)))?;
    let body = ByteStream::new(response.take_body()).collect().await;
    let body = body.map_err(|_| AwsError::unreadable(service::SQS, operation))?.into_bytes();
    if response.status().is_success() {
        return read(&body).ok_or_else(|| AwsError::unreadable(service::SQS, operation));
    }
    let mut error = ErrorMetadata::builder();
    if let Some(code) = code(&response, &body) {
        error = error.code(code);
    }
    Err(failed(SdkError::service_error(ReceiveMessageError::generic(error.build()), response)))
}

/// Returns the code of an error: that of the older protocol, which AWS keeps for SQS, or else the name of its shape.
fn code(response: &HttpResponse, body: &[u8]) -> Option<String> {
    #[derive(serde::Deserialize)]
    struct Failure {
        #[serde(rename = "__type")]
        shape: String,
    }
    if let Some((code, _)) = response.headers().get(QUERY_ERROR).and_then(|error| error.split_once(';')) {
        return Some(code.to_owned());
    }
    let shape = serde_json::from_slice::<Failure>(body).ok()?.shape;
    Some(shape.rsplit('#').next()?.split(':').next()?.to_owned())
}

#[cfg(test)]
mod tests;
