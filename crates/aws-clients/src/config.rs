//! The configuration shared by all clients of a process.

use std::time::Duration;

use aws_config::environment::EnvironmentVariableRegionProvider;
use aws_config::meta::region::RegionProviderChain;
use aws_config::profile::ProfileFileRegionProvider;
use aws_config::stalled_stream_protection::StalledStreamProtectionConfig;
use aws_config::{BehaviorVersion, SdkConfig};
use aws_credential_types::Credentials;
use aws_smithy_http_client::Builder;
use aws_smithy_http_client::tls::Provider;
use aws_smithy_http_client::tls::rustls_provider::CryptoMode;
use aws_smithy_types::retry::RetryConfig;
use aws_smithy_types::timeout::TimeoutConfig;
use aws_types::region::Region;

use crate::{DirectClient, TracingInterceptor};

/// The region used when none is configured.
pub const DEFAULT_REGION: &str = "eu-central-1";

/// How long establishing a connection may take.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(2);

/// How long one attempt of a call may take, unless the client or the call has its own limit. A healthy service responds
/// within a second; a receive that waits for messages takes longer, and sets its own limit.
pub const ATTEMPT_TIMEOUT: Duration = Duration::from_secs(5);

/// The standard mode's three attempts
/// (<https://docs.aws.amazon.com/sdkref/latest/guide/feature-retry-behavior.html>).
const ATTEMPTS: u32 = 3;

/// How calls to DynamoDB are bounded: it responds within milliseconds, so an attempt without a response for two seconds
/// has failed, and a service that accepts requests and never responds must be noticed while the first messages are
/// handled ([latency tuning](https://aws.amazon.com/blogs/database/tuning-aws-java-sdk-http-request-settings-for-latency-aware-amazon-dynamodb-applications/)).
pub mod dynamodb_limits {
    use std::time::Duration;

    /// How long one attempt may take, including the connection.
    pub const ATTEMPT_TIMEOUT: Duration = Duration::from_secs(2);
    /// How often a call is attempted. Callers that can wait have their own retries on top, for throttling alone.
    pub const ATTEMPTS: u32 = 2;
    /// How long a call may take with all its attempts and the pause between them, which follows from the other limits.
    pub const CALL_TIMEOUT: Duration = Duration::from_millis(4_500);
    /// The longest pause before the second attempt.
    pub(super) const BACKOFF: Duration = Duration::from_millis(200);
}

/// How to reach AWS. The SDK looks up whatever is not set here in the usual places: variables, profile, task role.
#[derive(Clone, Debug, Default)]
pub struct AwsSettings {
    /// The region. If not set: `AWS_REGION`, then the profile's region, then [`DEFAULT_REGION`].
    pub region: Option<String>,
    /// One address for all services, in place of AWS's own.
    pub endpoint_url: Option<String>,
    /// Fixed credentials. If not set: the standard chain.
    pub credentials: Option<Credentials>,
}

impl AwsSettings {
    /// Reads `AWS_REGION` (or `AWS_DEFAULT_REGION`), `AWS_ENDPOINT_URL`, and the credentials `AWS_ACCESS_KEY_ID`,
    /// `AWS_SECRET_ACCESS_KEY` and `AWS_SESSION_TOKEN`, through `lookup`. The SDK reads all other variables it knows
    /// (`AWS_ENDPOINT_URL_SQS`, `AWS_PROFILE` …) from the process itself. A service-specific endpoint takes precedence
    /// over `AWS_ENDPOINT_URL` there, but only if `lookup` returns no `AWS_ENDPOINT_URL`.
    pub fn read(lookup: impl Fn(&str) -> Option<String>) -> Self {
        let get = |name: &str| lookup(name).filter(|value| !value.is_empty());
        let credentials = get("AWS_ACCESS_KEY_ID")
            .zip(get("AWS_SECRET_ACCESS_KEY"))
            .map(|(id, secret)| Credentials::new(id, secret, get("AWS_SESSION_TOKEN"), None, "environment"));
        Self {
            region: get("AWS_REGION").or_else(|| get("AWS_DEFAULT_REGION")),
            endpoint_url: get("AWS_ENDPOINT_URL"),
            credentials,
        }
    }
}

/// A client of DynamoDB.
pub type DynamoDb = DirectClient<aws_sdk_dynamodb::Client>;

/// Creates a DynamoDB client that traces each call as a span and abandons it within [`dynamodb_limits`].
#[must_use]
pub fn dynamodb(config: &SdkConfig) -> DynamoDb {
    DirectClient::traced(dynamodb_builder(config))
}

/// Creates a DynamoDB client with the same limits for calls that belong to no trace, such as looking for work. They have no
/// spans.
#[must_use]
pub fn untraced_dynamodb(config: &SdkConfig) -> DynamoDb {
    DirectClient::untraced(dynamodb_builder(config))
}

fn dynamodb_builder(config: &SdkConfig) -> aws_sdk_dynamodb::config::Builder {
    let timeouts = TimeoutConfig::builder()
        .connect_timeout(CONNECT_TIMEOUT)
        .operation_attempt_timeout(dynamodb_limits::ATTEMPT_TIMEOUT)
        .build();
    let retries = RetryConfig::standard()
        .with_max_attempts(dynamodb_limits::ATTEMPTS)
        .with_initial_backoff(dynamodb_limits::BACKOFF);
    aws_sdk_dynamodb::config::Builder::from(config).timeout_config(timeouts).retry_config(retries)
}

/// Creates an S3 client that traces each call as a span. At a custom endpoint, such as the local cloud's, buckets are
/// named in the path; at AWS's, in the host name.
#[must_use]
pub fn s3(config: &SdkConfig) -> aws_sdk_s3::Client {
    aws_sdk_s3::Client::from_conf(s3_builder(config).interceptor(TracingInterceptor::new()).build())
}

/// Creates the same S3 client without spans, for calls that [`SharedCall`](crate::SharedCall) traces.
#[must_use]
pub fn untraced_s3(config: &SdkConfig) -> aws_sdk_s3::Client {
    aws_sdk_s3::Client::from_conf(s3_builder(config).build())
}

fn s3_builder(config: &SdkConfig) -> aws_sdk_s3::config::Builder {
    aws_sdk_s3::config::Builder::from(config)
        .force_path_style(config.endpoint_url().is_some())
        // An object is read after the attempt, whose limit does not cover it.
        .stalled_stream_protection(StalledStreamProtectionConfig::enabled().build())
}

/// Creates a KMS client that traces each call as a span.
#[must_use]
pub fn kms(config: &SdkConfig) -> aws_sdk_kms::Client {
    let builder = aws_sdk_kms::config::Builder::from(config).interceptor(TracingInterceptor::new());
    aws_sdk_kms::Client::from_conf(builder.build())
}

/// Loads the configuration for every client of the process: one connection pool (TLS by rustls with ring and the
/// system's roots; plain `http` endpoints work), timeouts of 2 s to connect and [`ATTEMPT_TIMEOUT`] per attempt, and
/// standard retries. The limit of an attempt covers the whole response, so streams that stall are not watched: a client that
/// reads a body as a stream, as S3's do, needs that watch. A client or call with other needs overrides them in its own builder.
pub async fn sdk_config(settings: &AwsSettings) -> SdkConfig {
    let http_client = Builder::new().tls_provider(Provider::Rustls(CryptoMode::Ring)).build_https();
    let timeouts = TimeoutConfig::builder()
        .connect_timeout(CONNECT_TIMEOUT)
        .operation_attempt_timeout(ATTEMPT_TIMEOUT)
        .build();
    // Not the SDK's default chain: it also queries the EC2 instance metadata service, which does not exist on Fargate
    // or a laptop.
    let region = RegionProviderChain::first_try(settings.region.clone().map(Region::new))
        .or_else(EnvironmentVariableRegionProvider::new())
        .or_else(ProfileFileRegionProvider::new())
        .or_else(Region::from_static(DEFAULT_REGION));
    let mut loader = aws_config::defaults(BehaviorVersion::latest())
        .http_client(http_client)
        .timeout_config(timeouts)
        .stalled_stream_protection(StalledStreamProtectionConfig::disabled())
        .retry_config(RetryConfig::standard().with_max_attempts(ATTEMPTS))
        .region(region);
    if let Some(endpoint_url) = &settings.endpoint_url {
        loader = loader.endpoint_url(endpoint_url);
    }
    if let Some(credentials) = &settings.credentials {
        loader = loader.credentials_provider(credentials.clone());
    }
    loader.load().await
}

#[cfg(test)]
mod tests {
    use super::*;

    fn lookup(name: &str) -> Option<String> {
        let value = match name {
            "AWS_DEFAULT_REGION" => "us-east-2",
            "AWS_ENDPOINT_URL" => "http://127.0.0.1:4566",
            "AWS_ACCESS_KEY_ID" => "local",
            "AWS_SECRET_ACCESS_KEY" => "very-secret",
            _ => return None,
        };
        Some(value.to_owned())
    }

    #[test]
    fn settings_come_from_the_standard_variables_and_hide_the_secret() {
        let settings = AwsSettings::read(lookup);
        assert_eq!(settings.region.as_deref(), Some("us-east-2"));
        assert_eq!(settings.endpoint_url.as_deref(), Some("http://127.0.0.1:4566"));
        assert!(!format!("{settings:?}").contains("very-secret"));
        let nothing = AwsSettings::read(|_| None);
        assert!(nothing.region.is_none() && nothing.credentials.is_none());
    }

    #[tokio::test]
    async fn the_configuration_has_timeouts_retries_and_the_given_settings() {
        let config = sdk_config(&AwsSettings::read(lookup)).await;
        assert_eq!(config.region().unwrap().as_ref(), "us-east-2");
        assert_eq!(config.endpoint_url(), Some("http://127.0.0.1:4566"));
        assert_eq!(config.timeout_config().unwrap().connect_timeout(), Some(CONNECT_TIMEOUT));
        assert_eq!(config.retry_config().unwrap().max_attempts(), ATTEMPTS);
        assert!(config.http_client().is_some());
    }

    #[tokio::test]
    async fn every_setting_is_optional() {
        assert!(sdk_config(&AwsSettings::default()).await.region().is_some());
    }
}
