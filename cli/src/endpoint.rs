//! Which AWS a command talks to: the local cloud, another emulator, or AWS itself.

use aws_clients::AwsSettings;
use aws_config::SdkConfig;
use aws_credential_types::Credentials;
use service_runtime::Environment;

use crate::xray_client::XRay;

/// Where `foostore up` puts the local cloud unless told otherwise.
pub(crate) const DEFAULT_ENDPOINT_URL: &str = "http://127.0.0.1:4566";
/// The region of the local run.
pub(crate) const REGION: &str = aws_clients::DEFAULT_REGION;
/// The access key and secret of the local run: the local cloud takes any.
pub(crate) const LOCAL_KEY: &str = "local";

/// Where X-Ray is asked
#[derive(Debug, Clone, clap::Args)]
pub(crate) struct Endpoint {
    /// Endpoint that X-Ray is asked at
    #[arg(id = "endpoint_url", long = "endpoint-url", env = "AWS_ENDPOINT_URL", hide_env_values = true, value_name = "URL", default_value = DEFAULT_ENDPOINT_URL)]
    url: String,
    /// Ask AWS itself, with the credentials and the region of the environment
    #[arg(long)]
    aws: bool,
    /// Region; the environment's by default
    #[arg(long, env = "AWS_REGION", hide_env_values = true, value_name = "REGION")]
    region: Option<String>,
}

impl Endpoint {
    /// A client of X-Ray there.
    pub(crate) async fn xray(&self, environment: &Environment) -> XRay {
        if self.aws {
            let settings = AwsSettings { region: self.region.clone(), ..AwsSettings::default() };
            XRay::new(&aws_clients::sdk_config(&settings).await, "AWS")
        } else {
            let region = self.region.as_deref().unwrap_or(REGION);
            XRay::new(&local_config(&self.url, region, environment).await, &self.url)
        }
    }
}

/// SDK configuration for an endpoint that is not AWS: the environment's credentials if there are any, else local ones,
/// so that an emulator needs no set-up.
pub(crate) async fn local_config(endpoint_url: &str, region: &str, environment: &Environment) -> SdkConfig {
    let mut settings = AwsSettings::read(|name| environment.get(name).map(str::to_owned));
    settings.region = Some(region.to_owned());
    settings.endpoint_url = Some(endpoint_url.to_owned());
    if !has_credentials(environment) {
        settings.credentials = Some(Credentials::new(LOCAL_KEY, LOCAL_KEY, None, None, "local"));
    }
    aws_clients::sdk_config(&settings).await
}

/// Whether the environment names credentials, or a profile with some.
pub(crate) fn has_credentials(environment: &Environment) -> bool {
    ["AWS_ACCESS_KEY_ID", "AWS_PROFILE"]
        .iter()
        .any(|name| environment.get(name).is_some_and(|value| !value.is_empty()))
}
