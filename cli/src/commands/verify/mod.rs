//! `foostore verify`: checks against AWS what this project assumes of it.

mod assumptions;
mod bench;
mod checks;
mod ending;
mod finding;
mod full;
mod inbox;
mod leftover;
mod report;
mod scratch;
mod stack;

use std::time::Duration;

use service_runtime::Environment;
use tokio::time::Instant;

use self::bench::Bench;
use self::ending::{AtOnce, Ending};
use self::finding::{Finding, conclude};
use self::scratch::Scratch;
use self::stack::NotBegun;
use crate::consent;
use crate::place::Place;
use crate::signals::Signals;
use crate::stdio::{print, remark};
use crate::style::Style;

/// The wait of a check for AWS, in seconds: a Pipe's first event and the indexing of a trace take up to two minutes.
const WAIT_AWS_S: u64 = 180;
/// The wait for an emulator, which answers at once or never.
const WAIT_EMULATOR_S: u64 = 10;

/// Check against AWS, in a scratch stack, what this project assumes of it
#[derive(Debug, clap::Args)]
#[command(
    group(clap::ArgGroup::new("where").required(true).args(["aws", "endpoint_url"])),
    after_help = "\
Examples:
  foostore verify --aws --email-sender loyalty@example.com
  foostore verify --aws --region eu-west-1 --yes --json > findings.json
  foostore verify --aws --full --email-sender loyalty@example.com
  foostore verify --endpoint-url http://127.0.0.1:4566 --without-stack --yes

Creates one CloudFormation stack named foostore-verify-… (bus, rules, queues, a topic, a table with its stream, a Pipe
with its role, a configuration set of SES), checks each assumption listed in docs/telemetry.md under \"Assumed of AWS\", and removes the stack again,
whatever happens. Nothing else in the account changes; the destination of X-Ray's trace segments is only read. One trace
of one segment stays in X-Ray for 30 days.

It costs well under a cent: at most a few hundred requests to each service, nothing billed by the hour. It takes a few
minutes, most of them in CloudFormation. Ctrl-C stops it and removes the stack; a second Ctrl-C stops at once and prints
how to remove it.

--full also tries the foundation's key policy, every alarm, the rollback of a service's data, and the way of metrics, with
more stacks named foostore-verify-…-…, which are removed in the same way. It costs a few US cents, because alarms, metrics
and the key are billed by the hour, and takes about a quarter of an hour (an estimate). Two things outlive it: the key,
which KMS deletes after 7 days and does not charge meanwhile, and the metrics in the namespace foostore/verify-…, which
nobody can delete; CloudWatch forgets them after 15 months.

Exit codes: 0 all hold, 1 some do not, 69 some are inconclusive or AWS is unavailable, 70 something is left behind."
)]
#[expect(clippy::struct_excessive_bools, reason = "each is a switch of the command line")]
pub(crate) struct VerifyArgs {
    /// Check AWS itself, with the credentials of the environment
    #[arg(long)]
    aws: bool,
    /// Check an emulator instead
    #[arg(long, value_name = "URL")]
    endpoint_url: Option<String>,
    /// Region; defaults to that of the environment
    #[arg(long, env = "AWS_REGION", hide_env_values = true, value_name = "REGION")]
    region: Option<String>,
    /// Create the resources by single calls, for an emulator without CloudFormation such as `foostore cloud`
    #[arg(long, conflicts_with = "aws")]
    without_stack: bool,
    /// Also check what takes longer and costs some cents: key policy, alarms, rollback, metrics
    #[arg(long, conflicts_with = "without_stack")]
    full: bool,
    /// Address verified in SES that sends one mail, to SES's mailbox simulator; without it, bounces are not checked
    #[arg(long, value_name = "ADDRESS")]
    email_sender: Option<String>,
    /// Time limit for something to arrive [default: 180; 10 with an emulator]
    #[arg(long, value_name = "SECONDS", value_parser = clap::value_parser!(u64).range(1..=900))]
    wait: Option<u64>,
    /// Create the resources without asking
    #[arg(long)]
    yes: bool,
    /// Print the findings as JSON
    #[arg(long)]
    json: bool,
}

/// Runs the command.
///
/// # Errors
/// When nothing can be created, an assumption does not hold or is inconclusive, or something is left behind.
pub(crate) async fn run(args: VerifyArgs, environment: &Environment) -> anyhow::Result<()> {
    consent::can_be_had(args.yes)?;
    let region = args.region.as_deref();
    let place = match &args.endpoint_url {
        None => Place::aws(region, environment).await?,
        Some(url) => Place::emulator(url, region, environment).await?,
    };
    let scratch = if args.without_stack {
        Scratch::calls(place.clone())?
    } else {
        Scratch::stack(place.clone(), args.full)?
    };
    let default = if args.endpoint_url.is_some() { WAIT_EMULATOR_S } else { WAIT_AWS_S };
    let bench = Bench {
        place: place.clone(),
        name: scratch.name.clone(),
        full: scratch.full(),
        sender: args.email_sender.or_else(|| scratch.sender()),
        wait: Duration::from_secs(args.wait.unwrap_or(default)),
    };
    let mut signals = Signals::install()?;
    remark(&place.text());
    if !args.yes {
        consent::ask(&format!("create {} there, and remove it again?", scratch.text()), &mut signals).await?;
    }

    let findings = with_scratch(&scratch, bench, &mut Ending::new(signals)).await?;
    if args.json {
        print(&report::document(&findings, &place, &scratch.name).to_string())?;
    } else {
        let style = Style::for_stream(&std::io::stdout(), environment);
        print(&report::text(&findings, style))?;
    }
    conclude(&findings)?;
    remark(&format!("all {} assumptions hold", findings.len()));
    Ok(())
}

/// Creates the scratch resources, runs the checks, and removes the resources on every way out except a second Ctrl-C.
async fn with_scratch(scratch: &Scratch, bench: Bench, ending: &mut Ending) -> anyhow::Result<Vec<Finding>> {
    let by_hand = scratch.by_hand();
    let left = |AtOnce| anyhow::anyhow!("stopped at once. Remove what is left by: {by_hand}");
    remark(&format!("creating {}; if this is killed, remove what is left by: {by_hand}", scratch.text()));
    let started = Instant::now();

    let begun = ending.finish(scratch.begin()).await.map_err(left)?;
    let outcome = match begun {
        Err(NotBegun::Refused(error)) => return Err(error),
        Err(NotBegun::InPart(error)) => Err(error),
        Ok(()) => checked(scratch, bench, ending, started).await,
    };
    remark(&format!("removing {}", scratch.text()));
    let started = Instant::now();
    let removed = ending.finish(scratch.remove()).await.map_err(left)?;
    if let Err(error) = removed {
        // Report the findings, or the earlier error, before failing.
        match outcome {
            Ok(findings) => findings.iter().for_each(|finding| {
                remark(&format!("{} {}: {}", finding.name, finding.verdict.text(), finding.seen));
            }),
            Err(before) => remark(&format!("error: {before:#}")),
        }
        return Err(anyhow::anyhow!("{error:#}. Remove what is left by: {by_hand}"));
    }
    remark(&format!("removed after {:.0} s", started.elapsed().as_secs_f64()));
    outcome
}

/// Waits for the resources and runs the checks; Ctrl-C interrupts either.
async fn checked(
    scratch: &Scratch,
    bench: Bench,
    ending: &mut Ending,
    started: Instant,
) -> anyhow::Result<Vec<Finding>> {
    if let Some(ready) = ending.interruptible(scratch.ready()).await {
        ready?;
        remark(&format!(
            "created after {:.0} s; checking, each wait at most {} s",
            started.elapsed().as_secs_f64(),
            bench.wait.as_secs()
        ));
    }
    let full = bench.full.is_some();
    let mut findings = Vec::new();
    // The result is not needed: the findings so far count even after an interruption.
    ending.interruptible(checks::run(bench, &mut findings)).await;
    let why = if ending.asked() { "interrupted" } else { "the check panicked, which is a bug" };
    Ok(checks::complete(&findings, why, full))
}
