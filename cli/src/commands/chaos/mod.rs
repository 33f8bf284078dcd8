//! `foostore chaos`: the whole layer under faults, with an account of every event after each.

mod account;
mod books;
mod burst;
mod cloud;
mod customer;
mod facts;
mod history;
mod layer_process;
mod objects;
mod outcome;
mod record;
mod run;
mod scenario;

use std::path::Path;
use std::time::Duration;

use anyhow::Context as _;
use service_runtime::Environment;

use self::layer_process::Layer;
use self::outcome::Outcome;
use self::run::Bench;
use self::scenario::{Scenario, Size};
use crate::failure::Failure;
use crate::signals::Signals;
use crate::stdio::{print, remark};
use crate::style::Style;

/// The events of a scenario, and of one in the quick form.
const EVENTS: usize = 1_000;
const EVENTS_QUICK: usize = 120;

/// Settings of every service: retries come soon, so that a scenario ends.
const SETTINGS: [(&str, &str); 1] = [("CONSUMER_BACKOFF_CAP_S", "5")];
/// In the quick form, what a dead process held is free soon as well.
const SETTINGS_QUICK: [(&str, &str); 5] = [
    ("CONSUMER_BACKOFF_CAP_S", "3"),
    ("CONSUMER_VISIBILITY_TIMEOUT_S", "12"),
    ("CLAIM_LEASE_S", "11"),
    ("SEND_TIMEOUT_MS", "3000"),
    ("WEBHOOK_TIMEOUT_MS", "3000"),
];

/// Run the layer under faults, and account for every event
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  foostore chaos                       # the long form: every scenario with 1,000 events each
  foostore chaos --quick               # the short form, as in CI
  foostore chaos --only kill --only lost-answers --seed 42
  foostore chaos --list

Starts a separate layer on free ports, as `foostore up` does, and sends it a burst of random events in each scenario, while
services are killed or calls fail. Then it waits until nothing is left to do and compares what it finds with what the events
must lead to: members, points, tiers, discounts, and one mail and one push for each notification. docs/chaos.md has the table
of what is tried.

The seed is printed and repeats the events and the moments of kills. Which calls a fault affects is random each time.

Exit codes: 0 every event is accounted for, 1 some scenario failed.")]
pub(crate) struct ChaosArgs {
    /// Repeat the run with this seed; a new one if missing
    #[arg(long, value_name = "NUMBER")]
    seed: Option<u64>,
    /// Events of each scenario [default: 1000, with --quick 120]
    #[arg(long, value_name = "EVENTS", value_parser = clap::value_parser!(u16).range(20..=2000))]
    events: Option<u16>,
    /// Run the short form: fewer events, shorter outages and timeouts, and no service killed on its own
    #[arg(long)]
    quick: bool,
    /// Run this scenario; may be repeated
    #[arg(long, value_name = "SCENARIO")]
    only: Vec<String>,
    /// List the scenarios and what goes wrong in each
    #[arg(long)]
    list: bool,
    /// Print the outcomes as JSON
    #[arg(long)]
    json: bool,
}

/// Runs the command.
///
/// # Errors
/// When the layer cannot be started or examined, or a scenario fails.
pub(crate) async fn run(args: ChaosArgs, environment: &Environment) -> anyhow::Result<()> {
    let scenarios = chosen(&args)?;
    if args.list {
        return list(&scenarios);
    }
    let seed = args.seed.unwrap_or_else(|| u64::from(rand::random::<u32>()));
    remark(&format!("seed {seed}: repeat this run with --seed {seed}"));
    let directory = tempfile::Builder::new().prefix("foostore-chaos-").tempdir()?;
    let mut signals = Signals::install()?;
    let outcomes = tokio::select! {
        outcomes = Box::pin(run_all(&args, &scenarios, seed, directory.path())) => outcomes,
        () = signals.next() => Err(Failure::refused("stopped by a signal").into()),
    };
    let outcomes = match outcomes {
        Ok(outcomes) => outcomes,
        Err(error) => return Err(error.context(kept(directory))),
    };
    if args.json {
        print(&outcome::document(seed, &outcomes).to_string())?;
    } else {
        print(&outcome::table(&outcomes, Style::for_stream(&std::io::stdout(), environment)))?;
    }
    let failed: Vec<_> = outcomes
        .iter()
        .filter(|outcome| !outcome.passed())
        .map(|outcome| outcome.scenario.as_str())
        .collect();
    if failed.is_empty() {
        return Ok(());
    }
    let failed = failed.join(", ");
    Err(Failure::refused(format!("not every event is accounted for in: {failed}; {}", kept(directory)))
        .into())
}

/// Keeps the log files, and returns where they are.
fn kept(directory: tempfile::TempDir) -> String {
    format!("log files are in {}", directory.keep().display())
}

fn list(scenarios: &[Scenario]) -> anyhow::Result<()> {
    for scenario in scenarios {
        let only = if scenario.quick { "" } else { " (not in the quick form)" };
        print(&format!("{:<16}  {}{only}", scenario.name, scenario.about))?;
    }
    Ok(())
}

/// Returns the scenarios to run, in their own order.
///
/// # Errors
/// When one does not exist.
fn chosen(args: &ChaosArgs) -> Result<Vec<Scenario>, Failure> {
    let mut all = scenario::all();
    let unknown = args.only.iter().find(|name| all.iter().all(|scenario| scenario.name != **name));
    if let Some(name) = unknown {
        let names: Vec<_> = all.iter().map(|scenario| scenario.name.as_str()).collect();
        return Err(Failure::usage(format!("no scenario {name}; there are: {}", names.join(", "))));
    }
    if args.only.is_empty() {
        all.retain(|scenario| scenario.quick || !args.quick);
    } else {
        all.retain(|scenario| args.only.contains(&scenario.name));
    }
    Ok(all)
}

fn size(args: &ChaosArgs) -> Size {
    let events = args.events.map(usize::from);
    if args.quick {
        Size {
            events: events.unwrap_or(EVENTS_QUICK),
            outage: Duration::from_secs(6),
            under_faults: Duration::from_secs(12),
            pause: Duration::from_secs(15),
            patience: Duration::from_secs(90),
        }
    } else {
        Size {
            events: events.unwrap_or(EVENTS),
            outage: Duration::from_secs(30),
            under_faults: Duration::from_mins(1),
            pause: Duration::from_secs(40),
            patience: Duration::from_mins(5),
        }
    }
}

/// Runs the scenarios one after the other on one layer. After one that failed, the next gets a new layer.
async fn run_all(
    args: &ChaosArgs,
    scenarios: &[Scenario],
    seed: u64,
    directory: &Path,
) -> anyhow::Result<Vec<Outcome>> {
    let size = size(args);
    let settings: &[_] = if args.quick { &SETTINGS_QUICK } else { &SETTINGS };
    let mut bench: Option<Bench> = None;
    let mut outcomes = Vec::new();
    for (number, scenario) in (0..).zip(scenarios) {
        let mut running = match bench.take() {
            Some(bench) => bench,
            None => Bench::new(Layer::start(directory, settings).await?).await?,
        };
        let outcome = running.run(scenario, seed, number, &size).await;
        let outcome = outcome.with_context(|| format!("scenario {} with seed {seed}", scenario.name))?;
        let verdict = if outcome.passed() { "passed" } else { "failed" };
        remark(&format!("{verdict} after {:.0} s: {}", outcome.took.as_secs_f64(), scenario.name));
        if outcome.passed() {
            bench = Some(running);
        } else {
            running.stop().await;
        }
        outcomes.push(outcome);
    }
    if let Some(bench) = bench {
        bench.stop().await;
    }
    Ok(outcomes)
}
