//! What can go wrong, naming the call and the resource.

use std::collections::BTreeMap;
use std::error::Error;

use thiserror::Error as ThisError;

/// A resource that could not be created or brought to its declared state.
#[derive(Debug, ThisError)]
#[non_exhaustive]
pub enum ProvisionError {
    /// An AWS call failed.
    #[error("{operation} failed for {resource}: {cause}")]
    Call {
        /// The operation, as AWS names it.
        operation: &'static str,
        /// Physical name of the resource.
        resource: String,
        /// The error of AWS or of the connection.
        cause: String,
    },
    /// AWS's answer lacks something its documentation promises.
    #[error("{operation} answered for {resource} without {missing}")]
    Answer {
        /// The operation, as AWS names it.
        operation: &'static str,
        /// Physical name of the resource.
        resource: String,
        /// What was missing.
        missing: &'static str,
    },
    /// A resource to locate does not exist.
    #[error("{kind} {resource} is not there")]
    Absent {
        /// The kind of resource: `queue`, `table` and so on.
        kind: &'static str,
        /// Physical name of the resource.
        resource: String,
    },
    /// The resources refer to one that is not among them.
    #[error("resource {0} is referred to but not declared")]
    Undeclared(String),
    /// A table or Pipe did not become usable in time.
    #[error("{resource} is not usable yet: it is {state}")]
    NotReady {
        /// Physical name of the resource.
        resource: String,
        /// The state it is in.
        state: String,
    },
}

pub(crate) fn call(operation: &'static str, resource: &str, error: impl Error) -> ProvisionError {
    // An SDK error's own message names only its kind; AWS's message is in its sources.
    let mut cause = error.to_string();
    let mut source = error.source();
    while let Some(error) = source {
        cause = format!("{cause}: {error}");
        source = error.source();
    }
    ProvisionError::Call { operation, resource: resource.to_owned(), cause }
}

pub(crate) fn absent(kind: &'static str, resource: &str) -> ProvisionError {
    ProvisionError::Absent { kind, resource: resource.to_owned() }
}

pub(crate) fn missing(operation: &'static str, resource: &str, missing: &'static str) -> ProvisionError {
    ProvisionError::Answer { operation, resource: resource.to_owned(), missing }
}

pub(crate) fn known<'a>(map: &'a BTreeMap<String, String>, name: &str) -> Result<&'a str, ProvisionError> {
    map.get(name).map(String::as_str).ok_or_else(|| ProvisionError::Undeclared(name.to_owned()))
}
