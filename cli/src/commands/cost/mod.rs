//! `foostore cost`: quotas, tasks and fees for a rate of events, computed from the services' declarations and a region's
//! price file. It calls nothing.

mod batches;
mod ceilings;
mod choice;
mod deployed;
#[cfg(test)]
mod document;
mod estimate;
mod fee;
mod fees;
mod flow;
mod load;
mod number;
mod poisson;
mod prices;
mod publishes;
mod report;
#[cfg(test)]
mod savings;
mod tables;
mod tasks;
#[cfg(test)]
mod tests;
mod throughput;
mod traffic;

use std::time::Duration;

use anyhow::Context as _;
use service_runtime::Environment;

use self::choice::{Capacity, Choice, Egress, HopLines, Services};
use self::estimate::Estimate;
use self::load::Load;
use crate::failure::Failure;
use crate::stdio::print;
use crate::style::Style;

/// Estimate the ceiling, the tasks and the fees for a rate of events
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  foostore cost --events-per-minute 1000
  foostore cost --events-per-minute 1000000 --services 9 --sampling-rate 0.01
  foostore cost --events-per-minute 10000 --capacity provisioned --only ingest,membership,notifier,email
  foostore cost --events-per-minute 10000 --capacity reserved --target-utilization 90 --hop-lines sampled
  foostore cost --events-per-minute 10000 --region us-east-1 --json | jq .usd_a_month

Arithmetic over the services' declarations, the rendered templates and a dated price file; docs/capacity.md explains it
and lists what is assumed. Nothing is called. A price or quota marked with ? was found on none of AWS's pages: check it.

Services beyond the declared ones are taken to consume each announcement as notifier does: by one more rule, queue and
table, with notifier's alarms. docs/schemas/cost.json describes the JSON.")]
pub(crate) struct CostArgs {
    /// Events that the CRM sends in a minute, day and night
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..=10_000_000))]
    events_per_minute: u32,
    /// Services that run; the default is those declared
    #[arg(long, value_name = "K", value_parser = clap::value_parser!(u32).range(1..=200))]
    services: Option<u32>,
    /// Services of the declared ones that run, separated by commas; ingest and membership among them
    #[arg(long, value_name = "NAME,…", value_delimiter = ',', conflicts_with = "services")]
    only: Vec<String>,
    /// How tables are paid for: the stacks' parameter Capacity
    #[arg(long, value_enum, default_value = "on-demand")]
    capacity: Capacity,
    /// Percent of the provisioned units that is consumed, 20 to 90 and by default 70: the stacks' parameter of that name
    #[arg(long, value_name = "PERCENT", value_parser = clap::value_parser!(u32).range(20..=90))]
    target_utilization: Option<u32>,
    /// Pause of a consumer between two receives, such as 100ms; by default there is none
    #[arg(long, value_name = "PAUSE", value_parser = crate::span_of_time::response_time)]
    receive_pause: Option<Duration>,
    /// Time for which a notification waits for others, such as 100ms and by default 5ms: the stacks' parameter of that name
    #[arg(long, value_name = "LINGER", value_parser = crate::span_of_time::response_time)]
    publish_linger: Option<Duration>,
    /// Events of which each hop writes a log line: the stacks' parameter of that name
    #[arg(long, value_enum, default_value = "all")]
    hop_lines: HopLines,
    /// How tasks reach AWS: the parameter Egress of the stack foundation
    #[arg(long, value_enum, default_value = "nat")]
    egress: Egress,
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

impl CostArgs {
    /// # Errors
    /// When units are chosen for tables that have none.
    fn choice(&self) -> Result<Choice, Failure> {
        if self.target_utilization.is_some() && self.capacity == Capacity::OnDemand {
            return Err(Failure::usage(
                "--target-utilization: tables on demand have no units; add --capacity provisioned or reserved",
            ));
        }
        let load = Load { events_a_minute: self.events_per_minute, sampling_rate: self.sampling_rate };
        let services = match self.services {
            Some(services) => Services::Count(services),
            None if self.only.is_empty() => Services::Declared,
            None => Services::Only(self.only.clone()),
        };
        let default = Choice::of(load);
        Ok(Choice {
            services,
            capacity: self.capacity,
            target_utilization: self.target_utilization.unwrap_or(default.target_utilization),
            receive_pause: self.receive_pause.unwrap_or(default.receive_pause),
            publish_linger: self.publish_linger.unwrap_or(default.publish_linger),
            hop_lines: self.hop_lines,
            egress: self.egress,
            load,
        })
    }
}

/// Runs the command.
///
/// # Errors
/// When the region has no price file, the choice contradicts itself, the services cannot be estimated, or the declarations
/// contradict each other.
pub(crate) fn run(args: &CostArgs, environment: &Environment) -> anyhow::Result<()> {
    let Some(region) = prices::find(&args.region).context("a price file is invalid")? else {
        let known = prices::regions().context("a price file is invalid")?.join(", ");
        return Err(Failure::usage(format!(
            "--region {}: no price file; there is one for {known}",
            args.region
        ))
        .into());
    };
    let estimate = Estimate::of(&region, args.choice()?)?;
    if args.json {
        print(&report::document(&estimate).to_string())?;
    } else {
        print(&report::text(&estimate, Style::for_stream(&std::io::stdout(), environment)))?;
    }
    Ok(())
}
