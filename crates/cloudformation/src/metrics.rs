//! Metrics under their names in CloudWatch.

use serde_json::{Value, json};
use topology::ServiceResources;

use crate::context::Context;
use crate::template::sub;

/// The dimension of a consumer's metrics.
pub(crate) const QUEUE: &str = "messaging.destination.name";

/// Returns a metric of AWS.
pub(crate) fn of_aws(namespace: &str, name: &str, dimensions: &[(&str, &str)]) -> Value {
    metric(json!(namespace), name, dimensions)
}

fn metric(namespace: Value, name: &str, dimensions: &[(&str, &str)]) -> Value {
    let dimensions = dimensions.iter().map(|(name, value)| json!({"Name": name, "Value": sub(*value)}));
    json!({
        "Namespace": namespace,
        "MetricName": name,
        "Dimensions": dimensions.collect::<Vec<_>>(),
    })
}

/// Returns a metric of SQS.
pub(crate) fn of_queue(queue: &str, name: &str) -> Value {
    of_aws("AWS/SQS", name, &[("QueueName", queue)])
}

/// Returns the number of running tasks of a service, from Container Insights.
pub(crate) fn running_tasks(context: &Context<'_>, service: &ServiceResources) -> Value {
    of_aws(
        "ECS/ContainerInsights",
        "RunningTaskCount",
        &[("ClusterName", context.prefix()), ("ServiceName", &context.name_text(&service.service))],
    )
}

/// Returns the CPU utilisation of a service, which ECS sends every minute while a task runs, and without Container
/// Insights (<https://docs.aws.amazon.com/AmazonECS/latest/developerguide/available-metrics.html>).
pub(crate) fn cpu_utilization(context: &Context<'_>, service: &ServiceResources) -> Value {
    of_aws(
        "AWS/ECS",
        "CPUUtilization",
        &[("ClusterName", context.prefix()), ("ServiceName", &context.name_text(&service.service))],
    )
}

/// Returns one of the services' own metrics, by a set of dimensions that `otel-collector.yaml` gives it.
pub(crate) fn own(context: &Context<'_>, name: &str, dimensions: &[(&str, &str)]) -> Value {
    metric(sub(context.metrics_namespace()), name, dimensions)
}

/// Returns one of a consumer's own metrics, over everything else that it is counted by.
pub(crate) fn of_consumer(context: &Context<'_>, queue: &str, name: &str) -> Value {
    own(context, name, &[(QUEUE, queue)])
}

/// Returns a query of an alarm: a metric's statistic, by minute.
pub(crate) fn statistic(id: &str, metric: Value, statistic: &str) -> Value {
    json!({"Id": id, "ReturnData": false, "MetricStat": {"Metric": metric, "Period": 60, "Stat": statistic}})
}

/// Returns a query of an alarm: a metric's sum over a period in seconds.
pub(crate) fn sum_over(id: &str, metric: Value, period_s: u32) -> Value {
    let mut query = statistic(id, metric, "Sum");
    query["MetricStat"]["Period"] = json!(period_s);
    query
}

/// Returns what an alarm on a single metric watches: its statistic, by minute.
pub(crate) fn watched(mut metric: Value, statistic: &str) -> Value {
    metric["Statistic"] = json!(statistic);
    metric["Period"] = json!(60);
    metric
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
