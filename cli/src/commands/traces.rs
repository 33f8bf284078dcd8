//! `foostore traces`: finds traces by a filter expression, at the local cloud or in AWS.

use std::path::{Path, PathBuf};
use std::time::Duration;

use aws_sdk_xray::types::TraceSummary;
use jiff::{SignedDuration, Timestamp};
use serde_json::{Value, json};
use service_runtime::Environment;
use xray::TraceId;
use xray_engine::{Comparison, Expression, FilterExpression, GroupKey, Number};

use super::filter;
use crate::endpoint::Endpoint;
use crate::failure::Failure;
use crate::span_of_time::{response_time, seconds};
use crate::stdio::{print, remark};
use crate::style::{Colour, Style, printable};
use crate::trace_files::{self, TraceWriter};
use crate::xray_client::XRay;

/// Find traces by a filter expression
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  foostore traces
  foostore traces --filter 'service(\"email\") { fault }' --since 1h
  foostore traces --slower-than 500ms --filter '!partial'
  foostore traces --aws --group foostore-prod --filter 'annotation.customer_number = \"100000000001\"'
  foostore traces --json | jq -r .trace_id | head -1 | xargs foostore trace
  foostore traces --aws --filter 'service() { fault }' --export faults.zip
  foostore traces --import faults.zip

The newest come first. `foostore filter explain` says what an expression finds. docs/schemas/traces.json describes the JSON.")]
pub(crate) struct TracesArgs {
    /// Only traces that this filter expression of X-Ray finds
    #[arg(long, value_name = "EXPRESSION", default_value = "", value_parser = filter::read, hide_default_value = true)]
    filter: FilterExpression,
    /// Only traces of this X-Ray group
    #[arg(long, value_name = "NAME")]
    group: Option<String>,
    /// How far back to search: 30s, 15m, 6h or 2d
    #[arg(long, value_name = "TIME", default_value = "15m", value_parser = seconds)]
    since: i64,
    /// Only traces whose entry point took at least this long, such as 500ms or 1.5s
    #[arg(long, value_name = "TIME", value_parser = response_time)]
    slower_than: Option<Duration>,
    /// The most traces to show
    #[arg(long, value_name = "NUMBER", default_value_t = 50, value_parser = clap::value_parser!(u16).range(1..=10_000))]
    limit: u16,
    /// Print each trace as a line of JSON
    #[arg(long)]
    json: bool,
    /// Write the traces to this zip archive, a file of OTLP JSON for each
    #[arg(long, value_name = "FILE", conflicts_with = "json")]
    export: Option<PathBuf>,
    /// Find nothing; put the traces of such an archive. X-Ray refuses those of more than 30 days ago
    #[arg(long, value_name = "FILE", conflicts_with_all = ["export", "json", "filter", "group", "since", "slower_than", "limit"])]
    import: Option<PathBuf>,
    #[command(flatten)]
    endpoint: Endpoint,
}

/// Runs the command.
///
/// # Errors
/// When X-Ray cannot be queried, or finds nothing.
pub(crate) async fn run(args: TracesArgs, environment: &Environment) -> anyhow::Result<()> {
    let xray = args.endpoint.xray(environment).await?;
    if let Some(path) = &args.import {
        return import(&xray, path).await;
    }
    let limit = usize::from(args.limit);
    let from = Timestamp::now() - SignedDuration::from_secs(args.since);
    let filter = whole_filter(&args);
    let mut found = xray.summaries(&filter.to_string(), from.into(), limit + 1).await?;
    let more = found.len() > limit;
    found.truncate(limit);
    if found.is_empty() {
        let message = format!("no trace at {} since {from:.0}; --since looks further back", xray.place());
        return Err(Failure::refused(message).into());
    }
    if let Some(path) = &args.export {
        export(&xray, &found, path).await?;
    }
    let style = Style::for_stream(&std::io::stdout(), environment);
    for summary in found.iter().filter(|_| args.export.is_none()) {
        print(&if args.json { document(summary).to_string() } else { line(summary, style) })?;
    }
    if more {
        remark("there are more; --limit shows them");
    }
    Ok(())
}

/// Writes traces to an archive.
async fn export(xray: &XRay, found: &[TraceSummary], path: &Path) -> anyhow::Result<()> {
    let ids: Vec<TraceId> =
        found.iter().filter_map(|summary| summary.id()).map(str::parse).collect::<Result<_, _>>()?;
    let mut file = TraceWriter::create(path)?;
    // Some at a time, so that they need little memory.
    for ids in ids.chunks(50) {
        for (id, documents) in xray.documents(ids).await? {
            file.add(id, &documents)?;
        }
    }
    file.finish()?;
    print(&format!("{} traces in {}", ids.len(), path.display()))?;
    Ok(())
}

/// Puts the traces of an archive.
async fn import(xray: &XRay, path: &Path) -> anyhow::Result<()> {
    let (mut traces, mut refused) = (0, Vec::new());
    for documents in trace_files::read(path)? {
        refused.extend(xray.put(documents?).await?);
        traces += 1;
    }
    print(&format!("{traces} traces put to X-Ray at {}", xray.place()))?;
    match refused.first() {
        None => Ok(()),
        Some(first) => {
            let message = format!("{} documents were refused, the first because: {first}", refused.len());
            Err(Failure::refused(message).into())
        }
    }
}

/// Joins the expression with the other conditions.
fn whole_filter(args: &TracesArgs) -> FilterExpression {
    let slower = args
        .slower_than
        .map(|time| Expression::Number(Number::ResponseTime, Comparison::GreaterOrEqual, time.as_secs_f64()));
    let group = args.group.clone().map(|name| Expression::Group(GroupKey::Name, name));
    filter::joined(group.into_iter().chain(slower), &args.filter)
}

/// Returns when it began, its id, how it ended, how long the entry point and everything took, and what it was about.
fn line(summary: &TraceSummary, style: Style) -> String {
    let outcomes = [
        (summary.has_fault(), "fault", Colour::Red),
        (summary.has_error(), "error", Colour::Yellow),
        (summary.has_throttle(), "throttled", Colour::Magenta),
        (summary.is_partial(), "open", Colour::Cyan),
    ];
    let (word, colour) = outcomes
        .into_iter()
        .find_map(|(is, word, colour)| (is == Some(true)).then_some((word, colour)))
        .unwrap_or(("ok", Colour::Green));
    let begun = summary.start_time().and_then(|start| Timestamp::from_nanosecond(start.as_nanos()).ok());
    let begun = begun.map(|start| format!("{start:.3}")).unwrap_or_default();
    let seconds =
        |seconds: Option<f64>| seconds.map_or_else(|| "-".to_owned(), |time| format!("{time:.3} s"));
    format!(
        "{} {} {} {:>10} {:>10}  {}",
        style.paint(Colour::Dim, &begun),
        summary.id().unwrap_or_default(),
        style.paint(colour, &format!("{word:<9}")),
        seconds(summary.response_time()),
        seconds(summary.duration()),
        printable(&subject(summary)),
    )
}

/// Returns the request, or else the entry point, and the type of the event.
fn subject(summary: &TraceSummary) -> String {
    let http = summary.http();
    let request = http.and_then(|http| Some(format!("{} {}", http.http_method()?, http.http_url()?)));
    let status = http.and_then(|http| http.http_status()).map(|status| status.to_string());
    let entry = summary.entry_point().and_then(|entry| entry.name()).map(str::to_owned);
    let event = first_text(summary, telemetry::attributes::EVENT_TYPE);
    [entry, request, status, event].into_iter().flatten().collect::<Vec<_>>().join("  ")
}

fn first_text(summary: &TraceSummary, key: &str) -> Option<String> {
    summary.annotations()?.get(key)?.first()?.annotation_value()?.as_string_value().ok().cloned()
}

fn document(summary: &TraceSummary) -> Value {
    let http = summary.http();
    let services: Vec<_> = summary.service_ids().iter().filter_map(|service| service.name()).collect();
    json!({
        "trace_id": summary.id(),
        "start": summary.start_time().map(aws_smithy_types::DateTime::as_secs_f64),
        "duration_s": summary.duration(),
        "response_time_s": summary.response_time(),
        "entry_point": summary.entry_point().and_then(|entry| entry.name()),
        "method": http.and_then(|http| http.http_method()),
        "url": http.and_then(|http| http.http_url()),
        "status": http.and_then(|http| http.http_status()),
        "event_type": first_text(summary, telemetry::attributes::EVENT_TYPE),
        "fault": summary.has_fault() == Some(true),
        "error": summary.has_error() == Some(true),
        "throttled": summary.has_throttle() == Some(true),
        "partial": summary.is_partial() == Some(true),
        "services": services,
    })
}
