//! The wrong fields found so far.

use crate::problem::FieldError;

/// How many wrong fields of one event are named; further ones are counted.
const MAX_NAMED: usize = 50;

/// The wrong fields found so far.
#[derive(Debug, Default)]
pub(crate) struct Errors {
    pub(crate) named: Vec<FieldError>,
    pub(crate) left_out: usize,
}

impl Errors {
    pub(crate) fn add(&mut self, pointer: &str, code: &'static str, detail: impl Into<String>) {
        if self.named.len() < MAX_NAMED {
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
