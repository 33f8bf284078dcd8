//! The documents about a bucket: each is put, read and deleted by separate operations.
//!
//! Of these, the encryption decides what objects say about theirs; the others are kept and returned.

use std::collections::BTreeSet;

use http::StatusCode;
use serde_json::{Map, Value, json};

use super::bucket::{Bucket, Configuration};
use super::members::text;
use super::refusal::{invalid_argument, malformed_xml, refused, telling};
use super::{Answer, S3, lifecycle, policy};
use crate::call::Call;
use crate::error::AwsError;

const MAX_TAGS: usize = 50;

impl S3 {
    /// Answers an operation on a document, if it is one.
    pub(super) fn configure(&self, call: &Call) -> Option<Result<Answer, AwsError>> {
        let (which, member) = of_operation(&call.operation)?;
        let answer = if call.operation.starts_with("Put") {
            self.put(call, which, member)
        } else if call.operation.starts_with("Get") {
            self.get(call, which, member)
        } else {
            self.delete(call, which)
        };
        Some(answer)
    }

    fn put(&self, call: &Call, which: Configuration, member: &str) -> Result<Answer, AwsError> {
        let mut document = call.input[member].clone();
        let mut buckets = self.buckets();
        let bucket = Self::bucket(&mut buckets, &call.input)?;
        match which {
            Configuration::Encryption => check_encryption(&mut document)?,
            Configuration::Lifecycle => lifecycle::check(&mut document)?,
            Configuration::ObjectLock => check_object_lock(bucket, &document)?,
            Configuration::OwnershipControls => check_ownership(&document)?,
            Configuration::Policy => policy::check(text(&call.input, "Policy"), text(&call.input, "Bucket"))?,
            Configuration::PublicAccessBlock => complete_public_access_block(&mut document),
            Configuration::Tagging => check_tags(&document)?,
            Configuration::Versioning => check_versioning(bucket, &document)?,
        }
        if which == Configuration::Lifecycle {
            let size = call.input["TransitionDefaultMinimumObjectSize"].as_str();
            document["TransitionDefaultMinimumObjectSize"] =
                size.unwrap_or("all_storage_classes_128K").into();
        }
        let share = self.bodies.take(document.to_string().len())?;
        bucket.set(which, document, Some(share));
        Ok(if which == Configuration::Policy { Answer::empty() } else { Answer::of(json!({})) })
    }

    fn get(&self, call: &Call, which: Configuration, member: &str) -> Result<Answer, AwsError> {
        let mut buckets = self.buckets();
        let bucket = Self::bucket(&mut buckets, &call.input)?;
        let document = match which {
            Configuration::Encryption => Some(bucket.encryption()),
            Configuration::Versioning => Some(bucket.get(which).cloned().unwrap_or_else(|| json!({}))),
            which => bucket.get(which).cloned(),
        };
        let document = document.ok_or_else(|| missing(which, text(&call.input, "Bucket")))?;
        Ok(Answer::of(match which {
            // The members of the document are those of the output.
            Configuration::Lifecycle | Configuration::Tagging | Configuration::Versioning => document,
            _ => json!({ member: document }),
        }))
    }

    fn delete(&self, call: &Call, which: Configuration) -> Result<Answer, AwsError> {
        let mut buckets = self.buckets();
        Self::bucket(&mut buckets, &call.input)?.remove(which);
        Ok(Answer::empty())
    }
}

/// Returns the document of an operation, and the member that carries it.
fn of_operation(operation: &str) -> Option<(Configuration, &'static str)> {
    Some(match operation {
        "PutBucketEncryption" | "GetBucketEncryption" | "DeleteBucketEncryption" => {
            (Configuration::Encryption, "ServerSideEncryptionConfiguration")
        }
        "PutBucketLifecycleConfiguration" | "GetBucketLifecycleConfiguration" | "DeleteBucketLifecycle" => {
            (Configuration::Lifecycle, "LifecycleConfiguration")
        }
        "PutObjectLockConfiguration" | "GetObjectLockConfiguration" => {
            (Configuration::ObjectLock, "ObjectLockConfiguration")
        }
        "PutBucketOwnershipControls" | "GetBucketOwnershipControls" | "DeleteBucketOwnershipControls" => {
            (Configuration::OwnershipControls, "OwnershipControls")
        }
        "PutBucketPolicy" | "GetBucketPolicy" | "DeleteBucketPolicy" => (Configuration::Policy, "Policy"),
        "PutPublicAccessBlock" | "GetPublicAccessBlock" | "DeletePublicAccessBlock" => {
            (Configuration::PublicAccessBlock, "PublicAccessBlockConfiguration")
        }
        "PutBucketTagging" | "GetBucketTagging" | "DeleteBucketTagging" => {
            (Configuration::Tagging, "Tagging")
        }
        "PutBucketVersioning" | "GetBucketVersioning" => {
            (Configuration::Versioning, "VersioningConfiguration")
        }
        _ => return None,
    })
}

fn missing(which: Configuration, bucket: &str) -> AwsError {
    let (code, message) = match which {
        Configuration::Lifecycle => {
            ("NoSuchLifecycleConfiguration", "The lifecycle configuration does not exist")
        }
        Configuration::ObjectLock => (
            "ObjectLockConfigurationNotFoundError",
            "Object Lock configuration does not exist for this bucket",
        ),
        Configuration::OwnershipControls => {
            ("OwnershipControlsNotFoundError", "The bucket ownership controls were not found")
        }
        Configuration::Policy => ("NoSuchBucketPolicy", "The bucket policy does not exist"),
        Configuration::PublicAccessBlock => {
            ("NoSuchPublicAccessBlockConfiguration", "The public access block configuration was not found")
        }
        Configuration::Tagging => ("NoSuchTagSet", "The TagSet does not exist"),
        // Every bucket has these.
        Configuration::Encryption | Configuration::Versioning => ("InternalError", "Internal failure"),
    };
    telling(refused(StatusCode::NOT_FOUND, code, message), "BucketName", bucket)
}

fn check_encryption(document: &mut Value) -> Result<(), AwsError> {
    let [rule] = document["Rules"].as_array().map(Vec::as_slice).unwrap_or_default() else {
        return Err(malformed_xml());
    };
    let Some(by_default) = rule.get("ApplyServerSideEncryptionByDefault") else {
        return Err(malformed_xml());
    };
    let algorithm = text(by_default, "SSEAlgorithm");
    match by_default["KMSMasterKeyID"].as_str() {
        Some(key) if !algorithm.starts_with("aws:kms") => {
            let message = "a KMSMasterKeyID is not applicable if the default sse algorithm is not aws:kms or aws:kms:dsse";
            return Err(invalid_argument(message, "KMSMasterKeyID", key));
        }
        _ => {}
    }
    if rule.get("BlockedEncryptionTypes").is_some() {
        let message = "The local cloud does not support BlockedEncryptionTypes";
        return Err(refused(StatusCode::NOT_IMPLEMENTED, "NotImplemented", message));
    }
    let with_bucket_key = rule["BucketKeyEnabled"] == true;
    document["Rules"][0]["BucketKeyEnabled"] = with_bucket_key.into();
    Ok(())
}

fn check_object_lock(bucket: &Bucket, document: &Value) -> Result<(), AwsError> {
    if document["ObjectLockEnabled"] != "Enabled" {
        return Err(malformed_xml());
    }
    if let Some(rule) = document.get("Rule") {
        let retention = &rule["DefaultRetention"];
        let periods: Vec<_> =
            ["Days", "Years"].into_iter().filter_map(|name| retention[name].as_i64()).collect();
        match periods.as_slice() {
            [period] if retention["Mode"].is_string() => {
                if *period < 1 {
                    let message = "Default retention period must be a positive integer value";
                    return Err(AwsError::bad_request("InvalidArgument", message));
                }
            }
            _ => return Err(malformed_xml()),
        }
    }
    if !bucket.is_versioned() {
        let message = "Versioning must be 'Enabled' on the bucket to apply a Object Lock configuration";
        return Err(refused(StatusCode::CONFLICT, "InvalidBucketState", message));
    }
    Ok(())
}

fn check_ownership(document: &Value) -> Result<(), AwsError> {
    match document["Rules"].as_array().map(Vec::len) {
        Some(1) if document["Rules"][0]["ObjectOwnership"] == "BucketOwnerEnforced" => Ok(()),
        Some(1) => {
            let message = "The local cloud does not support access control lists";
            Err(refused(StatusCode::NOT_IMPLEMENTED, "NotImplemented", message))
        }
        _ => Err(malformed_xml()),
    }
}

/// What a request leaves out is false.
fn complete_public_access_block(document: &mut Value) {
    for name in ["BlockPublicAcls", "IgnorePublicAcls", "BlockPublicPolicy", "RestrictPublicBuckets"] {
        let given = document[name] == true;
        document[name] = given.into();
    }
}

pub(super) fn check_tags(document: &Value) -> Result<(), AwsError> {
    let invalid = |message: &str| Err(AwsError::bad_request("InvalidTag", message));
    let tags = document["TagSet"].as_array().map(Vec::as_slice).unwrap_or_default();
    if tags.len() > MAX_TAGS {
        return Err(AwsError::bad_request(
            "BadRequest",
            format!("Bucket tag count cannot be greater than {MAX_TAGS}"),
        ));
    }
    let mut keys = BTreeSet::new();
    for tag in tags {
        let (key, value) = (text(tag, "Key"), text(tag, "Value"));
        if key.is_empty() || key.chars().count() > 128 {
            return invalid("The TagKey you have provided is invalid");
        }
        if value.chars().count() > 256 {
            return invalid("The TagValue you have provided is invalid");
        }
        if key.starts_with("aws:") {
            return invalid("System tags cannot be added/updated by requester");
        }
        if !keys.insert(key) {
            return invalid("Cannot provide multiple Tags with the same key");
        }
    }
    Ok(())
}

fn check_versioning(bucket: &Bucket, document: &Value) -> Result<(), AwsError> {
    let allowed: Map<String, Value> = document.as_object().cloned().unwrap_or_default();
    if allowed.get("MFADelete").is_some_and(|delete| delete != "Disabled") {
        let message = "The local cloud does not support MFADelete";
        return Err(refused(StatusCode::NOT_IMPLEMENTED, "NotImplemented", message));
    }
    if !allowed.contains_key("Status") {
        let message = "The Versioning element must be specified";
        return Err(AwsError::bad_request("IllegalVersioningConfigurationException", message));
    }
    if document["Status"] == "Suspended" && bucket.get(Configuration::ObjectLock).is_some() {
        let message = "An Object Lock configuration is present on this bucket, so the versioning state cannot be changed.";
        return Err(refused(StatusCode::CONFLICT, "InvalidBucketState", message));
    }
    Ok(())
}
