//! The permissions of a service's task: the declared actions on the declared resources, and nothing else.

use serde_json::{Value, json};
use topology::{BucketAccess, BucketResource, Key, ServiceResources, TableAccess};

use crate::context::Context;
use crate::template::{Template, allow, arn, policy, reference, sub};
use crate::{RenderError, storage};

/// Logical id of the role of the service's code.
pub(crate) const TASK_ROLE: &str = "TaskRole";
/// Logical id of the role with which ECS starts the task.
pub(crate) const EXECUTION_ROLE: &str = "ExecutionRole";

/// Condition: whether the account is in SES's sandbox.
pub(crate) const IN_SANDBOX: &str = "InSandbox";

/// Adds both roles of a service.
pub(crate) fn add(
    template: &mut Template,
    context: &Context<'_>,
    service: &ServiceResources,
) -> Result<(), RenderError> {
    let trust = || {
        let tasks = arn("ecs", "*");
        let from_here = json!({
            "ArnLike": {"aws:SourceArn": tasks},
            "StringEquals": {"aws:SourceAccount": reference("AWS::AccountId")},
        });
        policy(vec![assumed_by("ecs-tasks.amazonaws.com", &from_here)])
    };
    let name = &service.service;
    template.resource(
        TASK_ROLE,
        "AWS::IAM::Role",
        json!({
            "RoleName": context.name(&format!("{name}-task")),
            "Description": format!("What {name} and the collector beside it may do"),
            "AssumeRolePolicyDocument": trust(),
            "Policies": [
                {"PolicyName": "service", "PolicyDocument": policy(service_statements(context, service)?)},
                {"PolicyName": "collector", "PolicyDocument": policy(collector_statements(context))},
            ],
        }),
    );
    template.wildcard_because(json!({"Traces": "X-Ray knows no resources for these actions"}));
    template.resource(
        EXECUTION_ROLE,
        "AWS::IAM::Role",
        json!({
            "RoleName": context.name(&format!("{name}-execution")),
            "Description": format!("ECS starts {name} with it: images, logs, configuration and secrets"),
            "AssumeRolePolicyDocument": trust(),
            "Policies": [{
                "PolicyName": "start",
                "PolicyDocument": policy(execution_statements(context, service)),
            }],
        }),
    );
    template.wildcard_because(json!({"LogInToRegistry": "a token is for the whole registry"}));
    Ok(())
}

/// Returns the service's own statements, which the end-to-end test compares with the calls made.
fn service_statements(context: &Context<'_>, service: &ServiceResources) -> Result<Vec<Value>, RenderError> {
    let mut statements = Vec::new();
    let mut through = Vec::new();
    let mut key = vec!["kms:Decrypt"];
    if let Some(name) = &service.queue {
        let queue = context.queue(name)?;
        statements.push(allow(
            "Receive",
            &["sqs:ChangeMessageVisibility", "sqs:DeleteMessage", "sqs:ReceiveMessage"],
            Context::queue_arn(name),
        ));
        if let Some(dead_letter) = &queue.dead_letter {
            let arn = Context::queue_arn(&dead_letter.queue);
            statements.push(allow("MoveToDeadLetters", &["sqs:SendMessage"], arn));
            key.push("kms:GenerateDataKey");
        }
        through.push("sqs");
    }
    for table in context.tables(service) {
        let id = context.id(&table.name, "Table");
        let (of_indexes, of_table): (Vec<_>, Vec<_>) =
            table.access.iter().copied().partition(|access| *access == TableAccess::QueryIndex);
        let actions =
            |access: Vec<TableAccess>| access.into_iter().map(TableAccess::action).collect::<Vec<_>>();
        if !of_table.is_empty() {
            statements.push(allow(&id, &actions(of_table), Context::table_arn(&table.name)));
        }
        if !of_indexes.is_empty() {
            let indexes = table.indexes.iter().map(|index| Context::index_arn(&table.name, &index.name));
            let indexes: Vec<_> = indexes.collect();
            statements.push(allow(&format!("{id}Indexes"), &actions(of_indexes), json!(indexes)));
        }
    }
    if !service.tables.is_empty() {
        through.push("dynamodb");
    }
    for bucket in context.buckets(service) {
        statements.extend(bucket_statements(context, bucket));
        for (access, needed) in
            [(BucketAccess::Put, "kms:GenerateDataKey"), (BucketAccess::Get, "kms:Decrypt")]
        {
            if bucket.access.contains(&access) && !key.contains(&needed) {
                key.push(needed);
            }
        }
    }
    if !service.buckets.is_empty() {
        through.push("s3");
    }
    for key in context.keys(service) {
        let id = context.id(&key.name, "Key");
        let mut use_own = allow(&id, &["kms:Decrypt", "kms:GenerateDataKey"], storage::key_arn(context, key));
        let entry = format!("kms:EncryptionContext:{}", Key::SERVICE);
        use_own["Condition"] = json!({"StringEquals": {entry: service.service}});
        statements.push(use_own);
    }
    if service.publishes_to_bus {
        statements.push(allow("Publish", &["events:PutEvents"], context.bus_arn()));
    }
    for topic in &service.topics {
        statements.push(allow(&context.id(topic, "Topic"), &["sns:Publish"], Context::topic_arn(topic)));
        through.push("sns");
        if !key.contains(&"kms:GenerateDataKey") {
            key.push("kms:GenerateDataKey");
        }
    }
    if service.sends_email {
        // A mail that names a configuration set is authorized for the set too
        // (https://docs.aws.amazon.com/service-authorization/latest/reference/list_amazonses.html).
        let set = service.configuration_set.iter().map(|set| arn("ses", &format!("configuration-set/{set}")));
        let identity = std::iter::once(arn("ses", "identity/${EmailIdentity}"));
        let resources: Vec<_> = identity.chain(set).chain([sandbox_recipient()]).collect();
        let mut send = allow("SendEmail", &["ses:SendEmail"], json!(resources));
        send["Condition"] = json!({"StringEquals": {"ses:FromAddress": reference("EmailSender")}});
        statements.push(send);
    }
    if service.protected_from_scale_in {
        // The agent requests it on behalf of the task.
        statements.push(allow(
            "ProtectFromScaleIn",
            &["ecs:UpdateTaskProtection"],
            arn("ecs", &format!("task/{}/*", context.prefix())),
        ));
    }
    if !through.is_empty() {
        statements.push(use_key(context, &key, &through));
    }
    Ok(statements)
}

/// Returns the statements for a bucket and for its objects, whose ARNs differ.
fn bucket_statements(context: &Context<'_>, bucket: &BucketResource) -> Vec<Value> {
    let (id, arn) = (context.id(&bucket.name, "Bucket"), Context::bucket_arn(bucket));
    let (on_objects, on_bucket): (Vec<_>, Vec<_>) =
        bucket.access.iter().copied().partition(|access| access.is_on_objects());
    let actions =
        |access: Vec<BucketAccess>| access.into_iter().map(BucketAccess::action).collect::<Vec<_>>();
    let objects = allow(&format!("{id}Objects"), &actions(on_objects), sub(format!("{arn}/*")));
    let itself = allow(&id, &actions(on_bucket), sub(arn));
    let has_actions =
        |statement: &Value| statement["Action"].as_array().is_some_and(|actions| !actions.is_empty());
    [objects, itself].into_iter().filter(has_actions).collect()
}

/// Returns the identity of recipients, on which SES authorizes as well while the account is in the sandbox
/// (<https://docs.aws.amazon.com/ses/latest/dg/control-user-access.html>).
fn sandbox_recipient() -> Value {
    let identity = arn("ses", "identity/${SandboxRecipient}");
    json!({"Fn::If": [IN_SANDBOX, identity, reference("AWS::NoValue")]})
}

/// Returns the collector's statements for traces, sampling rules and metrics.
fn collector_statements(context: &Context<'_>) -> Vec<Value> {
    let metrics = format!("log-group:{}", context.log_group("metrics"));
    vec![
        allow(
            "Traces",
            &["xray:GetSamplingRules", "xray:GetSamplingTargets", "xray:PutTraceSegments"],
            json!("*"),
        ),
        allow(
            "Metrics",
            &["logs:CreateLogStream", "logs:PutLogEvents"],
            arn("logs", &format!("{metrics}:log-stream:*")),
        ),
    ]
}

fn execution_statements(context: &Context<'_>, service: &ServiceResources) -> Vec<Value> {
    let name = &service.service;
    let stream = |group: &str| arn("logs", &format!("log-group:{}:log-stream:*", context.log_group(group)));
    let mut statements = vec![
        allow("LogInToRegistry", &["ecr:GetAuthorizationToken"], json!("*")),
        allow(
            "PullImages",
            &["ecr:BatchCheckLayerAvailability", "ecr:BatchGetImage", "ecr:GetDownloadUrlForLayer"],
            json!([context.repository_arn(name), context.repository_arn("collector")]),
        ),
        allow(
            "WriteLogs",
            &["logs:CreateLogStream", "logs:PutLogEvents"],
            json!([stream(&format!("services/{name}")), stream("collector")]),
        ),
        allow(
            "ReadCollectorConfiguration",
            &["ssm:GetParameters"],
            arn("ssm", &format!("parameter{}", context.path("collector/config"))),
        ),
    ];
    if !service.secrets.is_empty() {
        let arn = |variable: &String| context.left_by_other_stack(&Context::secret(name, variable));
        let secrets: Vec<_> = service.secrets.iter().map(arn).collect();
        statements.push(allow("ReadSecrets", &["secretsmanager:GetSecretValue"], json!(secrets)));
        statements.push(use_key(context, &["kms:Decrypt"], &["secretsmanager"]));
    }
    statements
}

/// Returns the statement for the environment's key, usable only through these services.
pub(crate) fn use_key(context: &Context<'_>, actions: &[&str], through: &[&str]) -> Value {
    let services: Vec<_> =
        through.iter().map(|service| sub(format!("{service}.${{AWS::Region}}.amazonaws.com"))).collect();
    let mut statement = allow("UseKey", actions, context.left_by_other_stack("key-arn"));
    statement["Condition"] = json!({"StringEquals": {"kms:ViaService": services}});
    statement
}

/// Returns a trust statement that prevents the service from using the role on behalf of another account (the confused
/// deputy).
pub(crate) fn assumed_by(service: &str, condition: &Value) -> Value {
    json!({
        "Effect": "Allow",
        "Principal": {"Service": service},
        "Action": "sts:AssumeRole",
        "Condition": condition,
    })
}
