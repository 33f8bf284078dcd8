//! Metrics under their names in CloudWatch.

use serde_json::{Value, json};
use topology::ServiceResources;

use crate::context::Context;
use crate::template::sub;

/// Returns a metric of SQS.
pub(crate) fn of_queue(queue: &str, name: &str) -> Value {
    json!({
        "Namespace": "AWS/SQS",
        "MetricName": name,
        "Dimensions": [{"Name": "QueueName", "Value": sub(queue)}],
    })
}

/// Returns the number of running tasks of a service, from Container Insights.
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

/// Returns a Metrics Insights query over one of the services' metrics. It aggregates over all attributes, so a new event
/// type or reason needs no change.
pub(crate) fn own(context: &Context<'_>, function: &str, metric: &str, clauses: &str) -> String {
    format!("SELECT {function}(\"{metric}\") FROM \"{}\"{clauses}", context.metrics_namespace())
}

/// Returns the ` WHERE` clause that limits a consumer's metric to these queues.
pub(crate) fn about(queues: &[&str]) -> String {
    any_of("\"messaging.destination.name\"", queues)
}

/// Returns the ` WHERE` clause that limits a metric of SQS to these queues.
pub(crate) fn any_of(dimension: &str, values: &[&str]) -> String {
    let values: Vec<_> = values.iter().map(|value| format!("{dimension} = '{value}'")).collect();
    format!(" WHERE {}", values.join(" OR "))
}
