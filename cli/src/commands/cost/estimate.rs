//! Everything that the command computes, from the declarations, the templates and a region's prices.

use anyhow::Context as _;

use super::ceilings::{self, Consumers, Hop};
use super::deployed::Deployed;
use super::fees::Bill;
use super::flow::Flow;
use super::load::Load;
use super::prices::Region;
use super::tasks::Tasks;
use crate::failure::Failure;
use crate::layer;

/// The collector's configuration, a part of every template.
const COLLECTOR: &str = include_str!("../../../../otel-collector.yaml");

/// Everything that follows from a load, a number of services and a region.
pub(super) struct Estimate<'a> {
    pub(super) region: &'a Region,
    pub(super) load: Load,
    pub(super) flow: Flow,
    pub(super) tasks: Tasks,
    pub(super) hops: Vec<Hop<'a>>,
    pub(super) consumers: Option<Consumers>,
    pub(super) bill: Bill<'a>,
}

impl<'a> Estimate<'a> {
    /// Computes it. Without `services`, the declared ones run.
    pub(super) fn of(region: &'a Region, load: Load, services: Option<u32>) -> anyhow::Result<Self> {
        let resources = layer::resources(contracts::APPLICATION, cloudformation::ENVIRONMENT)?;
        let declared = u32::try_from(resources.services.len()).context("too many services")?;
        let added = services.unwrap_or(declared).checked_sub(declared).ok_or_else(|| {
            Failure::usage(format!("--services: {declared} are declared; the estimate cannot leave any out"))
        })?;
        let flow = Flow::of(&resources, added);
        let tasks = Tasks::of(load.events_a_minute, flow.services);
        let deployed = Deployed::of(&cloudformation::render(&resources, COLLECTOR)?, added);
        Ok(Self {
            hops: ceilings::hops(&region.quotas, &flow, &load),
            consumers: Consumers::of(&region.quotas, &flow, &load),
            bill: Bill::of(&region.prices, &flow, &load, tasks, deployed),
            region,
            load,
            flow,
            tasks,
        })
    }
}
