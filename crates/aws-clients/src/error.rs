//! A failed AWS call, as all code above this crate sees it.

use std::error::Error;
use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use aws_credential_types::provider::error::CredentialsError;
use aws_smithy_runtime_api::client::orchestrator::HttpResponse;
use aws_smithy_runtime_api::client::result::{ConnectorError, SdkError};
use aws_smithy_types::error::metadata::ProvideErrorMetadata;
use aws_smithy_types::retry::ProvideErrorKind;
use aws_types::request_id::RequestId as _;

use crate::ErrorClass;

/// The names of the services in spans, log lines and metrics.
pub mod service {
    /// Amazon `DynamoDB`.
    pub const DYNAMODB: &str = "DynamoDB";
    /// Amazon `EventBridge`.
    pub const EVENTBRIDGE: &str = "EventBridge";
    /// AWS Key Management Service.
    pub const KMS: &str = "KMS";
    /// Amazon Simple Storage Service.
    pub const S3: &str = "S3";
    /// Amazon Simple Email Service.
    pub const SES: &str = "SES";
    /// Amazon Simple Notification Service.
    pub const SNS: &str = "SNS";
    /// Amazon Simple Queue Service.
    pub const SQS: &str = "SQS";
    /// AWS Security Token Service.
    pub const STS: &str = "STS";
}

/// Codes of failures for which the service returned none, as they appear in `error.type`, log lines and readiness.
pub mod code {
    /// No response in time.
    pub const TIMEOUT: &str = "timeout";
    /// No connection, or a broken one.
    pub const CONNECTION: &str = "connection";
    /// A response that could not be read, or is incomplete.
    pub const RESPONSE: &str = "response";
    /// A request that could not be built.
    pub const REQUEST: &str = "request";
    /// No credentials to sign the request with.
    pub const CREDENTIALS: &str = "credentials";
    /// A call whose future was dropped.
    pub const CANCELLED: &str = "cancelled";
    /// An error without a code and without a meaningful status.
    pub const UNKNOWN: &str = "unknown";
}

/// The failure of an AWS call, or of one entry of a batched call.
///
/// It keeps the code and request id of a response, never its message or body: those quote the request, which contains
/// personal data.
#[derive(Clone, Debug)]
pub struct AwsError(Box<Parts>); // boxed because many results carry it

#[derive(Clone, Debug)]
struct Parts {
    service: &'static str,
    operation: &'static str,
    code: String,
    request_id: Option<String>,
    status: Option<u16>,
    class: ErrorClass,
    retry_after: Option<Duration>,
    source: Option<Arc<dyn Error + Send + Sync>>,
}

impl AwsError {
    /// Converts the failure of a call, for example of `("SNS", "PublishBatch")`.
    #[must_use]
    pub fn of<E>(service: &'static str, operation: &'static str, error: SdkError<E, HttpResponse>) -> Self
    where
        E: ProvideErrorMetadata + ProvideErrorKind + Error + Send + Sync + 'static,
    {
        let new = |code: &str, class| Self::new(service, operation, code, class);
        let mut read = match &error {
            SdkError::ServiceError(answer) => {
                let status = answer.raw().status().as_u16();
                let code = ProvideErrorMetadata::code(answer.err()).and_then(well_formed);
                let kind = answer.err().retryable_error_kind();
                let class = ErrorClass::of(code.unwrap_or_default(), Some(status), kind);
                match code {
                    Some(code) => new(code, class),
                    None => new(&status.to_string(), class),
                }
            }
            SdkError::TimeoutError(_) => new(code::TIMEOUT, ErrorClass::Unavailable),
            SdkError::DispatchFailure(failure) => {
                let (code, class) = unsent(failure.as_connector_error());
                new(code, class)
            }
            SdkError::ResponseError(_) => new(code::RESPONSE, ErrorClass::Unavailable),
            // Construction failures, and whatever the SDK may add.
            _ => new(code::REQUEST, ErrorClass::Rejected),
        };
        read.0.request_id = error.request_id().map(str::to_owned);
        if let Some(response) = error.raw_response() {
            read.0.status = Some(response.status().as_u16());
            read.0.retry_after = retry_after(response);
        }
        // The source of an error response quotes it. Other sources are about connections, credentials and fields.
        let answered = matches!(error, SdkError::ServiceError(_) | SdkError::ResponseError(_));
        read.0.source = (!answered).then(|| error.into_source().ok().map(Arc::from)).flatten();
        read
    }

    /// Converts the failure of one entry of a call that succeeded as a whole, or of one item of a transaction.
    ///
    /// `sender_fault` is the response's own statement of whether the sender is at fault, if it makes one. If it says
    /// no, a code that would otherwise be a rejection counts as a failure of the service.
    #[must_use]
    pub fn of_entry(
        service: &'static str,
        operation: &'static str,
        code: &str,
        sender_fault: Option<bool>,
    ) -> Self {
        let code = well_formed(code).unwrap_or(code::UNKNOWN);
        let class = match ErrorClass::of(code, None, None) {
            ErrorClass::Rejected if sender_fault == Some(false) => ErrorClass::Unavailable,
            class => class,
        };
        Self::new(service, operation, code, class)
    }

    /// Creates the error of an incomplete response, for example one that lacks the result of an entry.
    #[must_use]
    pub fn unreadable(service: &'static str, operation: &'static str) -> Self {
        Self::new(service, operation, code::RESPONSE, ErrorClass::Unavailable)
    }

    /// Creates the error of a call without a response in time.
    #[must_use]
    pub fn timeout(service: &'static str, operation: &'static str) -> Self {
        Self::new(service, operation, code::TIMEOUT, ErrorClass::Unavailable)
    }

    /// Creates the error of a request that could not be built because of `source`.
    #[must_use]
    pub fn unbuildable(
        service: &'static str,
        operation: &'static str,
        source: impl Error + Send + Sync + 'static,
    ) -> Self {
        let mut error = Self::new(service, operation, code::REQUEST, ErrorClass::Rejected);
        error.0.source = Some(Arc::new(source));
        error
    }

    fn new(service: &'static str, operation: &'static str, code: &str, class: ErrorClass) -> Self {
        Self(Box::new(Parts {
            service,
            operation,
            code: code.to_owned(),
            request_id: None,
            status: None,
            class,
            retry_after: None,
            source: None,
        }))
    }

    /// Overrides the class, for a rule specific to one service. The rule belongs beside that service's calls.
    #[must_use]
    pub fn with_class(mut self, class: ErrorClass) -> Self {
        self.0.class = class;
        self
    }

    /// Sets the request id of the call that an entry was part of.
    #[must_use]
    pub fn with_request_id(mut self, request_id: Option<String>) -> Self {
        self.0.request_id = request_id;
        self
    }

    /// Returns the service as X-Ray names it: `SNS`, `DynamoDB`.
    #[must_use]
    pub fn service(&self) -> &'static str {
        self.0.service
    }

    /// Returns the operation as AWS names it: `PublishBatch`.
    #[must_use]
    pub fn operation(&self) -> &'static str {
        self.0.operation
    }

    /// Returns the service's code, or one of [`code`] if it returned none.
    #[must_use]
    pub fn code(&self) -> &str {
        &self.0.code
    }

    /// Returns the id that AWS assigned to the request, if it responded.
    #[must_use]
    pub fn request_id(&self) -> Option<&str> {
        self.0.request_id.as_deref()
    }

    /// Returns the HTTP status, if the call failed as a whole with a response.
    #[must_use]
    pub fn status(&self) -> Option<u16> {
        self.0.status
    }

    /// Returns what the error says about the calls that follow it.
    #[must_use]
    pub fn class(&self) -> ErrorClass {
        self.0.class
    }

    /// Returns how long the service asked to wait, if it did.
    #[must_use]
    pub fn retry_after(&self) -> Option<Duration> {
        self.0.retry_after
    }
}

/// Ignores the source: two failures of the same kind are equal.
impl PartialEq for AwsError {
    fn eq(&self, other: &Self) -> bool {
        let (one, other) = (&*self.0, &*other.0);
        let Parts { service, operation, code, request_id, status, class, retry_after, source: _ } = one;
        (*service, *operation, code, request_id)
            == (other.service, other.operation, &other.code, &other.request_id)
            && (*status, *class, *retry_after) == (other.status, other.class, other.retry_after)
    }
}

impl Eq for AwsError {}

impl fmt::Display for AwsError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{} failed with {}", self.0.service, self.0.operation, self.0.code)?;
        match &self.0.request_id {
            Some(id) => write!(f, " (request {id})"),
            None => Ok(()),
        }
    }
}

impl Error for AwsError {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        self.0.source.as_deref().map(|source| source as _)
    }
}

/// Returns the code and class of a request that got no response: because of the connection, or something before it.
pub(crate) fn unsent(connector: Option<&ConnectorError>) -> (&'static str, ErrorClass) {
    let Some(connector) = connector else { return (code::CONNECTION, ErrorClass::Unavailable) };
    if connector.is_timeout() {
        return (code::TIMEOUT, ErrorClass::Unavailable);
    }
    if let Some(error) = in_chain::<CredentialsError>(connector) {
        return without_credentials(error);
    }
    if connector.is_user() {
        return (code::REQUEST, ErrorClass::Misconfigured);
    }
    // The SDK also wraps failures from before the connection: no endpoint, no identity, a request that cannot be
    // signed. Those have no kind, whereas a broken connection has the kind `io` or is marked as retryable.
    let broken = connector.as_other().is_some() || in_chain::<std::io::Error>(connector).is_some();
    if connector.is_other() && !broken {
        return (code::REQUEST, ErrorClass::Misconfigured);
    }
    (code::CONNECTION, ErrorClass::Unavailable)
}

/// Returns the code and class of a failure to get credentials. A provider that timed out may respond later; every other
/// failure has to be fixed in the deployment.
pub(crate) fn without_credentials(error: &CredentialsError) -> (&'static str, ErrorClass) {
    match error {
        CredentialsError::ProviderTimedOut(_) => (code::CREDENTIALS, ErrorClass::Unavailable),
        _ => (code::CREDENTIALS, ErrorClass::Misconfigured),
    }
}

/// Finds an error of type `T` among `error` and its sources.
pub(crate) fn in_chain<'a, T: Error + 'static>(error: &'a (dyn Error + 'static)) -> Option<&'a T> {
    let mut next = Some(error);
    while let Some(error) = next {
        if let Some(found) = error.downcast_ref() {
            return Some(found);
        }
        next = error.source();
    }
    None
}

/// Returns the code if it is safe to record: short, with only letters, digits and a few punctuation marks. A response
/// can contain anything, personal data included.
pub(crate) fn well_formed(code: &str) -> Option<&str> {
    // "com.amazonaws.dynamodb.v20120810#ThrottlingException", "ThrottlingException:http://…"
    let code = code.split(':').next().unwrap_or_default();
    let code = code.rsplit('#').next().unwrap_or_default();
    let well_formed = (1..=100).contains(&code.len())
        && code.bytes().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'_' | b'-'));
    well_formed.then_some(code)
}

/// Returns how long the response asks to wait: milliseconds in AWS's header, seconds in HTTP's.
fn retry_after(response: &HttpResponse) -> Option<Duration> {
    let number = |name: &'static str| response.headers().get(name)?.trim().parse::<u64>().ok();
    number("x-amz-retry-after")
        .map(Duration::from_millis)
        .or_else(|| number("retry-after").map(Duration::from_secs))
}

#[cfg(test)]
mod tests {
    use aws_sdk_sns::operation::publish_batch::PublishBatchError;
    use aws_smithy_runtime_api::http::StatusCode;
    use aws_smithy_types::body::SdkBody;
    use aws_smithy_types::error::ErrorMetadata;

    use super::*;

    fn of(error: SdkError<PublishBatchError, HttpResponse>) -> AwsError {
        AwsError::of(service::SNS, "PublishBatch", error)
    }

    fn answered(status: u16, code: Option<&str>) -> AwsError {
        let mut response = HttpResponse::new(StatusCode::try_from(status).unwrap(), SdkBody::empty());
        response.headers_mut().insert("x-amzn-requestid", "R1");
        response.headers_mut().insert("retry-after", "7");
        let mut metadata = ErrorMetadata::builder().message("a name and an address");
        if let Some(code) = code {
            metadata = metadata.code(code);
        }
        of(SdkError::service_error(PublishBatchError::generic(metadata.build()), response))
    }

    #[test]
    fn keeps_code_request_id_and_class_but_never_the_message() {
        let error = answered(403, Some("AuthorizationError"));
        assert_eq!(error.to_string(), "SNS.PublishBatch failed with AuthorizationError (request R1)");
        assert_eq!((error.service(), error.operation(), error.status()), ("SNS", "PublishBatch", Some(403)));
        assert_eq!(error.class(), ErrorClass::Misconfigured);
        assert_eq!(error.retry_after(), Some(Duration::from_secs(7)));
        assert!(!format!("{error:?}").contains("address") && error.source().is_none());
    }

    #[test]
    fn a_response_without_a_usable_code_is_named_by_its_status() {
        assert_eq!(answered(503, None).code(), "503");
        let quoting = answered(400, Some("Ada Lovelace has no topic"));
        assert_eq!((quoting.code(), quoting.class()), ("400", ErrorClass::Rejected));
    }

    #[test]
    fn failures_without_a_response_share_one_vocabulary() {
        let dispatch = |connector| of(SdkError::dispatch_failure(connector));
        let io = || std::io::Error::other("refused").into();
        for (error, expected) in [
            (of(SdkError::timeout_error("slow")), (code::TIMEOUT, ErrorClass::Unavailable)),
            (dispatch(ConnectorError::timeout(io())), (code::TIMEOUT, ErrorClass::Unavailable)),
            (dispatch(ConnectorError::io(io())), (code::CONNECTION, ErrorClass::Unavailable)),
            (dispatch(ConnectorError::other(io(), None)), (code::CONNECTION, ErrorClass::Unavailable)),
            (dispatch(ConnectorError::user(io())), (code::REQUEST, ErrorClass::Misconfigured)),
            (
                dispatch(ConnectorError::other(CredentialsError::not_loaded("none").into(), None)),
                (code::CREDENTIALS, ErrorClass::Misconfigured),
            ),
            (
                dispatch(ConnectorError::other("no endpoint for the region".into(), None)),
                (code::REQUEST, ErrorClass::Misconfigured),
            ),
            (of(SdkError::construction_failure("no topic")), (code::REQUEST, ErrorClass::Rejected)),
        ] {
            assert_eq!((error.code(), error.class()), expected, "{error:?}");
        }
    }

    #[test]
    fn an_entry_counts_as_the_services_failure_if_the_response_says_so() {
        let entry =
            |code, sender_fault| AwsError::of_entry("SNS", "PublishBatch", code, sender_fault).class();
        assert_eq!(entry("SomethingNew", Some(true)), ErrorClass::Rejected);
        assert_eq!(entry("SomethingNew", Some(false)), ErrorClass::Unavailable);
        assert_eq!(entry("SomethingNew", None), ErrorClass::Rejected);
        assert_eq!(entry("KMSAccessDenied", Some(true)), ErrorClass::Misconfigured);
        assert_eq!(AwsError::of_entry("SNS", "PublishBatch", "no code at all", None).code(), code::UNKNOWN);
    }
}
