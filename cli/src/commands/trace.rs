//! `foostore trace`: prints a trace as a tree, by any id, from any X-Ray.

use std::time::Duration;

use serde_json::json;
use service_runtime::Environment;
use tokio::time::Instant;
use xray::Trace;

use crate::endpoint::Endpoint;
use crate::failure::Failure;
use crate::stdio::{print, remark};
use crate::style::Style;
use crate::trace_view::{draw, is_closed};
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
  foostore trace --json 5759e988bd862e3fe1be46a994272793 | jq '.segments[].name'

docs/schemas/trace.json describes the JSON.")]
pub(crate) struct TraceArgs {
    /// A trace id, event id or customer number, or a pasted X-Amzn-Trace-Id or traceparent
    id: Wanted,
    /// Wait up to this long for the trace to be complete
    #[arg(long, value_name = "SECONDS")]
    wait: Option<u64>,
    /// Print the segment documents as JSON
    #[arg(long)]
    json: bool,
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
    show(&xray, &args.id, args.wait.map(Duration::from_secs), args.json, environment).await
}

/// Prints the traces of `wanted`, after waiting up to `wait` for them to be complete.
///
/// # Errors
/// When X-Ray cannot be queried, or has no such trace.
pub(crate) async fn show(
    xray: &XRay,
    wanted: &Wanted,
    wait: Option<Duration>,
    json: bool,
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
        if json {
            print(&document(trace).to_string())?;
            continue;
        }
        if index > 0 {
            print("")?;
        }
        print(&draw(trace, style))?;
        if !is_closed(trace) && wait.is_some() {
            remark("the trace was still incomplete when the wait ended");
        }
    }
    Ok(())
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
