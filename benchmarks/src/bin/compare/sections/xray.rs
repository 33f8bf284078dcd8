//! The local X-Ray, measured by the program `xray`.

use anyhow::Context as _;
use benchmarks::{DONE, WARM};
use serde::Deserialize;
use tokio::process::Command;

use crate::arguments::Arguments;
use crate::outcome::{Log, Outcome};
use crate::process::Process;
use crate::programs;
use crate::statistics::{median, percentile};
use crate::table::{Table, mebibytes, time};

/// What the program reports when it has put the segments.
#[derive(Debug, Deserialize)]
struct Put {
    segments: u64,
    took_s: f64,
    disk_bytes: u64,
}

/// What it reports of a query.
#[derive(Debug, Deserialize)]
struct Query {
    what: String,
    filter: String,
    found: usize,
    more: bool,
    took_s: Vec<f64>,
}

pub(super) async fn measure(arguments: &Arguments) -> anyhow::Result<Outcome> {
    let directory = tempfile::tempdir()?;
    let histogram = directory.path().join("puts.hlog");
    let mut command = Command::new(programs::own("xray")?);
    command.arg(arguments.segments.to_string()).arg(&histogram);
    let mut process = Process::start(command, &directory.path().join("xray.log"))?;
    process.reports(WARM).await?;
    let before = process.cpu()?;
    let put: Put = serde_json::from_str(&process.next_report().await?)?;
    let cpu = process.cpu()?.saturating_sub(before);
    let after_puts = process.memory("VmRSS:")?;
    process.go_on().await?;
    let reported = process.reports(DONE).await?;
    let queries =
        reported.iter().map(|line| serde_json::from_str(line)).collect::<Result<Vec<Query>, _>>()?;
    let at_most = process.memory("VmHWM:")?;
    process.end().await?;

    let intervals = histogram_log::read(&histogram).context("reading the latencies")?;
    let mut puts = Table::new([
        "segments put",
        "CPU of a segment, both sides",
        "segments a second",
        "a put of 50 at p50",
        "p99",
        "memory after the puts",
        "at most",
        "on disk",
    ]);
    #[expect(clippy::cast_precision_loss, reason = "a number of segments")]
    let segments = put.segments as f64;
    let all: Vec<_> = intervals.iter().collect();
    puts.row([
        put.segments.to_string(),
        time(cpu.as_secs_f64() / segments),
        format!("{:.0}", segments / put.took_s),
        time(percentile(&all, 0.5)),
        time(percentile(&all, 0.99)),
        mebibytes(after_puts),
        mebibytes(at_most),
        mebibytes(put.disk_bytes),
    ]);
    Ok(Outcome {
        tables: vec![puts, of_queries(queries)],
        remarks: vec!["The engine and what calls it are one process.".to_owned()],
        latencies: vec![Log {
            name: "xray put".to_owned(),
            what: "from a PutTraceSegments of 50 segments to its answer",
            intervals,
        }],
        ..Outcome::default()
    })
}

fn of_queries(queries: Vec<Query>) -> Table {
    let mut table = Table::new(["query", "expression", "found", "first page", "at most"]);
    for Query { what, filter, found, more, took_s } in queries {
        let slowest = took_s.iter().copied().fold(0.0, f64::max);
        let expression = if filter.is_empty() { String::new() } else { format!("`{filter}`") };
        let found = format!("{found}{}", if more { " and more" } else { "" });
        table.row([what, expression, found, time(median(took_s)), time(slowest)]);
    }
    table
}
