//! Alarms on what a service consumes.

use serde_json::{Value, json};
use topology::ServiceResources;

use crate::alarm::{Alarm, id};
use crate::context::Context;
use crate::metrics;
use crate::template::{Template, reference};

pub(super) fn failures(
    template: &mut Template,
    context: &Context<'_>,
    service: &ServiceResources,
    queue: &str,
    topic: &Value,
) -> Value {
    template.number("FailuresThreshold", "5", 0, "Alarm when more of 100 messages than this fail");
    let name = format!("{}-failures", service.service);
    Alarm {
        name: &name,
        description: format!("{} fails to process messages, in percent", service.service),
        watches: failure_rate(context, queue),
        threshold: reference("FailuresThreshold"),
        minutes: json!(3),
    }
    .add(template, context, topic);
    reference(&id(&name))
}

/// Failed attempts in percent of all, as a metric to be watched.
fn failure_rate(context: &Context<'_>, queue: &str) -> Value {
    let sum =
        |id: &str, metric: &str| metrics::statistic(id, metrics::of_consumer(context, queue, metric), "Sum");
    json!({"Metrics": [
        sum("retries", "consumer.retries"),
        sum("dead", "consumer.dead_letters"),
        sum("messages", "consumer.messages"),
        {"Id": "rate", "Label": "Failures in percent", "ReturnData": true,
         "Expression": "IF(messages > 0, 100 * (FILL(retries, 0) + FILL(dead, 0)) / messages, 0)"},
    ]})
}

/// Circuit and brake: receiving pauses until a dependency is available or somebody mends it.
pub(super) fn paused(
    template: &mut Template,
    context: &Context<'_>,
    service: &ServiceResources,
    queue: &str,
    topic: &Value,
) {
    const PERIODS: u32 = 10;
    template.parameter(
        "PausedThresholdMinutes",
        json!({
            "Type": "Number",
            "Default": "2",
            "MinValue": 1,
            "MaxValue": PERIODS,
            "Description": "Alarm when a service has not received in so many of the last ten minutes",
        }),
    );
    let most = |id: &str, metric: &str| {
        metrics::statistic(id, metrics::of_consumer(context, queue, metric), "Maximum")
    };
    let name = &service.service;
    Alarm {
        name: &format!("{name}-paused"),
        description: format!(
            "{name} does not receive: a dependency is unavailable, misconfigured or rejects most messages. Its \
             readiness check says which, and why"
        ),
        watches: json!({
            "EvaluationPeriods": PERIODS,
            "DatapointsToAlarm": reference("PausedThresholdMinutes"),
            "Metrics": [
                most("circuit", "consumer.circuit.open"),
                most("brake", "consumer.brake.engaged"),
                {"Id": "paused", "Label": "Receiving pauses", "ReturnData": true,
                 "Expression": "IF(FILL(circuit, 0) + FILL(brake, 0) > 0, 1, 0)"},
            ],
        }),
        threshold: json!(0),
        minutes: json!(2),
    }
    .add(template, context, topic);
}

/// An event that a caller sends a day late is old, and yet nothing is slow: what counts is how long ago it was published for
/// this hop.
pub(super) fn event_delay(
    template: &mut Template,
    context: &Context<'_>,
    service: &ServiceResources,
    queue: &str,
    topic: &Value,
) {
    template.number(
        "EventDelayThresholdSeconds",
        "60",
        0,
        "Alarm when events are done later than this after they were published",
    );
    let mut delay = metrics::of_consumer(context, queue, "consumer.event.delay");
    delay["ExtendedStatistic"] = json!("p99");
    delay["Period"] = json!(60);
    let name = &service.service;
    Alarm {
        name: &format!("{name}-event-delay"),
        description: format!(
            "For one event in a hundred, the time from its publication until {name} was done with it, in seconds"
        ),
        watches: delay,
        threshold: reference("EventDelayThresholdSeconds"),
        minutes: json!(5),
    }
    .add(template, context, topic);
}

pub(super) fn backlog_age(
    template: &mut Template,
    context: &Context<'_>,
    service: &ServiceResources,
    queue: &str,
    topic: &Value,
) {
    template.number(
        "BacklogAgeThresholdSeconds",
        "120",
        0,
        "Alarm when a message has waited longer than this",
    );
    let name = &service.service;
    Alarm {
        name: &format!("{name}-backlog-age"),
        description: format!(
            "The oldest message in the queue of {name}, in seconds; SQS leaves out those received three times"
        ),
        watches: metrics::watched(metrics::of_queue(queue, "ApproximateAgeOfOldestMessage"), "Maximum"),
        threshold: reference("BacklogAgeThresholdSeconds"),
        minutes: json!(5),
    }
    .add(template, context, topic);
}

/// Dead letters that SQS refuses in every form: they wait until SQS moves them itself.
pub(super) fn refused(
    template: &mut Template,
    context: &Context<'_>,
    service: &ServiceResources,
    queue: &str,
    topic: &Value,
) {
    let mut refused = metrics::statistic(
        "refused",
        metrics::of_consumer(context, queue, "consumer.dead_letters.refused"),
        "Sum",
    );
    refused["ReturnData"] = json!(true);
    let name = &service.service;
    Alarm {
        name: &format!("{name}-refused"),
        description: format!(
            "SQS refuses dead letters of {name}, so that they stay on its queue until their receive count is used up: its \
             log lines say why"
        ),
        watches: json!({"Metrics": [refused]}),
        threshold: reference("DeadLettersThreshold"),
        minutes: json!(1),
    }
    .add(template, context, topic);
}
