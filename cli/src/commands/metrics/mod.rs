//! `foostore metrics`: shows the metrics that services export to the local cloud.

mod number;
mod select;
mod table;

use std::io::IsTerminal as _;
use std::time::Duration;

use metrics_engine::Document;
use service_runtime::Environment;

use self::select::Pattern;
use crate::endpoint::{ENDPOINT_HELP, xray_url};
use crate::failure::Failure;
use crate::ingest_client::{http_client, unreachable};
use crate::stdio::{print, remark};
use crate::style::Style;

/// The longest wait for the local cloud's answer.
const PATIENCE: Duration = Duration::from_secs(10);
/// Moves the cursor to the first column of the first line and clears the terminal.
const CLEAR: &str = "\u{1b}[H\u{1b}[2J";

/// Show the metrics of the services: counters with their rates, gauges, percentiles
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  foostore metrics
  foostore metrics email --name consumer.
  foostore metrics --name '*.duration' --watch
  foostore metrics --json | jq '.services[].metrics[] | select(.name == \"consumer.messages\")'

Rates are those since the previous export, and percentiles those of all values so far, as precise as the histogram's
buckets. Any program can export to the OTLP address of `foostore up`. docs/schemas/metrics.json describes the JSON.")]
pub(crate) struct MetricsArgs {
    /// Only these services
    #[arg(value_name = "SERVICE")]
    services: Vec<String>,
    /// Only metrics whose name begins like this, or matches it if it has a *; can be repeated
    #[arg(long = "name", value_name = "PATTERN")]
    names: Vec<Pattern>,
    /// Print the metrics as JSON
    #[arg(long)]
    json: bool,
    /// Show them again every few seconds, until Ctrl-C
    #[arg(long)]
    watch: bool,
    /// With --watch: the pause in between
    #[arg(long, value_name = "SECONDS", default_value_t = 2, requires = "watch", value_parser = clap::value_parser!(u64).range(1..))]
    every: u64,
    #[arg(long, env = "AWS_ENDPOINT_URL", hide_env_values = true, value_name = "URL", help = ENDPOINT_HELP)]
    endpoint_url: Option<String>,
}

/// Runs the command.
///
/// # Errors
/// When the local cloud cannot be reached, or has no metrics of a service.
pub(crate) async fn run(args: MetricsArgs, environment: &Environment) -> anyhow::Result<()> {
    let url = format!("{}/_local/metrics", xray_url(args.endpoint_url.as_deref())?.trim_end_matches('/'));
    let http = http_client()?;
    let style = Style::for_stream(&std::io::stdout(), environment);
    let clears = args.watch && !args.json && std::io::stdout().is_terminal();
    loop {
        let mut document = fetch(&http, &url).await?;
        if !args.watch {
            select::known(&document, &args.services)?;
        }
        select::keep(&mut document, &args.services, &args.names);
        let text = if args.json { serde_json::to_string(&document)? } else { table::draw(&document, style) };
        if !args.json && document.services.is_empty() && !args.watch {
            remark(&nothing(&args));
        } else {
            print(&format!("{}{text}", if clears { CLEAR } else { "" }))?;
        }
        if !args.watch {
            return Ok(());
        }
        tokio::time::sleep(Duration::from_secs(args.every)).await;
    }
}

/// Returns the remark if there is nothing to show.
fn nothing(args: &MetricsArgs) -> String {
    if args.names.is_empty() {
        "no metrics have arrived yet: services export them every few seconds, unless they export to a collector"
            .to_owned()
    } else {
        "no metric has such a name; without --name all are shown".to_owned()
    }
}

async fn fetch(http: &reqwest::Client, url: &str) -> anyhow::Result<Document> {
    let answer = http.get(url).timeout(PATIENCE).send().await.map_err(|error| unreachable(url, &error))?;
    if !answer.status().is_success() {
        let status = answer.status();
        return Err(Failure::unavailable(format!("{url} returned {status}: is it the local cloud?")).into());
    }
    Ok(answer.json().await.map_err(|_| {
        Failure::unavailable(format!("{url} did not answer as the local cloud does: is it another version?"))
    })?)
}
