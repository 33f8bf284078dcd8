//! The errors of AWS's services.

use std::borrow::Cow;

use http::StatusCode;
use serde_json::{Map, Value};

/// An AWS error: a code for clients to match on, and a sentence for people.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct AwsError {
    pub(crate) status: StatusCode,
    pub(crate) code: Cow<'static, str>,
    /// The code for clients of the query protocol where the model does not name it. SDKs of query-compatible services show
    /// this one.
    pub(crate) query_code: Option<Cow<'static, str>>,
    pub(crate) message: String,
    /// Further members of the error in JSON protocols, such as `CancellationReasons`.
    pub(crate) members: Map<String, Value>,
}

impl AwsError {
    pub(crate) fn new(
        status: StatusCode,
        code: impl Into<Cow<'static, str>>,
        message: impl Into<String>,
    ) -> Self {
        Self { status, code: code.into(), query_code: None, message: message.into(), members: Map::new() }
    }

    pub(crate) fn with_query_code(self, query_code: impl Into<Cow<'static, str>>) -> Self {
        Self { query_code: Some(query_code.into()), ..self }
    }

    /// Returns the code that an SDK shows for this error.
    pub(crate) fn shown_code(&self) -> &str {
        self.query_code.as_deref().unwrap_or(&self.code)
    }

    pub(crate) fn bad_request(code: &'static str, message: impl Into<String>) -> Self {
        Self::new(StatusCode::BAD_REQUEST, code, message)
    }

    /// Returns the error for an input that does not fit the operation. It does not repeat any value.
    pub(crate) fn malformed(error: &serde_json::Error) -> Self {
        Self::bad_request(
            "SerializationException",
            format!(
                "The request is not of the operation's shape (line {}, column {})",
                error.line(),
                error.column()
            ),
        )
    }
}
