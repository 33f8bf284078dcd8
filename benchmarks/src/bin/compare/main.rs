//! Compares consumers, all in one run on one machine: the bare SDK, this project's in several settings, and its peers.
//!
//! The local cloud with the queues is part of this process. Every consumer is a separate process, whose processor time is
//! read from the end of its warm-up until its queue is empty.

mod candidate;
mod measure;
mod process;
mod queue;
mod table;

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use anyhow::Context as _;
use clap::Parser;
use local_cloud::Settings;

use crate::candidate::Candidate;
use crate::measure::{Surroundings, measure};
use crate::table::{Row, Summary, complaint, summaries, table, worse};

/// How much worse a ratio may get before `--against` fails.
const TOLERANCE: f64 = 0.15;

/// Compare consumers: the bare SDK, this project's, and its peers
#[derive(Debug, Parser)]
#[command(after_help = "\
Examples:
  cargo run --release -p benchmarks
  cargo run --release -p benchmarks -- --peers none --against benchmarks/consumers.json")]
struct Arguments {
    /// Messages for each consumer
    #[arg(long, default_value_t = 10_000)]
    messages: usize,
    /// Rounds, of which the median counts; each consumer has its turn in each
    #[arg(long, default_value_t = 5)]
    rounds: usize,
    /// Peers to compare with
    #[arg(long, value_enum, default_value_t = Peers::All)]
    peers: Peers,
    /// Only the bare loop and consumers whose name contains this
    #[arg(long, value_name = "TEXT")]
    only: Option<String>,
    /// Fail if a ratio is more than 15 % worse than in this file, twice in a row
    #[arg(long, value_name = "FILE")]
    against: Option<PathBuf>,
    /// Write the ratios to this file, for --against
    #[arg(long, value_name = "FILE")]
    write: Option<PathBuf>,
    /// Where peers are built and kept
    #[arg(long, value_name = "DIRECTORY", default_value = "target/benchmarks")]
    cache: PathBuf,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
enum Peers {
    /// Those whose toolchain is here
    All,
    /// None
    None,
}

#[tokio::main]
#[expect(clippy::print_stderr, reason = "the error of a command")]
async fn main() -> ExitCode {
    match compare(&Arguments::parse()).await {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("error: {error:#}");
            ExitCode::FAILURE
        }
    }
}

#[expect(clippy::print_stdout, reason = "the result")]
async fn compare(arguments: &Arguments) -> anyhow::Result<()> {
    let candidates = candidates(arguments).await?;
    let mut now = measured(&candidates, arguments).await?;
    if let Some(file) = &arguments.against
        && let Err(error) = check(file, &now)
    {
        // What else the machine did may have been the reason.
        println!("{error:#}\nonce more:\n");
        now = measured(&candidates, arguments).await?;
        check(file, &now)?;
    }
    if let Some(file) = &arguments.write {
        let ratios: BTreeMap<_, _> =
            now.iter().map(|summary| (&summary.name, (summary.ratio * 100.0).round() / 100.0)).collect();
        std::fs::write(file, serde_json::to_string_pretty(&ratios)? + "\n")?;
    }
    Ok(())
}

/// Measures all candidates and prints the table.
#[expect(clippy::print_stdout, reason = "the result")]
async fn measured(candidates: &[Candidate], arguments: &Arguments) -> anyhow::Result<Vec<Summary>> {
    let summaries = summaries(&rounds(candidates, arguments).await?);
    println!("{}", table(&summaries));
    Ok(summaries)
}

/// Returns the consumers that were asked for.
#[expect(clippy::print_stdout, reason = "what is left out")]
async fn candidates(arguments: &Arguments) -> anyhow::Result<Vec<Candidate>> {
    let mut candidates = candidate::own()?;
    if arguments.peers == Peers::All {
        let sources = Path::new(env!("CARGO_MANIFEST_DIR")).join("peers");
        std::fs::create_dir_all(&arguments.cache)?;
        let (peers, missing) = candidate::peers(&sources, &arguments.cache.canonicalize()?).await?;
        for (language, reason) in missing {
            println!("left out: {language}: {reason}");
        }
        candidates.extend(peers);
    }
    let only = arguments.only.as_deref().unwrap_or_default();
    candidates.retain(|candidate| candidate.name == candidate::BARE || candidate.name.contains(only));
    Ok(candidates)
}

/// Measures every candidate in every round: what the machine does meanwhile then concerns all of them.
async fn rounds(candidates: &[Candidate], arguments: &Arguments) -> anyhow::Result<Vec<Row>> {
    let anywhere = ([127, 0, 0, 1], 0).into();
    let settings = Settings { address: anywhere, otlp_address: anywhere, ..Settings::default() };
    let cloud = local_cloud::start(settings).await?;
    let directory = tempfile::tempdir()?;
    let (endpoint, otlp) = (cloud.endpoint_url(), format!("http://{}", cloud.otlp_address()));
    let around = Surroundings { endpoint: &endpoint, otlp: &otlp, logs: directory.path() };
    let mut rows: Vec<Row> =
        candidates.iter().map(|one| Row { name: one.name.clone(), rounds: Vec::new() }).collect();
    for _ in 0..arguments.rounds {
        for (candidate, row) in candidates.iter().zip(&mut rows) {
            let measured = measure(candidate, &around, arguments.messages / 5, arguments.messages).await;
            row.rounds.push(measured.with_context(|| format!("measuring {}", candidate.name))?);
        }
    }
    cloud.shutdown().await;
    Ok(rows)
}

/// Fails if a ratio is worse than in `file`.
fn check(file: &Path, now: &[Summary]) -> anyhow::Result<()> {
    let text = std::fs::read_to_string(file).with_context(|| format!("reading {}", file.display()))?;
    let before: BTreeMap<String, f64> = serde_json::from_str(&text)?;
    let worse = worse(&before.into_iter().collect::<Vec<_>>(), now, TOLERANCE);
    anyhow::ensure!(worse.is_empty(), "a ratio got more than 15 % worse\n{}", complaint(&worse));
    Ok(())
}
