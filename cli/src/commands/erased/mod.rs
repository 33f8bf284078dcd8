//! `foostore erased`: what is left of a customer, in every table, on every queue and in every bucket, and
//! until when.

mod buckets;
mod found;
mod queues;
mod tables;

use contracts::CustomerNumber;
use service_runtime::Environment;

use crate::endpoint::Endpoint;
use crate::failure::Failure;
use crate::layer;
use crate::stdio::{print, remark};

/// Search every table, queue and bucket for what is left of an erased customer
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  foostore erased 123456789012
  foostore erased --aws --environment prod 123456789012
  foostore erased --json 123456789012 | jq 'select(.personal != [])'

Reads every item, message and object of the environment, so it takes a while on large tables and buckets, and the messages
of each queue are invisible to its consumer for a moment. What it finds is named, never shown. Exits with 1 if a name or
address is left, or the key to encrypted ones.

Logs and traces have no names and addresses. Backups keep what a table held for 35 days, and a versioned bucket keeps
what was overwritten for as long as its lifecycle says.")]
pub(crate) struct ErasedArgs {
    /// The number of the customer
    #[arg(value_name = "CUSTOMER")]
    customer: CustomerNumber,
    /// Print a line of JSON for each place
    #[arg(long)]
    json: bool,
    /// The environment to search
    #[arg(long, env = "ENVIRONMENT", hide_env_values = true, value_name = "NAME", default_value = "local")]
    environment: String,
    #[command(flatten)]
    endpoint: Endpoint,
}

/// Runs the command.
///
/// # Errors
/// When a table, queue or bucket cannot be read, or a name or address is left.
pub(crate) async fn run(args: ErasedArgs, environment: &Environment) -> anyhow::Result<()> {
    let config = args.endpoint.config(environment).await?;
    let resources = layer::resources(contracts::APPLICATION, &args.environment)?;
    let mut found = tables::search(&config, &resources.tables, &args.customer).await?;
    found.extend(queues::search(&config, &resources.queues, &args.customer).await?);
    found.extend(buckets::search(&config, &resources.buckets, &args.customer).await?);
    for place in &found {
        print(&if args.json { place.json().to_string() } else { place.line() })?;
    }
    let personal = found.iter().filter(|place| place.is_personal()).count();
    match (personal, found.len()) {
        (0, 0) => remark(&format!("nothing of customer {} is left", args.customer)),
        (0, others) => remark(&format!(
            "no name or address of customer {} is left; {others} {} the number",
            args.customer,
            if others == 1 { "place has" } else { "places have" },
        )),
        (1, _) => return Err(Failure::refused("a name or address is left in one place").into()),
        (personal, _) => {
            return Err(Failure::refused(format!("names or addresses are left in {personal} places")).into());
        }
    }
    Ok(())
}
