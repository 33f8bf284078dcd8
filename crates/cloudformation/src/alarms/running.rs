//! Alarms on whether a service runs, and whether what it reports arrives.

use serde_json::{Value, json};
use topology::ServiceResources;

use crate::alarm::{Alarm, LATE_MINUTES};
use crate::context::Context;
use crate::logical_ids::SERVICE;
use crate::metrics;
use crate::template::{Template, reference, sub};

/// Spans and data points that the collector never got. The metric itself arrives once the collector is there again.
pub(super) fn lost_telemetry(
    template: &mut Template,
    context: &Context<'_>,
    service: &ServiceResources,
    topic: &Value,
) {
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
        watches: json!({"EvaluationPeriods": LATE_MINUTES, "Metrics": [
            sum("spans", "telemetry.spans.lost"),
            sum("points", "telemetry.data_points.lost"),
            {"Id": "lost", "Label": "Lost spans and data points", "ReturnData": true,
             "Expression": "FILL(spans, 0) + FILL(points, 0)"},
        ]}),
        threshold: reference("LostTelemetryThreshold"),
        minutes: json!(1),
    }
    .add(template, context, topic);
}

/// No task, so nothing is done. ECS sends the metric while at least one task runs.
pub(super) fn no_task(
    template: &mut Template,
    context: &Context<'_>,
    service: &ServiceResources,
    topic: &Value,
) {
    template.number("NoTaskMinutes", "5", 1, "Alarm when no task has run for so many minutes");
    let name = &service.service;
    Alarm {
        name: &format!("{name}-no-task"),
        description: format!("No task of {name} runs: the events of the service in ECS say why"),
        watches: missing(metrics::cpu_utilization(context, service)),
        threshold: json!(1),
        minutes: reference("NoTaskMinutes"),
    }
    .add(template, context, topic);
    template.with("DependsOn", json!([SERVICE]));
}

/// Nothing that the service measures arrives: every other alarm on its own metrics is blind. Each task sends its uptime
/// every minute.
pub(super) fn silent(
    template: &mut Template,
    context: &Context<'_>,
    service: &ServiceResources,
    topic: &Value,
) {
    template.number(
        "SilentMinutes",
        "10",
        1,
        "Alarm when no metric of the service has arrived for so many minutes",
    );
    let name = &service.service;
    Alarm {
        name: &format!("{name}-silent"),
        description: format!(
            "No metric of {name} arrives. If tasks run, their collectors do not, or may not write to the log \
             group of the metrics: look at the log group of the collectors"
        ),
        watches: missing(metrics::own(context, "process.uptime", &[("service.name", name)])),
        threshold: json!(1),
        minutes: reference("SilentMinutes"),
    }
    .add(template, context, topic);
    template.with("DependsOn", json!([SERVICE]));
}

/// Returns the condition of an alarm for a missing metric.
fn missing(metric: Value) -> Value {
    let mut watches = metrics::watched(metric, "SampleCount");
    watches["ComparisonOperator"] = json!("LessThanThreshold");
    watches["TreatMissingData"] = json!("breaching");
    watches
}

/// A task that does not reach its collector can say so in its log only. The other tasks' metrics would hide it.
pub(super) fn exports(
    template: &mut Template,
    context: &Context<'_>,
    service: &ServiceResources,
    topic: &Value,
) {
    const METRIC: &str = "telemetry.exports.failed";
    template.number(
        "FailedExportsThreshold",
        "3",
        0,
        "Alarm when tasks report more failed exports than this in five minutes; each reports one a minute",
    );
    let name = &service.service;
    template.resource(
        "FailedExports",
        "AWS::Logs::MetricFilter",
        json!({
            "LogGroupName": sub(context.log_group(&format!("services/{name}"))),
            "FilterPattern": format!(
                "{{ $.message = \"telemetry export failed\" && $.signal = \"metrics\" && $.service = \"{name}\" }}"
            ),
            "MetricTransformations": [{
                "MetricNamespace": sub(context.metrics_namespace()),
                "MetricName": METRIC,
                "MetricValue": "1",
                "Dimensions": [{"Key": "service.name", "Value": "$.service"}],
            }],
        }),
    );
    let mut watches = metrics::watched(metrics::own(context, METRIC, &[("service.name", name)]), "Sum");
    watches["Period"] = json!(300);
    Alarm {
        name: &format!("{name}-exports"),
        description: format!(
            "A task of {name} does not reach its collector: its log lines \"telemetry export failed\" say why, and the \
             collector's log what has become of it"
        ),
        watches,
        threshold: reference("FailedExportsThreshold"),
        minutes: json!(1),
    }
    .add(template, context, topic);
}
