//! Creates the resources of the services, or locates them where they exist already.

use anyhow::Context as _;
use provisioning::{Outputs, ProvisionError};
use service_runtime::Environment;

use crate::endpoint::{REGION, local_config};
use crate::failure::Failure;
use crate::layer;

/// Checks whether anything answers at `url`, so that an emulator that is not running is reported by its address rather
/// than by the first call that fails.
///
/// # Errors
/// When nothing does, or `url` is not a valid address.
pub(super) async fn reachable(url: &str, http: &reqwest::Client) -> Result<(), Failure> {
    match http.get(url).send().await {
        Ok(_) => Ok(()),
        Err(error) if error.is_builder() => {
            Err(Failure::usage(format!("--endpoint-url {url} is not a valid address: use http://HOST:PORT")))
        }
        Err(_) => Err(Failure::unavailable(format!(
            "nothing answers at --endpoint-url {url}; start the emulator first, or leave the option out for the local \
             cloud"
        ))),
    }
}

/// Returns the variables of the named services for the resources at `endpoint_url`, which it creates first if `provision` is
/// set.
///
/// # Errors
/// When a resource cannot be created, or does not exist.
pub(super) async fn at(endpoint_url: &str, services: &[&str], provision: bool) -> anyhow::Result<Outputs> {
    let resources = layer::resources_of(services, "foostore", "local")?;
    let config = local_config(endpoint_url, REGION, &Environment::default()).await;
    if provision {
        return Box::pin(provisioning::provision(&resources, &config))
            .await
            .with_context(|| format!("the resources cannot be created at {endpoint_url}"));
    }
    Box::pin(provisioning::locate(&resources, &config)).await.map_err(|error| match error {
        ProvisionError::Absent { .. } => anyhow::Error::new(Failure::unavailable(format!(
            "{error}, at {endpoint_url} in {REGION}; deploy the templates there as environment local, or leave out \
             --no-provision"
        ))),
        other => anyhow::Error::new(other)
            .context(format!("the resources cannot be found at {endpoint_url}")),
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::failure::{UNAVAILABLE, USAGE, code_of};
    use crate::ingest_client::http_client;

    #[tokio::test]
    async fn an_endpoint_that_does_not_answer_is_named() {
        let closed = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
        let http = http_client().unwrap();
        for (url, code) in [(format!("http://{closed}"), UNAVAILABLE), ("nowhere".to_owned(), USAGE)] {
            let error = anyhow::Error::new(reachable(&url, &http).await.unwrap_err());
            assert!(error.to_string().contains(&format!("--endpoint-url {url}")), "{error}");
            assert_eq!(code_of(&error), code);
        }
    }

    #[tokio::test]
    async fn missing_resources_are_named_or_created() {
        let any = "127.0.0.1:0".parse().unwrap();
        let settings = local_cloud::Settings { address: any, otlp_address: any, ..Default::default() };
        let cloud = local_cloud::start(settings).await.unwrap();
        let url = cloud.endpoint_url();
        let services: Vec<_> = layer::names().collect();
        let error = at(&url, &services, false).await.unwrap_err();
        assert_eq!(code_of(&error), UNAVAILABLE);
        assert!(error.to_string().contains("foostore-local"), "{error}");

        let created = at(&url, &services, true).await.unwrap();
        let found = at(&url, &services, false).await.unwrap();
        assert_eq!(created.environment("membership"), found.environment("membership"));
        cloud.shutdown().await;
    }
}
