//! `foostore sampling`: X-Ray's central sampling rules.

mod attempt;
mod change;
mod patterns;
mod rules;

use clap::Subcommand;
use service_runtime::Environment;

use self::attempt::TryArgs;
use self::change::{RemoveArgs, SetArgs};
use self::rules::RulesArgs;

/// List, change and try X-Ray's sampling rules
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  foostore sampling rules
  foostore sampling set health --path '/health*' --rate 0 --reservoir 0 --priority 10
  foostore sampling set vouchers --attribute event_type='Voucher*' --rate 100% --priority 20
  foostore sampling try --service ingest --method POST --path /v1/events
  foostore sampling remove health
  foostore sampling rules --aws --json | jq .

Patterns have the wildcards * and ?, without regard to case. The rule with the lowest priority that matches decides.
docs/schemas/sampling.json describes the JSON.")]
pub(crate) struct SamplingArgs {
    #[command(subcommand)]
    command: SamplingCommand,
}

#[derive(Debug, Subcommand)]
enum SamplingCommand {
    /// List the rules in the order of evaluation, with what samplers have reported recently
    Rules(RulesArgs),
    /// Create a rule, or change what is given of one
    Set(SetArgs),
    /// Delete a rule
    Remove(RemoveArgs),
    /// Say which rule would decide about a request, and why the ones before it would not
    Try(TryArgs),
}

/// Runs the command.
///
/// # Errors
/// When X-Ray cannot be reached or refuses a change, consent is not given, or no rule matches.
pub(crate) async fn run(args: SamplingArgs, environment: &Environment) -> anyhow::Result<()> {
    match args.command {
        SamplingCommand::Rules(args) => rules::run(args, environment).await,
        SamplingCommand::Set(args) => change::set(args, environment).await,
        SamplingCommand::Remove(args) => change::remove(args, environment).await,
        SamplingCommand::Try(args) => attempt::run(args, environment).await,
    }
}
