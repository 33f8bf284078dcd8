//! S3: buckets with their settings, and objects with conditional writes, ranges and checksums.
//!
//! | | |
//! |---|---|
//! | [`framing`], [`checksum`] | what arrives: chunks with trailers, and every digest that a client may send |
//! | [`buckets`], [`configurations`], [`lifecycle`], [`policy`] | buckets, and the documents about them |
//! | [`objects`], [`conditions`], [`range`], [`listing`] | objects |
//! | [`bodies`] | their bytes, in files |
//!
//! Objects and their metadata may be personal data: neither logs nor `Debug` show them.

mod address;
mod bodies;
mod bucket;
mod buckets;
mod checksum;
mod conditions;
mod configurations;
mod framing;
mod lifecycle;
mod listing;
mod members;
mod names;
mod object;
mod objects;
mod policy;
mod range;
mod refusal;

use std::collections::BTreeMap;
use std::sync::{Mutex, MutexGuard, PoisonError};

use aws_models::Model;
use bytes::Bytes;
use http::{HeaderMap, StatusCode};
use serde_json::{Value, json};
use sha2::{Digest as _, Sha256};

pub(crate) use self::address::path;
use self::bodies::Bodies;
use self::bucket::Bucket;
use self::members::text;
pub(crate) use self::refusal::{invalid_input, malformed_xml};
use self::refusal::{no_such_bucket, refused};
use crate::call::Call;
use crate::error::AwsError;
use crate::settings::Settings;

/// Members that AWS would act on and this engine cannot.
const UNSUPPORTED: [&str; 23] = [
    "BucketNamespace",
    "BypassGovernanceRetention",
    "GrantFullControl",
    "GrantRead",
    "GrantReadACP",
    "GrantWrite",
    "GrantWriteACP",
    "IfMatchLastModifiedTime",
    "IfMatchSize",
    "MFA",
    "ObjectLockEventHold",
    "ObjectLockEventHoldDurationDays",
    "ObjectLockEventHoldDurationYears",
    "ObjectLockLegalHoldStatus",
    "ObjectLockMode",
    "ObjectLockRetainUntilDate",
    "PartNumber",
    "SSECustomerAlgorithm",
    "SSECustomerKey",
    "Tagging",
    "VersionId",
    "WebsiteRedirectLocation",
    "WriteOffsetBytes",
];

#[derive(Debug)]
pub(crate) struct S3 {
    region: String,
    account_id: String,
    buckets: Mutex<BTreeMap<String, Bucket>>,
    bodies: Bodies,
}

/// An answer: members that become headers or a document, or bytes.
#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) status: StatusCode,
    pub(crate) members: Value,
    pub(crate) body: Bytes,
}

impl Answer {
    fn of(members: Value) -> Self {
        Self { status: StatusCode::OK, members, body: Bytes::new() }
    }

    fn empty() -> Self {
        Self { status: StatusCode::NO_CONTENT, members: json!({}), body: Bytes::new() }
    }
}

/// Takes a body out of its chunks and checks it against what the request says about it. The body is returned even if it
/// is refused.
pub(crate) fn receive(
    model: Option<&Model>,
    operation: &str,
    headers: &mut HeaderMap,
    body: Bytes,
) -> (Bytes, Result<(), AwsError>) {
    let body = match framing::unframe(headers, body.clone()) {
        Ok(body) => body,
        Err(error) => return (body, Err(error)),
    };
    let needed = model
        .and_then(|model| model.operations.get(operation))
        .is_some_and(|operation| operation.needs_checksum);
    let is_there = headers
        .keys()
        .any(|name| name.as_str().starts_with("x-amz-checksum-") || name.as_str() == "content-md5");
    let checked = if needed && !is_there {
        let message = "Missing required header for this request: Content-MD5 OR x-amz-checksum-*";
        Err(AwsError::bad_request("InvalidRequest", message))
    } else {
        checksum::verify(headers, &body)
    };
    (body, checked)
}

impl S3 {
    pub(crate) fn new(settings: &Settings) -> Self {
        Self {
            region: settings.region.clone(),
            account_id: settings.account_id.clone(),
            buckets: Mutex::default(),
            bodies: Bodies::new(settings),
        }
    }

    pub(crate) async fn answer(&self, call: &Call) -> Result<Answer, AwsError> {
        self.check_members(call)?;
        match call.operation.as_str() {
            "PutObject" => self.put_object(call).await,
            "GetObject" => self.get_object(call).await,
            "HeadObject" => self.head_object(call),
            "DeleteObject" => self.delete_object(call),
            "DeleteObjects" => self.delete_objects(call),
            "ListObjectsV2" => self.list_objects(call),
            "CreateBucket" => self.create_bucket(call),
            "DeleteBucket" => self.delete_bucket(call),
            "HeadBucket" => self.head_bucket(call),
            "ListBuckets" => self.list_buckets(call),
            "GetBucketLocation" => self.bucket_location(call),
            _ => self.configure(call).unwrap_or_else(|| Err(call.not_supported())),
        }
    }

    fn check_members(&self, call: &Call) -> Result<(), AwsError> {
        let is_given = |name: &&str| call.input.get(name).is_some_and(|value| !value.is_object());
        let condition = ["IfMatch"].into_iter().filter(|_| call.operation == "DeleteObject");
        if let Some(name) = UNSUPPORTED.into_iter().chain(condition).find(is_given) {
            let message = format!("The local cloud does not support {name} in {}", call.operation);
            return Err(refused(StatusCode::NOT_IMPLEMENTED, "NotImplemented", message));
        }
        match call.input["ExpectedBucketOwner"].as_str() {
            Some(owner) if owner != self.account_id => {
                Err(refused(StatusCode::FORBIDDEN, "AccessDenied", "Access Denied"))
            }
            _ => Ok(()),
        }
    }

    fn list_objects(&self, call: &Call) -> Result<Answer, AwsError> {
        let owner = self.owner();
        let mut buckets = self.buckets();
        let bucket = Self::bucket(&mut buckets, &call.input)?;
        listing::list(bucket, text(&call.input, "Bucket"), &call.input, &owner).map(Answer::of)
    }

    /// Returns the canonical id of the account, which S3 alone uses.
    fn owner(&self) -> String {
        hex::encode(Sha256::digest(self.account_id.as_bytes()))
    }

    fn bucket<'a>(
        buckets: &'a mut BTreeMap<String, Bucket>,
        input: &Value,
    ) -> Result<&'a mut Bucket, AwsError> {
        let name = text(input, "Bucket");
        buckets.get_mut(name).ok_or_else(|| no_such_bucket(name))
    }

    fn buckets(&self) -> MutexGuard<'_, BTreeMap<String, Bucket>> {
        self.buckets.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
