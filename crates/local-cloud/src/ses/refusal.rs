//! Why SES refuses a call. Both versions of the API have the same reasons, under different codes.

use http::StatusCode;

use crate::reply::AwsError;

#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Refusal {
    /// A parameter is not valid.
    Invalid(String),
    /// Senders that no identity covers.
    NotVerified {
        senders: Vec<String>,
        region: String,
    },
    Paused,
    NoConfigurationSet(String),
    /// Sending with this configuration set is switched off.
    ConfigurationSetPaused(String),
    Unsupported(&'static str),
}

impl Refusal {
    fn message(&self) -> String {
        match self {
            Self::Invalid(reason) => reason.clone(),
            Self::NotVerified { senders, region } => format!(
                "Email address is not verified. The following identities failed the check in region {}: {}",
                region.to_uppercase(),
                senders.join(", ")
            ),
            Self::Paused => {
                "Sending paused for this account. For more information, please check the inbox of the \
                             email address associated with your AWS account."
                    .to_owned()
            }
            Self::NoConfigurationSet(name) => format!("Configuration set <{name}> does not exist."),
            Self::ConfigurationSetPaused(name) => format!("Sending paused for configuration set <{name}>."),
            Self::Unsupported(what) => format!("the local cloud does not support {what}"),
        }
    }

    /// Returns the error of SES v1 (API reference, `SendEmail`).
    pub(super) fn v1(&self) -> AwsError {
        let code = match self {
            Self::Invalid(_) | Self::Unsupported(_) => "InvalidParameterValue",
            Self::NotVerified { .. } => "MessageRejected",
            Self::Paused => "AccountSendingPausedException",
            Self::NoConfigurationSet(_) => "ConfigurationSetDoesNotExist",
            Self::ConfigurationSetPaused(_) => "ConfigurationSetSendingPausedException",
        };
        AwsError::bad_request(code, self.message())
    }

    /// Returns the error of SES v2 (API reference v2, `SendEmail`).
    pub(super) fn v2(&self) -> AwsError {
        let (status, code) = match self {
            Self::Invalid(_) | Self::Unsupported(_) => (StatusCode::BAD_REQUEST, "BadRequestException"),
            Self::NotVerified { .. } => (StatusCode::BAD_REQUEST, "MessageRejected"),
            Self::Paused | Self::ConfigurationSetPaused(_) => {
                (StatusCode::BAD_REQUEST, "SendingPausedException")
            }
            Self::NoConfigurationSet(_) => (StatusCode::NOT_FOUND, "NotFoundException"),
        };
        AwsError::new(status, code, self.message())
    }
}

impl From<&'static str> for Refusal {
    fn from(reason: &'static str) -> Self {
        Self::Invalid(reason.to_owned())
    }
}
