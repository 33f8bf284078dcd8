//! Objects: writing, reading and deleting them.

use std::ops::Range;
use std::sync::Arc;

use bytes::Bytes;
use http::StatusCode;
use jiff::Timestamp;
use md5::{Digest as _, Md5};
use serde_json::{Map, Value, json};
use uuid::Uuid;

use super::bodies::is_full;
use super::bucket::Bucket;
use super::checksum::Checksum;
use super::conditions::{self, Read};
use super::members::text;
use super::object::{GIVEN, Object, of_checksum};
use super::range::{self, Wanted};
use super::refusal::{invalid_argument, malformed_xml, no_such_key, refused, telling};
use super::{Answer, S3};
use crate::call::Call;
use crate::error::AwsError;

/// What an object takes in memory besides its texts.
const OVERHEAD_BYTES: usize = 1_000;
const MAX_KEY_BYTES: usize = 1_024;
const MAX_METADATA_BYTES: usize = 2_048;
/// Most objects that one request deletes.
const MAX_DELETED: usize = 1_000;

impl S3 {
    pub(super) async fn put_object(&self, call: &Call) -> Result<Answer, AwsError> {
        let (input, key) = (&call.input, text(&call.input, "Key"));
        check_key(key)?;
        let metadata_bytes = check_metadata(&input["Metadata"])?;
        check_acl(input)?;
        let (mut members, kms) = {
            let mut buckets = self.buckets();
            encryption(Self::bucket(&mut buckets, input)?, input)?
        };
        members.extend(GIVEN.into_iter().chain(["Metadata"]).filter_map(|name| {
            let given = input.get(name).filter(|given| !given.is_null())?;
            Some((name.to_owned(), given.clone()))
        }));
        members.entry("ContentType").or_insert_with(|| "binary/octet-stream".into());
        let given: usize = members.values().filter_map(Value::as_str).map(str::len).sum();
        let body = call.body.clone();
        let checksum = Checksum::sent(&call.headers).unwrap_or_else(|| Checksum::added(&body));
        let (length, etag) = (body.len(), etag(&body, kms));
        let others = OVERHEAD_BYTES + key.len() + metadata_bytes + given;
        let body = match self.bodies.keep(body.clone(), others).await {
            Err(error) if is_full(&error) && self.make_room() => self.bodies.keep(body, others).await?,
            kept => kept?,
        };
        let mut output: Map<_, _> = of_checksum(&checksum).into_iter().collect();
        output.insert("ETag".to_owned(), etag.as_str().into());
        for name in ["ServerSideEncryption", "SSEKMSKeyId", "BucketKeyEnabled"] {
            if let Some(value) = members.get(name) {
                output.insert(name.to_owned(), value.clone());
            }
        }
        let storage_class = input["StorageClass"].as_str().unwrap_or("STANDARD").to_owned();
        let modified = Timestamp::now();
        let object = Arc::new(Object { body, length, etag, modified, checksum, storage_class, members });
        // Condition and write are one step: of two clients that create an object, one is refused.
        let mut buckets = self.buckets();
        let bucket = Self::bucket(&mut buckets, input)?;
        conditions::may_write(input, key, bucket.objects.get(key).map(Arc::as_ref))?;
        let replaced = bucket.objects.insert(key.to_owned(), object);
        drop(buckets);
        drop(replaced);
        Ok(Answer::of(Value::Object(output)))
    }

    /// Deletes an eighth of the objects of every bucket in which objects expire, those that were written first. Returns
    /// whether there were any. A laptop's room is used up before a day is over, and S3's never.
    fn make_room(&self) -> bool {
        let mut buckets = self.buckets();
        let mut deleted = Vec::new();
        for (name, bucket) in buckets.iter_mut().filter(|(_, bucket)| bucket.expires()) {
            let oldest = bucket.remove_oldest();
            tracing::info!(bucket = name, objects = oldest.len(), "objects expired early to make room");
            deleted.extend(oldest);
        }
        drop(buckets);
        !deleted.is_empty()
    }

    pub(super) async fn get_object(&self, call: &Call) -> Result<Answer, AwsError> {
        let (object, read) = self.read(&call.input)?;
        if read == Read::NotModified {
            return Ok(not_modified(&object));
        }
        let (range, status) = range_of(&call.input, &object)?;
        let body = object.body.read().await?;
        let members = described(&call.input, &object, &range, status);
        Ok(Answer { status, members, body: part(&body, range) })
    }

    pub(super) fn head_object(&self, call: &Call) -> Result<Answer, AwsError> {
        let (object, read) = self.read(&call.input)?;
        if read == Read::NotModified {
            return Ok(not_modified(&object));
        }
        let (range, status) = range_of(&call.input, &object)?;
        let members = described(&call.input, &object, &range, status);
        Ok(Answer { status, members, body: Bytes::new() })
    }

    fn read(&self, input: &Value) -> Result<(Arc<Object>, Read), AwsError> {
        let key = text(input, "Key");
        let object = {
            let mut buckets = self.buckets();
            Self::bucket(&mut buckets, input)?.objects.get(key).cloned()
        };
        let object = object.ok_or_else(|| no_such_key(key))?;
        let read = conditions::may_read(input, &object)?;
        Ok((object, read))
    }

    pub(super) fn delete_object(&self, call: &Call) -> Result<Answer, AwsError> {
        let mut buckets = self.buckets();
        let deleted = Self::bucket(&mut buckets, &call.input)?.objects.remove(text(&call.input, "Key"));
        drop(buckets);
        drop(deleted);
        Ok(Answer::empty())
    }

    pub(super) fn delete_objects(&self, call: &Call) -> Result<Answer, AwsError> {
        let asked = &call.input["Delete"];
        let objects = asked["Objects"].as_array().map(Vec::as_slice).unwrap_or_default();
        if objects.is_empty() || objects.len() > MAX_DELETED {
            return Err(malformed_xml());
        }
        if let Some(condition) = objects.iter().find_map(conditional) {
            let message = format!("The local cloud does not support {condition} in DeleteObjects");
            return Err(refused(StatusCode::NOT_IMPLEMENTED, "NotImplemented", message));
        }
        let mut buckets = self.buckets();
        let bucket = Self::bucket(&mut buckets, &call.input)?;
        let keys: Vec<_> = objects.iter().map(|object| text(object, "Key")).collect();
        let deleted: Vec<_> = keys.iter().filter_map(|key| bucket.objects.remove(*key)).collect();
        drop(buckets);
        drop(deleted);
        let told: Vec<_> = if asked["Quiet"] == true {
            Vec::new()
        } else {
            keys.into_iter().map(|key| json!({ "Key": key })).collect()
        };
        Ok(Answer::of(json!({ "Deleted": told })))
    }
}

fn conditional(object: &Value) -> Option<&'static str> {
    ["VersionId", "ETag", "LastModifiedTime", "Size"].into_iter().find(|name| object.get(name).is_some())
}

/// Returns the range of bytes that a read asks for, and the status for it.
fn range_of(input: &Value, object: &Object) -> Result<(Range<usize>, StatusCode), AwsError> {
    let header = input["Range"].as_str();
    match range::wanted(header, object.length) {
        Wanted::All => Ok((0..object.length, StatusCode::OK)),
        Wanted::Part(part) => Ok((part, StatusCode::PARTIAL_CONTENT)),
        Wanted::Nothing => Err(unsatisfiable(header.unwrap_or_default(), object.length)),
    }
}

fn described(input: &Value, object: &Object, range: &Range<usize>, status: StatusCode) -> Value {
    let is_part = status == StatusCode::PARTIAL_CONTENT;
    let mut members = object.described(input["ChecksumMode"] == "ENABLED" && !is_part);
    if is_part {
        let of = object.length;
        members.insert("ContentLength".to_owned(), range.len().into());
        let shown = format!("bytes {}-{}/{of}", range.start, range.end.saturating_sub(1));
        members.insert("ContentRange".to_owned(), shown.into());
    }
    for name in GIVEN {
        if let Some(wanted) = input.get(format!("Response{name}")) {
            members.insert(name.to_owned(), wanted.clone());
        }
    }
    Value::Object(members)
}

/// Returns a part of the bytes; nothing if somebody has shortened their file.
fn part(body: &Bytes, range: Range<usize>) -> Bytes {
    if range.end <= body.len() { body.slice(range) } else { Bytes::new() }
}

fn not_modified(object: &Object) -> Answer {
    let members = json!({"ETag": object.etag, "LastModified": object.modified.as_second()});
    Answer { status: StatusCode::NOT_MODIFIED, members, body: Bytes::new() }
}

fn unsatisfiable(range: &str, length: usize) -> AwsError {
    let message = "The requested range is not satisfiable";
    let error = refused(StatusCode::RANGE_NOT_SATISFIABLE, "InvalidRange", message);
    telling(telling(error, "ActualObjectSize", length), "RangeRequested", range)
}

fn check_key(key: &str) -> Result<(), AwsError> {
    if key.len() <= MAX_KEY_BYTES {
        return Ok(());
    }
    let error = AwsError::bad_request("KeyTooLongError", "Your key is too long");
    Err(telling(telling(error, "Size", key.len()), "MaxSizeAllowed", MAX_KEY_BYTES))
}

/// Returns the bytes of the metadata's names and values, which AWS limits together.
fn check_metadata(metadata: &Value) -> Result<usize, AwsError> {
    let entries = metadata.as_object().into_iter().flatten();
    let bytes = entries.map(|(name, value)| name.len() + value.as_str().map_or(0, str::len)).sum();
    if bytes <= MAX_METADATA_BYTES {
        return Ok(bytes);
    }
    let message = "Your metadata headers exceed the maximum allowed metadata size";
    let error = AwsError::bad_request("MetadataTooLarge", message);
    Err(telling(telling(error, "Size", bytes), "MaxSizeAllowed", MAX_METADATA_BYTES))
}

/// Access control lists are switched off in new buckets.
pub(super) fn check_acl(input: &Value) -> Result<(), AwsError> {
    match input["ACL"].as_str() {
        None | Some("private" | "bucket-owner-full-control") => Ok(()),
        Some(_) => {
            Err(AwsError::bad_request("AccessControlListNotSupported", "The bucket does not allow ACLs"))
        }
    }
}

/// Returns the members about an object's encryption, and whether a key of KMS is used.
fn encryption(bucket: &Bucket, input: &Value) -> Result<(Map<String, Value>, bool), AwsError> {
    let configured = bucket.encryption();
    let by_default = &configured["Rules"][0]["ApplyServerSideEncryptionByDefault"];
    let (algorithm, key) = match input["ServerSideEncryption"].as_str() {
        Some(algorithm) => (algorithm, input["SSEKMSKeyId"].as_str()),
        None => (
            by_default["SSEAlgorithm"].as_str().unwrap_or("AES256"),
            input["SSEKMSKeyId"].as_str().or(by_default["KMSMasterKeyID"].as_str()),
        ),
    };
    let kms = algorithm.starts_with("aws:kms");
    if !kms && let Some(key) = key {
        let message = "Server Side Encryption with AWS KMS managed key requires HTTP header \
                       x-amz-server-side-encryption : aws:kms";
        return Err(invalid_argument(message, "x-amz-server-side-encryption-aws-kms-key-id", key));
    }
    let mut members = Map::from_iter([("ServerSideEncryption".to_owned(), algorithm.into())]);
    if let Some(key) = key.filter(|_| kms) {
        members.insert("SSEKMSKeyId".to_owned(), key.into());
    }
    if kms && configured["Rules"][0]["BucketKeyEnabled"] == true {
        members.insert("BucketKeyEnabled".to_owned(), true.into());
    }
    Ok((members, kms))
}

/// Returns the entity tag: the MD5 of the bytes, except with keys of KMS, where AWS promises nothing but a tag.
fn etag(bytes: &[u8], kms: bool) -> String {
    let mut digest = Md5::new();
    digest.update(bytes);
    if kms {
        digest.update(Uuid::new_v4().as_bytes());
    }
    format!("\"{}\"", hex::encode(digest.finalize()))
}
