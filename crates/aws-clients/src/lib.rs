//! AWS clients for services: one configuration with one HTTP client, clients that send most calls without the SDK's machinery
//! ([`DirectClient`]), a span for each call and the trace in its header, and a single interpretation of every error ([`AwsError`]).
//!
//! ```no_run
//! use aws_clients::{AwsSettings, DirectClient, TracingInterceptor};
//!
//! # async fn example() -> Result<(), Box<dyn std::error::Error>> {
//! let config = aws_clients::sdk_config(&AwsSettings::default()).await;
//! let members = aws_clients::dynamodb(&config);
//! members.call(members.get_item().table_name("members")).await?;
//! // The same for EventBridge, SNS and SES.
//! let sns = DirectClient::<aws_sdk_sns::Client>::traced((&config).into());
//! // For any other service: the SDK's own client, with the same spans.
//! let kms = aws_sdk_kms::Client::from_conf(
//!     aws_sdk_kms::config::Builder::from(&config).interceptor(TracingInterceptor::new()).build(),
//! );
//! // A client without the interceptor creates no spans: for receiving, deleting, and batches whose entries have spans.
//! let queue = aws_sdk_sqs::Client::new(&config);
//! # Ok(())
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
