//! Whose fault an error is: the one place where codes and statuses get their meaning.

use std::fmt;

use aws_runtime::retries::classifiers::{THROTTLING_ERRORS, TRANSIENT_ERRORS};
use aws_smithy_types::retry::ErrorKind;

/// What an error of AWS says about the calls that follow it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum ErrorClass {
    /// The service asks for fewer calls. The same call passes later.
    Throttled,
    /// The service did not answer, or failed. The same call passes later.
    Unavailable,
    /// Nobody's call would pass until somebody mends the deployment: permission, key, credentials, a missing resource,
    /// the wrong region, a clock that is off.
    Misconfigured,
    /// The service refuses this request. Others may pass.
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

    /// Returns the class of an answer: by its code, by the HTTP status of the call it failed (none for an entry of a
    /// batch whose call succeeded), and by the kind the service's model gives the error.
    ///
    /// AWS adds codes without notice, so most rules are about what a code is made of. The order matters: a throttled key
    /// (`KMSThrottling`) is throttled rather than misconfigured, and a failure on AWS's side stays one whatever its
    /// code mentions.
    pub(crate) fn of(code: &str, status: Option<u16>, kind: Option<ErrorKind>) -> Self {
        let code = code.strip_prefix("AWS.SimpleQueueService.").unwrap_or(code);
        let words = code.to_ascii_lowercase();
        let says = |parts: &[&str]| parts.iter().any(|part| words.contains(part));
        // "Item collection size limit" is about one item, not about a rate.
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
        } else if status.is_some_and(is_misconfigured) || (says(&MISCONFIGURED) && !says(&ABOUT_THIS_REQUEST))
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

/// Statuses that are about the caller, the address or the resource: a redirect to another region, no credentials or no
/// permission, a missing subscription, nothing there, a proxy in between, the wrong host.
const fn is_misconfigured(status: u16) -> bool {
    matches!(status, 300..=399 | 401..=404 | 407 | 410 | 421)
}

/// Parts of codes by which services ask for fewer calls, beside those in the SDK's list.
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

/// Parts of codes for a failure on the service's side, and for contention that passes by itself.
const UNAVAILABLE: [&str; 12] = [
    "unavailable",
    "internalerror",
    "internalfailure",
    "internalexception",
    "internalserver",
    "servicefailure",
    "servererror",
    "timedout",
    "resourceinuse",
    "writeconflict",
    "transactionconflict",
    "concurrent",
];

/// Parts of codes about the caller, its key, its account or the resource, in this order: permission, encryption key,
/// credentials and signature, missing resource, switched off, region and endpoint, clock.
const MISCONFIGURED: [&str; 40] = [
    "denied",
    "auth",
    "forbidden",
    "permission",
    "notallowed",
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
    "inactive",
    "notactive",
    "pendingverification",
    "account",
    "redirect",
    "region",
    "locationconstraint",
    "endpoint",
    "unknownoperation",
    "skew",
    "requestexpired",
    "inthefuture",
];

/// Parts of codes that belong to one request, although they hold one of [`MISCONFIGURED`]: a receipt handle, a page, an
/// item, an entry of a batch.
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

#[cfg(test)]
mod tests {
    use super::ErrorClass::{self, Misconfigured, Rejected, Throttled, Unavailable};

    fn of(code: &str, status: u16) -> ErrorClass {
        ErrorClass::of(code, Some(status), None)
    }

    #[test]
    fn known_codes_mean_the_same_as_an_answer_and_as_an_entry() {
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
        ] {
            assert_eq!(of(code, 400), class, "{code} with 400");
            assert_eq!(ErrorClass::of(code, None, None), class, "{code} of an entry");
        }
    }

    #[test]
    fn codes_that_nobody_knows_go_by_their_status() {
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
    fn codes_that_nobody_knows_go_by_what_they_are_made_of() {
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
    fn a_failure_of_the_service_stays_one_whatever_its_code_says() {
        assert_eq!(of("AccessDeniedException", 500), Unavailable);
        assert_eq!(of("ValidationException", 429), Throttled);
        assert_eq!(of("SlowDown", 503), Throttled);
    }
}
