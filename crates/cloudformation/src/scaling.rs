//! How many tasks a service has.

use serde_json::{Value, json};
use topology::ServiceResources;

use crate::context::Context;
use crate::load_balancer;
use crate::logical_ids::SERVICE;
use crate::metrics;
use crate::template::{Template, reference, sub};

/// Scaling by backlog, or by requests.
pub(crate) fn add(template: &mut Template, context: &Context<'_>, service: &ServiceResources) {
    let Some((name, specification, target)) = policy(template, context, service) else { return };
    // Of the service itself, so that scaling waits for it.
    let cluster = context.path("cluster");
    let resource_id = sub(format!("service/{{{{resolve:ssm:{cluster}}}}}/${{{SERVICE}.Name}}"));
    template.number("MaximumTasks", "10", 1, "Tasks at most");
    template.resource(
        "ScalableTarget",
        "AWS::ApplicationAutoScaling::ScalableTarget",
        json!({
            "ServiceNamespace": "ecs",
            "ScalableDimension": "ecs:service:DesiredCount",
            "ResourceId": resource_id,
            "MinCapacity": 1,
            "MaxCapacity": reference("MaximumTasks"),
        }),
    );
    let (kind, specification) = specification;
    let mut tracking = json!({"TargetValue": target, "ScaleOutCooldown": 30, "ScaleInCooldown": 300});
    tracking[kind] = specification;
    template.resource(
        "ScalingPolicy",
        "AWS::ApplicationAutoScaling::ScalingPolicy",
        json!({
            "PolicyName": context.name(&format!("{}-{name}", service.service)),
            "PolicyType": "TargetTrackingScaling",
            "ScalingTargetId": reference("ScalableTarget"),
            "TargetTrackingScalingPolicyConfiguration": tracking,
        }),
    );
}

fn policy(
    template: &mut Template,
    context: &Context<'_>,
    service: &ServiceResources,
) -> Option<(&'static str, (&'static str, Value), Value)> {
    if service.listens {
        template.number("RequestsPerTask", "1000", 1, "Requests a minute that one task should get");
        let label = format!(
            "${{{}.LoadBalancerFullName}}/${{{}.TargetGroupFullName}}",
            load_balancer::LOAD_BALANCER,
            load_balancer::TARGET_GROUP
        );
        let specification =
            json!({"PredefinedMetricType": "ALBRequestCountPerTarget", "ResourceLabel": sub(label)});
        return Some((
            "requests",
            ("PredefinedMetricSpecification", specification),
            reference("RequestsPerTask"),
        ));
    }
    let queue = service.queue.as_deref()?;
    template.number(
        "AcceptableAgeSeconds",
        "10",
        1,
        "How long an event may wait: the time in which the backlog is to be worked off",
    );
    template.parameter(
        "ProcessingMilliseconds",
        json!({
            "Type": "Number",
            "Default": "5",
            "MinValue": 0.01,
            "Description": "Time of one task for one message as measured: messaging.process.duration divided \
                            by the messages in hand at the same time (consumer.in_flight)",
        }),
    );
    let specification = json!({"Metrics": [
        {"Id": "visible", "ReturnData": false, "MetricStat": {
            "Metric": metrics::of_queue(queue, "ApproximateNumberOfMessagesVisible"), "Stat": "Average",
        }},
        {"Id": "tasks", "ReturnData": false, "MetricStat": {
            "Metric": metrics::running_tasks(context, service), "Stat": "Average",
        }},
        // Backlog per task against acceptable age ÷ processing time, both multiplied by the latter: a template
        // cannot divide, so the metric is the seconds that the backlog stands for.
        {"Id": "seconds", "ReturnData": true, "Label": "Seconds to work off the backlog",
         "Expression": sub("visible / IF(tasks > 0, tasks, 1) * ${ProcessingMilliseconds} / 1000")},
    ]});
    Some(("backlog", ("CustomizedMetricSpecification", specification), reference("AcceptableAgeSeconds")))
}
