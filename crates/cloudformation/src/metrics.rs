//! Metrics under their names in CloudWatch.

use serde_json::{Value, json};
use topology::ServiceResources;

use crate::context::Context;
use crate::template::sub;

/// The dimension of a consumer's metrics.
pub(crate) const QUEUE: &str = "messaging.destination.name";

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

/// Returns one of the services' own metrics, by a set of dimensions that `otel-collector.yaml` gives it.
pub(crate) fn own(context: &Context<'_>, name: &str, dimensions: &[(&str, &str)]) -> Value {
    let dimensions = dimensions.iter().map(|(name, value)| json!({"Name": name, "Value": sub(*value)}));
    json!({
        "Namespace": sub(context.metrics_namespace()),
        "MetricName": name,
        "Dimensions": dimensions.collect::<Vec<_>>(),
    })
}

/// Returns one of a consumer's own metrics, over everything else that it is counted by.
pub(crate) fn of_consumer(context: &Context<'_>, queue: &str, name: &str) -> Value {
    own(context, name, &[(QUEUE, queue)])
}

/// Returns a query of an alarm: a metric's statistic, by minute.
pub(crate) fn statistic(id: &str, metric: Value, statistic: &str) -> Value {
    json!({"Id": id, "ReturnData": false, "MetricStat": {"Metric": metric, "Period": 60, "Stat": statistic}})
}

/// Returns a Metrics Insights query over one of the services' own metrics, for a widget.
///
/// A widget or an alarm takes one such query
/// (<https://docs.aws.amazon.com/AmazonCloudWatch/latest/monitoring/cloudwatch-metrics-insights-limits.html>), and alarms
/// have none here, because it is billed by each metric that matches. `dimensions` is one of the sets that
/// `otel-collector.yaml` gives the metric: without it, a metric with several sets would count more than once.
pub(crate) fn insights(
    context: &Context<'_>,
    function: &str,
    metric: &str,
    dimensions: &[&str],
    clauses: &str,
) -> String {
    let dimensions: Vec<_> = dimensions.iter().map(|name| format!("\"{name}\"")).collect();
    let schema = format!("SCHEMA(\"{}\", {})", context.metrics_namespace(), dimensions.join(", "));
    format!("SELECT {function}(\"{metric}\") FROM {schema}{clauses}")
}
