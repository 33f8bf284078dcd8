//! Subscriptions, as AWS answers about them.

use aws_sdk_sns::error::ProvideErrorMetadata;
use serde_json::json;

use crate::refusal::{assert_refused, refusal};
use crate::support::{ACCOUNT, Cloud, cloud, queue_arn};

async fn topic(cloud: &Cloud, name: &str) -> String {
    cloud.sns.create_topic().name(name).send().await.unwrap().topic_arn.unwrap()
}

/// Subscribes a queue, which need not exist, and returns the subscription's ARN.
async fn subscribe(
    cloud: &Cloud,
    topic: &str,
    queue: &str,
    attributes: &[(&str, &str)],
) -> Result<String, impl ProvideErrorMetadata + std::fmt::Debug + use<>> {
    let mut subscribe = cloud.sns.subscribe().topic_arn(topic).protocol("sqs").endpoint(queue_arn(queue));
    for (name, value) in attributes {
        subscribe = subscribe.attributes(*name, *value);
    }
    subscribe.send().await.map(|output| output.subscription_arn.unwrap())
}

async fn attributes(cloud: &Cloud, arn: &str) -> std::collections::HashMap<String, String> {
    cloud.sns.get_subscription_attributes().subscription_arn(arn).send().await.unwrap().attributes.unwrap()
}

#[tokio::test]
async fn subscribing_again_returns_the_subscription_unless_it_differs() {
    let cloud = cloud().await;
    let topic = topic(&cloud, "t").await;
    let arn = subscribe(&cloud, &topic, "q", &[("RawMessageDelivery", "TrUe")]).await.unwrap();
    for same in [
        &[("RawMessageDelivery", "true")][..],
        &[("RawMessageDelivery", "true"), ("FilterPolicyScope", "MessageAttributes")],
        &[("FilterPolicyScope", "MessageAttributes")],
        &[],
    ] {
        assert_eq!(subscribe(&cloud, &topic, "q", same).await.unwrap(), arn);
    }
    let differs =
        "Invalid parameter: Attributes Reason: Subscription already exists with different attributes";
    for other in [("RawMessageDelivery", "false"), ("FilterPolicy", r#"{"a": ["x"]}"#)] {
        assert_refused(subscribe(&cloud, &topic, "q", &[other]).await, "InvalidParameter", differs);
    }
    let all = attributes(&cloud, &arn).await;
    for (name, value) in [
        ("ConfirmationWasAuthenticated", "true"),
        ("Endpoint", &*queue_arn("q")),
        ("Owner", ACCOUNT),
        ("PendingConfirmation", "false"),
        ("Protocol", "sqs"),
        ("RawMessageDelivery", "true"),
        ("SubscriptionArn", &*arn),
        ("TopicArn", &*topic),
    ] {
        assert_eq!(all[name], value);
    }
    for absent in ["FilterPolicy", "FilterPolicyScope", "RedrivePolicy"] {
        assert!(!all.contains_key(absent), "{absent}");
    }
}

#[tokio::test]
async fn attributes_are_checked_wherever_they_are_given() {
    let cloud = cloud().await;
    let topic = topic(&cloud, "t").await;
    let arn = subscribe(&cloud, &topic, "q", &[]).await.unwrap();
    for (name, value, reason) in [
        ("FakeAttribute", "x", "AttributeName"),
        ("RawMessageDelivery", "yes", "RawMessageDelivery: Invalid value [yes]. Must be true or false."),
        ("RawMessageDelivery", "", "RawMessageDelivery: Invalid value []. Must be true or false."),
        (
            "FilterPolicyScope",
            "RandomValue",
            "FilterPolicyScope: Invalid value [RandomValue]. Please use either MessageBody or MessageAttributes",
        ),
        (
            "RedrivePolicy",
            r#"{"deadLetterTargetArn": "fake-arn"}"#,
            "RedrivePolicy: deadLetterTargetArn is an invalid arn",
        ),
        ("RedrivePolicy", "{invalidjson}", "RedrivePolicy: failed to parse JSON."),
        ("FilterPolicy", "{invalidjson}", "FilterPolicy: failed to parse JSON."),
        ("FilterPolicy", r#"{"a": "x"}"#, "FilterPolicy: \"a\" must be an object or an array"),
        (
            "FilterPolicy",
            r#"{"a": [{"wrong-operator": true}]}"#,
            "FilterPolicy: Unrecognized match type wrong-operator",
        ),
        (
            "FilterPolicy",
            r#"{"o": {"k": ["x"]}}"#,
            "Filter policy scope MessageAttributes does not support nested filter policy",
        ),
        (
            "FilterPolicy",
            r#"{"a": [1], "b": [1], "c": [1], "d": [1], "e": [1], "f": [1]}"#,
            "FilterPolicy: Filter policy can not have more than 5 keys",
        ),
    ] {
        let set = cloud.sns.set_subscription_attributes().subscription_arn(&arn).attribute_name(name);
        let (code, message) = refusal(set.attribute_value(value).send().await);
        assert_eq!(code, "InvalidParameter");
        assert!(message.starts_with(&format!("Invalid parameter: {reason}")), "{message}");
        let (code, message) = refusal(subscribe(&cloud, &topic, "other", &[(name, value)]).await);
        assert_eq!(code, "InvalidParameter");
        assert!(message.starts_with(&format!("Invalid parameter: Attributes Reason: {reason}")), "{message}");
    }
    let listed = cloud.sns.list_subscriptions_by_topic().topic_arn(&topic).send().await.unwrap();
    assert_eq!(listed.subscriptions().len(), 1);
}

#[tokio::test]
async fn a_filter_policy_shows_its_scope_and_can_be_removed() {
    let cloud = cloud().await;
    let topic = topic(&cloud, "t").await;
    let redrive = json!({"deadLetterTargetArn": queue_arn("dead")}).to_string();
    let policy = r#"{"o": {"k": ["x"]}}"#;
    let body = ("FilterPolicyScope", "MessageBody");
    let given = [("FilterPolicy", policy), body, ("RedrivePolicy", &redrive)];
    let arn = subscribe(&cloud, &topic, "q", &given).await.unwrap();
    let all = attributes(&cloud, &arn).await;
    assert_eq!((&*all["FilterPolicy"], &*all["FilterPolicyScope"]), (policy, "MessageBody"));
    assert_eq!(all["RedrivePolicy"], redrive);
    let set = |name: &str, value: &str| {
        let set = cloud.sns.set_subscription_attributes().subscription_arn(&arn).attribute_name(name);
        set.attribute_value(value).send()
    };
    assert!(set("FilterPolicyScope", "MessageAttributes").await.is_err());
    set("FilterPolicy", "").await.unwrap();
    set("RedrivePolicy", "").await.unwrap();
    let all = attributes(&cloud, &arn).await;
    for absent in ["FilterPolicy", "FilterPolicyScope", "RedrivePolicy"] {
        assert!(!all.contains_key(absent), "{absent}");
    }
}

#[tokio::test]
async fn endpoints_and_topics_are_checked() {
    let cloud = cloud().await;
    let arn = topic(&cloud, "t").await;
    let subscribe = |topic: &str, protocol: &str, endpoint: &str| {
        cloud.sns.subscribe().topic_arn(topic).protocol(protocol).endpoint(endpoint).send()
    };
    for (topic, protocol, endpoint, message) in [
        ("randomstring", "sqs", "x", "TopicArn Reason: An ARN must have at least 6 elements, not 1"),
        (&arn, "test-protocol", "x", "Amazon SNS does not support this protocol string: test-protocol"),
        (&arn, "sqs", "http://127.0.0.1/000000000000/q", "SQS endpoint ARN"),
        (
            &arn,
            "sqs",
            &queue_arn("q.fifo"),
            "Invalid parameter: Endpoint Reason: FIFO SQS Queues can not be subscribed to standard SNS topics",
        ),
        (
            &arn,
            "email",
            "a@example.com",
            "Protocol Reason: the local cloud does not support subscriptions with the protocol email, only sqs",
        ),
        (
            &arn,
            "sqs",
            "arn:aws:sqs:eu-central-1:111111111111:q",
            "Endpoint Reason: the local cloud does not support queues of other accounts and regions",
        ),
    ] {
        let refused = subscribe(topic, protocol, endpoint).await;
        assert_refused(refused, "InvalidParameter", &format!("Invalid parameter: {message}"));
    }
    assert_refused(
        subscribe(&arn, "sms", "+15--551234567").await,
        "InvalidParameter",
        "Invalid SMS endpoint: +15--551234567",
    );
    let missing = subscribe(&format!("{arn}aaa"), "sqs", &queue_arn("q")).await;
    assert_refused(missing, "NotFound", "Topic does not exist");
}

#[tokio::test]
async fn unsubscribing_is_idempotent_and_other_operations_miss_the_subscription() {
    let cloud = cloud().await;
    let topic = topic(&cloud, "t").await;
    let arn = subscribe(&cloud, &topic, "q", &[]).await.unwrap();
    for _ in 0..2 {
        cloud.sns.unsubscribe().subscription_arn(&arn).send().await.unwrap();
    }
    let set = cloud.sns.set_subscription_attributes().subscription_arn(&arn);
    let set = set.attribute_name("RedrivePolicy").attribute_value("{}").send().await;
    assert_refused(set, "NotFound", "Subscription does not exist");
    let get = cloud.sns.get_subscription_attributes().subscription_arn(&arn).send().await;
    assert_refused(get, "NotFound", "Subscription does not exist");
    for (arn, reason) in [
        ("randomstring", "SubscriptionArn Reason: An ARN must have at least 6 elements, not 1"),
        ("arn:aws:sns:us-east-1:111111111111:random", "SubscriptionId"),
    ] {
        let refused = cloud.sns.unsubscribe().subscription_arn(arn).send().await;
        assert_refused(refused, "InvalidParameter", &format!("Invalid parameter: {reason}"));
    }
    let all = cloud.sns.get_topic_attributes().topic_arn(&topic).send().await.unwrap().attributes.unwrap();
    assert_eq!((&*all["SubscriptionsConfirmed"], &*all["SubscriptionsDeleted"]), ("0", "1"));
}

#[tokio::test]
async fn no_token_confirms_anything() {
    let cloud = cloud().await;
    let topic = topic(&cloud, "t").await;
    let confirm =
        |topic: &str, token: &str| cloud.sns.confirm_subscription().topic_arn(topic).token(token).send();
    let token = "51b2ff3edb475b7d".repeat(16);
    assert_refused(confirm(&topic, &token).await, "InvalidParameter", "Invalid parameter: Token");
    assert_refused(confirm(&topic, "randomtoken").await, "InvalidParameter", "Invalid token");
    assert_refused(confirm("t", &token).await, "InvalidParameter", "Invalid parameter: Topic");
}

#[tokio::test]
async fn subscriptions_are_listed_in_pages_of_100() {
    let cloud = cloud().await;
    // In the order of their names, the ARNs of the subscriptions of both are mixed.
    let (first, second) = (topic(&cloud, "t").await, topic(&cloud, "t-2").await);
    for i in 0..101 {
        subscribe(&cloud, &first, &format!("q{i}"), &[]).await.unwrap();
    }
    subscribe(&cloud, &second, "q", &[]).await.unwrap();
    let list = || cloud.sns.list_subscriptions_by_topic().topic_arn(&first);
    let page = list().send().await.unwrap();
    assert_eq!(page.subscriptions().len(), 100);
    let rest = list().next_token(page.next_token().unwrap()).send().await.unwrap();
    assert_eq!((rest.subscriptions().len(), rest.next_token()), (1, None));

    let page = cloud.sns.list_subscriptions().send().await.unwrap();
    let token = page.next_token().unwrap();
    let rest = cloud.sns.list_subscriptions().next_token(token).send().await.unwrap();
    let all = page.subscriptions().iter().chain(rest.subscriptions());
    let endpoints: std::collections::HashSet<_> =
        all.map(|it| (it.topic_arn().unwrap(), it.endpoint().unwrap())).collect();
    assert_eq!((page.subscriptions().len(), endpoints.len()), (100, 102));
}
