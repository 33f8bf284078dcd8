//! Rules for how services run, and how changes reach them.

use serde_json::{Value, json};
use sha2::{Digest as _, Sha256};

use crate::{Deployment, Rule, parsed};

pub(crate) const RULES: [Rule; 6] = [
    Rule {
        name: "a service has a launch type or a capacity provider strategy, of providers that the cluster has, and what is \
               behind a load balancer never runs on Spot",
        source: "https://docs.aws.amazon.com/AmazonECS/latest/APIReference/API_CreateService.html",
        broken: wrong_capacity,
        example: || {
            "Resources: {S: {Type: AWS::ECS::Service, Properties: {LaunchType: FARGATE, CapacityProviderStrategy: \
             [{CapacityProvider: FARGATE, Weight: 1}]}}}"
                .to_owned()
        },
    },
    Rule {
        name: "a service scales by its CPU as well: by a backlog alone, which is empty under a steady load that the tasks cope \
               with, it would lose tasks and win them back again and again",
        source: "https://docs.aws.amazon.com/autoscaling/application/userguide/application-auto-scaling-target-tracking.html",
        broken: without_cpu,
        example: || {
            "Resources: {T: {Type: AWS::ApplicationAutoScaling::ScalableTarget, Properties: {}}}".to_owned()
        },
    },
    Rule {
        name: "a text in Systems Manager that tasks read when they start has its digest in their definition: a new text makes \
               a new revision",
        source: "https://docs.aws.amazon.com/AmazonECS/latest/developerguide/secrets-envvar-ssm-paramstore.html",
        broken: without_digest,
        example: || {
            r"
Resources:
  Text:
    Type: AWS::SSM::Parameter
    Properties: {Name: {Fn::Sub: '/loyalty/${Environment}/text'}, Value: one}
  Task:
    Type: AWS::ECS::TaskDefinition
    Properties:
      ContainerDefinitions:
        - Secrets: [{Name: TEXT, ValueFrom: {Fn::Sub: 'arn:aws:ssm:r:1:parameter/loyalty/${Environment}/text'}}]
"
            .to_owned()
        },
    },
    Rule {
        name: "what a stack leaves for others stays as long as the environment: a resource's name, or the network's",
        // A changed value behind an unchanged dynamic reference is no change to CloudFormation.
        source: "https://github.com/aws-cloudformation/cloudformation-coverage-roadmap/issues/844",
        broken: passing_values,
        example: || {
            r"
Parameters: {Colour: {Type: String}}
Resources:
  Left:
    Type: AWS::SSM::Parameter
    Properties: {Name: {Fn::Sub: '/loyalty/${Environment}/colour'}, Value: {Ref: Colour}}
"
            .to_owned()
        },
    },
    Rule {
        name: "a sampling rule matches its own environment only, as all environments of an account have the same services",
        source: "https://docs.aws.amazon.com/xray/latest/api/API_SamplingRule.html",
        broken: |deployment| {
            let rules = deployment.of_type("AWS::XRay::SamplingRule");
            let shared =
                rules.filter(|(_, _, rule)| in_environment(rule, "one") == in_environment(rule, "two"));
            shared.map(|(file, id, _)| format!("{file} {id}")).collect()
        },
        example: || {
            "Resources: {R: {Type: AWS::XRay::SamplingRule, Properties: {SamplingRule: {RuleName: {Fn::Sub: \
             'a-${Environment}'}, ServiceName: intake, ResourceARN: '*'}}}}"
                .to_owned()
        },
    },
    Rule {
        name: "a lifecycle policy that keeps a number of builds counts what has a tag: a build may push several manifests",
        source: "https://github.com/aws/containers-roadmap/issues/2613",
        broken: |deployment| {
            let repositories = deployment.of_type("AWS::ECR::Repository");
            let counting = repositories.filter(|(_, _, repository)| {
                let policy = parsed(repository["LifecyclePolicy"]["LifecyclePolicyText"].as_str().unwrap());
                let mut rules = policy["rules"].as_array().unwrap().iter().map(|rule| &rule["selection"]);
                rules.any(|rule| rule["countType"] == "imageCountMoreThan" && rule["tagStatus"] != "tagged")
            });
            counting.map(|(file, id, _)| format!("{file} {id}")).collect()
        },
        example: || {
            "Resources: {R: {Type: AWS::ECR::Repository, Properties: {LifecyclePolicy: {LifecyclePolicyText: '{\"rules\": \
             [{\"selection\": {\"tagStatus\": \"any\", \"countType\": \"imageCountMoreThan\", \"countNumber\": 50}}]}'}}}}"
                .to_owned()
        },
    },
];

fn wrong_capacity(deployment: &Deployment) -> Vec<String> {
    let clusters = deployment.of_type("AWS::ECS::Cluster");
    let known: Vec<_> =
        clusters.filter_map(|(_, _, cluster)| cluster["CapacityProviders"].as_array()).flatten().collect();
    let services = deployment.of_type("AWS::ECS::Service").filter(|(_, _, service)| {
        let strategy = service["CapacityProviderStrategy"].as_array();
        let providers: Vec<_> = strategy.into_iter().flatten().map(|one| &one["CapacityProvider"]).collect();
        let one_of_both = strategy.is_some() != service.get("LaunchType").is_some();
        let behind_load_balancer = service.get("LoadBalancers").is_some();
        !one_of_both
            || !providers.iter().all(|provider| known.contains(provider))
            || (behind_load_balancer && providers.iter().any(|provider| **provider == "FARGATE_SPOT"))
    });
    services.map(|(file, id, _)| format!("{file} {id}")).collect()
}

fn without_cpu(deployment: &Deployment) -> Vec<String> {
    const CPU: &str =
        "/TargetTrackingScalingPolicyConfiguration/PredefinedMetricSpecification/PredefinedMetricType";
    let targets = deployment.of_type("AWS::ApplicationAutoScaling::ScalableTarget");
    let services = targets.filter(|(_, _, target)| target["ServiceNamespace"] != "dynamodb");
    let lacking = services.filter(|(file, id, _)| {
        let policies = deployment.of_type("AWS::ApplicationAutoScaling::ScalingPolicy");
        let mut of_target = policies.filter(|(other, _, policy)| {
            other == file && policy["ScalingTargetId"]["Ref"].as_str() == Some(id)
        });
        !of_target
            .any(|(_, _, policy)| policy.pointer(CPU) == Some(&json!("ECSServiceAverageCPUUtilization")))
    });
    lacking.map(|(file, id, _)| format!("{file} {id}")).collect()
}

fn without_digest(deployment: &Deployment) -> Vec<String> {
    let parameters = deployment.of_type("AWS::SSM::Parameter");
    let texts: Vec<_> = parameters
        .filter_map(|(_, _, parameter)| {
            Some((parameter["Name"]["Fn::Sub"].as_str()?, parameter["Value"].as_str()?))
        })
        .collect();
    let mut stale = Vec::new();
    for (file, id, task) in deployment.of_type("AWS::ECS::TaskDefinition") {
        let definition = task.to_string();
        for (name, text) in &texts {
            let digest = Sha256::digest(text);
            let digest = format!("{:016x}", u64::from_be_bytes(*digest.first_chunk().unwrap()));
            if definition.contains(&format!("parameter{name}\"")) && !definition.contains(&digest) {
                stale.push(format!("{file} {id}: {name}"));
            }
        }
    }
    stale
}

fn passing_values(deployment: &Deployment) -> Vec<String> {
    let parameters = deployment.of_type("AWS::SSM::Parameter").filter(|(file, _, parameter)| {
        let name = parameter["Name"]["Fn::Sub"].as_str().unwrap_or_default();
        let declared = deployment.templates[*file].1["Parameters"].as_object().into_iter().flatten();
        let value = parameter["Value"].to_string();
        let mut read = declared.filter(|(id, _)| value.contains(&json!({"Ref": id}).to_string()));
        // An environment in another network is another environment (docs/deploying.md).
        !name.contains("/network/") && read.next().is_some()
    });
    parameters.map(|(file, id, _)| format!("{file} {id}")).collect()
}

/// Returns what a sampling rule matches in an environment.
fn in_environment(properties: &Value, environment: &str) -> String {
    let mut rule = properties["SamplingRule"].clone();
    rule["RuleName"] = Value::Null;
    rule.to_string()
        .replace("${Environment}", environment)
        .replace(r#"{"Ref":"Environment"}"#, &format!("{environment:?}"))
}
