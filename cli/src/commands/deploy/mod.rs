//! `foostore deploy`: takes the stacks of an environment, in order, to what the services declare.

mod changes;
mod cloud;
mod deployment;
mod events;
mod images;
mod parameters;
mod stacks;
mod status;
#[cfg(test)]
mod tests;
mod trouble;
mod watch;
mod wishes;

use std::path::PathBuf;

use service_runtime::Environment;

pub(crate) use self::cloud::{CloudFormation, Described};
use self::deployment::{Consent, Deployment};
pub(crate) use self::events::{last_operation, left};
pub(crate) use self::images::{Image, push_commands};
pub(crate) use self::parameters::{Choice, Choices};
pub(crate) use self::stacks::{Part, parts, stack_name};
pub(crate) use self::status::Condition;
pub(crate) use self::trouble::trouble;
use self::wishes::Wishes;
use crate::consent;
use crate::failure::Failure;
use crate::place::Place;
use crate::signals::Signals;
use crate::stdio::remark;

/// Deploy an environment to AWS: its stacks in order, each after its changes were shown
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  foostore deploy --environment prod --plan
  foostore deploy --environment prod --image-tag 3f9c1d2b7a10 --parameter email:EmailSender=loyalty@example.com \\
    --parameter email:EmailIdentity=example.com --parameter ingest:AllowedCidr=203.0.113.0/24 \\
    --parameter ingest:CertificateArn=arn:aws:acm:…
  foostore deploy --environment prod --stack membership --image-tag 8e21c0ffee42 --yes

Credentials, profile and region are those of the AWS CLI. A stack that is as declared is skipped. A parameter that somebody
has set is kept; the others follow the defaults of the templates. Images are looked up before a service is deployed, and the
commands that push missing ones are printed. Tables are protected from deletion once their stack exists.

If a stack fails, the cause, what the rollback left and the one command that helps are printed; then deploy again.
docs/deploying.md lists the permissions.

Exit codes: 0 deployed or planned, 1 refused or failed, 64 a parameter is missing or unknown, 69 AWS is unavailable.")]
pub(crate) struct DeployArgs {
    /// Environment, such as prod; a part of every name
    #[arg(long, value_name = "NAME")]
    environment: String,
    /// Show the changes and change nothing
    #[arg(long, conflicts_with = "yes")]
    plan: bool,
    /// Deploy without asking
    #[arg(long)]
    yes: bool,
    /// Deploy only these stacks: foundation, observability, SERVICE or SERVICE-data
    #[arg(long = "stack", value_name = "STACK")]
    stacks: Vec<String>,
    /// Tag of the images of all services [default: that of each service's stack]
    #[arg(long, value_name = "TAG")]
    image_tag: Option<String>,
    /// Parameter of a stack
    #[arg(long = "parameter", value_name = "STACK:NAME=VALUE")]
    parameters: Vec<String>,
    /// Leave tables unprotected from deletion, as for a test environment
    #[arg(long)]
    no_deletion_protection: bool,
    /// Directory of the templates, such as deploy/ of an earlier commit [default: rendered from the declarations]
    #[arg(long, value_name = "DIR")]
    templates: Option<PathBuf>,
    /// Region; defaults to that of the environment
    #[arg(long, env = "AWS_REGION", hide_env_values = true, value_name = "REGION")]
    region: Option<String>,
    /// Deploy to an emulator instead of AWS
    #[arg(long, value_name = "URL")]
    endpoint_url: Option<String>,
}

/// Runs the command.
///
/// # Errors
/// When a parameter is missing, an image is missing, a stack cannot be deployed, or AWS cannot be reached.
pub(crate) async fn run(args: DeployArgs, environment: &Environment) -> anyhow::Result<()> {
    if !args.plan {
        consent::can_be_had(args.yes)?;
    }
    let stacks = stacks::stacks(contracts::APPLICATION, &args.environment, args.templates.as_deref())?;
    let wishes = Wishes::new(&args.environment, &stacks)
        .only(&args.stacks)?
        .image_tag(args.image_tag.as_deref())
        .parameters(&args.parameters)?
        .protection(!args.no_deletion_protection);
    let place = connect(args.endpoint_url.as_deref(), args.region.as_deref(), environment).await?;
    let mut signals = Signals::install()?;
    remark(&place.text());
    let consent = match (args.plan, args.yes) {
        (true, _) => Consent::PlanOnly,
        (false, true) => Consent::Given,
        (false, false) => Consent::Ask,
    };
    let mut deployment = Deployment::new(place, wishes, consent, &remark);
    let ended = tokio::select! {
        ended = Box::pin(deployment.run(&stacks)) => Some(ended),
        () = signals.next() => None,
    };
    match ended {
        Some(ended) => ended,
        None => Err(Failure::refused(deployment.interrupted().await).into()),
    }
}

/// Returns the templates of an environment, as this program renders them.
///
/// # Errors
/// When one cannot be rendered.
pub(crate) fn templates(environment: &str) -> anyhow::Result<Vec<String>> {
    let stacks = stacks::stacks(contracts::APPLICATION, environment, None)?;
    Ok(stacks.into_iter().map(|stack| stack.template).collect())
}

/// Connects to AWS, or to an emulator.
///
/// # Errors
/// When it does not answer, or refuses to identify the caller.
pub(crate) async fn connect(
    endpoint_url: Option<&str>,
    region: Option<&str>,
    environment: &Environment,
) -> anyhow::Result<Place> {
    match endpoint_url {
        None => Place::aws(region, environment).await,
        Some(url) => Place::emulator(url, region, environment).await,
    }
}
