//! What went wrong in a call to DynamoDB, told without the data that went in or came back.

use std::error::Error;

use aws_sdk_dynamodb::error::{BuildError, ProvideErrorMetadata, SdkError};
use aws_sdk_dynamodb::operation::RequestId;
use thiserror::Error;

/// A call to DynamoDB that failed.
///
/// It keeps the error code and the request id of an answer, never its body: DynamoDB's errors can hold
/// items, and items hold personal data.
#[derive(Debug, Error)]
#[error("{operation} failed with {code}{}", request_id.as_ref().map(|id| format!(" (request {id})")).unwrap_or_default())]
pub struct Fault {
    operation: &'static str,
    code: String,
    request_id: Option<String>,
    #[source]
    source: Option<Box<dyn Error + Send + Sync>>,
}

/// What a caller can do about a [`Fault`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FaultKind {
    /// DynamoDB asks for fewer requests: wait, then try again.
    Throttled,
    /// DynamoDB could not be reached, failed, or may not be used at the moment: try again later.
    Unavailable,
    /// The request itself is wrong, and will be wrong again.
    Rejected,
}

/// Codes by which DynamoDB refuses a request for its rate:
/// [error handling](https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/Programming.Errors.html).
const THROTTLED: [&str; 5] = [
    "ProvisionedThroughputExceededException",
    "ThrottlingException",
    "Throttling",
    "RequestLimitExceeded",
    "LimitExceededException",
];

/// Codes by which DynamoDB refuses a request for what is in it.
const REJECTED: [&str; 6] = [
    "ValidationException",
    "ItemCollectionSizeLimitExceededException",
    "IdempotentParameterMismatchException",
    "SerializationException",
    "RequestTooLarge",
    Fault::BUILD,
];

impl Fault {
    const BUILD: &str = "BuildError";

    /// Tells what happened to a call of `operation`, such as `"GetItem"`.
    pub fn of<E>(operation: &'static str, error: SdkError<E>) -> Self
    where
        E: Error + ProvideErrorMetadata + RequestId + Send + Sync + 'static,
    {
        if let SdkError::ServiceError(answer) = &error {
            let answer = answer.err();
            return Self {
                operation,
                code: answer.code().unwrap_or("an unknown error").to_owned(),
                request_id: answer.request_id().map(str::to_owned),
                source: None,
            };
        }
        let code = match &error {
            SdkError::TimeoutError(_) => "a timeout",
            SdkError::DispatchFailure(_) => "a dispatch failure",
            SdkError::ConstructionFailure(_) => Self::BUILD,
            _ => "an unreadable answer",
        };
        Self { operation, code: code.to_owned(), request_id: None, source: error.into_source().ok() }
    }

    pub(crate) fn unbuildable(operation: &'static str, error: BuildError) -> Self {
        Self { operation, code: Self::BUILD.to_owned(), request_id: None, source: Some(Box::new(error)) }
    }

    /// What a caller can do about it.
    #[must_use]
    pub fn kind(&self) -> FaultKind {
        let code = self.code.as_str();
        if THROTTLED.contains(&code) {
            FaultKind::Throttled
        } else if REJECTED.contains(&code) {
            FaultKind::Rejected
        } else {
            FaultKind::Unavailable
        }
    }

    /// The error code DynamoDB answered with, or what happened instead of an answer.
    #[must_use]
    pub fn code(&self) -> &str {
        &self.code
    }

    /// A short name for it, for log lines and dead letters.
    #[must_use]
    pub fn reason(&self) -> &'static str {
        match self.kind() {
            FaultKind::Throttled => "dynamodb-throttled",
            FaultKind::Unavailable => "dynamodb-unavailable",
            FaultKind::Rejected => "dynamodb-rejected",
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn fault(code: &str) -> Fault {
        Fault { operation: "GetItem", code: code.to_owned(), request_id: None, source: None }
    }

    #[test]
    fn codes_are_sorted_by_what_can_be_done() {
        for (code, kind) in [
            ("ThrottlingException", FaultKind::Throttled),
            ("ProvisionedThroughputExceededException", FaultKind::Throttled),
            ("ValidationException", FaultKind::Rejected),
            ("InternalServerError", FaultKind::Unavailable),
            ("AccessDeniedException", FaultKind::Unavailable),
            ("ResourceNotFoundException", FaultKind::Unavailable),
        ] {
            assert_eq!(fault(code).kind(), kind, "{code}");
        }
    }

    #[test]
    fn tells_the_operation_the_code_and_the_request() {
        let fault = Fault { request_id: Some("R1".into()), ..fault("ThrottlingException") };
        assert_eq!(fault.to_string(), "GetItem failed with ThrottlingException (request R1)");
    }
}
