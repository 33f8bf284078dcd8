//! What is estimated: the rate, the services, and the settings of a deployment that decide about fees.

use std::time::Duration;

use topology::Resources;

use super::load::Load;
use super::{batches, publishes};
use crate::failure::Failure;

/// The services without which no event leads to an announcement.
const ALWAYS: [&str; 2] = [ingest::NAME, membership::NAME];
/// The templates' `TargetUtilization`, in percent.
pub(super) const TARGET_UTILIZATION: u32 = 70;

/// Everything that the command line decides.
#[derive(Debug, Clone)]
pub(super) struct Choice {
    pub(super) load: Load,
    pub(super) services: Services,
    pub(super) capacity: Capacity,
    /// Percent of the provisioned units that is consumed.
    pub(super) target_utilization: u32,
    /// The pause of a consumer between two receives.
    pub(super) receive_pause: Duration,
    /// The time for which a notification waits for others.
    pub(super) publish_linger: Duration,
    pub(super) hop_lines: HopLines,
    pub(super) egress: Egress,
}

impl Choice {
    /// The declared services with the templates' and the consumers' defaults.
    pub(super) fn of(load: Load) -> Self {
        Self {
            load,
            services: Services::Declared,
            capacity: Capacity::OnDemand,
            target_utilization: TARGET_UTILIZATION,
            receive_pause: batches::RECEIVE_PAUSE,
            publish_linger: publishes::LINGER,
            hop_lines: HopLines::All,
            egress: Egress::Nat,
        }
    }
}

/// The services that run.
#[derive(Debug, Clone)]
pub(super) enum Services {
    /// Those declared.
    Declared,
    /// This many: those declared, and others that consume each announcement.
    Count(u32),
    /// These of the declared ones.
    Only(Vec<String>),
}

/// How the tables are paid for: the parameter `Capacity` of the stacks, and whether capacity was bought in advance.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub(super) enum Capacity {
    /// By the request.
    OnDemand,
    /// By the hour, for units that follow the load.
    Provisioned,
    /// As provisioned, to which the stacks' parameter is set, with whole hundreds of units reserved for a year.
    Reserved,
}

/// The events of which each hop writes its line: the parameter `HopLines` of the stacks.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub(super) enum HopLines {
    /// Every event.
    All,
    /// Events whose trace is sampled; warnings and errors stay.
    Sampled,
}

/// How tasks reach AWS: the parameter `Egress` of the stack `foundation`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub(super) enum Egress {
    /// Through a NAT gateway.
    Nat,
    /// Through interface endpoints, and nothing else.
    Endpoints,
}

/// Returns what an option calls a value, and with it the stacks' parameter, which has no `reserved`.
pub(super) fn name(value: &impl clap::ValueEnum) -> String {
    value.to_possible_value().map(|value| value.get_name().to_owned()).unwrap_or_default()
}

impl HopLines {
    /// Returns the share of the events that are logged, if the share `traced` is recorded.
    pub(super) fn share(self, traced: f64) -> f64 {
        match self {
            Self::All => 1.0,
            Self::Sampled => traced,
        }
    }
}

impl Services {
    /// Leaves out what does not run, and returns the number of services beyond the declared ones.
    ///
    /// # Errors
    /// When fewer services are counted than are declared, or one is named that does not exist, or one is left out without
    /// which nothing is announced.
    pub(super) fn apply(&self, resources: &mut Resources) -> Result<u32, Failure> {
        let declared = u32::try_from(resources.services.len()).unwrap_or(u32::MAX);
        match self {
            Self::Declared => Ok(0),
            Self::Count(services) => services.checked_sub(declared).ok_or_else(|| {
                Failure::usage(format!(
                    "--services: {declared} are declared; --only names those of them that run"
                ))
            }),
            Self::Only(names) => {
                check(names, resources)?;
                keep(names, resources);
                Ok(0)
            }
        }
    }
}

fn check(names: &[String], resources: &Resources) -> Result<(), Failure> {
    let known: Vec<_> = resources.services.iter().map(|service| service.service.as_str()).collect();
    if let Some(unknown) = names.iter().find(|name| !known.contains(&name.as_str())) {
        return Err(Failure::usage(format!("--only {unknown}: the services are {}", known.join(", "))));
    }
    match ALWAYS.iter().find(|needed| !names.iter().any(|name| name == *needed)) {
        Some(missing) => Err(Failure::usage(format!(
            "--only: without {missing} no event is announced, and the estimate follows one that is"
        ))),
        None => Ok(()),
    }
}

/// Keeps the named services and what is theirs.
fn keep(names: &[String], resources: &mut Resources) {
    resources.services.retain(|service| names.contains(&service.service));
    let services = resources.services.clone();
    let queue = |name: &String| services.iter().any(|service| service.queue.as_ref() == Some(name));
    let owned = |name: &String| {
        services.iter().any(|one| {
            [&one.tables, &one.buckets, &one.keys, &one.topics].into_iter().any(|all| all.contains(name))
        })
    };
    resources.topics.retain(|topic| owned(&topic.name));
    resources.tables.retain(|table| owned(&table.name));
    resources.buckets.retain(|bucket| owned(&bucket.name));
    resources.keys.retain(|key| owned(&key.name));
    resources.pipes.retain(|pipe| owned(&pipe.table));
    resources.rules.retain(|rule| queue(&rule.target_queue));
    resources.subscriptions.retain(|one| queue(&one.queue) && owned(&one.topic));
}
