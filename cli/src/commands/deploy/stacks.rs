//! The stacks of an environment, in the order in which they are deployed.

use std::collections::BTreeMap;
use std::path::Path;

use anyhow::Context as _;
use topology::{Resources, RuleBus, ServiceResources};

use crate::failure::Failure;
use crate::layer;

/// The collector's configuration, which the foundation contains.
const COLLECTOR: &str = include_str!("../../../../otel-collector.yaml");
/// The longest template in a request
/// (<https://docs.aws.amazon.com/AWSCloudFormation/latest/UserGuide/cloudformation-limits.html>).
const LONGEST_TEMPLATE: usize = 51_200;

/// What a stack contains.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Part {
    Foundation,
    /// What a service keeps, including the repository of its images.
    Data(String),
    Observability,
    /// The tasks of a service.
    Service(String),
}

impl Part {
    /// Returns the name without application and environment, as options and documents use it.
    pub(crate) fn name(&self) -> String {
        match self {
            Self::Foundation => "foundation".to_owned(),
            Self::Data(service) => format!("{service}-data"),
            Self::Observability => "observability".to_owned(),
            Self::Service(service) => service.clone(),
        }
    }

    /// Returns the path of the template below the directory of the templates.
    fn file(&self) -> String {
        match self {
            Self::Foundation => "foundation.yaml".to_owned(),
            Self::Data(service) => format!("data/{service}.yaml"),
            Self::Observability => "observability.yaml".to_owned(),
            Self::Service(service) => format!("services/{service}.yaml"),
        }
    }
}

/// A stack, and the template to deploy.
#[derive(Debug, Clone)]
pub(crate) struct Stack {
    pub(crate) part: Part,
    /// The name in CloudFormation.
    pub(crate) name: String,
    pub(crate) template: String,
}

/// Returns the parts in order: what others need first, and of the services the consumers of an event before its producer,
/// so that no event is sent that nobody consumes yet.
pub(crate) fn parts(resources: &Resources) -> Vec<Part> {
    let services = consumers_first(resources);
    let of = |part: fn(String) -> Part| services.iter().cloned().map(part);
    [Part::Foundation]
        .into_iter()
        .chain(of(Part::Data))
        .chain([Part::Observability])
        .chain(of(Part::Service))
        .collect()
}

/// Returns the stacks of an environment: rendered from the declarations of the services that this program was built
/// with, or read from a directory such as an earlier commit's `deploy/`.
///
/// # Errors
/// When a template cannot be rendered or read, or is too long for a request.
pub(crate) fn stacks(
    application: &str,
    environment: &str,
    directory: Option<&Path>,
) -> anyhow::Result<Vec<Stack>> {
    let resources = layer::resources(application, cloudformation::ENVIRONMENT)?;
    let mut templates = match directory {
        None => cloudformation::render(&resources, COLLECTOR)?,
        Some(_) => BTreeMap::new(),
    };
    let mut stacks = Vec::new();
    for part in parts(&resources) {
        let file = part.file();
        let template = match directory {
            None => templates.remove(&file).with_context(|| format!("{file} was not rendered"))?,
            Some(directory) => {
                let path = directory.join(&file);
                std::fs::read_to_string(&path).map_err(|error| {
                    Failure::usage(format!("template {} cannot be read: {error}", path.display()))
                })?
            }
        };
        if template.len() > LONGEST_TEMPLATE {
            return Err(Failure::refused(format!(
                "template {file} has {} bytes, and a request takes {LONGEST_TEMPLATE}",
                template.len()
            ))
            .into());
        }
        let name = stack_name(application, environment, &part);
        stacks.push(Stack { part, name, template });
    }
    Ok(stacks)
}

/// Returns the name of a stack in CloudFormation.
pub(crate) fn stack_name(application: &str, environment: &str, part: &Part) -> String {
    format!("{application}-{environment}-{}", part.name())
}

/// Returns the services, each after those that consume what it emits or publishes. In a circle, the order is that of the
/// declarations.
fn consumers_first(resources: &Resources) -> Vec<String> {
    let mut ordered = Vec::new();
    let mut visited = Vec::new();
    for service in &resources.services {
        visit(resources, service, &mut visited, &mut ordered);
    }
    ordered
}

fn visit(
    resources: &Resources,
    service: &ServiceResources,
    visited: &mut Vec<String>,
    ordered: &mut Vec<String>,
) {
    if visited.contains(&service.service) {
        return;
    }
    visited.push(service.service.clone());
    for other in &resources.services {
        if consumes(resources, other, service) {
            visit(resources, other, visited, ordered);
        }
    }
    ordered.push(service.service.clone());
}

fn consumes(resources: &Resources, consumer: &ServiceResources, producer: &ServiceResources) -> bool {
    let Some(queue) = &consumer.queue else { return false };
    let declared = layer::find(&producer.service).map(|service| (service.topology)());
    let emitted = declared.iter().flat_map(|service| service.emitted()).map(|event| event.name);
    let emitted: Vec<&str> = emitted.collect();
    let of_bus = |rule: &&topology::Rule| rule.bus == RuleBus::Own && rule.target_queue == *queue;
    let mut rules = resources.rules.iter().filter(of_bus);
    let by_rule = rules.any(|rule| emitted.iter().any(|name| rule.delivers(name)));
    let by_topic = resources
        .subscriptions
        .iter()
        .any(|subscription| subscription.queue == *queue && producer.topics.contains(&subscription.topic));
    by_rule || by_topic
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_others_need_comes_first_and_a_producer_after_its_consumers() {
        let stacks = stacks("foostore", "prod", None).unwrap();
        let names: Vec<_> = stacks.iter().map(|stack| stack.part.name()).collect();
        let services =
            ["archive", "email", "app", "notifier", "wallet", "rewards", "discounts", "membership", "ingest"];
        let expected: Vec<String> = ["foundation".to_owned()]
            .into_iter()
            .chain(services.map(|service| format!("{service}-data")))
            .chain(["observability".to_owned()])
            .chain(services.map(str::to_owned))
            .collect();
        assert_eq!(names, expected);
        assert_eq!(stacks[1].name, "foostore-prod-archive-data");
    }

    #[test]
    fn templates_are_read_from_a_directory() {
        let deploy = Path::new(env!("CARGO_MANIFEST_DIR")).join("../deploy");
        let read = stacks("foostore", "prod", Some(&deploy)).unwrap();
        let rendered = stacks("foostore", "prod", None).unwrap();
        for (read, rendered) in read.iter().zip(&rendered) {
            assert_eq!(read.template, rendered.template, "{}", read.name);
        }
        let empty = tempfile::tempdir().unwrap();
        let missing = stacks("foostore", "prod", Some(empty.path())).unwrap_err().to_string();
        assert!(missing.contains("foundation.yaml cannot be read"), "{missing}");
    }
}
