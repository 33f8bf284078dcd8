//! `ListObjectsV2`: keys in the order of their bytes, those below a delimiter rolled up, in pages.

use std::ops::Bound;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde_json::{Value, json};

use super::bucket::Bucket;
use super::object::Object;
use super::refusal::invalid_argument;
use crate::error::AwsError;

/// The largest page, in keys and common prefixes.
const MAX_KEYS: i64 = 1_000;

pub(super) fn list(bucket: &Bucket, name: &str, input: &Value, owner: &str) -> Result<Value, AwsError> {
    let text = |member: &str| input[member].as_str().unwrap_or_default();
    let max_keys = input["MaxKeys"].as_i64().unwrap_or(MAX_KEYS);
    if !(0..=i64::from(i32::MAX)).contains(&max_keys) {
        let message = "Argument maxKeys must be an integer between 0 and 2147483647";
        return Err(invalid_argument(message, "maxKeys", &max_keys.to_string()));
    }
    let limit = usize::try_from(max_keys.min(MAX_KEYS)).unwrap_or_default();
    let (prefix, delimiter) = (text("Prefix"), text("Delimiter"));
    let after = match input["ContinuationToken"].as_str() {
        Some(token) => position(token)?,
        None => text("StartAfter").to_owned(),
    };
    let page = page(bucket, prefix, delimiter, after, limit);
    let is_encoded = text("EncodingType") == "url";
    let shown = |text: &str| if is_encoded { encoded(text) } else { text.to_owned() };
    let contents: Vec<_> = page
        .objects
        .iter()
        .map(|(key, object)| {
            let mut entry = json!({
                "Key": shown(key),
                "LastModified": object.modified.as_second(),
                "ETag": object.etag,
                "ChecksumAlgorithm": [object.checksum.algorithm.name()],
                "ChecksumType": "FULL_OBJECT",
                "Size": object.length,
                "StorageClass": object.storage_class,
            });
            if input["FetchOwner"] == true {
                entry["Owner"] = json!({"ID": owner});
            }
            entry
        })
        .collect();
    let prefixes: Vec<_> = page.prefixes.iter().map(|prefix| json!({"Prefix": shown(prefix)})).collect();
    let mut output = json!({
        "Name": name,
        "Prefix": shown(prefix),
        "MaxKeys": max_keys.min(MAX_KEYS),
        "KeyCount": contents.len() + prefixes.len(),
        "IsTruncated": page.next.is_some(),
        "Contents": contents,
        "CommonPrefixes": prefixes,
    });
    for member in ["ContinuationToken", "EncodingType"] {
        if let Some(given) = input[member].as_str() {
            output[member] = given.into();
        }
    }
    for member in ["Delimiter", "StartAfter"] {
        if let Some(given) = input[member].as_str() {
            output[member] = shown(given).into();
        }
    }
    if let Some(next) = page.next {
        output["NextContinuationToken"] = URL_SAFE_NO_PAD.encode(next).into();
    }
    Ok(output)
}

#[derive(Default)]
struct Page<'a> {
    objects: Vec<(&'a str, &'a Object)>,
    prefixes: Vec<String>,
    /// The key or common prefix behind which the next page begins.
    next: Option<String>,
}

fn page<'a>(bucket: &'a Bucket, prefix: &str, delimiter: &str, after: String, limit: usize) -> Page<'a> {
    let mut page = Page::default();
    let mut after = after;
    loop {
        let from =
            if after.as_str() < prefix { Bound::Included(prefix) } else { Bound::Excluded(after.as_str()) };
        let mut rest = bucket.objects.range::<str, _>((from, Bound::Unbounded));
        let found = rest.find(|(key, _)| !is_below(key, &after, prefix, delimiter));
        let Some((key, object)) = found.filter(|(key, _)| key.starts_with(prefix)) else { return page };
        if page.objects.len() + page.prefixes.len() == limit {
            page.next = (limit > 0).then_some(after);
            return page;
        }
        after = if let Some(common) = common_prefix(key, prefix, delimiter) {
            page.prefixes.push(common.to_owned());
            common.to_owned()
        } else {
            page.objects.push((key, object));
            key.clone()
        };
    }
}

/// Whether a key is rolled up in the common prefix that was listed last.
fn is_below(key: &str, last: &str, prefix: &str, delimiter: &str) -> bool {
    common_prefix(key, prefix, delimiter).is_some_and(|common| common == last)
}

/// Returns the part of a key up to the first delimiter behind the prefix.
fn common_prefix<'a>(key: &'a str, prefix: &str, delimiter: &str) -> Option<&'a str> {
    if delimiter.is_empty() {
        return None;
    }
    let end = key.strip_prefix(prefix)?.find(delimiter)?;
    key.get(..prefix.len() + end + delimiter.len())
}

fn position(token: &str) -> Result<String, AwsError> {
    let decoded = URL_SAFE_NO_PAD.decode(token).ok().and_then(|bytes| String::from_utf8(bytes).ok());
    decoded.filter(|position| !position.is_empty()).ok_or_else(|| {
        invalid_argument("The continuation token provided is incorrect", "continuation-token", token)
    })
}

/// Encodes a key for clients that ask for it, because XML cannot carry every character.
fn encoded(text: &str) -> String {
    let encoded: String = form_urlencoded::byte_serialize(text.as_bytes()).collect();
    encoded.replace("%2F", "/")
}
