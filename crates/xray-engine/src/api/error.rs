//! Errors as AWS writes them.

use aws_models::{Refusal, Violations};
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use serde_json::{Value, json};
use thiserror::Error;

use super::reply::{internal, refuse, unreadable};
use crate::control::ControlError;
use crate::store::StoreError;

/// Why a request to the control plane failed.
#[derive(Debug, Error)]
pub(super) enum ApiError {
    #[error(transparent)]
    Control(#[from] ControlError),
    /// A constraint of the model is violated. AWS answers `ValidationException` then, although the model does not list it:
    /// <https://github.com/hashicorp/terraform-provider-aws/pull/18667> has that for a name of more than 32 characters.
    /// Whether it does so for a missing member too is unproven.
    #[error("{0}")]
    Invalid(Violations),
    /// The body is not JSON, or a value has the wrong type.
    #[error("{0}")]
    Unreadable(String),
    #[error("the request is larger than this operation takes, or ended early")]
    TooLarge,
    /// AWS answers 404 and a body that is `<UnknownOperationException/>` and no more, whatever the protocol:
    /// <https://github.com/soto-project/soto/issues/580>. The name is the same here, and the message says what is unknown.
    #[error("X-Ray has no operation {0}")]
    UnknownOperation(String),
    #[error(transparent)]
    Store(#[from] StoreError),
}

impl ApiError {
    pub(super) fn invalid(message: impl Into<String>) -> Self {
        ControlError::invalid(message).into()
    }

    fn code(&self) -> (StatusCode, &'static str) {
        let code = match self {
            Self::Control(error) => match error {
                ControlError::InvalidRequest(_) => "InvalidRequestException",
                ControlError::RuleLimitExceeded { .. } => "RuleLimitExceededException",
                ControlError::ResourceNotFound { .. } => {
                    return (StatusCode::NOT_FOUND, "ResourceNotFoundException");
                }
                ControlError::TooManyTags { .. } => "TooManyTagsException",
                ControlError::MalformedPolicyDocument(_) => "MalformedPolicyDocumentException",
                ControlError::PolicySizeLimitExceeded { .. } => "PolicySizeLimitExceededException",
                ControlError::PolicyCountLimitExceeded { .. } => "PolicyCountLimitExceededException",
                ControlError::InvalidPolicyRevisionId(_) => "InvalidPolicyRevisionIdException",
            },
            Self::Invalid(_) => "ValidationException",
            Self::Unreadable(_) => "SerializationException",
            Self::TooLarge => return (StatusCode::PAYLOAD_TOO_LARGE, "RequestEntityTooLarge"),
            Self::UnknownOperation(_) => return (StatusCode::NOT_FOUND, "UnknownOperationException"),
            Self::Store(_) => return (StatusCode::INTERNAL_SERVER_ERROR, "InternalFailure"),
        };
        (StatusCode::BAD_REQUEST, code)
    }

    fn resource(&self) -> Option<&str> {
        match self {
            Self::Control(
                ControlError::ResourceNotFound { resource, .. } | ControlError::TooManyTags { resource, .. },
            ) => Some(resource),
            _ => None,
        }
    }
}

impl From<Refusal> for ApiError {
    fn from(refusal: Refusal) -> Self {
        match refusal {
            Refusal::Invalid(violations) => Self::Invalid(violations),
            refusal @ Refusal::Mistyped { .. } => Self::Unreadable(refusal.to_string()),
        }
    }
}

impl From<serde_json::Error> for ApiError {
    fn from(error: serde_json::Error) -> Self {
        if error.line() == 0 {
            // Not from a text but from a value, which the model accepts and which is out of its type's range.
            return Self::Unreadable(error.to_string());
        }
        Self::Unreadable(unreadable(&error))
    }
}

impl IntoResponse for ApiError {
    fn into_response(self) -> Response {
        if let Self::Store(error) = &self {
            return internal(error);
        }
        let (status, code) = self.code();
        let mut body = json!({"Message": self.to_string()});
        if let Some(resource) = self.resource() {
            body["ResourceName"] = Value::from(resource);
        }
        refuse(status, code, body)
    }
}
