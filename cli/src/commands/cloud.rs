//! `foostore cloud`: the local cloud alone.

use std::net::SocketAddr;

use serde_json::json;
use service_runtime::Environment;

use crate::failure::Failure;
use crate::ports;
use crate::signals::Signals;
use crate::stdio::{print, remark};

/// Run the local cloud alone: AWS at one address, for development and tests
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  foostore cloud
  foostore cloud --address 0.0.0.0:4566 --otlp-address 0.0.0.0:4318
  foostore cloud --health
  AWS_ENDPOINT_URL=http://127.0.0.1:4566 aws xray get-trace-summaries --start-time … --end-time …")]
pub(crate) struct CloudArgs {
    /// Address of all AWS APIs; port 0 picks a free port
    #[arg(long, value_name = "ADDRESS", default_value = "127.0.0.1:4566")]
    address: SocketAddr,
    /// Address that receives traces over OTLP/HTTP; port 0 picks a free port
    #[arg(long, value_name = "ADDRESS", default_value = "127.0.0.1:4318")]
    otlp_address: SocketAddr,
    /// Region that it reports
    #[arg(long, env = "AWS_REGION", hide_env_values = true, default_value = crate::endpoint::REGION)]
    region: String,
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
    let cloud = local_cloud::start(local_cloud::Settings {
        address: args.address,
        otlp_address: args.otlp_address,
        region: args.region,
        ..local_cloud::Settings::default()
    })
    .await?;
    let (endpoint, otlp) = (cloud.endpoint_url(), format!("http://{}", cloud.otlp_address()));
    if args.json {
        print(&json!({"ready": true, "endpoint": endpoint, "otlp": otlp}).to_string())?;
    } else {
        print(&format!("AWS_ENDPOINT_URL={endpoint}\nOTEL_EXPORTER_OTLP_ENDPOINT={otlp}"))?;
        remark("the local cloud is ready; Ctrl-C stops it and discards its contents");
    }
    signals.next().await;
    tokio::select! {
        () = cloud.shutdown() => {}
        () = signals.next() => {}
    }
    Ok(())
}
