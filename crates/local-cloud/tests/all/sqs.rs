use std::time::{Duration, Instant};

use aws_sdk_sqs::error::ProvideErrorMetadata as _;
use aws_sdk_sqs::types::{
    ChangeMessageVisibilityBatchRequestEntry, DeleteMessageBatchRequestEntry, MessageAttributeValue,
    MessageSystemAttributeName, MessageSystemAttributeNameForSends, MessageSystemAttributeValue,
    QueueAttributeName, SendMessageBatchRequestEntry,
};

use crate::support::{HEADER, OTHER_HEADER, cloud, queue_arn, trace_header, until};
use crate::with_http_header;

fn system(header: &str) -> MessageSystemAttributeValue {
    MessageSystemAttributeValue::builder().data_type("String").string_value(header).build().unwrap()
}

fn text(value: &str) -> MessageAttributeValue {
    MessageAttributeValue::builder().data_type("String").string_value(value).build().unwrap()
}

#[tokio::test]
async fn the_messages_trace_header_is_kept_and_returned_on_request() {
    let cloud = cloud().await;
    let queue = cloud.queue("q").await;
    let send = cloud
        .sqs
        .send_message()
        .queue_url(&queue)
        .message_body("hello")
        .message_attributes("a", text("1"))
        .message_attributes(
            "b",
            MessageAttributeValue::builder()
                .data_type("Binary")
                .binary_value(aws_smithy_types::Blob::new([0, 255]))
                .build()
                .unwrap(),
        )
        .message_system_attributes(MessageSystemAttributeNameForSends::AwsTraceHeader, system(HEADER));
    // The message's own header takes precedence over the request's.
    let answer = with_http_header!(send, OTHER_HEADER).send().await.unwrap();
    assert!(answer.md5_of_message_attributes().is_some());
    assert!(answer.md5_of_message_system_attributes().is_some());

    let without = cloud
        .sqs
        .receive_message()
        .queue_url(&queue)
        .visibility_timeout(0)
        .send()
        .await
        .unwrap()
        .messages
        .unwrap();
    assert!(without[0].attributes.is_none());
    assert!(without[0].message_attributes.is_none());
    assert!(without[0].md5_of_message_attributes.is_none());

    // Redelivered, with the attributes requested.
    let asked = cloud
        .sqs
        .receive_message()
        .queue_url(&queue)
        .visibility_timeout(0)
        .message_system_attribute_names(MessageSystemAttributeName::AwsTraceHeader)
        .message_attribute_names("b")
        .send()
        .await
        .unwrap()
        .messages
        .unwrap();
    assert_eq!(trace_header(&asked[0]), Some(HEADER));
    assert_eq!(asked[0].attributes().unwrap().len(), 1);
    let attributes = asked[0].message_attributes().unwrap();
    assert_eq!(attributes.len(), 1);
    assert_eq!(attributes["b"].binary_value().unwrap().as_ref(), [0, 255]);

    let all = cloud.receive(&queue).await;
    assert_eq!(all.md5_of_message_attributes(), answer.md5_of_message_attributes());
    assert_eq!(all.attributes().unwrap()[&MessageSystemAttributeName::ApproximateReceiveCount], "3");
    cloud.local.shutdown().await;
}

#[tokio::test]
async fn the_requests_trace_header_applies_to_messages_without_one() {
    let cloud = cloud().await;
    let queue = cloud.queue("q").await;
    let send = cloud.sqs.send_message().queue_url(&queue).message_body("x");
    with_http_header!(send, HEADER).send().await.unwrap();
    assert_eq!(trace_header(&cloud.receive(&queue).await), Some(HEADER));

    let entry = |id: &str| SendMessageBatchRequestEntry::builder().id(id).message_body(id);
    let send = cloud
        .sqs
        .send_message_batch()
        .queue_url(&queue)
        .entries(entry("of-request").build().unwrap())
        .entries(
            entry("own")
                .message_system_attributes(
                    MessageSystemAttributeNameForSends::AwsTraceHeader,
                    system(OTHER_HEADER),
                )
                .build()
                .unwrap(),
        );
    with_http_header!(send, HEADER).send().await.unwrap();
    for (body, header) in [("of-request", HEADER), ("own", OTHER_HEADER)] {
        let message = cloud.receive(&queue).await;
        assert_eq!((message.body(), trace_header(&message)), (Some(body), Some(header)));
    }
    cloud.local.shutdown().await;
}

#[tokio::test]
async fn a_malformed_trace_header_is_dropped_and_the_message_sent() {
    let cloud = cloud().await;
    let queue = cloud.queue("q").await;
    let send =
        cloud.sqs.send_message().queue_url(&queue).message_body("x").message_system_attributes(
            MessageSystemAttributeNameForSends::AwsTraceHeader,
            system("malformed"),
        );
    with_http_header!(send, "more rubbish").send().await.unwrap();
    assert_eq!(trace_header(&cloud.receive(&queue).await), None);
    cloud.local.shutdown().await;
}

#[tokio::test]
async fn a_long_poll_is_answered_as_soon_as_a_message_arrives_with_its_header() {
    let cloud = cloud().await;
    let queue = cloud.queue("q").await;
    for _ in 0..20 {
        let started = Instant::now();
        let receive = cloud.receive(&queue);
        let send = async {
            tokio::time::sleep(Duration::from_millis(20)).await;
            let send = cloud.sqs.send_message().queue_url(&queue).message_body("x");
            with_http_header!(send, HEADER).send().await.unwrap();
        };
        let (message, ()) = tokio::join!(receive, send);
        assert!(started.elapsed() < Duration::from_secs(2));
        assert_eq!(trace_header(&message), Some(HEADER));
    }
    cloud.local.shutdown().await;
}

#[tokio::test]
async fn redrive_and_move_task_keep_attributes_and_header() {
    let cloud = cloud().await;
    let (queue, dead) = cloud.queue_with_dead_letters("q", 2).await;
    // The same queue and policy, written differently.
    cloud.queue_with_dead_letters("q", 2).await;
    for number in 0..3 {
        let send = cloud
            .sqs
            .send_message()
            .queue_url(&queue)
            .message_body(number.to_string())
            .message_attributes("a", text("1"));
        with_http_header!(send, HEADER).send().await.unwrap();
    }
    let receive =
        || cloud.sqs.receive_message().queue_url(&queue).max_number_of_messages(10).visibility_timeout(0);
    for _ in 0..2 {
        assert_eq!(receive().send().await.unwrap().messages.unwrap().len(), 3);
    }
    assert!(receive().send().await.unwrap().messages.is_none());
    until("three dead letters", || async { cloud.depth(&dead).await == 3 }).await;
    assert_eq!(cloud.depth(&queue).await, 0);
    let letter = cloud
        .sqs
        .receive_message()
        .queue_url(&dead)
        .visibility_timeout(0)
        .message_attribute_names("All")
        .message_system_attribute_names(MessageSystemAttributeName::All)
        .send()
        .await
        .unwrap()
        .messages
        .unwrap()
        .remove(0);
    assert_eq!(trace_header(&letter), Some(HEADER));
    assert_eq!(
        letter.attributes().unwrap()[&MessageSystemAttributeName::DeadLetterQueueSourceArn],
        queue_arn("q")
    );

    let task = cloud.sqs.start_message_move_task().source_arn(queue_arn("q-dead")).send().await.unwrap();
    assert!(task.task_handle().is_some());
    until("the move to be complete", || async {
        let tasks = cloud.sqs.list_message_move_tasks().source_arn(queue_arn("q-dead")).send().await.unwrap();
        tasks.results()[0].status() == Some("COMPLETED")
            && tasks.results()[0].approximate_number_of_messages_moved() == 3
    })
    .await;
    assert_eq!((cloud.depth(&queue).await, cloud.depth(&dead).await), (3, 0));
    let message = cloud.receive(&queue).await;
    assert_eq!(trace_header(&message), Some(HEADER));
    assert_eq!(message.message_attributes().unwrap()["a"].string_value(), Some("1"));
    assert_eq!(message.attributes().unwrap()[&MessageSystemAttributeName::ApproximateReceiveCount], "1");
    cloud.local.shutdown().await;
}

#[tokio::test]
async fn a_move_task_uses_the_given_destination_and_can_be_cancelled() {
    let cloud = cloud().await;
    let (_, dead) = cloud.queue_with_dead_letters("q", 1).await;
    let other = cloud.queue("other").await;
    for _ in 0..3 {
        cloud.sqs.send_message().queue_url(&dead).message_body("x").send().await.unwrap();
    }
    let start = || {
        cloud
            .sqs
            .start_message_move_task()
            .source_arn(queue_arn("q-dead"))
            .destination_arn(queue_arn("other"))
            .max_number_of_messages_per_second(1)
    };
    let handle = start().send().await.unwrap().task_handle.unwrap();
    assert!(start().send().await.is_err(), "one task at a time");
    until("one message to be moved", || async { cloud.depth(&other).await >= 1 }).await;
    cloud.sqs.cancel_message_move_task().task_handle(&handle).send().await.unwrap();
    until("the task to be cancelled", || async {
        let tasks = cloud.sqs.list_message_move_tasks().source_arn(queue_arn("q-dead")).send().await.unwrap();
        tasks.results()[0].status() == Some("CANCELLED")
    })
    .await;

    let not_dead =
        cloud.sqs.start_message_move_task().source_arn(queue_arn("other")).send().await.unwrap_err();
    assert_eq!(not_dead.code(), Some("InvalidParameterValue"));
    let missing =
        cloud.sqs.start_message_move_task().source_arn(queue_arn("missing")).send().await.unwrap_err();
    assert_eq!(missing.code(), Some("ResourceNotFoundException"));
    cloud.local.shutdown().await;
}

#[tokio::test]
async fn batches_report_each_entry_and_counts_are_correct() {
    let cloud = cloud().await;
    let queue = cloud.queue("q").await;
    let not_for_xml = "\u{1a}";
    let sent = cloud
        .sqs
        .send_message_batch()
        .queue_url(&queue)
        .entries(SendMessageBatchRequestEntry::builder().id("good").message_body("1").build().unwrap())
        .entries(SendMessageBatchRequestEntry::builder().id("bad").message_body(not_for_xml).build().unwrap())
        .send()
        .await
        .unwrap();
    assert_eq!(sent.successful()[0].id(), "good");
    let failed = &sent.failed()[0];
    assert_eq!((failed.id(), failed.code(), failed.sender_fault()), ("bad", "InvalidMessageContents", true));

    let message = cloud.receive(&queue).await;
    let attributes = cloud
        .sqs
        .get_queue_attributes()
        .queue_url(&queue)
        .attribute_names(QueueAttributeName::All)
        .send()
        .await
        .unwrap()
        .attributes
        .unwrap();
    assert_eq!(attributes[&QueueAttributeName::ApproximateNumberOfMessages], "0");
    assert_eq!(attributes[&QueueAttributeName::ApproximateNumberOfMessagesNotVisible], "1");
    let handle = message.receipt_handle().unwrap();
    cloud
        .sqs
        .change_message_visibility_batch()
        .queue_url(&queue)
        .entries(
            ChangeMessageVisibilityBatchRequestEntry::builder()
                .id("0")
                .receipt_handle(handle)
                .visibility_timeout(0)
                .build()
                .unwrap(),
        )
        .send()
        .await
        .unwrap();
    let again = cloud.receive(&queue).await;
    cloud
        .sqs
        .delete_message_batch()
        .queue_url(&queue)
        .entries(
            DeleteMessageBatchRequestEntry::builder()
                .id("0")
                .receipt_handle(again.receipt_handle().unwrap())
                .build()
                .unwrap(),
        )
        .send()
        .await
        .unwrap();
    assert!(cloud.receive_within(&queue, 0).await.is_none());

    let missing = cloud.url("/000000000000/missing");
    let error = cloud.sqs.send_message().queue_url(missing).message_body("x").send().await.unwrap_err();
    assert!(error.into_service_error().is_queue_does_not_exist());
    let error =
        cloud.sqs.receive_message().queue_url(&queue).max_number_of_messages(11).send().await.unwrap_err();
    assert_eq!(error.code(), Some("InvalidParameterValue"));
    cloud.local.shutdown().await;
}

#[tokio::test]
async fn ten_attributes_and_a_header_fit_and_eleven_do_not() {
    let cloud = cloud().await;
    let queue = cloud.queue("q").await;
    let mut send = cloud.sqs.send_message().queue_url(&queue).message_body("x");
    for number in 0..10 {
        send = send.message_attributes(format!("a{number}"), text("1"));
    }
    let one_more = send.clone().message_attributes("a10", text("1"));
    with_http_header!(send, HEADER).send().await.unwrap();
    assert_eq!(cloud.receive(&queue).await.message_attributes().unwrap().len(), 10);
    assert_eq!(one_more.send().await.unwrap_err().code(), Some("InvalidParameterValue"));
    cloud.local.shutdown().await;
}

#[tokio::test]
async fn long_polls_end_at_once_on_shutdown() {
    let cloud = cloud().await;
    let queue = cloud.queue("q").await;
    let sqs = cloud.sqs.clone();
    let poll =
        tokio::spawn(
            async move { sqs.receive_message().queue_url(queue).wait_time_seconds(20).send().await },
        );
    tokio::time::sleep(Duration::from_millis(100)).await;
    let started = Instant::now();
    cloud.local.shutdown().await;
    assert!(started.elapsed() < Duration::from_secs(2), "took {:?}", started.elapsed());
    assert!(poll.await.unwrap().unwrap().messages.is_none());
}
