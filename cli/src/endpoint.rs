//! Which AWS a command talks to: the local cloud, another emulator, or AWS itself.

use aws_clients::AwsSettings;
use aws_config::SdkConfig;
use aws_credential_types::Credentials;
use service_runtime::Environment;

use crate::xray_client::XRay;

/// The default address of the local cloud in `foostore up`.
pub(crate) const DEFAULT_ENDPOINT_URL: &str = "http://127.0.0.1:4566";
/// The region of the local run.
pub(crate) const REGION: &str = aws_clients::DEFAULT_REGION;
/// The access key and secret of the local run; the local cloud accepts any.
pub(crate) const LOCAL_KEY: &str = "local";

/// Which AWS to talk to
#[derive(Debug, Clone, clap::Args)]
pub(crate) struct Endpoint {
    /// Endpoint of the local cloud or another emulator
    #[arg(id = "endpoint_url", long = "endpoint-url", env = "AWS_ENDPOINT_URL", hide_env_values = true, value_name = "URL", default_value = DEFAULT_ENDPOINT_URL)]
    url: String,
    /// Use AWS itself, with the credentials and region of the environment
    #[arg(long)]
    aws: bool,
    /// Region; defaults to that of the environment
    #[arg(long, env = "AWS_REGION", hide_env_values = true, value_name = "REGION")]
    region: Option<String>,
}

impl Endpoint {
    /// Returns the SDK configuration for it.
    pub(crate) async fn config(&self, environment: &Environment) -> SdkConfig {
        if self.aws {
            let settings = AwsSettings { region: self.region.clone(), ..AwsSettings::default() };
            aws_clients::sdk_config(&settings).await
        } else {
            let region = self.region.as_deref().unwrap_or(REGION);
            local_config(&self.url, region, environment).await
        }
    }

    /// Returns a client of X-Ray there.
    pub(crate) async fn xray(&self, environment: &Environment) -> XRay {
        XRay::new(&self.config(environment).await, if self.aws { "AWS" } else { &self.url })
    }
}

/// Returns the SDK configuration for an endpoint other than AWS: with the environment's credentials if it has any,
/// else with local ones, so that an emulator needs no set-up.
pub(crate) async fn local_config(endpoint_url: &str, region: &str, environment: &Environment) -> SdkConfig {
    let mut settings = AwsSettings::read(|name| environment.get(name).map(str::to_owned));
    settings.region = Some(region.to_owned());
    settings.endpoint_url = Some(endpoint_url.to_owned());
    if !has_credentials(environment) {
        settings.credentials = Some(Credentials::new(LOCAL_KEY, LOCAL_KEY, None, None, "local"));
    }
    aws_clients::sdk_config(&settings).await
}

/// Whether the environment has credentials or names a profile.
pub(crate) fn has_credentials(environment: &Environment) -> bool {
    ["AWS_ACCESS_KEY_ID", "AWS_PROFILE"]
        .iter()
        .any(|name| environment.get(name).is_some_and(|value| !value.is_empty()))
}
