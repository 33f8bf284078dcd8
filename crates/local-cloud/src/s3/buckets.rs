//! Buckets: creating, finding and deleting them.

use std::ops::Bound;

use bytes::Bytes;
use http::StatusCode;
use serde_json::json;

use super::bucket::{Bucket, Configuration};
use super::members::text;
use super::objects::check_acl;
use super::refusal::{invalid_argument, refused, telling};
use super::{Answer, S3, configurations, names};
use crate::call::Call;
use crate::error::AwsError;

/// AWS lets an account have 10,000.
const MAX_BUCKETS: usize = 1_000;
/// What a bucket takes in memory.
const BUCKET_BYTES: usize = 2_000;

impl S3 {
    pub(super) fn create_bucket(&self, call: &Call) -> Result<Answer, AwsError> {
        let (input, name) = (&call.input, text(&call.input, "Bucket"));
        if !names::is_valid(name) {
            let error = AwsError::bad_request("InvalidBucketName", "The specified bucket is not valid.");
            return Err(telling(error, "BucketName", name));
        }
        check_acl(input)?;
        let configuration = &input["CreateBucketConfiguration"];
        if configuration.get("Location").or(configuration.get("Bucket")).is_some() {
            let message = "The local cloud does not support directory buckets";
            return Err(refused(StatusCode::NOT_IMPLEMENTED, "NotImplemented", message));
        }
        self.check_location(configuration["LocationConstraint"].as_str())?;
        let mut bucket = Bucket::new(self.bodies.take(BUCKET_BYTES)?);
        if let Some(ownership) = input["ObjectOwnership"].as_str() {
            let document = json!({"Rules": [{ "ObjectOwnership": ownership }]});
            bucket.set(Configuration::OwnershipControls, document, None);
        }
        if input["ObjectLockEnabledForBucket"] == true {
            bucket.set(Configuration::Versioning, json!({"Status": "Enabled"}), None);
            bucket.set(Configuration::ObjectLock, json!({"ObjectLockEnabled": "Enabled"}), None);
        }
        if let Some(tags) = configuration.get("Tags") {
            let document = json!({ "TagSet": tags });
            configurations::check_tags(&document)?;
            bucket.set(Configuration::Tagging, document, None);
        }
        let mut buckets = self.buckets();
        if buckets.contains_key(name) {
            let message =
                "Your previous request to create the named bucket succeeded and you already own it.";
            let error = refused(StatusCode::CONFLICT, "BucketAlreadyOwnedByYou", message);
            return Err(telling(error, "BucketName", name));
        }
        if buckets.len() >= MAX_BUCKETS {
            let message = "You have attempted to create more buckets than allowed";
            return Err(AwsError::bad_request("TooManyBuckets", message));
        }
        buckets.insert(name.to_owned(), bucket);
        let arn = format!("arn:aws:s3:::{name}");
        Ok(Answer::of(json!({"Location": format!("/{name}"), "BucketArn": arn})))
    }

    fn check_location(&self, constraint: Option<&str>) -> Result<(), AwsError> {
        let region = self.region.as_str();
        match constraint {
            None if region == "us-east-1" => Ok(()),
            Some("us-east-1") => Err(AwsError::bad_request(
                "InvalidLocationConstraint",
                "The specified location-constraint is not valid",
            )),
            Some(constraint) if constraint == region => Ok(()),
            constraint => Err(AwsError::bad_request(
                "IllegalLocationConstraintException",
                format!(
                    "The {} location constraint is incompatible for the region specific endpoint this request was sent \
                     to.",
                    constraint.unwrap_or("unspecified")
                ),
            )),
        }
    }

    pub(super) fn delete_bucket(&self, call: &Call) -> Result<Answer, AwsError> {
        let name = text(&call.input, "Bucket");
        let mut buckets = self.buckets();
        if !Self::bucket(&mut buckets, &call.input)?.objects.is_empty() {
            let message = "The bucket you tried to delete is not empty";
            let error = refused(StatusCode::CONFLICT, "BucketNotEmpty", message);
            return Err(telling(error, "BucketName", name));
        }
        buckets.remove(name);
        Ok(Answer::empty())
    }

    pub(super) fn head_bucket(&self, call: &Call) -> Result<Answer, AwsError> {
        Self::bucket(&mut self.buckets(), &call.input)?;
        let arn = format!("arn:aws:s3:::{}", text(&call.input, "Bucket"));
        let members = json!({"BucketArn": arn, "BucketRegion": self.region, "AccessPointAlias": false});
        Ok(Answer { status: StatusCode::OK, members, body: Bytes::new() })
    }

    pub(super) fn list_buckets(&self, call: &Call) -> Result<Answer, AwsError> {
        let input = &call.input;
        let limit = input["MaxBuckets"].as_i64().unwrap_or(10_000);
        let limit =
            usize::try_from(limit).ok().filter(|limit| (1..=10_000).contains(limit)).ok_or_else(|| {
                let message = "Argument max-buckets must be an integer between 1 and 10000";
                invalid_argument(message, "max-buckets", &limit.to_string())
            })?;
        let (prefix, after) = (text(input, "Prefix"), text(input, "ContinuationToken"));
        let in_region = input["BucketRegion"].as_str().is_none_or(|region| region == self.region);
        let is_paged = ["MaxBuckets", "Prefix", "ContinuationToken", "BucketRegion"]
            .into_iter()
            .any(|name| input.get(name).is_some());
        let buckets = self.buckets();
        let mut found = buckets
            .range::<str, _>((Bound::Excluded(after), Bound::Unbounded))
            .filter(|(name, _)| in_region && name.starts_with(prefix));
        let page: Vec<_> = found
            .by_ref()
            .take(limit)
            .map(|(name, bucket)| {
                let mut entry = json!({"Name": name, "CreationDate": bucket.created.as_second()});
                if is_paged {
                    entry["BucketRegion"] = self.region.as_str().into();
                }
                entry
            })
            .collect();
        let next = found.next().and_then(|_| page.last()).map(|last| last["Name"].clone());
        let mut output = json!({"Buckets": page, "Owner": {"ID": self.owner()}});
        if let Some(prefix) = input.get("Prefix") {
            output["Prefix"] = prefix.clone();
        }
        if let Some(next) = next {
            output["ContinuationToken"] = next;
        }
        Ok(Answer::of(output))
    }

    pub(super) fn bucket_location(&self, call: &Call) -> Result<Answer, AwsError> {
        Self::bucket(&mut self.buckets(), &call.input)?;
        // The first region has no name here, for historical reasons.
        let region = if self.region == "us-east-1" { "" } else { &self.region };
        Ok(Answer::of(json!({ "LocationConstraint": region })))
    }
}
