//! Alarms. Each threshold is a parameter.

use serde_json::{Value, json};
use topology::{Pipe, Queue, ServiceResources};

use crate::context::Context;
use crate::load_balancer;
use crate::metrics;
use crate::template::{Template, attribute, reference, sub};

/// Condition: whether alarms also notify when they return to OK.
const NOTIFY_RECOVERY: &str = "NotifyRecovery";

/// One alarm: what it watches (a metric or a list of queries), and from when on it is too much.
pub(crate) struct Alarm<'a> {
    /// Logical id, and in small letters the end of its name.
    pub(crate) name: &'a str,
    pub(crate) description: String,
    /// Properties that say what is watched. They win over the usual ones.
    pub(crate) watches: Value,
    /// A parameter's, as a rule.
    pub(crate) threshold: Value,
    /// Minutes, one after the other, in which it must be too much.
    pub(crate) minutes: u32,
}

impl Alarm<'_> {
    /// Adds the alarm under this logical id and name.
    pub(crate) fn add(self, template: &mut Template, context: &Context<'_>, topic: &Value) {
        let mut properties = json!({
            "AlarmName": context.name(self.name),
            "AlarmDescription": self.description,
            "ComparisonOperator": "GreaterThanThreshold",
            "Threshold": self.threshold,
            "EvaluationPeriods": self.minutes,
            "DatapointsToAlarm": self.minutes,
            "TreatMissingData": "notBreaching",
            "AlarmActions": [topic],
            "OKActions": {"Fn::If": [NOTIFY_RECOVERY, [topic], reference("AWS::NoValue")]},
        });
        if let (Value::Object(properties), Value::Object(watches)) = (&mut properties, self.watches) {
            properties.extend(watches);
        }
        template.resource(id(self.name), "AWS::CloudWatch::Alarm", properties);
    }
}

/// The logical id of an alarm's name.
pub(crate) fn id(name: &str) -> String {
    format!("{}Alarm", crate::template::logical_id(name))
}

/// A service's alarms. Gives those on which a deployment is rolled back.
pub(crate) fn add(template: &mut Template, context: &Context<'_>, service: &ServiceResources) -> Vec<Value> {
    let topic = context.left_by_other_stack("alarm-topic-arn");
    template.parameter(
        "NotifyRecovery",
        json!({
            "Type": "String",
            "AllowedValues": ["true", "false"],
            // A new alarm recovers from having no data, so the first deployment would send as many mails as there are.
            "Default": "false",
            "Description": "Whether alarms notify when they are over too; once the stack exists",
        }),
    );
    template.condition(NOTIFY_RECOVERY, json!({"Fn::Equals": [reference("NotifyRecovery"), "true"]}));
    let mut rollback = Vec::new();
    if let Some(queue) = &service.queue {
        rollback.push(failures(template, context, service, queue, &topic));
        event_age(template, context, service, queue, &topic);
        paused(template, context, service, queue, &topic);
        refused(template, context, service, queue, &topic);
    }
    if service.listens {
        rollback.push(server_errors(template, context, service, &topic));
        latency(template, context, service, &topic);
    }
    for pipe in context.pipes(service) {
        standstill(template, context, pipe, &topic);
    }
    dead_letters(template, context, service, &topic);
    lost_telemetry(template, context, service, &topic);
    rollback
}

/// Spans and data points that the collector never got. The metric itself arrives once the collector is there again.
fn lost_telemetry(template: &mut Template, context: &Context<'_>, service: &ServiceResources, topic: &Value) {
    template.number(
        "LostTelemetryThreshold",
        "0",
        0,
        "Alarm when a service has lost more spans and data points than this",
    );
    let name = &service.service;
    let sum = |id: &str, metric: &str| {
        metrics::statistic(id, metrics::own(context, metric, &[("service.name", name)]), "Sum")
    };
    Alarm {
        name: &format!("{name}-lost-telemetry"),
        description: format!(
            "{name} has lost spans or metrics: its collector was unavailable for too long, or takes too little. The \
             log lines with lost_spans say how many and why"
        ),
        watches: json!({"Metrics": [
            sum("spans", "telemetry.spans.lost"),
            sum("points", "telemetry.data_points.lost"),
            {"Id": "lost", "Label": "Lost spans and data points", "ReturnData": true,
             "Expression": "FILL(spans, 0) + FILL(points, 0)"},
        ]}),
        threshold: reference("LostTelemetryThreshold"),
        minutes: 1,
    }
    .add(template, context, topic);
}

/// A Pipe that is stopped or cannot read has no failures, only no executions. So it is held against the writes to its
/// table, of which hardly one in a service with an outbox announces nothing.
fn standstill(template: &mut Template, context: &Context<'_>, pipe: &Pipe, topic: &Value) {
    const PERIOD_S: u32 = 300;
    const PERIODS: u32 = 12;
    template.parameter(
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
    let sum = |id: &str, namespace: &str, metric: &str, dimension: &str, value: &str| {
        json!({"Id": id, "ReturnData": false, "MetricStat": {
            "Metric": {
                "Namespace": namespace,
                "MetricName": metric,
                "Dimensions": [{"Name": dimension, "Value": sub(value)}],
            },
            "Period": PERIOD_S,
            "Stat": "Sum",
        }})
    };
    let of_pipe = |id: &str, metric: &str| sum(id, "AWS/EventBridge/Pipes", metric, "PipeName", &pipe.name);
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
                sum("written", "AWS/DynamoDB", "ConsumedWriteCapacityUnits", "TableName", &pipe.table),
                of_pipe("started", "Invocations"),
                of_pipe("failed", "ExecutionFailed"),
                {"Id": "standing", "Label": "Written to, nothing taken", "ReturnData": true,
                 "Expression": "IF(FILL(written, 0) > 0 AND FILL(started, 0) - FILL(failed, 0) <= 0, 1, 0)"},
            ],
        }),
        threshold: json!(0),
        minutes: PERIODS,
    }
    .add(template, context, topic);
}

fn failures(
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
        minutes: 3,
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
fn paused(
    template: &mut Template,
    context: &Context<'_>,
    service: &ServiceResources,
    queue: &str,
    topic: &Value,
) {
    template.number(
        "PausedThresholdMinutes",
        "2",
        1,
        "Alarm when a service has not received for so many minutes",
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
            "EvaluationPeriods": reference("PausedThresholdMinutes"),
            "DatapointsToAlarm": reference("PausedThresholdMinutes"),
            "Metrics": [
                most("circuit", "consumer.circuit.open"),
                most("brake", "consumer.brake.engaged"),
                {"Id": "paused", "Label": "Receiving pauses", "ReturnData": true,
                 "Expression": "IF(FILL(circuit, 0) + FILL(brake, 0) > 0, 1, 0)"},
            ],
        }),
        threshold: json!(0),
        minutes: 2,
    }
    .add(template, context, topic);
}

fn event_age(
    template: &mut Template,
    context: &Context<'_>,
    service: &ServiceResources,
    queue: &str,
    topic: &Value,
) {
    template.number("EventAgeThresholdSeconds", "60", 0, "Alarm when events are older than this when done");
    template.number(
        "BacklogAgeThresholdSeconds",
        "120",
        0,
        "Alarm when a message has waited longer than this",
    );
    let name = &service.service;
    Alarm {
        name: &format!("{name}-event-age"),
        description: format!(
            "One event in a hundred is older than this when {name} is done with it, in seconds since it occurred"
        ),
        watches: oldest_event(context, queue),
        threshold: reference("EventAgeThresholdSeconds"),
        minutes: 5,
    }
    .add(template, context, topic);
    let mut watches = metrics::of_queue(queue, "ApproximateAgeOfOldestMessage");
    watches["Statistic"] = json!("Maximum");
    watches["Period"] = json!(60);
    Alarm {
        name: &format!("{name}-backlog-age"),
        description: format!(
            "The oldest message in the queue of {name}, in seconds; SQS leaves out those received three times"
        ),
        watches,
        threshold: reference("BacklogAgeThresholdSeconds"),
        minutes: 5,
    }
    .add(template, context, topic);
}

/// The 99th percentile over all event types, by the dimensions that `otel-collector.yaml` gives it for this.
fn oldest_event(context: &Context<'_>, queue: &str) -> Value {
    let metric = metrics::own(context, "consumer.event.age", &[(metrics::QUEUE, queue), ("stage", "done")]);
    let mut age = metrics::statistic("age", metric, "p99");
    age["Label"] = json!("Age of events, p99");
    age["ReturnData"] = json!(true);
    json!({"Metrics": [age]})
}

/// Dead letters that SQS refuses in every form: they wait until SQS moves them itself.
fn refused(
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
        minutes: 1,
    }
    .add(template, context, topic);
}

fn dead_letters(template: &mut Template, context: &Context<'_>, service: &ServiceResources, topic: &Value) {
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
        let mut watches = metrics::of_queue(name, "ApproximateNumberOfMessagesVisible");
        watches["Statistic"] = json!("Maximum");
        watches["Period"] = json!(60);
        let logical = context.logical(name);
        Alarm {
            name: logical,
            description: format!("Messages in {logical}: read why, mend it, then redrive"),
            watches,
            threshold: reference("DeadLettersThreshold"),
            minutes: 1,
        }
        .add(template, context, topic);
    }
}

fn load_balancer_metric(id: &str, name: &str, statistic: &str, shown: bool) -> Value {
    json!({"Id": id, "ReturnData": shown, "MetricStat": {
        "Metric": {
            "Namespace": "AWS/ApplicationELB",
            "MetricName": name,
            "Dimensions": [{
                "Name": "LoadBalancer",
                "Value": attribute(load_balancer::LOAD_BALANCER, "LoadBalancerFullName"),
            }],
        },
        "Period": 60,
        "Stat": statistic,
    }})
}

fn server_errors(
    template: &mut Template,
    context: &Context<'_>,
    service: &ServiceResources,
    topic: &Value,
) -> Value {
    template.number(
        "ServerErrorsThreshold",
        "1",
        0,
        "Alarm when more of 100 requests than this end with 5xx",
    );
    let name = format!("{}-server-errors", service.service);
    Alarm {
        name: &name,
        description: format!("{} answers requests with 5xx, in percent", service.service),
        watches: json!({"Metrics": [
            load_balancer_metric("requests", "RequestCount", "Sum", false),
            load_balancer_metric("targets", "HTTPCode_Target_5XX_Count", "Sum", false),
            load_balancer_metric("balancer", "HTTPCode_ELB_5XX_Count", "Sum", false),
            {"Id": "rate", "Label": "5xx in percent", "ReturnData": true,
             "Expression": "IF(requests > 0, 100 * (FILL(targets, 0) + FILL(balancer, 0)) / requests, 0)"},
        ]}),
        threshold: reference("ServerErrorsThreshold"),
        minutes: 3,
    }
    .add(template, context, topic);
    reference(&id(&name))
}

fn latency(template: &mut Template, context: &Context<'_>, service: &ServiceResources, topic: &Value) {
    template.parameter(
        "LatencyThresholdSeconds",
        json!({
            "Type": "Number",
            "Default": "1",
            "MinValue": 0,
            "Description": "Alarm when one request in a hundred takes longer than this",
        }),
    );
    Alarm {
        name: &format!("{}-latency", service.service),
        description: format!(
            "The 99th percentile of the time {} takes to answer, in seconds",
            service.service
        ),
        watches: json!({"Metrics": [load_balancer_metric("latency", "TargetResponseTime", "p99", true)]}),
        threshold: reference("LatencyThresholdSeconds"),
        minutes: 5,
    }
    .add(template, context, topic);
}
