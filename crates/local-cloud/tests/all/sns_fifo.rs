//! FIFO topics: groups, order and deduplication.

use std::collections::HashMap;

use aws_sdk_sns::error::ProvideErrorMetadata as _;
use aws_sdk_sns::types::PublishBatchRequestEntry;
use aws_sdk_sqs::types::{MessageSystemAttributeName, QueueAttributeName};
use serde_json::json;

use crate::refusal::assert_refused;
use crate::support::{Cloud, body, cloud, queue_arn};

async fn fifo_topic(cloud: &Cloud, attributes: &[(&str, &str)]) -> String {
    let mut create = cloud.sns.create_topic().name("t.fifo").attributes("FifoTopic", "true");
    for (name, value) in attributes {
        create = create.attributes(*name, *value);
    }
    create.send().await.unwrap().topic_arn.unwrap()
}

/// Creates a queue, FIFO if its name ends in `.fifo`, and returns its URL.
async fn queue(cloud: &Cloud, name: &str) -> String {
    if !name.contains(".fifo") {
        return cloud.queue(name).await;
    }
    let create = cloud.sqs.create_queue().queue_name(name).attributes(QueueAttributeName::FifoQueue, "true");
    create.send().await.unwrap().queue_url.unwrap()
}

async fn subscribe(cloud: &Cloud, topic: &str, queue: &str) -> String {
    let subscribe = cloud.sns.subscribe().topic_arn(topic).protocol("sqs").endpoint(queue_arn(queue));
    subscribe.send().await.unwrap().subscription_arn.unwrap()
}

#[tokio::test]
async fn duplicates_are_dropped_and_get_the_receipt_of_the_first() {
    let cloud = cloud().await;
    let topic = fifo_topic(&cloud, &[("ContentBasedDeduplication", "true")]).await;
    let url = queue(&cloud, "q.fifo").await;
    let standard = queue(&cloud, "q").await;
    for name in ["q.fifo", "q"] {
        subscribe(&cloud, &topic, name).await;
    }
    let publish =
        |group: &str| cloud.sns.publish().topic_arn(&topic).message("Test").message_group_id(group).send();
    let first = publish("group-1").await.unwrap();
    let again = publish("group-2").await.unwrap();
    assert_eq!((first.message_id(), first.sequence_number()), (again.message_id(), again.sequence_number()));

    let message = cloud.receive(&url).await;
    let envelope = body(&message);
    assert_eq!(envelope["SequenceNumber"].as_str(), first.sequence_number());
    assert!(envelope.get("Signature").is_none());
    let attributes: HashMap<_, _> = message.attributes.unwrap();
    assert_eq!(attributes[&MessageSystemAttributeName::MessageGroupId], "group-1");
    assert_eq!(
        attributes[&MessageSystemAttributeName::MessageDeduplicationId],
        "532eaabd9574880dbf76b9b8cc00832c20a6ec113d682299550d7a6e0f345e25"
    );
    // A standard queue has neither, and the topic deduplicates for it.
    let message = cloud.receive(&standard).await;
    assert!(!message.attributes.unwrap().contains_key(&MessageSystemAttributeName::MessageGroupId));
    for url in [&url, &standard] {
        assert!(cloud.receive_within(url, 0).await.is_none());
    }
}

#[tokio::test]
async fn messages_need_a_group_and_something_to_deduplicate_by() {
    let cloud = cloud().await;
    let topic = fifo_topic(&cloud, &[]).await;
    let publish = || cloud.sns.publish().topic_arn(&topic).message("m");
    let no_group = "Invalid parameter: The MessageGroupId parameter is required for FIFO topics";
    let no_id = "Invalid parameter: The topic should either have ContentBasedDeduplication enabled or \
                 MessageDeduplicationId provided explicitly";
    assert_refused(publish().send().await, "InvalidParameter", no_group);
    assert_refused(publish().message_group_id("g").send().await, "InvalidParameter", no_id);
    let entry = PublishBatchRequestEntry::builder().id("1").message("m").build().unwrap();
    let batch = cloud.sns.publish_batch().topic_arn(&topic).publish_batch_request_entries(entry);
    assert_refused(batch.send().await, "InvalidParameter", no_group);
    publish().message_group_id("g").message_deduplication_id("d").send().await.unwrap();
}

#[tokio::test]
async fn all_queues_have_all_messages_in_the_same_order() {
    let cloud = cloud().await;
    let topic = fifo_topic(&cloud, &[("ContentBasedDeduplication", "true")]).await;
    let queues = ["a.fifo", "b.fifo", "c.fifo"];
    let mut urls = Vec::new();
    for name in queues {
        urls.push(queue(&cloud, name).await);
        subscribe(&cloud, &topic, name).await;
    }
    let publishes: Vec<_> = (0..10)
        .map(|i| {
            let publish = cloud.sns.publish().topic_arn(&topic).message(i.to_string()).message_group_id("g");
            tokio::spawn(publish.send())
        })
        .collect();
    for publish in publishes {
        publish.await.unwrap().unwrap();
    }
    let mut orders = Vec::new();
    for url in &urls {
        let mut order = Vec::new();
        while order.len() < 10 {
            let message = cloud.receive(url).await;
            order.push(body(&message)["Message"].clone());
            let receipt = message.receipt_handle().unwrap();
            cloud.sqs.delete_message().queue_url(url).receipt_handle(receipt).send().await.unwrap();
        }
        orders.push(order);
    }
    assert!(orders.iter().all(|order| *order == orders[0]), "{orders:?}");
}

#[tokio::test]
async fn dead_letters_keep_their_group() {
    let cloud = cloud().await;
    let topic = fifo_topic(&cloud, &[]).await;
    let subscription = subscribe(&cloud, &topic, "missing.fifo").await;
    let dead = queue(&cloud, "dead.fifo").await;
    let set = |name: &str| {
        let set = cloud.sns.set_subscription_attributes().subscription_arn(&subscription);
        let policy = json!({"deadLetterTargetArn": queue_arn(name)});
        set.attribute_name("RedrivePolicy").attribute_value(policy.to_string()).send()
    };
    assert_refused(
        set("standard").await,
        "InvalidParameter",
        "Invalid parameter: RedrivePolicy: must use a FIFO queue as DLQ for a FIFO Subscription to a FIFO Topic.",
    );
    set("dead.fifo").await.unwrap();
    let publish = cloud.sns.publish().topic_arn(&topic).message("m").message_group_id("g");
    publish.message_deduplication_id("d").send().await.unwrap();
    let message = cloud.receive(&dead).await;
    assert_eq!(body(&message)["Message"], "m");
    let attributes = message.attributes.unwrap();
    assert_eq!(attributes[&MessageSystemAttributeName::MessageGroupId], "g");
    assert_eq!(attributes[&MessageSystemAttributeName::MessageDeduplicationId], "d");
}

#[tokio::test]
async fn only_a_name_with_the_suffix_is_fifo() {
    let cloud = cloud().await;
    for (name, fifo) in [("t", "true"), ("t.fifo", "false")] {
        let create = cloud.sns.create_topic().name(name).attributes("FifoTopic", fifo).send().await;
        assert_eq!(create.unwrap_err().code(), Some("InvalidParameter"));
    }
}
