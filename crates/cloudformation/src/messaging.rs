//! Queues, the rule or subscription that feeds them, and who may send to them.

use serde_json::{Value, json};
use topology::{ConfigurationSet, Queue, Rule, RuleBus, Sender, ServiceResources};

use crate::context::Context;
use crate::template::{Template, arn, attribute, filled, policy, reference, sub};

/// Adds a service's queues and what delivers to them.
pub(crate) fn add(template: &mut Template, context: &Context<'_>, service: &ServiceResources) {
    for queue in context.queues(service) {
        add_queue(template, context, queue);
    }
    for queue in context.queues(service).into_iter().filter(|queue| !queue.senders.is_empty()) {
        let id = context.id(&queue.name, "Queue");
        template.resource(
            format!("{id}Policy"),
            "AWS::SQS::QueuePolicy",
            json!({
                "Queues": [reference(&id)],
                "PolicyDocument": policy(
                    queue.senders.iter().map(|sender| may_send(context, &id, sender)).collect()
                ),
            }),
        );
    }
    add_rules(template, context, service);
    for subscription in context.subscriptions(service) {
        let mut properties = json!({
            "TopicArn": Context::topic_arn(&subscription.topic),
            "Protocol": "sqs",
            "Endpoint": attribute(&context.id(&subscription.queue, "Queue"), "Arn"),
            "RedrivePolicy": {
                "deadLetterTargetArn": attribute(&context.id(&subscription.dead_letter_queue, "Queue"), "Arn"),
            },
        });
        if let Some(filter) = &subscription.filter_policy {
            properties["FilterPolicy"] = filter.clone();
        }
        template.resource(
            context.id(&subscription.queue, "Subscription"),
            "AWS::SNS::Subscription",
            properties,
        );
        let queues = [&subscription.queue, &subscription.dead_letter_queue];
        wait_for_policies(template, context, queues);
    }
}

fn add_queue(template: &mut Template, context: &Context<'_>, queue: &Queue) {
    let mut properties = json!({
        "QueueName": sub(queue.name.as_str()),
        "VisibilityTimeout": queue.visibility_timeout_s,
        "MessageRetentionPeriod": queue.retention_s,
        "KmsMasterKeyId": context.left_by_other_stack("key-arn"),
    });
    if let Some(dead_letter) = &queue.dead_letter {
        properties["RedrivePolicy"] = json!({
            "deadLetterTargetArn": attribute(&context.id(&dead_letter.queue, "Queue"), "Arn"),
            "maxReceiveCount": dead_letter.max_receive_count,
        });
    }
    template.keep(context.id(&queue.name, "Queue"), "AWS::SQS::Queue", properties);
}

fn may_send(context: &Context<'_>, queue: &str, sender: &Sender) -> Value {
    let (service, source) = match sender {
        Sender::Rule(rule) => ("events.amazonaws.com", context.rule_arn(rule)),
        Sender::DefaultBusRule(rule) => ("events.amazonaws.com", Context::default_bus_rule_arn(rule)),
        Sender::Topic(topic) => ("sns.amazonaws.com", Context::topic_arn(topic)),
    };
    json!({
        "Effect": "Allow",
        "Principal": {"Service": service},
        "Action": "sqs:SendMessage",
        "Resource": attribute(queue, "Arn"),
        "Condition": {"ArnEquals": {"aws:SourceArn": source}},
    })
}

fn add_rules(template: &mut Template, context: &Context<'_>, service: &ServiceResources) {
    for rule in context.rules(service) {
        let mut properties = json!({
            "Name": sub(rule.name.as_str()),
            "EventPattern": filled(&rule.pattern),
            "State": "ENABLED",
            "Targets": [target(context, rule)],
        });
        properties["EventBusName"] = sub(rule.bus.name(context.prefix()));
        template.resource(context.id(&rule.name, "Rule"), "AWS::Events::Rule", properties);
        wait_for_policies(template, context, [&rule.target_queue, &rule.dead_letter_queue]);
    }
}

fn target(context: &Context<'_>, rule: &Rule) -> Value {
    let mut target = json!({
        "Id": "queue",
        "Arn": attribute(&context.id(&rule.target_queue, "Queue"), "Arn"),
        "DeadLetterConfig": {"Arn": attribute(&context.id(&rule.dead_letter_queue, "Queue"), "Arn")},
        "RetryPolicy": {
            "MaximumEventAgeInSeconds": rule.maximum_event_age_s,
            "MaximumRetryAttempts": rule.maximum_retry_attempts,
        },
    });
    if let Some(transformer) = &rule.transformer {
        target["InputTransformer"] =
            json!({"InputPathsMap": transformer.paths, "InputTemplate": transformer.template});
    }
    target
}

/// Adds the configuration set with which a service sends mail. SES publishes to the account's default bus only.
pub(crate) fn add_configuration_set(
    template: &mut Template,
    context: &Context<'_>,
    service: &ServiceResources,
) {
    for set in context.configuration_sets(service) {
        let id = context.id(&set.name, "ConfigurationSet");
        template.resource(
            id.clone(),
            "AWS::SES::ConfigurationSet",
            json!({
                "Name": sub(set.name.as_str()),
                "ReputationOptions": {"ReputationMetricsEnabled": true},
            }),
        );
        template.resource(
            format!("{id}EventDestination"),
            "AWS::SES::ConfigurationSetEventDestination",
            json!({
                "ConfigurationSetName": reference(&id),
                "EventDestination": {
                    "Name": ConfigurationSet::DESTINATION,
                    "Enabled": true,
                    // CloudFormation spells them as the first version of SES's API does
                    // (https://docs.aws.amazon.com/AWSCloudFormation/latest/TemplateReference/aws-properties-ses-configurationseteventdestination-eventdestination.html).
                    "MatchingEventTypes": set.event_types.iter().map(|name| name.to_lowercase()).collect::<Vec<_>>(),
                    "EventBridgeDestination": {
                        "EventBusArn": arn("events", &format!("event-bus/{}", RuleBus::DEFAULT)),
                    },
                },
            }),
        );
        // What is published before the rules exist is lost.
        let rules = context.rules(service).filter(|rule| rule.bus == RuleBus::Default);
        template.with("DependsOn", rules.map(|rule| json!(context.id(&rule.name, "Rule"))).collect());
    }
}

/// Lets the resource added last wait for the policies of the queues that it delivers to, since it may do so at once.
fn wait_for_policies(template: &mut Template, context: &Context<'_>, queues: [&String; 2]) {
    template.with("DependsOn", json!(queues.map(|queue| context.id(queue, "QueuePolicy"))));
}
