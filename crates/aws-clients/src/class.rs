//! The classification of errors: the only place that interprets codes and statuses.

use std::fmt;

use aws_runtime::retries::classifiers::{THROTTLING_ERRORS, TRANSIENT_ERRORS};
use aws_smithy_types::retry::ErrorKind;

/// What an AWS error says about the calls that follow it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum ErrorClass {
    /// The service wants fewer calls. The same call can succeed later.
    Throttled,
    /// The service did not respond, or failed. The same call can succeed later.
    Unavailable,
    /// No call can succeed until the deployment is fixed: permission, key, credentials, a missing resource, the wrong
    /// region, a skewed clock.
    Misconfigured,
    /// The service refuses this request. Others may succeed.
    Rejected,
}

impl ErrorClass {
    /// Returns the word for logs, metrics and dead letters.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Throttled => "throttled",
            Self::Unavailable => "unavailable",
            Self::Misconfigured => "misconfigured",
            Self::Rejected => "rejected",
        }
    }

    /// Classifies an error by its code, by the HTTP status of the failed call (none for an entry of a batch whose call
    /// succeeded), and by the kind that the service's model assigns to the error.
    ///
    /// AWS adds codes without notice, so most rules look for parts of a code. The order matters: a throttled key
    /// (`KMSThrottling`) is throttled rather than misconfigured, and a failure on AWS's side stays one whatever its
    /// code mentions.
    pub(crate) fn of(code: &str, status: Option<u16>, kind: Option<ErrorKind>) -> Self {
        let code = code.strip_prefix("AWS.SimpleQueueService.").unwrap_or(code);
        let words = code.to_ascii_lowercase();
        let says = |parts: &[&str]| parts.iter().any(|part| words.contains(part));
        // "Item collection size limit" concerns one item, not a rate.
        let throttled = THROTTLING_ERRORS.contains(&code)
            || kind == Some(ErrorKind::ThrottlingError)
            || (says(&THROTTLED) && !says(&["itemcollection"]));
        let unavailable = TRANSIENT_ERRORS.contains(&code)
            || matches!(kind, Some(ErrorKind::TransientError | ErrorKind::ServerError))
            || says(&UNAVAILABLE);
        if status == Some(429) || throttled {
            Self::Throttled
        } else if status.is_some_and(|status| status >= 500) || unavailable {
            Self::Unavailable
        } else if !says(&ABOUT_AN_OBJECT)
            && (status.is_some_and(is_misconfigured) || (says(&MISCONFIGURED) && !says(&ABOUT_THIS_REQUEST)))
        {
            Self::Misconfigured
        } else if matches!(status, Some(408 | 425)) {
            Self::Unavailable
        } else {
            Self::Rejected
        }
    }
}

impl fmt::Display for ErrorClass {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// Returns whether a status blames the caller, the address or the resource: a redirect to another region, missing
/// credentials or permission, a missing subscription, a missing resource, a proxy in between, the wrong host.
const fn is_misconfigured(status: u16) -> bool {
    matches!(status, 300..=399 | 401..=404 | 407 | 410 | 421)
}

/// Parts of the codes with which services demand fewer calls, in addition to the SDK's list.
const THROTTLED: [&str; 9] = [
    "throttl",
    "slowdown",
    "toomanyrequests",
    "requestlimit",
    "rateexceeded",
    "throughputexceeded",
    "limitexceeded",
    "quotaexceeded",
    "overlimit",
];

/// Parts of codes for failures on the service's side, and for contention that resolves itself.
const UNAVAILABLE: [&str; 15] = [
    "unavailable",
    "internalerror",
    "internalfailure",
    "internalexception",
    "internalserver",
    "servicefailure",
    "servererror",
    "timedout",
    "timeout",
    "resourceinuse",
    "writeconflict",
    "transactionconflict",
    "concurrent",
    "requestconflict",
    "operationaborted",
];

/// Parts of codes about the caller, its key, its account or the resource, in this order: permission, encryption key,
/// credentials and signature, missing resource, disabled resource or account, region and endpoint, clock.
const MISCONFIGURED: [&str; 44] = [
    "denied",
    "auth",
    "forbidden",
    "permission",
    "notallowed",
    "notgranted",
    "kms",
    "encryptionkey",
    "invalidkeyusage",
    "credential",
    "token",
    "signature",
    "accesskey",
    "unrecognizedclient",
    "invalidsecurity",
    "notfound",
    "doesnotexist",
    "notexist",
    "nonexistent",
    "nosuch",
    "deletedrecently",
    "unknownresource",
    "disabled",
    "suspended",
    "paused",
    "optin",
    "subscri",
    "notsignedup",
    "notverified",
    "blocked",
    "inactive",
    "notactive",
    "pendingverification",
    "account",
    "redirect",
    "region",
    "locationconstraint",
    "endpoint",
    "unknownoperation",
    "invalidaction",
    "skew",
    "requestexpired",
    "inthefuture",
    "notyetcurrent",
];

/// Parts of codes that concern a single request even though they contain one of [`MISCONFIGURED`]: a receipt handle, a
/// page, an item, an entry of a batch.
const ABOUT_THIS_REQUEST: [&str; 9] = [
    "receipthandle",
    "nexttoken",
    "pagination",
    "continuation",
    "requesttoken",
    "idempoten",
    "conditionalcheck",
    "itemnot",
    "messagenot",
];

/// Codes of S3 about one object, which has a status that otherwise blames the deployment.
const ABOUT_AN_OBJECT: [&str; 3] = ["nosuchkey", "nosuchversion", "invalidobjectstate"];

#[cfg(test)]
mod tests {
    use super::ErrorClass::{self, Misconfigured, Rejected, Throttled, Unavailable};

    fn of(code: &str, status: u16) -> ErrorClass {
        ErrorClass::of(code, Some(status), None)
    }

    #[test]
    fn known_codes_mean_the_same_for_a_call_and_for_an_entry() {
        for (code, class) in [
            ("ThrottlingException", Throttled),
            ("ProvisionedThroughputExceeded", Throttled),
            ("KMSThrottling", Throttled),
            ("KMS.ThrottlingException", Throttled),
            ("OverLimit", Throttled),
            ("ServiceQuotaExceededException", Throttled),
            ("InternalFailure", Unavailable),
            ("InternalServerError", Unavailable),
            ("RequestTimeout", Unavailable),
            ("ServiceUnavailable", Unavailable),
            ("ReplicatedWriteConflictException", Unavailable),
            ("TransactionConflictException", Unavailable),
            ("AuthorizationError", Misconfigured),
            ("AccessDeniedException", Misconfigured),
            ("NotAuthorizedForSourceException", Misconfigured),
            ("KMSAccessDenied", Misconfigured),
            ("KMSDisabled", Misconfigured),
            ("KMS.InvalidStateException", Misconfigured),
            ("InvalidClientTokenId", Misconfigured),
            ("ExpiredTokenException", Misconfigured),
            ("SignatureDoesNotMatch", Misconfigured),
            ("IncompleteSignature", Misconfigured),
            ("InvalidSignatureException", Misconfigured),
            ("UnrecognizedClientException", Misconfigured),
            ("MissingAuthenticationToken", Misconfigured),
            ("InvalidSecurity", Misconfigured),
            ("OptInRequired", Misconfigured),
            ("SubscriptionRequiredException", Misconfigured),
            ("NotFound", Misconfigured),
            ("ResourceNotFoundException", Misconfigured),
            ("AWS.SimpleQueueService.NonExistentQueue", Misconfigured),
            ("QueueDoesNotExist", Misconfigured),
            ("AWS.SimpleQueueService.QueueDeletedRecently", Misconfigured),
            ("PermanentRedirect", Misconfigured),
            ("IllegalLocationConstraintException", Misconfigured),
            ("AuthorizationHeaderMalformed", Misconfigured),
            ("RequestTimeTooSkewed", Misconfigured),
            ("RequestExpired", Misconfigured),
            ("RequestInTheFuture", Misconfigured),
            ("SendingPausedException", Misconfigured),
            ("AccountSuspendedException", Misconfigured),
            ("AccountSendingPausedException", Misconfigured),
            ("ConfigurationSetDoesNotExistException", Misconfigured),
            ("ProductionAccessNotGrantedException", Misconfigured),
            ("ExpiredToken", Misconfigured),
            ("InvalidAccessKeyId", Misconfigured),
            ("TokenRefreshRequired", Misconfigured),
            ("SignatureNotYetCurrent", Misconfigured),
            ("Blocked", Misconfigured),
            ("PendingVerification", Misconfigured),
            ("InvalidAction", Misconfigured),
            ("KMS.AccessDeniedException", Misconfigured),
            ("KMS.DisabledException", Misconfigured),
            ("KMS.NotFoundException", Misconfigured),
            ("KMS.OptInRequired", Misconfigured),
            ("KMS.InvalidKeyUsageException", Misconfigured),
            ("KMSOptInRequired", Misconfigured),
            ("MailFromDomainNotVerifiedException", Misconfigured),
            ("InvalidEndpointException", Misconfigured),
            ("ValidationException", Rejected),
            ("InvalidParameter", Rejected),
            ("InvalidParameterValue", Rejected),
            ("MalformedDetail", Rejected),
            ("BatchRequestTooLong", Rejected),
            ("TooManyEntriesInBatchRequest", Rejected),
            ("ItemCollectionSizeLimitExceededException", Rejected),
            ("ConditionalCheckFailedException", Rejected),
            ("IdempotentParameterMismatchException", Rejected),
            ("ReceiptHandleIsInvalid", Rejected),
            ("ReceiptHandleDoesNotExist", Rejected),
            ("MessageNotInflight", Rejected),
            ("InvalidNextToken", Rejected),
            ("MessageRejected", Rejected),
            ("NoSuchKey", Rejected),
            ("NoSuchBucket", Misconfigured),
            ("PreconditionFailed", Rejected),
            ("ConditionalRequestConflict", Unavailable),
            ("OperationAborted", Unavailable),
            ("SlowDown", Throttled),
            ("EntityTooLarge", Rejected),
            ("KMSInvalidStateException", Misconfigured),
            ("DisabledException", Misconfigured),
            ("NotFoundException", Misconfigured),
            ("KeyUnavailableException", Unavailable),
            ("DependencyTimeoutException", Unavailable),
            ("InvalidCiphertextException", Rejected),
        ] {
            assert_eq!(of(code, 400), class, "{code} with status 400");
            assert_eq!(ErrorClass::of(code, None, None), class, "{code} for an entry");
        }
    }

    #[test]
    fn unknown_codes_are_classified_by_status() {
        for (status, class) in [
            (301, Misconfigured),
            (307, Misconfigured),
            (400, Rejected),
            (401, Misconfigured),
            (403, Misconfigured),
            (404, Misconfigured),
            (408, Unavailable),
            (409, Rejected),
            (413, Rejected),
            (418, Rejected),
            (422, Rejected),
            (429, Throttled),
            (500, Unavailable),
            (503, Unavailable),
            (599, Unavailable),
        ] {
            assert_eq!(of("SomethingNew", status), class, "{status}");
        }
        assert_eq!(ErrorClass::of("SomethingNew", None, None), Rejected);
    }

    #[test]
    fn unknown_codes_are_classified_by_their_parts() {
        for (code, class) in [
            ("MediaThrottlingFault", Throttled),
            ("BackendUnavailableException", Unavailable),
            ("TopicAccessNotAuthorizedFault", Misconfigured),
            ("EncryptionKeyNotUsableFault", Misconfigured),
            ("NoSuchTopicFault", Misconfigured),
            ("RegionNotEnabledFault", Misconfigured),
            ("CredentialsRevokedFault", Misconfigured),
            ("BodyNotLiked", Rejected),
        ] {
            assert_eq!(of(code, 400), class, "{code}");
        }
    }

    #[test]
    fn a_missing_object_says_nothing_about_the_deployment() {
        assert_eq!(of("NoSuchKey", 404), Rejected);
        assert_eq!(of("InvalidObjectState", 403), Rejected);
        assert_eq!(of("NoSuchBucket", 404), Misconfigured);
        assert_eq!(of("AccessDenied", 403), Misconfigured);
        assert_eq!(of("PreconditionFailed", 412), Rejected);
    }

    #[test]
    fn a_failure_of_the_service_is_never_misconfigured_or_rejected() {
        assert_eq!(of("AccessDeniedException", 500), Unavailable);
        assert_eq!(of("ValidationException", 429), Throttled);
        assert_eq!(of("SlowDown", 503), Throttled);
    }
}
