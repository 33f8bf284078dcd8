//! Alarms in disposable stacks, and the metrics that they read.

use serde_json::{Value, json};
use topology::Resources;

use super::{context, document};
use crate::context::Context;
use crate::template::Template;
use crate::{ENVIRONMENT, RenderError, foundation, observability, service, state};

/// The types of alarms.
const TYPES: [&str; 2] = ["AWS::CloudWatch::Alarm", "AWS::CloudWatch::CompositeAlarm"];
/// What an alarm does. In a disposable stack it does nothing.
const ACTIONS: [&str; 3] = ["AlarmActions", "OKActions", "InsufficientDataActions"];
/// The most resources in a template, and the most bytes in a template that is sent with the call
/// (<https://docs.aws.amazon.com/AWSCloudFormation/latest/UserGuide/cloudformation-limits.html>).
const MOST_RESOURCES: usize = 500;
const MOST_BYTES: usize = 51_200;
/// Stands for an attribute of a resource in another stack. It has the form of a load balancer's full name.
const ATTRIBUTE: &str = "app/scratch/0123456789abcdef";

/// Renders every alarm of every stack as templates in JSON, as many as CloudFormation's limits need.
///
/// The alarms equal those of the stacks, except that they have no actions, that the defaults replace the parameters, and a
/// text replaces attributes of other resources. Each template has the parameter `Environment`, which begins every name.
///
/// # Errors
/// [`RenderError`] when the declarations are incomplete.
pub fn scratch_alarms(resources: &Resources) -> Result<Vec<String>, RenderError> {
    let context = context(resources)?;
    let empty = || Template::new(format!("{}: alarms to try, and then to be deleted", context.application()));
    let (mut templates, mut current) = (Vec::new(), empty());
    for (id, alarm) in alarms(&context)? {
        current.resources.push((id, alarm));
        if current.resources.len() > MOST_RESOURCES || document(&current).len() > MOST_BYTES {
            let last = current.resources.pop();
            templates.push(document(&current));
            current = empty();
            current.resources.extend(last);
        }
    }
    templates.push(document(&current));
    Ok(templates)
}

/// Returns each of the services' own metrics that an alarm reads, as a `MetricStat` for this environment.
///
/// # Errors
/// [`RenderError`] when the declarations are incomplete.
pub fn alarm_metrics(resources: &Resources, environment: &str) -> Result<Vec<Value>, RenderError> {
    let context = context(resources)?;
    let namespace = context.metrics_namespace().replace(ENVIRONMENT, environment);
    let mut metrics: Vec<Value> = Vec::new();
    for (_, alarm) in alarms(&context)? {
        let stats = statistics(&alarm["Properties"]).into_iter().map(|stat| named(&stat, environment));
        for stat in stats.filter(|stat| stat["Metric"]["Namespace"] == namespace) {
            if !metrics.contains(&stat) {
                metrics.push(stat);
            }
        }
    }
    Ok(metrics)
}

/// Returns what an alarm reads, of one metric or by queries, as `MetricStat`s.
fn statistics(alarm: &Value) -> Vec<Value> {
    if let Some(queries) = alarm["Metrics"].as_array() {
        return queries.iter().filter_map(|query| query.get("MetricStat").cloned()).collect();
    }
    let metric = ["Namespace", "MetricName", "Dimensions"].map(|name| (name.to_owned(), alarm[name].clone()));
    let statistic = alarm.get("Statistic").or(alarm.get("ExtendedStatistic"));
    vec![
        json!({"Metric": Value::Object(metric.into_iter().collect()), "Period": alarm["Period"], "Stat": statistic}),
    ]
}

/// Returns the alarms of all stacks by logical id.
fn alarms(context: &Context<'_>) -> Result<Vec<(String, Value)>, RenderError> {
    let mut templates = vec![foundation::template(context, ""), observability::template(context)?];
    for service in &context.resources.services {
        templates.extend([state::template(context, service)?, service::template(context, service)?]);
    }
    let alarms = templates.iter().flat_map(|template| {
        let alarms = template
            .resources
            .iter()
            .filter(|(_, resource)| TYPES.iter().any(|one| resource["Type"] == *one));
        alarms.map(|(id, alarm)| {
            let mut properties = alarm["Properties"].clone();
            if let Some(properties) = properties.as_object_mut() {
                properties.retain(|name, _| !ACTIONS.contains(&name.as_str()));
            }
            (id.clone(), json!({"Type": alarm["Type"], "Properties": literal(&properties, template)}))
        })
    });
    Ok(alarms.collect())
}

/// Replaces references to parameters by their defaults, and those to other resources by a text.
fn literal(value: &Value, template: &Template) -> Value {
    match value {
        Value::Array(list) => list.iter().map(|one| literal(one, template)).collect(),
        Value::Object(object) => {
            if let Some(name) = value["Ref"].as_str() {
                let parameter = template.parameters.iter().find(|(parameter, _)| parameter == name);
                return match parameter {
                    Some((_, definition)) => definition.get("Default").unwrap_or(value).clone(),
                    None if name.starts_with("AWS::") => value.clone(),
                    None => json!(ATTRIBUTE),
                };
            }
            if ["Fn::GetAtt", "Fn::ImportValue"].iter().any(|function| object.contains_key(*function)) {
                return json!(ATTRIBUTE);
            }
            object.iter().map(|(name, one)| (name.clone(), literal(one, template))).collect()
        }
        other => other.clone(),
    }
}

/// Fills the environment into every text that has it.
fn named(value: &Value, environment: &str) -> Value {
    match value {
        Value::Array(list) => list.iter().map(|one| named(one, environment)).collect(),
        Value::Object(object) => match value["Fn::Sub"].as_str() {
            Some(text) => json!(text.replace(ENVIRONMENT, environment)),
            None => object.iter().map(|(name, one)| (name.clone(), named(one, environment))).collect(),
        },
        other => other.clone(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parameters_and_other_resources_become_literals() {
        let mut template = Template::new("a stack");
        template.number("Most", "5", 0, "A threshold");
        let value = json!({
            "Threshold": {"Ref": "Most"},
            "AlarmName": {"Fn::Sub": "shop-${Environment}-late"},
            "Dimensions": [{"Name": "a", "Value": {"Fn::GetAtt": ["LoadBalancer", "FullName"]}}, {"Name": "b", "Value": {"Ref": "Queue"}}],
            "Account": {"Ref": "AWS::AccountId"},
        });
        assert_eq!(
            literal(&value, &template),
            json!({
                "Threshold": "5",
                "AlarmName": {"Fn::Sub": "shop-${Environment}-late"},
                "Dimensions": [{"Name": "a", "Value": ATTRIBUTE}, {"Name": "b", "Value": ATTRIBUTE}],
                "Account": {"Ref": "AWS::AccountId"},
            })
        );
        assert_eq!(named(&value["AlarmName"], "prod"), json!("shop-prod-late"));
    }

    #[test]
    fn either_form_of_an_alarm_says_what_it_reads() {
        let metric =
            json!({"Namespace": "shop", "MetricName": "delay", "Dimensions": [{"Name": "a", "Value": "b"}]});
        let read = json!({"Metric": metric, "Period": 60, "Stat": "p99"});
        let mut alone = metric.clone();
        (alone["Period"], alone["ExtendedStatistic"]) = (json!(60), json!("p99"));
        assert_eq!(statistics(&alone), std::slice::from_ref(&read));
        let queries =
            json!({"Metrics": [{"Id": "a", "MetricStat": read}, {"Id": "b", "Expression": "a + 1"}]});
        assert_eq!(statistics(&queries), [read]);
    }
}
