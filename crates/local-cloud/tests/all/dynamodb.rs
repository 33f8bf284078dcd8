use aws_sdk_dynamodb::types::{
    AttributeDefinition, AttributeValue, BillingMode, KeySchemaElement, KeyType, Put,
    ReturnValuesOnConditionCheckFailure, ScalarAttributeType, StreamSpecification, StreamViewType,
    TimeToLiveSpecification, TimeToLiveStatus, TransactWriteItem,
};

use serde_json::{Value, json};

use crate::support::{Cloud, cloud};

/// The code and the message of a refusal.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Refusal {
    pub(crate) code: String,
    pub(crate) message: String,
}

impl Refusal {
    pub(crate) fn new(code: &str, message: &str) -> Self {
        Self { code: code.to_owned(), message: message.to_owned() }
    }
}

/// Sends a request as it is: the SDK would not let all of them through.
pub(crate) async fn ask(cloud: &Cloud, operation: &str, input: Value) -> Result<Value, Refusal> {
    send(cloud, &format!("DynamoDB_20120810.{operation}"), input).await
}

/// Sends a request to DynamoDB Streams.
pub(crate) async fn ask_streams(cloud: &Cloud, operation: &str, input: Value) -> Result<Value, Refusal> {
    send(cloud, &format!("DynamoDBStreams_20120810.{operation}"), input).await
}

async fn send(cloud: &Cloud, target: &str, input: Value) -> Result<Value, Refusal> {
    let request = cloud.http.post(cloud.url("/")).header("X-Amz-Target", target).json(&input);
    let response = request.header("Content-Type", "application/x-amz-json-1.0").send().await.unwrap();
    let accepted = response.status().is_success();
    let body: Value = response.json().await.unwrap();
    if accepted {
        return Ok(body);
    }
    let code = body["__type"].as_str().unwrap().rsplit('#').next().unwrap();
    Err(Refusal::new(code, body["message"].as_str().unwrap_or_default()))
}

pub(crate) fn s(text: &str) -> AttributeValue {
    AttributeValue::S(text.to_owned())
}

/// Creates a table with the key `pk` and a stream; returns the stream's ARN.
pub(crate) async fn table(cloud: &Cloud, name: &str) -> String {
    cloud
        .dynamodb
        .create_table()
        .table_name(name)
        .billing_mode(BillingMode::PayPerRequest)
        .attribute_definitions(
            AttributeDefinition::builder()
                .attribute_name("pk")
                .attribute_type(ScalarAttributeType::S)
                .build()
                .unwrap(),
        )
        .key_schema(KeySchemaElement::builder().attribute_name("pk").key_type(KeyType::Hash).build().unwrap())
        .stream_specification(
            StreamSpecification::builder()
                .stream_enabled(true)
                .stream_view_type(StreamViewType::NewAndOldImages)
                .build()
                .unwrap(),
        )
        .send()
        .await
        .unwrap();
    let described = cloud.dynamodb.describe_table().table_name(name).send().await.unwrap().table.unwrap();
    described.latest_stream_arn.unwrap()
}

fn put(pk: &str, value: &str) -> TransactWriteItem {
    let put = Put::builder()
        .table_name("items")
        .item("pk", s(pk))
        .item("value", s(value))
        .condition_expression("attribute_not_exists(pk)")
        .return_values_on_condition_check_failure(ReturnValuesOnConditionCheckFailure::AllOld)
        .build()
        .unwrap();
    TransactWriteItem::builder().put(put).build()
}

#[tokio::test]
async fn a_cancelled_transaction_reports_the_reason_and_the_item() {
    let cloud = cloud().await;
    table(&cloud, "items").await;
    cloud.dynamodb.transact_write_items().transact_items(put("a", "old")).send().await.unwrap();
    let error = cloud
        .dynamodb
        .transact_write_items()
        .transact_items(put("b", "new"))
        .transact_items(put("a", "new"))
        .send()
        .await
        .unwrap_err()
        .into_service_error();
    let aws_sdk_dynamodb::operation::transact_write_items::TransactWriteItemsError::TransactionCanceledException(
        cancelled,
    ) = error
    else {
        panic!("{error:?}");
    };
    assert!(cancelled.message().unwrap().ends_with("[None, ConditionalCheckFailed]"), "{cancelled:?}");
    let reasons = cancelled.cancellation_reasons();
    assert_eq!(reasons[0].code(), Some("None"));
    assert_eq!(reasons[1].code(), Some("ConditionalCheckFailed"));
    assert_eq!(reasons[1].item().unwrap()["value"], s("old"));
    let b = cloud.dynamodb.get_item().table_name("items").key("pk", s("b")).send().await.unwrap();
    assert!(b.item().is_none(), "all or nothing");
    cloud.local.shutdown().await;
}

#[tokio::test]
async fn a_failed_conditional_put_returns_the_old_item() {
    let cloud = cloud().await;
    table(&cloud, "items").await;
    let put = || {
        cloud
            .dynamodb
            .put_item()
            .table_name("items")
            .item("pk", s("a"))
            .condition_expression("attribute_not_exists(pk)")
            .return_values_on_condition_check_failure(ReturnValuesOnConditionCheckFailure::AllOld)
            .send()
    };
    put().await.unwrap();
    let error = put().await.unwrap_err().into_service_error();
    let aws_sdk_dynamodb::operation::put_item::PutItemError::ConditionalCheckFailedException(failed) = error
    else {
        panic!("{error:?}");
    };
    assert_eq!(failed.item().unwrap()["pk"], s("a"));
    cloud.local.shutdown().await;
}

#[tokio::test]
async fn a_transaction_with_the_same_token_is_committed_once() {
    let cloud = cloud().await;
    table(&cloud, "items").await;
    for _ in 0..2 {
        cloud
            .dynamodb
            .transact_write_items()
            .client_request_token("token")
            .transact_items(put("a", "1"))
            .send()
            .await
            .unwrap();
    }
    cloud.local.shutdown().await;
}

#[tokio::test]
async fn a_token_with_another_input_is_refused_and_one_of_a_cancelled_transaction_is_not() {
    let cloud = cloud().await;
    table(&cloud, "items").await;
    let transact = |pk: &str| {
        let input = json!({
            "ClientRequestToken": "token",
            "TransactItems": [{"Put": {
                "TableName": "items",
                "Item": {"pk": {"S": pk}},
                "ConditionExpression": "attribute_not_exists(pk)",
            }}],
        });
        ask(&cloud, "TransactWriteItems", input)
    };
    cloud.dynamodb.put_item().table_name("items").item("pk", s("a")).send().await.unwrap();
    assert_eq!(transact("a").await.unwrap_err().code, "TransactionCanceledException");
    cloud.dynamodb.delete_item().table_name("items").key("pk", s("a")).send().await.unwrap();
    transact("a").await.unwrap();
    transact("a").await.unwrap();
    assert_eq!(transact("b").await.unwrap_err().code, "IdempotentParameterMismatchException");
    cloud.local.shutdown().await;
}

#[tokio::test]
async fn more_parallel_transactions_than_the_engine_remembers_succeed() {
    let cloud = cloud().await;
    table(&cloud, "items").await;
    let mut writers = tokio::task::JoinSet::new();
    for writer in 0..150 {
        let dynamodb = cloud.dynamodb.clone();
        writers.spawn(async move {
            for number in 0..8 {
                let item = put(&format!("{writer}-{number}"), "x");
                dynamodb.transact_write_items().transact_items(item).send().await.unwrap();
            }
        });
    }
    while let Some(writer) = writers.join_next().await {
        writer.unwrap();
    }
    let described = cloud.dynamodb.describe_table().table_name("items").send().await.unwrap();
    assert_eq!(described.table().unwrap().item_count(), Some(1200));
    cloud.local.shutdown().await;
}

#[tokio::test]
async fn time_to_live_is_described() {
    let cloud = cloud().await;
    table(&cloud, "items").await;
    let specification =
        TimeToLiveSpecification::builder().enabled(true).attribute_name("expires_at").build().unwrap();
    cloud
        .dynamodb
        .update_time_to_live()
        .table_name("items")
        .time_to_live_specification(specification)
        .send()
        .await
        .unwrap();
    let described = cloud.dynamodb.describe_time_to_live().table_name("items").send().await.unwrap();
    let description = described.time_to_live_description().unwrap();
    assert_eq!(description.attribute_name(), Some("expires_at"));
    assert_eq!(description.time_to_live_status(), Some(&TimeToLiveStatus::Enabled));
    cloud.local.shutdown().await;
}
