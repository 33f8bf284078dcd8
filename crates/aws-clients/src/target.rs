//! What a call works on, read from its typed input: tables, a topic, a queue, a bucket.

use std::collections::BTreeSet;

use aws_sdk_dynamodb::operation::batch_get_item::BatchGetItemInput;
use aws_sdk_dynamodb::operation::batch_write_item::BatchWriteItemInput;
use aws_sdk_dynamodb::operation::delete_item::DeleteItemInput;
use aws_sdk_dynamodb::operation::describe_table::DescribeTableInput;
use aws_sdk_dynamodb::operation::get_item::GetItemInput;
use aws_sdk_dynamodb::operation::put_item::PutItemInput;
use aws_sdk_dynamodb::operation::query::QueryInput;
use aws_sdk_dynamodb::operation::scan::ScanInput;
use aws_sdk_dynamodb::operation::transact_get_items::TransactGetItemsInput;
use aws_sdk_dynamodb::operation::transact_write_items::TransactWriteItemsInput;
use aws_sdk_dynamodb::operation::update_item::UpdateItemInput;
use aws_sdk_dynamodb::types::{TransactGetItem, TransactWriteItem};
use aws_sdk_s3::operation::delete_object::DeleteObjectInput;
use aws_sdk_s3::operation::delete_objects::DeleteObjectsInput;
use aws_sdk_s3::operation::get_object::GetObjectInput;
use aws_sdk_s3::operation::head_bucket::HeadBucketInput;
use aws_sdk_s3::operation::head_object::HeadObjectInput;
use aws_sdk_s3::operation::list_objects_v2::ListObjectsV2Input;
use aws_sdk_s3::operation::put_object::PutObjectInput;
use aws_sdk_sns::operation::publish::PublishInput;
use aws_sdk_sns::operation::publish_batch::PublishBatchInput;
use aws_sdk_sqs::operation::change_message_visibility::ChangeMessageVisibilityInput;
use aws_sdk_sqs::operation::change_message_visibility_batch::ChangeMessageVisibilityBatchInput;
use aws_sdk_sqs::operation::delete_message::DeleteMessageInput;
use aws_sdk_sqs::operation::delete_message_batch::DeleteMessageBatchInput;
use aws_sdk_sqs::operation::receive_message::ReceiveMessageInput;
use aws_sdk_sqs::operation::send_message::SendMessageInput;
use aws_sdk_sqs::operation::send_message_batch::SendMessageBatchInput;
use aws_smithy_runtime_api::client::interceptors::context::Input;

/// What a call works on.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Target {
    /// DynamoDB tables, each once, in alphabetical order.
    Tables(BTreeSet<String>),
    /// An SNS topic, by its ARN.
    Topic(String),
    /// An SQS queue, by its URL.
    Queue(String),
    /// An S3 bucket, and the key if the call is about one object.
    Bucket(String, Option<String>),
}

impl Target {
    /// Returns the target of a call, if it has one.
    pub(crate) fn of(service: &str, input: &Input) -> Option<Self> {
        match service {
            "DynamoDB" => tables(input).filter(|tables| !tables.is_empty()).map(Self::Tables),
            "SNS" => topic(input).map(|arn| Self::Topic(arn.to_owned())),
            "S3" => {
                bucket(input).map(|bucket| Self::Bucket(bucket.to_owned(), key(input).map(str::to_owned)))
            }
            "SQS" => queue(input).map(|url| Self::Queue(url.to_owned())),
            _ => None,
        }
    }
}

/// Returns a field of the input, read with the accessor of the first listed type that the input has.
macro_rules! first_of {
    ($input:expr, $field:ident: $($type:ty),+ $(,)?) => {
        None$(.or_else(|| $input.downcast_ref::<$type>().and_then(<$type>::$field)))+
    };
}

fn topic(input: &Input) -> Option<&str> {
    first_of!(input, topic_arn: PublishInput, PublishBatchInput)
}

fn bucket(input: &Input) -> Option<&str> {
    first_of!(input, bucket:
        PutObjectInput,
        GetObjectInput,
        HeadObjectInput,
        DeleteObjectInput,
        DeleteObjectsInput,
        ListObjectsV2Input,
        HeadBucketInput,
    )
}

fn key(input: &Input) -> Option<&str> {
    first_of!(input, key: PutObjectInput, GetObjectInput, HeadObjectInput, DeleteObjectInput)
}

fn queue(input: &Input) -> Option<&str> {
    first_of!(input, queue_url:
        SendMessageInput,
        SendMessageBatchInput,
        ReceiveMessageInput,
        DeleteMessageInput,
        DeleteMessageBatchInput,
        ChangeMessageVisibilityInput,
        ChangeMessageVisibilityBatchInput,
    )
}

fn tables(input: &Input) -> Option<BTreeSet<String>> {
    let one = first_of!(input, table_name:
        GetItemInput, PutItemInput, UpdateItemInput, DeleteItemInput, QueryInput, ScanInput, DescribeTableInput);
    if let Some(table) = one {
        return Some(BTreeSet::from([table.to_owned()]));
    }
    if let Some(input) = input.downcast_ref::<TransactWriteItemsInput>() {
        return Some(input.transact_items().iter().filter_map(written_table).map(str::to_owned).collect());
    }
    if let Some(input) = input.downcast_ref::<TransactGetItemsInput>() {
        let table = |item: &TransactGetItem| Some(item.get()?.table_name().to_owned());
        return Some(input.transact_items().iter().filter_map(table).collect());
    }
    if let Some(input) = input.downcast_ref::<BatchGetItemInput>() {
        return input.request_items().map(|items| items.keys().cloned().collect());
    }
    let input = input.downcast_ref::<BatchWriteItemInput>()?;
    input.request_items().map(|items| items.keys().cloned().collect())
}

fn written_table(item: &TransactWriteItem) -> Option<&str> {
    item.put()
        .map(aws_sdk_dynamodb::types::Put::table_name)
        .or_else(|| item.update().map(aws_sdk_dynamodb::types::Update::table_name))
        .or_else(|| item.delete().map(aws_sdk_dynamodb::types::Delete::table_name))
        .or_else(|| item.condition_check().map(aws_sdk_dynamodb::types::ConditionCheck::table_name))
}
