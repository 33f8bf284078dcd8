//! `foostore logs`: shows the log lines of one event, trace or customer, or by service, outcome and reason: of a run on
//! this machine or of a deployment.

mod groups;
mod insights;
mod query;

use std::io::BufRead;
use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::Context as _;
use serde_json::Value;
use service_runtime::Environment;

use self::groups::Deployment;
use crate::failure::Failure;
use crate::layer;
use crate::log_lines::{Filters, Line, LogFiles, Record, Renderer, Selection, prefixed};
use crate::runs;
use crate::span_of_time::seconds;
use crate::stdio::{print, remark};
use crate::style::Style;
use crate::wanted::Wanted;

/// The pause between two looks at files that are followed.
const POLL_INTERVAL: Duration = Duration::from_millis(200);
/// How far back log lines on AWS are searched by default, in seconds, as traces are.
const AWS_SINCE_S: i64 = 6 * 3600;

/// Show the log lines of an event, a trace or a customer, or by service, outcome and reason, over all services
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  foostore logs 0190b7c4-3c6e-4a50-8d2c-6a9f6a1b2c3d
  foostore logs 100000000001 --since 15m
  foostore logs --outcome dead-letter --service email
  foostore logs --outcome retry --follow
  foostore logs --json 1-5759e988-bd862e3fe1be46a994272793 | jq .message
  foostore logs --aws --environment prod 0190b7c4-3c6e-4a50-8d2c-6a9f6a1b2c3d
  docker compose logs | docker compose exec -T cloud /foostore logs 0190b7c4-3c6e-4a50-8d2c-6a9f6a1b2c3d -

Reads the log files of the running `foostore up`, or if none runs of the newest run; with - the lines on standard input:
those of services, also as `docker compose logs` prints them. With --aws it asks CloudWatch Logs Insights, which costs by the amount of log it reads:
--service and --since make it less. docs/schemas/logs.json describes the JSON.")]
pub(crate) struct LogsArgs {
    /// An id of an event, message or trace, a customer number, or a pasted X-Amzn-Trace-Id or traceparent
    #[arg(value_name = "ID", required_unless_present_any = ["services", "outcomes", "reasons", "since", "follow"])]
    id: Option<First>,
    /// A file of log lines to read instead of those in --log-dir; - is standard input
    #[arg(value_name = "FILE", conflicts_with_all = ["log_dir", "aws"])]
    file: Option<PathBuf>,
    /// Only lines of this service; can be repeated
    #[arg(long = "service", value_name = "SERVICE")]
    services: Vec<String>,
    /// Only lines with this outcome, such as applied, retry or dead-letter; can be repeated
    #[arg(long = "outcome", value_name = "OUTCOME", value_parser = word)]
    outcomes: Vec<String>,
    /// Only lines with this reason, such as malformed-event; can be repeated
    #[arg(long = "reason", value_name = "REASON", value_parser = word)]
    reasons: Vec<String>,
    /// Only lines of the last 30s, 15m, 6h or 2d [default with --aws: 6h]
    #[arg(long, value_name = "TIME", value_parser = seconds)]
    since: Option<i64>,
    /// Go on with the lines that are written from now on, until the run ends
    #[arg(long, short)]
    follow: bool,
    /// Directory of log files, or of runs, of which the running or else the newest is read
    #[arg(long, value_name = "DIR", default_value = runs::DIRECTORY)]
    log_dir: PathBuf,
    /// Print the lines as JSON, as the services wrote them
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    deployment: Deployment,
}

/// The first argument: an id, or - for standard input where filters are enough.
#[derive(Debug, Clone)]
enum First {
    Id(Wanted),
    StandardInput,
}

impl std::str::FromStr for First {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        if text == "-" { Ok(Self::StandardInput) } else { text.parse().map(Self::Id) }
    }
}

/// Runs the command.
///
/// # Errors
/// When there are no log lines, or none is selected.
pub(crate) async fn run(args: LogsArgs, environment: &Environment) -> anyhow::Result<()> {
    let (wanted, file) = match args.id.clone() {
        Some(First::StandardInput) => (None, Some(PathBuf::from("-"))),
        Some(First::Id(id)) => (Some(id), args.file.clone()),
        None => (None, args.file.clone()),
    };
    let since = args.since.or(args.deployment.aws.then_some(AWS_SINCE_S));
    let filters = Filters {
        services: args.services.clone(),
        outcomes: args.outcomes.clone(),
        reasons: args.reasons.clone(),
        since: since.map(|seconds| jiff::Timestamp::now() - jiff::SignedDuration::from_secs(seconds)),
    };
    let out = Out::new(args.json, environment);
    if args.deployment.aws {
        let records = args.deployment.select(wanted, filters, environment).await?;
        return out.all(records, "CloudWatch Logs");
    }
    let mut selection = Selection::new(wanted, filters);
    match file {
        None => {
            let run = the_run(&args.log_dir)?;
            let directory = run.as_deref().unwrap_or(&args.log_dir);
            let mut files = LogFiles::new(directory);
            let first = selection.take(files.read()?);
            if args.follow {
                out.lines(first)?;
                return follow(files, directory, run.is_some(), selection, &out).await;
            }
            out.all(first, &directory.display().to_string())
        }
        Some(file) if file.as_os_str() == "-" => {
            let lines = std::io::stdin().lock();
            if args.follow {
                return read_lines(lines, |record| Ok(out.lines(selection.take(vec![record]))?))
                    .context("standard input cannot be read");
            }
            let mut records = Vec::new();
            read_lines(lines, |record| {
                records.push(record);
                Ok(())
            })
            .context("standard input cannot be read")?;
            out.all(selection.take(records), "standard input")
        }
        Some(_) if args.follow => Err(Failure::usage(
            "--follow reads the files of a run or standard input; use `tail -F FILE | foostore logs - --follow`",
        )
        .into()),
        Some(file) => {
            let unreadable = || Failure::unavailable(format!("{} cannot be read", file.display()));
            let open = std::fs::File::open(&file).with_context(unreadable)?;
            let mut records = Vec::new();
            read_lines(std::io::BufReader::new(open), |record| {
                records.push(record);
                Ok(())
            })
            .with_context(unreadable)?;
            out.all(selection.take(records), &file.display().to_string())
        }
    }
}

/// Returns the directory of the run below `parent` that has not ended, else that of the newest, if there is one.
///
/// # Errors
/// When several runs could be meant.
fn the_run(parent: &Path) -> Result<Option<PathBuf>, Failure> {
    let mut active = runs::active(parent);
    if active.len() > 1 {
        let each = |run: &PathBuf| format!("\n  --log-dir {}", run.display());
        let all: String = active.iter().map(each).collect();
        return Err(Failure::usage(format!(
            "several runs have log files here: choose one by its directory{all}"
        )));
    }
    Ok(active.pop().or_else(|| runs::newest(parent).ok().flatten()))
}

/// Prints what is written to the files, until the run ends.
async fn follow(
    mut files: LogFiles,
    directory: &Path,
    is_run: bool,
    mut selection: Selection,
    out: &Out,
) -> anyhow::Result<()> {
    loop {
        // Looked up before the files are read, so that its last lines are not missed.
        let ended = is_run && !runs::is_running(directory);
        out.lines(selection.take(files.read()?))?;
        if ended {
            remark("the run has ended");
            return Ok(());
        }
        tokio::time::sleep(POLL_INTERVAL).await;
    }
}

/// How lines are printed.
struct Out {
    renderer: Renderer,
    json: bool,
}

impl Out {
    fn new(json: bool, environment: &Environment) -> Self {
        let style = Style::for_stream(&std::io::stdout(), environment);
        Self { renderer: Renderer::new(style, layer::names()), json }
    }

    /// Prints all there are.
    fn all(&self, records: Vec<Record>, from: &str) -> anyhow::Result<()> {
        if records.is_empty() {
            return Err(Failure::refused(format!("no line in {from} is about this")).into());
        }
        Ok(self.lines(records)?)
    }

    fn lines(&self, records: Vec<Record>) -> std::io::Result<()> {
        for record in records {
            if self.json {
                print(&Value::Object(record.fields).to_string())?;
            } else {
                print(&self.renderer.line(&record.service, &Line::Record(record.fields)))?;
            }
        }
        Ok(())
    }
}

/// Passes the records among lines of any origin to `each`.
fn read_lines(
    mut lines: impl BufRead,
    mut each: impl FnMut(Record) -> anyhow::Result<()>,
) -> anyhow::Result<()> {
    let mut line = Vec::new();
    while lines.read_until(b'\n', &mut line)? > 0 {
        if let Some(record) = prefixed(&String::from_utf8_lossy(&line)) {
            each(record)?;
        }
        line.clear();
    }
    Ok(())
}

/// Reads the value of a field: nothing that would need an escape in a query.
fn word(text: &str) -> Result<String, String> {
    let is_plain = |c: char| c.is_ascii_alphanumeric() || "-_.: ".contains(c);
    if text.is_empty() || !text.chars().all(is_plain) {
        return Err("letters, digits, spaces and -_.: only".to_owned());
    }
    Ok(text.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_need_no_escape() {
        assert_eq!(word("malformed-event").as_deref(), Ok("malformed-event"));
        for rubbish in ["", "a\"b", "a\\", "a|b", "é"] {
            assert!(word(rubbish).is_err(), "{rubbish}");
        }
    }
}
