//! Single steps of an event's way, measured by the program `micro` of itself.

use std::collections::BTreeMap;
use std::path::PathBuf;

use benchmarks::DONE;
use serde::Deserialize;
use tokio::process::Command;

use crate::arguments::Arguments;
use crate::outcome::{Log, Outcome, Ratio};
use crate::process::Process;
use crate::programs;
use crate::statistics::{mean, percentile};
use crate::surroundings::Surroundings;
use crate::table::{Table, time};

/// Rounds are short here, so there are several for each of the other sections'.
const ROUNDS: u16 = 5;

/// What the program reports of a case.
#[derive(Debug, Deserialize)]
struct Case {
    name: String,
    against: Option<String>,
    cpu_ns: Vec<f64>,
    histogram: Option<PathBuf>,
}

pub(super) async fn measure(arguments: &Arguments) -> anyhow::Result<Outcome> {
    let around = Surroundings::start().await?;
    let mut command = Command::new(programs::own("micro")?);
    around.describe(&mut command);
    command
        .env("OTEL_TRACES_SAMPLER", "parentbased_always_on")
        .env("HISTOGRAMS", around.directory())
        .env("ROUNDS", (arguments.rounds * ROUNDS).to_string());
    let mut process = Process::start(command, &around.directory().join("micro.log"))?;
    let reported = process.reports(DONE).await?;
    process.end().await?;
    let cases = reported.iter().map(|line| serde_json::from_str(line)).collect::<Result<Vec<Case>, _>>()?;
    let outcome = outcome(cases)?;
    around.stop().await;
    Ok(outcome)
}

fn outcome(cases: Vec<Case>) -> anyhow::Result<Outcome> {
    let mut outcome = Outcome::default();
    let mut table = Table::new([
        "what",
        "CPU by that of",
        "",
        "CPU",
        "in the fastest round",
        "a call at p50",
        "p99",
        "at most",
    ]);
    let means: BTreeMap<_, _> =
        cases.iter().map(|case| (case.name.clone(), mean(case.cpu_ns.iter().copied()))).collect();
    for Case { name, against, cpu_ns, histogram } in cases {
        let own = means[&name];
        let ratio = against.as_ref().and_then(|against| Some(own / means.get(against)?));
        let mut row = vec![
            name.clone(),
            ratio.map_or_else(String::new, |ratio| format!("{ratio:.2}")),
            against.unwrap_or_default(),
            time(own / 1e9),
            time(cpu_ns.into_iter().fold(f64::INFINITY, f64::min) / 1e9),
        ];
        match histogram {
            None => row.extend(std::iter::repeat_n(String::new(), 3)),
            Some(file) => {
                let intervals = histogram_log::read(&file)?;
                let all: Vec<_> = intervals.iter().collect();
                row.extend([0.5, 0.99, 1.0].map(|share| time(percentile(&all, share))));
                outcome.latencies.push(Log {
                    name: name.clone(),
                    what: "from a call to its answer",
                    intervals,
                });
            }
        }
        outcome.ratios.extend(ratio.map(|ratio| Ratio { name, ratio }));
        table.row(row);
    }
    outcome.tables.push(table);
    Ok(outcome)
}
