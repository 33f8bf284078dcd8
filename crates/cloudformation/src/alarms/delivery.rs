//! Alarms on what AWS delivers to a service, and takes from its tables.

use serde_json::{Value, json};
use topology::{Pipe, Queue, Rule, RuleBus, ServiceResources};

use crate::alarm::{Alarm, LATE_MINUTES};
use crate::context::Context;
use crate::metrics;
use crate::template::{Template, reference};

/// A Pipe that is stopped or cannot read has no failures, only no executions. So it is held against the writes to its
/// table, of which hardly one in a service with an outbox announces nothing.
pub(super) fn standstill(template: &mut Template, context: &Context<'_>, pipe: &Pipe, topic: &Value) {
    const PERIOD_S: u32 = 300;
    const PERIODS: u32 = 12;
    template.parameter_once(
        "StandstillPeriods",
        json!({
            "Type": "Number",
            "Default": 3,
            "MinValue": 1,
            "MaxValue": PERIODS,
            "Description": "Alarm when a table was written to and nothing left it in this many of the last twelve \
                            times five minutes",
        }),
    );
    let written =
        metrics::of_aws("AWS/DynamoDB", "ConsumedWriteCapacityUnits", &[("TableName", &pipe.table)]);
    let of_pipe = |id: &str, metric: &str| metrics::sum_over(id, of_pipe(pipe, metric), PERIOD_S);
    let logical = context.logical(&pipe.name);
    Alarm {
        name: &format!("{logical}-standstill"),
        description: format!(
            "{logical} takes nothing to the bus although its table is written to: look at the Pipe"
        ),
        watches: json!({
            "EvaluationPeriods": PERIODS,
            "DatapointsToAlarm": reference("StandstillPeriods"),
            "Metrics": [
                metrics::sum_over("written", written, PERIOD_S),
                of_pipe("started", "Invocations"),
                of_pipe("failed", "ExecutionFailed"),
                {"Id": "standing", "Label": "Written to, nothing taken", "ReturnData": true,
                 "Expression": "IF(FILL(written, 0) > 0 AND FILL(started, 0) - FILL(failed, 0) <= 0, 1, 0)"},
            ],
        }),
        threshold: json!(0),
        minutes: json!(PERIODS),
    }
    .add(template, context, topic);
}

fn of_pipe(pipe: &Pipe, metric: &str) -> Value {
    metrics::of_aws("AWS/EventBridge/Pipes", metric, &[("PipeName", &pipe.name)])
}

/// A Pipe retries what fails. What it gives up is on its dead-letter queue hours later; this fires before that.
pub(super) fn failing(template: &mut Template, context: &Context<'_>, pipe: &Pipe, topic: &Value) {
    template.number_once(
        "PipeFailuresMinutes",
        "5",
        1,
        "Alarm when executions of a Pipe have failed in so many minutes one after the other",
    );
    let of_pipe = |id: &str, metric: &str| metrics::statistic(id, of_pipe(pipe, metric), "Sum");
    let logical = context.logical(&pipe.name);
    Alarm {
        name: &format!("{logical}-failing"),
        description: format!(
            "Executions of {logical} fail, and it tries again: its log group, /aws/vendedlogs/…/pipes/{logical}, says why"
        ),
        watches: json!({"Metrics": [
            of_pipe("failed", "ExecutionFailed"),
            of_pipe("partly", "ExecutionPartiallyFailed"),
            of_pipe("late", "ExecutionTimeout"),
            {"Id": "all", "Label": "Failed executions", "ReturnData": true,
             // A Pipe sends all of them with every execution.
             "Expression": "failed + partly + late"},
        ]}),
        threshold: json!(0),
        minutes: reference("PipeFailuresMinutes"),
    }
    .add(template, context, topic);
}

pub(super) fn dead_letters(
    template: &mut Template,
    context: &Context<'_>,
    service: &ServiceResources,
    topic: &Value,
) {
    let queues = context.dead_letter_queues(service);
    if !queues.is_empty() {
        template.number(
            "DeadLettersThreshold",
            "0",
            0,
            "Alarm when more messages than this are in a dead-letter queue, or refused by it in a minute",
        );
    }
    for Queue { name, .. } in queues {
        let watches =
            metrics::watched(metrics::of_queue(name, "ApproximateNumberOfMessagesVisible"), "Maximum");
        let logical = context.logical(name);
        Alarm {
            name: logical,
            description: format!("Messages in {logical}: read why, mend it, then redrive"),
            watches,
            threshold: reference("DeadLettersThreshold"),
            minutes: json!(1),
        }
        .add(template, context, topic);
    }
}

/// Events that EventBridge can neither deliver nor put on the queue for undelivered ones.
pub(super) fn lost_events(
    template: &mut Template,
    context: &Context<'_>,
    service: &ServiceResources,
    topic: &Value,
) {
    let mut queries: Vec<_> = context
        .rules(service)
        .enumerate()
        .map(|(index, rule)| metrics::statistic(&format!("rule{index}"), not_redriven(context, rule), "Sum"))
        .collect();
    if queries.is_empty() {
        return;
    }
    let terms: Vec<_> = (0..queries.len()).map(|index| format!("FILL(rule{index}, 0)")).collect();
    queries.push(json!({
        "Id": "lost", "Label": "Events lost", "ReturnData": true, "Expression": terms.join(" + "),
    }));
    add_lost_threshold(template);
    let name = &service.service;
    Alarm {
        name: &format!("{name}-lost-events"),
        description: format!(
            "EventBridge could neither deliver events to {name} nor put them on {name}-undelivered: they are lost. Mend the \
             policies of both queues and of the key, and have the events sent again"
        ),
        watches: json!({"EvaluationPeriods": LATE_MINUTES, "Metrics": queries}),
        threshold: reference(LOST_THRESHOLD),
        minutes: json!(1),
    }
    .add(template, context, topic);
}

/// A rule's metric has the dimension of its bus too, except on the default bus
/// (<https://docs.aws.amazon.com/eventbridge/latest/userguide/eb-monitoring.html>).
fn not_redriven(context: &Context<'_>, rule: &Rule) -> Value {
    let bus = rule.bus.name(context.prefix());
    let by_bus = [("EventBusName", bus), ("RuleName", &rule.name)];
    let dimensions = if rule.bus == RuleBus::Default { &by_bus[1..] } else { &by_bus[..] };
    metrics::of_aws("AWS/Events", "InvocationsFailedToBeSentToDlq", dimensions)
}

/// The same for a topic: the alarm is in the stack of its publisher, so that there is one, however many subscribe.
pub(super) fn lost_notifications(
    template: &mut Template,
    context: &Context<'_>,
    service: &ServiceResources,
    topic: &Value,
) {
    for published in &service.topics {
        add_lost_threshold(template);
        let metric = metrics::of_aws(
            "AWS/SNS",
            "NumberOfNotificationsFailedToRedriveToDlq",
            &[("TopicName", published)],
        );
        let logical = context.logical(published);
        Alarm {
            name: &format!("{logical}-lost-notifications"),
            description: format!(
                "SNS could neither deliver notifications of {logical} to a queue nor put them on its queue for undelivered \
                 ones: they are lost. Mend the policies of both queues and of the key, and have the events sent again"
            ),
            watches: metrics::watched(metric, "Sum"),
            threshold: reference(LOST_THRESHOLD),
            minutes: json!(1),
        }
        .add(template, context, topic);
    }
}

const LOST_THRESHOLD: &str = "LostThreshold";

fn add_lost_threshold(template: &mut Template) {
    template.number_once(
        LOST_THRESHOLD,
        "0",
        0,
        "Alarm when more events than this reach neither a queue nor its queue for undelivered ones in a minute",
    );
}
