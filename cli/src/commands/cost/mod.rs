//! `foostore cost`: quotas, tasks and fees for a rate of events, computed from the services' declarations and a region's
//! price file. It calls nothing.

mod ceilings;
mod deployed;
#[cfg(test)]
mod document;
mod fees;
mod flow;
mod number;
mod prices;
mod report;
mod tasks;
#[cfg(test)]
mod tests;

use anyhow::Context as _;
use service_runtime::Environment;

use self::ceilings::{Consumers, Hop};
use self::deployed::Deployed;
use self::fees::Bill;
use self::flow::Flow;
use self::prices::Region;
use self::tasks::Tasks;
use crate::failure::Failure;
use crate::layer;
use crate::stdio::print;
use crate::style::Style;

/// The collector's configuration, a part of every template.
const COLLECTOR: &str = include_str!("../../../../otel-collector.yaml");

/// Estimate the ceiling, the tasks and the fees for a rate of events
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  foostore cost --events-per-minute 1000
  foostore cost --events-per-minute 1000000 --services 9 --sampling-rate 0.01
  foostore cost --events-per-minute 10000 --region us-east-1 --json | jq .usd_a_month

Arithmetic over the services' declarations, the rendered templates and a dated price file; docs/capacity.md explains it
and lists what is assumed. Nothing is called. A price or quota marked with ? was found on none of AWS's pages: check it.

Services beyond the declared ones are taken to consume each announcement as notifier does: by one more rule, queue and
table, with notifier's alarms.")]
pub(crate) struct CostArgs {
    /// Events that the CRM sends in a minute, day and night
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..=10_000_000))]
    events_per_minute: u32,
    /// Services that run; the default is those declared
    #[arg(long, value_name = "K", value_parser = clap::value_parser!(u32).range(1..=200))]
    services: Option<u32>,
    /// Region whose prices and quotas apply
    #[arg(long, default_value = "eu-central-1")]
    region: String,
    /// Share of the events that are traced, beyond one a second for each task of ingest
    #[arg(long, value_name = "SHARE", default_value = "0.05", value_parser = share)]
    sampling_rate: f64,
    /// Print one JSON object
    #[arg(long)]
    json: bool,
}

fn share(text: &str) -> Result<f64, String> {
    text.parse()
        .ok()
        .filter(|share| (0.0..=1.0).contains(share))
        .ok_or_else(|| "not between 0 and 1".to_owned())
}

/// How much comes in.
#[derive(Debug, Clone, Copy)]
struct Load {
    events_a_minute: u32,
    sampling_rate: f64,
}

impl Load {
    fn a_second(&self) -> f64 {
        f64::from(self.events_a_minute) / 60.0
    }

    /// Events in a month of 30 days, in millions.
    fn millions_a_month(&self) -> f64 {
        f64::from(self.events_a_minute) * 60.0 * 24.0 * 30.0 / 1e6
    }

    /// Traces that are recorded: one a second for each task of ingest, and a share of the rest.
    fn traces_a_second(&self, tasks_of_ingest: u32) -> f64 {
        let reservoir = f64::from(tasks_of_ingest).min(self.a_second());
        reservoir + (self.a_second() - reservoir) * self.sampling_rate
    }
}

/// Everything that follows from a load, a number of services and a region.
struct Estimate<'a> {
    region: &'a Region,
    load: Load,
    flow: Flow,
    tasks: Tasks,
    hops: Vec<Hop<'a>>,
    consumers: Option<Consumers>,
    bill: Bill<'a>,
}

impl<'a> Estimate<'a> {
    fn of(region: &'a Region, load: Load, services: Option<u32>) -> anyhow::Result<Self> {
        let resources = layer::resources(contracts::APPLICATION, cloudformation::ENVIRONMENT)?;
        let declared = u32::try_from(resources.services.len()).context("too many services")?;
        let added = services.unwrap_or(declared).checked_sub(declared).ok_or_else(|| {
            Failure::usage(format!("--services: {declared} are declared; the estimate cannot leave any out"))
        })?;
        let flow = Flow::of(&resources, added);
        let tasks = Tasks::of(load.events_a_minute, flow.services);
        let deployed = Deployed::of(&cloudformation::render(&resources, COLLECTOR)?, added);
        Ok(Self {
            hops: ceilings::hops(&region.quotas, &flow, &load),
            consumers: Consumers::of(&region.quotas, &flow, &load),
            bill: Bill::of(&region.prices, &flow, &load, tasks, deployed),
            region,
            load,
            flow,
            tasks,
        })
    }
}

/// Runs the command.
///
/// # Errors
/// When the region has no price file, fewer services are asked for than are declared, or the declarations contradict each
/// other.
pub(crate) fn run(args: &CostArgs, environment: &Environment) -> anyhow::Result<()> {
    let Some(region) = prices::find(&args.region).context("a price file is invalid")? else {
        let known = prices::regions().context("a price file is invalid")?.join(", ");
        return Err(Failure::usage(format!(
            "--region {}: no price file; there is one for {known}",
            args.region
        ))
        .into());
    };
    let load = Load { events_a_minute: args.events_per_minute, sampling_rate: args.sampling_rate };
    let estimate = Estimate::of(&region, load, args.services)?;
    if args.json {
        print(&report::document(&estimate).to_string())?;
    } else {
        print(&report::text(&estimate, Style::for_stream(&std::io::stdout(), environment)))?;
    }
    Ok(())
}
