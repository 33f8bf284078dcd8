//! Why rendering fails.

use thiserror::Error;

/// Why a topology cannot be rendered.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum RenderError {
    /// The resources were computed for a single environment.
    #[error("resources were computed for environment {0} rather than for the stack parameter")]
    Environment(String),
    /// A service owns a table or a bucket but declares no access to it, so there is nothing to grant.
    #[error("{service} owns {resource} but declares no access to it: add .access([…])")]
    NoAccess {
        /// The owner.
        service: String,
        /// Physical name of the table or bucket.
        resource: String,
    },
    /// A service's name leads to a resource name longer than AWS allows.
    #[error("name {name} can become longer than {limit} characters")]
    NameTooLong {
        /// The name, with the parameter in it.
        name: String,
        /// The limit of AWS, in characters.
        limit: usize,
    },
    /// A queue is referenced but not declared.
    #[error("resource {0} is referenced but not declared")]
    Undeclared(String),
    /// A template cannot be written.
    #[error("a template cannot be written: {0}")]
    Write(String),
}
