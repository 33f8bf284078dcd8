//! `foostore trace`: prints a trace as a tree, by any id, from any X-Ray.

use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::Context as _;
use serde_json::json;
use service_runtime::Environment;
use tokio::time::Instant;
use xray::Trace;

use crate::endpoint::Endpoint;
use crate::failure::Failure;
use crate::stdio::{print, remark};
use crate::style::Style;
use crate::trace_view::{draw, is_closed, svg};
use crate::wanted::Wanted;
use crate::xray_client::XRay;

/// Pause between two queries for a trace that has not arrived yet.
const POLL_INTERVAL: Duration = Duration::from_millis(200);
/// A trace that has not grown for this long, and has no open segment, counts as complete.
const SETTLED: Duration = Duration::from_millis(1500);

/// Print a trace as a tree
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  foostore trace 1-5759e988-bd862e3fe1be46a994272793
  foostore trace --wait 10 0190b7c4-3c6e-4a50-8d2c-6a9f6a1b2c3d
  foostore trace --aws --since-hours 24 0190b7c4-3c6e-4a50-8d2c-6a9f6a1b2c3d
  foostore trace --svg trace.svg --wait 10 0190b7c4-3c6e-4a50-8d2c-6a9f6a1b2c3d
  foostore trace --json 5759e988bd862e3fe1be46a994272793 | jq '.segments[].name'

If there are several traces, --svg writes trace.svg, trace-2.svg and so on. docs/schemas/trace.json describes the JSON.")]
pub(crate) struct TraceArgs {
    /// A trace id, event id or customer number, or a pasted X-Amzn-Trace-Id or traceparent
    id: Wanted,
    /// Wait up to this long for the trace to be complete
    #[arg(long, value_name = "SECONDS")]
    wait: Option<u64>,
    /// Print the segment documents as JSON
    #[arg(long)]
    json: bool,
    /// Draw a timeline into this file
    #[arg(long, value_name = "FILE", conflicts_with = "json")]
    svg: Option<PathBuf>,
    /// How far back to search for an event id or a customer number
    #[arg(long, value_name = "HOURS", default_value_t = 6, value_parser = clap::value_parser!(u32).range(1..=720))]
    since_hours: u32,
    #[command(flatten)]
    endpoint: Endpoint,
}

/// Runs the command.
///
/// # Errors
/// When X-Ray cannot be queried, or has no such trace.
pub(crate) async fn run(args: TraceArgs, environment: &Environment) -> anyhow::Result<()> {
    let xray = args.endpoint.xray(environment).await?.looking_back(args.since_hours);
    let form = match args.svg {
        Some(path) => Form::Svg(path),
        None if args.json => Form::Json,
        None => Form::Tree,
    };
    show(&xray, &args.id, args.wait.map(Duration::from_secs), &form, environment).await
}

/// How a trace is shown.
#[derive(Debug)]
pub(crate) enum Form {
    /// On the terminal.
    Tree,
    /// As a line of JSON.
    Json,
    /// As a picture in this file.
    Svg(PathBuf),
}

/// Prints the traces of `wanted`, after waiting up to `wait` for them to be complete.
///
/// # Errors
/// When X-Ray cannot be queried, or has no such trace.
pub(crate) async fn show(
    xray: &XRay,
    wanted: &Wanted,
    wait: Option<Duration>,
    form: &Form,
    environment: &Environment,
) -> anyhow::Result<()> {
    let deadline = Instant::now() + wait.unwrap_or_default();
    let mut seen: Option<(usize, Instant)> = None;
    let traces = loop {
        // Segments arrive one by one and a trace has no end marker: it counts as complete when it has no open segment
        // and has not grown for a while.
        let traces = xray.find(wanted).await?;
        let nodes = traces.iter().map(|trace| trace.nodes().count()).sum();
        let since = match seen {
            Some((count, since)) if count == nodes => since,
            _ => Instant::now(),
        };
        seen = Some((nodes, since));
        let complete = nodes > 0 && traces.iter().all(is_closed) && since.elapsed() >= SETTLED;
        if wait.is_none() || complete || Instant::now() >= deadline {
            break traces;
        }
        tokio::time::sleep(POLL_INTERVAL).await;
    };
    if traces.is_empty() {
        let what = match wanted {
            Wanted::Trace(id) => format!("no trace {id} at {}", xray.place()),
            Wanted::Event(id) => format!("no trace with the annotation event_id = {id} at {}", xray.place()),
            Wanted::TraceOrEvent(trace, event) => {
                format!(
                    "no trace {trace}, and none with the annotation event_id = {event}, at {}",
                    xray.place()
                )
            }
            Wanted::Customer(number) => {
                format!("no trace with the annotation customer_number = {number} at {}", xray.place())
            }
        };
        return Err(Failure::refused(format!(
            "{what}: it may not have been sampled, or may not have arrived yet (--wait SECONDS)"
        ))
        .into());
    }
    let style = Style::for_stream(&std::io::stdout(), environment);
    for (index, trace) in traces.iter().enumerate() {
        match form {
            Form::Tree if index > 0 => print(&format!("\n{}", draw(trace, style)))?,
            Form::Tree => print(&draw(trace, style))?,
            Form::Json => print(&document(trace).to_string())?,
            Form::Svg(path) => write_svg(&numbered(path, index), &svg(trace)).await?,
        }
        if !is_closed(trace) && wait.is_some() && !matches!(form, Form::Json) {
            remark("the trace was still incomplete when the wait ended");
        }
    }
    Ok(())
}

/// Writes a picture to a file.
///
/// # Errors
/// When it cannot be written.
pub(crate) async fn write_svg(path: &Path, text: &str) -> anyhow::Result<()> {
    tokio::fs::write(path, text).await.with_context(|| format!("{} cannot be written", path.display()))
}

/// Returns the path for one of several pictures: the number, from the second on, is before the extension.
fn numbered(path: &Path, index: usize) -> PathBuf {
    if index == 0 {
        return path.to_owned();
    }
    let mut name = path.file_stem().unwrap_or_default().to_owned();
    name.push(format!("-{}", index + 1));
    if let Some(extension) = path.extension() {
        name.push(".");
        name.push(extension);
    }
    path.with_file_name(name)
}

fn document(trace: &Trace) -> serde_json::Value {
    let segments: Vec<_> = trace.walk().map(|(_, node)| json!(node.segment())).collect();
    let problems: Vec<_> = trace.problems().iter().map(ToString::to_string).collect();
    json!({
        "trace_id": trace.id().to_string(),
        "duration_s": trace.duration(),
        "segments": segments,
        "problems": problems,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pictures_are_numbered_from_the_second_on() {
        let path = |index| numbered(Path::new("out/trace.v1.svg"), index);
        assert_eq!([path(0), path(1)], ["out/trace.v1.svg", "out/trace.v1-2.svg"].map(PathBuf::from));
    }
}
