//! Which AWS a command talks to: the local cloud, another emulator, or AWS itself.

use std::path::Path;

use aws_clients::AwsSettings;
use aws_config::SdkConfig;
use aws_credential_types::Credentials;
use service_runtime::Environment;

use crate::failure::Failure;
use crate::runs::{self, Running};
use crate::xray_client::XRay;

/// The default address of the local cloud in `foostore up`.
pub(crate) const DEFAULT_ENDPOINT_URL: &str = "http://127.0.0.1:4566";
/// The default address of ingest in `foostore up`.
const DEFAULT_INGEST_URL: &str = "http://127.0.0.1:8080";
/// What an option that names the endpoint is for.
pub(crate) const ENDPOINT_HELP: &str = "Endpoint of the local cloud or another emulator [default: that of the running `foostore up`, or http://127.0.0.1:4566]";
/// What an option that names ingest is for.
pub(crate) const INGEST_HELP: &str =
    "Address of ingest [default: that of the running `foostore up`, or http://127.0.0.1:8080]";
/// The region of the local run.
pub(crate) const REGION: &str = aws_clients::DEFAULT_REGION;
/// The access key and secret of the local run; the local cloud accepts any.
pub(crate) const LOCAL_KEY: &str = "local";

/// Which AWS to talk to
#[derive(Debug, Clone, clap::Args)]
pub(crate) struct Endpoint {
    #[arg(id = "endpoint_url", long = "endpoint-url", env = "AWS_ENDPOINT_URL", hide_env_values = true, value_name = "URL", help = ENDPOINT_HELP)]
    url: Option<String>,
    /// Use AWS itself, with the credentials and region of the environment
    #[arg(long)]
    aws: bool,
    /// Region; defaults to that of the environment
    #[arg(long, env = "AWS_REGION", hide_env_values = true, value_name = "REGION")]
    region: Option<String>,
}

impl Endpoint {
    /// Returns the SDK configuration for it.
    ///
    /// # Errors
    /// When several runs could be meant.
    pub(crate) async fn config(&self, environment: &Environment) -> anyhow::Result<SdkConfig> {
        if self.aws {
            return Ok(self.of_aws().await);
        }
        Ok(self.local(&endpoint_url(self.url.as_deref())?, environment).await)
    }

    /// Returns a client of X-Ray there.
    ///
    /// # Errors
    /// When several runs could be meant.
    pub(crate) async fn xray(&self, environment: &Environment) -> anyhow::Result<XRay> {
        if self.aws {
            return Ok(XRay::new(&self.of_aws().await, "AWS"));
        }
        let url = xray_url(self.url.as_deref())?;
        Ok(XRay::new(&self.local(&url, environment).await, &url))
    }

    /// Whether it is AWS itself, where changes need consent.
    #[cfg(feature = "local")]
    pub(crate) fn is_aws(&self) -> bool {
        self.aws
    }

    async fn of_aws(&self) -> SdkConfig {
        let settings = AwsSettings { region: self.region.clone(), ..AwsSettings::default() };
        aws_clients::sdk_config(&settings).await
    }

    async fn local(&self, url: &str, environment: &Environment) -> SdkConfig {
        local_config(url, self.region.as_deref().unwrap_or(REGION), environment).await
    }
}

/// Returns the endpoint that was given, else that of the running `foostore up`, else the default.
///
/// # Errors
/// When several runs could be meant.
pub(crate) fn endpoint_url(given: Option<&str>) -> Result<String, Failure> {
    match given {
        Some(url) => Ok(url.to_owned()),
        None => Ok(the_run()?.map_or_else(|| DEFAULT_ENDPOINT_URL.to_owned(), |run| run.endpoint)),
    }
}

/// Returns the endpoint that was given, else that of the local cloud of the running `foostore up`, whatever AWS its
/// services call, else the default.
///
/// # Errors
/// When several runs could be meant.
pub(crate) fn xray_url(given: Option<&str>) -> Result<String, Failure> {
    match given {
        Some(url) => Ok(url.to_owned()),
        None => Ok(the_run()?.map_or_else(|| DEFAULT_ENDPOINT_URL.to_owned(), |run| run.xray)),
    }
}

/// Returns the address of ingest that was given, else that of the running `foostore up`, else the default.
///
/// # Errors
/// When several runs could be meant.
pub(crate) fn ingest_url(given: Option<&str>) -> Result<String, Failure> {
    match given {
        Some(url) => Ok(url.to_owned()),
        None => Ok(the_run()?.map_or_else(|| DEFAULT_INGEST_URL.to_owned(), |run| run.ingest)),
    }
}

/// Returns the run below `directory`, or of several the one with the endpoint `url`.
///
/// # Errors
/// When there is none, or several could be meant.
#[cfg(feature = "local")]
pub(crate) fn run_at(directory: &Path, url: Option<&str>) -> Result<Running, Failure> {
    let mut runs = runs::running(directory);
    if let Some(url) = url {
        runs.retain(|run| [&run.endpoint, &run.xray].contains(&&url.trim_end_matches('/').to_owned()));
    }
    one_of(runs)?.ok_or_else(|| {
        let at = url.map(|url| format!(" with the endpoint {url}")).unwrap_or_default();
        Failure::refused(format!("no run in {} is ready{at}", directory.display()))
    })
}

/// Returns the run in this directory, if there is one.
fn the_run() -> Result<Option<Running>, Failure> {
    one_of(runs::running(Path::new(runs::DIRECTORY)))
}

fn one_of(mut runs: Vec<Running>) -> Result<Option<Running>, Failure> {
    if runs.len() > 1 {
        let each = |run: &Running| format!("\n  {}  ingest {}", run.endpoint, run.ingest);
        let all: String = runs.iter().map(each).collect();
        return Err(Failure::usage(format!("several runs are ready: choose one by its address{all}")));
    }
    Ok(runs.pop())
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_run_is_found_and_of_several_the_user_chooses() {
        let run = |port: u16| Running {
            services: Vec::new(),
            directory: "run".into(),
            endpoint: format!("http://127.0.0.1:{port}"),
            xray: format!("http://127.0.0.1:{port}"),
            ingest: format!("http://127.0.0.1:{}", port + 1),
        };
        assert_eq!(one_of(Vec::new()).unwrap(), None);
        assert_eq!(one_of(vec![run(7000)]).unwrap(), Some(run(7000)));
        let error = one_of(vec![run(7000), run(8000)]).unwrap_err().to_string();
        assert!(
            error.contains("http://127.0.0.1:7000") && error.contains("http://127.0.0.1:8001"),
            "{error}"
        );
    }
}
