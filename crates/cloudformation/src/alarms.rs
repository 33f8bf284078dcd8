//! Alarms. Each threshold is a parameter.

mod consumer;
mod delivery;
mod entry;
pub(crate) mod mail;
mod running;
mod sweeper;

use serde_json::Value;
use topology::ServiceResources;

use crate::alarm;
use crate::context::Context;
use crate::template::Template;

/// A service's alarms. Gives those on which a deployment is rolled back.
pub(crate) fn add(template: &mut Template, context: &Context<'_>, service: &ServiceResources) -> Vec<Value> {
    let topic = context.left_by_other_stack("alarm-topic-arn");
    alarm::add_parameter(template);
    let mut rollback = Vec::new();
    if let Some(queue) = &service.queue {
        rollback.push(consumer::failures(template, context, service, queue, &topic));
        consumer::event_delay(template, context, service, queue, &topic);
        consumer::backlog_age(template, context, service, queue, &topic);
        consumer::paused(template, context, service, queue, &topic);
        consumer::refused(template, context, service, queue, &topic);
    }
    if service.listens {
        rollback.push(entry::server_errors(template, context, service, &topic));
        entry::latency(template, context, service, &topic);
    }
    if service.listens && service.publishes_to_bus {
        entry::quiet(template, context, service, &topic);
    }
    for table in context.tables(service).filter(|table| table.swept) {
        sweeper::parked(template, context, service, table, &topic);
        sweeper::late(template, context, service, &topic);
    }
    for pipe in context.pipes(service) {
        delivery::standstill(template, context, pipe, &topic);
        delivery::failing(template, context, pipe, &topic);
    }
    delivery::dead_letters(template, context, service, &topic);
    delivery::lost_events(template, context, service, &topic);
    delivery::lost_notifications(template, context, service, &topic);
    running::exports(template, context, service, &topic);
    running::lost_telemetry(template, context, service, &topic);
    rollback
}

/// Alarms that fire when something is missing. They are created after the service, or they would fire until it runs.
pub(crate) fn add_after_service(template: &mut Template, context: &Context<'_>, service: &ServiceResources) {
    let topic = context.left_by_other_stack("alarm-topic-arn");
    running::no_task(template, context, service, &topic);
    running::silent(template, context, service, &topic);
}
