//! The operations on subscriptions.

use std::collections::BTreeMap;
use std::ops::Bound;
use std::sync::Arc;

use http::StatusCode;
use serde::Deserialize;
use serde_json::{Value, json};
use uuid::Uuid;

use super::arn;
use super::errors::{
    Given, invalid_parameter, no_value, out_of_memory, subscription_not_found, topic_not_found,
};
use super::protocol;
use super::registry::{Registry, Topics, subscription};
use super::subscription::Subscription;
use super::topic::Topic;
use crate::page::{page, position};
use crate::reply::AwsError;

/// Bounds memory. AWS's quota is 12,500,000, or 100 for a FIFO topic.
const MAX_SUBSCRIPTIONS: usize = 10_000;
const MAX_FIFO_SUBSCRIPTIONS: usize = 100;
/// AWS General Reference, "Amazon SNS quotas": filter policies of a topic.
const MAX_FILTERS: usize = 200;
/// A token of `ConfirmSubscription` has about 230 to 300 hexadecimal digits.
const MIN_TOKEN: usize = 64;
const PAGE: usize = 100;

#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct Subscribe {
    topic_arn: Option<String>,
    protocol: Option<String>,
    #[serde(default)]
    endpoint: String,
    #[serde(default)]
    attributes: BTreeMap<String, String>,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct SubscriptionArn {
    subscription_arn: Option<String>,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct SetSubscriptionAttributes {
    subscription_arn: Option<String>,
    attribute_name: Option<String>,
    #[serde(default)]
    attribute_value: String,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct List {
    topic_arn: Option<String>,
    next_token: Option<String>,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct Confirm {
    topic_arn: Option<String>,
    token: Option<String>,
}

pub(super) fn subscribe(registry: &Registry, input: &Subscribe) -> Result<Value, AwsError> {
    let home = &registry.home;
    let topic_arn = input.topic_arn.as_deref().ok_or_else(|| no_value("TopicArn"))?;
    home.check_topic("TopicArn", topic_arn)?;
    let protocol = input.protocol.as_deref().ok_or_else(|| no_value("Protocol"))?;
    protocol::check(protocol, &input.endpoint)?;
    let mut topics = registry.write();
    let topic = topics.get_mut(topic_arn).ok_or_else(topic_not_found)?;
    if protocol == protocol::SQS && arn::is_fifo(&input.endpoint) && !topic.is_fifo() {
        // AWS opens this message twice.
        return Err(invalid_parameter(
            "Invalid parameter: Endpoint Reason: FIFO SQS Queues can not be subscribed to standard SNS topics",
        ));
    }
    let same = |it: &&Arc<Subscription>| it.protocol == protocol && it.endpoint == input.endpoint;
    if let Some(existing) = topic.subscriptions.values().find(same) {
        let wanted = existing.as_ref().clone().with_all(&input.attributes, home)?;
        if wanted != **existing {
            return Err(invalid_parameter(
                "Attributes Reason: Subscription already exists with different attributes",
            ));
        }
        return Ok(json!({"SubscriptionArn": existing.arn()}));
    }
    let new = Subscription::new(topic_arn, protocol, &input.endpoint).with_all(&input.attributes, home)?;
    protocol::check_supported(protocol, &input.endpoint, home)?;
    check_limits(topic, &new)?;
    let arn = new.arn();
    keep(registry, topic, new)?;
    Ok(json!({"SubscriptionArn": arn}))
}

fn keep(registry: &Registry, topic: &mut Topic, subscription: Subscription) -> Result<(), AwsError> {
    let share = registry.budget.take(subscription.bytes());
    let share = share.ok_or_else(|| out_of_memory("SubscriptionLimitExceeded"))?;
    topic.shares.insert(subscription.id, share);
    topic.subscriptions.insert(subscription.id, Arc::new(subscription));
    Ok(())
}

fn check_limits(topic: &Topic, new: &Subscription) -> Result<(), AwsError> {
    let max = if topic.is_fifo() { MAX_FIFO_SUBSCRIPTIONS } else { MAX_SUBSCRIPTIONS };
    if topic.subscriptions.len() >= max {
        return Err(limit_exceeded("SubscriptionLimitExceeded", "Subscription limit exceeded"));
    }
    check_filters(topic, new)
}

fn check_filters(topic: &Topic, new: &Subscription) -> Result<(), AwsError> {
    let others = topic.subscriptions.values().filter(|it| it.filter.is_some() && it.id != new.id).count();
    if new.filter.is_some() && others >= MAX_FILTERS {
        return Err(limit_exceeded("FilterPolicyLimitExceeded", "Filter policy limit exceeded"));
    }
    Ok(())
}

fn limit_exceeded(code: &'static str, message: &str) -> AwsError {
    AwsError::new(StatusCode::FORBIDDEN, code, message)
}

/// Removes a subscription; one that does not exist is no error.
pub(super) fn unsubscribe(registry: &Registry, input: &SubscriptionArn) -> Result<Value, AwsError> {
    let (topic, id) = parse(input.subscription_arn.as_deref())?;
    if let Some(topic) = registry.write().get_mut(topic)
        && topic.subscriptions.remove(&id).is_some()
    {
        topic.shares.remove(&id);
        topic.unsubscribed += 1;
    }
    Ok(json!({}))
}

pub(super) fn attributes(registry: &Registry, input: &SubscriptionArn) -> Result<Value, AwsError> {
    let (topic, id) = parse(input.subscription_arn.as_deref())?;
    let topics = registry.read();
    let subscription = subscription(&topics, topic, id).ok_or_else(subscription_not_found)?;
    Ok(json!({"Attributes": subscription.attributes(&registry.home)}))
}

pub(super) fn set_attributes(
    registry: &Registry,
    input: &SetSubscriptionAttributes,
) -> Result<Value, AwsError> {
    let (topic, id) = parse(input.subscription_arn.as_deref())?;
    let name = input.attribute_name.as_deref().ok_or_else(|| no_value("AttributeName"))?;
    let mut topics = registry.write();
    let existing = subscription(&topics, topic, id).ok_or_else(subscription_not_found)?.as_ref().clone();
    let changed = existing.with(name, &input.attribute_value, &registry.home, Given::Alone)?;
    if let Some(topic) = topics.get_mut(topic) {
        check_filters(topic, &changed)?;
        keep(registry, topic, changed)?;
    }
    Ok(json!({}))
}

fn parse(arn: Option<&str>) -> Result<(&str, Uuid), AwsError> {
    arn::subscription(arn.ok_or_else(|| no_value("SubscriptionArn"))?)
}

pub(super) fn list(registry: &Registry, input: &List) -> Result<Value, AwsError> {
    let topics = registry.read();
    let after = position(input.next_token.as_deref()).map_err(|_| no_token())?;
    let after = after.as_deref().map(arn::subscription).transpose().map_err(|_| no_token())?;
    let here = all_after(&topics, after).filter(|it| registry.home.has_topic(&it.topic_arn));
    Ok(page("Subscriptions", PAGE, here.map(|it| (it.arn(), it.summary(&registry.home)))))
}

/// Iterates over the subscriptions of all topics behind a position.
fn all_after<'a>(
    topics: &'a Topics,
    after: Option<(&'a str, Uuid)>,
) -> impl Iterator<Item = &'a Arc<Subscription>> {
    let (first, id) = match after {
        Some((topic, id)) => (Bound::Included(topic), Some((topic, id))),
        None => (Bound::Unbounded, None),
    };
    topics.range::<str, _>((first, Bound::Unbounded)).flat_map(move |(arn, topic)| {
        let start = match id {
            Some((topic, id)) if topic == arn => Bound::Excluded(id),
            _ => Bound::Unbounded,
        };
        topic.subscriptions.range((start, Bound::Unbounded)).map(|(_, subscription)| subscription)
    })
}

pub(super) fn list_by_topic(registry: &Registry, input: &List) -> Result<Value, AwsError> {
    let topic_arn = input.topic_arn.as_deref().ok_or_else(|| no_value("TopicArn"))?;
    let after = position(input.next_token.as_deref()).map_err(|_| no_token())?;
    let after = after.map(|id| Uuid::parse_str(&id)).transpose().map_err(|_| no_token())?;
    let start = after.map_or(Bound::Unbounded, Bound::Excluded);
    registry.with_topic(topic_arn, |topic| {
        let rest = topic.subscriptions.range((start, Bound::Unbounded));
        page("Subscriptions", PAGE, rest.map(|(id, it)| (id.to_string(), it.summary(&registry.home))))
    })
}

fn no_token() -> AwsError {
    invalid_parameter("NextToken")
}

/// Refuses every token: subscriptions of queues of the same account need no confirmation, and there are no others.
pub(super) fn confirm(registry: &Registry, input: &Confirm) -> Result<Value, AwsError> {
    let topic_arn = input.topic_arn.as_deref().ok_or_else(|| no_value("TopicArn"))?;
    let token = input.token.as_deref().ok_or_else(|| no_value("Token"))?;
    registry.home.check_topic("Topic", topic_arn).map_err(|_| invalid_parameter("Topic"))?;
    if token.len() < MIN_TOKEN || !token.chars().all(|c| c.is_ascii_hexdigit()) {
        return Err(AwsError::bad_request("InvalidParameter", "Invalid token"));
    }
    Err(invalid_parameter("Token"))
}
