//! `foostore replay`: what the CRM sent is put on the bus once more, from the archive.

mod args;
mod publish;
mod tally;

use std::collections::HashSet;
use std::time::Duration;

use archive::domain::prefix;
use futures_util::stream::{FuturesUnordered, StreamExt as _};
use jiff::Timestamp;
use service_runtime::Environment;
use tokio::time::MissedTickBehavior;

pub(crate) use self::args::ReplayArgs;
use self::publish::Replayer;
use self::tally::Tally;
use crate::archive_objects::ArchiveObjects;
use crate::layer;

/// Events that are decrypted and published at the same time.
const AT_ONCE: usize = 64;

/// Runs the command.
///
/// # Errors
/// When AWS cannot be reached or refuses a call, events are too old, or some could not be read.
pub(crate) async fn run(args: ReplayArgs, environment: &Environment) -> anyhow::Result<()> {
    args.check(Timestamp::now())?;
    let config = args.endpoint.config(environment).await?;
    let resources = layer::resources(contracts::APPLICATION, &args.environment)?;
    let objects = ArchiveObjects::of(&config, &resources).await?;
    let replayer = Replayer::new(&config, &resources, args.dry_run, args.force);
    let mut tally = Tally::default();
    let ended = replay(&args, &objects, &replayer, &mut tally).await;
    // What was replayed before a failure is worth knowing.
    tally.print(&args)?;
    ended?;
    tally.result()
}

async fn replay(
    args: &ReplayArgs,
    objects: &ArchiveObjects,
    replayer: &Replayer,
    tally: &mut Tally,
) -> anyhow::Result<()> {
    let mut turns = tokio::time::interval(Duration::from_secs(1) / args.rate.get());
    turns.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let mut running = FuturesUnordered::new();
    for hour in hours(args.from, args.to) {
        // An event that was stored twice is under one hour both times.
        let mut seen = HashSet::new();
        for key in objects.keys(&prefix(hour)).await? {
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
    use super::*;

    #[test]
    fn every_hour_of_a_period_is_read() {
        let at = |text: &str| text.parse::<Timestamp>().unwrap();
        let hours: Vec<_> = hours(at("2026-03-01T11:59:59Z"), at("2026-03-01T13:00:00Z")).collect();
        assert_eq!(hours, [at("2026-03-01T11:00:00Z"), at("2026-03-01T12:00:00Z")]);
    }
}
