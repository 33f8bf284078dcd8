//! Disposable stacks: parts of a topology, for checks against AWS.

mod alarms;
mod data;

use serde_json::{Map, Value, json};
use topology::{Resources, ServiceResources};

use crate::context::Context;
use crate::foundation::{self, KEY};
use crate::template::{Template, attribute, sorted, sub};
use crate::{ENVIRONMENT, RenderError, logs, messaging};

pub use alarms::{alarm_metrics, scratch_alarms};
pub use data::scratch_data;

/// Logical id of the bus.
const BUS: &str = "Bus";
/// How long a disposable key can be restored, in days: the shortest time that KMS allows
/// (<https://docs.aws.amazon.com/kms/latest/developerguide/deleting-keys.html>).
const KEY_PENDING_DAYS: u32 = 7;
/// Properties of production resources that a disposable one must not have: they would outlive the stack, or need the
/// foundation's key.
const NOT_IN_SCRATCH: [&str; 5] = [
    "DeletionProtectionEnabled",
    "KmsMasterKeyId",
    "LogConfiguration",
    "PointInTimeRecoverySpecification",
    "SSESpecification",
];

/// What a disposable stack holds beside the messaging and data part of its topology.
#[derive(Debug, Clone, Copy)]
pub enum Scratch<'a> {
    /// Nothing, and nothing is encrypted with a customer key.
    Plain,
    /// The foundation's key, its ARN where the other stacks read it, and the log group of the metrics.
    WithKey {
        /// The services whose own queue, and the topics it receives from, are encrypted with the key. Their queues for
        /// what could not be delivered are not, so that it arrives there if the key refuses.
        sealed: &'a [&'a str],
    },
}

/// Renders the bus, topics, queues, rules, subscriptions, tables, Pipes and configuration sets of all services as one
/// template in JSON.
///
/// They equal those of the services' stacks, including the Pipe and its role, with two exceptions: nothing outlives the
/// stack, and nothing is encrypted with a customer key except what `kind` names. The template has the parameter
/// `Environment`, others with defaults, and creates named roles, so it needs the capability `CAPABILITY_NAMED_IAM`.
///
/// # Errors
/// [`RenderError`] when the declarations are incomplete.
pub fn scratch(resources: &Resources, kind: Scratch<'_>) -> Result<String, RenderError> {
    let context = context(resources)?;
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
        crate::data::add(&mut template, &context, service)?;
    }
    let topics: Vec<String> = resources.topics.iter().map(|topic| context.id(&topic.name, "Topic")).collect();
    let mut sealed = Vec::new();
    if let Scratch::WithKey { sealed: services } = kind {
        add_key(&mut template, &context);
        let named = |service: &&ServiceResources| services.contains(&service.service.as_str());
        sealed = resources.services.iter().filter(named).flat_map(|one| sealed_by(&context, one)).collect();
    }
    for (id, resource) in &mut template.resources {
        throw_away(resource);
        if sealed.contains(id) {
            resource["Properties"]["KmsMasterKeyId"] = attribute(KEY, "Arn");
        }
        // In production these belong to another stack, so no reference orders them.
        match resource["Type"].as_str() {
            Some("AWS::Events::Rule" | "AWS::Pipes::Pipe") => depend(resource, &[BUS.to_owned()]),
            Some("AWS::SNS::Subscription") => depend(resource, &topics),
            _ => {}
        }
    }
    Ok(document(&template))
}

fn context(resources: &Resources) -> Result<Context<'_>, RenderError> {
    if resources.environment != ENVIRONMENT {
        return Err(RenderError::Environment(resources.environment.clone()));
    }
    Ok(Context::new(resources, ""))
}

/// Adds the foundation's key, which is deleted as early as KMS allows, and what is encrypted with it.
fn add_key(template: &mut Template, context: &Context<'_>) {
    foundation::add_key(template, context);
    for (_, resource) in template.resources.iter_mut().filter(|(id, _)| id == KEY) {
        resource["Properties"]["PendingWindowInDays"] = json!(KEY_PENDING_DAYS);
    }
    foundation::leave_key(template, context);
    logs::add_parameter(template);
    logs::add_group(template, context, "metrics", attribute(KEY, "Arn"));
}

/// Returns the logical ids of a service's own queue and of the topics it receives from.
fn sealed_by(context: &Context<'_>, service: &ServiceResources) -> Vec<String> {
    let queue = service.queue.iter().map(|queue| context.id(queue, "Queue"));
    let topics = context.subscriptions(service).map(|subscription| context.id(&subscription.topic, "Topic"));
    queue.chain(topics).collect()
}

/// Writes a template in JSON, which is shorter than YAML.
fn document(template: &Template) -> String {
    let section = |entries: &[(String, Value)]| entries.iter().cloned().collect::<Map<String, Value>>();
    let mut document = json!({
        "AWSTemplateFormatVersion": "2010-09-09",
        "Description": template.description,
        "Parameters": section(&template.parameters),
        "Resources": section(&template.resources),
    });
    if !template.conditions.is_empty() {
        document["Conditions"] = section(&template.conditions).into();
    }
    sorted(&document).to_string()
}

fn throw_away(resource: &mut Value) {
    forget(resource);
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

/// Lets a resource be deleted with its stack.
fn forget(resource: &mut Value) {
    if let Some(resource) = resource.as_object_mut() {
        resource.retain(|name, _| !["DeletionPolicy", "UpdateReplacePolicy"].contains(&name.as_str()));
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

    fn resources() -> Resources {
        Topology::new("shop", ENVIRONMENT)
            .service(
                Service::new("orders")
                    .consumes(events::<(Ordered,)>())
                    .owns(Table::new("orders").outbox())
                    .emits::<(Ordered,)>()
                    .publishes(Topic::new("notices")),
            )
            .service(Service::new("mail").receives(topic("notices")))
            .resources()
            .unwrap()
    }

    fn rendered() -> Value {
        serde_json::from_str(&scratch(&resources(), Scratch::Plain).unwrap()).unwrap()
    }

    fn sealed() -> Value {
        let content = Scratch::WithKey { sealed: &["orders", "mail"] };
        serde_json::from_str(&scratch(&resources(), content).unwrap()).unwrap()
    }

    #[test]
    fn nothing_outlives_the_stack_or_needs_another() {
        let template = rendered().to_string();
        for word in ["Retain", "resolve:ssm", "kms", "Kms", "DeletionProtection"] {
            assert!(!template.contains(word), "{word} in {template}");
        }
        for template in [rendered(), sealed()] {
            assert_resolved(&template);
            for word in ["Retain\"", "RetainExceptOnCreate", "resolve:ssm"] {
                assert!(!template.to_string().contains(word), "{word} in {template}");
            }
        }
    }

    #[test]
    fn the_key_has_the_policy_of_the_foundation() {
        let resources = resources();
        let foundation = foundation::template(&Context::new(&resources, ""), "");
        let key = &foundation.resources.iter().find(|(id, _)| id == KEY).unwrap().1["Properties"];
        let template = sealed();
        let scratch = &template["Resources"][KEY]["Properties"];
        assert_eq!(scratch["KeyPolicy"], key["KeyPolicy"]);
        assert_eq!(scratch["PendingWindowInDays"], 7);
        assert!(key["KeyPolicy"].to_string().contains("aws:SourceArn"), "{key}");

        let encrypted =
            |id: &str| template["Resources"][id]["Properties"]["KmsMasterKeyId"] == attribute(KEY, "Arn");
        assert!(["OrdersQueue", "MailQueue", "NoticesTopic"].into_iter().all(encrypted), "{template}");
        // What the key keeps from arriving must be able to arrive there.
        assert!(!["OrdersUndeliveredQueue", "MailUndeliveredQueue"].into_iter().any(encrypted), "{template}");
        assert_eq!(template["Resources"]["MetricsLogGroup"]["Properties"]["KmsKeyId"], attribute(KEY, "Arn"));
    }

    /// Asserts that each reference is to a parameter, a resource or a pseudo parameter.
    pub(super) fn assert_resolved(template: &Value) {
        let mut references = Vec::new();
        referred(&template["Resources"], &mut references);
        for id in references.iter().filter(|id| !id.starts_with("AWS::")) {
            let known = !template["Resources"][id].is_null() || !template["Parameters"][id].is_null();
            assert!(known, "{id} is referred to");
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

    /// As in production, the parameter decides; the whole layer in one stack has tables on demand.
    #[test]
    fn data_in_a_disposable_stack_has_the_conditions_of_production() {
        let data: Value =
            serde_json::from_str(&scratch_data(&resources(), "orders", false).unwrap()).unwrap();
        let table = &data["Resources"]["OrdersTable"]["Properties"];
        let condition = table["BillingMode"]["Fn::If"][0].as_str().unwrap();
        assert!(data["Conditions"][condition].is_object(), "{data}");
        assert_eq!(rendered()["Resources"]["OrdersTable"]["Properties"]["BillingMode"], "PAY_PER_REQUEST");
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
