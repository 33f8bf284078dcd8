//! Conditions of requests: on what a write finds (Amazon S3 user guide, "Conditional requests"), and on what a read
//! returns (RFC 9110, 13).

use serde_json::Value;

use super::object::Object;
use super::refusal::{no_such_key, not_implemented, precondition_failed};
use crate::error::AwsError;

/// Decides whether a write may replace what is there.
pub(super) fn may_write(input: &Value, key: &str, present: Option<&Object>) -> Result<(), AwsError> {
    let (if_match, if_none_match) = (input["IfMatch"].as_str(), input["IfNoneMatch"].as_str());
    match (if_match, if_none_match) {
        (None, Some("*")) if present.is_some() => Err(precondition_failed("If-None-Match")),
        (None, None | Some("*")) => Ok(()),
        // S3 knows no other value for writes, and not both headers.
        (_, Some(_)) => Err(not_implemented("If-None-Match")),
        (Some(wanted), None) => match present {
            None => Err(no_such_key(key)),
            Some(object) if is_one_of(wanted, &object.etag) => Ok(()),
            Some(_) => Err(precondition_failed("If-Match")),
        },
    }
}

/// What a read is answered with.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Read {
    Content,
    NotModified,
}

/// Decides what a read returns. A condition on tags takes precedence over the one on time.
pub(super) fn may_read(input: &Value, object: &Object) -> Result<Read, AwsError> {
    let modified = object.modified.as_second();
    if let Some(wanted) = input["IfMatch"].as_str() {
        if !is_one_of(wanted, &object.etag) {
            return Err(precondition_failed("If-Match"));
        }
    } else if input["IfUnmodifiedSince"].as_i64().is_some_and(|since| modified > since) {
        return Err(precondition_failed("If-Unmodified-Since"));
    }
    let unchanged = match input["IfNoneMatch"].as_str() {
        Some(known) => is_one_of(known, &object.etag),
        None => input["IfModifiedSince"].as_i64().is_some_and(|since| modified <= since),
    };
    Ok(if unchanged { Read::NotModified } else { Read::Content })
}

/// Whether a tag is in a list of tags, which may lack their quotation marks.
fn is_one_of(tags: &str, etag: &str) -> bool {
    tags == "*" || tags.split(',').any(|tag| tag.trim().trim_matches('"') == etag.trim_matches('"'))
}
