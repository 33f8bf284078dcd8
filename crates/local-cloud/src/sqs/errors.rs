//! SQS's errors, with the codes that the service model gives them and those that clients of the query protocol know
//! (Amazon SQS API reference, "Common errors", and the errors of each operation).

use http::StatusCode;

use crate::reply::AwsError;

pub(super) fn invalid_parameter(message: impl Into<String>) -> AwsError {
    AwsError::bad_request("InvalidParameterValueException", message).with_query_code("InvalidParameterValue")
}

/// The error for a value that the operation refuses, with the reason.
pub(super) fn invalid_value(
    value: impl std::fmt::Display,
    parameter: &str,
    reason: impl std::fmt::Display,
) -> AwsError {
    invalid_parameter(format!("Value {value} for parameter {parameter} is invalid. Reason: {reason}"))
}

pub(super) fn missing_parameter(parameter: &str) -> AwsError {
    AwsError::bad_request(
        "MissingRequiredParameterException",
        format!("The request must contain the parameter {parameter}."),
    )
    .with_query_code("MissingParameter")
}

pub(super) fn invalid_message_contents(message: impl Into<String>) -> AwsError {
    AwsError::bad_request("InvalidMessageContents", message)
}

pub(super) fn no_such_queue() -> AwsError {
    AwsError::bad_request("QueueDoesNotExist", "The specified queue does not exist.")
        .with_query_code("AWS.SimpleQueueService.NonExistentQueue")
}

pub(super) fn queue_exists(attribute: &str) -> AwsError {
    AwsError::bad_request(
        "QueueNameExists",
        format!("A queue already exists with the same name and a different value for attribute {attribute}"),
    )
    .with_query_code("QueueAlreadyExists")
}

pub(super) fn queue_deleted_recently() -> AwsError {
    AwsError::bad_request(
        "QueueDeletedRecently",
        "You must wait 60 seconds after deleting a queue before you can create another with the same name.",
    )
    .with_query_code("AWS.SimpleQueueService.QueueDeletedRecently")
}

pub(super) fn purge_in_progress(queue: &str) -> AwsError {
    AwsError::new(
        StatusCode::FORBIDDEN,
        "PurgeQueueInProgress",
        format!("Only one PurgeQueue operation on {queue} is allowed every 60 seconds."),
    )
    .with_query_code("AWS.SimpleQueueService.PurgeQueueInProgress")
}

pub(super) fn unknown_attribute(name: &str) -> AwsError {
    invalid_attribute_name(format!("Unknown Attribute {name}."))
}

pub(super) fn invalid_attribute_name(message: impl Into<String>) -> AwsError {
    AwsError::bad_request("InvalidAttributeName", message)
}

/// The error for an attribute's value; `reason` is empty where AWS gives none.
pub(super) fn invalid_attribute_value(name: &str, reason: &str) -> AwsError {
    let reason = if reason.is_empty() { String::new() } else { format!(" Reason: {reason}") };
    AwsError::bad_request("InvalidAttributeValue", format!("Invalid value for the parameter {name}.{reason}"))
}

pub(super) fn invalid_receipt_handle(handle: &str) -> AwsError {
    AwsError::new(
        StatusCode::NOT_FOUND,
        "ReceiptHandleIsInvalid",
        format!("The input receipt handle \"{handle}\" is not a valid receipt handle."),
    )
}

pub(super) fn over_limit(message: impl Into<String>) -> AwsError {
    AwsError::new(StatusCode::FORBIDDEN, "OverLimit", message)
}

pub(super) fn no_such_resource(message: impl Into<String>) -> AwsError {
    AwsError::new(StatusCode::NOT_FOUND, "ResourceNotFoundException", message)
}

pub(super) fn unsupported(message: impl Into<String>) -> AwsError {
    AwsError::bad_request("UnsupportedOperation", message)
        .with_query_code("AWS.SimpleQueueService.UnsupportedOperation")
}

/// An error of batch requests, whose codes for the query protocol have a prefix.
pub(super) fn batch(code: &'static str, message: impl Into<String>) -> AwsError {
    AwsError::bad_request(code, message).with_query_code(format!("AWS.SimpleQueueService.{code}"))
}
