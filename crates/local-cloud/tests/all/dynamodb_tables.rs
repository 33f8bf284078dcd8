//! Tables: how they are described, named, protected and tagged.

use aws_sdk_dynamodb::error::ProvideErrorMetadata as _;
use aws_sdk_dynamodb::types::{Get, KeysAndAttributes, TransactGetItem};
use serde_json::json;

use crate::dynamodb::{ask, s, table};
use crate::support::{ACCOUNT, cloud, cloud_of};

#[tokio::test]
async fn a_table_can_be_named_by_its_arn_wherever_a_name_is() {
    let cloud = cloud().await;
    table(&cloud, "items").await;
    let described = cloud.dynamodb.describe_table().table_name("items").send().await.unwrap().table.unwrap();
    let arn = described.table_arn.unwrap();
    assert_eq!(arn, format!("arn:aws:dynamodb:eu-central-1:{ACCOUNT}:table/items"));

    cloud.dynamodb.put_item().table_name(&arn).item("pk", s("a")).send().await.unwrap();
    let got = cloud.dynamodb.get_item().table_name(&arn).key("pk", s("a")).send().await.unwrap();
    assert!(got.item().is_some());
    let get = Get::builder().table_name(&arn).key("pk", s("a")).build().unwrap();
    let got = cloud
        .dynamodb
        .transact_get_items()
        .transact_items(TransactGetItem::builder().get(get).build())
        .send()
        .await
        .unwrap();
    assert!(got.responses()[0].item().is_some());
    let keys = KeysAndAttributes::builder().keys([("pk".to_owned(), s("a"))].into()).build().unwrap();
    let got = cloud.dynamodb.batch_get_item().request_items(&arn, keys).send().await.unwrap();
    assert_eq!(got.responses().unwrap()[&arn].len(), 1, "named as the request named it");

    let elsewhere = arn.replace(ACCOUNT, "123456789012");
    let refused = cloud.dynamodb.get_item().table_name(elsewhere).key("pk", s("a")).send().await.unwrap_err();
    assert_eq!(refused.code(), Some("AccessDeniedException"));
    cloud.local.shutdown().await;
}

#[tokio::test]
async fn arns_have_the_region_and_account_of_the_cloud() {
    let cloud = cloud_of("eu-west-1", "123456789012").await;
    let stream = table(&cloud, "items").await;
    let prefix = "arn:aws:dynamodb:eu-west-1:123456789012:table/items";
    assert!(stream.starts_with(&format!("{prefix}/stream/20")), "{stream}");
    let described = cloud.dynamodb.describe_table().table_name("items").send().await.unwrap().table.unwrap();
    assert_eq!(described.table_arn.as_deref(), Some(prefix));
    cloud.local.shutdown().await;
}

#[tokio::test]
async fn a_protected_table_is_not_deleted() {
    let cloud = cloud().await;
    table(&cloud, "items").await;
    let protect =
        |on| cloud.dynamodb.update_table().table_name("items").deletion_protection_enabled(on).send();
    protect(true).await.unwrap();
    let refused = cloud.dynamodb.delete_table().table_name("items").send().await.unwrap_err();
    assert_eq!(refused.code(), Some("ValidationException"));
    assert_eq!(
        refused.message(),
        Some(
            "Resource cannot be deleted as it is currently protected against deletion. Disable deletion protection first."
        )
    );
    protect(false).await.unwrap();
    cloud.dynamodb.delete_table().table_name("items").send().await.unwrap();
    cloud.local.shutdown().await;
}

#[tokio::test]
async fn encryption_and_class_are_described() {
    let cloud = cloud().await;
    let input = json!({
        "TableName": "items",
        "BillingMode": "PAY_PER_REQUEST",
        "KeySchema": [{"AttributeName": "pk", "KeyType": "HASH"}],
        "AttributeDefinitions": [{"AttributeName": "pk", "AttributeType": "S"}],
        "SSESpecification": {"Enabled": true},
        "TableClass": "STANDARD_INFREQUENT_ACCESS",
    });
    ask(&cloud, "CreateTable", input).await.unwrap();
    let described = ask(&cloud, "DescribeTable", json!({"TableName": "items"})).await.unwrap();
    let described = &described["Table"];
    assert_eq!(described["TableClassSummary"], json!({"TableClass": "STANDARD_INFREQUENT_ACCESS"}));
    assert_eq!(described["SSEDescription"]["Status"], "ENABLED");
    assert_eq!(described["SSEDescription"]["SSEType"], "KMS");
    let key = described["SSEDescription"]["KMSMasterKeyArn"].as_str().unwrap().to_owned();
    assert!(key.starts_with(&format!("arn:aws:kms:eu-central-1:{ACCOUNT}:key/")), "{key}");
    cloud.local.shutdown().await;
}

#[tokio::test]
async fn tags_are_kept_and_removed() {
    let cloud = cloud().await;
    table(&cloud, "items").await;
    let arn = format!("arn:aws:dynamodb:eu-central-1:{ACCOUNT}:table/items");
    let tag = |key: &str| json!({"Key": key, "Value": "v"});
    let input = json!({"ResourceArn": arn, "Tags": [tag("a"), tag("b")]});
    ask(&cloud, "TagResource", input).await.unwrap();
    ask(&cloud, "UntagResource", json!({"ResourceArn": arn, "TagKeys": ["a"]})).await.unwrap();
    let tags = ask(&cloud, "ListTagsOfResource", json!({"ResourceArn": arn})).await.unwrap();
    assert_eq!(tags, json!({"Tags": [tag("b")]}));
    cloud.local.shutdown().await;
}

#[tokio::test]
async fn tables_are_listed_page_by_page() {
    let cloud = cloud().await;
    for name in ["ccc", "aaa", "bbb"] {
        table(&cloud, name).await;
    }
    let first = cloud.dynamodb.list_tables().limit(2).send().await.unwrap();
    assert_eq!(first.table_names(), ["aaa", "bbb"]);
    let last = first.last_evaluated_table_name().unwrap();
    let second = cloud.dynamodb.list_tables().exclusive_start_table_name(last).send().await.unwrap();
    assert_eq!(second.table_names(), ["ccc"]);
    assert_eq!(second.last_evaluated_table_name(), None);
    cloud.local.shutdown().await;
}

#[tokio::test]
async fn time_to_live_is_switched_once_and_deletes_what_expired() {
    let cloud = cloud().await;
    let stream = table(&cloud, "items").await;
    let switch = |on: bool, attribute: &str| json!({"TableName": "items", "TimeToLiveSpecification": {"Enabled": on, "AttributeName": attribute}});
    ask(&cloud, "UpdateTimeToLive", switch(true, "ttl")).await.unwrap();
    for (input, message) in [
        (switch(true, "ttl"), "TimeToLive is already enabled"),
        (
            switch(true, "other"),
            "TimeToLive is active on a different AttributeName: current AttributeName is ttl",
        ),
    ] {
        assert_eq!(ask(&cloud, "UpdateTimeToLive", input).await.unwrap_err().message, message);
    }
    let now = jiff::Timestamp::now().as_second();
    let six_years_s = 6 * 366 * 86_400;
    for (pk, ttl) in [
        ("expired", json!({"N": (now - 10).to_string()})),
        ("to come", json!({"N": (now + 1_000).to_string()})),
        ("taken for a mistake", json!({"N": (now - six_years_s).to_string()})),
        ("text", json!({"S": (now - 10).to_string()})),
    ] {
        ask(&cloud, "PutItem", json!({"TableName": "items", "Item": {"pk": {"S": pk}, "ttl": ttl}}))
            .await
            .unwrap();
    }
    crate::support::until("the expired item is deleted", || async {
        cloud.dynamodb.scan().table_name("items").send().await.unwrap().count() == 3
    })
    .await;
    let records = crate::dynamodb_streams::records(&cloud, &stream).await;
    let last = records.last().unwrap();
    assert_eq!(last["eventName"], "REMOVE");
    assert_eq!(last["dynamodb"]["Keys"], json!({"pk": {"S": "expired"}}));
    assert_eq!(last["userIdentity"], json!({"Type": "Service", "PrincipalId": "dynamodb.amazonaws.com"}));
    cloud.local.shutdown().await;
}
