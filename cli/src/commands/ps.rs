//! `foostore ps`: lists the services of every running `foostore up` of a directory.

use std::path::{Path, PathBuf};

use futures_util::future::join_all;
use serde::Serialize;
use service_runtime::Environment;

use crate::failure::Failure;
use crate::ingest_client::http_client;
use crate::process_usage::Usage;
use crate::service_addresses::{self, Addresses};
use crate::service_state::{ServiceState, UP, addresses_file};
use crate::stdio::print;
use crate::style::{Colour, Style};
use crate::{layer, runs};

/// What a line begins with that continues another one.
const INDENT: &str = "      ";

/// List the services of the running `foostore up`
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  foostore ps
  foostore ps --json | jq '.[].services[] | select(.state != \"ready\")'

Lists every run of the directory. docs/schemas/ps.json describes the JSON.")]
pub(crate) struct PsArgs {
    /// Directory of the runs
    #[arg(long, value_name = "DIR", default_value = runs::DIRECTORY)]
    log_dir: PathBuf,
    /// Print JSON
    #[arg(long)]
    json: bool,
}

/// A run of `foostore up`.
#[derive(Debug, Serialize)]
struct Instance {
    log_dir: PathBuf,
    /// Whether all services have been ready.
    ready: bool,
    endpoint: Option<String>,
    xray: Option<String>,
    ingest: Option<String>,
    /// `up` itself, with the local cloud, and then the services.
    services: Vec<Row>,
}

/// A service of a run.
#[derive(Debug, Clone, Serialize)]
struct Row {
    name: &'static str,
    state: State,
    /// Why it is not ready.
    reason: Option<String>,
    pid: Option<u32>,
    /// When it was started.
    since: Option<jiff::Timestamp>,
    restarts: u32,
    health: Option<String>,
    memory_bytes: Option<u64>,
    cpu_s: Option<f64>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
enum State {
    Ready,
    NotReady,
    /// It has a process, which has not reported its address yet.
    Starting,
    /// It has no process.
    Down,
}

/// Runs the command.
///
/// # Errors
/// When there is no run.
pub(crate) async fn run(args: PsArgs, environment: &Environment) -> anyhow::Result<()> {
    let http = http_client()?;
    let instances = join_all(runs::active(&args.log_dir).iter().map(|run| instance(run, &http))).await;
    if args.json {
        print(&serde_json::to_string(&instances)?)?;
    }
    if instances.is_empty() {
        let directory = args.log_dir.display();
        return Err(Failure::refused(format!("nothing runs in {directory}: start `foostore up`")).into());
    }
    if args.json {
        return Ok(());
    }
    let style = Style::for_stream(&std::io::stdout(), environment);
    let now = jiff::Timestamp::now();
    let all: Vec<String> = instances.iter().map(|instance| draw(instance, now, style)).collect();
    print(&all.join("\n"))?;
    Ok(())
}

async fn instance(directory: &Path, http: &reqwest::Client) -> Instance {
    let ready = runs::read(directory.to_owned());
    let runs = |name: &&str| ready.as_ref().is_none_or(|run| run.services.iter().any(|one| one == name));
    let services = join_all(layer::names().filter(runs).map(|name| service(directory, name, http))).await;
    let mut rows = vec![up(directory, ready.is_some())];
    rows.extend(services);
    Instance {
        log_dir: directory.to_owned(),
        ready: ready.is_some(),
        endpoint: ready.as_ref().map(|run| run.endpoint.clone()),
        xray: ready.as_ref().map(|run| run.xray.clone()),
        ingest: ready.map(|run| run.ingest),
        services: rows,
    }
}

/// Returns the row of `foostore up` itself.
fn up(directory: &Path, ready: bool) -> Row {
    let state = ServiceState::read(directory, UP).unwrap_or_default();
    row(UP, &state, if ready { State::Ready } else { State::Starting }, None, Addresses::default())
}

async fn service(directory: &Path, name: &'static str, http: &reqwest::Client) -> Row {
    let state = ServiceState::read(directory, name).unwrap_or_default();
    let addresses = tokio::fs::read_to_string(addresses_file(directory, name)).await.unwrap_or_default();
    let addresses = Addresses::read(&addresses);
    let (condition, reason) = match (state.pid, addresses.health) {
        (None, _) => (State::Down, state.ended.clone()),
        (Some(_), None) => (State::Starting, None),
        (Some(_), Some(health)) => match service_addresses::ready(http, health).await {
            Ok(()) => (State::Ready, None),
            Err(reason) => (State::NotReady, Some(reason)),
        },
    };
    row(name, &state, condition, reason, addresses)
}

fn row(
    name: &'static str,
    published: &ServiceState,
    state: State,
    reason: Option<String>,
    addresses: Addresses,
) -> Row {
    let usage = published.pid.map(Usage::of).unwrap_or_default();
    Row {
        name,
        state,
        reason,
        pid: published.pid,
        since: published.since,
        restarts: published.starts.saturating_sub(1),
        health: addresses.health.filter(|_| published.pid.is_some()).map(|at| format!("http://{at}")),
        memory_bytes: usage.memory_bytes,
        cpu_s: usage.cpu_s,
    }
}

fn draw(instance: &Instance, now: jiff::Timestamp, style: Style) -> String {
    let heading = match (&instance.endpoint, &instance.ingest) {
        (Some(endpoint), Some(ingest)) => [format!("AWS {endpoint}"), format!("ingest {ingest}")].to_vec(),
        _ => vec!["starting".to_owned()],
    };
    let log_dir = instance.log_dir.display().to_string();
    let heading = heading.into_iter().map(|part| style.paint(Colour::Bold, &part)).chain([log_dir]);
    let width = instance.services.iter().map(|row| row.name.len()).max().unwrap_or_default();
    let titles = format!(
        "{:width$}  {:>7}  {:9} {:>7} {:>8} {:>7} {:>6}  {}",
        "SERVICE", "PID", "STATE", "UP", "RESTARTS", "MEMORY", "CPU", "HEALTH"
    );
    let mut text = style.flow(heading, "  ", INDENT);
    text.extend(["\n", &style.paint(Colour::Dim, &titles), "\n"]);
    for row in &instance.services {
        text.push_str(&line(row, width, now, style));
    }
    text
}

fn line(row: &Row, width: usize, now: jiff::Timestamp, style: Style) -> String {
    let (state, colour) = match row.state {
        State::Ready => ("ready", Colour::Green),
        State::NotReady => ("not ready", Colour::Red),
        State::Starting => ("starting", Colour::Yellow),
        State::Down => ("down", Colour::Red),
    };
    let or_dash = |text: Option<String>| text.unwrap_or_else(|| "-".to_owned());
    let up = row.since.map(|since| elapsed(now.as_second().saturating_sub(since.as_second())));
    let columns = format!(
        "{}  {:>7}  {} {:>7} {:>8} {:>7} {:>6}  {}",
        style.paint(Colour::of_name(row.name), &format!("{:width$}", row.name)),
        or_dash(row.pid.map(|pid| pid.to_string())),
        style.paint(colour, &format!("{state:9}")),
        or_dash(up),
        row.restarts,
        or_dash(row.memory_bytes.map(|bytes| format!("{} MiB", bytes / (1024 * 1024)))),
        or_dash(row.cpu_s.map(|seconds| format!("{seconds:.1} s"))),
        row.health.as_deref().and_then(|health| health.strip_prefix("http://")).unwrap_or("-"),
    );
    let reason = row.reason.iter().map(|reason| style.paint(colour, reason));
    style.flow([columns].into_iter().chain(reason), "  ", INDENT) + "\n"
}

/// Formats seconds in the two largest units.
fn elapsed(seconds: i64) -> String {
    let (minutes, hours, days) = (seconds / 60, seconds / 3600, seconds / 86_400);
    if days > 0 {
        format!("{days}d {}h", hours % 24)
    } else if hours > 0 {
        format!("{hours}h {}m", minutes % 60)
    } else if minutes > 0 {
        format!("{minutes}m {}s", seconds % 60)
    } else {
        format!("{}s", seconds.max(0))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_run_is_a_table_that_fits_a_narrow_terminal() {
        let now: jiff::Timestamp = "2026-11-26T15:00:00Z".parse().unwrap();
        let since = |seconds| Some(now - jiff::SignedDuration::from_secs(seconds));
        let state = |pid, starts, ended: Option<&str>| ServiceState {
            pid,
            since: pid.and(since(125)),
            starts,
            ended: ended.map(str::to_owned),
        };
        let health = |port| Addresses { health: Some(([127, 0, 0, 1], port).into()), listening: None };
        let waiting = Some("queue: connection refused".to_owned());
        let mut rows = [
            row("membership", &state(None, 1, None), State::Ready, None, health(41001)),
            row("notifier", &state(None, 3, None), State::NotReady, waiting, health(41002)),
            row(
                "email",
                &state(None, 2, None),
                State::Down,
                Some("exit code 70".to_owned()),
                Addresses::default(),
            ),
        ];
        for (index, row) in rows.iter_mut().enumerate().take(2) {
            row.pid = Some(1_234_560 + u32::try_from(index).unwrap());
            row.since = since(125);
            row.health = Some("http://127.0.0.1:41001".to_owned());
            row.memory_bytes = Some(24 * 1024 * 1024);
            row.cpu_s = Some(1.25);
        }
        let instance = Instance {
            log_dir: ".foostore/logs/run-1".into(),
            ready: true,
            endpoint: Some("http://127.0.0.1:4566".to_owned()),
            xray: Some("http://127.0.0.1:4566".to_owned()),
            ingest: Some("http://127.0.0.1:8080".to_owned()),
            services: rows.into(),
        };
        let drawn = draw(&instance, now, Style::PLAIN.within(80));
        assert_eq!(
            drawn,
            "\
AWS http://127.0.0.1:4566  ingest http://127.0.0.1:8080  .foostore/logs/run-1
SERVICE         PID  STATE          UP RESTARTS  MEMORY    CPU  HEALTH
membership  1234560  ready       2m 5s        0  24 MiB  1.2 s  127.0.0.1:41001
notifier    1234561  not ready   2m 5s        2  24 MiB  1.2 s  127.0.0.1:41001
      queue: connection refused
email             -  down            -        1       -      -  -  exit code 70
",
            "\n{drawn}"
        );
    }

    #[test]
    fn spans_have_the_two_largest_units() {
        assert_eq!([-1, 59, 61, 3_700, 90_000].map(elapsed), ["0s", "59s", "1m 1s", "1h 1m", "1d 1h"]);
    }
}
