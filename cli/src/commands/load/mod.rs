//! `foostore load`: posts events at a fixed rate, whatever the layer does, and measures what becomes of each.

mod chains;
mod compare;
mod customers;
mod document;
mod expected;
mod histograms;
mod lines;
mod mix;
mod observe;
mod post;
mod processes;
mod report;
mod run;
#[cfg(test)]
mod samples;
mod schedule;
mod steps;
mod summary;
mod times;

use std::path::{Path, PathBuf};
use std::time::Duration;

use service_runtime::Environment;
use webhook_signature::Secrets;

use self::compare::Comparison;
use self::document::Document;
use self::histograms::Histograms;
use self::mix::Mix;
use self::run::{Load, Target};
use self::schedule::{Rate, Schedule};
use crate::endpoint::INGEST_HELP;
use crate::failure::Failure;
use crate::runs;
use crate::span_of_time::seconds;
use crate::stdio::print;
use crate::style::Style;

/// The most events of a step: each is remembered until its effects are known.
const MOST_EVENTS: u64 = 1_000_000;

/// Post events at a fixed rate and measure how soon, and whether, each has its effects
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  foostore load --rate 20/s --for 1m --drain
  foostore load --rate 20/s --for 1m --drain --json > before.json
  foostore load --compare before.json after.json
  foostore load --rate 50/s --for 20s --steps
  foostore load --rate 20/s --for 1m --drain --histograms histograms
  foostore load --rate 5/s --for 10m --mix mix.json --url https://ingest.example.com
  OTEL_TRACES_SAMPLER=parentbased_always_off foostore up --no-traffic     # a layer to measure without tracing

Each event has an intended time, from which its times count, even if it was sent late because the layer was slow. Of a run of
`foostore up` in this directory the log is followed, which has a line for each hop whether a trace is sampled or not; of a layer
elsewhere only ingest's answers are measured. The usual mix is 45 % points earned, 12 % redeemed, 12 % discounts gifted, 7 %
redeemed, 8 % renames, 8 % changes of preferences, 4 % enrolments and 4 % erasures. docs/performance.md says what the figures
mean, docs/schemas/load.json and load-compare.json describe the JSON. Exit code 1 if an accepted event was lost.")]
pub(crate) struct LoadArgs {
    /// How many events: 20/s, 0.5/s or 600/m; with --steps in the first step
    #[arg(long, value_name = "RATE", required_unless_present = "compare")]
    rate: Option<Rate>,
    /// For how long, with --steps in each: 30s, 10m
    #[arg(long = "for", value_name = "TIME", value_parser = seconds, required_unless_present = "compare")]
    length: Option<i64>,
    /// JSON file with an object of event types and weights, in place of the usual mix
    #[arg(long, value_name = "FILE")]
    mix: Option<PathBuf>,
    /// Raise the rate until the layer no longer keeps up, and close in on the rate that it does; drains after each step
    #[arg(long)]
    steps: bool,
    /// Afterwards wait for the effects of every event, until nothing has arrived for TIME; what is missing then is lost
    #[arg(long, value_name = "TIME", value_parser = seconds, num_args = 0..=1, default_missing_value = "30s")]
    drain: Option<i64>,
    /// The same seed leads to the same events in the same order, of other customers
    #[arg(long, default_value_t = 1)]
    seed: u64,
    /// Customers to enrol beforehand [default: one for each four events, from 10 to 1000]
    #[arg(long, value_name = "NUMBER", value_parser = clap::value_parser!(u64).range(1..=100_000))]
    customers: Option<u64>,
    /// The most posts in flight
    #[arg(long, value_name = "NUMBER", default_value_t = 256, value_parser = clap::value_parser!(u16).range(1..=4096))]
    connections: u16,
    /// Compare two results of --json; ratios are of B to A
    #[arg(long, value_names = ["A", "B"], num_args = 2, conflicts_with_all = ["rate", "length", "mix", "steps", "drain", "url", "histograms"])]
    compare: Option<Vec<PathBuf>>,
    /// Write the histograms of all times to this directory, as logs for the tools of `HdrHistogram`
    #[arg(long, value_name = "DIR")]
    histograms: Option<PathBuf>,
    /// Print the result as JSON
    #[arg(long)]
    json: bool,
    /// Directory of the runs of `foostore up`
    #[arg(long, value_name = "DIR", default_value = runs::DIRECTORY)]
    log_dir: PathBuf,
    #[arg(long, env = "FOOSTORE_URL", hide_env_values = true, help = INGEST_HELP)]
    url: Option<String>,
    /// Secret to sign requests with, such as whsec_…; several are separated by commas
    #[arg(long, env = "SIGNATURE_SECRET", hide_env_values = true, value_name = "SECRET")]
    signature_secret: Option<Secrets>,
}

/// Runs the command.
///
/// # Errors
/// When the layer cannot be reached or takes no enrolments, a file is invalid, or an accepted event was lost.
pub(crate) async fn run(args: LoadArgs, environment: &Environment) -> anyhow::Result<()> {
    let style = Style::for_stream(&std::io::stdout(), environment);
    if let Some([a, b]) = args.compare.as_deref() {
        return compare(a, b, args.json, style);
    }
    let load = load(&args)?;
    let document = load.run(|text| if args.json { Ok(()) } else { print(text) }, style).await?;
    if args.json {
        print(&serde_json::to_string(&document)?)?;
    }
    match lost(&document) {
        0 => Ok(()),
        lost => {
            Err(Failure::refused(format!("{lost} accepted events have not had all their effects")).into())
        }
    }
}

fn compare(a: &Path, b: &Path, json: bool, style: Style) -> anyhow::Result<()> {
    let comparison = Comparison::of(&read(a)?, &read(b)?);
    if comparison.rows.is_empty() {
        return Err(Failure::refused("the two have no step with the same rate").into());
    }
    Ok(print(&if json { serde_json::to_string(&comparison)? } else { comparison.draw(style) })?)
}

fn read(path: &Path) -> Result<Document, Failure> {
    let wrong = |what: String| Failure::usage(format!("{}: {what}", path.display()));
    let text = std::fs::read_to_string(path).map_err(|error| wrong(format!("cannot be read: {error}")))?;
    serde_json::from_str(&text)
        .map_err(|error| wrong(format!("not a result of `foostore load --json`: {error}")))
}

fn load(args: &LoadArgs) -> anyhow::Result<Load> {
    let (Some(rate), Some(length)) = (args.rate, args.length) else {
        return Err(Failure::usage("--rate and --for are needed").into());
    };
    let positive = |seconds: i64| Duration::from_secs(seconds.unsigned_abs());
    let schedule = Schedule { rate, length: positive(length) };
    if schedule.events() > MOST_EVENTS {
        let message = format!(
            "{rate} for {length} s are more than {MOST_EVENTS} events; choose a lower --rate or a shorter --for"
        );
        return Err(Failure::usage(message).into());
    }
    let target = Target::of(args.url.as_deref(), &args.log_dir)?;
    if target.run.is_none() && args.drain.is_some() {
        let (url, directory) = (&target.url, args.log_dir.display());
        let message = format!(
            "--drain follows the log of a run of `foostore up`, and none in {directory} has its ingest at {url}; leave it out, or name the directory with --log-dir"
        );
        return Err(Failure::usage(message).into());
    }
    Ok(Load {
        schedule,
        mix: args.mix.as_deref().map(Mix::read).transpose()?.unwrap_or_default(),
        steps: args.steps,
        drain: args.drain.map(positive),
        seed: args.seed,
        customers: args.customers.unwrap_or_else(|| (schedule.events() / 4).clamp(10, 1000)),
        connections: usize::from(args.connections),
        target,
        secrets: args.signature_secret.clone(),
        histograms: args.histograms.as_deref().map(Histograms::in_directory).transpose()?,
    })
}

/// Returns how many events were lost in all steps that were drained.
fn lost(document: &Document) -> u64 {
    document.steps.iter().filter_map(|step| step.effects.as_ref()?.lost).sum()
}
