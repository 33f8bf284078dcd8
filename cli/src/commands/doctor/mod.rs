//! `foostore doctor`: reads what is wrong with an environment on AWS, and changes nothing.

mod alarms;
mod dead_letters;
mod finding;
mod json_api;
mod stacks;
mod tasks;
#[cfg(test)]
mod tests;

use service_runtime::Environment;

use self::finding::{Reading, report};
use self::json_api::JsonApi;
use super::deploy::connect;
use crate::failure::Failure;
use crate::place::Place;
use crate::stdio::print;

/// Report what is wrong with an environment on AWS, and the command that helps
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  foostore doctor --environment prod
  foostore doctor --environment prod --region eu-west-1

Reads the stacks with the cause of their last failure and what it left, missing images, services with fewer tasks than
desired with the reason of the last stopped task, alarms, and messages on dead-letter queues. Changes nothing.

Exit codes: 0 nothing is wrong, 1 something is, 69 something could not be read.")]
pub(crate) struct DoctorArgs {
    /// Environment, such as prod
    #[arg(long, value_name = "NAME")]
    environment: String,
    /// Region; defaults to that of the environment
    #[arg(long, env = "AWS_REGION", hide_env_values = true, value_name = "REGION")]
    region: Option<String>,
    /// Examine an emulator instead of AWS
    #[arg(long, value_name = "URL")]
    endpoint_url: Option<String>,
}

/// Runs the command.
///
/// # Errors
/// When something is wrong, or AWS cannot be read.
pub(crate) async fn run(args: DoctorArgs, environment: &Environment) -> anyhow::Result<()> {
    let place = connect(args.endpoint_url.as_deref(), args.region.as_deref(), environment).await?;
    let readings = examined(&place, &args.environment, environment).await?;
    print(&report(&readings))?;
    conclude(&readings)?;
    Ok(())
}

/// Reads everything. What cannot be read does not keep the rest from being read.
async fn examined(place: &Place, name: &str, environment: &Environment) -> anyhow::Result<Vec<Reading>> {
    let ecs = JsonApi::ecs(place, environment);
    let cloudwatch = JsonApi::cloudwatch(place, environment);
    let (stacks, services) = stacks::read(place, name).await?;
    let deployed: Vec<&str> = services.iter().map(|service| service.name.as_str()).collect();
    Ok(vec![
        stacks,
        stacks::images(place, name, &services).await,
        Reading::of("tasks", tasks::read(&ecs, name, &deployed).await),
        Reading::of("alarms", alarms::read(&cloudwatch, name).await),
        Reading::of("dead letters", dead_letters::read(place, name).await),
    ])
}

fn conclude(readings: &[Reading]) -> Result<(), Failure> {
    let findings: usize = readings.iter().map(Reading::findings).sum();
    let unread = readings.iter().filter(|reading| reading.is_unread()).count();
    match (findings, unread) {
        (0, 0) => Ok(()),
        (0, _) => Err(Failure::unavailable(format!("{unread} of {} could not be read", readings.len()))),
        _ => Err(Failure::refused(format!("findings: {findings}"))),
    }
}
