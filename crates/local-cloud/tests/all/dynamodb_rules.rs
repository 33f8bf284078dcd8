//! DynamoDB's rules beyond the service model, with AWS's words. Sources: the developer guide's chapters on expressions,
//! reserved words, secondary indexes and naming, and the API reference of each operation.

use aws_sdk_dynamodb::types::AttributeValue;
use serde_json::{Value, json};

use crate::dynamodb::{Refusal, ask, s};
use crate::support::{Cloud, cloud};

/// Creates a table with the keys `pk` and `sk`, a global index with the key `gk` that holds only keys, and one that
/// includes the attribute `included`.
async fn table(cloud: &Cloud) {
    let input = json!({
        "TableName": "items",
        "BillingMode": "PAY_PER_REQUEST",
        "KeySchema": [{"AttributeName": "pk", "KeyType": "HASH"}, {"AttributeName": "sk", "KeyType": "RANGE"}],
        "AttributeDefinitions": [
            {"AttributeName": "pk", "AttributeType": "S"},
            {"AttributeName": "sk", "AttributeType": "S"},
            {"AttributeName": "gk", "AttributeType": "S"},
        ],
        "GlobalSecondaryIndexes": [
            {
                "IndexName": "keys",
                "KeySchema": [{"AttributeName": "gk", "KeyType": "HASH"}],
                "Projection": {"ProjectionType": "KEYS_ONLY"},
            },
            {
                "IndexName": "some",
                "KeySchema": [{"AttributeName": "gk", "KeyType": "HASH"}],
                "Projection": {"ProjectionType": "INCLUDE", "NonKeyAttributes": ["included"]},
            },
        ],
    });
    ask(cloud, "CreateTable", input).await.unwrap();
}

async fn refused(cloud: &Cloud, operation: &str, mut input: Value) -> Refusal {
    if input.get("TableName").is_none() && input.get("RequestItems").is_none() {
        input["TableName"] = "items".into();
    }
    match ask(cloud, operation, input.clone()).await {
        Ok(output) => panic!("{operation} accepted {input}: {output}"),
        Err(refusal) => refusal,
    }
}

const INVALID: &str = "ValidationException";

#[tokio::test]
async fn expressions_are_refused_with_aws_words() {
    let cloud = cloud().await;
    table(&cloud).await;
    let key = json!({"pk": {"S": "a"}, "sk": {"S": "b"}});
    let update = |expression: &str, names: Value, values: Value| {
        let mut input = json!({"Key": key, "UpdateExpression": expression});
        if !names.is_null() {
            input["ExpressionAttributeNames"] = names;
        }
        if !values.is_null() {
            input["ExpressionAttributeValues"] = values;
        }
        input
    };
    let v = json!({":v": {"S": "x"}});
    let cases = [
        (
            update("SET name = :v", Value::Null, v.clone()),
            "Invalid UpdateExpression: Attribute name is a reserved keyword; reserved keyword: name",
        ),
        (
            update("SET #n = :v", Value::Null, v.clone()),
            "Invalid UpdateExpression: An expression attribute name used in the document path is not defined; \
             attribute name: #n",
        ),
        (
            update("SET a = :w", Value::Null, v.clone()),
            "Invalid UpdateExpression: An expression attribute value used in expression is not defined; attribute \
             value: :w",
        ),
        (
            update("SET a = :v", json!({"#unused": "b"}), v.clone()),
            "Value provided in ExpressionAttributeNames unused in expressions: keys: {#unused}",
        ),
        (
            update("SET a = :v", Value::Null, json!({":v": {"S": "x"}, ":unused": {"S": "y"}})),
            "Value provided in ExpressionAttributeValues unused in expressions: keys: {:unused}",
        ),
        (
            update("SET pk = :v", Value::Null, v.clone()),
            "One or more parameter values were invalid: Cannot update attribute pk. This attribute is part of the key",
        ),
        (
            update("SET a = :v, a = :v", Value::Null, v.clone()),
            "Invalid UpdateExpression: Two document paths overlap with each other; must remove or rewrite one of these \
             paths; path one: [a], path two: [a]",
        ),
    ];
    for (input, message) in cases {
        assert_eq!(refused(&cloud, "UpdateItem", input).await, Refusal::new(INVALID, message));
    }
    let condition = json!({"Item": key, "ConditionExpression": "attribute_not_exists(#n)"});
    assert_eq!(
        refused(&cloud, "PutItem", condition).await,
        Refusal::new(
            INVALID,
            "Invalid ConditionExpression: An expression attribute name used in the document path is not defined; \
             attribute name: #n"
        )
    );
    cloud.local.shutdown().await;
}

#[tokio::test]
async fn key_conditions_and_start_keys_are_checked_and_nothing_dies_of_them() {
    let cloud = cloud().await;
    table(&cloud).await;
    let between = |lower: &str, upper: &str| {
        json!({
            "KeyConditionExpression": "pk = :p AND sk BETWEEN :l AND :u",
            "ExpressionAttributeValues": {":p": {"S": "x"}, ":l": {"S": lower}, ":u": {"S": upper}},
        })
    };
    let reversed = refused(&cloud, "Query", between("b", "a")).await;
    assert_eq!(reversed.code, INVALID);
    assert!(
        reversed.message.starts_with(
            "Invalid KeyConditionExpression: The BETWEEN operator requires upper bound to be greater than or equal to \
             lower bound;"
        ),
        "{reversed:?}"
    );
    let starting = |key: Value| {
        let mut input = between("a", "b");
        input["ExclusiveStartKey"] = key;
        input
    };
    for (start, message) in [
        (
            json!({"pk": {"S": "x"}, "sk": {"S": "z"}}),
            "The provided starting key is outside query boundaries based on provided conditions",
        ),
        (json!({"pk": {"S": "x"}}), "The provided starting key is invalid"),
    ] {
        let refusal = refused(&cloud, "Query", starting(start)).await;
        assert_eq!(refusal.code, INVALID);
        assert!(refusal.message.contains(message), "{refusal:?}");
    }
    let consistent = json!({
        "IndexName": "keys",
        "ConsistentRead": true,
        "KeyConditionExpression": "gk = :v",
        "ExpressionAttributeValues": {":v": {"S": "x"}},
    });
    assert_eq!(
        refused(&cloud, "Query", consistent).await,
        Refusal::new(INVALID, "Consistent reads are not supported on global secondary indexes")
    );
    assert!(ask(&cloud, "ListTables", json!({})).await.is_ok());
    cloud.local.shutdown().await;
}

#[tokio::test]
async fn index_keys_are_checked_and_projections_hide_the_rest() {
    let cloud = cloud().await;
    table(&cloud).await;
    let put = |gk: Value| json!({"Item": {"pk": {"S": "a"}, "sk": {"S": "b"}, "gk": gk}});
    let refusal = refused(&cloud, "PutItem", put(json!({"N": "1"}))).await;
    assert_eq!(refusal.code, INVALID);
    assert!(
        refusal.message.starts_with(
            "One or more parameter values were invalid: Type mismatch for Index Key gk Expected: S Actual: N IndexName:"
        ),
        "{refusal:?}"
    );
    let empty = refused(&cloud, "PutItem", put(json!({"S": ""}))).await;
    assert!(empty.message.contains("empty string value"), "{empty:?}");

    cloud
        .dynamodb
        .put_item()
        .table_name("items")
        .item("pk", s("a"))
        .item("sk", s("b"))
        .item("gk", s("x"))
        .item("included", s("i"))
        .item("other", s("o"))
        .send()
        .await
        .unwrap();
    for (index, expected) in [("keys", vec!["gk", "pk", "sk"]), ("some", vec!["gk", "included", "pk", "sk"])]
    {
        let found = cloud
            .dynamodb
            .query()
            .table_name("items")
            .index_name(index)
            .key_condition_expression("gk = :v")
            .expression_attribute_values(":v", s("x"))
            .send()
            .await
            .unwrap();
        let mut names: Vec<_> = found.items()[0].keys().map(String::as_str).collect();
        names.sort_unstable();
        assert_eq!(names, expected, "{index}");
    }
    cloud.local.shutdown().await;
}

#[tokio::test]
async fn numbers_are_normalised() {
    let cloud = cloud().await;
    table(&cloud).await;
    for (written, read) in [("001.50", "1.5"), ("-0", "0"), ("1e3", "1000"), ("0.0000001", "0.0000001")] {
        let number = AttributeValue::N(written.to_owned());
        let put = cloud.dynamodb.put_item().table_name("items").item("pk", s("a")).item("sk", s("b"));
        put.item("n", number).send().await.unwrap();
        let got = cloud.dynamodb.get_item().table_name("items").key("pk", s("a")).key("sk", s("b")).send();
        assert_eq!(got.await.unwrap().item.unwrap()["n"], AttributeValue::N(read.to_owned()), "{written}");
    }
    cloud.local.shutdown().await;
}

#[tokio::test]
async fn requests_outside_the_limits_are_refused() {
    let cloud = cloud().await;
    table(&cloud).await;
    let item = json!({"pk": {"S": "a"}, "sk": {"S": "b"}});
    let transaction = json!({
        "TransactItems": [{"Put": {"TableName": "items", "Item": item}}],
        "ClientRequestToken": "x".repeat(37),
    });
    let throughput = json!({
        "TableName": "other",
        "KeySchema": [{"AttributeName": "pk", "KeyType": "HASH"}],
        "AttributeDefinitions": [{"AttributeName": "pk", "AttributeType": "S"}],
        "ProvisionedThroughput": {"ReadCapacityUnits": 0, "WriteCapacityUnits": 1},
    });
    for (operation, input, words) in [
        ("TransactWriteItems", transaction, "less than or equal to 36"),
        ("BatchWriteItem", json!({"RequestItems": {}}), "greater than or equal to 1"),
        ("CreateTable", throughput, "greater than or equal to 1"),
        ("Scan", json!({"Segment": -1, "TotalSegments": 2}), "greater than or equal to 0"),
        ("Scan", json!({"Limit": 0}), "greater than or equal to 1"),
    ] {
        let refusal = refused(&cloud, operation, input).await;
        assert_eq!(refusal.code, INVALID, "{operation}: {refusal:?}");
        assert!(refusal.message.contains(words), "{operation}: {refusal:?}");
    }
    let no_key = json!({"RequestItems": {"items": [{"PutRequest": {"Item": {"other": {"S": "a"}}}}]}});
    assert_eq!(
        refused(&cloud, "BatchWriteItem", no_key).await,
        Refusal::new(INVALID, "The provided key element does not match the schema")
    );
    cloud.local.shutdown().await;
}

/// A write to a table that does not exist is refused for that, whatever else is wrong with it.
#[tokio::test]
async fn a_missing_table_is_named_or_not_as_aws_does() {
    let cloud = cloud().await;
    let missing = "ResourceNotFoundException";
    let transaction = json!({"TransactItems": [{"Put": {"TableName": "missing", "Item": {}}}]});
    for (operation, input, message) in [
        ("TransactWriteItems", transaction, "Requested resource not found"),
        (
            "GetItem",
            json!({"TableName": "missing", "Key": {"pk": {"S": "a"}}}),
            "Requested resource not found",
        ),
        (
            "DescribeTable",
            json!({"TableName": "missing"}),
            "Requested resource not found: Table: missing not found",
        ),
    ] {
        assert_eq!(ask(&cloud, operation, input).await.unwrap_err(), Refusal::new(missing, message));
    }
    cloud.local.shutdown().await;
}

#[tokio::test]
async fn what_is_not_there_is_refused_by_name() {
    let cloud = cloud().await;
    let table = "arn:aws:dynamodb:eu-central-1:000000000000:table/items";
    for (operation, input) in [
        ("CreateBackup", json!({"TableName": "items", "BackupName": "backup"})),
        ("CreateGlobalTable", json!({"GlobalTableName": "items", "ReplicationGroup": []})),
        ("DescribeContinuousBackups", json!({"TableName": "items"})),
        ("ListBackups", json!({})),
        ("PutResourcePolicy", json!({"ResourceArn": table, "Policy": "{}"})),
    ] {
        let refusal = ask(&cloud, operation, input).await.unwrap_err();
        assert_eq!(refusal.code, "UnknownOperationException");
        assert!(refusal.message.contains(operation), "{refusal:?}");
    }
    let replica = json!({"TableName": "items", "ReplicaUpdates": [{"Create": {"RegionName": "eu-west-1"}}]});
    let refusal = ask(&cloud, "UpdateTable", replica).await.unwrap_err();
    assert_eq!(
        refusal,
        Refusal::new(
            "UnknownOperationException",
            "The local cloud does not support ReplicaUpdates of UpdateTable"
        )
    );
    cloud.local.shutdown().await;
}
