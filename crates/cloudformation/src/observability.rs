//! Observability over all services.

use serde_json::{Value, json};
use topology::ServiceResources;

use crate::alarms::{self, Alarm};
use crate::context::Context;
use crate::metrics;
use crate::template::{Template, policy, reference, sub};
use crate::{RenderError, dashboard};

const TOPIC: &str = "AlarmTopic";

/// Renders the template of the stack `observability`.
pub(crate) fn template(context: &Context<'_>) -> Result<Template, RenderError> {
    let mut template = Template::new(format!(
        "{} observability: X-Ray group, sampling, dashboard and alarms over all services. Needs the stack foundation",
        context.application()
    ));
    add_topic(&mut template, context);
    add_group(&mut template, context);
    add_sampling(&mut template, context)?;
    add_alarms(&mut template, context);
    template.resource(
        "Dashboard",
        "AWS::CloudWatch::Dashboard",
        json!({"DashboardName": sub(context.prefix()), "DashboardBody": sub(dashboard::body(context))}),
    );
    add_query(&mut template, context);
    Ok(template)
}

/// Adds the topic of every alarm, including those of the services' stacks.
fn add_topic(template: &mut Template, context: &Context<'_>) {
    template.parameter(
        "AlarmEmail",
        json!({"Type": "String", "Default": "", "Description": "Recipient of mail about alarms; empty for none"}),
    );
    template.condition("MailAlarms", json!({"Fn::Not": [{"Fn::Equals": [reference("AlarmEmail"), ""]}]}));
    template.resource(
        TOPIC,
        "AWS::SNS::Topic",
        json!({"TopicName": context.name("alarms"), "KmsMasterKeyId": context.left_by_other_stack("key-arn")}),
    );
    template.resource(
        "AlarmTopicPolicy",
        "AWS::SNS::TopicPolicy",
        json!({
            "Topics": [reference(TOPIC)],
            "PolicyDocument": policy(vec![json!({
                "Sid": "AlarmsOfThisAccount",
                "Effect": "Allow",
                "Principal": {"Service": "cloudwatch.amazonaws.com"},
                "Action": "sns:Publish",
                "Resource": reference(TOPIC),
                "Condition": {"StringEquals": {"aws:SourceAccount": reference("AWS::AccountId")}},
            })]),
        }),
    );
    template.resource(
        "AlarmSubscription",
        "AWS::SNS::Subscription",
        json!({"TopicArn": reference(TOPIC), "Protocol": "email", "Endpoint": reference("AlarmEmail")}),
    );
    template.with("Condition", json!("MailAlarms"));
    context.leave_for_other_stacks(template, "alarm-topic-arn", reference(TOPIC));
}

/// Adds the X-Ray group. It filters by annotation, so a new service belongs to it from its first trace on.
fn add_group(template: &mut Template, context: &Context<'_>) {
    template.parameter(
        "Insights",
        json!({
            "Type": "String",
            "AllowedValues": ["true", "false"],
            "Default": "true",
            "Description": "Whether X-Ray detects anomalies in the group's traces; charged per trace",
        }),
    );
    template.resource(
        "Group",
        "AWS::XRay::Group",
        json!({
            "GroupName": sub(context.prefix()),
            "FilterExpression": sub(format!(
                "annotation.application = \"{}\" AND annotation.environment = \"{}\"",
                context.application(),
                crate::ENVIRONMENT
            )),
            "InsightsConfiguration": {"InsightsEnabled": reference("Insights"), "NotificationsEnabled": false},
        }),
    );
}

/// Adds a sampling rule for each service that accepts requests, because traces start there.
fn add_sampling(template: &mut Template, context: &Context<'_>) -> Result<(), RenderError> {
    template.number(
        "SamplingReservoir",
        "1",
        0,
        "Traces per second that each entry service records in any case",
    );
    template.parameter(
        "SamplingRate",
        json!({
            "Type": "Number",
            "Default": "0.05",
            "MinValue": 0,
            "MaxValue": 1,
            "Description": "Share of the other traces that are recorded",
        }),
    );
    for service in context.resources.services.iter().filter(|service| service.listens) {
        let name = &service.service;
        template.resource(
            format!("{}SamplingRule", crate::template::logical_id(name)),
            "AWS::XRay::SamplingRule",
            json!({"SamplingRule": {
                "Version": 1,
                "RuleName": context.short_name(name)?,
                "Priority": 1000,
                "ServiceName": name,
                "ServiceType": "*",
                "Host": "*",
                "HTTPMethod": "*",
                "URLPath": "*",
                "ResourceARN": "*",
                "ReservoirSize": reference("SamplingReservoir"),
                "FixedRate": reference("SamplingRate"),
            }}),
        );
    }
    Ok(())
}

fn add_alarms(template: &mut Template, context: &Context<'_>) {
    let topic = reference(TOPIC);
    let queues = context.consumed_queues();
    let dead: Vec<&str> = context
        .resources
        .services
        .iter()
        .flat_map(|service| context.dead_letter_queues(service))
        .map(|queue| queue.name.as_str())
        .collect();
    if queues.is_empty() {
        return;
    }
    template.number(
        "DeadLettersThreshold",
        "100",
        0,
        "Alarm above this number of dead letters in all queues together",
    );
    template.number(
        "EventAgeThresholdSeconds",
        "900",
        0,
        "Alarm if any event is older than this when it has been handled",
    );
    template.number(
        "FailuresThreshold",
        "10",
        0,
        "Alarm above this percentage of failed messages over all services",
    );
    Alarm {
        name: "dead-letters",
        description: "Messages in all dead-letter queues together".to_owned(),
        watches: query(&format!(
            "SELECT SUM(ApproximateNumberOfMessagesVisible) FROM SCHEMA(\"AWS/SQS\", QueueName){}",
            metrics::any_of("QueueName", &dead)
        )),
        threshold: reference("DeadLettersThreshold"),
        minutes: 1,
    }
    .add(template, context, &topic);
    Alarm {
        name: "event-age",
        description: "The oldest event handled by any service, in seconds since it occurred".to_owned(),
        watches: query(&metrics::own(context, "MAX", "consumer.event.age", " WHERE stage = 'done'")),
        threshold: reference("EventAgeThresholdSeconds"),
        minutes: 5,
    }
    .add(template, context, &topic);
    Alarm {
        name: "failures",
        description: "Failed attempts of all services together, in percent".to_owned(),
        watches: alarms::failure_rate(context, ""),
        threshold: reference("FailuresThreshold"),
        minutes: 5,
    }
    .add(template, context, &topic);
}

fn query(expression: &str) -> Value {
    json!({"Metrics": [{"Id": "all", "Expression": sub(expression), "Period": 60, "ReturnData": true}]})
}

/// Adds the saved query for what happened to an event, which does not depend on sampling.
fn add_query(template: &mut Template, context: &Context<'_>) {
    let group = |service: &ServiceResources| sub(context.log_group(&format!("services/{}", service.service)));
    template.resource(
        "EventQuery",
        "AWS::Logs::QueryDefinition",
        json!({
            "Name": sub(format!("{}/what happened to this event", context.prefix())),
            "LogGroupNames": context.resources.services.iter().map(group).collect::<Vec<_>>(),
            "QueryString": "fields @timestamp, service, event_type, outcome, reason, attempt, waiting_ms, \
                            processing_ms, trace_id\n| filter message = \"event\" and (event_id = \"EVENT\" or \
                            correlation_id = \"EVENT\")\n| sort @timestamp asc\n",
        }),
    );
}
