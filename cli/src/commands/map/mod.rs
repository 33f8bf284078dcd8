//! `foostore map`: the service map of X-Ray, as a table or a picture, and beside what the services declare.

mod declared;
mod document;
mod observed;
mod table;

use std::path::PathBuf;

use jiff::{SignedDuration, Timestamp};
use service_runtime::Environment;
use xray_engine::{Expression, FilterExpression, GroupKey};

use self::declared::Differences;
use self::observed::Observed;
use super::filter;
use super::trace::write_svg;
use crate::endpoint::Endpoint;
use crate::failure::Failure;
use crate::layer;
use crate::service_map::{ServiceMap, dot, svg};
use crate::span_of_time::seconds;
use crate::stdio::{print, remark};
use crate::style::Style;
use crate::xray_client::XRay;

/// With a filter expression, the map is that of at most this many traces: X-Ray returns it for five at a time.
const MOST_TRACES: usize = 500;
/// The exit code if declared edges were never seen.
const NEVER_SEEN: u8 = 2;
/// The exit code if edges were seen that are not declared, whatever else.
const UNDECLARED: u8 = 3;

/// Show the service map: who calls whom, how often, how it ends and how long it takes
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  foostore map
  foostore map --since 6h --filter 'service(\"email\") { fault }'
  foostore map --aws --group foostore-prod --svg map.svg
  foostore map --declared
  foostore map --dot | dot -Tpng > map.png

Times are response times as the caller saw them; of messages (⇢) the age when they were received. --declared compares names
of services, tables and AWS services, and leaves out clients and calls to other hosts.
Exit codes with --declared: 0 all edges were seen and are declared, 2 declared ones were never seen, 3 some were seen that
are not declared. docs/schemas/map.json describes the JSON.")]
pub(crate) struct MapArgs {
    /// Only traces that this filter expression of X-Ray finds
    #[arg(long, value_name = "EXPRESSION", default_value = "", value_parser = filter::read, hide_default_value = true)]
    filter: FilterExpression,
    /// Only traces of this X-Ray group
    #[arg(long, value_name = "NAME")]
    group: Option<String>,
    /// How far back to search: 30s, 15m, 6h or 2d
    #[arg(long, value_name = "TIME", default_value = "15m", value_parser = seconds)]
    since: i64,
    /// Compare with what the services declare: edges never seen, and edges not declared
    #[arg(long)]
    declared: bool,
    /// The environment whose names --declared compares
    #[arg(long, value_name = "NAME", default_value = "local")]
    environment: String,
    /// Write the map as a picture to this file
    #[arg(long, value_name = "FILE", conflicts_with_all = ["dot", "json"])]
    svg: Option<PathBuf>,
    /// Print the map for Graphviz
    #[arg(long, conflicts_with = "json")]
    dot: bool,
    /// Print the map as JSON
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    endpoint: Endpoint,
}

/// Runs the command.
///
/// # Errors
/// When X-Ray cannot be queried or finds nothing, the file cannot be written, or the map differs from what is declared.
pub(crate) async fn run(args: MapArgs, environment: &Environment) -> anyhow::Result<()> {
    let xray = args.endpoint.xray(environment).await?;
    let observed = observe(&args, &xray).await?;
    if observed.map.nodes.is_empty() {
        let message =
            format!("no trace at {} since {:.0}; --since looks further back", xray.place(), observed.from);
        return Err(Failure::refused(message).into());
    }
    let differences = args.declared.then(|| differences(&observed.map, &args.environment)).transpose()?;
    if let Some(path) = &args.svg {
        write_svg(path, &svg(&observed.map, observed.seconds())).await?;
    }
    let style = Style::for_stream(&std::io::stdout(), environment);
    if args.json {
        print(&document::document(&observed, differences.as_ref()).to_string())?;
    } else if args.dot {
        print(&dot(&observed.map))?;
    } else if let Some(differences) = &differences {
        print(&differences.draw(style))?;
    } else if args.svg.is_none() {
        print(&table::draw(&observed.map, observed.seconds(), style))?;
    }
    differences.map_or(Ok(()), |differences| judged(&differences))
}

async fn observe(args: &MapArgs, xray: &XRay) -> anyhow::Result<Observed> {
    let to = Timestamp::now();
    let from = to - SignedDuration::from_secs(args.since);
    if args.filter == FilterExpression::default() {
        return Ok(Observed { map: xray.map(args.group.as_deref(), from.into()).await?, from, to });
    }
    let group = args.group.clone().map(|name| Expression::Group(GroupKey::Name, name));
    let filter = filter::joined(group, &args.filter);
    let mut found = xray.summaries(&filter.to_string(), from.into(), MOST_TRACES + 1).await?;
    let mut observed = Observed { map: ServiceMap::default(), from, to };
    if found.len() > MOST_TRACES {
        found.truncate(MOST_TRACES);
        let oldest = found.iter().filter_map(|trace| trace.start_time()).min();
        let oldest = oldest.and_then(|start| Timestamp::from_nanosecond(start.as_nanos()).ok());
        observed.from = oldest.unwrap_or(from);
        remark(&format!(
            "there are more traces: this is the map of the newest {MOST_TRACES}, since {:.0}",
            observed.from
        ));
    }
    let ids: Vec<String> = found.into_iter().filter_map(|trace| trace.id).collect();
    observed.map = xray.map_of(&ids).await?;
    Ok(observed)
}

fn differences(map: &ServiceMap, environment: &str) -> anyhow::Result<Differences> {
    let resources = layer::resources(contracts::APPLICATION, environment)?;
    let emitted: Vec<_> = layer::ALL.iter().map(|service| (service.topology)()).collect();
    Ok(Differences::between(&declared::edges(&resources, &emitted), map))
}

fn judged(differences: &Differences) -> anyhow::Result<()> {
    let count = |number: usize| if number == 1 { "1 edge".to_owned() } else { format!("{number} edges") };
    let (never, extra) = (differences.never_seen.len(), differences.undeclared.len());
    if extra > 0 {
        return Err(Failure::negative(UNDECLARED, format!("{} seen but not declared", count(extra))).into());
    }
    if never > 0 {
        return Err(Failure::negative(NEVER_SEEN, format!("{} declared but never seen", count(never))).into());
    }
    Ok(())
}
