use std::time::Instant;

use aws_sdk_dynamodb::types::AttributeValue;
use aws_sdk_eventbridge::types::Target;
use aws_sdk_pipes::types::{
    DeadLetterConfig, DynamoDbStreamStartPosition, Filter, FilterCriteria, OnPartialBatchItemFailureStreams,
    PipeSourceDynamoDbStreamParameters, PipeSourceParameters, PipeState,
    PipeTargetEventBridgeEventBusParameters, PipeTargetParameters,
};

use crate::dynamodb::{s, table};
use crate::support::{ACCOUNT, Cloud, body, cloud, queue_arn, trace_header, until};

const FIXTURE: &str = include_str!("../../fixtures/pipe.json");

/// Creates a table, a bus and a queue, with the fixture's pipe between them. Returns the URLs of the queue and of the
/// pipe's dead-letter queue.
async fn outbox(cloud: &Cloud) -> (String, String) {
    let stream = table(cloud, "members").await;
    let queue = cloud.queue("q").await;
    let dead = cloud.queue("pipe-dead").await;
    cloud.events.create_event_bus().name("loyalty").send().await.unwrap();
    cloud
        .events
        .put_rule()
        .event_bus_name("loyalty")
        .name("r")
        .event_pattern(r#"{"source": ["foostore.loyalty"]}"#)
        .send()
        .await
        .unwrap();
    cloud
        .events
        .put_targets()
        .event_bus_name("loyalty")
        .rule("r")
        .targets(Target::builder().id("q").arn(queue_arn("q")).build().unwrap())
        .send()
        .await
        .unwrap();

    let fixture: serde_json::Value = serde_json::from_str(FIXTURE).unwrap();
    let text = |pointer: &str| fixture.pointer(pointer).unwrap().as_str().unwrap().to_owned();
    let source = PipeSourceDynamoDbStreamParameters::builder()
        .starting_position(DynamoDbStreamStartPosition::TrimHorizon)
        .batch_size(10)
        .maximum_retry_attempts(2)
        .on_partial_batch_item_failure(OnPartialBatchItemFailureStreams::AutomaticBisect)
        .dead_letter_config(DeadLetterConfig::builder().arn(queue_arn("pipe-dead")).build())
        .build()
        .unwrap();
    let pattern = text("/pipe/SourceParameters/FilterCriteria/Filters/0/Pattern");
    let created = cloud
        .pipes
        .create_pipe()
        .name("outbox")
        .role_arn(format!("arn:aws:iam::{ACCOUNT}:role/pipe"))
        .source(stream)
        .source_parameters(
            PipeSourceParameters::builder()
                .dynamo_db_stream_parameters(source)
                .filter_criteria(
                    FilterCriteria::builder().filters(Filter::builder().pattern(pattern).build()).build(),
                )
                .build(),
        )
        .target(format!("arn:aws:events:eu-central-1:{ACCOUNT}:event-bus/loyalty"))
        .target_parameters(
            PipeTargetParameters::builder()
                .event_bridge_event_bus_parameters(
                    PipeTargetEventBridgeEventBusParameters::builder()
                        .source(text("/pipe/TargetParameters/EventBridgeEventBusParameters/Source"))
                        .detail_type(text("/pipe/TargetParameters/EventBridgeEventBusParameters/DetailType"))
                        .build(),
                )
                .input_template(text("/pipe/TargetParameters/InputTemplate"))
                .build(),
        )
        .send()
        .await
        .unwrap();
    assert_eq!(created.current_state(), Some(&PipeState::Creating));
    (queue, dead)
}

async fn write(cloud: &Cloud, event_id: &str) {
    cloud
        .dynamodb
        .put_item()
        .table_name("members")
        .item("pk", s(&format!("OUTBOX#{event_id}")))
        .item("source", s("foostore.loyalty"))
        .item("event_type", s("MemberRenamed"))
        .item("event_id", s(event_id))
        .item("schema_version", AttributeValue::N("1".to_owned()))
        .item("trace", s("T"))
        .item("data", s(r#"{"name":"Zoë"}"#))
        .send()
        .await
        .unwrap();
}

#[tokio::test]
async fn a_written_item_becomes_an_event_at_once() {
    let cloud = cloud().await;
    let (queue, _) = outbox(&cloud).await;
    cloud.dynamodb.put_item().table_name("members").item("pk", s("MEMBER#1")).send().await.unwrap();
    let started = Instant::now();
    write(&cloud, "e1").await;
    let message = cloud.receive(&queue).await;
    println!("from the write to the receive: {:?}", started.elapsed());
    let event = body(&message);
    assert_eq!(event["source"], "foostore.loyalty");
    assert_eq!(event["detail-type"], "MemberRenamed");
    assert_eq!(
        event["detail"],
        serde_json::json!({
            "metadata": {"event_id": "e1", "schema_version": "1", "trace": "T", "silent": ""},
            "data": r#"{"name":"Zoë"}"#,
        })
    );
    assert_eq!(trace_header(&message), None, "a pipe carries no context");
    assert!(cloud.receive_within(&queue, 0).await.is_none());

    let described = cloud.pipes.describe_pipe().name("outbox").send().await.unwrap();
    assert_eq!(described.current_state(), Some(&PipeState::Running));
    assert!(described.source_parameters().unwrap().filter_criteria().is_some());
    assert_eq!(cloud.pipes.list_pipes().send().await.unwrap().pipes().len(), 1);
    cloud.local.shutdown().await;
}

#[tokio::test]
async fn a_record_that_cannot_be_put_is_retried_and_then_dead_lettered() {
    let cloud = cloud().await;
    let (queue, dead) = outbox(&cloud).await;
    cloud.fault(serde_json::json!({"service": "pipes", "operation": "PutEvents", "error": "throttle", "times": 2})).await;
    write(&cloud, "survives").await;
    assert_eq!(body(&cloud.receive(&queue).await)["detail"]["metadata"]["event_id"], "survives");

    cloud.fault(serde_json::json!({"service": "pipes", "error": "500", "times": 3})).await;
    write(&cloud, "given-up").await;
    write(&cloud, "next").await;
    let letter = body(&cloud.receive(&dead).await);
    assert_eq!(letter["context"]["condition"], "RetryAttemptsExhausted");
    assert!(letter["DDBStreamBatchInfo"]["startSequenceNumber"].is_string());
    assert_eq!(body(&cloud.receive(&queue).await)["detail"]["metadata"]["event_id"], "next");
    cloud.local.shutdown().await;
}

#[tokio::test]
async fn a_stopped_pipe_resumes_where_it_was() {
    let cloud = cloud().await;
    let (queue, _) = outbox(&cloud).await;
    write(&cloud, "1").await;
    cloud.receive(&queue).await;
    cloud.pipes.stop_pipe().name("outbox").send().await.unwrap();
    write(&cloud, "2").await;
    assert!(cloud.receive_within(&queue, 0).await.is_none());
    cloud.pipes.start_pipe().name("outbox").send().await.unwrap();
    assert_eq!(body(&cloud.receive(&queue).await)["detail"]["metadata"]["event_id"], "2");
    cloud.pipes.delete_pipe().name("outbox").send().await.unwrap();
    assert!(
        cloud
            .pipes
            .describe_pipe()
            .name("outbox")
            .send()
            .await
            .unwrap_err()
            .into_service_error()
            .is_not_found_exception()
    );
    cloud.local.shutdown().await;
}

#[tokio::test]
async fn every_record_of_a_busy_table_arrives() {
    let cloud = cloud().await;
    let (queue, _) = outbox(&cloud).await;
    let mut writers = tokio::task::JoinSet::new();
    let shared = std::sync::Arc::new(cloud);
    for writer in 0..10 {
        let cloud = std::sync::Arc::clone(&shared);
        writers.spawn(async move {
            for number in 0..50 {
                write(&cloud, &format!("{writer}-{number}")).await;
            }
        });
    }
    while let Some(writer) = writers.join_next().await {
        writer.unwrap();
    }
    until("five hundred messages", || async { shared.depth(&queue).await == 500 }).await;
}
