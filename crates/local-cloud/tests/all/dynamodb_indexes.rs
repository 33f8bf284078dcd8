//! Sparse indexes: items enter and leave them by their attributes, page by page, in memory and on disk.

use aws_sdk_dynamodb::types::{AttributeValue, TransactWriteItem, Update};
use local_cloud::Settings;
use serde_json::json;

use crate::dynamodb::{ask, s};
use crate::support::{Cloud, cloud, cloud_with};

async fn table(cloud: &Cloud) {
    ask(
        cloud,
        "CreateTable",
        json!({
            "TableName": "items",
            "BillingMode": "PAY_PER_REQUEST",
            "KeySchema": [{"AttributeName": "pk", "KeyType": "HASH"}],
            "AttributeDefinitions": [
                {"AttributeName": "pk", "AttributeType": "S"},
                {"AttributeName": "due_bucket", "AttributeType": "S"},
                {"AttributeName": "due_at", "AttributeType": "S"},
            ],
            "GlobalSecondaryIndexes": [{
                "IndexName": "due",
                "KeySchema": [
                    {"AttributeName": "due_bucket", "KeyType": "HASH"},
                    {"AttributeName": "due_at", "KeyType": "RANGE"},
                ],
                "Projection": {"ProjectionType": "KEYS_ONLY"},
            }],
        }),
    )
    .await
    .unwrap();
}

/// Returns the keys of what is due before `until`, in pages of three.
async fn due(cloud: &Cloud, until: &str) -> Vec<String> {
    let mut pages = cloud
        .dynamodb
        .query()
        .table_name("items")
        .index_name("due")
        .key_condition_expression("due_bucket = :bucket AND due_at < :until")
        .expression_attribute_values(":bucket", s("0"))
        .expression_attribute_values(":until", s(until))
        .limit(3)
        .into_paginator()
        .send();
    let mut keys = Vec::new();
    while let Some(page) = pages.next().await {
        let page = page.unwrap();
        assert!(page.items().len() <= 3);
        keys.extend(page.items().iter().map(|item| item["pk"].as_s().unwrap().clone()));
    }
    keys
}

async fn items_enter_and_leave(cloud: Cloud) {
    table(&cloud).await;
    for number in 0..10 {
        let put = cloud.dynamodb.put_item().table_name("items").item("pk", s(&format!("item-{number}")));
        // Of ten items two lack a part of the key, and two are due at the same time.
        let put = if number == 8 { put } else { put.item("due_bucket", s("0")) };
        let put = if number == 9 { put } else { put.item("due_at", s(&format!("{}", number / 2))) };
        put.item("note", s("kept out")).send().await.unwrap();
    }
    assert_eq!(due(&cloud, "9").await.len(), 8);
    assert_eq!(due(&cloud, "2").await, ["item-0", "item-1", "item-2", "item-3"]);

    // Out of the index in a transaction, and to its end by an update.
    let removal = Update::builder()
        .table_name("items")
        .key("pk", s("item-0"))
        .update_expression("REMOVE due_bucket, due_at")
        .condition_expression("due_at = :due_at")
        .expression_attribute_values(":due_at", s("0"))
        .build()
        .unwrap();
    let removal = TransactWriteItem::builder().update(removal).build();
    cloud.dynamodb.transact_write_items().transact_items(removal).send().await.unwrap();
    let update = cloud.dynamodb.update_item().table_name("items").key("pk", s("item-1"));
    update
        .update_expression("SET due_at = :due_at")
        .expression_attribute_values(":due_at", s("8"))
        .send()
        .await
        .unwrap();
    assert_eq!(
        due(&cloud, "9").await,
        ["item-2", "item-3", "item-4", "item-5", "item-6", "item-7", "item-1"]
    );
    let kept = cloud.dynamodb.get_item().table_name("items").key("pk", s("item-0")).send().await.unwrap();
    assert_eq!(kept.item().unwrap().get("note"), Some(&AttributeValue::S("kept out".to_owned())));
    cloud.local.shutdown().await;
}

#[tokio::test]
async fn items_enter_and_leave_a_sparse_index_by_their_attributes() {
    items_enter_and_leave(cloud().await).await;
}

#[tokio::test]
async fn an_index_is_the_same_on_disk() {
    let directory = tempfile::tempdir().unwrap();
    let settings = Settings { data_dir: Some(directory.path().to_owned()), ..Settings::default() };
    items_enter_and_leave(cloud_with(settings).await).await;
}
