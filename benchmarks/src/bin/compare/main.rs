//! Measures this project beside the bare SDK and its peers, all in one run on one machine.
//!
//! Every program that is measured is a separate process, whose processor time is read; the local cloud is a part of this one.

mod arguments;
mod candidate;
mod foostore;
mod machine;
mod measure;
mod outcome;
mod process;
mod programs;
mod queue;
mod ratios;
mod rounds;
mod second;
mod sections;
mod statistics;
mod surroundings;
mod table;

use std::path::{Path, PathBuf};
use std::process::ExitCode;

use clap::Parser as _;
use jiff::Timestamp;

use crate::arguments::{Arguments, Section};
use crate::outcome::Outcome;
use crate::ratios::Ratios;

#[tokio::main]
#[expect(clippy::print_stderr, reason = "the error of a command")]
async fn main() -> ExitCode {
    match run(&Arguments::parse()).await {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("error: {error:#}");
            ExitCode::FAILURE
        }
    }
}

#[expect(clippy::print_stdout, reason = "the result")]
async fn run(arguments: &Arguments) -> anyhow::Result<()> {
    let before = arguments.against.as_deref().map(ratios::read).transpose()?;
    let histograms = histograms(arguments);
    programs::build_own().await?;
    println!("{}", machine::describe(&arguments.cache).await);
    let mut ratios = Vec::new();
    for section in arguments.sections() {
        let outcome = judged(section, arguments, before.as_ref()).await?;
        keep(&outcome, &histograms)?;
        ratios.extend(outcome.ratios);
    }
    match &arguments.write {
        Some(file) => ratios::write(file, &ratios),
        None => Ok(()),
    }
}

/// Measures a section; once more if a ratio is worse than `before`, for which what else the machine did may have been the reason.
#[expect(clippy::print_stdout, reason = "the result")]
async fn judged(section: Section, arguments: &Arguments, before: Option<&Ratios>) -> anyhow::Result<Outcome> {
    let outcome = measured(section, arguments).await?;
    let Some(before) = before else { return Ok(outcome) };
    let Err(error) = ratios::check(before, &outcome.ratios) else { return Ok(outcome) };
    println!("{error:#}\nonce more:\n");
    let outcome = measured(section, arguments).await?;
    ratios::check(before, &outcome.ratios)?;
    Ok(outcome)
}

/// Measures a section and prints its tables.
#[expect(clippy::print_stdout, reason = "the result")]
async fn measured(section: Section, arguments: &Arguments) -> anyhow::Result<Outcome> {
    let load = machine::load().unwrap_or_default();
    let outcome = sections::measure(section, arguments).await?;
    println!("## {}\n", sections::title(section));
    for table in &outcome.tables {
        println!("{table}");
    }
    for remark in &outcome.remarks {
        println!("{remark}");
    }
    println!("load before: {load}\n");
    Ok(outcome)
}

/// Returns the directory for the histograms of this run.
fn histograms(arguments: &Arguments) -> PathBuf {
    let time = || Timestamp::now().strftime("%Y-%m-%dT%H-%M-%SZ").to_string();
    arguments.histograms.clone().unwrap_or_else(|| arguments.cache.join(time()))
}

/// Writes the histograms of a section.
#[expect(clippy::print_stdout, reason = "where they are")]
fn keep(outcome: &Outcome, directory: &Path) -> anyhow::Result<()> {
    if outcome.latencies.is_empty() {
        return Ok(());
    }
    std::fs::create_dir_all(directory)?;
    for log in &outcome.latencies {
        log.write(directory)?;
    }
    println!("histograms: {}\n", directory.display());
    Ok(())
}
