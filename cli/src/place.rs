//! The account and region, or the emulator, to verify.

use aws_clients::AwsSettings;
use aws_config::SdkConfig;
use aws_sdk_sts::error::SdkError;
use service_runtime::Environment;

use crate::aws_failure::failed;
use crate::endpoint;
use crate::failure::Failure;

/// An account and region that the credentials can reach.
#[derive(Debug, Clone)]
pub(crate) struct Place {
    pub(crate) config: SdkConfig,
    pub(crate) account: String,
    pub(crate) region: String,
    /// The emulator's address, or `None` for AWS itself.
    pub(crate) endpoint_url: Option<String>,
    partition: String,
}

impl Place {
    /// Connects to AWS itself, with the credentials of the environment.
    ///
    /// # Errors
    /// When the environment names another endpoint, or the caller's identity is unavailable.
    pub(crate) async fn aws(region: Option<&str>, environment: &Environment) -> anyhow::Result<Self> {
        if environment.get("AWS_ENDPOINT_URL").is_some_and(|url| !url.is_empty()) {
            return Err(Failure::usage(
                "AWS_ENDPOINT_URL is set, so the calls would not go to AWS: unset it, or name it with --endpoint-url",
            )
            .into());
        }
        let settings = AwsSettings { region: region.map(str::to_owned), ..AwsSettings::default() };
        Self::ask(aws_clients::sdk_config(&settings).await, None).await
    }

    /// Connects to an emulator or the local cloud.
    ///
    /// # Errors
    /// When it does not answer.
    pub(crate) async fn emulator(
        url: &str,
        region: Option<&str>,
        environment: &Environment,
    ) -> anyhow::Result<Self> {
        let region = region.unwrap_or(endpoint::REGION);
        Self::ask(endpoint::local_config(url, region, environment).await, Some(url.to_owned())).await
    }

    async fn ask(config: SdkConfig, endpoint_url: Option<String>) -> anyhow::Result<Self> {
        let region = config.region().map(ToString::to_string).unwrap_or_default();
        let place = endpoint_url.clone().unwrap_or_else(|| format!("AWS in {region}"));
        let identity = match aws_sdk_sts::Client::new(&config).get_caller_identity().send().await {
            Ok(identity) => identity,
            Err(error) => {
                let hint = match (&error, &endpoint_url) {
                    (SdkError::ServiceError(_), _) => "refused to identify the caller",
                    (_, None) => {
                        "cannot be called (check the credentials with `aws sts get-caller-identity`)"
                    }
                    (_, Some(_)) => "cannot be reached",
                };
                let why = failed("GetCallerIdentity", error);
                return Err(Failure::unavailable(format!("{place} {hint}: {why:#}")).into());
            }
        };
        let (Some(account), Some(arn)) = (identity.account(), identity.arn()) else {
            return Err(Failure::unavailable(format!("{place} did not return an account")).into());
        };
        // arn:PARTITION:sts::ACCOUNT:…
        let partition = arn.split(':').nth(1).unwrap_or("aws").to_owned();
        Ok(Self { account: account.to_owned(), partition, region, endpoint_url, config })
    }

    /// Returns the ARN of a resource in this account and region.
    pub(crate) fn arn(&self, service: &str, resource: &str) -> String {
        format!("arn:{}:{service}:{}:{}:{resource}", self.partition, self.region, self.account)
    }

    /// Describes the place for a question to the user.
    pub(crate) fn text(&self) -> String {
        let place = self.endpoint_url.as_deref().unwrap_or("AWS");
        format!("account {}, region {}, at {place}", self.account, self.region)
    }

    /// Returns the options with which the AWS CLI uses the same place.
    pub(crate) fn cli_options(&self) -> String {
        let endpoint =
            self.endpoint_url.as_ref().map(|url| format!(" --endpoint-url {url}")).unwrap_or_default();
        format!("--region {}{endpoint}", self.region)
    }
}
