//! The tags of topics.

use std::collections::BTreeMap;

use http::StatusCode;
use serde::Deserialize;
use serde_json::{Value, json};

use super::errors::{invalid_parameter, no_value};
use super::registry::Registry;
use super::topic::Topic;
use crate::reply::AwsError;

/// SNS developer guide, "Amazon SNS topic tagging".
const MAX_TAGS: usize = 50;
const MAX_KEY: usize = 128;
const MAX_VALUE: usize = 256;

#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct Tag {
    #[serde(default)]
    key: String,
    #[serde(default)]
    value: String,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct TagResource {
    resource_arn: Option<String>,
    tags: Option<Vec<Tag>>,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct UntagResource {
    resource_arn: Option<String>,
    tag_keys: Option<Vec<String>>,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct ListTags {
    resource_arn: Option<String>,
}

/// Checks the tags of a request.
pub(super) fn checked(tags: Vec<Tag>) -> Result<BTreeMap<String, String>, AwsError> {
    let mut checked = BTreeMap::new();
    for Tag { key, value } in tags {
        if key.is_empty() || key.chars().count() > MAX_KEY || value.chars().count() > MAX_VALUE {
            return Err(invalid_parameter(format!(
                "Tags Reason: a key has 1 to {MAX_KEY} characters and a value up to {MAX_VALUE}"
            )));
        }
        if key.get(..4).is_some_and(|prefix| prefix.eq_ignore_ascii_case("aws:")) {
            return Err(invalid_parameter(
                "Tags Reason: aws: prefixed tag key names are not allowed for external use.",
            ));
        }
        if checked.insert(key, value).is_some() {
            return Err(invalid_parameter("Duplicated keys are not allowed."));
        }
    }
    if checked.len() > MAX_TAGS { Err(too_many()) } else { Ok(checked) }
}

pub(super) fn tag(registry: &Registry, input: TagResource) -> Result<Value, AwsError> {
    let tags = checked(input.tags.ok_or_else(|| no_value("Tags"))?)?;
    change(registry, input.resource_arn, |topic| {
        let new = tags.keys().filter(|key| !topic.tags.contains_key(*key)).count();
        if topic.tags.len() + new > MAX_TAGS {
            return Err(too_many());
        }
        topic.tags.extend(tags);
        Ok(())
    })
}

pub(super) fn untag(registry: &Registry, input: UntagResource) -> Result<Value, AwsError> {
    let keys = input.tag_keys.ok_or_else(|| no_value("TagKeys"))?;
    change(registry, input.resource_arn, |topic| {
        for key in &keys {
            topic.tags.remove(key);
        }
        Ok(())
    })
}

pub(super) fn list(registry: &Registry, input: ListTags) -> Result<Value, AwsError> {
    let arn = input.resource_arn.ok_or_else(|| no_value("ResourceArn"))?;
    registry.home.check_topic("ResourceArn", &arn)?;
    let topics = registry.read();
    let topic = topics.get(&arn).ok_or_else(not_found)?;
    let tags: Vec<_> = topic.tags.iter().map(|(key, value)| json!({"Key": key, "Value": value})).collect();
    Ok(json!({"Tags": tags}))
}

fn change(
    registry: &Registry,
    arn: Option<String>,
    change: impl FnOnce(&mut Topic) -> Result<(), AwsError>,
) -> Result<Value, AwsError> {
    let arn = arn.ok_or_else(|| no_value("ResourceArn"))?;
    registry.home.check_topic("ResourceArn", &arn)?;
    let mut topics = registry.write();
    let topic = topics.get_mut(&arn).ok_or_else(not_found)?;
    change(topic)?;
    topic.account(&registry.budget)?;
    Ok(json!({}))
}

fn not_found() -> AwsError {
    AwsError::new(StatusCode::NOT_FOUND, "ResourceNotFound", "Resource does not exist")
}

fn too_many() -> AwsError {
    AwsError::bad_request(
        "TagLimitExceeded",
        "Could not complete request: tag quota of per resource exceeded",
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tags(keys: &[&str]) -> Result<BTreeMap<String, String>, AwsError> {
        checked(keys.iter().map(|key| Tag { key: (*key).into(), value: "v".into() }).collect())
    }

    #[test]
    fn keys_are_distinct_and_not_awss() {
        assert!(tags(&["a", "b"]).is_ok());
        assert_eq!(
            tags(&["a", "a"]).unwrap_err().message,
            "Invalid parameter: Duplicated keys are not allowed."
        );
        for key in ["", "aws:x", "AWS:x", &"k".repeat(129)] {
            assert_eq!(tags(&[key]).unwrap_err().code, "InvalidParameter");
        }
    }

    #[test]
    fn a_topic_has_up_to_50() {
        let keys: Vec<_> = (0..51).map(|i| i.to_string()).collect();
        let keys: Vec<_> = keys.iter().map(String::as_str).collect();
        assert!(tags(&keys[..50]).is_ok());
        assert_eq!(tags(&keys).unwrap_err().code, "TagLimitExceeded");
    }
}
