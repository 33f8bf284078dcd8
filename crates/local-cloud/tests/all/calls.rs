use std::collections::BTreeSet;

use aws_credential_types::Credentials;
use aws_sdk_dynamodb::types::{ConditionCheck, Delete, Put, TransactWriteItem};
use aws_sdk_eventbridge::types::PutEventsRequestEntry;
use aws_sdk_kms::types::DataKeySpec;
use aws_sdk_sesv2::types::{Body, Content, Destination, EmailContent, Message};
use aws_sdk_sns::types::PublishBatchRequestEntry;
use aws_sdk_sqs::types::DeleteMessageBatchRequestEntry;
use serde_json::{Value, json};

use crate::dynamodb::{s, table};
use crate::support::{Cloud, cloud, queue_arn};

/// Returns `(action, resource)` of each of a caller's calls.
async fn calls(cloud: &Cloud, caller: &str) -> BTreeSet<(String, String)> {
    let all = listed(cloud).await;
    let text = |call: &Value, name: &str| call[name].as_str().unwrap().to_owned();
    all["calls"]
        .as_array()
        .unwrap()
        .iter()
        .filter(|call| call["caller"] == caller)
        .map(|call| (text(call, "action"), text(call, "resource")))
        .collect()
}

async fn listed(cloud: &Cloud) -> Value {
    cloud.http.get(cloud.url("/_local/calls")).send().await.unwrap().json().await.unwrap()
}

/// Returns the cloud with clients that sign as `caller` from now on.
fn signing_as(mut cloud: Cloud, caller: &str) -> Cloud {
    let sdk =
        cloud.sdk.to_builder().credentials_provider(aws_sdk_sqs::config::SharedCredentialsProvider::new(
            Credentials::new(caller, "secret", None, None, "test"),
        ));
    cloud.sdk = sdk.build();
    cloud.sqs = aws_sdk_sqs::Client::new(&cloud.sdk);
    cloud.sns = aws_sdk_sns::Client::new(&cloud.sdk);
    cloud.events = aws_sdk_eventbridge::Client::new(&cloud.sdk);
    cloud.dynamodb = aws_sdk_dynamodb::Client::new(&cloud.sdk);
    cloud.ses = aws_sdk_sesv2::Client::new(&cloud.sdk);
    cloud.s3 = aws_sdk_s3::Client::new(&cloud.sdk);
    cloud.kms = aws_sdk_kms::Client::new(&cloud.sdk);
    cloud
}

fn asked(all: &[(&str, &str)]) -> BTreeSet<(String, String)> {
    all.iter().map(|(action, resource)| ((*action).to_owned(), (*resource).to_owned())).collect()
}

#[tokio::test]
async fn batches_need_the_permission_of_the_single_action() {
    let cloud = cloud().await;
    let queue = cloud.queue("q").await;
    let topic = cloud.sns.create_topic().name("t").send().await.unwrap().topic_arn.unwrap();
    let cloud = signing_as(cloud, "email");
    let delete = DeleteMessageBatchRequestEntry::builder().id("1").receipt_handle("none").build().unwrap();
    // There is no such message, so the call fails; IAM would have decided before that.
    drop(cloud.sqs.delete_message_batch().queue_url(&queue).entries(delete).send().await);
    cloud.receive_within(&queue, 0).await;
    let entry = PublishBatchRequestEntry::builder().id("1").message("x").build().unwrap();
    cloud
        .sns
        .publish_batch()
        .topic_arn(&topic)
        .publish_batch_request_entries(entry.clone())
        .send()
        .await
        .unwrap();
    let q = queue_arn("q");
    let expected = asked(&[("sqs:DeleteMessage", &q), ("sqs:ReceiveMessage", &q), ("sns:Publish", &topic)]);
    assert_eq!(calls(&cloud, "email").await, expected);
    cloud.local.shutdown().await;
}

#[tokio::test]
async fn a_transaction_needs_a_permission_for_each_item() {
    let cloud = cloud().await;
    table(&cloud, "first").await;
    table(&cloud, "second").await;
    let cloud = signing_as(cloud, "membership");
    let put = |key: &str| Put::builder().table_name("first").item("pk", s(key)).build().unwrap();
    let delete = Delete::builder().table_name("second").key("pk", s("1")).build().unwrap();
    let check = ConditionCheck::builder()
        .table_name("second")
        .key("pk", s("2"))
        .condition_expression("attribute_not_exists(pk)")
        .build()
        .unwrap();
    cloud
        .dynamodb
        .transact_write_items()
        .transact_items(TransactWriteItem::builder().put(put("1")).build())
        .transact_items(TransactWriteItem::builder().put(put("2")).build())
        .transact_items(TransactWriteItem::builder().delete(delete).build())
        .transact_items(TransactWriteItem::builder().condition_check(check).build())
        .send()
        .await
        .unwrap();
    let arn = |table: &str| format!("arn:aws:dynamodb:eu-central-1:000000000000:table/{table}");
    let expected = asked(&[
        ("dynamodb:PutItem", &arn("first")),
        ("dynamodb:DeleteItem", &arn("second")),
        ("dynamodb:ConditionCheckItem", &arn("second")),
    ]);
    assert_eq!(calls(&cloud, "membership").await, expected);
    cloud.local.shutdown().await;
}

#[tokio::test]
async fn a_query_of_an_index_needs_a_permission_for_the_index() {
    let cloud = signing_as(cloud().await, "rewards");
    // Neither exists, so the calls fail; IAM would have decided before that.
    for index in [None, Some("due".to_owned())] {
        let query = cloud.dynamodb.query().table_name("points").set_index_name(index);
        drop(
            query
                .key_condition_expression("pk = :pk")
                .expression_attribute_values(":pk", s("1"))
                .send()
                .await,
        );
    }
    let table = "arn:aws:dynamodb:eu-central-1:000000000000:table/points";
    let expected = asked(&[("dynamodb:Query", table), ("dynamodb:Query", &format!("{table}/index/due"))]);
    assert_eq!(calls(&cloud, "rewards").await, expected);
    cloud.local.shutdown().await;
}

#[tokio::test]
async fn buses_and_senders_are_named() {
    let cloud = signing_as(cloud().await, "ingest");
    cloud.events.create_event_bus().name("b").send().await.unwrap();
    cloud.http.delete(cloud.url("/_local/calls")).send().await.unwrap();
    let entry = |bus: Option<&str>| {
        PutEventsRequestEntry::builder()
            .set_event_bus_name(bus.map(str::to_owned))
            .source("s")
            .detail_type("d")
            .detail("{}")
            .build()
    };
    cloud.events.put_events().entries(entry(Some("b"))).entries(entry(None)).send().await.unwrap();
    let text = |text: &str| Content::builder().data(text).build().unwrap();
    let message = Message::builder().subject(text("s")).body(Body::builder().text(text("b")).build()).build();
    // The sender is unknown to SES, which would answer so only after IAM had decided.
    let refused = cloud
        .ses
        .send_email()
        .from_email_address("FooStore <loyalty@foostore.example>")
        .destination(Destination::builder().to_addresses("ada@mail.example").build())
        .content(EmailContent::builder().simple(message).build())
        .configuration_set_name("main")
        .send()
        .await;
    assert!(refused.is_err());
    let bus = |name: &str| format!("arn:aws:events:eu-central-1:000000000000:event-bus/{name}");
    let identity = "arn:aws:ses:eu-central-1:000000000000:identity/loyalty@foostore.example";
    let expected = asked(&[
        ("events:PutEvents", &bus("b")),
        ("events:PutEvents", &bus("default")),
        ("ses:SendEmail", identity),
        ("ses:SendEmail", "arn:aws:ses:eu-central-1:000000000000:configuration-set/main"),
    ]);
    assert_eq!(calls(&cloud, "ingest").await, expected);
    let all = listed(&cloud).await;
    let mail = all["calls"].as_array().unwrap().iter().find(|call| call["operation"] == "SendEmail").unwrap();
    assert_eq!(mail["context"], json!({"ses:FromAddress": "loyalty@foostore.example"}));
    assert_eq!((&mail["count"], &all["left_out"]), (&json!(1), &json!(0)));
    cloud.local.shutdown().await;
}

#[tokio::test]
async fn x_ray_and_unknown_operations_are_recorded_too() {
    let cloud = signing_as(cloud().await, "collector");
    aws_sdk_xray::Client::new(&cloud.sdk)
        .put_trace_segments()
        .trace_segment_documents("{}")
        .send()
        .await
        .unwrap();
    cloud.http.get(cloud.url("/bucket/key/x")).send().await.unwrap();
    assert_eq!(calls(&cloud, "collector").await, asked(&[("xray:PutTraceSegments", "*")]));
    assert_eq!(calls(&cloud, "anonymous").await, asked(&[("unknown:GET /bucket/key/x", "*")]));
    cloud.local.shutdown().await;
}

#[tokio::test]
async fn objects_and_keys_are_named() {
    let cloud = cloud().await;
    crate::s3::bucket(&cloud, "mine").await;
    let key = cloud.kms.create_key().send().await.unwrap().key_metadata.unwrap();
    let cloud = signing_as(cloud, "archive");
    cloud.s3.put_object().bucket("mine").key("a/b").send().await.unwrap();
    cloud.s3.head_object().bucket("mine").key("a/b").send().await.unwrap();
    cloud.s3.list_objects_v2().bucket("mine").send().await.unwrap();
    let generate = cloud.kms.generate_data_key().key_id(key.key_id()).key_spec(DataKeySpec::Aes256);
    let data_key = generate.send().await.unwrap();
    cloud.kms.decrypt().ciphertext_blob(data_key.ciphertext_blob.unwrap()).send().await.unwrap();
    let arn = key.arn().unwrap();
    assert_eq!(
        calls(&cloud, "archive").await,
        asked(&[
            ("s3:PutObject", "arn:aws:s3:::mine/*"),
            ("s3:GetObject", "arn:aws:s3:::mine/*"),
            ("s3:ListBucket", "arn:aws:s3:::mine"),
            ("kms:GenerateDataKey", arn),
            ("kms:Decrypt", arn),
        ])
    );
    cloud.local.shutdown().await;
}
