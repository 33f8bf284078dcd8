//! The number of tasks of a service: by its backlog, its requests and by CPU.

use serde_json::{Value, json};
use topology::ServiceResources;

use crate::context::Context;
use crate::load_balancer;
use crate::logical_ids::SERVICE;
use crate::metrics;
use crate::template::{Template, logical_id, reference, sub};

/// Adds scaling by backlog, or by requests, or by both, and by CPU.
///
/// The policies complement each other: the first notices what waits, however little CPU it takes; the second keeps the
/// tasks that a steady load needs while nothing waits, which the first would take away and bring back again. Application
/// Auto Scaling adds tasks if one policy asks for them, and removes some only if all agree
/// (<https://docs.aws.amazon.com/autoscaling/application/userguide/application-auto-scaling-target-tracking.html>).
pub(crate) fn add(template: &mut Template, context: &Context<'_>, service: &ServiceResources) {
    let policies: Vec<_> = [by_requests(template, service), by_backlog(template, context, service)]
        .into_iter()
        .flatten()
        .collect();
    if policies.is_empty() {
        return;
    }
    // The name comes from the service resource, so that scaling is created after it.
    let cluster = context.path("cluster");
    let resource_id = sub(format!("service/{{{{resolve:ssm:{cluster}}}}}/${{{SERVICE}.Name}}"));
    template.number("MinimumTasks", "2", 1, "Minimum number of tasks; two, so that a zone may fail");
    template.number("MaximumTasks", "10", 1, "Maximum number of tasks");
    template.resource(
        "ScalableTarget",
        "AWS::ApplicationAutoScaling::ScalableTarget",
        json!({
            "ServiceNamespace": "ecs",
            "ScalableDimension": "ecs:service:DesiredCount",
            "ResourceId": resource_id,
            "MinCapacity": reference("MinimumTasks"),
            "MaxCapacity": reference("MaximumTasks"),
        }),
    );
    template.number(
        "CpuTargetPercent",
        "60",
        1,
        "Target of the tasks' CPU utilisation; docs/capacity.md calculates with it",
    );
    let cpu = json!({"PredefinedMetricType": "ECSServiceAverageCPUUtilization"});
    for Policy { name, specification, target } in policies {
        add_policy(template, context, service, name, specification, &target);
    }
    add_policy(
        template,
        context,
        service,
        "cpu",
        ("PredefinedMetricSpecification", cpu),
        &reference("CpuTargetPercent"),
    );
}

fn add_policy(
    template: &mut Template,
    context: &Context<'_>,
    service: &ServiceResources,
    name: &str,
    (kind, specification): (&str, Value),
    target: &Value,
) {
    let mut tracking = json!({"TargetValue": target, "ScaleOutCooldown": 30, "ScaleInCooldown": 300});
    tracking[kind] = specification;
    template.resource(
        format!("{}ScalingPolicy", logical_id(name)),
        "AWS::ApplicationAutoScaling::ScalingPolicy",
        json!({
            "PolicyName": context.name(&format!("{}-{name}", service.service)),
            "PolicyType": "TargetTrackingScaling",
            "ScalingTargetId": reference("ScalableTarget"),
            "TargetTrackingScalingPolicyConfiguration": tracking,
        }),
    );
}

/// What the number of tasks follows.
struct Policy {
    name: &'static str,
    specification: (&'static str, Value),
    target: Value,
}

fn by_requests(template: &mut Template, service: &ServiceResources) -> Option<Policy> {
    service.listens.then(|| {
        template.number(
            "RequestsPerTask",
            "4500",
            1,
            "Target of requests per minute and task; 75 a second with 0.25 vCPU, and more with a larger Cpu",
        );
        let label = format!(
            "${{{}.LoadBalancerFullName}}/${{{}.TargetGroupFullName}}",
            load_balancer::LOAD_BALANCER,
            load_balancer::TARGET_GROUP
        );
        let specification =
            json!({"PredefinedMetricType": "ALBRequestCountPerTarget", "ResourceLabel": sub(label)});
        Policy {
            name: "requests",
            specification: ("PredefinedMetricSpecification", specification),
            target: reference("RequestsPerTask"),
        }
    })
}

fn by_backlog(template: &mut Template, context: &Context<'_>, service: &ServiceResources) -> Option<Policy> {
    let queue = service.queue.as_deref()?;
    template.number(
        "AcceptableAgeSeconds",
        "10",
        1,
        "Acceptable wait of an event: the time in which the backlog should be worked off",
    );
    template.parameter(
        "ProcessingMilliseconds",
        json!({
            "Type": "Number",
            "Default": "13.3",
            "MinValue": 0.01,
            "Description": "Time of one task per message; 75 a second with 0.25 vCPU, and less with a larger Cpu. Measured: \
                            messaging.process.duration divided by the number of messages in flight (consumer.in_flight)",
        }),
    );
    let specification = json!({"Metrics": [
        {"Id": "visible", "ReturnData": false, "MetricStat": {
            "Metric": metrics::of_queue(queue, "ApproximateNumberOfMessagesVisible"), "Stat": "Average",
        }},
        {"Id": "tasks", "ReturnData": false, "MetricStat": {
            "Metric": metrics::running_tasks(context, service), "Stat": "Average",
        }},
        // The target is backlog per task ≤ acceptable age ÷ processing time. A template cannot divide, so both sides are
        // multiplied by the processing time: the metric is the backlog in seconds.
        {"Id": "seconds", "ReturnData": true, "Label": "Seconds to work off the backlog",
         "Expression": sub("visible / IF(tasks > 0, tasks, 1) * ${ProcessingMilliseconds} / 1000")},
    ]});
    Some(Policy {
        name: "backlog",
        specification: ("CustomizedMetricSpecification", specification),
        target: reference("AcceptableAgeSeconds"),
    })
}
