//! The wrong fields found so far.

use crate::limits::MAX_ERRORS;
use crate::problem::FieldError;

/// The wrong fields found so far, as many as an answer names; further ones are counted.
#[derive(Debug, Default, Clone)]
pub(crate) struct Errors {
    pub(crate) named: Vec<FieldError>,
    pub(crate) left_out: usize,
}

impl Errors {
    pub(crate) fn add(&mut self, pointer: &str, code: &'static str, detail: impl Into<String>) {
        if self.named.len() < MAX_ERRORS {
            self.named.push(FieldError { pointer: pointer.to_owned(), detail: detail.into(), code });
        } else {
            self.left_out += 1;
        }
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.named.is_empty()
    }

    /// Checks whether the field at `pointer`, or something inside it, has been found wrong.
    pub(crate) fn concern(&self, pointer: &str) -> bool {
        self.named.iter().any(|error| error.pointer == pointer)
    }
}

/// Escapes a name for a JSON pointer.
pub(crate) fn escaped(name: &str) -> String {
    name.replace('~', "~0").replace('/', "~1")
}
