//! Buckets and the documents about them.

use aws_sdk_s3::types::{
    BucketLifecycleConfiguration, BucketVersioningStatus, DefaultRetention, ExpirationStatus,
    LifecycleExpiration, LifecycleRule, LifecycleRuleFilter, ObjectLockConfiguration, ObjectLockEnabled,
    ObjectLockRetentionMode, ObjectLockRule, PublicAccessBlockConfiguration, ServerSideEncryption,
    ServerSideEncryptionByDefault, ServerSideEncryptionConfiguration, ServerSideEncryptionRule, Tag, Tagging,
    Transition, TransitionStorageClass, VersioningConfiguration,
};
use serde_json::json;

use crate::refusal::{assert_refused, refusal};
use crate::s3::{bucket, put};
use crate::support::{ACCOUNT, cloud, cloud_of};

#[tokio::test]
async fn buckets_are_created_found_and_deleted() {
    let cloud = cloud().await;
    assert_refused(
        cloud.s3.create_bucket().bucket("mine").send().await,
        "IllegalLocationConstraintException",
        "The unspecified location constraint is incompatible for the region specific endpoint this request was sent to.",
    );
    bucket(&cloud, "mine").await;
    bucket(&cloud, "my.other-bucket").await;
    let again = cloud.s3.create_bucket().bucket("mine").create_bucket_configuration(
        aws_sdk_s3::types::CreateBucketConfiguration::builder()
            .location_constraint("eu-central-1".into())
            .build(),
    );
    assert_eq!(refusal(again.send().await).0, "BucketAlreadyOwnedByYou");
    let listed = cloud.s3.list_buckets().send().await.unwrap();
    let names: Vec<_> = listed.buckets().iter().filter_map(|it| it.name()).collect();
    assert_eq!(names, ["mine", "my.other-bucket"]);
    let page = cloud.s3.list_buckets().max_buckets(1).send().await.unwrap();
    assert_eq!((page.buckets().len(), page.continuation_token()), (1, Some("mine")));
    let head = cloud.s3.head_bucket().bucket("mine").expected_bucket_owner(ACCOUNT).send().await.unwrap();
    assert_eq!(head.bucket_region(), Some("eu-central-1"));
    let other = cloud.s3.head_bucket().bucket("mine").expected_bucket_owner("111111111111").send().await;
    assert_eq!(other.unwrap_err().raw_response().unwrap().status().as_u16(), 403);
    let missing = cloud.s3.head_bucket().bucket("none").send().await.unwrap_err();
    assert!(missing.as_service_error().unwrap().is_not_found());
    let location = cloud.s3.get_bucket_location().bucket("mine").send().await.unwrap();
    assert_eq!(location.location_constraint().map(|it| it.as_str()), Some("eu-central-1"));

    put(&cloud, "a", b"x").send().await.unwrap();
    let delete = || cloud.s3.delete_bucket().bucket("mine").send();
    assert_refused(delete().await, "BucketNotEmpty", "The bucket you tried to delete is not empty");
    cloud.s3.delete_object().bucket("mine").key("a").send().await.unwrap();
    delete().await.unwrap();
    assert_refused(delete().await, "NoSuchBucket", "The specified bucket does not exist");
    assert_eq!(refusal(put(&cloud, "a", b"x").send().await).0, "NoSuchBucket");
    cloud.local.shutdown().await;
}

#[tokio::test]
async fn the_first_region_needs_no_location() {
    let cloud = cloud_of("us-east-1", ACCOUNT).await;
    cloud.s3.create_bucket().bucket("mine").send().await.unwrap();
    let location = cloud.s3.get_bucket_location().bucket("mine").send().await.unwrap();
    assert!(location.location_constraint().is_none_or(|it| it.as_str().is_empty()));
    cloud.local.shutdown().await;
}

#[tokio::test]
async fn a_new_bucket_is_private_and_encrypted() {
    let cloud = cloud().await;
    bucket(&cloud, "mine").await;
    let block = cloud.s3.get_public_access_block().bucket("mine").send().await.unwrap();
    let block = block.public_access_block_configuration.unwrap();
    assert_eq!((block.block_public_acls(), block.restrict_public_buckets()), (Some(true), Some(true)));
    let encryption = cloud.s3.get_bucket_encryption().bucket("mine").send().await.unwrap();
    let rule = &encryption.server_side_encryption_configuration.unwrap().rules[0];
    let by_default = rule.apply_server_side_encryption_by_default().unwrap();
    assert_eq!(by_default.sse_algorithm(), &ServerSideEncryption::Aes256);
    let versioning = cloud.s3.get_bucket_versioning().bucket("mine").send().await.unwrap();
    assert_eq!(versioning.status(), None);
    let s3 = &cloud.s3;
    assert_eq!(
        refusal(s3.get_bucket_lifecycle_configuration().bucket("mine").send().await).0,
        "NoSuchLifecycleConfiguration"
    );
    assert_eq!(refusal(s3.get_bucket_policy().bucket("mine").send().await).0, "NoSuchBucketPolicy");
    assert_eq!(refusal(s3.get_bucket_tagging().bucket("mine").send().await).0, "NoSuchTagSet");
    assert_eq!(
        refusal(s3.get_object_lock_configuration().bucket("mine").send().await).0,
        "ObjectLockConfigurationNotFoundError"
    );
    s3.delete_public_access_block().bucket("mine").send().await.unwrap();
    assert_eq!(
        refusal(s3.get_public_access_block().bucket("mine").send().await).0,
        "NoSuchPublicAccessBlockConfiguration"
    );
    let block = PublicAccessBlockConfiguration::builder().block_public_policy(true).build();
    s3.put_public_access_block()
        .bucket("mine")
        .public_access_block_configuration(block)
        .send()
        .await
        .unwrap();
    let block = s3.get_public_access_block().bucket("mine").send().await.unwrap();
    let block = block.public_access_block_configuration.unwrap();
    assert_eq!((block.block_public_acls(), block.block_public_policy()), (Some(false), Some(true)));
    cloud.local.shutdown().await;
}

#[tokio::test]
async fn a_lifecycle_is_kept_as_it_was_put() {
    let cloud = cloud().await;
    bucket(&cloud, "mine").await;
    let rule = |id: &str, days| {
        LifecycleRule::builder()
            .id(id)
            .status(ExpirationStatus::Enabled)
            .filter(LifecycleRuleFilter::builder().prefix("").build())
            .expiration(LifecycleExpiration::builder().days(days).build())
            .transitions(
                Transition::builder().days(90).storage_class(TransitionStorageClass::Glacier).build(),
            )
            .build()
            .unwrap()
    };
    let put = |rules: Vec<LifecycleRule>| {
        let lifecycle = BucketLifecycleConfiguration::builder().set_rules(Some(rules)).build().unwrap();
        cloud.s3.put_bucket_lifecycle_configuration().bucket("mine").lifecycle_configuration(lifecycle).send()
    };
    put(vec![rule("a", 400), rule("b", 200)]).await.unwrap();
    let got = cloud.s3.get_bucket_lifecycle_configuration().bucket("mine").send().await.unwrap();
    assert_eq!(got.rules(), [rule("a", 400), rule("b", 200)]);
    assert_eq!(refusal(put(vec![rule("a", 400), rule("a", 200)]).await).0, "InvalidArgument");
    assert_eq!(refusal(put(vec![rule("a", 90)]).await).0, "InvalidArgument");
    cloud.s3.delete_bucket_lifecycle().bucket("mine").send().await.unwrap();
    let got = cloud.s3.get_bucket_lifecycle_configuration().bucket("mine").send().await;
    assert_eq!(refusal(got).0, "NoSuchLifecycleConfiguration");
    cloud.local.shutdown().await;
}

#[tokio::test]
async fn objects_have_the_encryption_of_their_bucket() {
    let cloud = cloud().await;
    bucket(&cloud, "mine").await;
    let by_default = ServerSideEncryptionByDefault::builder()
        .sse_algorithm(ServerSideEncryption::AwsKms)
        .kms_master_key_id("alias/archive")
        .build()
        .unwrap();
    let rule = ServerSideEncryptionRule::builder()
        .apply_server_side_encryption_by_default(by_default)
        .bucket_key_enabled(true)
        .build();
    let encryption = ServerSideEncryptionConfiguration::builder().rules(rule).build().unwrap();
    cloud
        .s3
        .put_bucket_encryption()
        .bucket("mine")
        .server_side_encryption_configuration(encryption)
        .send()
        .await
        .unwrap();
    let stored = put(&cloud, "a", b"hello").send().await.unwrap();
    assert_eq!(stored.server_side_encryption(), Some(&ServerSideEncryption::AwsKms));
    assert_eq!(stored.ssekms_key_id(), Some("alias/archive"));
    assert_eq!(stored.bucket_key_enabled(), Some(true));
    assert_ne!(stored.e_tag(), Some("\"5d41402abc4b2a76b9719d911017c592\""), "no MD5 with keys of KMS");
    let own =
        put(&cloud, "a", b"hello").server_side_encryption(ServerSideEncryption::Aes256).send().await.unwrap();
    assert_eq!(own.e_tag(), Some("\"5d41402abc4b2a76b9719d911017c592\""));
    cloud.local.shutdown().await;
}

#[tokio::test]
async fn a_lock_needs_versions() {
    let cloud = cloud().await;
    bucket(&cloud, "mine").await;
    let retention = |days: Option<i32>, years| {
        DefaultRetention::builder()
            .mode(ObjectLockRetentionMode::Compliance)
            .set_days(days)
            .set_years(years)
            .build()
    };
    let lock = |retention| {
        let rule = ObjectLockRule::builder().default_retention(retention).build();
        let lock =
            ObjectLockConfiguration::builder().object_lock_enabled(ObjectLockEnabled::Enabled).rule(rule);
        cloud.s3.put_object_lock_configuration().bucket("mine").object_lock_configuration(lock.build()).send()
    };
    let version = |status| {
        let versioning = VersioningConfiguration::builder().status(status).build();
        cloud.s3.put_bucket_versioning().bucket("mine").versioning_configuration(versioning).send()
    };
    assert_eq!(refusal(lock(retention(Some(30), None)).await).0, "InvalidBucketState");
    version(BucketVersioningStatus::Enabled).await.unwrap();
    assert_eq!(refusal(lock(retention(Some(30), Some(1))).await).0, "MalformedXML");
    lock(retention(Some(30), None)).await.unwrap();
    let got = cloud.s3.get_object_lock_configuration().bucket("mine").send().await.unwrap();
    let rule = got.object_lock_configuration.unwrap().rule.unwrap();
    assert_eq!(rule.default_retention().unwrap().days(), Some(30));
    assert_eq!(refusal(version(BucketVersioningStatus::Suspended).await).0, "InvalidBucketState");
    let got = cloud.s3.get_bucket_versioning().bucket("mine").send().await.unwrap();
    assert_eq!(got.status(), Some(&BucketVersioningStatus::Enabled));
    cloud.local.shutdown().await;
}

#[tokio::test]
async fn policies_and_tags_are_checked_and_kept() {
    let cloud = cloud().await;
    bucket(&cloud, "mine").await;
    let policy = |resource: &str| {
        json!({"Version": "2012-10-17", "Statement": [{
            "Effect": "Deny", "Principal": "*", "Action": "s3:*", "Resource": resource,
            "Condition": {"Bool": {"aws:SecureTransport": "false"}},
        }]})
        .to_string()
    };
    let put_policy = |policy: String| cloud.s3.put_bucket_policy().bucket("mine").policy(policy).send();
    put_policy(policy("arn:aws:s3:::mine/*")).await.unwrap();
    let got = cloud.s3.get_bucket_policy().bucket("mine").send().await.unwrap();
    assert_eq!(got.policy(), Some(policy("arn:aws:s3:::mine/*").as_str()));
    assert_refused(
        put_policy(policy("arn:aws:s3:::other/*")).await,
        "MalformedPolicy",
        "Policy has invalid resource",
    );

    let tag = |key: &str| Tag::builder().key(key).value("v").build().unwrap();
    let put_tags = |keys: &[&str]| {
        let tags = keys.iter().map(|key| tag(key)).collect();
        let tagging = Tagging::builder().set_tag_set(Some(tags)).build().unwrap();
        cloud.s3.put_bucket_tagging().bucket("mine").tagging(tagging).send()
    };
    put_tags(&["b", "a"]).await.unwrap();
    let got = cloud.s3.get_bucket_tagging().bucket("mine").send().await.unwrap();
    assert_eq!(got.tag_set(), [tag("b"), tag("a")]);
    assert_eq!(refusal(put_tags(&["a", "a"]).await).0, "InvalidTag");
    cloud.local.shutdown().await;
}
