//! Buckets of S3 and keys of KMS in the stack of a service's data.

use serde_json::{Value, json};
use topology::{BucketResource, KeyResource, Lifecycle, ServiceResources};

use crate::RenderError;
use crate::context::Context;
use crate::template::{LONGEST_ENVIRONMENT, Template, allow, arn, attribute, policy, reference, sub};

/// The longest name of a bucket.
const LONGEST_NAME: usize = 63;
/// What account and region, the longest one, add to a name.
const PLACE_CHARACTERS: usize = "-123456789012-ap-southeast-3".len();
/// The parameters about Object Lock, and the condition that it is on.
const LOCK_MODE: &str = "ObjectLockMode";
const LOCK_DAYS: &str = "ObjectLockDays";
const LOCKED: &str = "ObjectsAreLocked";

/// Adds a service's buckets and keys.
pub(crate) fn add(
    template: &mut Template,
    context: &Context<'_>,
    service: &ServiceResources,
) -> Result<(), RenderError> {
    for key in context.keys(service) {
        add_key(template, context, service, key);
    }
    for bucket in context.buckets(service) {
        if bucket.access.is_empty() {
            let (service, resource) = (service.service.clone(), bucket.name.clone());
            return Err(RenderError::NoAccess { service, resource });
        }
        if bucket.name.len() - crate::ENVIRONMENT.len() + LONGEST_ENVIRONMENT + PLACE_CHARACTERS
            > LONGEST_NAME
        {
            return Err(RenderError::NameTooLong { name: bucket.name.clone(), limit: LONGEST_NAME });
        }
        add_bucket(template, context, bucket);
    }
    Ok(())
}

/// Adds the parameters of a service with a bucket that a deployment may lock.
pub(crate) fn add_parameters(template: &mut Template, context: &Context<'_>, service: &ServiceResources) {
    if !context.buckets(service).any(|bucket| bucket.lockable) {
        return;
    }
    template.parameter(
        LOCK_MODE,
        json!({
            "Type": "String",
            "AllowedValues": ["off", "GOVERNANCE", "COMPLIANCE"],
            "Default": "off",
            "Description": "Who may delete or overwrite objects while they are locked: off for everybody with the permission, \
                            GOVERNANCE for those with another one, COMPLIANCE for nobody, the account's root included",
        }),
    );
    template.number(LOCK_DAYS, "30", 1, "Days for which an object is locked, if ObjectLockMode is not off");
    template.condition(LOCKED, json!({"Fn::Not": [{"Fn::Equals": [reference(LOCK_MODE), "off"]}]}));
}

fn add_bucket(template: &mut Template, context: &Context<'_>, bucket: &BucketResource) {
    let id = context.id(&bucket.name, "Bucket");
    let mut properties = json!({
        "BucketName": Context::bucket_name(&bucket.name),
        "BucketEncryption": {"ServerSideEncryptionConfiguration": [{
            "ServerSideEncryptionByDefault": {
                "SSEAlgorithm": "aws:kms",
                "KMSMasterKeyID": context.left_by_other_stack("key-arn"),
            },
            // One call to KMS for many objects.
            "BucketKeyEnabled": true,
        }]},
        "LifecycleConfiguration": {"Rules": [lifecycle(bucket)]},
        "OwnershipControls": {"Rules": [{"ObjectOwnership": "BucketOwnerEnforced"}]},
        "PublicAccessBlockConfiguration": {
            "BlockPublicAcls": true,
            "BlockPublicPolicy": true,
            "IgnorePublicAcls": true,
            "RestrictPublicBuckets": true,
        },
    });
    if bucket.versioned {
        properties["VersioningConfiguration"] = json!({"Status": "Enabled"});
    }
    if bucket.lockable {
        let off = reference("AWS::NoValue");
        properties["ObjectLockEnabled"] = json!({"Fn::If": [LOCKED, true, off]});
        let lock = json!({
            "ObjectLockEnabled": "Enabled",
            "Rule": {"DefaultRetention": {"Mode": reference(LOCK_MODE), "Days": reference(LOCK_DAYS)}},
        });
        properties["ObjectLockConfiguration"] = json!({"Fn::If": [LOCKED, lock, off]});
    }
    template.keep(&id, "AWS::S3::Bucket", properties);
    let mut exemptions =
        vec![("CKV_AWS_18", "CloudTrail's data events tell who reads what, where that is wanted")];
    if !bucket.versioned {
        exemptions.push(("CKV_AWS_21", "objects that are overwritten are made again"));
    }
    template.exempt(&exemptions);
    template.resource(
        format!("{id}Policy"),
        "AWS::S3::BucketPolicy",
        json!({"Bucket": reference(&id), "PolicyDocument": policy(vec![only_over_tls(&id)])}),
    );
}

fn lifecycle(bucket: &BucketResource) -> Value {
    let Lifecycle { expires_after_days, transition } = bucket.lifecycle;
    let mut rule = json!({
        "Id": Lifecycle::RULE,
        "Status": "Enabled",
        "AbortIncompleteMultipartUpload": {"DaysAfterInitiation": Lifecycle::INCOMPLETE_UPLOAD_DAYS},
    });
    if let Some(days) = expires_after_days {
        rule["ExpirationInDays"] = days.into();
    }
    if let Some((days, class)) = transition {
        rule["Transitions"] = json!([{"StorageClass": class.name(), "TransitionInDays": days}]);
    }
    if bucket.versioned {
        rule["NoncurrentVersionExpiration"] = json!({"NoncurrentDays": Lifecycle::NONCURRENT_DAYS});
    }
    rule
}

fn only_over_tls(bucket: &str) -> Value {
    let arn = attribute(bucket, "Arn");
    json!({
        "Sid": "OnlyOverTls",
        "Effect": "Deny",
        "Principal": "*",
        "Action": "s3:*",
        "Resource": [arn, {"Fn::Sub": format!("${{{bucket}.Arn}}/*")}],
        "Condition": {"Bool": {"aws:SecureTransport": "false"}},
    })
}

/// Adds a key that outlives the stack, as what it has encrypted does, and leaves its id for the service's stack.
fn add_key(template: &mut Template, context: &Context<'_>, service: &ServiceResources, key: &KeyResource) {
    let id = context.id(&key.name, "Key");
    let mut owner = allow("AccountDecidesByIam", &["kms:*"], json!("*"));
    owner["Principal"] = json!({"AWS": sub("arn:${AWS::Partition}:iam::${AWS::AccountId}:root")});
    template.keep(
        &id,
        "AWS::KMS::Key",
        json!({
            "Description": sub(format!("What {} encrypts itself in {}", service.service, context.prefix())),
            "EnableKeyRotation": true,
            "PendingWindowInDays": 30,
            // In a key policy, the resource * means the key itself.
            "KeyPolicy": policy(vec![owner]),
        }),
    );
    template.resource(
        format!("{id}Alias"),
        "AWS::KMS::Alias",
        json!({"AliasName": sub(key.alias()), "TargetKeyId": reference(&id)}),
    );
    context.leave_for_other_stacks(
        template,
        &Context::key_parameter(context.logical(&key.name)),
        reference(&id),
    );
}

/// Returns the ARN of a key whose id the stack of the service's data has left.
pub(crate) fn key_arn(context: &Context<'_>, key: &KeyResource) -> Value {
    let parameter = context.path(&Context::key_parameter(context.logical(&key.name)));
    arn("kms", &format!("key/{{{{resolve:ssm:{parameter}}}}}"))
}

#[cfg(test)]
mod tests {
    use topology::{Bucket, BucketAccess, Key, Service, StorageClass, Topology};

    use super::*;
    use crate::{ENVIRONMENT, render, state};

    fn keeper(bucket: Bucket) -> Service {
        Service::new("keeper").owns_bucket(bucket).encrypts_with(Key::new("archive"))
    }

    fn bucket() -> Bucket {
        Bucket::new("event-archive")
            .access([BucketAccess::Put, BucketAccess::List])
            .moves_after_days(90, StorageClass::GlacierInstantRetrieval)
            .expires_after_days(400)
    }

    fn properties(service: Service, id: &str) -> Value {
        let resources = Topology::new("foostore", ENVIRONMENT).service(service).resources().unwrap();
        let context = Context::new(&resources, "a digest");
        let template = state::template(&context, &resources.services[0]).unwrap();
        template.resources.iter().find(|(name, _)| name == id).unwrap().1["Properties"].clone()
    }

    #[test]
    fn a_bucket_is_as_declared() {
        let found = properties(keeper(bucket()), "EventArchiveBucket");
        let name = "foostore-${Environment}-event-archive-${AWS::AccountId}-${AWS::Region}";
        assert_eq!(found["BucketName"], json!({"Fn::Sub": name}));
        let rule = &found["LifecycleConfiguration"]["Rules"][0];
        assert_eq!(rule["ExpirationInDays"], 400);
        assert_eq!(rule["Transitions"], json!([{"StorageClass": "GLACIER_IR", "TransitionInDays": 90}]));
        assert!(found.get("VersioningConfiguration").is_none() && found.get("ObjectLockEnabled").is_none());
        let found = properties(keeper(bucket().lockable()), "EventArchiveBucket");
        assert_eq!(found["VersioningConfiguration"]["Status"], "Enabled");
        assert_eq!(found["ObjectLockConfiguration"]["Fn::If"][0], LOCKED);
        assert_eq!(
            found["LifecycleConfiguration"]["Rules"][0]["NoncurrentVersionExpiration"]["NoncurrentDays"],
            30
        );
    }

    #[test]
    fn the_role_permits_what_is_declared_and_the_key_only_with_the_services_name() {
        let resources = Topology::new("foostore", ENVIRONMENT).service(keeper(bucket())).resources().unwrap();
        let files = render(&resources, "receivers: {}\n").unwrap();
        let (_, text) = files.iter().find(|(name, _)| *name == "services/keeper.yaml").unwrap();
        let template: Value = serde_saphyr::from_str(text).unwrap();
        let policy = &template["Resources"]["TaskRole"]["Properties"]["Policies"][0]["PolicyDocument"];
        let statement = |sid: &str| {
            let statements = policy["Statement"].as_array().unwrap();
            statements
                .iter()
                .find(|it| it["Sid"] == sid)
                .unwrap_or_else(|| panic!("no {sid}: {policy}"))
                .clone()
        };
        let arn = "arn:${AWS::Partition}:s3:::foostore-${Environment}-event-archive-${AWS::AccountId}-${AWS::Region}";
        let objects = statement("EventArchiveBucketObjects");
        assert_eq!(objects["Action"], json!(["s3:PutObject"]));
        assert_eq!(objects["Resource"], json!({"Fn::Sub": format!("{arn}/*")}));
        assert_eq!(statement("EventArchiveBucket")["Resource"], json!({"Fn::Sub": arn}));
        let key = statement("ArchiveKey");
        assert_eq!(key["Condition"], json!({"StringEquals": {"kms:EncryptionContext:service": "keeper"}}));
        assert_eq!(
            key["Resource"]["Fn::Sub"],
            "arn:${AWS::Partition}:kms:${AWS::Region}:${AWS::AccountId}:key/{{resolve:ssm:/foostore/${Environment}/archive/key-id}}"
        );
        assert_eq!(statement("UseKey")["Action"], json!(["kms:Decrypt", "kms:GenerateDataKey"]));
        assert!(text.contains("alias/foostore-${Environment}-archive"), "the variable ARCHIVE_KEY_ID");
    }

    #[test]
    fn a_bucket_needs_access_and_a_short_name() {
        let rendered = |bucket| {
            let topology = Topology::new("foostore", ENVIRONMENT).service(keeper(bucket));
            render(&topology.resources().unwrap(), "receivers: {}\n").map(drop)
        };
        let refused = rendered(Bucket::new("event-archive")).unwrap_err();
        assert!(matches!(refused, RenderError::NoAccess { .. }), "{refused}");
        let refused = rendered(Bucket::new("event-archives").access([BucketAccess::Put])).unwrap_err();
        assert!(matches!(refused, RenderError::NameTooLong { limit: 63, .. }), "{refused}");
    }
}
