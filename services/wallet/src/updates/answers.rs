//! Answers without content, and why a request is refused.

use axum::response::{IntoResponse, Response};
use http::header::{RETRY_AFTER, WWW_AUTHENTICATE};
use http::{HeaderValue, StatusCode};

use crate::passes::PassesError;
use crate::registrations::RegistrationError;

/// Why a request is refused. A phone looks at the status alone.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Refusal {
    /// The token is not that of the pass.
    Unauthorized,
    /// There is no such pass, or type of passes.
    NotFound,
    /// The body or the path says nothing that makes sense.
    Malformed,
    /// The body is too long.
    TooLarge,
    /// The pass has too many phones, or the phone too many passes.
    TooMany,
    /// Too many requests at the same time.
    Overloaded,
    /// The request was not answered in time.
    Timeout,
    /// What is needed does not answer.
    Unavailable,
}

impl Refusal {
    pub(super) fn status(self) -> StatusCode {
        match self {
            Self::Unauthorized => StatusCode::UNAUTHORIZED,
            Self::NotFound => StatusCode::NOT_FOUND,
            Self::Malformed => StatusCode::BAD_REQUEST,
            Self::TooLarge => StatusCode::PAYLOAD_TOO_LARGE,
            Self::TooMany => StatusCode::CONFLICT,
            Self::Overloaded | Self::Timeout | Self::Unavailable => StatusCode::SERVICE_UNAVAILABLE,
        }
    }

    /// Returns the word for log lines and spans.
    pub(super) fn reason(self) -> &'static str {
        match self {
            Self::Unauthorized => "unauthorized",
            Self::NotFound => "not-found",
            Self::Malformed => "malformed",
            Self::TooLarge => "too-large",
            Self::TooMany => "too-many",
            Self::Overloaded => "overloaded",
            Self::Timeout => "timeout",
            Self::Unavailable => "unavailable",
        }
    }
}

impl IntoResponse for Refusal {
    fn into_response(self) -> Response {
        let mut response = self.status().into_response();
        let headers = response.headers_mut();
        match self {
            Self::Unauthorized => {
                headers.insert(WWW_AUTHENTICATE, HeaderValue::from_static("ApplePass"));
            }
            Self::Overloaded | Self::Timeout | Self::Unavailable => {
                headers.insert(RETRY_AFTER, HeaderValue::from_static("5"));
            }
            Self::NotFound | Self::Malformed | Self::TooLarge | Self::TooMany => {}
        }
        response.extensions_mut().insert(self);
        response
    }
}

impl From<PassesError> for Refusal {
    fn from(error: PassesError) -> Self {
        unavailable(&error)
    }
}

impl From<RegistrationError> for Refusal {
    fn from(error: RegistrationError) -> Self {
        unavailable(&error)
    }
}

fn unavailable(error: &(dyn std::error::Error + 'static)) -> Refusal {
    tracing::error!(error, "request not answered");
    Refusal::Unavailable
}
