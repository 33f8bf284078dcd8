//! Why a request is refused.

use thiserror::Error;

/// An error of X-Ray's model. Where clients are known to match on AWS's words, the message begins with them.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub(crate) enum ControlError {
    /// `InvalidRequestException`. The message names the member and how to correct it.
    #[error("{0}")]
    InvalidRequest(String),
    /// `RuleLimitExceededException`.
    #[error("the account has {quota} custom sampling rules, its quota: delete one first")]
    RuleLimitExceeded {
        /// How many there may be.
        quota: usize,
    },
    /// `ResourceNotFoundException`.
    #[error("{message}")]
    ResourceNotFound {
        /// What does not exist.
        message: String,
        /// Its name or ARN.
        resource: String,
    },
    /// `TooManyTagsException`.
    #[error("a resource may have at most {quota} tags")]
    TooManyTags {
        /// How many there may be.
        quota: usize,
        /// The resource's ARN.
        resource: String,
    },
    /// `MalformedPolicyDocumentException`.
    #[error("PolicyDocument {0}")]
    MalformedPolicyDocument(String),
    /// `PolicySizeLimitExceededException`.
    #[error("PolicyDocument has {size} bytes, and may have at most {quota}")]
    PolicySizeLimitExceeded {
        /// How many bytes it has.
        size: usize,
        /// How many it may have.
        quota: usize,
    },
    /// `PolicyCountLimitExceededException`.
    #[error("the account has {quota} resource policies, its quota: delete one first")]
    PolicyCountLimitExceeded {
        /// How many there may be.
        quota: usize,
    },
    /// `InvalidPolicyRevisionIdException`.
    #[error("{0}")]
    InvalidPolicyRevisionId(String),
}

impl ControlError {
    pub(crate) fn invalid(message: impl Into<String>) -> Self {
        Self::InvalidRequest(message.into())
    }
}
