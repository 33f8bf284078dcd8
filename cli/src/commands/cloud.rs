//! `foostore cloud`: the local cloud alone.

use std::net::SocketAddr;
use std::path::PathBuf;

use anyhow::Context as _;
use local_cloud::{LocalCloud, Settings};
use serde_json::json;
use service_runtime::Environment;

use super::provision;
use crate::endpoint;
use crate::failure::Failure;
use crate::layer;
use crate::ports;
use crate::signals::Signals;
use crate::stdio::{print, remark};

/// Run the local cloud alone: AWS at one address, for development and tests
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  foostore cloud
  foostore cloud --address 0.0.0.0:4566 --otlp-address 0.0.0.0:4318
  foostore cloud --provision --data-dir .foostore/cloud
  foostore cloud --health
  AWS_ENDPOINT_URL=http://127.0.0.1:4566 aws xray get-trace-summaries --start-time … --end-time …")]
pub(crate) struct CloudArgs {
    /// Address of all AWS APIs; port 0 picks a free port
    #[arg(long, value_name = "ADDRESS", default_value = "127.0.0.1:4566")]
    address: SocketAddr,
    /// Address that receives traces and metrics over OTLP, by HTTP and gRPC; port 0 picks a free port
    #[arg(long, value_name = "ADDRESS", default_value = "127.0.0.1:4318")]
    otlp_address: SocketAddr,
    /// Region that it reports
    #[arg(long, env = "AWS_REGION", hide_env_values = true, default_value = crate::endpoint::REGION)]
    region: String,
    /// Create the resources of all services before the first request is answered, so that a restart alone heals the layer
    #[arg(long)]
    provision: bool,
    /// With --provision: the application, first part of every resource's name
    #[arg(long, env = "APPLICATION", hide_env_values = true, default_value = "foostore")]
    application: String,
    /// With --provision: the environment, second part of every resource's name
    #[arg(long, env = "ENVIRONMENT", hide_env_values = true, default_value = "local")]
    environment: String,
    /// Keep mails and traces in this directory, so that they outlive a restart, and tables and objects while the cloud runs
    #[arg(long, value_name = "DIR")]
    data_dir: Option<PathBuf>,
    /// Memory for messages, mails and objects, in MiB; beyond it messages and objects are refused, and the oldest mails
    /// dropped
    #[arg(long, value_name = "MIB", default_value_t = Settings::default().memory_mib, value_parser = memory)]
    memory_mib: usize,
    /// What traces may take on disk, in MiB; beyond it the oldest are dropped
    #[arg(long, value_name = "MIB", default_value_t = Settings::default().traces_mib, value_parser = memory)]
    traces_mib: usize,
    /// Print the addresses as one JSON line
    #[arg(long)]
    json: bool,
    /// Start nothing; check whether the cloud at --address is up, with exit code 0 or 1
    #[arg(long, conflicts_with = "json")]
    health: bool,
}

/// Runs the command until Ctrl-C or SIGTERM.
///
/// # Errors
/// When an address is in use, or with `--health` when no cloud is up.
pub(crate) async fn run(args: CloudArgs, environment: &Environment) -> anyhow::Result<()> {
    if args.health {
        // The probe blocks, which is fine: there is nothing else to do.
        return service_runtime::probe(args.address, "/_local/health")
            .map_err(|unhealthy| Failure::refused(unhealthy.to_string()).into());
    }
    let mut signals = Signals::install()?;
    crate::log_lines::to_standard_error(environment)?;
    ports::free(args.address, "the AWS endpoint", "--address")?;
    ports::free(args.otlp_address, "OTLP", "--otlp-address")?;
    let cloud = tokio::select! {
        cloud = Box::pin(start(&args, environment)) => cloud?,
        () = signals.next() => return Ok(()),
    };
    let (endpoint, otlp) = (cloud.endpoint_url(), format!("http://{}", cloud.otlp_address()));
    if args.json {
        print(&json!({"ready": true, "endpoint": endpoint, "otlp": otlp}).to_string())?;
    } else {
        print(&format!("AWS_ENDPOINT_URL={endpoint}\nOTEL_EXPORTER_OTLP_ENDPOINT={otlp}"))?;
        let kept = if args.data_dir.is_some() { " except mails and traces" } else { "" };
        remark(&format!("the local cloud is ready; Ctrl-C stops it and discards its contents{kept}"));
    }
    signals.next().await;
    tokio::select! {
        () = cloud.shutdown() => {}
        () = signals.next() => {}
    }
    Ok(())
}

async fn start(args: &CloudArgs, environment: &Environment) -> anyhow::Result<LocalCloud> {
    let settings = Settings {
        address: args.address,
        otlp_address: args.otlp_address,
        region: args.region.clone(),
        data_dir: args.data_dir.clone(),
        memory_mib: args.memory_mib,
        traces_mib: args.traces_mib,
        ..Settings::default()
    };
    if !args.provision {
        return Ok(local_cloud::start(settings).await?);
    }
    let resources = layer::resources(&args.application, &args.environment)?;
    local_cloud::start_prepared(settings, async |endpoint_url| {
        let config = endpoint::local_config(&endpoint_url, &args.region, environment).await;
        let provisioned = Box::pin(provisioning::provision(&resources, &config)).await;
        provisioned.context("the resources cannot be created")?;
        remark(&provision::summary(&resources));
        anyhow::Ok(())
    })
    .await
}

fn memory(text: &str) -> Result<usize, String> {
    match text.parse() {
        Ok(mib) if mib > 0 => Ok(mib),
        _ => Err("a number of MiB above 0 is required".to_owned()),
    }
}
