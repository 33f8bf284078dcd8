//! `foostore outbox`: has what the services have announced announced once more.

use std::collections::BTreeMap;
use std::time::Duration;

use aws_sdk_dynamodb::Client;
use contracts::CustomerNumber;
use jiff::Timestamp;
use service_runtime::Environment;
use tokio::time::MissedTickBehavior;

use crate::endpoint::Endpoint;
use crate::failure::Failure;
use crate::layer;
use crate::outbox::{Announcement, Outbox};
use crate::stdio::{print, remark};

/// Have events that the services announced announced once more
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  foostore outbox republish --from 2026-03-01T12:00:00Z --to 2026-03-01T13:00:00Z --dry-run")]
pub(crate) struct OutboxArgs {
    #[command(subcommand)]
    what: What,
}

#[derive(Debug, clap::Subcommand)]
enum What {
    Republish(RepublishArgs),
}

/// Send what was announced in a period to the bus again, under the same event ids
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  foostore outbox republish --from 2026-03-01T12:00:00Z --to 2026-03-01T13:00:00Z --dry-run
  foostore outbox republish --from 2026-03-01T12:00:00Z --type MemberEnrolled --rate 200
  foostore outbox republish --aws --environment prod --from 2026-03-01T12:00:00Z --table members

An outbox keeps its events for 14 days. A consumer that has handled an event recognises its id and does nothing, so this
makes up for events that a rule, a queue or a Pipe has lost.")]
struct RepublishArgs {
    /// The beginning of the period
    #[arg(long, value_name = "TIME")]
    from: Timestamp,
    /// The end of the period [default: now]
    #[arg(long, value_name = "TIME")]
    to: Option<Timestamp>,
    /// Only events of this type
    #[arg(long = "type", value_name = "TYPE")]
    types: Vec<String>,
    /// Only events about this customer
    #[arg(long = "customer", value_name = "NUMBER")]
    customers: Vec<CustomerNumber>,
    /// Only the outbox of this table, such as `members`
    #[arg(long = "table", value_name = "NAME")]
    tables: Vec<String>,
    /// Events per second
    #[arg(long, value_name = "EVENTS", default_value_t = 100, value_parser = clap::value_parser!(u32).range(1..=1000))]
    rate: u32,
    /// Count what would be sent, and send nothing
    #[arg(long)]
    dry_run: bool,
    /// The environment whose tables these are
    #[arg(long, env = "ENVIRONMENT", hide_env_values = true, value_name = "NAME", default_value = "local")]
    environment: String,
    #[command(flatten)]
    endpoint: Endpoint,
}

/// Runs the command.
///
/// # Errors
/// When DynamoDB cannot be reached or refuses a call, or nothing matches.
pub(crate) async fn run(args: OutboxArgs, environment: &Environment) -> anyhow::Result<()> {
    match args.what {
        What::Republish(args) => republish(&args, environment).await,
    }
}

async fn republish(args: &RepublishArgs, environment: &Environment) -> anyhow::Result<()> {
    let to = args.to.unwrap_or_else(Timestamp::now);
    if args.from >= to {
        return Err(Failure::usage(format!("the period from {} to {to} is empty", args.from)).into());
    }
    let tables = args.tables()?;
    let client = Client::new(&args.endpoint.config(environment).await?);
    let mut turns = tokio::time::interval(Duration::from_secs(1) / args.rate);
    turns.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let mut total = 0_u64;
    for table in tables {
        let outbox = Outbox::new(client.clone(), table);
        let mut sent: BTreeMap<String, u64> = BTreeMap::new();
        let found = outbox
            .for_each(async |announcement: Announcement| -> anyhow::Result<()> {
                if args.wants(&announcement, to) {
                    if !args.dry_run {
                        turns.tick().await;
                        outbox.announce(&announcement).await?;
                    }
                    *sent.entry(announcement.event_type().to_owned()).or_default() += 1;
                }
                Ok(())
            })
            .await;
        // What was sent before a failure is worth knowing.
        let state = if args.dry_run { "to announce again" } else { "announced again" };
        for (event_type, number) in &sent {
            print(&format!("{}  {event_type}  {number} {state}", outbox.table()))?;
            total += number;
        }
        found?;
    }
    if total == 0 {
        remark("no event in the outboxes matches");
        return Err(Failure::refused("nothing to announce again").into());
    }
    Ok(())
}

impl RepublishArgs {
    /// Returns the physical names of the tables.
    fn tables(&self) -> anyhow::Result<Vec<String>> {
        let resources = layer::resources(contracts::APPLICATION, &self.environment)?;
        let prefix = format!("{}-{}-", contracts::APPLICATION, self.environment);
        let all = resources.tables.into_iter().filter(|table| table.stream).map(|table| table.name);
        let all: Vec<String> = all.collect();
        let logical = |name: &str| name.strip_prefix(&prefix).unwrap_or(name).to_owned();
        if let Some(unknown) =
            self.tables.iter().find(|name| !all.iter().any(|table| logical(table) == **name))
        {
            let names: Vec<String> = all.iter().map(|table| logical(table)).collect();
            return Err(Failure::usage(format!(
                "{unknown} is no table with an outbox; there are {}",
                names.join(", ")
            ))
            .into());
        }
        let wanted = |table: &String| self.tables.is_empty() || self.tables.contains(&logical(table));
        Ok(all.into_iter().filter(wanted).collect())
    }

    fn wants(&self, announcement: &Announcement, to: Timestamp) -> bool {
        let event_type = announcement.event_type();
        (self.from..to).contains(&announcement.published_at)
            && (self.types.is_empty() || self.types.iter().any(|name| name == event_type))
            && (self.customers.is_empty()
                || announcement
                    .customer_number()
                    .is_some_and(|number| self.customers.iter().any(|wanted| wanted.as_str() == number)))
    }
}
