//! Topics and the subscriptions of queues to them.

use std::collections::BTreeMap;

use aws_sdk_sns::Client;
use serde_json::json;
use topology::{TopicResource, TopicSubscription};

use crate::ProvisionError;
use crate::error::{absent, call, known, missing};

/// Creates the topics and returns each one's ARN by physical name.
pub(crate) async fn create(
    client: &Client,
    topics: &[TopicResource],
) -> Result<BTreeMap<String, String>, ProvisionError> {
    let mut arns = BTreeMap::new();
    for topic in topics {
        // CreateTopic returns the ARN of an existing topic.
        let arn = client
            .create_topic()
            .name(&topic.name)
            .send()
            .await
            .map_err(|error| call("CreateTopic", &topic.name, error))?
            .topic_arn
            .ok_or_else(|| missing("CreateTopic", &topic.name, "a TopicArn"))?;
        arns.insert(topic.name.clone(), arn);
    }
    Ok(arns)
}

/// Finds the ARNs of the topics, all of which must exist.
pub(crate) async fn locate(
    client: &Client,
    topics: &[TopicResource],
) -> Result<BTreeMap<String, String>, ProvisionError> {
    let arns = present(client, topics).await?;
    match topics.iter().find(|topic| !arns.contains_key(&topic.name)) {
        Some(topic) => Err(absent("topic", &topic.name)),
        None => Ok(arns),
    }
}

/// Finds the ARNs of the topics that exist.
pub(crate) async fn present(
    client: &Client,
    topics: &[TopicResource],
) -> Result<BTreeMap<String, String>, ProvisionError> {
    let mut pages = client.list_topics().into_paginator().items().send();
    let mut arns = BTreeMap::new();
    // SNS has no call that looks a topic up by its name.
    while let Some(topic) = pages.next().await {
        let arn = topic.map_err(|error| call("ListTopics", "all topics", error))?.topic_arn;
        if let Some((arn, name)) = arn.as_deref().and_then(|arn| Some((arn, arn.rsplit_once(':')?.1))) {
            arns.insert(name.to_owned(), arn.to_owned());
        }
    }
    arns.retain(|name, _| topics.iter().any(|topic| topic.name == *name));
    Ok(arns)
}

pub(crate) async fn subscribe(
    client: &Client,
    subscriptions: &[TopicSubscription],
    topic_arns: &BTreeMap<String, String>,
    queue_arns: &BTreeMap<String, String>,
) -> Result<(), ProvisionError> {
    for subscription in subscriptions {
        let redrive = json!({"deadLetterTargetArn": known(queue_arns, &subscription.dead_letter_queue)?});
        let attributes = subscription
            .filter_policy
            .as_ref()
            .map(|policy| ("FilterPolicy", policy.to_string()))
            .into_iter()
            .chain([("RedrivePolicy", redrive.to_string())]);
        // Subscribing again returns the ARN of the existing subscription. With attributes it would be refused when they
        // differ, so they are set one by one.
        let arn = client
            .subscribe()
            .topic_arn(known(topic_arns, &subscription.topic)?)
            .protocol("sqs")
            .endpoint(known(queue_arns, &subscription.queue)?)
            .return_subscription_arn(true)
            .send()
            .await
            .map_err(|error| call("Subscribe", &subscription.queue, error))?
            .subscription_arn
            .ok_or_else(|| missing("Subscribe", &subscription.queue, "a SubscriptionArn"))?;
        for (name, value) in attributes {
            client
                .set_subscription_attributes()
                .subscription_arn(&arn)
                .attribute_name(name)
                .attribute_value(value)
                .send()
                .await
                .map_err(|error| call("SetSubscriptionAttributes", &subscription.queue, error))?;
        }
    }
    Ok(())
}
