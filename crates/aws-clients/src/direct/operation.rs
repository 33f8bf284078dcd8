//! The operations that can be sent directly, and how the SDK sends them otherwise.

use std::fmt;
use std::future::Future;

use aws_smithy_runtime_api::client::interceptors::SharedInterceptor;
use aws_smithy_runtime_api::client::interceptors::context::Input;
use aws_smithy_runtime_api::client::orchestrator::HttpResponse;
use aws_smithy_runtime_api::client::result::SdkError;
use aws_smithy_runtime_api::client::runtime_plugin::RuntimePlugin as _;
use aws_smithy_types::config_bag::FrozenLayer;
use aws_smithy_types::error::operation::BuildError;
use aws_smithy_types::retry::RetryConfig;
use telemetry::context;
use uuid::Uuid;

use super::resumed::Resumed;

/// A client of the SDK with operations that can be sent directly.
pub trait SdkClient: Sized {
    /// The builder of its configuration.
    type Builder;

    /// Creates it with further interceptors.
    fn with(builder: Self::Builder, interceptors: impl IntoIterator<Item = SharedInterceptor>) -> Self;

    /// Returns how it retries, if that is configured.
    fn retries(&self) -> Option<RetryConfig>;
}

/// A call of the SDK, ready to be sent: `client.get_item().table_name("members")`.
///
/// Only operations without streams are: their requests and responses are in memory.
pub trait Operation: Send + Sized + 'static {
    /// What the service returns.
    type Output: fmt::Debug + Send + Sync + 'static;
    /// What the service refuses with.
    type Error: std::error::Error + Send + Sync + 'static;

    /// Returns the SDK's configuration of the operation: how its request is written and its response is read.
    fn layer() -> Option<FrozenLayer>;

    /// Adds what all attempts must have in common and the SDK would choose for each call.
    #[must_use]
    fn prepared(self) -> Self {
        self
    }

    /// Returns the input.
    ///
    /// # Errors
    /// [`BuildError`] if a required field is missing.
    fn input(&self) -> Result<Input, BuildError>;

    /// Has the SDK send it.
    ///
    /// # Errors
    /// The SDK's error.
    fn send(self, call: SdkCall) -> impl Future<Output = CallResult<Self>> + Send;
}

/// What a call returns.
pub(crate) type CallResult<O> =
    Result<<O as Operation>::Output, SdkError<<O as Operation>::Error, HttpResponse>>;

/// In what a call of the SDK differs from others of its client.
#[derive(Debug, Default)]
pub struct SdkCall {
    /// The header of the trace that the call belongs to, if the client does not trace it.
    pub(crate) header: Option<String>,
    /// The call that has been begun without the SDK.
    pub(crate) resumed: Option<Resumed>,
    /// The attempts that are left.
    pub(crate) retries: Option<RetryConfig>,
}

/// Implements [`SdkClient`] for the client of a service, and [`Operation`] for its calls.
macro_rules! operations {
    ($sdk:ident: $($module:ident $operation:ident $builder:ident $output:ident $error:ident $(prepared $prepared:expr)?),+ $(,)?) => {
        impl SdkClient for $sdk::Client {
            type Builder = $sdk::config::Builder;

            fn with(
                builder: Self::Builder,
                interceptors: impl IntoIterator<Item = SharedInterceptor>,
            ) -> Self {
                let with = |builder: Self::Builder, interceptor| builder.interceptor(interceptor);
                Self::from_conf(interceptors.into_iter().fold(builder, with).build())
            }

            fn retries(&self) -> Option<RetryConfig> {
                self.config().retry_config().cloned()
            }
        }

        $(impl Operation for $sdk::operation::$module::builders::$builder {
            type Output = $sdk::operation::$module::$output;
            type Error = $sdk::operation::$module::$error;

            fn layer() -> Option<FrozenLayer> {
                $sdk::operation::$module::$operation::new().config()
            }

            $(fn prepared(self) -> Self {
                let prepared: fn(Self) -> Self = $prepared;
                prepared(self)
            })?

            fn input(&self) -> Result<Input, BuildError> {
                self.as_input().clone().build().map(Input::erase)
            }

            async fn send(self, call: SdkCall) -> CallResult<Self> {
                let SdkCall { header, resumed, retries } = call;
                if header.is_none() && resumed.is_none() && retries.is_none() {
                    return self.send().await;
                }
                let mut call = self.customize();
                if let Some(retries) = retries {
                    call = call.config_override($sdk::config::Builder::new().retry_config(retries));
                }
                if let Some(resumed) = resumed {
                    call = call.interceptor(resumed);
                }
                if let Some(header) = header {
                    call = call.mutate_request(move |request| {
                        request.headers_mut().insert(context::XRAY_HEADER, header.clone());
                    });
                }
                call.send().await
            }
        })+
    };
}

operations! { aws_sdk_dynamodb:
    delete_item DeleteItem DeleteItemFluentBuilder DeleteItemOutput DeleteItemError,
    get_item GetItem GetItemFluentBuilder GetItemOutput GetItemError,
    put_item PutItem PutItemFluentBuilder PutItemOutput PutItemError,
    query Query QueryFluentBuilder QueryOutput QueryError,
    update_item UpdateItem UpdateItemFluentBuilder UpdateItemOutput UpdateItemError,
    // By its token DynamoDB recognizes a transaction that is sent again.
    transact_write_items TransactWriteItems TransactWriteItemsFluentBuilder TransactWriteItemsOutput
        TransactWriteItemsError prepared |call| match call.get_client_request_token() {
            Some(_) => call,
            None => call.client_request_token(Uuid::new_v4()),
        },
}

operations! { aws_sdk_eventbridge:
    put_events PutEvents PutEventsFluentBuilder PutEventsOutput PutEventsError,
}

operations! { aws_sdk_sesv2:
    send_email SendEmail SendEmailFluentBuilder SendEmailOutput SendEmailError,
}

operations! { aws_sdk_sns:
    publish_batch PublishBatch PublishBatchFluentBuilder PublishBatchOutput PublishBatchError,
}
