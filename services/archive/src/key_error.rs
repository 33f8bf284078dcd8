//! Why there is no data key.

use aws_clients::{AwsError, service};
use sqs_consumer::Failure;
use thiserror::Error;

use crate::data_key::CipherError;

/// Why there is no key. Says nothing of the key itself.
#[derive(Debug, Error)]
pub enum KeyError {
    /// DynamoDB or KMS did not answer, or refused.
    #[error(transparent)]
    Aws(#[from] AwsError),
    /// The customer's item is not what this service writes, or its key has the wrong length.
    #[error("the item of the data key cannot be read")]
    Unreadable,
    /// The branch key was not found in the time of one call.
    #[error("the branch key was not found in time")]
    TooLate,
    /// Others made and removed the customer's key all the time.
    #[error("the data key was changed again and again while it was looked for")]
    Contended,
}

impl From<CipherError> for KeyError {
    fn from(_: CipherError) -> Self {
        Self::Unreadable
    }
}

impl From<KeyError> for Failure {
    fn from(error: KeyError) -> Self {
        match error {
            KeyError::Aws(error) => error.into(),
            KeyError::Unreadable => Self::permanent("data-key-unreadable").because(error),
            KeyError::TooLate => Self::transient("branch-key-too-late").on(service::KMS).because(error),
            KeyError::Contended => Self::transient("contention").on(service::DYNAMODB).because(error),
        }
    }
}
