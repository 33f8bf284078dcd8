//! What can be published, and what arrives.

use aws_sdk_sns::error::ProvideErrorMetadata as _;
use aws_sdk_sns::types::{MessageAttributeValue, PublishBatchRequestEntry};
use serde_json::{Value, json};

use crate::refusal::assert_refused;
use crate::support::{Cloud, body, cloud, queue_arn};

/// Creates a topic `t` with a queue `q`, and returns the topic's ARN, the subscription's and the queue's URL.
async fn topic_to_queue(cloud: &Cloud, attributes: &[(&str, &str)]) -> (String, String, String) {
    let queue = cloud.queue("q").await;
    let topic = cloud.sns.create_topic().name("t").send().await.unwrap().topic_arn.unwrap();
    let mut subscribe = cloud.sns.subscribe().topic_arn(&topic).protocol("sqs").endpoint(queue_arn("q"));
    for (name, value) in attributes {
        subscribe = subscribe.attributes(*name, *value);
    }
    let subscription = subscribe.send().await.unwrap().subscription_arn.unwrap();
    (topic, subscription, queue)
}

fn attribute(data_type: &str, value: &str) -> MessageAttributeValue {
    MessageAttributeValue::builder().data_type(data_type).string_value(value).build().unwrap()
}

fn entry(id: &str, message: &str) -> PublishBatchRequestEntry {
    PublishBatchRequestEntry::builder().id(id).message(message).build().unwrap()
}

#[tokio::test]
async fn the_envelope_names_the_subscription() {
    let cloud = cloud().await;
    let (topic, subscription, queue) = topic_to_queue(&cloud, &[]).await;
    cloud.sns.publish().target_arn(&topic).message("m").send().await.unwrap();
    let message = cloud.receive(&queue).await;
    let envelope = body(&message);
    let url = envelope["UnsubscribeURL"].as_str().unwrap();
    assert!(url.ends_with(&format!("/?Action=Unsubscribe&SubscriptionArn={subscription}")), "{url}");
    assert!(envelope.get("MessageAttributes").is_none() && envelope.get("Subject").is_none());
    assert_eq!(envelope["SignatureVersion"], "1");
}

#[tokio::test]
async fn a_standard_queue_gets_the_messages_group() {
    let cloud = cloud().await;
    let (topic, _, queue) = topic_to_queue(&cloud, &[]).await;
    cloud.sns.publish().topic_arn(&topic).message("m").message_group_id("g").send().await.unwrap();
    let attributes = cloud.receive(&queue).await.attributes.unwrap();
    assert_eq!(attributes[&aws_sdk_sqs::types::MessageSystemAttributeName::MessageGroupId], "g");
}

#[tokio::test]
async fn invalid_messages_are_refused_in_awss_words() {
    let cloud = cloud().await;
    let (topic, _, queue) = topic_to_queue(&cloud, &[]).await;
    let publish = || cloud.sns.publish().topic_arn(&topic);
    let invalid = |message: &str| ("InvalidParameter".to_owned(), format!("Invalid parameter: {message}"));
    for (call, expected) in vec![
        (publish().message(""), invalid("Empty message")),
        (publish().message("m").subject(""), invalid("Subject")),
        (publish().message("m").subject("x".repeat(150)), invalid("Subject")),
        (publish().message("m").subject("a\nb"), invalid("Subject")),
        (publish().message("x".repeat(262_145)), invalid("Message too long")),
        (
            publish().message(r#"{"sqs": "x"}"#).message_structure("json"),
            invalid("Message Structure - No default entry in JSON message body"),
        ),
        (
            publish().message("no json").message_structure("json"),
            invalid("Message Structure - JSON message body failed to parse"),
        ),
        (
            publish().message("m").message_deduplication_id("d"),
            invalid(
                "MessageDeduplicationId Reason: The request includes MessageDeduplicationId parameter that is not \
                 valid for this topic type",
            ),
        ),
        (
            cloud.sns.publish().topic_arn("randomstring").message("m"),
            invalid("TopicArn Reason: An ARN must have at least 6 elements, not 1"),
        ),
        (
            cloud.sns.publish().phone_number("+15551234567").message("m"),
            invalid("PhoneNumber Reason: the local cloud does not support text messages"),
        ),
    ] {
        let (code, message) = expected;
        assert_refused(call.send().await, &code, &message);
    }
    for (name, value) in [
        ("a", attribute("String", "")),
        ("a", attribute("Bool", "true")),
        ("a", attribute("Number", "abc")),
        ("a", attribute("String.Array", "abc")),
        ("a^b", attribute("String", "x")),
        (".a", attribute("String", "x")),
    ] {
        let refused =
            publish().message("m").message_attributes(name, value.clone()).send().await.unwrap_err();
        assert_eq!(refused.code(), Some("ParameterValueInvalid"), "{name} {value:?}");
    }
    assert!(cloud.receive_within(&queue, 0).await.is_none());
}

#[tokio::test]
async fn a_batch_is_refused_as_a_whole() {
    let cloud = cloud().await;
    let (topic, _, queue) = topic_to_queue(&cloud, &[]).await;
    let publish = |entries: Vec<PublishBatchRequestEntry>| {
        let publish = cloud.sns.publish_batch().topic_arn(&topic);
        publish.set_publish_batch_request_entries(Some(entries)).send()
    };
    let half = "a".repeat(131_072);
    for (entries, code) in [
        ((0..11).map(|i| entry(&i.to_string(), "m")).collect(), "TooManyEntriesInBatchRequest"),
        (vec![entry("a", "m"), entry("a", "m")], "BatchEntryIdsNotDistinct"),
        (vec![entry("order.1", "m")], "InvalidBatchEntryId"),
        (vec![entry("a", &half), entry("b", &format!("{half}b"))], "BatchRequestTooLong"),
        (vec![entry("a", "m"), entry("b", "")], "InvalidParameter"),
    ] {
        assert_eq!(publish(entries).await.unwrap_err().code(), Some(code));
    }
    assert!(cloud.receive_within(&queue, 0).await.is_none());
    let published = publish(vec![entry("a", &half)]).await.unwrap();
    assert_eq!((published.successful()[0].id(), published.failed().len()), (Some("a"), 0));
}

/// Publishes to a subscription with this policy and returns whether the message arrived.
async fn passes(scope: &str, policy: Value, message: &str, attributes: &[(&str, &str, &str)]) -> bool {
    let cloud = cloud().await;
    let policy = policy.to_string();
    let (topic, _, queue) =
        topic_to_queue(&cloud, &[("FilterPolicyScope", scope), ("FilterPolicy", &policy)]).await;
    let mut publish = cloud.sns.publish().topic_arn(topic).message(message);
    for (name, data_type, value) in attributes {
        publish = publish.message_attributes(*name, attribute(data_type, value));
    }
    publish.send().await.unwrap();
    let passes = cloud.receive_within(&queue, 0).await.is_some();
    cloud.local.shutdown().await;
    passes
}

#[tokio::test]
async fn filters_on_attributes_know_their_types() {
    for (policy, data_type, value, expected) in [
        (json!({"a": [{"numeric": [">", 0, "<=", 100]}]}), "Number", "99.12", true),
        (json!({"a": [{"numeric": [">", 0, "<=", 100]}]}), "Number", "111", false),
        (json!({"a": [{"numeric": [">", 0]}]}), "String", "99", false),
        (json!({"a": ["x"]}), "String.Array", r#"["y", "x"]"#, true),
        (json!({"a": ["x"]}), "String.Array", r#"["y"]"#, false),
        (json!({"a": [{"anything-but": {"prefix": "z"}}]}), "String", "xy", true),
        (json!({"a": [{"equals-ignore-case": "X"}]}), "String", "x", true),
        (json!({"a": [{"cidr": "10.0.0.0/24"}]}), "String", "10.0.0.3", true),
        (json!({"$or": [{"a": ["x"]}, {"b": ["y"]}]}), "String", "x", true),
        (json!({"b": [{"exists": false}]}), "String", "x", true),
    ] {
        let found = passes("MessageAttributes", policy.clone(), "m", &[("a", data_type, value)]).await;
        assert_eq!(found, expected, "{policy} {data_type} {value}");
    }
    assert!(!passes("MessageAttributes", json!({"a": [null, {"anything-but": "x"}]}), "m", &[]).await);
}

#[tokio::test]
async fn filters_on_the_body_reach_into_it() {
    for (policy, body, expected) in [
        (json!({"o": {"k": ["A"]}}), json!({"o": {"k": "A"}}), true),
        (json!({"c": ["red"]}), json!({"c": ["blue", "red"]}), true),
        (json!({"o": {"k": ["A"]}}), json!({"o": [{"k": "B"}, {"k": "A"}]}), true),
        (json!({"b": [true], "n": [null]}), json!({"b": true, "n": null}), true),
        (json!({"o.k": ["A"]}), json!({"o": {"k": "A"}}), true),
        (json!({"o": {"k": ["A"]}}), json!({"o": {"k": "B"}}), false),
        (json!({"o": {"k": ["A"]}}), json!("no object"), false),
    ] {
        let found = passes("MessageBody", policy.clone(), &body.to_string(), &[]).await;
        assert_eq!(found, expected, "{policy} {body}");
    }
    assert!(!passes("MessageBody", json!({"a": ["x"]}), "no json", &[("a", "String", "x")]).await);
}

#[tokio::test]
async fn a_raw_message_has_up_to_ten_attributes() {
    let cloud = cloud().await;
    let (topic, _, queue) = topic_to_queue(&cloud, &[("RawMessageDelivery", "true")]).await;
    for count in [11, 10] {
        let mut publish = cloud.sns.publish().topic_arn(&topic).message(count.to_string());
        for i in 0..count {
            publish = publish.message_attributes(format!("a{i}"), attribute("Number", "1"));
        }
        publish.send().await.unwrap();
    }
    let message = cloud.receive(&queue).await;
    assert_eq!((message.body(), message.message_attributes().unwrap().len()), (Some("10"), 10));
    assert!(cloud.receive_within(&queue, 0).await.is_none());
}

#[tokio::test]
async fn the_signature_version_is_the_topics() {
    let cloud = cloud().await;
    let (topic, _, queue) = topic_to_queue(&cloud, &[]).await;
    let set = cloud.sns.set_topic_attributes().topic_arn(&topic).attribute_name("SignatureVersion");
    set.attribute_value("2").send().await.unwrap();
    cloud.sns.publish().topic_arn(&topic).message("m").send().await.unwrap();
    assert_eq!(body(&cloud.receive(&queue).await)["SignatureVersion"], "2");
}
