//! What to replay.

use std::num::NonZeroU32;

use archive::domain::Line;
use contracts::CustomerNumber;
use jiff::{SignedDuration, Timestamp};

use crate::endpoint::Endpoint;
use crate::failure::Failure;

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
    pub(super) from: Timestamp,
    /// The end of the period
    #[arg(long, value_name = "TIME")]
    pub(super) to: Timestamp,
    /// Only events of this type
    #[arg(long = "type", value_name = "TYPE")]
    types: Vec<String>,
    /// Only events about this customer
    #[arg(long, value_name = "NUMBER")]
    customer: Option<CustomerNumber>,
    /// Events per second, such as `100` or `100/s`
    #[arg(long, value_name = "EVENTS", default_value = "100/s", value_parser = rate)]
    pub(super) rate: NonZeroU32,
    /// Count what would be replayed, and publish nothing
    #[arg(long)]
    pub(super) dry_run: bool,
    /// Replay events of any age, and notify nobody
    #[arg(long)]
    pub(super) force: bool,
    /// Print the counts as JSON
    #[arg(long)]
    pub(super) json: bool,
    /// The environment whose archive and bus these are
    #[arg(long, env = "ENVIRONMENT", hide_env_values = true, value_name = "NAME", default_value = "local")]
    pub(super) environment: String,
    #[command(flatten)]
    pub(super) endpoint: Endpoint,
}

fn rate(text: &str) -> Result<NonZeroU32, String> {
    let rate = text.strip_suffix("/s").unwrap_or(text).parse().ok();
    let most = NonZeroU32::new(1_000).ok_or("no rate")?;
    rate.filter(|rate| *rate <= most).ok_or_else(|| "expected 1 to 1000 events per second".to_owned())
}

impl ReplayArgs {
    /// Checks the period.
    ///
    /// # Errors
    /// When it is empty, or services may not know its events any more.
    pub(super) fn check(&self, now: Timestamp) -> Result<(), Failure> {
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

    pub(super) fn wants(&self, line: &Line) -> bool {
        (self.from..self.to).contains(&line.metadata.published_at)
            && (self.types.is_empty() || self.types.contains(&line.detail_type))
            && self
                .customer
                .as_ref()
                .is_none_or(|customer| line.customer_number.as_deref() == Some(customer.as_str()))
    }
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
