//! Which targets are accepted, and what they receive.

use aws_sdk_eventbridge::types::{
    DeadLetterConfig, EcsParameters, InputTransformer, PutEventsRequestEntry, SqsParameters, Target,
};

use crate::events_rules::refusal;
use crate::support::{ACCOUNT, Cloud, body, cloud, queue_arn};

const PATTERN: &str = r#"{"source": ["shop"]}"#;

fn target(id: &str) -> aws_sdk_eventbridge::types::builders::TargetBuilder {
    Target::builder().id(id).arn(queue_arn("q"))
}

fn templated(id: &str, template: &str) -> aws_sdk_eventbridge::types::builders::TargetBuilder {
    let transformer = InputTransformer::builder().input_paths_map("p", "$.detail.p").input_template(template);
    target(id).input_transformer(transformer.build().unwrap())
}

/// A cloud with the queue `q` and the rule `r` of the default bus.
async fn with_rule() -> (Cloud, String) {
    let cloud = cloud().await;
    let queue = cloud.queue("q").await;
    cloud.events.put_rule().name("r").event_pattern(PATTERN).send().await.unwrap();
    (cloud, queue)
}

async fn sell(cloud: &Cloud, bus: &str, detail: &str) -> String {
    let entry = PutEventsRequestEntry::builder().event_bus_name(bus).source("shop").detail_type("Sold");
    let put = cloud.events.put_events().entries(entry.detail(detail).build()).send().await.unwrap();
    put.entries()[0].event_id().unwrap().to_owned()
}

#[tokio::test]
async fn targets_are_listed_in_pages_and_the_sixth_refuses_all() {
    let (cloud, _) = with_rule().await;
    let put = |ids: std::ops::Range<u8>| {
        let targets = ids.map(|n| target(&format!("t{n}")).build().unwrap()).collect();
        cloud.events.put_targets().rule("r").set_targets(Some(targets)).send()
    };
    put(0..4).await.unwrap();
    let limit = "LimitExceededException: The requested resource exceeds the maximum number allowed.";
    assert_eq!(refusal(put(3..6).await), limit);
    put(2..5).await.unwrap();
    let first = cloud.events.list_targets_by_rule().rule("r").limit(3).send().await.unwrap();
    let token = first.next_token().unwrap();
    let rest = cloud.events.list_targets_by_rule().rule("r").limit(3).next_token(token).send().await.unwrap();
    let ids: Vec<_> = first.targets().iter().chain(rest.targets()).map(Target::id).collect();
    assert_eq!(ids, ["t0", "t1", "t2", "t3", "t4"]);
    assert_eq!(rest.next_token(), None);
    cloud.local.shutdown().await;
}

#[tokio::test]
async fn invalid_targets_are_refused_with_the_words_of_aws() {
    let (cloud, _) = with_rule().await;
    cloud
        .sqs
        .create_queue()
        .queue_name("f.fifo")
        .attributes("FifoQueue".into(), "true")
        .send()
        .await
        .unwrap();
    let put = |target: aws_sdk_eventbridge::types::builders::TargetBuilder| {
        cloud.events.put_targets().rule("r").targets(target.build().unwrap()).send()
    };
    let dead = |arn: &str| target("t").dead_letter_config(DeadLetterConfig::builder().arn(arn).build());
    for (target, message) in [
        (
            target("t").arn("not an ARN"),
            "Parameter not an ARN is not valid. Reason: Provided Arn is not in correct format.",
        ),
        (target("t").arn(queue_arn("f.fifo")), "Parameter(s) SqsParameters must be specified for target: t."),
        (
            target("t").ecs_parameters(EcsParameters::builder().task_definition_arn("a").build().unwrap()),
            "Parameter(s) EcsParameters not supported for target: t.",
        ),
        (
            target("t").input("{}").input_path("$"),
            "Only one of Input, InputPath, or InputTransformer must be provided for target t.",
        ),
        (target("t").input("word"), "JSON syntax error in input for target t."),
        (target("t").input_path("detail"), "InputPath for target t is invalid."),
        (
            templated("t", r#"{"x": <unknown>}"#),
            "InputTemplate for target t contains invalid placeholder unknown.",
        ),
        (dead(&queue_arn("f.fifo")), "SQS FIFO is not supported by Dead Letter Queues."),
        (dead("arn:aws:sns:eu-central-1:000000000000:t"), "sns is not supported as a dead letter resource."),
    ] {
        assert_eq!(refusal(put(target).await), format!("ValidationException: {message}"));
    }
    let missing = cloud.events.put_targets().rule("none").targets(target("t").build().unwrap()).send().await;
    assert_eq!(refusal(missing), "ResourceNotFoundException: Rule none does not exist on EventBus default.");
    cloud.local.shutdown().await;
}

#[tokio::test]
async fn a_fifo_queue_receives_events_in_the_targets_group() {
    let (cloud, _) = with_rule().await;
    let fifo = cloud.sqs.create_queue().queue_name("f.fifo").attributes("FifoQueue".into(), "true");
    let fifo = fifo.attributes("ContentBasedDeduplication".into(), "true");
    let queue = fifo.send().await.unwrap().queue_url.unwrap();
    let parameters = SqsParameters::builder().message_group_id("g").build();
    let target = target("t").arn(queue_arn("f.fifo")).sqs_parameters(parameters).build().unwrap();
    cloud.events.put_targets().rule("r").targets(target).send().await.unwrap();
    sell(&cloud, "default", "{}").await;
    let message = cloud.receive(&queue).await;
    let attributes = message.attributes().unwrap();
    assert_eq!(attributes[&aws_sdk_sqs::types::MessageSystemAttributeName::MessageGroupId], "g");
    cloud.local.shutdown().await;
}

#[tokio::test]
async fn a_topic_publishes_the_targets_input_and_a_deleted_one_leaves_a_dead_letter() {
    let (cloud, queue) = with_rule().await;
    let dead = cloud.queue("dead").await;
    let topic = cloud.sns.create_topic().name("t").send().await.unwrap().topic_arn.unwrap();
    let subscribe = cloud.sns.subscribe().topic_arn(&topic).protocol("sqs").endpoint(queue_arn("q"));
    subscribe.send().await.unwrap();
    let dead_letters = DeadLetterConfig::builder().arn(queue_arn("dead")).build();
    let target = target("t").arn(&topic).input_path("$.detail").dead_letter_config(dead_letters);
    let put = cloud.events.put_targets().rule("r").targets(target.build().unwrap()).send().await.unwrap();
    assert_eq!(put.failed_entry_count(), 0, "{put:?}");
    sell(&cloud, "default", r#"{"n": 1}"#).await;
    let notification = body(&cloud.receive(&queue).await);
    assert_eq!(notification["TopicArn"], topic.as_str());
    assert_eq!(notification["Message"], r#"{"n":1}"#);
    cloud.sns.delete_topic().topic_arn(&topic).send().await.unwrap();
    sell(&cloud, "default", r#"{"n": 2}"#).await;
    let letter = cloud.receive(&dead).await;
    assert_eq!(letter.message_attributes().unwrap()["ERROR_CODE"].string_value(), Some("NO_RESOURCE"));
    cloud.local.shutdown().await;
}

#[tokio::test]
async fn an_object_in_quotes_loses_its_own_in_text_and_breaks_json() {
    let (cloud, queue) = with_rule().await;
    let dead = cloud.queue("dead").await;
    let dead_letters = DeadLetterConfig::builder().arn(queue_arn("dead")).build();
    let json = templated("json", r#"{"p": "<p>"}"#).dead_letter_config(dead_letters);
    let text = templated("text", r#""p=<p>""#);
    let put = cloud.events.put_targets().rule("r");
    put.targets(json.build().unwrap()).targets(text.build().unwrap()).send().await.unwrap();
    sell(&cloud, "default", r#"{"p": {"a": "b"}}"#).await;
    assert_eq!(cloud.receive(&queue).await.body(), Some(r#""p={a:b}""#));
    assert!(cloud.receive_within(&queue, 0).await.is_none());
    let letter = cloud.receive(&dead).await;
    assert_eq!(letter.message_attributes().unwrap()["ERROR_CODE"].string_value(), Some("INVALID_JSON"));
    assert_eq!(body(&letter)["detail"]["p"]["a"], "b");
    cloud.local.shutdown().await;
}

#[tokio::test]
async fn an_event_passes_from_bus_to_bus_once() {
    let (cloud, queue) = with_rule().await;
    let bus_arn = |name: &str| format!("arn:aws:events:eu-central-1:{ACCOUNT}:event-bus/{name}");
    for (from, to) in [("second", queue_arn("q")), ("first", bus_arn("second")), ("zeroth", bus_arn("first"))]
    {
        cloud.events.create_event_bus().name(from).send().await.unwrap();
        cloud.events.put_rule().event_bus_name(from).name("r").event_pattern(PATTERN).send().await.unwrap();
        let target = target("t").arn(to).build().unwrap();
        let put =
            cloud.events.put_targets().event_bus_name(from).rule("r").targets(target).send().await.unwrap();
        assert_eq!(put.failed_entry_count(), 0, "{put:?}");
    }
    let id = sell(&cloud, "first", r#"{"n": 1}"#).await;
    assert_eq!(body(&cloud.receive(&queue).await)["id"], id.as_str());
    // AWS forwards an event only once more.
    sell(&cloud, "zeroth", r#"{"n": 2}"#).await;
    assert!(cloud.receive_within(&queue, 0).await.is_none());
    cloud.local.shutdown().await;
}
