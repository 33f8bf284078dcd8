//! A request: which operation of which service, and who calls.

use bytes::Bytes;
use http::{HeaderMap, StatusCode};
use serde::Deserialize;
use serde_json::Value;

use crate::reply::AwsError;

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
    S3,
    Kms,
    Unknown,
}

impl Service {
    /// The services with a model.
    pub(crate) const MODELLED: [Self; 11] = [
        Self::Sqs,
        Self::Sns,
        Self::Events,
        Self::DynamoDb,
        Self::DynamoDbStreams,
        Self::Ses,
        Self::SesV2,
        Self::Pipes,
        Self::Sts,
        Self::S3,
        Self::Kms,
    ];

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
            Self::S3 => "s3",
            Self::Kms => "kms",
            Self::Unknown => "unknown",
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
            Self::S3 => (StatusCode::SERVICE_UNAVAILABLE, "SlowDown"),
            Self::Events | Self::Kms | Self::Unknown => (StatusCode::BAD_REQUEST, "ThrottlingException"),
        };
        AwsError::new(status, code, "Rate exceeded")
    }

    /// Returns the service's error for an internal failure.
    pub(crate) fn internal_failure(self) -> AwsError {
        let code = match self {
            Self::Sqs | Self::Sns | Self::Ses | Self::Sts | Self::Unknown => "InternalFailure",
            Self::DynamoDb | Self::DynamoDbStreams => "InternalServerError",
            Self::S3 => "InternalError",
            Self::Kms => "KMSInternalException",
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
    /// The input in the shape of the service's model, whatever the protocol: members by their names, blobs in base64,
    /// timestamps in seconds. It satisfies the model.
    pub(crate) input: Value,
    pub(crate) headers: HeaderMap,
    /// The bytes of an object of S3; of no use to the other services.
    pub(crate) body: Bytes,
}

impl Call {
    /// Reads the input as the operation's type.
    ///
    /// # Errors
    /// If the type demands more than the model.
    pub(crate) fn read<'a, T: Deserialize<'a>>(&'a self) -> Result<T, AwsError> {
        T::deserialize(&self.input)
            .map_err(|error| AwsError::bad_request("SerializationException", error.to_string()))
    }

    /// Names the missing operation, to the client and in the log: a bare 404 would cost somebody an afternoon.
    pub(crate) fn not_supported(&self) -> AwsError {
        let Self { service, operation, .. } = self;
        tracing::warn!(service = service.name(), operation, "operation not supported");
        let (status, code) = match service {
            Service::Sns | Service::Ses | Service::Sts => (StatusCode::BAD_REQUEST, "InvalidAction"),
            Service::S3 => (StatusCode::NOT_IMPLEMENTED, "NotImplemented"),
            _ => (StatusCode::BAD_REQUEST, "UnknownOperationException"),
        };
        let of = match service {
            Service::Unknown => String::new(),
            service => format!(" of {}", service.name()),
        };
        AwsError::new(status, code, format!("The local cloud does not support {operation}{of}"))
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

/// Returns the region that a request was signed for.
pub(crate) fn region(headers: &HeaderMap) -> Option<&str> {
    credential(headers)?.rsplit('/').nth(2)
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
