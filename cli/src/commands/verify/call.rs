//! Why a call of AWS failed, in one line.

use anyhow::anyhow;
use aws_sdk_sqs::config::http::HttpResponse;
use aws_sdk_sqs::error::{ProvideErrorMetadata, SdkError};

/// Names the operation, and what AWS, or the way there, said.
pub(super) fn failed<E>(operation: &str, error: SdkError<E, HttpResponse>) -> anyhow::Error
where
    E: std::error::Error + ProvideErrorMetadata + Send + Sync + 'static,
{
    let SdkError::ServiceError(answer) = &error else {
        return anyhow::Error::new(error).context(format!("{operation} failed"));
    };
    let said = match (answer.err().code(), answer.err().message()) {
        (Some(code), Some(message)) => format!("{code}: {message}"),
        (Some(code), None) => code.to_owned(),
        // An emulator that does not know the service answers anything.
        (None, _) => format!("HTTP status {} and no reason", answer.raw().status().as_u16()),
    };
    anyhow!("{operation} failed: {said}")
}
