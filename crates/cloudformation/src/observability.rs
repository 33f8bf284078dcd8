//! Observability over all services.

use serde_json::json;
use topology::ServiceResources;

use crate::context::Context;
use crate::template::{Template, policy, reference, sub};
use crate::{RenderError, alarm, alarms, dashboard};

const TOPIC: &str = "AlarmTopic";

/// Renders the template of the stack `observability`.
pub(crate) fn template(context: &Context<'_>) -> Result<Template, RenderError> {
    let mut template = Template::new(format!(
        "{} observability: X-Ray group, sampling, dashboard over all services and topic of the alarms. Needs the stack foundation",
        context.application()
    ));
    add_topic(&mut template, context);
    if context.resources.services.iter().any(|service| service.sends_email) {
        alarm::add_parameter(&mut template);
        alarms::mail::add(&mut template, context, &reference(TOPIC));
    }
    add_group(&mut template, context);
    add_sampling(&mut template, context)?;
    dashboard::add_overview(&mut template, context);
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

/// Adds a sampling rule for each service that accepts requests, because traces start there. Services with
/// `OTEL_TRACES_SAMPLER=xray` obey it, and so do other instrumentations that read X-Ray's rules.
///
/// The spans of these services have the attribute `environment` when they start. The rules of an account are one list: without the attribute, that of the environment whose name comes first would decide for
/// all of them (<https://docs.aws.amazon.com/xray/latest/api/API_SamplingRule.html>).
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
                "Attributes": {"environment": reference("Environment")},
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
