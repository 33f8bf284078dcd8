//! `foostore latency`: how long responses take, and what is different about the slow ones.

mod chart;
mod compare;
mod difference;
mod document;
mod features;
mod query;

use service_runtime::Environment;
use xray_engine::FilterExpression;

pub(super) use self::chart::{buckets, draw};
use self::query::Query;
use super::filter;
use crate::endpoint::Endpoint;
use crate::failure::Failure;
use crate::span_of_time::seconds;
use crate::stdio::print;
use crate::style::Style;

/// Show how long responses take, and what is different about the slow ones
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  foostore latency
  foostore latency --service email --since 6h
  foostore latency --filter 'annotation.event_type = \"CustomerEnrolled\"'
  foostore latency --compare
  foostore latency --aws --compare 'service() { fault }' '!service() { fault }'

Times are those of entry points, or with --service those of one service. --compare without expressions compares the slowest
5 % with the rest. Each line of a comparison is a filter expression, so it can be used with --filter. At most 2000 traces
are read for each side. docs/schemas/latency.json describes the JSON.")]
pub(crate) struct LatencyArgs {
    /// Only the response times of this service
    #[arg(long, value_name = "NAME")]
    service: Option<String>,
    /// Only traces that this filter expression of X-Ray finds
    #[arg(long, value_name = "EXPRESSION", default_value = "", value_parser = filter::read, hide_default_value = true)]
    filter: FilterExpression,
    /// How far back to search: 30s, 15m, 6h or 2d
    #[arg(long, value_name = "TIME", default_value = "15m", value_parser = seconds)]
    since: i64,
    /// Compare the traces that two filter expressions find, or the slowest 5 % with the rest
    #[arg(long, value_names = ["EXPRESSION", "EXPRESSION"], num_args = 0..=2, value_parser = filter::read)]
    compare: Option<Vec<FilterExpression>>,
    /// Print the result as JSON
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    endpoint: Endpoint,
}

/// Runs the command.
///
/// # Errors
/// When X-Ray cannot be queried or finds nothing, or one expression is given to compare.
pub(crate) async fn run(args: LatencyArgs, environment: &Environment) -> anyhow::Result<()> {
    if args.compare.as_ref().is_some_and(|expressions| expressions.len() == 1) {
        return Err(Failure::usage("--compare takes two filter expressions, or none").into());
    }
    let xray = args.endpoint.xray(environment).await?;
    let query = Query::new(xray, args.service.clone(), args.filter.clone(), args.since);
    let times = query.times().await?;
    if times.total() == 0 {
        let message = format!(
            "no response at {} since {:.0}; --since looks further back",
            query.xray.place(),
            query.from
        );
        return Err(Failure::refused(message).into());
    }
    let comparison = match &args.compare {
        Some(expressions) => Some(query.compare(expressions, &times).await?),
        None => None,
    };
    if args.json {
        return Ok(print(&document::document(&query, &times, comparison.as_ref()).to_string())?);
    }
    let style = Style::for_stream(&std::io::stdout(), environment);
    print(&chart::draw(&times, "response", style))?;
    if let Some(comparison) = comparison {
        print(&format!("\n{}", comparison.draw(style)))?;
    }
    Ok(())
}
