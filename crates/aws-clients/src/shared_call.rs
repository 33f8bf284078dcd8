//! One call that many messages wait for.

use std::fmt;

use aws_smithy_runtime_api::box_error::BoxError;
use aws_smithy_runtime_api::client::interceptors::context::{
    BeforeSerializationInterceptorContextRef, FinalizerInterceptorContextRef,
};
use aws_smithy_runtime_api::client::interceptors::{Intercept, dyn_dispatch_hint};
use aws_smithy_runtime_api::client::runtime_components::RuntimeComponents;
use aws_smithy_types::config_bag::{ConfigBag, Storable, StoreReplace};
use tracing::Span;

use crate::call::Call;
use crate::interceptor::Outcome;

/// Traces one call as a CLIENT span below each of several spans, with what [`TracingInterceptor`] records.
///
/// It is for an effect of many messages at once, such as an object that holds them all: each message's trace shows the call.
/// The request itself carries no trace header, since it belongs to no single trace.
///
/// ```no_run
/// use aws_clients::SharedCall;
///
/// # async fn example(config: &aws_config::SdkConfig, messages: Vec<tracing::Span>) {
/// let s3 = aws_clients::untraced_s3(config);
/// let put = s3.put_object().bucket("event-archive").key("one").customize().interceptor(SharedCall::of(messages));
/// # drop(put.send().await);
/// # }
/// ```
///
/// [`TracingInterceptor`]: crate::TracingInterceptor
pub struct SharedCall {
    parents: Vec<Span>,
}

impl SharedCall {
    /// Creates the interceptor of one call; each of `parents` gets a span below it.
    #[must_use]
    pub fn of(parents: Vec<Span>) -> Self {
        Self { parents }
    }
}

impl fmt::Debug for SharedCall {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SharedCall").field("parents", &self.parents.len()).finish()
    }
}

/// The spans of a call in flight.
#[derive(Debug)]
struct Calls(Vec<Call>);

impl Storable for Calls {
    type Storer = StoreReplace<Self>;
}

#[dyn_dispatch_hint]
impl Intercept for SharedCall {
    fn name(&self) -> &'static str {
        "SharedCall"
    }

    fn read_before_serialization(
        &self,
        context: &BeforeSerializationInterceptorContextRef<'_>,
        _: &RuntimeComponents,
        config: &mut ConfigBag,
    ) -> Result<(), BoxError> {
        let start = |parent: &Span| parent.in_scope(|| Call::start(context.input(), config));
        let calls = self.parents.iter().filter_map(start).collect();
        config.interceptor_state().store_put(Calls(calls));
        Ok(())
    }

    fn read_after_execution(
        &self,
        context: &FinalizerInterceptorContextRef<'_>,
        _: &RuntimeComponents,
        config: &mut ConfigBag,
    ) -> Result<(), BoxError> {
        let outcome = Outcome::of(context, config);
        if let Some(Calls(calls)) = config.get_mut_from_interceptor_state::<Calls>() {
            for call in calls {
                outcome.clone().settle(call);
            }
        }
        Ok(())
    }
}
