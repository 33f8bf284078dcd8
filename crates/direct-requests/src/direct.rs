//! When requests are sent directly: after one of the SDK has succeeded, and until one fails.

use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, PoisonError, RwLock};

use aws_smithy_runtime_api::box_error::BoxError;
use aws_smithy_runtime_api::client::interceptors::context::{
    BeforeTransmitInterceptorContextRef, FinalizerInterceptorContextRef,
};
use aws_smithy_runtime_api::client::interceptors::{Intercept, dyn_dispatch_hint};
use aws_smithy_runtime_api::client::runtime_components::RuntimeComponents;
use aws_smithy_types::config_bag::{ConfigBag, Storable, StoreReplace};

use crate::route::Route;

/// How often in a row the first direct request after those of the SDK may fail before the SDK makes all.
pub const FAILURES: u32 = 5;

/// The way of a client's requests, once one of them has shown it. Clones share it.
#[derive(Clone, Debug, Default)]
pub struct Direct(Arc<State>);

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

impl Direct {
    /// Returns the interceptor for the clients whose requests show the way. All of them must have the same service, endpoint
    /// and credentials.
    #[must_use]
    pub fn learning(&self) -> impl Intercept + use<> {
        Learning(self.clone())
    }

    /// Returns the way of the next request. `None` if the SDK is to make it.
    #[must_use]
    pub fn route(&self) -> Option<Arc<Route>> {
        self.0.route.read().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Whether the next request can be sent directly.
    #[must_use]
    pub fn is_ready(&self) -> bool {
        self.route().is_some()
    }

    /// Notes that the service accepted a direct request.
    pub fn succeeded(&self) {
        self.0.failures.store(0, Ordering::Relaxed);
    }

    /// Forgets the way, since a direct request failed for a reason that may be in the request.
    pub fn failed(&self) {
        // Others that were sent at the same time and failed too find nothing to forget, and do not count.
        if self.replace(None).is_some() {
            self.0.failures.fetch_add(1, Ordering::Relaxed);
        }
    }

    fn learns(&self) -> bool {
        !self.is_ready() && self.0.failures.load(Ordering::Relaxed) < FAILURES
    }

    fn replace(&self, route: Option<Arc<Route>>) -> Option<Arc<Route>> {
        std::mem::replace(&mut *self.0.route.write().unwrap_or_else(PoisonError::into_inner), route)
    }
}

#[dyn_dispatch_hint]
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
