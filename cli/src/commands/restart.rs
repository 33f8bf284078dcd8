//! `foostore restart`: restarts services of a running `foostore up`, with the program that is there now.

use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::Context as _;
use clap::builder::PossibleValuesParser;
use futures_util::future::try_join_all;
use tokio::time::Instant;

use crate::endpoint::{ENDPOINT_HELP, run_at};
use crate::failure::Failure;
use crate::ingest_client::http_client;
use crate::service_addresses::{self, Addresses};
use crate::service_state::{ServiceState, addresses_file, request_restart};
use crate::stdio::print;
use crate::{layer, runs};

/// The pause between two looks at the state of a service.
const POLL_INTERVAL: Duration = Duration::from_millis(50);

/// Drain services of the running `foostore up` and start them again
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  foostore restart email
  foostore restart email notifier
  cargo build && foostore restart --all

A service finishes what it has begun, and starts again from the same file: what was built in the meantime then runs.")]
pub(crate) struct RestartArgs {
    /// Which services
    #[arg(value_name = "SERVICE", value_parser = PossibleValuesParser::new(layer::names()), required_unless_present = "all")]
    services: Vec<String>,
    /// Restart every service
    #[arg(long, conflicts_with = "services")]
    all: bool,
    /// Wait up to this long for a service to drain and to become ready again
    #[arg(long, value_name = "SECONDS", default_value_t = 60)]
    wait: u64,
    /// Directory of the runs
    #[arg(long, value_name = "DIR", default_value = runs::DIRECTORY)]
    log_dir: PathBuf,
    #[arg(long, env = "AWS_ENDPOINT_URL", hide_env_values = true, value_name = "URL", help = ENDPOINT_HELP)]
    endpoint_url: Option<String>,
}

/// Runs the command.
///
/// # Errors
/// When no run is meant, or a service does not become ready again.
pub(crate) async fn run(args: RestartArgs) -> anyhow::Result<()> {
    let run = run_at(&args.log_dir, args.endpoint_url.as_deref())?;
    let names: Vec<&str> =
        if args.all { &run.services } else { &args.services }.iter().map(String::as_str).collect();
    let http = http_client()?;
    let limit = Duration::from_secs(args.wait);
    try_join_all(names.into_iter().map(|name| restart(&run.directory, name, limit, &http))).await?;
    Ok(())
}

async fn restart(
    directory: &Path,
    name: &str,
    limit: Duration,
    http: &reqwest::Client,
) -> anyhow::Result<()> {
    let began = Instant::now();
    let before = ServiceState::read(directory, name).unwrap_or_default();
    request_restart(directory, name).with_context(|| format!("the restart of {name} cannot be requested"))?;
    loop {
        let state = ServiceState::read(directory, name).unwrap_or_default();
        let reason = match (state.pid, addresses(directory, name).health) {
            _ if state.starts == before.starts => "it is draining".to_owned(),
            (None, _) => state.ended.unwrap_or_else(|| "it is starting".to_owned()),
            (_, None) => "it is starting".to_owned(),
            (Some(pid), Some(health)) => match service_addresses::ready(http, health).await {
                Ok(()) => {
                    let was = before.pid.map(|pid| format!("pid {pid}, now ")).unwrap_or_default();
                    let seconds = began.elapsed().as_secs_f64();
                    print(&format!("{name}: {was}pid {pid}, ready after {seconds:.1} s"))?;
                    return Ok(());
                }
                Err(reason) => reason,
            },
        };
        if !runs::is_running(directory) {
            return Err(Failure::unavailable("the run has ended").into());
        }
        if began.elapsed() >= limit {
            let seconds = limit.as_secs();
            let failure = format!("service {name} is not ready again after {seconds} s: {reason}");
            return Err(Failure::unavailable(failure).into());
        }
        tokio::time::sleep(POLL_INTERVAL).await;
    }
}

fn addresses(directory: &Path, name: &str) -> Addresses {
    Addresses::read(&std::fs::read_to_string(addresses_file(directory, name)).unwrap_or_default())
}
