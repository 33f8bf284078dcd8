//! Alarms on what time causes.

use serde_json::{Value, json};
use topology::{ServiceResources, TableResource};

use crate::alarm::Alarm;
use crate::context::Context;
use crate::metrics;
use crate::template::{Template, reference};

/// The dimension of the count of items.
const TABLE: &str = "db.collection.name";
/// Above the longest delay between two attempts, so that every failing item is in each period.
const PERIOD_S: u32 = 600;

/// Items that cannot be handled, and wait until somebody returns them.
pub(super) fn parked(
    template: &mut Template,
    context: &Context<'_>,
    service: &ServiceResources,
    table: &TableResource,
    topic: &Value,
) {
    template.number(
        "ParkedThreshold",
        "0",
        0,
        "Alarm when more due items than this are parked in ten minutes",
    );
    let name = &service.service;
    let dimensions = [(TABLE, table.name.as_str()), ("outcome", "parked")];
    let mut watches = metrics::watched(metrics::own(context, "sweeper.items", &dimensions), "Sum");
    watches["Period"] = json!(PERIOD_S);
    Alarm {
        name: &format!("{name}-parked"),
        description: format!(
            "{name} cannot handle something that has fallen due, and has parked it: the log lines with the outcome parked \
             name the items and why"
        ),
        watches,
        threshold: reference("ParkedThreshold"),
        minutes: json!(1),
    }
    .add(template, context, topic);
}

/// Items that are handled late, or fail again and again.
pub(super) fn late(
    template: &mut Template,
    context: &Context<'_>,
    service: &ServiceResources,
    topic: &Value,
) {
    template.number(
        "LateSweepThresholdSeconds",
        "900",
        1,
        "Alarm when something is handled, or fails, later than this after it fell due",
    );
    let name = &service.service;
    let mut watches =
        metrics::watched(metrics::own(context, "sweeper.lateness", &[("service.name", name)]), "Maximum");
    watches["Period"] = json!(PERIOD_S);
    Alarm {
        name: &format!("{name}-late-sweep"),
        description: format!(
            "Something in {name} was handled, or failed, later than this many seconds after it fell due: more falls due \
             than its tasks may handle, or the log lines with the outcome retry say what fails"
        ),
        watches,
        threshold: reference("LateSweepThresholdSeconds"),
        minutes: json!(1),
    }
    .add(template, context, topic);
}
