//! Rules for buckets of S3 and keys of KMS.

use serde_json::Value;

use crate::Rule;

pub(crate) const RULES: [Rule; 4] = [
    Rule {
        name: "a bucket blocks all public access, and refuses access control lists",
        source: "https://docs.aws.amazon.com/AmazonS3/latest/userguide/access-control-block-public-access.html",
        broken: |deployment| {
            let open = deployment.of_type("AWS::S3::Bucket").filter(|(_, _, bucket)| !is_private(bucket));
            open.map(|(file, id, _)| format!("{file} {id}")).collect()
        },
        example: || "Resources: {B: {Type: AWS::S3::Bucket, Properties: {}}}".to_owned(),
    },
    Rule {
        name: "a bucket refuses connections without TLS",
        source: "https://docs.aws.amazon.com/AmazonS3/latest/userguide/security-best-practices.html",
        broken: |deployment| {
            let open = deployment.of_type("AWS::S3::Bucket").filter(|(file, id, _)| {
                !deployment.of_type("AWS::S3::BucketPolicy").any(|(other, _, policy)| {
                    other == *file && policy["Bucket"]["Ref"] == *id && demands_tls(policy)
                })
            });
            open.map(|(file, id, _)| format!("{file} {id}")).collect()
        },
        example: || {
            "Resources: {B: {Type: AWS::S3::Bucket, Properties: {}}, P: {Type: AWS::S3::BucketPolicy, Properties: {Bucket: \
             {Ref: B}, PolicyDocument: {Statement: []}}}}"
                .to_owned()
        },
    },
    Rule {
        name: "a lifecycle moves objects to infrequent access after 30 days at the earliest, and deletes them only later; a \
               bucket that keeps versions deletes them some time",
        source: "https://docs.aws.amazon.com/AmazonS3/latest/userguide/lifecycle-transition-general-considerations.html",
        broken: |deployment| {
            let wrong = deployment.of_type("AWS::S3::Bucket").filter(|(_, _, bucket)| {
                let rules = bucket["LifecycleConfiguration"]["Rules"].as_array().into_iter().flatten();
                let versioned = bucket["VersioningConfiguration"]["Status"] == "Enabled";
                rules.into_iter().any(|rule| !is_possible(rule, versioned))
            });
            wrong.map(|(file, id, _)| format!("{file} {id}")).collect()
        },
        example: || {
            "Resources: {B: {Type: AWS::S3::Bucket, Properties: {LifecycleConfiguration: {Rules: [{ExpirationInDays: 90, \
             Transitions: [{StorageClass: GLACIER_IR, TransitionInDays: 90}]}]}}}}"
                .to_owned()
        },
    },
    Rule {
        name: "a key is rotated",
        source: "https://docs.aws.amazon.com/kms/latest/developerguide/rotate-keys.html",
        broken: |deployment| {
            let keys =
                deployment.of_type("AWS::KMS::Key").filter(|(_, _, key)| key["EnableKeyRotation"] != true);
            keys.map(|(file, id, _)| format!("{file} {id}")).collect()
        },
        example: || "Resources: {K: {Type: AWS::KMS::Key, Properties: {}}}".to_owned(),
    },
];

fn is_private(bucket: &Value) -> bool {
    let block = &bucket["PublicAccessBlockConfiguration"];
    let all = ["BlockPublicAcls", "BlockPublicPolicy", "IgnorePublicAcls", "RestrictPublicBuckets"];
    all.iter().all(|name| block[*name] == true)
        && bucket["OwnershipControls"]["Rules"][0]["ObjectOwnership"] == "BucketOwnerEnforced"
}

fn demands_tls(policy: &Value) -> bool {
    let statements = policy["PolicyDocument"]["Statement"].as_array().into_iter().flatten();
    statements.into_iter().any(|statement| {
        statement["Effect"] == "Deny"
            && statement["Action"] == "s3:*"
            && statement["Condition"]["Bool"]["aws:SecureTransport"] == "false"
            && statement["Resource"].as_array().is_some_and(|resources| resources.len() == 2)
    })
}

fn is_possible(rule: &Value, versioned: bool) -> bool {
    let expires = rule["ExpirationInDays"].as_u64().unwrap_or(u64::MAX);
    let transitions = rule["Transitions"].as_array().into_iter().flatten();
    let in_order = transitions.into_iter().all(|transition| {
        let days = transition["TransitionInDays"].as_u64().unwrap_or_default();
        let early = transition["StorageClass"] == "STANDARD_IA" && days < 30;
        !early && days < expires
    });
    in_order && (!versioned || rule["NoncurrentVersionExpiration"]["NoncurrentDays"].is_u64())
}
