//! Topics, their attributes and tags, as AWS answers about them.

use aws_sdk_sns::error::ProvideErrorMetadata;
use aws_sdk_sns::types::Tag;
use serde_json::{Value, json};

use crate::refusal::{assert_refused, refusal};
use crate::support::{ACCOUNT, Cloud, cloud};

const NO_TOPIC: &str = "arn:aws:sns:eu-central-1:000000000000:missing";

async fn topic(cloud: &Cloud, name: &str) -> String {
    cloud.sns.create_topic().name(name).send().await.unwrap().topic_arn.unwrap()
}

fn tag(key: &str, value: &str) -> Tag {
    Tag::builder().key(key).value(value).build().unwrap()
}

async fn attributes(cloud: &Cloud, arn: &str) -> std::collections::HashMap<String, String> {
    cloud.sns.get_topic_attributes().topic_arn(arn).send().await.unwrap().attributes.unwrap()
}

#[tokio::test]
async fn a_topic_is_created_once_and_must_be_asked_for_as_it_is() {
    let cloud = cloud().await;
    let tags = [tag("a", "1"), tag("b", "2")];
    let create = |tags: &[Tag]| cloud.sns.create_topic().name("t").set_tags(Some(tags.to_vec())).send();
    let arn = create(&tags).await.unwrap().topic_arn.unwrap();
    assert_eq!(arn, format!("arn:aws:sns:eu-central-1:{ACCOUNT}:t"));
    for tags in [&tags[..1], &[]] {
        assert_eq!(create(tags).await.unwrap().topic_arn.as_ref(), Some(&arn));
    }
    assert_refused(
        create(&[tag("c", "3")]).await,
        "InvalidParameter",
        "Invalid parameter: Tags Reason: Topic already exists with different tags",
    );
    let with = |name: &str, value: &str| cloud.sns.create_topic().name("t").attributes(name, value).send();
    assert_refused(
        with("DisplayName", "Other").await,
        "InvalidParameter",
        "Invalid parameter: Attributes Reason: Topic already exists with different attributes",
    );
    for name in ["", "bad name", &"a".repeat(257)] {
        let refused = cloud.sns.create_topic().name(name).send().await;
        assert_refused(refused, "InvalidParameter", "Invalid parameter: Topic Name");
    }
}

#[tokio::test]
async fn deleting_is_idempotent_and_takes_subscriptions_along() {
    let cloud = cloud().await;
    let arn = topic(&cloud, "t").await;
    for arn in [&arn, &arn, NO_TOPIC] {
        cloud.sns.delete_topic().topic_arn(arn).send().await.unwrap();
    }
    let gone = cloud.sns.get_topic_attributes().topic_arn(&arn).send().await;
    assert_refused(gone, "NotFound", "Topic does not exist");
    let malformed = cloud.sns.get_topic_attributes().topic_arn("test-topic").send().await;
    assert_refused(
        malformed,
        "InvalidParameter",
        "Invalid parameter: TopicArn Reason: An ARN must have at least 6 elements, not 1",
    );
    let elsewhere = "arn:aws:sns:us-east-1:000000000000:t";
    assert_refused(
        cloud.sns.delete_topic().topic_arn(elsewhere).send().await,
        "InvalidParameter",
        "Invalid parameter: TopicArn",
    );
}

#[tokio::test]
async fn attributes_have_defaults_and_can_be_set() {
    let cloud = cloud().await;
    let arn = topic(&cloud, "t").await;
    let all = attributes(&cloud, &arn).await;
    let of = |name: &str| all.get(name).map(String::as_str);
    assert_eq!((of("DisplayName"), of("Owner"), of("TopicArn")), (Some(""), Some(ACCOUNT), Some(&*arn)));
    assert_eq!(of("SubscriptionsConfirmed"), Some("0"));
    let policy: Value = serde_json::from_str(of("Policy").unwrap()).unwrap();
    assert_eq!(policy["Statement"][0]["Resource"], arn.as_str());
    let effective: Value = serde_json::from_str(of("EffectiveDeliveryPolicy").unwrap()).unwrap();
    assert_eq!(effective["http"]["defaultHealthyRetryPolicy"]["numRetries"], 3);
    assert_eq!((of("DeliveryPolicy"), of("FifoTopic"), of("SignatureVersion")), (None, None, None));

    let set = |name: &str, value: &str| {
        cloud.sns.set_topic_attributes().topic_arn(&arn).attribute_name(name).attribute_value(value).send()
    };
    set("DisplayName", "Shown").await.unwrap();
    set("SignatureVersion", "2").await.unwrap();
    let delivery = json!({"http": {"defaultHealthyRetryPolicy": {"minDelayTarget": 5, "maxDelayTarget": 6}}});
    set("DeliveryPolicy", &delivery.to_string()).await.unwrap();
    let all = attributes(&cloud, &arn).await;
    assert_eq!((&*all["DisplayName"], &*all["SignatureVersion"]), ("Shown", "2"));
    let effective: Value = serde_json::from_str(&all["EffectiveDeliveryPolicy"]).unwrap();
    assert_eq!(effective["http"]["defaultHealthyRetryPolicy"]["maxDelayTarget"], 6);
    set("DeliveryPolicy", "").await.unwrap();
    assert!(!attributes(&cloud, &arn).await.contains_key("DeliveryPolicy"));

    for name in ["FifoTopic", "Foo", "ContentBasedDeduplication"] {
        let refused = set(name, "false").await;
        assert_refused(refused, "InvalidParameter", "Invalid parameter: AttributeName");
    }
    let (code, message) = refusal(set("SQSSuccessFeedbackSampleRate", "100").await);
    assert!(code == "InvalidParameter" && message.contains("the local cloud does not support"), "{message}");
}

#[tokio::test]
async fn tags_have_distinct_keys() {
    let cloud = cloud().await;
    let arn = topic(&cloud, "t").await;
    let add = |tags: &[Tag]| cloud.sns.tag_resource().resource_arn(&arn).set_tags(Some(tags.to_vec())).send();
    assert_refused(
        add(&[tag("k", "1"), tag("k", "2")]).await,
        "InvalidParameter",
        "Invalid parameter: Duplicated keys are not allowed.",
    );
    add(&[tag("a", "1"), tag("b", "2")]).await.unwrap();
    add(&[tag("b", "3")]).await.unwrap();
    cloud.sns.untag_resource().resource_arn(&arn).tag_keys("a").send().await.unwrap();
    let tags = cloud.sns.list_tags_for_resource().resource_arn(&arn).send().await.unwrap();
    assert_eq!(tags.tags(), [tag("b", "3")]);
    let missing = cloud.sns.list_tags_for_resource().resource_arn(NO_TOPIC).send().await;
    assert_refused(missing, "ResourceNotFound", "Resource does not exist");
}

#[tokio::test]
async fn topics_are_listed_in_pages_of_100() {
    let cloud = cloud().await;
    for i in 0..120 {
        topic(&cloud, &format!("paging-{i}")).await;
    }
    let first = cloud.sns.list_topics().send().await.unwrap();
    assert_eq!(first.topics().len(), 100);
    let second = cloud.sns.list_topics().next_token(first.next_token().unwrap()).send().await.unwrap();
    assert_eq!((second.topics().len(), second.next_token()), (20, None));
    let arns = first.topics().iter().chain(second.topics()).map(|topic| topic.topic_arn().unwrap());
    assert_eq!(arns.collect::<std::collections::HashSet<_>>().len(), 120);
    let invalid = cloud.sns.list_topics().next_token("?").send().await;
    assert_eq!(invalid.unwrap_err().code(), Some("InvalidParameter"));
}

#[tokio::test]
async fn what_the_local_cloud_lacks_is_refused_by_name() {
    let cloud = cloud().await;
    let refused = cloud.sns.list_platform_applications().send().await.unwrap_err();
    assert!(refused.message().unwrap().contains("ListPlatformApplications"), "{refused:?}");
}

/// The SDK does not send a request without a required parameter, so this one is a plain form.
#[tokio::test]
async fn a_missing_parameter_is_named() {
    let cloud = cloud().await;
    for (operation, parameter) in
        [("Unsubscribe", "SubscriptionArn"), ("CreateTopic", "Name"), ("Publish", "TopicArn or TargetArn")]
    {
        let form = format!("Action={operation}&Version=2010-03-31&Message=m");
        let response = cloud.http.post(cloud.url("/")).body(form).send().await.unwrap();
        assert_eq!(response.status(), 400);
        let text = response.text().await.unwrap();
        let message = format!("Invalid parameter: {parameter} Reason: no value for required parameter");
        assert!(text.contains("<Code>InvalidParameter</Code>") && text.contains(&message), "{text}");
    }
}

#[tokio::test]
async fn a_topic_belongs_to_the_region_of_its_request() {
    let cloud = cloud().await;
    let there = aws_sdk_sns::config::Builder::from(&cloud.sdk)
        .region(aws_sdk_sns::config::Region::new("us-west-1"))
        .build();
    let there = aws_sdk_sns::Client::from_conf(there);
    let arn = topic(&cloud, "t").await;
    let publish = there.publish().topic_arn(&arn).message("m").send().await;
    assert_refused(publish, "InvalidParameter", "Invalid parameter: TopicArn");
    let delete = there.delete_topic().topic_arn(&arn).send().await;
    assert_refused(delete, "InvalidParameter", "Invalid parameter: TopicArn");
    let other = there.create_topic().name("t").send().await.unwrap().topic_arn.unwrap();
    assert_eq!(other, format!("arn:aws:sns:us-west-1:{ACCOUNT}:t"));
    let listed = there.list_topics().send().await.unwrap();
    assert_eq!(listed.topics().iter().map(|topic| topic.topic_arn().unwrap()).collect::<Vec<_>>(), [&other]);
}
