//! Why rendering fails.

use thiserror::Error;

/// Why a topology cannot be rendered.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum RenderError {
    /// The resources were computed for a certain environment.
    #[error("resources are for environment {0}, not for every one")]
    Environment(String),
    /// A service owns a table and does not say what it does with it, so nothing could be granted.
    #[error(
        "{service} owns table {table} but does not say what it does with it: add .access([…]) to the table"
    )]
    NoAccess {
        /// The owner.
        service: String,
        /// Physical name of the table.
        table: String,
    },
    /// A service's name makes a name longer than AWS allows.
    #[error("name {name} can become longer than {limit} characters")]
    NameTooLong {
        /// The name, with the parameter in it.
        name: String,
        /// What AWS allows, in characters.
        limit: usize,
    },
    /// A queue is referred to and not declared.
    #[error("resource {0} is referred to but not declared")]
    Undeclared(String),
    /// A template cannot be written.
    #[error("a template cannot be written: {0}")]
    Write(String),
}
