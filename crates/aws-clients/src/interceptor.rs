//! The interceptor: the points of a call at which the span starts, the header is written and the outcome is read.

use aws_smithy_runtime_api::box_error::BoxError;
use aws_smithy_runtime_api::client::interceptors::context::{
    BeforeSerializationInterceptorContextRef, BeforeTransmitInterceptorContextMut,
    FinalizerInterceptorContextRef,
};
use aws_smithy_runtime_api::client::interceptors::{Intercept, dyn_dispatch_hint};
use aws_smithy_runtime_api::client::orchestrator::HttpResponse;
use aws_smithy_runtime_api::client::retries::RequestAttempts;
use aws_smithy_runtime_api::client::runtime_components::RuntimeComponents;
use aws_smithy_types::config_bag::ConfigBag;
use telemetry::context;

use crate::call::Call;
use crate::failure::Failure;

/// Traces each call of a client as a CLIENT span under the current one, named `Service.Operation`, and propagates the
/// trace in the request's `X-Amzn-Trace-Id`.
///
/// The span covers all attempts and ends with every outcome: output, error, timeout, and a dropped future (`error.type`
/// is then `cancelled`). It carries region, request id, status, the number of retries, and tables, topic, queue, or bucket
/// and key. A condition that does not hold (`ConditionalCheckFailedException`, a transaction cancelled by nothing but
/// conditions, `PreconditionFailed`, or an object that has not changed) is a regular outcome rather than a failure: the span's status stays unset, and X-Ray shows an error
/// because of the status 400, not a fault. Throttles are marked whatever the status.
#[derive(Clone, Copy, Debug, Default)]
pub struct TracingInterceptor(());

impl TracingInterceptor {
    /// Creates an interceptor for a client's configuration.
    #[must_use]
    pub fn new() -> Self {
        Self(())
    }
}

/// Creates an interceptor: [`TracingInterceptor::new`] as a function.
#[must_use]
pub fn tracing_interceptor() -> TracingInterceptor {
    TracingInterceptor::new()
}

#[dyn_dispatch_hint]
impl Intercept for TracingInterceptor {
    fn name(&self) -> &'static str {
        "TracingInterceptor"
    }

    // Not `read_before_execution`: the operation is not known until here.
    fn read_before_serialization(
        &self,
        context: &BeforeSerializationInterceptorContextRef<'_>,
        _: &RuntimeComponents,
        config: &mut ConfigBag,
    ) -> Result<(), BoxError> {
        // It has been begun already if the SDK takes it over.
        if config.load::<Call>().is_none()
            && let Some(call) = Call::start(context.input(), config)
        {
            config.interceptor_state().store_put(call);
        }
        Ok(())
    }

    // On every attempt, and before signing, so that the signature covers the header.
    fn modify_before_signing(
        &self,
        context: &mut BeforeTransmitInterceptorContextMut<'_>,
        _: &RuntimeComponents,
        config: &mut ConfigBag,
    ) -> Result<(), BoxError> {
        let header = config.load::<Call>().and_then(|call| context::header_of(call.span()));
        if let Some(header) = header {
            context.request_mut().headers_mut().try_insert(context::XRAY_HEADER, header)?;
        }
        Ok(())
    }

    fn read_after_execution(
        &self,
        context: &FinalizerInterceptorContextRef<'_>,
        _: &RuntimeComponents,
        config: &mut ConfigBag,
    ) -> Result<(), BoxError> {
        let outcome = Outcome::of(context, config);
        if let Some(call) = config.get_mut_from_interceptor_state::<Call>() {
            outcome.settle(call);
        }
        Ok(())
    }
}

/// How a call ended.
#[derive(Clone, Debug)]
pub(crate) struct Outcome {
    attempts: u32,
    status: Option<u16>,
    request_id: Option<String>,
    failure: Option<Failure>,
}

impl Outcome {
    pub(crate) fn of(context: &FinalizerInterceptorContextRef<'_>, config: &ConfigBag) -> Self {
        let response = context.response();
        Self {
            attempts: config.load::<RequestAttempts>().map_or(0, RequestAttempts::attempts),
            status: response.map(|response| response.status().as_u16()),
            request_id: response.and_then(request_id),
            failure: match context.output_or_error() {
                Some(Err(error)) => Some(Failure::of(error, response)),
                Some(Ok(_)) | None => None,
            },
        }
    }

    /// Records it on the call's span.
    pub(crate) fn settle(self, call: &mut Call) {
        call.settle(self.attempts, self.status, self.request_id, self.failure);
    }
}

/// Returns the id that AWS assigned to the request.
pub(crate) fn request_id(response: &HttpResponse) -> Option<String> {
    ["x-amzn-requestid", "x-amz-request-id", "x-amz-requestid"]
        .into_iter()
        .find_map(|name| response.headers().get(name))
        .map(str::to_owned)
}
