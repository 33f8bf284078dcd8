//! `foostore filter`: helps to write filter expressions.

mod explain;

use clap::Subcommand;
use xray_engine::{FilterError, FilterExpression};

use crate::failure::Failure;
use crate::stdio::print;

/// Check a filter expression of X-Ray, or explain it
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  foostore filter check 'service(\"email\") { fault } AND responsetime > 1'
  foostore filter explain 'annotation.customer_number = \"100000000001\" !ok'

The language is that of X-Ray: what is valid here can be used in its console, in groups and with `foostore traces --aws`.
Exit codes: 0 valid, 1 not.")]
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
    /// Say in words which traces an expression finds
    Explain {
        /// The expression
        expression: String,
    },
}

/// Runs the command.
///
/// # Errors
/// When the expression is not valid.
pub(crate) fn run(args: &FilterArgs) -> anyhow::Result<()> {
    match &args.command {
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

/// Reads an expression.
///
/// # Errors
/// A message that shows the place of the fault in the expression.
pub(crate) fn read(expression: &str) -> Result<FilterExpression, String> {
    expression.parse().map_err(|error| shown(expression, &error))
}

/// Returns the error below the line that has it, with a mark at its place.
fn shown(expression: &str, error: &FilterError) -> String {
    let before: String = expression.chars().take(error.position.saturating_sub(1)).collect();
    let line = before.matches('\n').count();
    let column = before.rsplit('\n').next().unwrap_or_default().chars().count();
    let text = expression.lines().nth(line).unwrap_or_default();
    format!("{error}\n  {}\n  {}^", crate::style::printable(text), " ".repeat(column))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_error_is_marked_at_its_place() {
        let error = read("ok AND\n  größe > 5").unwrap_err();
        assert_eq!(error, "unknown keyword größe at position 10\n    größe > 5\n    ^");
        let error = read("responsetime >").unwrap_err();
        assert!(error.ends_with("\n  responsetime >\n                ^"), "{error}");
        assert!(read("ok").is_ok());
    }
}
