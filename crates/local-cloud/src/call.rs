//! A request: which operation of which service, and who calls.

use axum::response::Response;
use bytes::Bytes;
use http::{HeaderMap, Method, StatusCode};

use crate::reply::{AwsError, Protocol};

/// An AWS service behind the endpoint.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Service {
    Sqs,
    Sns,
    Events,
    DynamoDb,
    DynamoDbStreams,
    Ses,
    SesV2,
    Pipes,
    Sts,
    Unknown,
}

impl Service {
    /// Returns the name that faults and log lines use, which is the `SigV4` service name.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Sqs => "sqs",
            Self::Sns => "sns",
            Self::Events => "events",
            Self::DynamoDb => "dynamodb",
            Self::DynamoDbStreams => "dynamodbstreams",
            Self::Ses | Self::SesV2 => "ses",
            Self::Pipes => "pipes",
            Self::Sts => "sts",
            Self::Unknown => "unknown",
        }
    }

    /// Returns the wire format of requests and responses.
    pub(crate) fn protocol(self) -> Protocol {
        match self {
            Self::Sqs | Self::Events | Self::DynamoDb | Self::DynamoDbStreams | Self::Unknown => {
                Protocol::Json
            }
            Self::SesV2 | Self::Pipes => Protocol::RestJson,
            Self::Sns | Self::Ses | Self::Sts => Protocol::Query,
        }
    }

    /// Returns the service's throttling error.
    pub(crate) fn throttle(self) -> AwsError {
        let (status, code) = match self {
            Self::Sqs => (StatusCode::FORBIDDEN, "RequestThrottled"),
            Self::Sns => (StatusCode::TOO_MANY_REQUESTS, "Throttled"),
            Self::DynamoDb | Self::DynamoDbStreams => {
                (StatusCode::BAD_REQUEST, "ProvisionedThroughputExceededException")
            }
            Self::SesV2 => (StatusCode::TOO_MANY_REQUESTS, "TooManyRequestsException"),
            Self::Pipes => (StatusCode::TOO_MANY_REQUESTS, "ThrottlingException"),
            Self::Ses | Self::Sts => (StatusCode::BAD_REQUEST, "Throttling"),
            Self::Events | Self::Unknown => (StatusCode::BAD_REQUEST, "ThrottlingException"),
        };
        AwsError::new(status, code, "Rate exceeded")
    }

    /// Returns the service's error for an internal failure.
    pub(crate) fn internal_failure(self) -> AwsError {
        let code = match self {
            Self::Sqs | Self::Sns | Self::Ses | Self::Sts | Self::Unknown => "InternalFailure",
            Self::DynamoDb | Self::DynamoDbStreams => "InternalServerError",
            Self::Events | Self::Pipes => "InternalException",
            Self::SesV2 => "InternalServiceErrorException",
        };
        AwsError::new(StatusCode::INTERNAL_SERVER_ERROR, code, "Internal failure")
    }
}

/// A request whose operation is known.
#[derive(Debug)]
pub(crate) struct Call {
    pub(crate) service: Service,
    pub(crate) operation: String,
    pub(crate) method: Method,
    pub(crate) path: String,
    pub(crate) headers: HeaderMap,
    pub(crate) body: Bytes,
}

impl Call {
    /// Names the missing operation, to the client and in the log: a bare 404 would cost somebody an afternoon.
    pub(crate) fn unknown_operation(&self) -> Response {
        let Self { service, operation, method, path, .. } = self;
        tracing::warn!(
            service = service.name(),
            operation,
            %method,
            path,
            "operation not supported"
        );
        let code = match service.protocol() {
            Protocol::Query => "InvalidAction",
            Protocol::Json | Protocol::RestJson => "UnknownOperationException",
        };
        let message = match service {
            Service::Unknown => format!("The local cloud does not support {operation}"),
            service => format!("The local cloud does not support {operation} of {}", service.name()),
        };
        self.refuse(AwsError::bad_request(code, message))
    }

    /// Returns an error in the protocol of the call.
    pub(crate) fn refuse(&self, error: AwsError) -> Response {
        error.into_response(self.service.protocol())
    }

    /// Returns the access key that the request was signed with, which identifies the caller.
    pub(crate) fn caller(&self) -> Option<&str> {
        caller(&self.headers)
    }
}

/// Returns the service that a request was signed for.
pub(crate) fn signed_for(headers: &HeaderMap) -> Option<&str> {
    credential(headers)?.rsplit('/').nth(1)
}

/// Returns the access key that a request was signed with.
pub(crate) fn caller(headers: &HeaderMap) -> Option<&str> {
    credential(headers)?.split('/').next()
}

/// Returns the credential scope, `<key>/<date>/<region>/<service>/aws4_request`.
fn credential(headers: &HeaderMap) -> Option<&str> {
    let authorization = headers.get(http::header::AUTHORIZATION)?.to_str().ok()?;
    let (_, rest) = authorization.split_once("Credential=")?;
    rest.split(',').next()
}

/// Decodes percent escapes such as `%40`. Invalid ones are left as they are.
pub(crate) fn percent_decoded(text: &str) -> String {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.as_bytes();
    while let Some((&first, after)) = rest.split_first() {
        let escaped = (first == b'%').then(|| after.get(..2)).flatten();
        let decoded = escaped
            .and_then(|hex| std::str::from_utf8(hex).ok())
            .and_then(|hex| u8::from_str_radix(hex, 16).ok());
        if let Some(byte) = decoded {
            bytes.push(byte);
            rest = &after[2..];
        } else {
            bytes.push(first);
            rest = after;
        }
    }
    String::from_utf8_lossy(&bytes).into_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn percent_escapes_are_decoded_and_others_left() {
        assert_eq!(percent_decoded("a%40b.example"), "a@b.example");
        assert_eq!(percent_decoded("100%"), "100%");
        assert_eq!(percent_decoded("%zz%C3%A4"), "%zzä");
    }
}
