//! Everything that the command computes, from the declarations, the templates and a region's prices.

use super::batches::Batches;
use super::ceilings::{self, Consumers, Hop};
use super::choice::Choice;
use super::deployed::Deployed;
use super::fees::{Bill, Deployment};
use super::flow::Flow;
use super::load::Load;
use super::prices::Region;
use super::publishes::{Arrivals, Publishes};
use super::tasks::Tasks;
use crate::layer;

/// The collector's configuration, a part of every template.
const COLLECTOR: &str = include_str!("../../../../otel-collector.yaml");

/// Everything that follows from a choice and a region.
pub(super) struct Estimate<'a> {
    pub(super) region: &'a Region,
    pub(super) choice: Choice,
    pub(super) load: Load,
    pub(super) flow: Flow,
    pub(super) tasks: Tasks,
    pub(super) batches: Batches,
    pub(super) publishes: Publishes,
    pub(super) hops: Vec<Hop<'a>>,
    pub(super) consumers: Option<Consumers>,
    pub(super) bill: Bill<'a>,
}

impl<'a> Estimate<'a> {
    /// Computes it.
    pub(super) fn of(region: &'a Region, choice: Choice) -> anyhow::Result<Self> {
        let mut resources = layer::resources(contracts::APPLICATION, cloudformation::ENVIRONMENT)?;
        let added = choice.services.apply(&mut resources)?;
        let load = choice.load;
        let flow = Flow::of(&resources, added);
        let tasks = Tasks::of(load.events_a_minute, flow.services);
        let a_second = load.a_second() / f64::from(tasks.each);
        let batches = Batches::of(a_second, choice.receive_pause);
        let arrivals =
            Arrivals { a_second, receive_pause: choice.receive_pause, traced: load.traced(tasks.each) };
        let publishes = Publishes::of(flow.notifications, arrivals, choice.publish_linger);
        let deployed = Deployed::of(&cloudformation::render(&resources, COLLECTOR)?, added);
        Ok(Self {
            hops: ceilings::hops(&region.quotas, &flow, &load),
            consumers: Consumers::of(&region.quotas, &flow, &load),
            bill: Bill::of(
                &region.prices,
                &flow,
                Deployment { tasks, batches, publishes, deployed },
                &choice,
            ),
            region,
            choice,
            load,
            flow,
            tasks,
            batches,
            publishes,
        })
    }
}
