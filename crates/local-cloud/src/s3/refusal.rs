//! S3's errors (Amazon S3 API reference, "Error responses").

use aws_models::{Refusal, Violation};
use http::StatusCode;
use serde_json::Value;

use crate::error::AwsError;

pub(super) fn refused(status: StatusCode, code: &'static str, message: impl Into<String>) -> AwsError {
    AwsError::new(status, code, message)
}

/// Adds what else the error document tells, such as the key.
pub(super) fn telling(mut error: AwsError, name: &str, value: impl Into<Value>) -> AwsError {
    error.members.insert(name.to_owned(), value.into());
    error
}

pub(super) fn no_such_bucket(bucket: &str) -> AwsError {
    let error = refused(StatusCode::NOT_FOUND, "NoSuchBucket", "The specified bucket does not exist");
    telling(error, "BucketName", bucket)
}

pub(super) fn no_such_key(key: &str) -> AwsError {
    let error = refused(StatusCode::NOT_FOUND, "NoSuchKey", "The specified key does not exist.");
    telling(error, "Key", key)
}

pub(super) fn precondition_failed(condition: &str) -> AwsError {
    let message = "At least one of the pre-conditions you specified did not hold";
    let error = refused(StatusCode::PRECONDITION_FAILED, "PreconditionFailed", message);
    telling(error, "Condition", condition)
}

pub(super) fn invalid_argument(message: impl Into<String>, name: &str, value: &str) -> AwsError {
    let error = AwsError::bad_request("InvalidArgument", message);
    telling(telling(error, "ArgumentName", name), "ArgumentValue", value)
}

pub(super) fn not_implemented(header: &str) -> AwsError {
    let message = "A header you provided implies functionality that is not implemented";
    let error = refused(StatusCode::NOT_IMPLEMENTED, "NotImplemented", message);
    telling(error, "Header", header)
}

/// Returns the error for a document that the operation does not take.
pub(crate) fn malformed_xml() -> AwsError {
    let message = "The XML you provided was not well-formed or did not validate against our published schema";
    AwsError::bad_request("MalformedXML", message)
}

/// Returns S3's error for an input that is not one of the operation. It has no words of the model's constraints.
pub(crate) fn invalid_input(refusal: &Refusal) -> AwsError {
    let violation = match refusal {
        Refusal::Mistyped { path, .. } if path.contains('.') => return malformed_xml(),
        Refusal::Mistyped { path, .. } => return invalid_argument(format!("{path} is invalid"), path, ""),
        Refusal::Invalid(violations) => violations.0.first(),
    };
    let Some(Violation { path, value, .. }) = violation else { return malformed_xml() };
    match (path.as_str(), value) {
        (path, _) if path.ends_with("locationConstraint") => AwsError::bad_request(
            "InvalidLocationConstraint",
            "The specified location-constraint is not valid",
        ),
        (path, _) if path.contains('.') => malformed_xml(),
        (_, None) => AwsError::bad_request("MissingRequestBodyError", "Request Body is empty"),
        ("storageClass", _) => {
            AwsError::bad_request("InvalidStorageClass", "The storage class you specified is not valid")
        }
        ("serverSideEncryption", Some(value)) => invalid_argument(
            "The encryption method specified is not supported",
            "x-amz-server-side-encryption",
            value,
        ),
        (path, Some(value)) => invalid_argument(format!("The value of {path} is not valid"), path, value),
    }
}
