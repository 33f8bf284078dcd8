//! Buckets with their settings.

use std::collections::BTreeMap;

use aws_sdk_s3::Client;
use aws_sdk_s3::error::ProvideErrorMetadata as _;
use aws_sdk_s3::types::{
    AbortIncompleteMultipartUpload, BucketLifecycleConfiguration, BucketLocationConstraint,
    BucketVersioningStatus, CreateBucketConfiguration, Delete, ExpirationStatus, LifecycleExpiration,
    LifecycleRule, LifecycleRuleFilter, NoncurrentVersionExpiration, ObjectIdentifier,
    PublicAccessBlockConfiguration, Transition, TransitionStorageClass, VersioningConfiguration,
};
use serde_json::json;
use topology::{BucketResource, Lifecycle};

use crate::ProvisionError;
use crate::error::{absent, call};

/// The region whose buckets have no location constraint.
const FIRST_REGION: &str = "us-east-1";

/// The account and the region, which are a part of buckets' names.
#[derive(Clone, Debug)]
pub(crate) struct Place {
    pub(crate) account_id: String,
    pub(crate) region: String,
}

impl Place {
    /// Reads them from an ARN.
    pub(crate) fn of(arn: &str) -> Option<Self> {
        let mut parts = arn.split(':').skip(3);
        let (region, account_id) = (parts.next()?, parts.next()?);
        Some(Self { account_id: account_id.to_owned(), region: region.to_owned() })
    }

    fn name(&self, bucket: &BucketResource) -> String {
        bucket.name_in(&self.account_id, &self.region)
    }
}

/// Returns a client that names buckets in the path, which works at every endpoint.
pub(crate) fn client(config: &aws_config::SdkConfig) -> Client {
    Client::from_conf(aws_sdk_s3::config::Builder::from(config).force_path_style(true).build())
}

/// Creates the buckets, and returns the name of each by its physical name.
pub(crate) async fn create(
    client: &Client,
    buckets: &[BucketResource],
    place: &Place,
) -> Result<BTreeMap<String, String>, ProvisionError> {
    let mut names = BTreeMap::new();
    for bucket in buckets {
        let name = place.name(bucket);
        create_bucket(client, &name, place).await?;
        protect(client, &name).await?;
        if bucket.versioned {
            keep_versions(client, &name).await?;
        }
        put_lifecycle(client, &name, bucket).await?;
        names.insert(bucket.name.clone(), name);
    }
    Ok(names)
}

/// Finds the buckets, all of which must exist.
pub(crate) async fn locate(
    client: &Client,
    buckets: &[BucketResource],
    place: &Place,
) -> Result<BTreeMap<String, String>, ProvisionError> {
    let mut names = BTreeMap::new();
    for bucket in buckets {
        let name = place.name(bucket);
        match client.head_bucket().bucket(&name).send().await {
            Err(error) if error.as_service_error().is_some_and(|e| e.is_not_found()) => {
                return Err(absent("bucket", &name));
            }
            other => drop(other.map_err(|error| call("HeadBucket", &name, error))?),
        }
        names.insert(bucket.name.clone(), name);
    }
    Ok(names)
}

/// Deletes a bucket with its objects, if it exists.
pub(crate) async fn remove(
    client: &Client,
    bucket: &BucketResource,
    place: &Place,
) -> Result<(), ProvisionError> {
    let name = place.name(bucket);
    loop {
        let page = match client.list_objects_v2().bucket(&name).send().await {
            Err(error) if error.as_service_error().is_some_and(|e| e.is_no_such_bucket()) => return Ok(()),
            other => other.map_err(|error| call("ListObjectsV2", &name, error))?,
        };
        let keys = page.contents().iter().filter_map(|object| object.key());
        let objects = keys
            .map(|key| ObjectIdentifier::builder().key(key).build())
            .collect::<Result<Vec<_>, _>>()
            .map_err(|error| call("DeleteObjects", &name, error))?;
        if objects.is_empty() {
            break;
        }
        let delete = Delete::builder().set_objects(Some(objects)).quiet(true).build();
        let delete = delete.map_err(|error| call("DeleteObjects", &name, error))?;
        let deleted = client.delete_objects().bucket(&name).delete(delete).send().await;
        deleted.map_err(|error| call("DeleteObjects", &name, error))?;
    }
    match client.delete_bucket().bucket(&name).send().await {
        Err(error) if error.code() == Some("NoSuchBucket") => Ok(()),
        other => other.map(drop).map_err(|error| call("DeleteBucket", &name, error)),
    }
}

async fn create_bucket(client: &Client, name: &str, place: &Place) -> Result<(), ProvisionError> {
    let constraint = BucketLocationConstraint::from(place.region.as_str());
    let location = CreateBucketConfiguration::builder().location_constraint(constraint).build();
    let created = client
        .create_bucket()
        .bucket(name)
        .set_create_bucket_configuration((place.region != FIRST_REGION).then_some(location))
        .send()
        .await;
    match created {
        Err(error) if error.as_service_error().is_some_and(|e| e.is_bucket_already_owned_by_you()) => Ok(()),
        other => other.map(drop).map_err(|error| call("CreateBucket", name, error)),
    }
}

/// Blocks public access, and refuses connections without TLS.
async fn protect(client: &Client, name: &str) -> Result<(), ProvisionError> {
    let block = PublicAccessBlockConfiguration::builder()
        .block_public_acls(true)
        .ignore_public_acls(true)
        .block_public_policy(true)
        .restrict_public_buckets(true)
        .build();
    let put = client.put_public_access_block().bucket(name).public_access_block_configuration(block);
    put.send().await.map_err(|error| call("PutPublicAccessBlock", name, error))?;
    let arn = format!("arn:aws:s3:::{name}");
    let policy = json!({"Version": "2012-10-17", "Statement": [{
        "Sid": "OnlyOverTls",
        "Effect": "Deny",
        "Principal": "*",
        "Action": "s3:*",
        "Resource": [arn, format!("{arn}/*")],
        "Condition": {"Bool": {"aws:SecureTransport": "false"}},
    }]});
    let put = client.put_bucket_policy().bucket(name).policy(policy.to_string());
    put.send().await.map_err(|error| call("PutBucketPolicy", name, error))?;
    Ok(())
}

async fn keep_versions(client: &Client, name: &str) -> Result<(), ProvisionError> {
    let versioning = VersioningConfiguration::builder().status(BucketVersioningStatus::Enabled).build();
    let put = client.put_bucket_versioning().bucket(name).versioning_configuration(versioning);
    put.send().await.map(drop).map_err(|error| call("PutBucketVersioning", name, error))
}

async fn put_lifecycle(client: &Client, name: &str, bucket: &BucketResource) -> Result<(), ProvisionError> {
    let failed = |error| call("PutBucketLifecycleConfiguration", name, error);
    let days = |days: u32| i32::try_from(days).unwrap_or(i32::MAX);
    let Lifecycle { expires_after_days, transition } = bucket.lifecycle;
    let abort = AbortIncompleteMultipartUpload::builder()
        .days_after_initiation(days(Lifecycle::INCOMPLETE_UPLOAD_DAYS))
        .build();
    let mut rule = LifecycleRule::builder()
        .id(Lifecycle::RULE)
        .status(ExpirationStatus::Enabled)
        .filter(LifecycleRuleFilter::builder().prefix("").build())
        .abort_incomplete_multipart_upload(abort);
    if let Some(after) = expires_after_days {
        rule = rule.expiration(LifecycleExpiration::builder().days(days(after)).build());
    }
    if let Some((after, class)) = transition {
        let class = TransitionStorageClass::from(class.name());
        rule = rule.transitions(Transition::builder().days(days(after)).storage_class(class).build());
    }
    if bucket.versioned {
        let noncurrent = days(Lifecycle::NONCURRENT_DAYS);
        let expiration = NoncurrentVersionExpiration::builder().noncurrent_days(noncurrent).build();
        rule = rule.noncurrent_version_expiration(expiration);
    }
    let rule = rule.build().map_err(failed)?;
    let lifecycle = BucketLifecycleConfiguration::builder().rules(rule).build().map_err(failed)?;
    let put = client.put_bucket_lifecycle_configuration().bucket(name).lifecycle_configuration(lifecycle);
    put.send().await.map(drop).map_err(|error| call("PutBucketLifecycleConfiguration", name, error))
}
