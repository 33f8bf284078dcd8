//! What the SDK's errors and the services' codes mean for a retry.

use aws_smithy_runtime_api::client::orchestrator::HttpResponse;
use aws_smithy_runtime_api::client::result::SdkError;
use aws_smithy_types::error::metadata::ProvideErrorMetadata;
use aws_types::request_id::RequestId as _;

use crate::call::{Answer, Class, Failure};

/// The answer that stands for a call that failed as a whole.
pub(crate) fn of_call<E: ProvideErrorMetadata>(error: &SdkError<E, HttpResponse>) -> Answer {
    let status = error.raw_response().map(|response| response.status().as_u16());
    let failure = match error {
        SdkError::ServiceError(service) => {
            let code = service.err().code().unwrap_or("UnknownError");
            Failure::new(code, class_of(code, status))
        }
        SdkError::TimeoutError(_) => Failure::new("Timeout", Class::Transient),
        SdkError::DispatchFailure(failure) if failure.is_user() => {
            Failure::new("InvalidRequest", Class::Permanent)
        }
        SdkError::DispatchFailure(failure) if failure.is_timeout() => {
            Failure::new("Timeout", Class::Transient)
        }
        SdkError::DispatchFailure(_) => Failure::new("ConnectionFailed", Class::Transient),
        SdkError::ResponseError(_) => Failure::new("UnreadableResponse", Class::Transient),
        // Construction failures, and whatever the SDK may add: sending the same again changes nothing.
        _ => Failure::new("InvalidRequest", Class::Permanent),
    };
    Answer { request_id: error.request_id().map(str::to_owned), status, outcome: Err(failure) }
}

/// The failure of one entry of a call that succeeded. A code that is not known to last is tried again: that costs
/// a few calls, giving up an event costs more.
pub(crate) fn of_entry(code: Option<&str>) -> Failure {
    let code = code.unwrap_or("UnknownError");
    Failure::new(code, class_of(code, None))
}

/// Codes: <https://docs.aws.amazon.com/eventbridge/latest/APIReference/API_PutEventsResultEntry.html>,
/// <https://docs.aws.amazon.com/sns/latest/api/API_PublishBatch.html> and the common errors of both.
fn class_of(code: &str, status: Option<u16>) -> Class {
    match code {
        "Throttling"
        | "ThrottlingException"
        | "Throttled"
        | "ThrottledException"
        | "RequestLimitExceeded"
        | "TooManyRequestsException"
        | "KMSThrottling"
        | "RequestThrottled"
        | "SlowDown" => Class::Throttled,
        // The credentials are renewed in the background; the next call is signed with new ones.
        "ExpiredToken"
        | "ExpiredTokenException"
        | "RequestExpired"
        | "RequestTimeout"
        | "RequestTimeoutException"
        | "InternalError"
        | "InternalErrorException"
        | "InternalException"
        | "InternalFailure"
        | "ServiceUnavailable"
        | "ServiceUnavailableException" => Class::Transient,
        "AccessDenied"
        | "AccessDeniedException"
        | "AuthorizationError"
        | "AuthorizationErrorException"
        | "NotAuthorized"
        | "NotAuthorizedForSourceException"
        | "NotAuthorizedForDetailTypeException"
        | "OptInRequired"
        | "InvalidAccountIdException"
        | "InvalidClientTokenId"
        | "UnrecognizedClientException"
        | "IncompleteSignature"
        | "InvalidSignatureException"
        | "MissingAuthenticationToken"
        | "InvalidSecurity"
        | "InvalidSecurityException"
        | "ResourceNotFoundException"
        | "NotFound"
        | "NotFoundException"
        | "EndpointDisabled"
        | "EndpointDisabledException"
        | "PlatformApplicationDisabled"
        | "RedactionFailure"
        | "UnknownOperationException" => Class::Permanent,
        "InvalidArgument"
        | "MalformedDetail"
        | "InvalidParameter"
        | "InvalidParameterException"
        | "InvalidParameterValue"
        | "ParameterValueInvalid"
        | "ValidationError"
        | "ValidationException"
        | "BatchRequestTooLong"
        | "BatchRequestTooLongException"
        | "InvalidBatchEntryId"
        | "PutEventsRequestEntryTooLarge"
        | "SerializationException" => Class::Content,
        _ => match status {
            Some(429) => Class::Throttled,
            Some(401 | 403 | 404) => Class::Permanent,
            Some(400..=499) => Class::Content,
            _ => Class::Transient,
        },
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn codes_are_classed_by_what_a_retry_would_change() {
        assert_eq!(class_of("ThrottlingException", Some(400)), Class::Throttled);
        assert_eq!(class_of("InternalFailure", Some(500)), Class::Transient);
        assert_eq!(class_of("NotAuthorizedForSourceException", None), Class::Permanent);
        assert_eq!(class_of("ValidationException", Some(400)), Class::Content);
        assert_eq!(class_of("SomethingNew", Some(503)), Class::Transient);
        assert_eq!(class_of("SomethingNew", Some(413)), Class::Content);
        assert_eq!(class_of("SomethingNew", Some(429)), Class::Throttled);
        assert_eq!(of_entry(None).class, Class::Transient);
    }
}
