//! Rules for sizes, counts and names.

use serde_json::Value;

use crate::{Deployment, Rule, filled};

pub(crate) const RULES: [Rule; 7] = [
    Rule {
        name: "a template has at most 51,200 bytes, since a larger one needs a bucket",
        source: "https://docs.aws.amazon.com/AWSCloudFormation/latest/UserGuide/cloudformation-limits.html",
        broken: |deployment| {
            let large = deployment.templates.iter().filter(|(_, (text, _))| text.len() > 51_200);
            large.map(|(file, (text, _))| format!("{file}: {} bytes", text.len())).collect()
        },
        example: || format!("Description: {}\nResources: {{}}\n", "x".repeat(51_200)),
    },
    Rule {
        name: "a saved query names at most 50 log groups",
        source: "https://docs.aws.amazon.com/AmazonCloudWatchLogs/latest/APIReference/API_StartQuery.html",
        broken: |deployment| {
            let queries = deployment.of_type("AWS::Logs::QueryDefinition");
            let large = queries
                .filter(|(_, _, query)| query["LogGroupNames"].as_array().is_some_and(|it| it.len() > 50));
            large.map(|(file, id, _)| format!("{file} {id}")).collect()
        },
        example: || {
            let groups = ["g"; 51].join(", ");
            format!(
                "Resources: {{Q: {{Type: AWS::Logs::QueryDefinition, Properties: {{LogGroupNames: [{groups}]}}}}}}"
            )
        },
    },
    Rule {
        name: "the name of a load balancer or a sampling rule has at most 32 characters, a bucket's 63, and a role's 64",
        source: "https://docs.aws.amazon.com/elasticloadbalancing/latest/APIReference/API_CreateLoadBalancer.html",
        broken: long_names,
        example: || {
            let name = "n".repeat(65);
            format!("Resources: {{R: {{Type: AWS::IAM::Role, Properties: {{RoleName: {name}}}}}}}")
        },
    },
    Rule {
        name: "a secret's name does not end in a hyphen and six characters, like the suffix of an ARN",
        source: "https://docs.aws.amazon.com/secretsmanager/latest/apireference/API_CreateSecret.html",
        broken: |deployment| {
            let secrets = deployment.of_type("AWS::SecretsManager::Secret");
            let wrong = secrets
                .filter(|(_, _, secret)| filled(&secret["Name"]).is_some_and(|name| looks_complete(&name)));
            wrong.map(|(file, id, _)| format!("{file} {id}")).collect()
        },
        example: || {
            "Resources: {S: {Type: AWS::SecretsManager::Secret, Properties: {Name: a-secret}}}".to_owned()
        },
    },
    Rule {
        name: "what can only be replaced while the new one exists beside the old one has no name",
        source: "https://docs.aws.amazon.com/AWSCloudFormation/latest/UserGuide/using-cfn-updating-stacks-update-behaviors.html",
        broken: |deployment| {
            let kinds = [
                ("AWS::EC2::SecurityGroup", "GroupName"),
                ("AWS::ElasticLoadBalancingV2::TargetGroup", "Name"),
            ];
            let named = kinds.iter().flat_map(|(kind, field)| {
                deployment.of_type(kind).filter(|(_, _, properties)| !properties[*field].is_null())
            });
            named.map(|(file, id, _)| format!("{file} {id}")).collect()
        },
        example: || {
            "Resources: {G: {Type: AWS::EC2::SecurityGroup, Properties: {GroupName: tasks}}}".to_owned()
        },
    },
    Rule {
        name: "an environment's name can be a part of a repository's: no hyphen at the end or beside another",
        source: "https://docs.aws.amazon.com/AmazonECR/latest/APIReference/API_CreateRepository.html",
        broken: |deployment| {
            let patterns = deployment.templates.iter().filter_map(|(file, (_, document))| {
                let pattern = document["Parameters"]["Environment"]["AllowedPattern"].as_str()?;
                let pattern = regex_lite::Regex::new(&format!("^(?:{pattern})$")).unwrap();
                let taken = ["a-", "a--b", "-a", "A"]
                    .into_iter()
                    .filter(|name| pattern.is_match(name))
                    .collect::<Vec<_>>();
                assert!(pattern.is_match("prod-eu-1"), "{file}");
                (!taken.is_empty()).then(|| format!("{file}: {taken:?}"))
            });
            patterns.collect()
        },
        example: || {
            "Parameters: {Environment: {Type: String, AllowedPattern: '[a-z][a-z0-9-]{0,11}'}}\nResources: {}"
                .to_owned()
        },
    },
    Rule {
        name: "a template has at most 500 resources and 200 parameters",
        source: "https://docs.aws.amazon.com/AWSCloudFormation/latest/UserGuide/cloudformation-limits.html",
        broken: |deployment| {
            let count = |value: &Value| value.as_object().map_or(0, serde_json::Map::len);
            let many = deployment.templates.iter().filter(|(_, (_, document))| {
                count(&document["Resources"]) > 500 || count(&document["Parameters"]) > 200
            });
            many.map(|(file, _)| file.clone()).collect()
        },
        example: || {
            let parameters: Vec<_> = (0..201).map(|number| format!("P{number}: {{Type: String}}")).collect();
            format!("Parameters: {{{}}}\nResources: {{}}", parameters.join(", "))
        },
    },
];

fn long_names(deployment: &Deployment) -> Vec<String> {
    let limits: [(&str, &str, usize); 5] = [
        ("AWS::S3::Bucket", "/BucketName", 63),
        ("AWS::ElasticLoadBalancingV2::LoadBalancer", "/Name", 32),
        ("AWS::XRay::SamplingRule", "/SamplingRule/RuleName", 32),
        ("AWS::IAM::Role", "/RoleName", 64),
        ("AWS::Pipes::Pipe", "/Name", 64),
    ];
    let long = limits.iter().flat_map(|(kind, name, limit)| {
        deployment.of_type(kind).filter_map(move |(file, id, properties)| {
            let name = filled(properties.pointer(name)?)?;
            (name.chars().count() > *limit).then(|| format!("{file} {id}: {name}"))
        })
    });
    long.collect()
}

fn looks_complete(name: &str) -> bool {
    let (start, end) = name.split_at(name.len().saturating_sub(6));
    start.ends_with('-') && end.chars().count() == 6
}
