//! The operations `Publish` and `PublishBatch`, up to what is published where.

use std::collections::HashSet;

use serde::Deserialize;
use serde_json::{Value, json};

use super::errors::{invalid_parameter, no_value, unsupported};
use super::fifo::Receipt;
use super::message::{Input, MAX_BYTES, Message};
use super::protocol::is_phone_number;
use crate::reply::AwsError;

const MAX_BATCH: usize = 10;
const MAX_ENTRY_ID: usize = 80;

#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct Publish {
    topic_arn: Option<String>,
    target_arn: Option<String>,
    phone_number: Option<String>,
    #[serde(flatten)]
    message: Input,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct PublishBatch {
    topic_arn: Option<String>,
    #[serde(default)]
    publish_batch_request_entries: Vec<Input>,
}

/// What to publish, and to which topic.
#[derive(Debug)]
pub(super) struct Order {
    pub(super) topic_arn: String,
    pub(super) messages: Vec<Message>,
}

pub(super) fn single(input: Publish) -> Result<Order, AwsError> {
    let topic_arn = topic(&input)?;
    let message = Message::new(input.message)?;
    message.check_size()?;
    Ok(Order { topic_arn, messages: vec![message] })
}

fn topic(input: &Publish) -> Result<String, AwsError> {
    match (&input.topic_arn, &input.target_arn, &input.phone_number) {
        (Some(topic), None, None) => Ok(topic.clone()),
        (None, Some(target), None) => {
            if target.split(':').nth(5).is_some_and(|name| name.starts_with("endpoint/")) {
                let reason = "TargetArn Reason: No endpoint found for the target arn specified";
                return Err(invalid_parameter(reason));
            }
            Ok(target.clone())
        }
        (None, None, Some(number)) if is_phone_number(number) => {
            Err(unsupported("PhoneNumber", "text messages"))
        }
        (None, None, Some(number)) => {
            Err(invalid_parameter(format!("PhoneNumber Reason: {number} is not valid to publish to")))
        }
        (None, None, None) => Err(no_value("TopicArn or TargetArn")),
        _ => Err(invalid_parameter(
            "TopicArn or TargetArn Reason: only one of TopicArn, TargetArn and PhoneNumber can be given",
        )),
    }
}

/// Checks a batch and returns the ids of its entries and what to publish. AWS refuses all of a batch that has one invalid
/// message.
pub(super) fn batch(input: PublishBatch) -> Result<(Vec<String>, Order), AwsError> {
    let topic_arn = input.topic_arn.ok_or_else(|| no_value("TopicArn"))?;
    let mut entries = input.publish_batch_request_entries;
    let ids: Vec<_> = entries.iter_mut().map(|entry| entry.id.take().unwrap_or_default()).collect();
    check_ids(&ids)?;
    let messages = entries.into_iter().map(Message::new).collect::<Result<Vec<_>, _>>()?;
    if messages.iter().map(Message::bytes).sum::<usize>() > MAX_BYTES {
        return Err(AwsError::bad_request(
            "BatchRequestTooLong",
            "The length of all the messages put together is more than the limit.",
        ));
    }
    Ok((ids, Order { topic_arn, messages }))
}

fn check_ids(ids: &[String]) -> Result<(), AwsError> {
    let refuse = |code, message: &str| AwsError::bad_request(code, message);
    if ids.is_empty() {
        return Err(refuse("EmptyBatchRequest", "The batch request doesn't contain any entries."));
    }
    if ids.len() > MAX_BATCH {
        return Err(refuse(
            "TooManyEntriesInBatchRequest",
            "The batch request contains more entries than permissible.",
        ));
    }
    if ids.iter().collect::<HashSet<_>>().len() < ids.len() {
        return Err(refuse(
            "BatchEntryIdsNotDistinct",
            "Two or more batch entries in the request have the same Id.",
        ));
    }
    let allowed = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_');
    for id in ids {
        let fault = if id.len() > MAX_ENTRY_ID {
            "is too long"
        } else if id.is_empty() || !id.chars().all(allowed) {
            "contains an impermissible character"
        } else {
            continue;
        };
        let message = format!("The Id of a batch entry in the batch request {fault}: {id}");
        return Err(refuse("InvalidBatchEntryId", &message));
    }
    Ok(())
}

/// Returns the receipt as `Publish` answers it.
pub(super) fn receipt(receipt: Receipt) -> Value {
    let mut output = json!({"MessageId": receipt.message_id});
    if let Some(number) = receipt.sequence_number {
        output["SequenceNumber"] = number.into();
    }
    output
}

/// Returns what became of each entry as `PublishBatch` answers it.
pub(super) fn receipts(ids: Vec<String>, results: Vec<Result<Receipt, AwsError>>) -> Value {
    let (mut successful, mut failed) = (Vec::new(), Vec::new());
    for (id, result) in ids.into_iter().zip(results) {
        match result {
            Ok(of_entry) => {
                let mut entry = receipt(of_entry);
                entry["Id"] = id.into();
                successful.push(entry);
            }
            Err(error) => failed.push(json!({
                "Id": id,
                "Code": error.code,
                "Message": error.message,
                "SenderFault": !error.status.is_server_error(),
            })),
        }
    }
    json!({"Successful": successful, "Failed": failed})
}

#[cfg(test)]
mod tests {
    use super::*;

    fn published(value: Value) -> Result<Order, AwsError> {
        single(serde_json::from_value(value).unwrap())
    }

    fn entries(entries: &Value) -> Result<(Vec<String>, Order), AwsError> {
        batch(
            serde_json::from_value(json!({"TopicArn": "t", "PublishBatchRequestEntries": entries})).unwrap(),
        )
    }

    #[test]
    fn a_message_goes_to_a_topic() {
        assert_eq!(published(json!({"TargetArn": "t", "Message": "m"})).unwrap().topic_arn, "t");
        let refusal = |mut value: Value| {
            value["Message"] = "m".into();
            published(value).unwrap_err().message
        };
        assert_eq!(
            refusal(json!({})),
            "Invalid parameter: TopicArn or TargetArn Reason: no value for required parameter"
        );
        assert_eq!(
            refusal(json!({"TargetArn": "arn:aws:sns:us-east-1:0:endpoint/APNS/abcdef/0f7d5971"})),
            "Invalid parameter: TargetArn Reason: No endpoint found for the target arn specified"
        );
        for number in ["+1a234", "NAA+15551234567"] {
            assert_eq!(
                refusal(json!({"PhoneNumber": number})),
                format!("Invalid parameter: PhoneNumber Reason: {number} is not valid to publish to")
            );
        }
        assert!(refusal(json!({"PhoneNumber": "+15551234567"})).contains("does not support"));
        assert!(refusal(json!({"TopicArn": "t", "TargetArn": "t"})).contains("only one of"));
    }

    #[test]
    fn a_batch_has_up_to_ten_entries_with_distinct_ids() {
        let of = |ids: &[&str]| entries(&ids.iter().map(|id| json!({"Id": id, "Message": "m"})).collect());
        assert_eq!(of(&["a", "b-_1"]).unwrap().0, ["a", "b-_1"]);
        let eleven: Vec<_> = (0..11).map(|i| i.to_string()).collect();
        let eleven: Vec<_> = eleven.iter().map(String::as_str).collect();
        for (ids, code) in [
            (vec![], "EmptyBatchRequest"),
            (eleven, "TooManyEntriesInBatchRequest"),
            (vec!["a", "a"], "BatchEntryIdsNotDistinct"),
            (vec!["order.1"], "InvalidBatchEntryId"),
            (vec![""], "InvalidBatchEntryId"),
            (vec![&*"x".repeat(81)], "InvalidBatchEntryId"),
        ] {
            assert_eq!(of(&ids).unwrap_err().code, code);
        }
        assert_eq!(
            of(&["order.1"]).unwrap_err().message,
            "The Id of a batch entry in the batch request contains an impermissible character: order.1"
        );
    }

    #[test]
    fn one_invalid_entry_refuses_the_batch() {
        let invalid = entries(&json!([{"Id": "1", "Message": "m"}, {"Id": "2", "Message": ""}]));
        assert_eq!(invalid.unwrap_err().message, "Invalid parameter: Empty message");
        let half = "a".repeat(MAX_BYTES / 2);
        let fits = entries(&json!([{"Id": "1", "Message": half}, {"Id": "2", "Message": half}]));
        assert!(fits.is_ok());
        let more = format!("{half}a");
        let too_long = entries(&json!([{"Id": "1", "Message": half}, {"Id": "2", "Message": more}]));
        assert_eq!(too_long.unwrap_err().code, "BatchRequestTooLong");
    }
}
