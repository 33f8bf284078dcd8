//! Metrics by the names under which CloudWatch has them.

use serde_json::{Value, json};
use topology::ServiceResources;

use crate::context::Context;
use crate::template::sub;

/// A metric of SQS.
pub(crate) fn of_queue(queue: &str, name: &str) -> Value {
    json!({
        "Namespace": "AWS/SQS",
        "MetricName": name,
        "Dimensions": [{"Name": "QueueName", "Value": sub(queue)}],
    })
}

/// The number of a service's tasks that run, from Container Insights.
pub(crate) fn running_tasks(context: &Context<'_>, service: &ServiceResources) -> Value {
    json!({
        "Namespace": "ECS/ContainerInsights",
        "MetricName": "RunningTaskCount",
        "Dimensions": [
            {"Name": "ClusterName", "Value": sub(context.prefix())},
            {"Name": "ServiceName", "Value": context.name(&service.service)},
        ],
    })
}

/// A query of Metrics Insights over one of the services' own metrics. It adds up whatever attributes the metric
/// has, so a new event type or reason needs no change.
pub(crate) fn own(context: &Context<'_>, function: &str, metric: &str, clauses: &str) -> String {
    format!("SELECT {function}(\"{metric}\") FROM \"{}\"{clauses}", context.metrics_namespace())
}

/// ` WHERE` a consumer's metric is about one of these queues.
pub(crate) fn about(queues: &[&str]) -> String {
    any_of("\"messaging.destination.name\"", queues)
}

/// ` WHERE` a metric of SQS is about one of these queues.
pub(crate) fn any_of(dimension: &str, values: &[&str]) -> String {
    let values: Vec<_> = values.iter().map(|value| format!("{dimension} = '{value}'")).collect();
    format!(" WHERE {}", values.join(" OR "))
}
