//! Rules for how stacks are created, in which order, and what is left when that fails.

use std::collections::BTreeSet;

use serde_json::Value;

use crate::{Deployment, Rule};

pub(crate) const RULES: [Rule; 5] = [
    Rule {
        name: "no value is null: CloudFormation refuses such a template",
        source: "https://aws.amazon.com/premiumsupport/knowledge-center/cloudformation-template-validation/",
        broken: |deployment| {
            let templates = deployment.templates.iter();
            templates.filter(|(_, (_, template))| has_null(template)).map(|(file, _)| file.clone()).collect()
        },
        example: || "Resources: {T: {Type: AWS::DynamoDB::Table, Properties: {KeySchema: null}}}".to_owned(),
    },
    Rule {
        name: "what outlives a stack does not outlive its failed creation, whose next try would find the name taken",
        source: "https://docs.aws.amazon.com/AWSCloudFormation/latest/UserGuide/aws-attribute-deletionpolicy.html",
        broken: |deployment| {
            let kept =
                deployment.resources().filter(|(_, _, resource)| resource["DeletionPolicy"] == "Retain");
            kept.map(|(file, id, _)| format!("{file} {id}")).collect()
        },
        example: || {
            "Resources: {Q: {Type: AWS::SQS::Queue, DeletionPolicy: Retain, Properties: {}}}".to_owned()
        },
    },
    Rule {
        name: "nothing is protected from deletion while its stack is created, which would block the rollback",
        source: "https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/WorkingWithTables.Basics.html#WorkingWithTables.Basics.DeletionProtection",
        broken: protected_at_creation,
        example: || {
            "Resources: {T: {Type: AWS::DynamoDB::Table, Properties: {DeletionProtectionEnabled: true}}}"
                .to_owned()
        },
    },
    Rule {
        name: "a stack reads only what a stack before it has left",
        source: "https://docs.aws.amazon.com/AWSCloudFormation/latest/UserGuide/dynamic-references-ssm.html",
        broken: read_too_early,
        example: || {
            "Resources: {R: {Type: AWS::ECS::Cluster, Properties: {ClusterName: '{{resolve:ssm:/nowhere}}'}}}"
                .to_owned()
        },
    },
    Rule {
        name: "a rule or a subscription that delivers to a queue waits for the policy that lets it",
        source: "https://docs.aws.amazon.com/eventbridge/latest/userguide/eb-use-resource-based.html#eb-sqs-permissions",
        broken: without_permission,
        example: || {
            "Resources: {S: {Type: AWS::SNS::Subscription, Properties: {Protocol: sqs, TopicArn: t, Endpoint: q}}}".to_owned()
        },
    },
];

fn protected_at_creation(deployment: &Deployment) -> Vec<String> {
    let default_of = |file: &str, value: &Value| match value["Ref"].as_str() {
        Some(parameter) => deployment.templates[file].1["Parameters"][parameter]["Default"].clone(),
        None => value.clone(),
    };
    let on = |value: &Value| *value == true || value == "true";
    let tables = deployment
        .of_type("AWS::DynamoDB::Table")
        .filter(|(file, _, table)| on(&default_of(file, &table["DeletionProtectionEnabled"])));
    let balancers =
        deployment.of_type("AWS::ElasticLoadBalancingV2::LoadBalancer").filter(|(file, _, balancer)| {
            let attributes = balancer["LoadBalancerAttributes"].as_array().into_iter().flatten();
            attributes
                .filter(|attribute| attribute["Key"] == "deletion_protection.enabled")
                .any(|attribute| on(&default_of(file, &attribute["Value"])))
        });
    tables.chain(balancers).map(|(file, id, _)| format!("{file} {id}")).collect()
}

/// The stacks are created in this order, and those of one place in any.
fn place(file: &str) -> usize {
    match file {
        "foundation.yaml" => 0,
        "observability.yaml" => 2,
        file if file.starts_with("data/") => 1,
        _ => 3,
    }
}

fn read_too_early(deployment: &Deployment) -> Vec<String> {
    let mut files: Vec<_> = deployment.templates.iter().collect();
    files.sort_by_key(|(file, _)| place(file));
    let mut left = BTreeSet::new();
    let mut early = Vec::new();
    for at in files.chunk_by(|(one, _), (other, _)| place(one) == place(other)) {
        for (file, (_, document)) in at {
            let text = document["Resources"].to_string();
            let read =
                text.split("{{resolve:ssm:").skip(1).map(|rest| rest.split("}}").next().unwrap().to_owned());
            let missing: BTreeSet<_> = read.filter(|name| !left.contains(name)).collect();
            early.extend(missing.into_iter().map(|name| format!("{file}: {name}")));
        }
        for (file, (_, document)) in at {
            let resources = document["Resources"].as_object().into_iter().flatten();
            let parameters = resources.filter(|(_, resource)| resource["Type"] == "AWS::SSM::Parameter");
            for (id, parameter) in parameters {
                let name = &parameter["Properties"]["Name"];
                let name = name["Fn::Sub"].as_str().unwrap_or_else(|| panic!("{file} {id}: {name}"));
                left.insert(name.to_owned());
            }
        }
    }
    early
}

fn without_permission(deployment: &Deployment) -> Vec<String> {
    let delivering = deployment.resources().filter(|(_, _, resource)| {
        resource["Type"] == "AWS::Events::Rule"
            || resource["Type"] == "AWS::SNS::Subscription" && resource["Properties"]["Protocol"] == "sqs"
    });
    let hasty = delivering.filter(|(file, _, resource)| {
        let resources = &deployment.templates[*file].1["Resources"];
        let mut awaited = resource["DependsOn"].as_array().into_iter().flatten();
        !awaited.any(|id| resources[id.as_str().unwrap()]["Type"] == "AWS::SQS::QueuePolicy")
    });
    hasty.map(|(file, id, _)| format!("{file} {id}")).collect()
}

fn has_null(value: &Value) -> bool {
    match value {
        Value::Null => true,
        Value::Array(values) => values.iter().any(has_null),
        Value::Object(members) => members.values().any(has_null),
        Value::Bool(_) | Value::Number(_) | Value::String(_) => false,
    }
}
