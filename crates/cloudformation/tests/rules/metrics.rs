//! Rules for the metrics that alarms, scaling and dashboards read: somebody sends them, by these dimensions.

use serde_json::Value;

use crate::{Deployment, Rule, filled, parsed};

pub(crate) const RULES: [Rule; 3] = [
    Rule {
        name: "an alarm, a scaling policy or a widget reads one of the services' own metrics by dimensions that the collector or \
               a metric filter gives it",
        source: "https://docs.aws.amazon.com/AmazonCloudWatch/latest/monitoring/cloudwatch_concepts.html#Dimension",
        broken: |deployment| {
            let sent = Sent::read(deployment);
            let own = read(deployment).filter(|metric| !metric.of_aws());
            own.filter(|metric| !sent.has(metric)).map(|metric| metric.text()).collect()
        },
        example: || {
            r"
Resources:
  Alarm:
    Type: AWS::CloudWatch::Alarm
    Properties:
      Metrics:
        - MetricStat:
            Metric:
              Namespace: {Fn::Sub: 'loyalty/${Environment}'}
              MetricName: consumer.messages
              Dimensions: [{Name: messaging.destination.name, Value: q}, {Name: colour, Value: red}]
"
            .to_owned()
        },
    },
    Rule {
        name: "a metric of AWS that is read is one that AWS documents, by the dimensions that it documents",
        source: "https://docs.aws.amazon.com/AmazonCloudWatch/latest/monitoring/aws-services-cloudwatch-metrics.html",
        broken: |deployment| {
            let of_aws = read(deployment).filter(|metric| metric.of_aws());
            of_aws.filter(|metric| !metric.documented()).map(|metric| metric.text()).collect()
        },
        example: || {
            r"
Resources:
  Alarm:
    Type: AWS::CloudWatch::Alarm
    Properties:
      Namespace: AWS/Events
      MetricName: InvocationsFailedToBeSentToDlq
      Dimensions: [{Name: Rule, Value: a-rule}]
"
            .to_owned()
        },
    },
    Rule {
        name: "an alarm on something missing is created after the service, without which it would ring at once",
        source: "https://docs.aws.amazon.com/AmazonCloudWatch/latest/monitoring/alarms-and-missing-data.html",
        broken: |deployment| {
            let alarms = deployment.resources().filter(|(_, _, resource)| {
                resource["Type"] == "AWS::CloudWatch::Alarm"
                    && resource["Properties"]["TreatMissingData"] == "breaching"
            });
            // What has a condition is switched on by an operator who knows the service to run.
            let early = alarms.filter(|(_, _, alarm)| {
                alarm["Condition"].is_null() && alarm["DependsOn"] != serde_json::json!(["Service"])
            });
            early.map(|(file, id, _)| format!("{file} {id}")).collect()
        },
        example: || {
            "Resources: {A: {Type: AWS::CloudWatch::Alarm, Properties: {Namespace: AWS/ECS, MetricName: CPUUtilization, \
             Dimensions: [{Name: ClusterName, Value: c}, {Name: ServiceName, Value: s}], TreatMissingData: breaching}}}"
                .to_owned()
        },
    },
];

/// Metrics of AWS: namespace, names, dimensions, and the page that says so.
const DOCUMENTED: [(&str, &[&str], &[&str], &str); 10] = [
    (
        "AWS/SQS",
        &["ApproximateAgeOfOldestMessage", "ApproximateNumberOfMessagesVisible"],
        &["QueueName"],
        "https://docs.aws.amazon.com/AWSSimpleQueueService/latest/SQSDeveloperGuide/sqs-available-cloudwatch-metrics.html",
    ),
    (
        "AWS/ApplicationELB",
        &["HTTPCode_ELB_5XX_Count", "HTTPCode_Target_5XX_Count", "RequestCount", "TargetResponseTime"],
        &["LoadBalancer"],
        "https://docs.aws.amazon.com/elasticloadbalancing/latest/application/load-balancer-cloudwatch-metrics.html",
    ),
    (
        "AWS/DynamoDB",
        &["ConsumedWriteCapacityUnits"],
        &["TableName"],
        "https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/metrics-dimensions.html",
    ),
    (
        "AWS/EventBridge/Pipes",
        &["ExecutionFailed", "ExecutionPartiallyFailed", "ExecutionTimeout", "Invocations"],
        &["PipeName"],
        "https://docs.aws.amazon.com/eventbridge/latest/userguide/eb-pipes-monitoring.html",
    ),
    // "Metrics that specify only the RuleName dimension refer to the default event bus. Metrics that specify both […] refer to
    // a custom event bus."
    (
        "AWS/Events",
        &["InvocationsFailedToBeSentToDlq"],
        &["RuleName"],
        "https://docs.aws.amazon.com/eventbridge/latest/userguide/eb-monitoring.html",
    ),
    (
        "AWS/Events",
        &["InvocationsFailedToBeSentToDlq"],
        &["EventBusName", "RuleName"],
        "https://docs.aws.amazon.com/eventbridge/latest/userguide/eb-monitoring.html",
    ),
    (
        "AWS/SNS",
        &["NumberOfNotificationsFailedToRedriveToDlq"],
        &["TopicName"],
        "https://docs.aws.amazon.com/sns/latest/dg/sns-monitoring-using-cloudwatch.html",
    ),
    (
        "AWS/SES",
        &["Reputation.BounceRate", "Reputation.ComplaintRate"],
        &[],
        "https://docs.aws.amazon.com/ses/latest/dg/reputationdashboard-cloudwatch-alarm.html",
    ),
    (
        "AWS/ECS",
        &["CPUUtilization"],
        &["ClusterName", "ServiceName"],
        "https://docs.aws.amazon.com/AmazonECS/latest/developerguide/available-metrics.html",
    ),
    (
        "ECS/ContainerInsights",
        &["CpuUtilized", "MemoryUtilized", "RunningTaskCount"],
        &["ClusterName", "ServiceName"],
        "https://docs.aws.amazon.com/AmazonCloudWatch/latest/monitoring/Container-Insights-metrics-ECS.html",
    ),
];

/// A metric that something reads.
struct Metric {
    place: String,
    namespace: String,
    name: String,
    dimensions: Vec<String>,
}

impl Metric {
    fn of_aws(&self) -> bool {
        self.namespace.starts_with("AWS/") || self.namespace.starts_with("ECS/")
    }

    fn documented(&self) -> bool {
        DOCUMENTED.iter().any(|(namespace, names, dimensions, page)| {
            *namespace == self.namespace
                && names.contains(&self.name.as_str())
                && *dimensions == self.dimensions
                && page.starts_with("https://docs.aws.amazon.com/")
        })
    }

    fn text(&self) -> String {
        format!("{}: {} {} by {:?}", self.place, self.namespace, self.name, self.dimensions)
    }
}

/// Returns every metric that an alarm, a scaling policy or a widget names.
fn read(deployment: &Deployment) -> impl Iterator<Item = Metric> {
    deployment.resources().flat_map(|(file, id, resource)| {
        let mut found = Vec::new();
        let place = format!("{file} {id}");
        match resource["Type"].as_str().unwrap() {
            "AWS::CloudWatch::Alarm" | "AWS::ApplicationAutoScaling::ScalingPolicy" => {
                named(&place, &resource["Properties"], &mut found);
            }
            "AWS::CloudWatch::Dashboard" => {
                let body = parsed(&filled(&resource["Properties"]["DashboardBody"]).unwrap());
                for widget in body["widgets"].as_array().unwrap() {
                    let lines = widget["properties"]["metrics"].as_array().into_iter().flatten();
                    found.extend(lines.filter_map(|line| charted(&place, line)));
                }
            }
            _ => {}
        }
        found
    })
}

/// Finds the metrics in the properties of a resource, however deep.
fn named(place: &str, value: &Value, found: &mut Vec<Metric>) {
    if let (Some(namespace), Some(name)) = (filled(&value["Namespace"]), value["MetricName"].as_str()) {
        let dimensions = value["Dimensions"].as_array().into_iter().flatten();
        let mut dimensions: Vec<_> =
            dimensions.map(|dimension| dimension["Name"].as_str().unwrap().to_owned()).collect();
        dimensions.sort();
        found.push(Metric { place: place.to_owned(), namespace, name: name.to_owned(), dimensions });
        return;
    }
    match value {
        Value::Object(object) => object.values().for_each(|value| named(place, value, found)),
        Value::Array(list) => list.iter().for_each(|value| named(place, value, found)),
        _ => {}
    }
}

/// Reads a line of a widget: namespace, name, then dimensions and their values, then options.
fn charted(place: &str, line: &Value) -> Option<Metric> {
    let texts: Vec<_> = line.as_array()?.iter().map_while(Value::as_str).collect();
    let [namespace, name, dimensions @ ..] = &texts[..] else { return None };
    let mut dimensions: Vec<_> = dimensions.iter().step_by(2).map(|&name| name.to_owned()).collect();
    dimensions.sort();
    Some(Metric {
        place: place.to_owned(),
        namespace: (*namespace).to_owned(),
        name: (*name).to_owned(),
        dimensions,
    })
}

/// The sets of dimensions by which the services' own metrics are sent: what the collector's configuration declares, and
/// what metric filters read out of log lines.
struct Sent {
    declared: Vec<(Vec<regex_lite::Regex>, Vec<Vec<String>>)>,
    filtered: Vec<(String, Vec<String>)>,
}

impl Sent {
    fn read(deployment: &Deployment) -> Self {
        let texts = |list: &Value| -> Vec<String> {
            list.as_array().into_iter().flatten().map(|text| text.as_str().unwrap().to_owned()).collect()
        };
        let declarations =
            deployment.collector["exporters"]["awsemf"]["metric_declarations"].as_array().unwrap();
        let declared = declarations.iter().map(|declaration| {
            let names = texts(&declaration["metric_name_selectors"]);
            let names = names.iter().map(|name| regex_lite::Regex::new(name).unwrap()).collect();
            let sets = declaration["dimensions"].as_array().unwrap().iter().map(|set| {
                let mut set = texts(set);
                set.sort();
                set
            });
            (names, sets.collect())
        });
        let filters = deployment.of_type("AWS::Logs::MetricFilter");
        let filtered = filters.flat_map(|(_, _, filter)| {
            let transformations = filter["MetricTransformations"].as_array().unwrap();
            transformations.iter().map(|one| {
                let dimensions = one["Dimensions"].as_array().into_iter().flatten();
                let keys = dimensions.map(|dimension| dimension["Key"].as_str().unwrap().to_owned());
                (one["MetricName"].as_str().unwrap().to_owned(), keys.collect())
            })
        });
        Self { declared: declared.collect(), filtered: filtered.collect() }
    }

    /// The collector takes the first declaration that names the metric; the last one is for those that no other names.
    fn has(&self, metric: &Metric) -> bool {
        let mut declarations = self.declared.iter();
        let named = declarations.find(|(names, _)| names.iter().any(|name| name.is_match(&metric.name)));
        named.is_some_and(|(_, sets)| sets.contains(&metric.dimensions))
            || self.filtered.contains(&(metric.name.clone(), metric.dimensions.clone()))
    }
}
