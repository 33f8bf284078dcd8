//! `foostore service`: runs one service in this process.

use std::process::ExitCode;

use clap::builder::PossibleValuesParser;
use service_runtime::Environment;

use crate::layer;

/// Run one service in this process, with settings from the environment
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  foostore provision --endpoint-url http://127.0.0.1:4566 --env-dir env
  env $(cat env/membership.env) foostore service membership
  HEALTH_ADDRESS=127.0.0.1:8081 foostore service membership --health

Exits with 64 if a setting is invalid, and names it.")]
pub(crate) struct ServiceArgs {
    /// Which service
    #[arg(value_parser = PossibleValuesParser::new(layer::names()))]
    name: String,
    /// Drain and exit when standard input is closed, for a parent process that may be killed
    #[arg(long)]
    exit_with_stdin: bool,
    /// Start nothing; check whether the service with this environment is ready, with exit code 0 or 1
    #[arg(long, conflicts_with = "exit_with_stdin")]
    health: bool,
}

/// Runs the command.
///
/// # Errors
/// When there is no such service; the command line has already checked that.
pub(crate) fn run(args: &ServiceArgs) -> anyhow::Result<ExitCode> {
    let Some(service) = layer::find(&args.name) else {
        anyhow::bail!("there is no service {}", args.name);
    };
    if args.health {
        return Ok(service_runtime::health(&Environment::from_process()));
    }
    Ok(service.main(args.exit_with_stdin))
}
