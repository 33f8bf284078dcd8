//! The errors of SNS, in AWS's words.

use std::fmt::Display;

use http::StatusCode;

use crate::reply::AwsError;

pub(super) fn invalid_parameter(reason: impl Display) -> AwsError {
    AwsError::bad_request("InvalidParameter", format!("Invalid parameter: {reason}"))
}

/// Returns the error for a message attribute or a batch that AWS refuses.
pub(super) fn invalid_value(message: impl Into<String>) -> AwsError {
    AwsError::bad_request("ParameterValueInvalid", message)
}

pub(super) fn no_value(parameter: &str) -> AwsError {
    invalid_parameter(format!("{parameter} Reason: no value for required parameter"))
}

/// Returns the error for what would be within AWS's quotas and exceed this cloud's memory.
pub(super) fn out_of_memory(code: &'static str) -> AwsError {
    AwsError::new(
        StatusCode::FORBIDDEN,
        code,
        "The local cloud has no memory left for topics and subscriptions",
    )
}

pub(super) fn topic_not_found() -> AwsError {
    AwsError::new(StatusCode::NOT_FOUND, "NotFound", "Topic does not exist")
}

pub(super) fn subscription_not_found() -> AwsError {
    AwsError::new(StatusCode::NOT_FOUND, "NotFound", "Subscription does not exist")
}

/// Returns the error for what AWS offers and the local cloud does not.
pub(super) fn unsupported(parameter: &str, what: impl Display) -> AwsError {
    tracing::warn!(parameter, %what, "not supported by the local cloud's SNS");
    invalid_parameter(format!("{parameter} Reason: the local cloud does not support {what}"))
}

/// The request in which an attribute was given; AWS's messages about it begin differently.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Given {
    /// `CreateTopic` or `Subscribe`, with other attributes.
    OnCreation,
    /// `SetTopicAttributes` or `SetSubscriptionAttributes`, alone.
    Alone,
}

impl Given {
    pub(super) fn invalid(self, reason: impl Display) -> AwsError {
        match self {
            Self::OnCreation => invalid_parameter(format!("Attributes Reason: {reason}")),
            Self::Alone => invalid_parameter(reason),
        }
    }
}
