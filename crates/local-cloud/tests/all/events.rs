use aws_sdk_eventbridge::types::{DeadLetterConfig, InputTransformer, PutEventsRequestEntry, Target};

use crate::support::{ACCOUNT, Cloud, HEADER, OTHER_HEADER, body, cloud, queue_arn, trace_header};
use crate::with_http_header;

fn entry(detail: &str) -> aws_sdk_eventbridge::types::builders::PutEventsRequestEntryBuilder {
    PutEventsRequestEntry::builder().event_bus_name("bus").source("shop").detail_type("Sold").detail(detail)
}

fn target(queue: &str) -> aws_sdk_eventbridge::types::builders::TargetBuilder {
    Target::builder().id(queue).arn(queue_arn(queue))
}

/// Creates a bus with a rule for `source: shop` and these targets.
async fn bus(cloud: &Cloud, targets: Vec<Target>) {
    cloud.events.create_event_bus().name("bus").send().await.unwrap();
    cloud
        .events
        .put_rule()
        .event_bus_name("bus")
        .name("rule")
        .event_pattern(r#"{"source": ["shop"], "detail": {"n": [{"numeric": [">", 0]}]}}"#)
        .send()
        .await
        .unwrap();
    let put = cloud
        .events
        .put_targets()
        .event_bus_name("bus")
        .rule("rule")
        .set_targets(Some(targets))
        .send()
        .await
        .unwrap();
    assert_eq!(put.failed_entry_count(), 0, "{put:?}");
}

#[tokio::test]
async fn an_event_arrives_as_on_aws_with_the_entrys_trace_header() {
    let cloud = cloud().await;
    let queue = cloud.queue("q").await;
    bus(&cloud, vec![target("q").build().unwrap()]).await;

    let put = cloud.events.put_events().entries(
        entry(r#"{"n": 1}"#)
            .trace_header(HEADER)
            .resources("arn:aws:x")
            .time(aws_smithy_types::DateTime::from_secs(1_763_865_600))
            .build(),
    );
    let put = with_http_header!(put, OTHER_HEADER).send().await.unwrap();
    let message = cloud.receive(&queue).await;
    assert_eq!(trace_header(&message), Some(HEADER));
    assert_eq!(
        body(&message),
        serde_json::json!({
            "version": "0",
            "id": put.entries()[0].event_id().unwrap(),
            "detail-type": "Sold",
            "source": "shop",
            "account": ACCOUNT,
            "time": "2025-11-23T02:40:00Z",
            "region": "eu-central-1",
            "resources": ["arn:aws:x"],
            "detail": {"n": 1},
        })
    );
    cloud.local.shutdown().await;
}

#[tokio::test]
async fn the_requests_header_applies_to_entries_without_one_and_malformed_ones_are_dropped() {
    let cloud = cloud().await;
    let queue = cloud.queue("q").await;
    bus(&cloud, vec![target("q").build().unwrap()]).await;
    let put = cloud
        .events
        .put_events()
        .entries(entry(r#"{"n": 1}"#).build())
        .entries(entry(r#"{"n": 2}"#).trace_header("malformed").build())
        .entries(entry(r#"{"n": 3}"#).trace_header(OTHER_HEADER).build());
    with_http_header!(put, HEADER).send().await.unwrap();
    for (n, header) in [(1, HEADER), (2, HEADER), (3, OTHER_HEADER)] {
        let message = cloud.receive(&queue).await;
        assert_eq!((body(&message)["detail"]["n"].as_i64(), trace_header(&message)), (Some(n), Some(header)));
    }
    cloud
        .events
        .put_events()
        .entries(entry(r#"{"n": 4}"#).trace_header("malformed").build())
        .send()
        .await
        .unwrap();
    let message = cloud.receive(&queue).await;
    assert_eq!(body(&message)["detail"]["n"], 4);
    assert_eq!(trace_header(&message), None);
    cloud.local.shutdown().await;
}

#[tokio::test]
async fn failed_entries_are_reported_in_place_and_the_others_delivered() {
    let cloud = cloud().await;
    let queue = cloud.queue("q").await;
    bus(&cloud, vec![target("q").build().unwrap()]).await;
    let put = cloud
        .events
        .put_events()
        .entries(entry(r#"{"n": 1}"#).build())
        .entries(entry("not json").build())
        .entries(entry(r#"{"n": 0}"#).build())
        .entries(PutEventsRequestEntry::builder().detail_type("x").detail("{}").build())
        .entries(entry("{}").event_bus_name("missing").build())
        .send()
        .await
        .unwrap();
    assert_eq!(put.failed_entry_count(), 3);
    let codes: Vec<_> = put.entries().iter().map(|entry| entry.error_code()).collect();
    assert_eq!(
        codes,
        [None, Some("MalformedDetail"), None, Some("InvalidArgument"), Some("ResourceNotFoundException")]
    );
    assert_eq!(body(&cloud.receive(&queue).await)["detail"]["n"], 1);
    assert!(cloud.receive_within(&queue, 0).await.is_none(), "the third does not match the rule");
    cloud.local.shutdown().await;
}

#[tokio::test]
async fn an_event_for_a_deleted_queue_goes_to_the_targets_dead_letter_queue() {
    let cloud = cloud().await;
    let gone = cloud.queue("gone").await;
    let dead = cloud.queue("dead").await;
    let alive = cloud.queue("alive").await;
    let dead_letters = DeadLetterConfig::builder().arn(queue_arn("dead")).build();
    bus(
        &cloud,
        vec![
            target("gone").dead_letter_config(dead_letters.clone()).build().unwrap(),
            target("alive").dead_letter_config(dead_letters).build().unwrap(),
        ],
    )
    .await;
    let listed = cloud.events.list_targets_by_rule().event_bus_name("bus").rule("rule").send().await.unwrap();
    assert!(listed.targets().iter().all(|target| target.dead_letter_config().is_some()));
    cloud.sqs.delete_queue().queue_url(&gone).send().await.unwrap();

    cloud
        .events
        .put_events()
        .entries(entry(r#"{"n": 1}"#).trace_header(HEADER).build())
        .send()
        .await
        .unwrap();
    assert_eq!(body(&cloud.receive(&alive).await)["detail"]["n"], 1);
    let letter = cloud.receive(&dead).await;
    assert_eq!(trace_header(&letter), Some(HEADER));
    assert_eq!(body(&letter)["detail"]["n"], 1);
    let attribute =
        |name: &str| letter.message_attributes().unwrap()[name].string_value().unwrap().to_owned();
    assert_eq!(attribute("ERROR_CODE"), "NO_RESOURCE");
    assert!(!attribute("ERROR_MESSAGE").is_empty());
    assert_eq!(attribute("RULE_ARN"), format!("arn:aws:events:eu-central-1:{ACCOUNT}:rule/bus/rule"));
    assert_eq!(attribute("TARGET_ARN"), queue_arn("gone"));
    cloud.local.shutdown().await;
}

#[tokio::test]
async fn targets_receive_the_input_they_declare() {
    let cloud = cloud().await;
    for name in ["whole", "constant", "path", "template"] {
        cloud.queue(name).await;
    }
    let transformer = InputTransformer::builder()
        .input_paths_map("n", "$.detail.n")
        .input_paths_map("s", "$.source")
        .input_template(r#"{"n": <n>, "s": <s>, "text": "n=<n> of <s>", "rule": <aws.events.rule-name>}"#)
        .build()
        .unwrap();
    bus(
        &cloud,
        vec![
            target("constant").input(r#"{"c": 1}"#).build().unwrap(),
            target("path").input_path("$.detail").build().unwrap(),
            target("template").input_transformer(transformer).build().unwrap(),
        ],
    )
    .await;
    cloud.events.put_events().entries(entry(r#"{"n": 7}"#).build()).send().await.unwrap();
    for (queue, wanted) in [
        ("constant", serde_json::json!({"c": 1})),
        ("path", serde_json::json!({"n": 7})),
        ("template", serde_json::json!({"n": 7, "s": "shop", "text": "n=7 of shop", "rule": "rule"})),
    ] {
        assert_eq!(body(&cloud.receive(&cloud.queue(queue).await).await), wanted);
    }
    cloud.local.shutdown().await;
}

#[tokio::test]
async fn changed_rules_take_effect_and_unsupported_targets_are_refused() {
    let cloud = cloud().await;
    let queue = cloud.queue("q").await;
    bus(&cloud, vec![target("q").build().unwrap()]).await;
    let put = || cloud.events.put_events().entries(entry(r#"{"n": 1}"#).build()).send();

    cloud.events.disable_rule().event_bus_name("bus").name("rule").send().await.unwrap();
    put().await.unwrap();
    assert!(cloud.receive_within(&queue, 0).await.is_none());
    cloud.events.enable_rule().event_bus_name("bus").name("rule").send().await.unwrap();
    put().await.unwrap();
    cloud.receive(&queue).await;

    let refused = cloud
        .events
        .put_targets()
        .event_bus_name("bus")
        .rule("rule")
        .targets(
            Target::builder()
                .id("f")
                .arn(format!("arn:aws:lambda:eu-central-1:{ACCOUNT}:function:f"))
                .build()
                .unwrap(),
        )
        .send()
        .await
        .unwrap();
    assert_eq!(refused.failed_entry_count(), 1);
    assert!(
        cloud.events.delete_rule().event_bus_name("bus").name("rule").send().await.is_err(),
        "it has targets"
    );
    let names = cloud
        .events
        .list_rule_names_by_target()
        .event_bus_name("bus")
        .target_arn(queue_arn("q"))
        .send()
        .await
        .unwrap();
    assert_eq!(names.rule_names(), ["rule"]);
    cloud.events.remove_targets().event_bus_name("bus").rule("rule").ids("q").send().await.unwrap();
    cloud.events.delete_rule().event_bus_name("bus").name("rule").send().await.unwrap();
    put().await.unwrap();
    assert!(cloud.receive_within(&queue, 0).await.is_none());
    cloud.local.shutdown().await;
}

#[tokio::test]
async fn none_of_thousands_of_events_is_lost() {
    let cloud = cloud().await;
    let queue = cloud.queue("q").await;
    bus(&cloud, vec![target("q").build().unwrap()]).await;
    let mut producers = tokio::task::JoinSet::new();
    for producer in 0..16 {
        let events = cloud.events.clone();
        producers.spawn(async move {
            for _ in 0..20 {
                let entries =
                    (0..10).map(|_| entry(&format!(r#"{{"n": {}}}"#, producer + 1)).build()).collect();
                let put = events.put_events().set_entries(Some(entries)).send().await.unwrap();
                assert_eq!(put.failed_entry_count(), 0);
            }
        });
    }
    while let Some(producer) = producers.join_next().await {
        producer.unwrap();
    }
    assert_eq!(cloud.depth(&queue).await, 3200);
    cloud.local.shutdown().await;
}
