//! How a process ends.

use std::error::Error;
use std::process::ExitCode;

use thiserror::Error as ThisError;

use crate::environment::SettingsError;

/// Any error a service can end with.
pub type BoxError = Box<dyn Error + Send + Sync>;

/// The end of a process, by the conventions of `sysexits.h`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Exit {
    /// Success.
    Clean = 0,
    /// A setting is missing or wrong.
    Settings = 64,
    /// A dependency could not be reached at startup.
    Unavailable = 69,
    /// Failed, or did not drain in time.
    Failure = 70,
}

impl Exit {
    /// Returns the exit that a service's error, or one of its causes, stands for.
    pub(crate) fn of(error: &(dyn Error + 'static)) -> Self {
        let mut cause = Some(error);
        while let Some(error) = cause {
            if error.is::<SettingsError>() {
                return Self::Settings;
            }
            if error.is::<Unavailable>() {
                return Self::Unavailable;
            }
            cause = error.source();
        }
        Self::Failure
    }
}

impl From<Exit> for ExitCode {
    fn from(exit: Exit) -> Self {
        Self::from(exit as u8)
    }
}

/// Something the service needs could not be reached at startup. A service that returns it exits with code 69.
#[derive(Debug, ThisError)]
#[error("{dependency} cannot be reached")]
pub struct Unavailable {
    dependency: &'static str,
    source: Box<dyn Error + Send + Sync>,
}

impl Unavailable {
    /// What was needed, and what went wrong.
    pub fn new(dependency: &'static str, source: impl Into<Box<dyn Error + Send + Sync>>) -> Self {
        Self { dependency, source: source.into() }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_error_or_its_cause_decides_the_exit_code() {
        let settings = SettingsError::one("QUEUE_URL", "is required");
        assert_eq!(Exit::of(&settings), Exit::Settings);
        assert_eq!(Exit::of(&Unavailable::new("DynamoDB", "no answer")), Exit::Unavailable);
        assert_eq!(Exit::of(&Unavailable::new("settings", settings)), Exit::Unavailable);
        assert_eq!(Exit::of(&std::io::Error::other("broken")), Exit::Failure);
    }
}
