//! Tables, and the Pipes from their streams to the bus.

use serde_json::{Value, json};
use topology::{IndexResource, Pipe, ServiceResources, TableResource};

use crate::RenderError;
use crate::context::Context;
use crate::roles;
use crate::template::{Template, allow, attribute, policy, reference, sorted, sub};

/// Adds a service's tables and Pipes.
pub(crate) fn add(
    template: &mut Template,
    context: &Context<'_>,
    service: &ServiceResources,
) -> Result<(), RenderError> {
    for table in context.tables(service) {
        if table.access.is_empty() {
            let (service, resource) = (service.service.clone(), table.name.clone());
            return Err(RenderError::NoAccess { service, resource });
        }
        add_table(template, context, table);
    }
    for pipe in context.pipes(service) {
        add_pipe(template, context, pipe);
    }
    Ok(())
}

fn add_table(template: &mut Template, context: &Context<'_>, table: &TableResource) {
    let types: Vec<_> = table
        .key_attributes()
        .into_iter()
        .map(|attribute| json!({"AttributeName": attribute, "AttributeType": "S"}))
        .collect();
    let mut properties = json!({
        "TableName": sub(table.name.as_str()),
        "BillingMode": "PAY_PER_REQUEST",
        "AttributeDefinitions": types,
        "KeySchema": [{"AttributeName": table.partition_key, "KeyType": "HASH"}],
        "DeletionProtectionEnabled": reference("DeletionProtection"),
        "PointInTimeRecoverySpecification": {"PointInTimeRecoveryEnabled": true},
        "SSESpecification": {
            "SSEEnabled": true,
            "SSEType": "KMS",
            "KMSMasterKeyId": context.left_by_other_stack("key-arn"),
        },
    });
    if table.stream {
        properties["StreamSpecification"] = json!({"StreamViewType": TableResource::STREAM_VIEW_TYPE});
    }
    if let Some(expires_at) = &table.expires_at {
        properties["TimeToLiveSpecification"] = json!({"AttributeName": expires_at, "Enabled": true});
    }
    if !table.indexes.is_empty() {
        properties["GlobalSecondaryIndexes"] = table.indexes.iter().map(index).collect();
    }
    template.keep(context.id(&table.name, "Table"), "AWS::DynamoDB::Table", properties);
}

/// Returns an index. `CloudFormation` creates or deletes one of a table that exists in each update
/// (<https://docs.aws.amazon.com/AWSCloudFormation/latest/TemplateReference/aws-resource-dynamodb-table.html>).
fn index(index: &IndexResource) -> Value {
    let mut key = vec![json!({"AttributeName": index.partition_key, "KeyType": "HASH"})];
    key.extend(index.sort_key.iter().map(|sort| json!({"AttributeName": sort, "KeyType": "RANGE"})));
    let projection = match index.attributes.as_slice() {
        [] => json!({"ProjectionType": "KEYS_ONLY"}),
        attributes => json!({"ProjectionType": "INCLUDE", "NonKeyAttributes": attributes}),
    };
    json!({"IndexName": index.name, "KeySchema": key, "Projection": projection})
}

fn add_pipe(template: &mut Template, context: &Context<'_>, pipe: &Pipe) {
    let (id, role) = (context.id(&pipe.name, "Pipe"), context.id(&pipe.name, "PipeRole"));
    let stream = attribute(&context.id(&pipe.table, "Table"), "StreamArn");
    let dead_letters = attribute(&context.id(&pipe.dead_letter_queue, "Queue"), "Arn");
    add_pipe_role(template, context, pipe, &role, &stream, &dead_letters);
    // A reference, so that it is left once the Pipe takes them.
    context.leave_for_other_stacks(template, &context.pipe_parameter(&pipe.name), reference(&id));
    template.resource(
        id,
        "AWS::Pipes::Pipe",
        json!({
            "Name": sub(pipe.name.as_str()),
            "Description": Pipe::DESCRIPTION,
            "RoleArn": attribute(&role, "Arn"),
            "Source": stream,
            "SourceParameters": {
                "DynamoDBStreamParameters": {
                    "StartingPosition": Pipe::STARTING_POSITION,
                    "BatchSize": pipe.batch_size,
                    "MaximumRetryAttempts": pipe.maximum_retry_attempts,
                    "ParallelizationFactor": pipe.parallelization_factor,
                    "OnPartialBatchItemFailure": Pipe::ON_PARTIAL_BATCH_ITEM_FAILURE,
                    "DeadLetterConfig": {"Arn": dead_letters},
                },
                "FilterCriteria": {"Filters": [{"Pattern": sorted(&pipe.filter_pattern).to_string()}]},
            },
            "Target": context.bus_arn(),
            "TargetParameters": {
                "EventBridgeEventBusParameters": {
                    "Source": pipe.target.source,
                    "DetailType": pipe.target.detail_type,
                },
                "InputTemplate": pipe.target.input_template,
            },
            // Errors alone, and without execution data: those are events, with names and addresses.
            "LogConfiguration": {
                "CloudwatchLogsLogDestination": {"LogGroupArn": attribute(&log_group_id(context, pipe), "Arn")},
                "Level": "ERROR",
            },
        }),
    );
}

/// Returns the logical id of a Pipe's log group.
pub(crate) fn log_group_id(context: &Context<'_>, pipe: &Pipe) -> String {
    context.id(&pipe.name, "PipeLogGroup")
}

fn add_pipe_role(
    template: &mut Template,
    context: &Context<'_>,
    pipe: &Pipe,
    role: &str,
    stream: &Value,
    dead_letters: &Value,
) {
    let statements = vec![
        allow(
            "ReadStream",
            &["dynamodb:DescribeStream", "dynamodb:GetRecords", "dynamodb:GetShardIterator"],
            stream.clone(),
        ),
        allow("FindStream", &["dynamodb:ListStreams"], json!("*")),
        allow("Publish", &["events:PutEvents"], context.bus_arn()),
        allow("GiveUp", &["sqs:SendMessage"], dead_letters.clone()),
        roles::use_key(context, &["kms:Decrypt", "kms:GenerateDataKey"], &["dynamodb", "sqs"]),
    ];
    template.resource(
        role,
        "AWS::IAM::Role",
        json!({
            "RoleName": sub(pipe.name.as_str()),
            "Description": "The Pipe reads the stream and publishes to the bus",
            "AssumeRolePolicyDocument": policy(vec![roles::assumed_by(
                "pipes.amazonaws.com",
                &json!({"ArnEquals": {"aws:SourceArn": crate::template::arn("pipes", &format!("pipe/{}", pipe.name))}}),
            )]),
            "Policies": [{"PolicyName": "pipe", "PolicyDocument": policy(statements)}],
        }),
    );
    template.wildcard_because(json!({"FindStream": "DynamoDB knows no resource for ListStreams"}));
}
