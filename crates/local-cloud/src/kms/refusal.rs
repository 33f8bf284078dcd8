//! KMS's errors (AWS KMS API reference, the errors of each operation).

use crate::error::AwsError;

pub(super) fn key_not_found(arn: &str) -> AwsError {
    AwsError::bad_request("NotFoundException", format!("Key '{arn}' does not exist"))
}

pub(super) fn alias_not_found(arn: &str) -> AwsError {
    AwsError::bad_request("NotFoundException", format!("Alias {arn} is not found."))
}

pub(super) fn invalid_key_id(id: &str) -> AwsError {
    AwsError::bad_request("NotFoundException", format!("Invalid keyId '{id}'"))
}

pub(super) fn disabled(arn: &str) -> AwsError {
    AwsError::bad_request("DisabledException", format!("{arn} is disabled."))
}

pub(super) fn pending_deletion(arn: &str) -> AwsError {
    AwsError::bad_request("KMSInvalidStateException", format!("{arn} is pending deletion."))
}

/// The error for what no key has encrypted like this, which says no more.
pub(super) fn invalid_ciphertext() -> AwsError {
    AwsError::bad_request("InvalidCiphertextException", "")
}

pub(super) fn incorrect_key() -> AwsError {
    let message = "The key ID in the request does not identify a CMK that can perform this operation.";
    AwsError::bad_request("IncorrectKeyException", message)
}

pub(super) fn validation(message: impl Into<String>) -> AwsError {
    AwsError::bad_request("ValidationException", message)
}

pub(super) fn limit_exceeded(message: impl Into<String>) -> AwsError {
    AwsError::bad_request("LimitExceededException", message)
}

pub(super) fn unsupported(what: &str) -> AwsError {
    AwsError::bad_request(
        "UnsupportedOperationException",
        format!("The local cloud does not support {what} of KMS"),
    )
}
