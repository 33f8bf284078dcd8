//! DynamoDB Streams, as the API reference and the developer guide's "Change data capture for DynamoDB Streams" have them.

use serde_json::{Value, json};

use crate::dynamodb::{Refusal, ask, ask_streams, s, table};
use crate::support::{Cloud, cloud};

/// Returns all records of a stream.
pub(crate) async fn records(cloud: &Cloud, stream: &str) -> Vec<Value> {
    let iterator = iterator(cloud, stream, "TRIM_HORIZON").await;
    read(cloud, &iterator).await["Records"].as_array().unwrap().clone()
}

async fn iterator(cloud: &Cloud, stream: &str, kind: &str) -> String {
    let shard = shard(cloud, stream).await;
    let input = json!({"StreamArn": stream, "ShardId": shard["ShardId"], "ShardIteratorType": kind});
    let output = ask_streams(cloud, "GetShardIterator", input).await.unwrap();
    output["ShardIterator"].as_str().unwrap().to_owned()
}

async fn shard(cloud: &Cloud, stream: &str) -> Value {
    let described = ask_streams(cloud, "DescribeStream", json!({"StreamArn": stream})).await.unwrap();
    described["StreamDescription"]["Shards"][0].clone()
}

async fn read(cloud: &Cloud, iterator: &str) -> Value {
    ask_streams(cloud, "GetRecords", json!({"ShardIterator": iterator})).await.unwrap()
}

async fn put(cloud: &Cloud, item: Value) {
    ask(cloud, "PutItem", json!({"TableName": "items", "Item": item})).await.unwrap();
}

fn events(records: &[Value]) -> Vec<&str> {
    records.iter().map(|record| record["eventName"].as_str().unwrap()).collect()
}

#[tokio::test]
async fn a_write_that_changes_nothing_makes_no_record() {
    let cloud = cloud().await;
    let stream = table(&cloud, "items").await;
    let item = json!({"pk": {"S": "a"}, "n": {"N": "1"}, "set": {"SS": ["x", "y"]}});
    let same = json!({"set": {"SS": ["y", "x"]}, "pk": {"S": "a"}, "n": {"N": "1.0"}});
    put(&cloud, item.clone()).await;
    put(&cloud, item.clone()).await;
    put(&cloud, same.clone()).await;
    let batch = json!({"RequestItems": {"items": [{"PutRequest": {"Item": item}}]}});
    ask(&cloud, "BatchWriteItem", batch).await.unwrap();
    let transaction = json!({"TransactItems": [{"Put": {"TableName": "items", "Item": same}}]});
    ask(&cloud, "TransactWriteItems", transaction).await.unwrap();
    let delete = json!({"TableName": "items", "Key": {"pk": {"S": "never written"}}});
    ask(&cloud, "DeleteItem", delete).await.unwrap();
    put(&cloud, json!({"pk": {"S": "a"}, "n": {"N": "2"}})).await;
    assert_eq!(events(&records(&cloud, &stream).await), ["INSERT", "MODIFY"]);
    cloud.local.shutdown().await;
}

#[tokio::test]
async fn a_record_has_the_shape_that_aws_gives_it() {
    let cloud = cloud().await;
    let stream = table(&cloud, "items").await;
    put(&cloud, json!({"pk": {"S": "a"}, "b": {"B": "kA=="}})).await;
    let mut record = records(&cloud, &stream).await.remove(0);
    let id = record["eventID"].take();
    assert_eq!(id.as_str().unwrap().len(), 32);
    let sequence_number = record["dynamodb"]["SequenceNumber"].take();
    assert!((21..=40).contains(&sequence_number.as_str().unwrap().len()), "{sequence_number}");
    assert!(record["dynamodb"]["ApproximateCreationDateTime"].take().is_i64());
    let expected = json!({
        "eventID": null,
        "eventName": "INSERT",
        "eventVersion": "1.1",
        "eventSource": "aws:dynamodb",
        "awsRegion": "eu-central-1",
        "dynamodb": {
            "ApproximateCreationDateTime": null,
            "Keys": {"pk": {"S": "a"}},
            "NewImage": {"pk": {"S": "a"}, "b": {"B": "kA=="}},
            "SequenceNumber": null,
            "SizeBytes": 8,
            "StreamViewType": "NEW_AND_OLD_IMAGES",
        },
    });
    assert_eq!(record, expected);
    cloud.local.shutdown().await;
}

#[tokio::test]
async fn each_view_shows_what_it_should() {
    let cloud = cloud().await;
    for (view, new, old) in [
        ("KEYS_ONLY", false, false),
        ("NEW_IMAGE", true, false),
        ("OLD_IMAGE", false, true),
        ("NEW_AND_OLD_IMAGES", true, true),
    ] {
        let input = json!({
            "TableName": view,
            "BillingMode": "PAY_PER_REQUEST",
            "KeySchema": [{"AttributeName": "pk", "KeyType": "HASH"}],
            "AttributeDefinitions": [{"AttributeName": "pk", "AttributeType": "S"}],
            "StreamSpecification": {"StreamEnabled": true, "StreamViewType": view},
        });
        let created = ask(&cloud, "CreateTable", input).await.unwrap();
        let described = &created["TableDescription"];
        assert_eq!(described["StreamSpecification"]["StreamViewType"], view);
        for value in ["1", "1", "2"] {
            let item = json!({"pk": {"S": "a"}, "v": {"S": value}});
            ask(&cloud, "PutItem", json!({"TableName": view, "Item": item})).await.unwrap();
        }
        let records = records(&cloud, described["LatestStreamArn"].as_str().unwrap()).await;
        assert_eq!(events(&records), ["INSERT", "MODIFY"], "{view}");
        assert_eq!(records[1]["dynamodb"].get("NewImage").is_some(), new, "{view}");
        assert_eq!(records[1]["dynamodb"].get("OldImage").is_some(), old, "{view}");
    }
    cloud.local.shutdown().await;
}

#[tokio::test]
async fn update_table_switches_a_stream_on_and_off() {
    let cloud = cloud().await;
    let first = table(&cloud, "items").await;
    put(&cloud, json!({"pk": {"S": "a"}})).await;
    let before = iterator(&cloud, &first, "TRIM_HORIZON").await;
    let switch = |specification: Value| json!({"TableName": "items", "StreamSpecification": specification});
    let on = switch(json!({"StreamEnabled": true, "StreamViewType": "NEW_IMAGE"}));
    let off = switch(json!({"StreamEnabled": false}));
    assert_eq!(
        ask(&cloud, "UpdateTable", on.clone()).await.unwrap_err(),
        Refusal::new("ValidationException", "Table already has an enabled stream: TableName: items")
    );
    let output = ask(&cloud, "UpdateTable", off.clone()).await.unwrap();
    assert!(output["TableDescription"].get("StreamSpecification").is_none());
    assert_eq!(ask(&cloud, "UpdateTable", off).await.unwrap_err().code, "ValidationException");
    put(&cloud, json!({"pk": {"S": "unseen"}})).await;

    let closed = read(&cloud, &before).await;
    assert_eq!(closed["Records"].as_array().unwrap().len(), 1, "what was written can still be read");
    assert!(closed.get("NextShardIterator").is_none(), "and nothing comes after it");
    assert!(shard(&cloud, &first).await["SequenceNumberRange"].get("EndingSequenceNumber").is_some());

    let output = ask(&cloud, "UpdateTable", on).await.unwrap();
    let second = output["TableDescription"]["LatestStreamArn"].as_str().unwrap().to_owned();
    assert_ne!(first, second);
    put(&cloud, json!({"pk": {"S": "seen"}})).await;
    assert_eq!(records(&cloud, &second).await[0]["dynamodb"]["Keys"]["pk"], json!({"S": "seen"}));
    let listed = ask_streams(&cloud, "ListStreams", json!({"TableName": "items"})).await.unwrap();
    assert_eq!(listed["Streams"].as_array().unwrap().len(), 2);
    cloud.local.shutdown().await;
}

#[tokio::test]
async fn iterators_start_where_they_should() {
    let cloud = cloud().await;
    let stream = table(&cloud, "items").await;
    put(&cloud, json!({"pk": {"S": "a"}})).await;
    let latest = iterator(&cloud, &stream, "LATEST").await;
    put(&cloud, json!({"pk": {"S": "b"}})).await;
    put(&cloud, json!({"pk": {"S": "c"}})).await;
    let keys = |output: &Value| -> Vec<String> {
        let records = output["Records"].as_array().unwrap();
        records.iter().map(|r| r["dynamodb"]["Keys"]["pk"]["S"].as_str().unwrap().to_owned()).collect()
    };
    let after_latest = read(&cloud, &latest).await;
    assert_eq!(keys(&after_latest), ["b", "c"]);
    let next = after_latest["NextShardIterator"].as_str().unwrap();
    assert!(keys(&read(&cloud, next).await).is_empty());

    let second = &records(&cloud, &stream).await[1]["dynamodb"]["SequenceNumber"];
    let shard = shard(&cloud, &stream).await;
    let start = &shard["SequenceNumberRange"]["StartingSequenceNumber"];
    for (kind, number, expected) in [
        ("AT_SEQUENCE_NUMBER", start, vec!["a", "b", "c"]),
        ("AT_SEQUENCE_NUMBER", second, vec!["b", "c"]),
        ("AFTER_SEQUENCE_NUMBER", second, vec!["c"]),
    ] {
        let input = json!({
            "StreamArn": stream,
            "ShardId": shard["ShardId"],
            "ShardIteratorType": kind,
            "SequenceNumber": number,
        });
        let output = ask_streams(&cloud, "GetShardIterator", input).await.unwrap();
        let iterator = output["ShardIterator"].as_str().unwrap();
        assert!(iterator.starts_with(&format!("{stream}|1|")), "{iterator}");
        assert_eq!(keys(&read(&cloud, iterator).await), expected, "{kind}");
    }
    cloud.local.shutdown().await;
}

#[tokio::test]
async fn streams_and_shards_that_are_not_there() {
    let cloud = cloud().await;
    let stream = table(&cloud, "items").await;
    let shard = shard(&cloud, &stream).await["ShardId"].clone();
    let after = json!({"StreamArn": stream, "ExclusiveStartShardId": shard});
    let described = ask_streams(&cloud, "DescribeStream", after).await.unwrap();
    assert_eq!(described["StreamDescription"]["Shards"], json!([]));

    let missing = format!("{stream}0");
    assert_eq!(
        ask_streams(&cloud, "DescribeStream", json!({"StreamArn": missing})).await.unwrap_err(),
        Refusal::new(
            "ResourceNotFoundException",
            &format!("Requested resource not found: Stream: {missing} not found")
        )
    );
    let no_shard = json!({
        "StreamArn": stream,
        "ShardId": "shardId-00000000000000000000-00000000",
        "ShardIteratorType": "LATEST",
    });
    let refused = ask_streams(&cloud, "GetShardIterator", no_shard).await.unwrap_err();
    assert_eq!(refused.code, "ResourceNotFoundException");

    cloud.dynamodb.put_item().table_name("items").item("pk", s("a")).send().await.unwrap();
    cloud.dynamodb.delete_table().table_name("items").send().await.unwrap();
    let described = ask_streams(&cloud, "DescribeStream", json!({"StreamArn": stream})).await.unwrap();
    assert_eq!(described["StreamDescription"]["StreamStatus"], "DISABLED");
    assert_eq!(records(&cloud, &stream).await.len(), 1);
    let again = table(&cloud, "items").await;
    assert_ne!(again, stream);
    cloud.local.shutdown().await;
}
