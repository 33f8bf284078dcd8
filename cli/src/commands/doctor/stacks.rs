//! The stacks of an environment, and the images that they name.

use super::finding::Reading;
use crate::commands::deploy::{
    Choice, Choices, CloudFormation, Condition, Described, Image, Part, last_operation, left, parts,
    push_commands, stack_name, trouble,
};
use crate::layer;
use crate::place::Place;

/// A service whose stack exists, and the parameters of the stack.
#[derive(Debug)]
pub(super) struct DeployedService {
    pub(super) name: String,
    parameters: Choices,
}

/// Reads the stacks. Returns what is wrong with them, and the services among them.
///
/// # Errors
/// When CloudFormation cannot be reached or refuses a call: without the stacks, there is nothing to examine.
pub(super) async fn read(
    place: &Place,
    environment: &str,
) -> anyhow::Result<(Reading, Vec<DeployedService>)> {
    let cloud = CloudFormation::new(&place.config);
    let resources = layer::resources(contracts::APPLICATION, cloudformation::ENVIRONMENT)?;
    let (mut found, mut services) = (Vec::new(), Vec::new());
    for part in parts(&resources) {
        let name = stack_name(contracts::APPLICATION, environment, &part);
        let described = cloud.stack(&name).await?;
        found.extend(judged(&cloud, place, environment, &name, described.as_ref()).await?);
        if let (Part::Service(service), Some(described)) = (part, described) {
            let kept = |(name, value): (String, String)| (name, Choice::Kept(value));
            let chosen = described.parameters.into_iter().map(kept).collect();
            services.push(DeployedService {
                name: service,
                parameters: Choices { chosen, ..Choices::default() },
            });
        }
    }
    Ok((Reading::of("stacks", Ok(found)), services))
}

/// Returns what is wrong with a stack, if anything.
async fn judged(
    cloud: &CloudFormation,
    place: &Place,
    environment: &str,
    name: &str,
    described: Option<&Described>,
) -> anyhow::Result<Option<String>> {
    let deploy = format!("foostore deploy --environment {environment}");
    let Some(described) = described else {
        return Ok(Some(format!("stack {name} does not exist\n  run: {deploy}")));
    };
    let status = described.status.as_str();
    let events = if status.ends_with("_FAILED") || status.ends_with("ROLLBACK_COMPLETE") {
        cloud.events(&described.id, None).await?
    } else {
        Vec::new()
    };
    let operation = last_operation(&events);
    let options = place.cli_options();
    let doctor = "listed below";
    Ok(match Condition::of(name, Some(&described.status), !left(operation).is_empty()) {
        Condition::ToBeUpdated if operation.is_empty() => None,
        Condition::ToBeUpdated => {
            let what = format!("stack {name} is {status}: its last update was rolled back");
            Some(trouble(&what, operation, &deploy, doctor))
        }
        Condition::ToBeCreated => {
            let what = format!("stack {name} is {status}: it holds a change set and nothing else");
            Some(trouble(&what, operation, &deploy, doctor))
        }
        Condition::ToBeRecreated => {
            let what = format!("stack {name} is {status}: its creation was rolled back and left nothing");
            Some(trouble(&what, operation, &deploy, doctor))
        }
        Condition::Blocked(advice) => {
            let what = format!("stack {name} is {status}: {}", advice.why);
            Some(trouble(&what, operation, &format!("{} {options}", advice.command), doctor))
        }
    })
}

/// Reads whether the images that the services' stacks name exist.
pub(super) async fn images(place: &Place, environment: &str, services: &[DeployedService]) -> Reading {
    Reading::of("images", missing_images(place, environment, services).await)
}

async fn missing_images(
    place: &Place,
    environment: &str,
    services: &[DeployedService],
) -> anyhow::Result<Vec<String>> {
    let prefix = format!("{}-{environment}", contracts::APPLICATION);
    let mut found = Vec::new();
    for service in services {
        for image in Image::of(&prefix, &service.name, &service.parameters) {
            if !image.exists(&place.config).await? {
                let commands = push_commands(std::slice::from_ref(&image), place);
                found.push(format!(
                    "image {} is missing; push it:\n  {}",
                    image.text(),
                    commands.replace('\n', "\n  ")
                ));
            }
        }
    }
    Ok(found)
}
