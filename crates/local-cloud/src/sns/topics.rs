//! The operations on topics.

use std::collections::BTreeMap;
use std::ops::Bound;

use http::StatusCode;
use serde::Deserialize;
use serde_json::{Value, json};

use super::errors::{invalid_parameter, no_value, topic_not_found, unsupported};
use super::registry::Registry;
use super::tags::{self, Tag};
use super::topic::Topic;
use crate::page::{page, position};
use crate::reply::AwsError;

/// AWS General Reference, "Amazon SNS quotas"; FIFO topics have a smaller quota, 1,000.
const MAX_TOPICS: usize = 100_000;
const MAX_FIFO_TOPICS: usize = 1000;
const PAGE: usize = 100;

#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct CreateTopic {
    name: Option<String>,
    #[serde(default)]
    attributes: BTreeMap<String, String>,
    #[serde(default)]
    tags: Vec<Tag>,
    data_protection_policy: Option<String>,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct TopicArn {
    topic_arn: Option<String>,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct SetTopicAttributes {
    topic_arn: Option<String>,
    attribute_name: Option<String>,
    #[serde(default)]
    attribute_value: String,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct ListTopics {
    next_token: Option<String>,
}

impl TopicArn {
    pub(super) fn required(self) -> Result<String, AwsError> {
        self.topic_arn.ok_or_else(|| no_value("TopicArn"))
    }
}

pub(super) fn create(registry: &Registry, input: CreateTopic) -> Result<Value, AwsError> {
    let name = input.name.ok_or_else(|| no_value("Name"))?;
    if input.data_protection_policy.is_some() {
        return Err(unsupported("DataProtectionPolicy", "data protection policies"));
    }
    let mut topic = Topic::new(&name, &input.attributes, &registry.home)?;
    topic.tags = tags::checked(input.tags)?;
    let arn = topic.arn.clone();
    let mut topics = registry.write();
    if let Some(existing) = topics.get(&arn) {
        if !existing.has_attributes_of(&topic, &registry.home) {
            return Err(differs("Attributes", "attributes"));
        }
        if topic.tags.iter().any(|(key, value)| existing.tags.get(key) != Some(value)) {
            return Err(differs("Tags", "tags"));
        }
    } else {
        let fifo = topics.values().filter(|topic| topic.is_fifo()).count();
        if topics.len() >= MAX_TOPICS || topic.is_fifo() && fifo >= MAX_FIFO_TOPICS {
            let message = "Topic limit exceeded";
            return Err(AwsError::new(StatusCode::FORBIDDEN, "TopicLimitExceeded", message));
        }
        topic.account(&registry.budget)?;
        topics.insert(arn.clone(), topic);
    }
    Ok(json!({"TopicArn": arn}))
}

fn differs(parameter: &str, what: &str) -> AwsError {
    invalid_parameter(format!("{parameter} Reason: Topic already exists with different {what}"))
}

/// Deletes a topic with its subscriptions; one that does not exist is no error.
pub(super) fn delete(registry: &Registry, input: TopicArn) -> Result<Value, AwsError> {
    let arn = input.required()?;
    registry.home.check_topic("TopicArn", &arn)?;
    registry.write().remove(&arn);
    Ok(json!({}))
}

pub(super) fn attributes(registry: &Registry, input: TopicArn) -> Result<Value, AwsError> {
    registry
        .with_topic(&input.required()?, |topic| json!({"Attributes": topic.all_attributes(&registry.home)}))
}

pub(super) fn set_attributes(registry: &Registry, input: SetTopicAttributes) -> Result<Value, AwsError> {
    let arn = input.topic_arn.ok_or_else(|| no_value("TopicArn"))?;
    let name = input.attribute_name.ok_or_else(|| no_value("AttributeName"))?;
    registry.home.check_topic("TopicArn", &arn)?;
    let mut topics = registry.write();
    let topic = topics.get_mut(&arn).ok_or_else(topic_not_found)?;
    topic.set(&name, &input.attribute_value)?;
    topic.account(&registry.budget)?;
    Ok(json!({}))
}

pub(super) fn list(registry: &Registry, input: &ListTopics) -> Result<Value, AwsError> {
    let after = position(input.next_token.as_deref()).map_err(|_| invalid_parameter("NextToken"))?;
    let start = after.map_or(Bound::Unbounded, Bound::Excluded);
    let topics = registry.read();
    let arns = topics.range((start, Bound::Unbounded)).map(|(arn, _)| arn);
    let here = arns.filter(|arn| registry.home.has_topic(arn));
    Ok(page("Topics", PAGE, here.map(|arn| (arn.clone(), json!({"TopicArn": arn})))))
}
