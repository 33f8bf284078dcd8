//! SQS's answers to wrong requests, with the codes that SDKs show and AWS's messages.

use aws_sdk_sqs::error::{ProvideErrorMetadata, SdkError};
use aws_sdk_sqs::types::{MessageAttributeValue, QueueAttributeName, SendMessageBatchRequestEntry};

use crate::support::{Cloud, cloud, queue_arn};

/// Returns the HTTP status, code and message of a refused request.
fn refused<T: std::fmt::Debug, E: ProvideErrorMetadata + std::fmt::Debug>(
    result: Result<T, SdkError<E>>,
) -> (u16, String, String) {
    let error = result.unwrap_err();
    let status = error.raw_response().map_or(0, |response| response.status().as_u16());
    let text = |part: Option<&str>| part.unwrap_or_default().to_owned();
    (status, text(error.code()), text(error.message()))
}

fn attribute(data_type: &str, value: &str) -> MessageAttributeValue {
    MessageAttributeValue::builder().data_type(data_type).string_value(value).build().unwrap()
}

fn entry(id: &str, body: &str) -> SendMessageBatchRequestEntry {
    SendMessageBatchRequestEntry::builder().id(id).message_body(body).build().unwrap()
}

async fn created(cloud: &Cloud, attributes: &[(QueueAttributeName, &str)]) -> (u16, String, String) {
    let mut create = cloud.sqs.create_queue().queue_name("new");
    for (name, value) in attributes {
        create = create.attributes(name.clone(), *value);
    }
    refused(create.send().await)
}

#[tokio::test]
async fn messages_are_refused_as_on_aws() {
    let cloud = cloud().await;
    let queue = cloud.queue("q").await;
    let send = || cloud.sqs.send_message().queue_url(&queue).message_body("m");
    let value = "InvalidParameterValue";
    for (send, code, message) in [
        (send().message_body(""), "MissingParameter", "The request must contain the parameter MessageBody."),
        (
            send().message_body("bad \0 \u{8} body"),
            "InvalidMessageContents",
            "Invalid binary character '#x0' was found in the message body, the set of allowed characters is #x9 | #xA | \
             #xD | #x20 to #xD7FF | #xE000 to #xFFFD | #x10000 to #x10FFFF",
        ),
        (
            send().message_body("a".repeat(1024 * 1024 + 1)),
            value,
            "One or more parameters are invalid. Reason: Message must be shorter than 1048576 bytes.",
        ),
        (
            send().delay_seconds(901),
            value,
            "Value 901 for parameter DelaySeconds is invalid. Reason: DelaySeconds must be >= 0 and <= 900.",
        ),
        (
            send().message_attributes("a", attribute("String", "")),
            value,
            "Message (user) attribute 'a' must contain a non-empty value of type 'String'.",
        ),
        (
            send().message_attributes("a", attribute("Bool", "true")),
            value,
            "The type of message (user) attribute 'a' is invalid. You must use only the following supported type \
             prefixes: Binary, Number, String.",
        ),
        (
            send().message_deduplication_id("d"),
            value,
            "Value d for parameter MessageDeduplicationId is invalid. Reason: The request includes a parameter that is \
             not valid for this queue type.",
        ),
    ] {
        assert_eq!(refused(send.send().await), (400, code.to_owned(), message.to_owned()));
    }
    send().message_body("a".repeat(1024 * 1024)).send().await.unwrap();
    let grouped = send().message_group_id("tenant").send().await.unwrap();
    assert_eq!(grouped.sequence_number(), None);
    cloud.local.shutdown().await;
}

#[tokio::test]
async fn batches_are_refused_as_on_aws() {
    let cloud = cloud().await;
    let queue = cloud.queue("q").await;
    let send = |entries: Vec<SendMessageBatchRequestEntry>| {
        cloud.sqs.send_message_batch().queue_url(&queue).set_entries(Some(entries)).send()
    };
    let half = "a".repeat(512 * 1024);
    for (entries, code, message) in [
        (
            Vec::new(),
            "EmptyBatchRequest",
            "There should be at least one SendMessageBatchRequestEntry in the request.",
        ),
        (
            (0..20).map(|number| entry(&number.to_string(), "m")).collect(),
            "TooManyEntriesInBatchRequest",
            "Maximum number of entries per request are 10. You have sent 20.",
        ),
        (vec![entry("a", "m"), entry("a", "m")], "BatchEntryIdsNotDistinct", "Id a repeated."),
        (
            vec![entry("order.1", "m")],
            "InvalidBatchEntryId",
            "A batch entry id can only contain alphanumeric characters, hyphens and underscores. It can be at most 80 \
             letters long.",
        ),
        (
            vec![entry("a", &half), entry("b", &half), entry("c", "c")],
            "BatchRequestTooLong",
            "Batch requests cannot be longer than 1048576 bytes. You have sent 1048577 bytes.",
        ),
    ] {
        let code = format!("AWS.SimpleQueueService.{code}");
        assert_eq!(refused(send(entries).await), (400, code, message.to_owned()));
    }
    cloud.local.shutdown().await;
}

#[tokio::test]
async fn receipts_are_refused_as_on_aws() {
    let cloud = cloud().await;
    let queue = cloud.queue("q").await;
    let invalid = (
        404,
        "ReceiptHandleIsInvalid".to_owned(),
        "The input receipt handle \"garbage\" is not a valid receipt handle.".to_owned(),
    );
    let delete = cloud.sqs.delete_message().queue_url(&queue).receipt_handle("garbage");
    assert_eq!(refused(delete.send().await), invalid);
    let change = cloud.sqs.change_message_visibility().queue_url(&queue).receipt_handle("garbage");
    assert_eq!(refused(change.visibility_timeout(1).send().await), invalid);
    for (number, range) in [(0, "between 1 and 10"), (11, "between 1 and 10")] {
        let receive = cloud.sqs.receive_message().queue_url(&queue).max_number_of_messages(number);
        let message = format!(
            "Value {number} for parameter MaxNumberOfMessages is invalid. Reason: Must be {range}, if provided."
        );
        assert_eq!(refused(receive.send().await), (400, "InvalidParameterValue".to_owned(), message));
    }
    let missing = cloud.sqs.receive_message().queue_url(cloud.url("/000000000000/missing"));
    assert_eq!(
        refused(missing.send().await),
        (
            400,
            "AWS.SimpleQueueService.NonExistentQueue".to_owned(),
            "The specified queue does not exist.".to_owned()
        )
    );
    cloud.local.shutdown().await;
}

#[tokio::test]
async fn queues_are_refused_as_on_aws() {
    let cloud = cloud().await;
    let unknown = |name: &str| (400, "InvalidAttributeName".to_owned(), format!("Unknown Attribute {name}."));
    assert_eq!(created(&cloud, &[("Foobar".into(), "1")]).await, unknown("Foobar"));
    assert_eq!(created(&cloud, &[(QueueAttributeName::FifoQueue, "false")]).await, unknown("FifoQueue"));
    assert_eq!(
        created(&cloud, &[(QueueAttributeName::VisibilityTimeout, "43201")]).await,
        (
            400,
            "InvalidAttributeValue".to_owned(),
            "Invalid value for the parameter VisibilityTimeout.".to_owned()
        )
    );
    let policy = r#"{"deadLetterTargetArn": "dummy", "maxReceiveCount": 42}"#;
    assert_eq!(
        created(&cloud, &[(QueueAttributeName::RedrivePolicy, policy)]).await,
        (
            400,
            "InvalidParameterValue".to_owned(),
            format!(
                "Value {policy} for parameter RedrivePolicy is invalid. Reason: Invalid value for deadLetterTargetArn."
            )
        )
    );
    let queue = cloud.queue("new").await;
    assert_eq!(
        created(&cloud, &[(QueueAttributeName::DelaySeconds, "2")]).await,
        (
            400,
            "QueueAlreadyExists".to_owned(),
            "A queue already exists with the same name and a different value for attribute DelaySeconds"
                .to_owned()
        )
    );
    cloud.sqs.delete_queue().queue_url(&queue).send().await.unwrap();
    assert_eq!(created(&cloud, &[]).await.1, "AWS.SimpleQueueService.QueueDeletedRecently");
    cloud.local.shutdown().await;
}

#[tokio::test]
async fn a_permission_stands_in_the_policy_until_it_is_removed() {
    let cloud = cloud().await;
    let queue = cloud.queue("q").await;
    let policy = || async {
        let get =
            cloud.sqs.get_queue_attributes().queue_url(&queue).attribute_names(QueueAttributeName::Policy);
        get.send().await.unwrap().attributes.and_then(|mut all| all.remove(&QueueAttributeName::Policy))
    };
    let add = || {
        let add = cloud.sqs.add_permission().queue_url(&queue).label("l");
        add.aws_account_ids("111122223333").actions("SendMessage").send()
    };
    add().await.unwrap();
    let text = policy().await.unwrap();
    assert!(text.contains("SQS:SendMessage") && text.contains(&queue_arn("q")), "{text}");
    assert_eq!(refused(add().await).2, "Value l for parameter Label is invalid. Reason: Already exists.");
    let remove = || cloud.sqs.remove_permission().queue_url(&queue).label("l").send();
    remove().await.unwrap();
    assert_eq!(policy().await, None);
    assert_eq!(
        refused(remove().await).2,
        "Value l for parameter Label is invalid. Reason: can't find label."
    );
    cloud.local.shutdown().await;
}

#[tokio::test]
async fn queues_are_listed_page_by_page() {
    let cloud = cloud().await;
    for name in ["a-1", "a-2", "a-3", "b-1"] {
        cloud.queue(name).await;
    }
    let list = || cloud.sqs.list_queues().queue_name_prefix("a-");
    let all = list().send().await.unwrap();
    assert_eq!((all.queue_urls().len(), all.next_token()), (3, None));
    let first = list().max_results(2).send().await.unwrap();
    let second = list().max_results(2).set_next_token(first.next_token.clone()).send().await.unwrap();
    assert_eq!((first.queue_urls().len(), second.queue_urls().len(), second.next_token()), (2, 1, None));
    assert!(list().queue_name_prefix("c").send().await.unwrap().queue_urls.is_none());
    let bad = list().next_token("?").send().await;
    assert_eq!(refused(bad).1, "InvalidParameterValue");
    cloud.local.shutdown().await;
}

#[tokio::test]
async fn the_query_protocol_has_its_own_words() {
    let cloud = cloud().await;
    let queue = cloud.queue("q").await;
    let get = async |url: String| {
        let signature =
            "AWS4-HMAC-SHA256 Credential=test/20260101/eu-central-1/sqs/aws4_request, Signature=0";
        let response = cloud.http.get(url).header("authorization", signature).send().await.unwrap();
        (response.status().as_u16(), response.text().await.unwrap())
    };
    let (status, text) = get(format!("{queue}?Action=ReceiveMessage")).await;
    assert!(status == 200 && text.contains("<ReceiveMessageResult/>"), "{text}");
    for action in ["FooBar", "CreateQueue", "ListQueues"] {
        let (status, text) = get(format!("{queue}?Action={action}")).await;
        let message = format!("<Message>The action {action} is not valid for this endpoint.</Message>");
        assert!(status == 400 && text.contains("<Code>InvalidAction</Code>"), "{text}");
        assert!(text.contains(&message), "{text}");
    }
    let (status, text) = get(queue.clone()).await;
    assert!(status == 404 && text.contains("<UnknownOperationException"), "{text}");
    let (status, text) = get(format!("{queue}-missing?Action=ReceiveMessage")).await;
    assert_eq!(status, 400);
    assert!(
        text.contains(
            "<Code>AWS.SimpleQueueService.NonExistentQueue</Code>\
             <Message>The specified queue does not exist for this wsdl version.</Message><Detail/>"
        ),
        "{text}"
    );
    cloud.local.shutdown().await;
}
