//! The tags of a group or a sampling rule (<https://docs.aws.amazon.com/xray/latest/api/API_Tag.html>).

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};

use super::error::ControlError;

/// Quotas "Tags per group" and "Tags per custom sampling rule"
/// (<https://docs.aws.amazon.com/general/latest/gr/xray.html>).
const MAX_TAGS: usize = 50;
/// Keys with this prefix are AWS's.
const RESERVED_PREFIX: &str = "aws:";

/// A tag of a request or a response.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(crate) struct Tag {
    pub(crate) key: String,
    pub(crate) value: String,
}

/// The tags of a resource, by key.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub(crate) struct Tags(BTreeMap<String, String>);

impl Tags {
    /// Returns the tags of a resource that is being created.
    pub(crate) fn new(tags: &[Tag]) -> Result<Self, ControlError> {
        let mut all = Self::default();
        all.add(tags, "").map_err(|error| match error {
            // Not among the errors that the model has for the operations that create something.
            ControlError::TooManyTags { .. } => ControlError::invalid(format!("Tags: {error}")),
            other => other,
        })?;
        Ok(all)
    }

    /// Adds tags to a resource, and replaces those with the same keys.
    pub(crate) fn add(&mut self, tags: &[Tag], resource: &str) -> Result<(), ControlError> {
        check(tags)?;
        let new = tags.iter().filter(|tag| !self.0.contains_key(&tag.key)).count();
        if self.0.len() + new > MAX_TAGS {
            return Err(ControlError::TooManyTags { quota: MAX_TAGS, resource: resource.to_owned() });
        }
        self.0.extend(tags.iter().map(|tag| (tag.key.clone(), tag.value.clone())));
        Ok(())
    }

    /// Removes the tags with these keys, as far as there are any.
    pub(crate) fn remove(&mut self, keys: &[String]) -> Result<(), ControlError> {
        if let Some(key) = keys.iter().find(|key| key.starts_with(RESERVED_PREFIX)) {
            return Err(reserved("TagKeys", key));
        }
        self.0.retain(|key, _| !keys.contains(key));
        Ok(())
    }

    /// Returns the tags in the order of their keys.
    pub(crate) fn iter(&self) -> impl Iterator<Item = Tag> {
        self.0.iter().map(|(key, value)| Tag { key: key.clone(), value: value.clone() })
    }
}

fn check(tags: &[Tag]) -> Result<(), ControlError> {
    let mut keys = BTreeSet::new();
    for Tag { key, value } in tags {
        if key.starts_with(RESERVED_PREFIX) {
            return Err(reserved("Tags", key));
        }
        if let Some(character) = key.chars().chain(value.chars()).find(|character| !is_valid(*character)) {
            return Err(ControlError::invalid(format!(
                "Tags has {character:?} in the key or the value of {key:?}: use letters, digits, spaces and _ . : / = + - @"
            )));
        }
        if !keys.insert(key) {
            return Err(ControlError::invalid(format!("Tags has the key {key:?} more than once")));
        }
    }
    Ok(())
}

fn reserved(member: &str, key: &str) -> ControlError {
    ControlError::invalid(format!(
        "{member} has the key {key:?}: the prefix {RESERVED_PREFIX} is reserved for AWS"
    ))
}

fn is_valid(character: char) -> bool {
    character.is_alphanumeric() || character == ' ' || "_.:/=+-@".contains(character)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tag(key: &str, value: &str) -> Tag {
        Tag { key: key.to_owned(), value: value.to_owned() }
    }

    fn numbered(numbers: std::ops::Range<usize>) -> Vec<Tag> {
        numbers.map(|number| tag(&format!("key-{number:03}"), "")).collect()
    }

    #[test]
    fn a_tag_replaces_the_one_with_its_key() {
        let mut tags = Tags::new(&[tag("Stage", "test"), tag("Team", "a b@c")]).unwrap();
        tags.add(&[tag("Stage", "prod")], "arn").unwrap();
        assert_eq!(tags.iter().collect::<Vec<_>>(), [tag("Stage", "prod"), tag("Team", "a b@c")]);
        tags.remove(&["Team".to_owned(), "unknown".to_owned()]).unwrap();
        assert_eq!(tags.iter().collect::<Vec<_>>(), [tag("Stage", "prod")]);
    }

    #[test]
    fn a_resource_has_at_most_fifty_tags() {
        let mut tags = Tags::new(&numbered(0..50)).unwrap();
        tags.add(&numbered(10..20), "arn").unwrap();
        let error = tags.add(&numbered(50..51), "arn").unwrap_err();
        assert!(matches!(error, ControlError::TooManyTags { quota: 50, resource } if resource == "arn"));
        assert_eq!(tags.iter().count(), 50);
        assert!(matches!(Tags::new(&numbered(0..51)), Err(ControlError::InvalidRequest(_))));
    }

    #[test]
    fn what_a_tag_may_not_contain_is_named() {
        for (refused, reason) in [
            (vec![tag("aws:owner", "")], "aws: is reserved"),
            (vec![tag("a", "b#c")], "'#'"),
            (vec![tag("a", "1"), tag("a", "2")], "more than once"),
        ] {
            let error = Tags::new(&refused).unwrap_err().to_string();
            assert!(error.contains(reason), "{error}");
        }
        assert!(Tags::default().remove(&["aws:owner".to_owned()]).is_err());
    }
}
