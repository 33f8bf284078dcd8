use aws_sdk_sns::error::ProvideErrorMetadata as _;
use aws_sdk_sns::types::{MessageAttributeValue, PublishBatchRequestEntry};

use crate::support::{Cloud, HEADER, body, cloud, queue_arn, trace_header};
use crate::with_http_header;

fn text(value: &str) -> MessageAttributeValue {
    MessageAttributeValue::builder().data_type("String").string_value(value).build().unwrap()
}

async fn topic(cloud: &Cloud) -> String {
    cloud.sns.create_topic().name("topic").send().await.unwrap().topic_arn.unwrap()
}

/// Subscribes a new queue and returns its URL.
async fn subscribe(cloud: &Cloud, topic: &str, queue: &str, attributes: &[(&str, &str)]) -> String {
    let url = cloud.queue(queue).await;
    let mut subscribe = cloud.sns.subscribe().topic_arn(topic).protocol("sqs").endpoint(queue_arn(queue));
    for (name, value) in attributes {
        subscribe = subscribe.attributes(*name, *value);
    }
    subscribe.send().await.unwrap();
    url
}

#[tokio::test]
async fn raw_and_enveloped_messages_carry_attributes_and_header() {
    let cloud = cloud().await;
    let topic = topic(&cloud).await;
    let raw = subscribe(&cloud, &topic, "raw", &[("RawMessageDelivery", "true")]).await;
    let enveloped = subscribe(&cloud, &topic, "enveloped", &[]).await;
    let publish = cloud
        .sns
        .publish()
        .topic_arn(&topic)
        .message(r#"{"m": 1}"#)
        .subject("s")
        .message_attributes("channel", text("email"))
        .message_attributes(
            "bytes",
            MessageAttributeValue::builder()
                .data_type("Binary")
                .binary_value(aws_smithy_types::Blob::new([1, 2]))
                .build()
                .unwrap(),
        );
    let published = with_http_header!(publish, HEADER).send().await.unwrap();

    let message = cloud.receive(&raw).await;
    assert_eq!(trace_header(&message), Some(HEADER));
    assert_eq!(message.body(), Some(r#"{"m": 1}"#));
    let attributes = message.message_attributes().unwrap();
    assert_eq!(attributes["channel"].string_value(), Some("email"));
    assert_eq!(attributes["bytes"].binary_value().unwrap().as_ref(), [1, 2]);

    let message = cloud.receive(&enveloped).await;
    assert_eq!(trace_header(&message), Some(HEADER));
    assert!(message.message_attributes().is_none());
    let envelope = body(&message);
    assert_eq!(envelope["Type"], "Notification");
    assert_eq!(envelope["TopicArn"], topic.as_str());
    assert_eq!(envelope["Message"], r#"{"m": 1}"#);
    assert_eq!(envelope["Subject"], "s");
    assert_eq!(envelope["MessageId"], published.message_id().unwrap());
    assert_eq!(
        envelope["MessageAttributes"]["channel"],
        serde_json::json!({"Type": "String", "Value": "email"})
    );
    assert_eq!(
        envelope["MessageAttributes"]["bytes"],
        serde_json::json!({"Type": "Binary", "Value": "AQI="})
    );
    cloud.local.shutdown().await;
}

#[tokio::test]
async fn a_batch_carries_one_header_and_filters_choose_the_queues() {
    let cloud = cloud().await;
    let topic = topic(&cloud).await;
    let filter = |channel: &str| format!(r#"{{"channel": ["{channel}"]}}"#);
    let email = subscribe(&cloud, &topic, "email", &[("FilterPolicy", &filter("email"))]).await;
    let app =
        subscribe(&cloud, &topic, "app", &[("FilterPolicy", &filter("app")), ("RawMessageDelivery", "true")])
            .await;
    let entry = |id: &str, channel: &str| {
        PublishBatchRequestEntry::builder()
            .id(id)
            .message(id)
            .message_attributes("channel", text(channel))
            .build()
            .unwrap()
    };
    let publish = cloud
        .sns
        .publish_batch()
        .topic_arn(&topic)
        .publish_batch_request_entries(entry("1", "email"))
        .publish_batch_request_entries(entry("2", "app"))
        .publish_batch_request_entries(entry("3", "email"))
        .publish_batch_request_entries(entry("4", "wallet"));
    let published = with_http_header!(publish, HEADER).send().await.unwrap();
    assert_eq!(published.successful().len(), 4);
    for wanted in ["1", "3"] {
        let message = cloud.receive(&email).await;
        assert_eq!(trace_header(&message), Some(HEADER));
        assert_eq!(body(&message)["Message"], wanted);
    }
    let message = cloud.receive(&app).await;
    assert_eq!((message.body(), trace_header(&message)), (Some("2"), Some(HEADER)));
    assert!(cloud.receive_within(&email, 0).await.is_none());
    assert!(cloud.receive_within(&app, 0).await.is_none());
    cloud.local.shutdown().await;
}

#[tokio::test]
async fn changed_subscriptions_take_effect_at_once() {
    let cloud = cloud().await;
    let topic = topic(&cloud).await;
    let queue = subscribe(&cloud, &topic, "q", &[]).await;
    let publish = || cloud.sns.publish().topic_arn(&topic).message("x").send();
    publish().await.unwrap();
    assert_eq!(body(&cloud.receive(&queue).await)["Message"], "x");

    let subscriptions = cloud.sns.list_subscriptions_by_topic().topic_arn(&topic).send().await.unwrap();
    let arn = subscriptions.subscriptions()[0].subscription_arn().unwrap();
    cloud
        .sns
        .set_subscription_attributes()
        .subscription_arn(arn)
        .attribute_name("RawMessageDelivery")
        .attribute_value("true")
        .send()
        .await
        .unwrap();
    publish().await.unwrap();
    assert_eq!(cloud.receive(&queue).await.body(), Some("x"));
    cloud.sns.unsubscribe().subscription_arn(arn).send().await.unwrap();
    publish().await.unwrap();
    assert!(cloud.receive_within(&queue, 0).await.is_none());
    cloud.local.shutdown().await;
}

#[tokio::test]
async fn unpublishable_messages_are_reported() {
    let cloud = cloud().await;
    let missing = cloud
        .sns
        .publish()
        .topic_arn("arn:aws:sns:eu-central-1:000000000000:missing")
        .message("x")
        .send()
        .await;
    assert!(missing.unwrap_err().into_service_error().is_not_found_exception());
    let topic = topic(&cloud).await;
    let too_long =
        cloud.sns.publish().topic_arn(&topic).message("x".repeat(262_145)).send().await.unwrap_err();
    assert_eq!(too_long.code(), Some("InvalidParameter"));
    cloud.local.shutdown().await;
}

#[tokio::test]
async fn undeliverable_messages_go_to_the_subscriptions_dead_letter_queue() {
    let cloud = cloud().await;
    let topic = topic(&cloud).await;
    let url = subscribe(&cloud, &topic, "gone", &[]).await;
    let aside = cloud.queue("aside").await;
    let subscriptions = cloud.sns.list_subscriptions().send().await.unwrap();
    let arn = subscriptions.subscriptions()[0].subscription_arn().unwrap();
    let set = |policy: &str| {
        let set =
            cloud.sns.set_subscription_attributes().subscription_arn(arn).attribute_name("RedrivePolicy");
        set.attribute_value(policy).send()
    };
    let refused = set("malformed").await.unwrap_err();
    assert_eq!(refused.code(), Some("InvalidParameter"));
    set(&serde_json::json!({"deadLetterTargetArn": queue_arn("aside")}).to_string()).await.unwrap();
    cloud.sqs.delete_queue().queue_url(&url).send().await.unwrap();

    let publish = cloud.sns.publish().topic_arn(&topic).message("m");
    with_http_header!(publish, HEADER).send().await.unwrap();
    let message = cloud.receive(&aside).await;
    assert_eq!(body(&message)["Message"], "m");
    assert_eq!(trace_header(&message), Some(HEADER));
}
