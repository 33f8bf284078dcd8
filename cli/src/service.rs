//! `foostore service`: one service in this process.

use std::process::ExitCode;

use clap::builder::PossibleValuesParser;

use crate::services;

/// Run one service in this process, with settings from the environment
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  foostore provision --endpoint-url http://127.0.0.1:4566 --env-dir env
  env $(cat env/membership.env) foostore service membership

Ends with 64 when a setting is wrong, and says which.")]
pub(crate) struct ServiceArgs {
    /// Which service
    #[arg(value_parser = PossibleValuesParser::new(services::names()))]
    name: String,
    /// Drain and end when standard input is closed, for a parent process that may be killed
    #[arg(long)]
    exit_with_stdin: bool,
}

/// Runs the command.
///
/// # Errors
/// When there is no such service, which the command line has checked before.
pub(crate) fn run(args: &ServiceArgs) -> anyhow::Result<ExitCode> {
    let Some(service) = services::find(&args.name) else {
        anyhow::bail!("there is no service {}", args.name);
    };
    Ok(service.main(args.exit_with_stdin))
}
