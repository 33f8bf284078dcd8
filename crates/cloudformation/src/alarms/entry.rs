//! Alarms on requests over HTTP.

use serde_json::{Value, json};
use topology::ServiceResources;

use crate::alarm::{Alarm, id};
use crate::context::Context;
use crate::load_balancer;
use crate::metrics;
use crate::template::{Template, attribute, reference};

pub(super) fn server_errors(
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
        minutes: json!(3),
    }
    .add(template, context, topic);
    reference(&id(&name))
}

pub(super) fn latency(
    template: &mut Template,
    context: &Context<'_>,
    service: &ServiceResources,
    topic: &Value,
) {
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
        minutes: json!(5),
    }
    .add(template, context, topic);
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

/// Nothing accepted for long. Only the operator knows how long callers may be silent, so by default it does not exist.
pub(super) fn quiet(
    template: &mut Template,
    context: &Context<'_>,
    service: &ServiceResources,
    topic: &Value,
) {
    const EXISTS: &str = "NoticeSilence";
    template.parameter(
        "QuietMinutes",
        json!({
            "Type": "Number",
            "Default": "0",
            "MinValue": 0,
            // An alarm looks back one day at most if it looks at minutes
            // (https://docs.aws.amazon.com/AmazonCloudWatch/latest/APIReference/API_PutMetricAlarm.html).
            "MaxValue": 1_440,
            "Description": "Alarm when no event was accepted for so many minutes; 0 for no alarm, since nights may be quiet",
        }),
    );
    template.condition(EXISTS, json!({"Fn::Not": [{"Fn::Equals": [reference("QuietMinutes"), 0]}]}));
    let accepted = metrics::own(context, "ingest.events", &[("outcome", "accepted")]);
    let mut watches = metrics::watched(accepted, "Sum");
    watches["ComparisonOperator"] = json!("LessThanThreshold");
    watches["TreatMissingData"] = json!("breaching");
    let name = &service.service;
    Alarm {
        name: &format!("{name}-quiet"),
        description: format!(
            "{name} has accepted no event: if {name}-no-task and {name}-silent do not fire, nobody sends any, or all are \
             refused"
        ),
        watches,
        threshold: json!(1),
        minutes: reference("QuietMinutes"),
    }
    .add(template, context, topic);
    template.with("Condition", json!(EXISTS));
}
