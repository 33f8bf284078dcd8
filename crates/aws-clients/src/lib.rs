//! AWS clients for services: one configuration with one HTTP client, an interceptor that traces each call as a span and
//! propagates the trace, and a single interpretation of every error ([`AwsError`]).
//!
//! ```no_run
//! use aws_clients::{AwsSettings, TracingInterceptor};
//!
//! # async fn example() {
//! let config = aws_clients::sdk_config(&AwsSettings::default()).await;
//! let members = aws_clients::dynamodb(&config);
//! // The same for any other service.
//! let sns = aws_sdk_sns::Client::from_conf(
//!     aws_sdk_sns::config::Builder::from(&config).interceptor(TracingInterceptor::new()).build(),
//! );
//! // A client without the interceptor creates no spans: for receiving, deleting, and batches whose entries have spans.
//! let queue = aws_sdk_sqs::Client::new(&config);
//! # }
//! ```

mod call;
mod class;
mod config;
mod direct;
mod error;
mod failure;
mod interceptor;
mod shared_call;
mod target;

pub use class::ErrorClass;
pub use config::{
    ATTEMPT_TIMEOUT, AwsSettings, DEFAULT_REGION, DynamoDb, dynamodb, dynamodb_limits, kms, s3, sdk_config,
    untraced_dynamodb, untraced_s3,
};
pub use direct::{DirectClient, Operation, SdkCall, SdkClient};
pub use error::{AwsError, code, service};
pub use interceptor::{TracingInterceptor, tracing_interceptor};
pub use shared_call::SharedCall;
