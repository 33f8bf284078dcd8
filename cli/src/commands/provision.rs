//! `foostore provision`: creates the resources that the services need, and nothing else.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use anyhow::Context as _;
use service_runtime::Environment;
use topology::Resources;

use crate::endpoint;
use crate::failure::Failure;
use crate::layer;
use crate::stdio::{print, remark};

/// Create the queues, rules, topics, tables and Pipes of all services at an endpoint
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  foostore provision --endpoint-url http://127.0.0.1:4566
  foostore provision --endpoint-url http://127.0.0.1:4566 --env-dir env
  foostore provision --endpoint-url http://127.0.0.1:4566 --json | jq .membership

Running it again changes nothing. `foostore cloud --provision` does the same in a cloud that it starts.
For development and emulators only; production is deployed from the CloudFormation templates.")]
pub(crate) struct ProvisionArgs {
    /// Endpoint of all AWS APIs
    #[arg(long, env = "AWS_ENDPOINT_URL", hide_env_values = true, value_name = "URL")]
    endpoint_url: String,
    /// Region
    #[arg(long, env = "AWS_REGION", hide_env_values = true, default_value = endpoint::REGION)]
    region: String,
    /// Application; the first part of every resource's name
    #[arg(long, env = "APPLICATION", hide_env_values = true, default_value = "foostore")]
    application: String,
    /// Environment; the second part of every resource's name
    #[arg(long, env = "ENVIRONMENT", hide_env_values = true, default_value = "local")]
    environment: String,
    /// Write the environment variables of each service to NAME.env in this directory
    #[arg(long, value_name = "DIR")]
    env_dir: Option<PathBuf>,
    /// Print the environment variables of each service as JSON
    #[arg(long)]
    json: bool,
}

/// Runs the command.
///
/// # Errors
/// When the endpoint cannot be reached or refuses a resource.
pub(crate) async fn run(args: ProvisionArgs, environment: &Environment) -> anyhow::Result<()> {
    let resources = layer::resources(&args.application, &args.environment)?;
    let config = endpoint::local_config(&args.endpoint_url, &args.region, environment).await;
    let outputs = Box::pin(provisioning::provision(&resources, &config)).await.with_context(|| {
        Failure::unavailable(format!("could not create all resources at {}", args.endpoint_url))
    })?;
    let environments: BTreeMap<&str, BTreeMap<String, String>> = layer::names()
        .map(|name| {
            let mut variables = outputs.environment(name);
            variables.insert("APPLICATION".to_owned(), args.application.clone());
            variables.insert("ENVIRONMENT".to_owned(), args.environment.clone());
            variables.insert("AWS_ENDPOINT_URL".to_owned(), args.endpoint_url.clone());
            variables.insert("AWS_REGION".to_owned(), args.region.clone());
            if !endpoint::has_credentials(environment) {
                // An emulator accepts any credentials, but the SDK sends no request without some.
                for variable in ["AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"] {
                    variables.insert(variable.to_owned(), endpoint::LOCAL_KEY.to_owned());
                }
            }
            (name, variables)
        })
        .collect();
    if let Some(directory) = &args.env_dir {
        for (name, variables) in &environments {
            remark(&format!("wrote {}", write(directory, name, variables)?.display()));
        }
    }
    if args.json {
        print(&serde_json::to_string_pretty(&environments)?)?;
    } else {
        remark(&format!("{} at {}", summary(&resources), args.endpoint_url));
    }
    Ok(())
}

/// Says in one line what was created.
pub(crate) fn summary(resources: &Resources) -> String {
    let Resources { application, environment, queues, rules, topics, tables, pipes, buckets, keys, .. } =
        resources;
    format!(
        "{application}-{environment}: a bus, {} queues, {} rules, {} topics, {} tables, {} pipes, {} buckets and {} keys",
        queues.len(),
        rules.len(),
        topics.len(),
        tables.len(),
        pipes.len(),
        buckets.len(),
        keys.len()
    )
}

/// Writes `NAME.env` with a line `VARIABLE=value` for each variable, as `docker run --env-file` and compose read it.
fn write(directory: &Path, name: &str, variables: &BTreeMap<String, String>) -> anyhow::Result<PathBuf> {
    std::fs::create_dir_all(directory)
        .with_context(|| format!("{} cannot be created", directory.display()))?;
    let path = directory.join(name).with_extension("env");
    let lines: Vec<String> = variables.iter().map(|(name, value)| format!("{name}={value}")).collect();
    let text = lines.join("\n") + "\n";
    std::fs::write(&path, text).with_context(|| format!("{} cannot be written", path.display()))?;
    Ok(path)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_has_a_line_for_each_variable() {
        let directory = tempfile::tempdir().unwrap();
        let variables = BTreeMap::from([
            ("QUEUE_URL".to_owned(), "http://cloud:4566/q".to_owned()),
            ("EVENT_BUS_NAME".to_owned(), "foostore-local".to_owned()),
        ]);
        let path = write(&directory.path().join("env"), "membership", &variables).unwrap();
        assert_eq!(path.file_name().unwrap(), "membership.env");
        let text = std::fs::read_to_string(path).unwrap();
        assert_eq!(text, "EVENT_BUS_NAME=foostore-local\nQUEUE_URL=http://cloud:4566/q\n");
    }
}
