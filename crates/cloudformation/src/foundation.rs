//! The resources that all services of an environment share.

use serde_json::{Value, json};
use topology::RuleBus;

use crate::context::Context;
use crate::template::{Template, allow, arn, attribute, policy, reference, sub};
use crate::{collector, images, logs, network};

/// Logical id of the key.
pub(crate) const KEY: &str = "Key";
/// The longest text of a parameter in the free tier.
const LONGEST_STANDARD_PARAMETER: usize = 4096;

/// Renders the template of the foundation.
pub(crate) fn template(context: &Context<'_>, collector: &str) -> Template {
    let mut template = Template::new(format!(
        "{} foundation: network, cluster, event bus, topics, key, and what belongs to the collector",
        context.application()
    ));
    add_parameters(&mut template);
    network::add(&mut template, context);
    add_key(&mut template, context);
    template.resource("Bus", "AWS::Events::EventBus", json!({"Name": sub(context.prefix())}));
    add_topics(&mut template, context);
    add_log_groups(&mut template, context);
    add_cluster(&mut template, context);
    images::add_repository(&mut template, context, "collector", attribute(KEY, "Arn"));
    add_collector(&mut template, context, collector);
    leave_key(&mut template, context);
    context.leave_for_other_stacks(&mut template, "cluster", reference("Cluster"));
    template
}

fn add_parameters(template: &mut Template) {
    logs::add_parameter(template);
    template.parameter(
        "ContainerInsights",
        json!({
            "Type": "String",
            "AllowedValues": ["enabled", "enhanced"],
            "Default": "enabled",
            "Description": "enhanced adds metrics of every task and container, each at a price",
        }),
    );
}

/// Adds one key for everything at rest. It outlives the stack, because the data it encrypts does.
pub(crate) fn add_key(template: &mut Template, context: &Context<'_>) {
    let account = sub("arn:${AWS::Partition}:iam::${AWS::AccountId}:root");
    let from_here = json!({"StringEquals": {"aws:SourceAccount": reference("AWS::AccountId")}});
    let service = |sid: &str, principal: &str, condition: Value| {
        let mut statement = allow(sid, &["kms:Decrypt", "kms:GenerateDataKey"], json!("*"));
        statement["Principal"] = json!({"Service": sub(principal)});
        statement["Condition"] = condition;
        statement
    };
    let mut owner = allow("AccountDecidesByIam", &["kms:*"], json!("*"));
    owner["Principal"] = json!({"AWS": account});
    let mut logs = service(
        "LogGroups",
        "logs.${AWS::Region}.amazonaws.com",
        json!({"ArnLike": {
            "kms:EncryptionContext:aws:logs:arn": [
                arn("logs", &format!("log-group:{}", context.log_group("*"))),
                arn("logs", &format!("log-group:{}", context.delivered_log_group("*"))),
            ],
        }}),
    );
    logs["Action"] = json!([
        "kms:Decrypt",
        "kms:DescribeKey",
        "kms:Encrypt",
        "kms:GenerateDataKey",
        "kms:ReEncryptFrom",
        "kms:ReEncryptTo"
    ]);
    let mut rules = vec![context.rule_arn("*")];
    if context.resources.rules.iter().any(|rule| rule.bus == RuleBus::Default) {
        rules.push(Context::default_bus_rule_arn(&context.name_text("*")));
    }
    let rules = json!({"ArnLike": {"aws:SourceArn": rules}});
    template.keep(
        KEY,
        "AWS::KMS::Key",
        json!({
            "Description": sub(format!("Everything of {} at rest", context.prefix())),
            "EnableKeyRotation": true,
            "PendingWindowInDays": 30,
            // In a key policy, the resource * means the key itself.
            "KeyPolicy": policy(vec![
                owner,
                logs,
                service("RulesIntoQueues", "events.amazonaws.com", rules),
                service("TopicsIntoQueues", "sns.amazonaws.com", from_here.clone()),
                service("AlarmsIntoTopics", "cloudwatch.amazonaws.com", from_here),
            ]),
        }),
    );
    template.resource(
        "KeyAlias",
        "AWS::KMS::Alias",
        json!({"AliasName": sub(format!("alias/{}", context.prefix())), "TargetKeyId": reference(KEY)}),
    );
}

/// Leaves the key's ARN for the other stacks.
pub(crate) fn leave_key(template: &mut Template, context: &Context<'_>) {
    context.leave_for_other_stacks(template, "key-arn", attribute(KEY, "Arn"));
}

fn add_topics(template: &mut Template, context: &Context<'_>) {
    for topic in &context.resources.topics {
        let id = context.id(&topic.name, "Topic");
        template.resource(
            &id,
            "AWS::SNS::Topic",
            json!({"TopicName": sub(topic.name.as_str()), "KmsMasterKeyId": attribute(KEY, "Arn")}),
        );
        template.resource(
            format!("{id}Policy"),
            "AWS::SNS::TopicPolicy",
            json!({
                "Topics": [reference(&id)],
                "PolicyDocument": policy(vec![only_over_tls("sns:Publish", reference(&id))]),
            }),
        );
    }
}

/// Refuses unencrypted connections. Who may publish is up to the roles of the publishers.
fn only_over_tls(action: &str, resource: Value) -> Value {
    json!({
        "Sid": "OnlyOverTls",
        "Effect": "Deny",
        "Principal": "*",
        "Action": action,
        "Resource": resource,
        "Condition": {"Bool": {"aws:SecureTransport": "false"}},
    })
}

/// Adds the log groups of the collectors. A service's is in the stack of its data.
fn add_log_groups(template: &mut Template, context: &Context<'_>) {
    for name in ["collector", "metrics"] {
        logs::add_group(template, context, name, attribute(KEY, "Arn"));
    }
}

fn add_cluster(template: &mut Template, context: &Context<'_>) {
    template.resource(
        "Cluster",
        "AWS::ECS::Cluster",
        json!({
            "ClusterName": sub(context.prefix()),
            // Associated here, so that a service may name them.
            "CapacityProviders": ["FARGATE", "FARGATE_SPOT"],
            "ClusterSettings": [{"Name": "containerInsights", "Value": reference("ContainerInsights")}],
        }),
    );
}

/// Adds the parameter from which the tasks read the collector's configuration.
fn add_collector(template: &mut Template, context: &Context<'_>, configuration: &str) {
    let text = collector::text(configuration);
    let tier = if text.len() > LONGEST_STANDARD_PARAMETER { "Advanced" } else { "Standard" };
    template.resource(
        "CollectorConfigParameter",
        "AWS::SSM::Parameter",
        json!({
            "Name": sub(context.path("collector/config")),
            "Description": "otel-collector.yaml without its comments; tasks read it when they start",
            "Type": "String",
            "Tier": tier,
            "Value": text,
        }),
    );
}
