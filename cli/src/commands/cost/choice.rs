//! What is estimated: the rate, the services, and the settings of a deployment that decide about fees.

use std::time::Duration;

use topology::Resources;

use super::load::Load;
use crate::failure::Failure;

/// The services without which no event leads to an announcement.
const ALWAYS: [&str; 2] = [ingest::NAME, membership::NAME];

/// Everything that the command line decides.
#[derive(Debug, Clone)]
pub(super) struct Choice {
    pub(super) load: Load,
    pub(super) services: Services,
    pub(super) capacity: Capacity,
    /// The pause of a consumer between two receives.
    pub(super) receive_pause: Duration,
}

impl Choice {
    /// The declared services with the templates' and the consumers' defaults.
    pub(super) fn of(load: Load) -> Self {
        Self {
            load,
            services: Services::Declared,
            capacity: Capacity::OnDemand,
            receive_pause: super::batches::RECEIVE_PAUSE,
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

/// How the tables are paid for: the parameter `Capacity` of the stacks.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub(super) enum Capacity {
    /// By the request.
    OnDemand,
    /// By the hour, for units that follow the load.
    Provisioned,
}

impl Capacity {
    /// Returns the value of the parameter.
    pub(super) fn name(self) -> &'static str {
        match self {
            Self::OnDemand => "on-demand",
            Self::Provisioned => "provisioned",
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
