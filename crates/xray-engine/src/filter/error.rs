//! Why an expression was refused.

use std::fmt;

use thiserror::Error;

/// Why a filter expression was refused, and where. Positions count characters from 1.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[error("{kind} at position {position}{}", Suggested(suggestion.as_deref()))]
pub struct FilterError {
    /// Where.
    pub position: usize,
    /// What is wrong there.
    pub kind: Problem,
    /// What was probably meant.
    pub suggestion: Option<String>,
}

/// What is wrong with a filter expression.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum Problem {
    /// Something else must stand here.
    #[error("expected {expected}, found {found}")]
    Expected {
        /// What is expected.
        expected: String,
        /// What is there.
        found: String,
    },
    /// The language has no such keyword.
    #[error("unknown keyword {0}")]
    UnknownKeyword(String),
    /// The keyword exists, but says nothing about what is filtered here.
    #[error("{keyword} does not apply to {scope}")]
    OutOfScope {
        /// The keyword.
        keyword: &'static str,
        /// What is filtered.
        scope: &'static str,
    },
    /// A string, a bracket or a JSON document has no end.
    #[error("{0} is not terminated")]
    Unterminated(&'static str),
    /// The JSON of a root cause is not one.
    #[error("the root cause is not valid: {0}")]
    RootCause(String),
    /// The expression is longer than any sensible one.
    #[error("the expression is longer than {0} characters")]
    TooLong(usize),
    /// The expression nests deeper than any sensible one.
    #[error("the expression nests deeper than {0} levels")]
    TooDeep(usize),
}

impl FilterError {
    pub(super) fn new(position: usize, kind: Problem) -> Self {
        Self { position, kind, suggestion: None }
    }

    pub(super) fn suggesting(self, suggestion: Option<String>) -> Self {
        Self { suggestion, ..self }
    }
}

/// The end of a message.
struct Suggested<'a>(Option<&'a str>);

impl fmt::Display for Suggested<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.map_or(Ok(()), |suggestion| write!(f, "; did you mean {suggestion}?"))
    }
}
