//! A call that the SDK takes over.

use std::sync::{Mutex, PoisonError};

use aws_smithy_runtime_api::box_error::BoxError;
use aws_smithy_runtime_api::client::interceptors::context::BeforeSerializationInterceptorContextRef;
use aws_smithy_runtime_api::client::interceptors::{Intercept, dyn_dispatch_hint};
use aws_smithy_types::config_bag::ConfigBag;

use crate::call::Call;

/// Gives the SDK's call the span of the attempts that have been made without it.
#[derive(Debug)]
pub(crate) struct Resumed(Mutex<Option<Call>>);

impl Resumed {
    pub(crate) fn new(call: Call) -> Self {
        Self(Mutex::new(Some(call)))
    }
}

#[dyn_dispatch_hint]
impl Intercept for Resumed {
    fn name(&self) -> &'static str {
        "Resumed"
    }

    fn read_before_execution(
        &self,
        _: &BeforeSerializationInterceptorContextRef<'_>,
        config: &mut ConfigBag,
    ) -> Result<(), BoxError> {
        if let Some(call) = self.0.lock().unwrap_or_else(PoisonError::into_inner).take() {
            config.interceptor_state().store_put(call);
        }
        Ok(())
    }
}
