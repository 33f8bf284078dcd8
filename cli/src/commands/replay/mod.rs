//! `foostore replay`: what the CRM sent is put on the bus once more, from the archive.

mod objects;
mod publish;
mod tally;

use std::collections::HashSet;
use std::num::NonZeroU32;
use std::time::Duration;

use archive::domain::Line;
use contracts::CustomerNumber;
use futures_util::stream::{FuturesUnordered, StreamExt as _};
use jiff::{SignedDuration, Timestamp};
use service_runtime::Environment;
use tokio::time::MissedTickBehavior;

use self::objects::Objects;
use self::publish::Replayer;
use self::tally::Tally;
use crate::endpoint::Endpoint;
use crate::failure::Failure;
use crate::layer;

/// Events that are decrypted and published at the same time.
const AT_ONCE: usize = 64;
/// How long before the end of its markers an event counts as too old: a replay takes a while itself.
const MARGIN: SignedDuration = SignedDuration::from_hours(24);

/// Put what the CRM sent on the bus once more, from the archive
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  foostore replay --from 2026-03-01T12:00:00Z --to 2026-03-01T13:00:00Z --dry-run
  foostore replay --from 2026-03-01T12:00:00Z --to 2026-03-01T13:00:00Z --type PointsEarned --rate 200/s
  foostore replay --aws --environment prod --from 2025-01-01T00:00:00Z --to 2026-03-01T00:00:00Z --force

Each event keeps its id, so what was handled before changes nothing, and what was lost is made up for. Services know the ids
for 14 days. Older events need --force, with which nobody is notified of anything that the replay leads to.

Left out are events whose customer has been erased, since nobody can decrypt them, and those of other sources, since the
services announce them again.")]
pub(crate) struct ReplayArgs {
    /// The beginning of the period in which the events were published
    #[arg(long, value_name = "TIME")]
    from: Timestamp,
    /// The end of the period
    #[arg(long, value_name = "TIME")]
    to: Timestamp,
    /// Only events of this type
    #[arg(long = "type", value_name = "TYPE")]
    types: Vec<String>,
    /// Only events about this customer
    #[arg(long, value_name = "NUMBER")]
    customer: Option<CustomerNumber>,
    /// Events per second, such as `100` or `100/s`
    #[arg(long, value_name = "EVENTS", default_value = "100/s", value_parser = rate)]
    rate: NonZeroU32,
    /// Count what would be replayed, and publish nothing
    #[arg(long)]
    dry_run: bool,
    /// Replay events of any age, and notify nobody
    #[arg(long)]
    force: bool,
    /// Print the counts as JSON
    #[arg(long)]
    json: bool,
    /// The environment whose archive and bus these are
    #[arg(long, env = "ENVIRONMENT", hide_env_values = true, value_name = "NAME", default_value = "local")]
    environment: String,
    #[command(flatten)]
    endpoint: Endpoint,
}

fn rate(text: &str) -> Result<NonZeroU32, String> {
    let rate = text.strip_suffix("/s").unwrap_or(text).parse().ok();
    let most = NonZeroU32::new(1_000).ok_or("no rate")?;
    rate.filter(|rate| *rate <= most).ok_or_else(|| "expected 1 to 1000 events per second".to_owned())
}

/// Runs the command.
///
/// # Errors
/// When AWS cannot be reached or refuses a call, events are too old, or some could not be read.
pub(crate) async fn run(args: ReplayArgs, environment: &Environment) -> anyhow::Result<()> {
    args.check(Timestamp::now())?;
    let config = args.endpoint.config(environment).await?;
    let resources = layer::resources(contracts::APPLICATION, &args.environment)?;
    let objects = Objects::of(&config, &resources).await?;
    let replayer = Replayer::new(&config, &resources, args.dry_run, args.force);
    let mut tally = Tally::default();
    let replayed = replay(&args, &objects, &replayer, &mut tally).await;
    // What was replayed before a failure is worth knowing.
    tally.print(&args)?;
    replayed?;
    tally.result()
}

impl ReplayArgs {
    fn check(&self, now: Timestamp) -> Result<(), Failure> {
        if self.from >= self.to {
            return Err(Failure::usage(format!("the period from {} to {} is empty", self.from, self.to)));
        }
        let life = SignedDuration::from_hours(envelope::outbox::RETENTION_DAYS * 24);
        let oldest = now - (life - MARGIN);
        if self.from < oldest && !self.force {
            return Err(Failure::usage(format!(
                "services may not know events from before {oldest:.0} any more: add --force, with which nobody is notified"
            )));
        }
        Ok(())
    }

    fn wants(&self, line: &Line) -> bool {
        (self.from..self.to).contains(&line.metadata.published_at)
            && (self.types.is_empty() || self.types.contains(&line.detail_type))
            && self
                .customer
                .as_ref()
                .is_none_or(|customer| line.customer_number.as_deref() == Some(customer.as_str()))
    }
}

async fn replay(
    args: &ReplayArgs,
    objects: &Objects,
    replayer: &Replayer,
    tally: &mut Tally,
) -> anyhow::Result<()> {
    let mut turns = tokio::time::interval(Duration::from_secs(1) / args.rate.get());
    turns.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let mut running = FuturesUnordered::new();
    for hour in hours(args.from, args.to) {
        // An event that was stored twice is under one hour both times.
        let mut seen = HashSet::new();
        for key in objects.keys(hour).await? {
            for line in objects.lines(&key).await? {
                if !args.wants(&line) {
                    continue;
                }
                if line.source != contracts::CRM {
                    tally.other_source();
                } else if !seen.insert(line.metadata.event_id) {
                    tally.repeated();
                } else {
                    turns.tick().await;
                    running.push(replayer.replay(line));
                }
                while running.len() >= AT_ONCE
                    && let Some(ended) = running.next().await
                {
                    tally.add(ended?);
                }
            }
        }
    }
    while let Some(ended) = running.next().await {
        tally.add(ended?);
    }
    Ok(())
}

/// Returns the beginning of every hour of a period.
fn hours(from: Timestamp, to: Timestamp) -> impl Iterator<Item = Timestamp> {
    const HOUR: i64 = 60 * 60;
    let first = from.as_second().div_euclid(HOUR);
    (first..).map_while(move |hour| Timestamp::from_second(hour * HOUR).ok().filter(|at| *at < to))
}

#[cfg(test)]
mod tests {
    use clap::Parser;

    use super::*;

    #[derive(Parser)]
    struct Cli {
        #[command(flatten)]
        args: ReplayArgs,
    }

    fn args(options: &str) -> ReplayArgs {
        let options = std::iter::once("replay").chain(options.split_whitespace());
        Cli::try_parse_from(options).unwrap().args
    }

    fn at(text: &str) -> Timestamp {
        text.parse().unwrap()
    }

    #[test]
    fn every_hour_of_a_period_is_read() {
        let hours: Vec<_> = hours(at("2026-03-01T11:59:59Z"), at("2026-03-01T13:00:00Z")).collect();
        assert_eq!(hours, [at("2026-03-01T11:00:00Z"), at("2026-03-01T12:00:00Z")]);
    }

    #[test]
    fn events_that_services_may_have_forgotten_need_force() {
        let now = at("2026-03-20T12:00:00Z");
        let period = |from: &str| format!("--from {from} --to 2026-03-20T00:00:00Z");
        assert!(args(&period("2026-03-07T12:00:00Z")).check(now).is_ok());
        let refused = args(&period("2026-03-07T11:59:59Z")).check(now).unwrap_err().to_string();
        assert!(refused.contains("before 2026-03-07T12:00:00Z") && refused.contains("--force"), "{refused}");
        assert!(args(&format!("{} --force", period("2020-01-01T00:00:00Z"))).check(now).is_ok());
        assert!(args(&period("2026-03-20T00:00:00Z")).check(now).is_err());
    }

    #[test]
    fn a_rate_is_a_number_of_events_a_second() {
        assert_eq!(
            (rate("200"), rate("5/s")),
            (Ok(NonZeroU32::new(200).unwrap()), Ok(NonZeroU32::new(5).unwrap()))
        );
        for wrong in ["0", "1001", "5/m", "fast"] {
            assert!(rate(wrong).is_err(), "{wrong}");
        }
    }
}
