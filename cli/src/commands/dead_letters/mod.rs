//! `foostore dead-letters`: lists, shows, redrives, exports and deletes what is on the dead-letter queues.
//!
//! Everything goes through the API of SQS, so that it is the same locally and on AWS. `StartMessageMoveTask` is not used:
//! it moves all of a queue or nothing, and nothing from the queue of undelivered events.

mod announce;
mod fate;
mod letter;
mod queue;
mod queues;
mod redrive;
mod report;
mod select;

use std::time::Duration;

use aws_config::SdkConfig;
use service_runtime::Environment;

use self::letter::Letter;
use self::queues::Queues;
use self::redrive::Redrive;
use self::select::Selection;
use crate::endpoint::Endpoint;
use crate::failure::Failure;
use crate::stdio::{print, remark};
use crate::style::Style;
use crate::xray_client::XRay;

/// Work with the messages on the dead-letter queues
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  foostore dead-letters list
  foostore dead-letters list --aws --environment prod --service email
  foostore dead-letters redrive --reason throttled --dry-run
  foostore dead-letters redrive --reason throttled --rate 20
  foostore dead-letters export --service email > letters.jsonl

docs/reliability.md says which reasons to redrive.")]
pub(crate) struct DeadLettersArgs {
    #[command(subcommand)]
    what: What,
}

#[derive(Debug, clap::Subcommand)]
enum What {
    List(ListArgs),
    Show(ShowArgs),
    Redrive(RedriveArgs),
    Drop(DropArgs),
    Export(ExportArgs),
}

/// Where the queues are
#[derive(Debug, clap::Args)]
struct Place {
    /// The environment whose queues these are
    #[arg(long, env = "ENVIRONMENT", hide_env_values = true, value_name = "NAME", default_value = "local")]
    environment: String,
    #[command(flatten)]
    endpoint: Endpoint,
}

/// List the messages by service and reason
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  foostore dead-letters list
  foostore dead-letters list --reason rejected --limit 20
  foostore dead-letters list --json | jq .reason")]
struct ListArgs {
    #[command(flatten)]
    selection: Selection,
    /// Print a line of JSON for each message
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    place: Place,
}

/// Show everything known about a message
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  foostore dead-letters show 0190b7c4-3c6e-4a50-8d2c-6a9f6a1b2c3d
  foostore dead-letters show --body 0190b7c4-3c6e-4a50-8d2c-6a9f6a1b2c3d")]
struct ShowArgs {
    #[command(flatten)]
    selection: Selection,
    /// Print the body too, which may contain personal data
    #[arg(long)]
    body: bool,
    #[command(flatten)]
    place: Place,
}

/// Send messages to their service again, and report the outcome of each
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  foostore dead-letters redrive --dry-run
  foostore dead-letters redrive --service email --reason throttled --limit 10
  foostore dead-letters redrive --force 0190b7c4-3c6e-4a50-8d2c-6a9f6a1b2c3d")]
struct RedriveArgs {
    #[command(flatten)]
    selection: Selection,
    /// Messages per second
    #[arg(long, value_name = "MESSAGES", default_value_t = 20, value_parser = clap::value_parser!(u32).range(1..=1000))]
    rate: u32,
    /// Report what would be redriven, and redrive nothing
    #[arg(long)]
    dry_run: bool,
    /// Also redrive messages that the service refused permanently, once its code has been fixed
    #[arg(long)]
    force: bool,
    /// How long to wait for the outcomes in the traces
    #[arg(long, value_name = "SECONDS", default_value_t = 10)]
    wait: u64,
    #[command(flatten)]
    place: Place,
}

/// Delete messages for good
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  foostore dead-letters drop --reason malformed-event --dry-run
  foostore dead-letters drop 0190b7c4-3c6e-4a50-8d2c-6a9f6a1b2c3d

What is dropped is lost: export it first.")]
struct DropArgs {
    #[command(flatten)]
    selection: Selection,
    /// Delete all messages, which needs no selection
    #[arg(long)]
    all: bool,
    /// Report what would be deleted, and delete nothing
    #[arg(long)]
    dry_run: bool,
    #[command(flatten)]
    place: Place,
}

/// Print whole messages as lines of JSON; bodies may contain personal data
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  foostore dead-letters export > letters.jsonl
  foostore dead-letters export --service email --reason rejected | jq .body")]
struct ExportArgs {
    #[command(flatten)]
    selection: Selection,
    #[command(flatten)]
    place: Place,
}

/// Runs the command.
///
/// # Errors
/// When SQS cannot be reached or refuses a call, or nothing was found or everything was refused.
pub(crate) async fn run(args: DeadLettersArgs, environment: &Environment) -> anyhow::Result<()> {
    let style = Style::for_stream(&std::io::stdout(), environment);
    match args.what {
        What::List(args) => {
            let (_, found) = args.place.find(&args.selection, environment).await?;
            let lines = |letter: &Letter| letter.summary().to_string();
            let text = if args.json { each(&found, lines) } else { report::list(&found, style) };
            print_unless_empty(&text)
        }
        What::Show(args) => {
            let (_, found) = args.place.find(&args.selection, environment).await?;
            print_unless_empty(&each(&found, |letter| report::show(letter, args.body)))
        }
        What::Export(args) => {
            let (_, found) = args.place.find(&args.selection, environment).await?;
            print_unless_empty(&each(&found, |letter| letter.whole().to_string()))
        }
        What::Drop(args) => drop_letters(args, environment, style).await,
        What::Redrive(args) => redrive(args, environment, style).await,
    }
}

impl Place {
    async fn config(&self, environment: &Environment) -> anyhow::Result<(SdkConfig, String)> {
        let prefix = format!("{}-{}", contracts::APPLICATION, self.environment);
        Ok((self.endpoint.config(environment).await?, prefix))
    }

    /// Returns the selected messages. They are visible to others again.
    async fn find(
        &self,
        selection: &Selection,
        environment: &Environment,
    ) -> anyhow::Result<(Queues, Vec<Letter>)> {
        let (config, prefix) = self.config(environment).await?;
        let queues = Queues::find(&config, &prefix).await?;
        let found = selection.of(queues.letters().await?);
        if found.is_empty() {
            remark(&format!("no message on the dead-letter queues of {prefix} matches"));
        }
        Ok((queues, found))
    }
}

async fn drop_letters(args: DropArgs, environment: &Environment, style: Style) -> anyhow::Result<()> {
    if args.selection.is_everything() && !args.all {
        return Err(Failure::usage(
            "name what to delete by id, --service or --reason; --all deletes everything",
        )
        .into());
    }
    let (queues, found) = args.place.find(&args.selection, environment).await?;
    if args.dry_run {
        return print_unless_empty(&report::list(&found, style));
    }
    for letter in &found {
        queues.delete(letter).await?;
        print(&format!("{}  dropped", report::name(letter)))?;
    }
    Ok(())
}

async fn redrive(args: RedriveArgs, environment: &Environment, style: Style) -> anyhow::Result<()> {
    let (config, prefix) = args.place.config(environment).await?;
    let (queues, found) = args.place.find(&args.selection, environment).await?;
    let (found, refused): (Vec<_>, Vec<_>) =
        found.into_iter().partition(|letter| args.force || !letter.is_permanent());
    if args.dry_run {
        print_unless_empty(&report::list(&found, style))?;
    } else if !found.is_empty() {
        let xray: XRay = args.place.endpoint.xray(environment).await?.looking_back(24);
        let redrive = Redrive { queues: &queues, config: &config, prefix: &prefix, rate: args.rate };
        let sent = redrive.all(found).await?;
        fate::report(&xray, &queues, sent, Duration::from_secs(args.wait)).await?;
    }
    if refused.is_empty() {
        return Ok(());
    }
    remark(&report::list(&refused, style));
    Err(Failure::refused(
        "these are refused, because the service refused them permanently; once its code is fixed, redrive them with --force",
    )
    .into())
}

fn each(letters: &[Letter], render: impl Fn(&Letter) -> String) -> String {
    letters.iter().map(render).collect::<Vec<_>>().join("\n")
}

fn print_unless_empty(text: &str) -> anyhow::Result<()> {
    if !text.is_empty() {
        print(text)?;
    }
    Ok(())
}
