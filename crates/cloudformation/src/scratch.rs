//! A disposable stack: the messaging and data part of a topology, for checks against AWS.

use serde_json::{Map, Value, json};
use topology::Resources;

use crate::context::Context;
use crate::template::{Template, sorted, sub};
use crate::{ENVIRONMENT, RenderError, data, messaging};

/// Logical id of the bus.
const BUS: &str = "Bus";
/// Properties of production resources that a disposable one must not have: they would outlive the stack, or need the
/// foundation's key.
const NOT_IN_SCRATCH: [&str; 4] =
    ["DeletionProtectionEnabled", "KmsMasterKeyId", "PointInTimeRecoverySpecification", "SSESpecification"];

/// Renders the bus, topics, queues, rules, subscriptions, tables, Pipes and configuration sets of all services as one template in JSON.
///
/// They equal those of the services' stacks, including the Pipe and its role, with two exceptions: nothing outlives the
/// stack, and nothing is encrypted with a customer key. The template has one parameter, `Environment`, and creates named
/// roles, so it needs the capability `CAPABILITY_NAMED_IAM`.
///
/// # Errors
/// [`RenderError`] when the declarations are incomplete.
pub fn scratch(resources: &Resources) -> Result<String, RenderError> {
    if resources.environment != ENVIRONMENT {
        return Err(RenderError::Environment(resources.environment.clone()));
    }
    let context = Context::new(resources, "");
    let mut template =
        Template::new(format!("{}: to try AWS with, and then to be deleted", context.application()));
    template.resource(BUS, "AWS::Events::EventBus", json!({"Name": sub(context.prefix())}));
    for topic in &resources.topics {
        let properties = json!({"TopicName": sub(topic.name.as_str())});
        template.resource(context.id(&topic.name, "Topic"), "AWS::SNS::Topic", properties);
    }
    for service in &resources.services {
        messaging::add(&mut template, &context, service);
        messaging::add_configuration_set(&mut template, &context, service);
        data::add(&mut template, &context, service)?;
    }
    let topics: Vec<String> = resources.topics.iter().map(|topic| context.id(&topic.name, "Topic")).collect();
    let mut all = Map::new();
    for (id, mut resource) in template.resources {
        throw_away(&mut resource);
        // In production these belong to another stack, so no reference orders them.
        match resource["Type"].as_str() {
            Some("AWS::Events::Rule" | "AWS::Pipes::Pipe") => depend(&mut resource, &[BUS.to_owned()]),
            Some("AWS::SNS::Subscription") => depend(&mut resource, &topics),
            _ => {}
        }
        all.insert(id, resource);
    }
    let parameters: Map<String, Value> = template.parameters.into_iter().collect();
    let document = json!({
        "AWSTemplateFormatVersion": "2010-09-09",
        "Description": template.description,
        "Parameters": parameters,
        "Resources": all,
    });
    Ok(sorted(&document).to_string())
}

fn throw_away(resource: &mut Value) {
    if let Some(resource) = resource.as_object_mut() {
        for policy in ["DeletionPolicy", "UpdateReplacePolicy"] {
            resource.remove(policy);
        }
    }
    if let Some(properties) = resource["Properties"].as_object_mut() {
        properties.retain(|name, _| !NOT_IN_SCRATCH.contains(&name.as_str()));
    }
    let policies = resource["Properties"].get_mut("Policies").and_then(Value::as_array_mut);
    for policy in policies.into_iter().flatten() {
        if let Some(statements) = policy["PolicyDocument"]["Statement"].as_array_mut() {
            statements.retain(|statement| statement["Sid"] != "UseKey");
        }
    }
}

fn depend(resource: &mut Value, on: &[String]) {
    let mut all = resource["DependsOn"].as_array().cloned().unwrap_or_default();
    all.extend(on.iter().map(|id| json!(id)));
    resource["DependsOn"] = Value::Array(all);
}

#[cfg(test)]
mod tests {
    use envelope::{Event, events};
    use serde::{Deserialize, Serialize};
    use topology::{Service, Table, Topic, Topology, topic};

    use super::*;

    #[derive(Serialize, Deserialize)]
    struct Ordered;
    impl Event for Ordered {
        const TYPE: &'static str = "Ordered";
        const SOURCE: &'static str = "shop";
        fn customer_number(&self) -> &'static str {
            ""
        }
    }

    fn rendered() -> Value {
        let resources = Topology::new("shop", ENVIRONMENT)
            .service(
                Service::new("orders")
                    .consumes(events::<(Ordered,)>())
                    .owns(Table::new("orders").outbox())
                    .emits::<(Ordered,)>()
                    .publishes(Topic::new("notices")),
            )
            .service(Service::new("mail").receives(topic("notices")))
            .resources()
            .unwrap();
        serde_json::from_str(&scratch(&resources).unwrap()).unwrap()
    }

    #[test]
    fn nothing_outlives_the_stack_or_needs_another() {
        let template = rendered().to_string();
        for word in ["Retain", "resolve:ssm", "kms", "Kms", "DeletionProtection"] {
            assert!(!template.contains(word), "{word} in {template}");
        }
        let template = rendered();
        let resources = template["Resources"].as_object().unwrap();
        // Every reference resolves.
        let mut references = Vec::new();
        referred(&template["Resources"], &mut references);
        for id in references.iter().filter(|id| !id.starts_with("AWS::") && *id != "Environment") {
            assert!(resources.contains_key(id), "{id} is referred to");
        }
    }

    fn referred(value: &Value, found: &mut Vec<String>) {
        match value {
            Value::Object(object) => {
                for (key, value) in object {
                    match (key.as_str(), value) {
                        ("Ref", Value::String(id)) => found.push(id.clone()),
                        ("Fn::GetAtt", Value::Array(list)) => {
                            found.extend(list.first().and_then(Value::as_str).map(str::to_owned));
                        }
                        ("DependsOn", Value::Array(list)) => {
                            found.extend(list.iter().filter_map(Value::as_str).map(str::to_owned));
                        }
                        _ => referred(value, found),
                    }
                }
            }
            Value::Array(list) => list.iter().for_each(|value| referred(value, found)),
            _ => {}
        }
    }

    #[test]
    fn what_was_in_other_stacks_comes_first() {
        let template = rendered();
        let depends = |id: &str| template["Resources"][id]["DependsOn"].clone();
        assert_eq!(depends("OrdersOutboxPipe"), json!(["Bus"]));
        assert!(depends("MailSubscription").as_array().unwrap().contains(&json!("NoticesTopic")));
        assert!(depends("OrdersRule").as_array().unwrap().contains(&json!("Bus")));
    }

    #[test]
    fn the_pipe_is_that_of_production() {
        let template = rendered();
        let pipe = &template["Resources"]["OrdersOutboxPipe"]["Properties"];
        assert!(pipe["TargetParameters"]["InputTemplate"].as_str().unwrap().contains("NewImage.data.S"));
        let role = &template["Resources"]["OrdersOutboxPipeRole"]["Properties"];
        let statements = role["Policies"][0]["PolicyDocument"]["Statement"].as_array().unwrap();
        let sids: Vec<_> = statements.iter().map(|statement| statement["Sid"].as_str().unwrap()).collect();
        assert_eq!(sids, ["ReadStream", "FindStream", "Publish", "GiveUp"]);
    }
}
