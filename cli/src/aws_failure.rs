//! Describes a failed AWS call in one line.

use anyhow::anyhow;
use aws_sdk_sqs::config::http::HttpResponse;
use aws_sdk_sqs::error::{ProvideErrorMetadata, SdkError};

/// Returns an error with the operation and the reason that AWS or the connection reported.
pub(crate) fn failed<E>(operation: &str, error: SdkError<E, HttpResponse>) -> anyhow::Error
where
    E: std::error::Error + ProvideErrorMetadata + Send + Sync + 'static,
{
    let SdkError::ServiceError(answer) = &error else {
        return anyhow::Error::new(error).context(format!("{operation} failed"));
    };
    let said = match (answer.err().code(), answer.err().message()) {
        (Some(code), Some(message)) => format!("{code}: {message}"),
        (Some(code), None) => code.to_owned(),
        // An emulator that does not know the service may answer anything.
        (None, _) => format!("HTTP status {} without a reason", answer.raw().status().as_u16()),
    };
    anyhow!("{operation} failed: {said}")
}
