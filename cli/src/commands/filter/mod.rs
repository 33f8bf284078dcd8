//! `foostore filter`: helps to write filter expressions.

mod complete;
mod explain;
mod read;
mod seen;
pub(crate) mod texts;

use clap::Subcommand;
use service_runtime::Environment;

pub(crate) use self::read::{joined, read};
use crate::failure::Failure;
use crate::stdio::print;

/// Check a filter expression of X-Ray, or explain it
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  foostore filter check 'service(\"email\") { fault } AND responsetime > 1'
  foostore filter explain 'annotation.customer_number = \"100000000001\" !ok'
  foostore filter complete 'annotation.ev'

The language is that of X-Ray: what is valid here can be used in its console, in groups and with `foostore traces --aws`.
Exit codes: 0 valid, 1 not, or nothing to complete with.")]
pub(crate) struct FilterArgs {
    #[command(subcommand)]
    command: FilterCommand,
}

#[derive(Debug, Subcommand)]
enum FilterCommand {
    /// Check an expression, and show what is wrong and where
    Check {
        /// The expression
        expression: String,
    },
    /// List what may come next at the end of an expression: keywords, operators, and values seen in recent traces
    Complete(complete::CompleteArgs),
    /// Say in words which traces an expression finds
    Explain {
        /// The expression
        expression: String,
    },
}

/// Runs the command.
///
/// # Errors
/// When the expression is not valid, or X-Ray cannot be queried for values to complete it with.
pub(crate) async fn run(args: FilterArgs, environment: &Environment) -> anyhow::Result<()> {
    match &args.command {
        FilterCommand::Complete(args) => complete::run(args, environment).await?,
        FilterCommand::Check { expression } => {
            let filter = read(expression).map_err(Failure::refused)?;
            print(&format!("valid: {filter}"))?;
        }
        FilterCommand::Explain { expression } => {
            let filter = read(expression).map_err(Failure::refused)?;
            print(&explain::explain(filter.expression()))?;
        }
    }
    Ok(())
}
