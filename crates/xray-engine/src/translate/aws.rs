//! The `aws` block and the origin: where the service runs and which AWS operation it called.

use opentelemetry_semantic_conventions::attribute;
use serde_json::json;
use xray::{Aws, Ec2, Ecs, LogGroup, XRaySdk};

use super::{Attributes, keys};

const PROVIDER: &str = "aws";
const EC2: &str = "aws_ec2";
const ECS: &str = "aws_ecs";
const EKS: &str = "aws_eks";
const BEANSTALK: &str = "aws_elastic_beanstalk";
const APP_RUNNER: &str = "aws_app_runner";

/// Returns the AWS resource type that the service runs on.
pub(super) fn origin(resource: &Attributes<'_>) -> Option<&'static str> {
    if runs_elsewhere(resource) {
        return None;
    }
    match resource.text(attribute::CLOUD_PLATFORM)? {
        APP_RUNNER => Some("AWS::AppRunner::Service"),
        EKS => Some("AWS::EKS::Container"),
        BEANSTALK => Some("AWS::ElasticBeanstalk::Environment"),
        ECS => Some(match resource.text(attribute::AWS_ECS_LAUNCHTYPE) {
            Some("ec2") => "AWS::ECS::EC2",
            Some("fargate") => "AWS::ECS::Fargate",
            _ => "AWS::ECS::Container",
        }),
        EC2 => Some("AWS::EC2::Instance"),
        _ => None,
    }
}

fn runs_elsewhere(resource: &Attributes<'_>) -> bool {
    resource.filled(attribute::CLOUD_PROVIDER).is_some_and(|provider| provider != PROVIDER)
}

/// Builds the block and removes its attributes. They are removed even if there is no block.
pub(super) fn take(attributes: &mut Attributes<'_>, resource: &Attributes<'_>) -> Option<Aws> {
    let block = (!runs_elsewhere(resource)).then(|| block(attributes, resource));
    let taken = [keys::AWS_OPERATION, keys::AWS_ACCOUNT, keys::AWS_REGION, keys::AWS_REQUEST_ID_OLD];
    let taken = taken.into_iter().chain([attribute::RPC_METHOD, attribute::AWS_REQUEST_ID]);
    for key in taken.chain(keys::AWS_QUEUE_URL).chain(keys::AWS_TABLE_NAME) {
        attributes.remove(key);
    }
    block
}

fn block(all: &Attributes<'_>, resource: &Attributes<'_>) -> Aws {
    let tables = all.texts(attribute::AWS_DYNAMODB_TABLE_NAMES);
    let (table_name, table_names) = match tables.len() {
        0 => (keys::AWS_TABLE_NAME.iter().find_map(|key| all.filled(key)), Vec::new()),
        1 => (tables.into_iter().next(), Vec::new()),
        _ => (None, tables),
    };
    let mut aws = Aws {
        account_id: all.filled(keys::AWS_ACCOUNT).or_else(|| resource.filled(attribute::CLOUD_ACCOUNT_ID)),
        operation: all.filled(keys::AWS_OPERATION).or_else(|| all.filled(attribute::RPC_METHOD)),
        region: all.filled(keys::AWS_REGION),
        request_id: all.filled(attribute::AWS_REQUEST_ID).or_else(|| all.filled(keys::AWS_REQUEST_ID_OLD)),
        queue_url: all
            .filled(keys::MESSAGING_URL)
            .or_else(|| keys::AWS_QUEUE_URL.iter().find_map(|key| all.filled(key))),
        table_name,
        table_names,
        xray: Some(sdk(resource)),
        cloudwatch_logs: log_groups(resource),
        ..Aws::default()
    };
    add_compute(&mut aws, resource);
    aws
}

/// Clears the fields that describe the call rather than the service.
pub(super) fn forget_call(aws: &mut Aws) {
    aws.operation = None;
    aws.account_id = None;
    aws.region = None;
    aws.request_id = None;
    aws.queue_url = None;
    aws.table_name = None;
    aws.table_names.clear();
}

fn add_compute(aws: &mut Aws, resource: &Attributes<'_>) {
    let platform = resource.text(attribute::CLOUD_PLATFORM);
    let instance_id = resource.filled(attribute::HOST_ID);
    if platform == Some(EC2) || instance_id.is_some() {
        aws.ec2 = Some(Ec2 {
            instance_id,
            availability_zone: resource.filled(attribute::CLOUD_AVAILABILITY_ZONE),
            instance_size: resource.filled(attribute::HOST_TYPE),
            ami_id: resource.filled(attribute::HOST_IMAGE_ID),
        });
    }
    if platform == Some(ECS) {
        aws.ecs = Some(Ecs {
            container: resource.filled(attribute::CONTAINER_NAME),
            container_id: resource.filled(attribute::CONTAINER_ID),
            container_arn: resource.filled(attribute::AWS_ECS_CONTAINER_ARN),
            cluster_arn: resource.filled(attribute::AWS_ECS_CLUSTER_ARN),
            task_arn: resource.filled(attribute::AWS_ECS_TASK_ARN),
            task_family: resource.filled(attribute::AWS_ECS_TASK_FAMILY),
            launch_type: resource.filled(attribute::AWS_ECS_LAUNCHTYPE),
            availability_zone: resource.filled(attribute::CLOUD_AVAILABILITY_ZONE),
        });
    }
    let cluster = resource.filled(attribute::K8S_CLUSTER_NAME);
    if platform == Some(EKS) || cluster.is_some() {
        let eks = json!({
            "cluster_name": cluster,
            "pod": resource.filled(attribute::K8S_POD_NAME),
            "container_id": resource.filled(attribute::CONTAINER_ID),
        });
        aws.other.insert("eks".to_owned(), eks);
    }
    if platform == Some(BEANSTALK)
        && let Some(deployment) = resource.filled(attribute::SERVICE_INSTANCE_ID)
    {
        let beanstalk = json!({
            "environment_name": resource.filled(attribute::SERVICE_NAMESPACE),
            "version_label": resource.filled(attribute::SERVICE_VERSION),
            "deployment_id": deployment.parse::<i64>().unwrap_or(0),
        });
        aws.other.insert("elastic_beanstalk".to_owned(), beanstalk);
    }
}

fn sdk(resource: &Attributes<'_>) -> XRaySdk {
    let name = resource.filled(attribute::TELEMETRY_SDK_NAME);
    let language = resource.filled(attribute::TELEMETRY_SDK_LANGUAGE);
    XRaySdk {
        sdk: match (name, language) {
            (Some(name), Some(language)) => Some(format!("{name} for {language}")),
            (name, _) => name,
        },
        sdk_version: resource.filled(attribute::TELEMETRY_SDK_VERSION),
        auto_instrumentation: Some(resource.filled(keys::AUTO_INSTRUMENTATION).is_some()),
        ..XRaySdk::default()
    }
}

/// Returns the service's log groups, by ARN or else by name. One string may hold several, separated by `&`.
fn log_groups(resource: &Attributes<'_>) -> Vec<LogGroup> {
    let several = |key| {
        let texts = resource.texts(key);
        texts
            .iter()
            .flat_map(|text| text.split('&'))
            .filter(|part| !part.is_empty())
            .map(str::to_owned)
            .collect()
    };
    let arns: Vec<String> = several(attribute::AWS_LOG_GROUP_ARNS);
    if arns.is_empty() {
        let names: Vec<String> = several(attribute::AWS_LOG_GROUP_NAMES);
        return names.into_iter().map(|name| LogGroup { log_group: Some(name), arn: None }).collect();
    }
    arns.into_iter()
        .map(|arn| LogGroup {
            log_group: Some(arn.split(':').nth(6).unwrap_or(&arn).to_owned()),
            arn: Some(arn),
        })
        .collect()
}
