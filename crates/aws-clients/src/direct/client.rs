//! The client.

use std::error::Error;
use std::fmt;
use std::ops::{ControlFlow, Deref};
use std::sync::{Arc, PoisonError, RwLock};

use aws_smithy_runtime_api::client::interceptors::SharedInterceptor;
use aws_smithy_runtime_api::client::interceptors::context::Input;
use aws_smithy_runtime_api::client::orchestrator::HttpResponse;
use aws_smithy_runtime_api::client::result::SdkError;
use aws_smithy_types::retry::RetryConfig;
use direct_requests::{Direct, Route};
use telemetry::context;

use super::attempt::{Attempt, Codec, Failed};
use super::operation::{CallResult, Operation, SdkCall, SdkClient};
use super::resumed::Resumed;
use crate::TracingInterceptor;
use crate::call::Call;
use crate::failure::Failure;
use crate::interceptor::request_id;

/// A client of the SDK whose calls take a shorter way: once the SDK's request has shown it, those after it are written, signed
/// and sent without the SDK's machinery, which is most of what a call costs its caller ([`direct_requests`] says how).
///
/// Calls are built with the SDK's client, to which this dereferences, and sent with [`call`](Self::call). Requests and
/// responses are written and read by the SDK's own code, credentials come from its cache, connections from its pool. When an
/// attempt fails, and the service has not refused the request itself, the SDK takes the call over with the attempts
/// that are left, after the pause that it makes before a second one.
///
/// ```no_run
/// # async fn example(config: &aws_config::SdkConfig) -> Result<(), Box<dyn std::error::Error>> {
/// let members = aws_clients::dynamodb(config);
/// members.call(members.get_item().table_name("members")).await?;
/// # Ok(())
/// # }
/// ```
#[derive(Clone)]
pub struct DirectClient<C> {
    client: C,
    direct: Direct,
    codecs: Arc<RwLock<Vec<Arc<Codec>>>>,
    retries: RetryConfig,
    traced: bool,
}

impl<C: SdkClient> DirectClient<C> {
    /// Creates a client that traces each call as a span ([`TracingInterceptor`]).
    #[must_use]
    pub fn traced(builder: C::Builder) -> Self {
        Self::new(builder, Some(SharedInterceptor::new(TracingInterceptor::new())))
    }

    /// Creates a client whose calls have no spans.
    #[must_use]
    pub fn untraced(builder: C::Builder) -> Self {
        Self::new(builder, None)
    }

    fn new(builder: C::Builder, tracing: Option<SharedInterceptor>) -> Self {
        let direct = Direct::default();
        let traced = tracing.is_some();
        let learning = SharedInterceptor::new(direct.learning());
        let client = C::with(builder, [learning].into_iter().chain(tracing));
        let retries = client.retries().unwrap_or_else(RetryConfig::standard);
        Self { client, direct, codecs: Arc::default(), retries, traced }
    }
}

impl<C> DirectClient<C> {
    /// Whether the next call is sent without the SDK.
    #[must_use]
    pub fn is_direct(&self) -> bool {
        self.direct.is_ready()
    }

    /// Sends a call.
    ///
    /// # Errors
    /// The SDK's error, whoever sent it.
    pub async fn call<O: Operation>(&self, operation: O) -> CallResult<O> {
        self.call_in(operation, None).await
    }

    /// Sends a call that belongs to the trace of `header`, from a client without spans.
    ///
    /// # Errors
    /// The SDK's error, whoever sent it.
    pub async fn call_in<O: Operation>(&self, operation: O, header: Option<String>) -> CallResult<O> {
        let operation = operation.prepared();
        let rest = match self.ready(&operation) {
            Some(ready) => match self.attempt::<O>(ready, header.clone()).await {
                ControlFlow::Break(result) => return result,
                ControlFlow::Continue(rest) => rest,
            },
            None => SdkCall::default(),
        };
        // In a box: the future is large, and seldom needed.
        Box::pin(operation.send(SdkCall { header, ..rest })).await
    }

    /// Returns what an attempt without the SDK takes. `None` if the SDK is to send the call, which also says what is missing of
    /// an input.
    fn ready<O: Operation>(&self, operation: &O) -> Option<Ready> {
        Some(Ready { route: self.direct.route()?, codec: self.codec::<O>()?, input: operation.input().ok()? })
    }

    /// Sends a call once. Goes on with the rest of the call, which the SDK is to send.
    async fn attempt<O: Operation>(
        &self,
        Ready { route, codec, input }: Ready,
        header: Option<String>,
    ) -> ControlFlow<CallResult<O>, SdkCall> {
        let call = codec
            .metadata()
            .filter(|_| self.traced)
            .map(|metadata| Call::begin(metadata, Some(route.region()), &input));
        let of_span = || call.as_ref().and_then(|call| context::header_of(call.span()));
        let header = header.or_else(of_span);
        match codec.attempt::<O>(&route, input, header).await {
            Attempt::Done(output, response) => {
                self.direct.succeeded();
                settle(call, Some(&response), None);
                ControlFlow::Break(Ok(output))
            }
            Attempt::Failed(failed) if failed.is_final() => {
                self.direct.succeeded();
                ControlFlow::Break(Err(given_up(call, failed)))
            }
            Attempt::Failed(failed) => {
                if failed.may_be_due_to_the_request() {
                    self.direct.failed();
                }
                let Some(left) = attempts_left(&self.retries) else {
                    return ControlFlow::Break(Err(given_up(call, failed)));
                };
                tokio::time::sleep(self.retries.initial_backoff().mul_f64(rand::random())).await;
                let resumed = call.map(|call| Resumed::new(call.sent_once()));
                ControlFlow::Continue(SdkCall { resumed, retries: Some(left), header: None })
            }
            Attempt::Unmade => {
                self.direct.failed();
                ControlFlow::Continue(SdkCall { resumed: call.map(Resumed::new), ..SdkCall::default() })
            }
        }
    }

    fn codec<O: Operation>(&self) -> Option<Arc<Codec>> {
        let known = self.codecs.read().unwrap_or_else(PoisonError::into_inner);
        if let Some(codec) = known.iter().find(|codec| codec.is_for::<O>()) {
            return Some(Arc::clone(codec));
        }
        drop(known);
        let codec = Arc::new(Codec::of::<O>()?);
        self.codecs.write().unwrap_or_else(PoisonError::into_inner).push(Arc::clone(&codec));
        Some(codec)
    }
}

/// What an attempt takes.
struct Ready {
    route: Arc<Route>,
    codec: Arc<Codec>,
    input: Input,
}

/// Returns how the SDK is to retry after one attempt. `None` if that was the only one.
fn attempts_left(retries: &RetryConfig) -> Option<RetryConfig> {
    let left = retries.max_attempts().checked_sub(1).filter(|left| *left > 0)?;
    Some(retries.clone().with_max_attempts(left))
}

/// Ends the span of a call that is not sent again, and returns its error.
fn given_up<E: Error + Send + Sync + 'static>(
    call: Option<Call>,
    failed: Failed,
) -> SdkError<E, HttpResponse> {
    settle(call, failed.response(), Some(failed.failure.clone()));
    failed.into_error()
}

/// Ends the span of a call that was sent once.
fn settle(call: Option<Call>, response: Option<&HttpResponse>, failure: Option<Failure>) {
    if let Some(mut call) = call {
        let status = response.map(|response| response.status().as_u16());
        call.settle(1, status, response.and_then(request_id), failure);
    }
}

/// Of a client that shows no way, so that the SDK sends all calls.
impl<C> From<C> for DirectClient<C> {
    fn from(client: C) -> Self {
        Self {
            client,
            direct: Direct::default(),
            codecs: Arc::default(),
            retries: RetryConfig::disabled(),
            traced: false,
        }
    }
}

impl<C> Deref for DirectClient<C> {
    type Target = C;

    fn deref(&self) -> &C {
        &self.client
    }
}

impl<C> fmt::Debug for DirectClient<C> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("DirectClient").field("direct", &self.direct).finish_non_exhaustive()
    }
}
