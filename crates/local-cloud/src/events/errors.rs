//! EventBridge's errors.

use crate::reply::AwsError;

pub(super) fn invalid(message: impl Into<String>) -> AwsError {
    AwsError::bad_request("ValidationException", message)
}

/// A parameter that the model accepts and the service does not.
pub(super) fn parameter(name: &str, reason: impl std::fmt::Display) -> AwsError {
    invalid(format!("Parameter {name} is not valid. Reason: {reason}"))
}

pub(super) fn malformed_arn(arn: &str) -> AwsError {
    parameter(arn, "Provided Arn is not in correct format.")
}

pub(super) fn not_found(what: impl std::fmt::Display) -> AwsError {
    AwsError::bad_request("ResourceNotFoundException", format!("{what} does not exist."))
}

pub(super) fn already_exists(what: impl std::fmt::Display) -> AwsError {
    AwsError::bad_request("ResourceAlreadyExistsException", format!("{what} already exists."))
}

pub(super) fn limit_exceeded() -> AwsError {
    AwsError::bad_request(
        "LimitExceededException",
        "The requested resource exceeds the maximum number allowed.",
    )
}

/// Returns the error for a part of an operation that the local cloud does not have.
pub(super) fn unsupported(what: impl std::fmt::Display) -> AwsError {
    invalid(format!("the local cloud does not support {what}"))
}
