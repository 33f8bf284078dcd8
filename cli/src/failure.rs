//! How a command fails: a message for people and an exit code for scripts.

use std::fmt;

/// The command line or a setting is invalid (`EX_USAGE` of sysexits.h).
pub(crate) const USAGE: u8 = 64;
/// A dependency cannot be reached or did not become ready (`EX_UNAVAILABLE`).
pub(crate) const UNAVAILABLE: u8 = 69;
/// Anything else (`EX_SOFTWARE`).
pub(crate) const INTERNAL: u8 = 70;
/// The command worked, but the request was refused or nothing was found.
pub(crate) const REFUSED: u8 = 1;

/// An error that decides the exit code. [`code_of`] finds it anywhere in the chain of an [`anyhow::Error`].
#[derive(Debug)]
pub(crate) struct Failure {
    code: u8,
    message: String,
}

impl Failure {
    /// Creates a usage error: exit code 64.
    pub(crate) fn usage(message: impl Into<String>) -> Self {
        Self { code: USAGE, message: message.into() }
    }

    /// Reports an unavailable dependency: exit code 69. The message names the address and what to do.
    pub(crate) fn unavailable(message: impl Into<String>) -> Self {
        Self { code: UNAVAILABLE, message: message.into() }
    }

    /// Reports a negative result that scripts tell from others by its exit code. The command documents the code.
    #[cfg(feature = "local")]
    pub(crate) fn negative(code: u8, message: impl Into<String>) -> Self {
        Self { code, message: message.into() }
    }

    /// Reports a negative result: exit code 1.
    pub(crate) fn refused(message: impl Into<String>) -> Self {
        Self { code: REFUSED, message: message.into() }
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)
    }
}

impl std::error::Error for Failure {}

/// Returns the exit code for an error: that of the outermost [`Failure`] in its chain, else [`INTERNAL`].
pub(crate) fn code_of(error: &anyhow::Error) -> u8 {
    error.downcast_ref::<Failure>().map_or_else(
        || {
            error
                .chain()
                .find_map(|cause| cause.downcast_ref::<Failure>())
                .map_or(INTERNAL, |failure| failure.code)
        },
        |failure| failure.code,
    )
}

#[cfg(test)]
mod tests {
    use anyhow::Context as _;

    use super::*;

    #[test]
    fn the_code_is_found_under_context_and_as_context() {
        let wrapped = Err::<(), _>(Failure::usage("bad flag")).context("starting").unwrap_err();
        assert_eq!(code_of(&wrapped), USAGE);
        let as_context = std::io::Error::other("refused");
        let as_context = anyhow::Error::new(as_context).context(Failure::unavailable("nothing there"));
        assert_eq!(code_of(&as_context), UNAVAILABLE);
        assert_eq!(code_of(&anyhow::anyhow!("broken")), INTERNAL);
    }
}
