//! What `foostore up` tells other commands about each of its services, and what they ask of it: files in the directory
//! of the run, which need no open port.

use std::io;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

/// The name of `up` itself among its services.
pub(crate) const UP: &str = "foostore";

/// The state of a service.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct ServiceState {
    /// The current process; none between two runs.
    pub(crate) pid: Option<u32>,
    /// When it was started.
    pub(crate) since: Option<jiff::Timestamp>,
    /// The number of starts.
    pub(crate) starts: u32,
    /// How the previous run ended, unless it was asked to.
    pub(crate) ended: Option<String>,
}

impl ServiceState {
    /// Replaces the state of `service` in the directory of its run. A reader sees the old state or the new one.
    ///
    /// # Errors
    /// When the file cannot be written.
    pub(crate) fn write(&self, directory: &Path, service: &str) -> io::Result<()> {
        let written = directory.join(format!("{service}-state.new"));
        std::fs::write(&written, serde_json::to_vec(self)?)?;
        std::fs::rename(written, state_file(directory, service))
    }

    /// Returns the state of `service`, if it has been started.
    pub(crate) fn read(directory: &Path, service: &str) -> Option<Self> {
        serde_json::from_slice(&std::fs::read(state_file(directory, service)).ok()?).ok()
    }
}

/// Asks for a restart of `service`.
///
/// # Errors
/// When the request cannot be written.
pub(crate) fn request_restart(directory: &Path, service: &str) -> io::Result<()> {
    std::fs::write(request_file(directory, service), "")
}

/// Returns whether a restart of `service` was requested since the last call.
pub(crate) fn take_restart_request(directory: &Path, service: &str) -> bool {
    std::fs::remove_file(request_file(directory, service)).is_ok()
}

/// Returns the file to which `service` writes its addresses.
pub(crate) fn addresses_file(directory: &Path, service: &str) -> PathBuf {
    directory.join(format!("{service}-addresses"))
}

fn state_file(directory: &Path, service: &str) -> PathBuf {
    directory.join(format!("{service}-state"))
}

fn request_file(directory: &Path, service: &str) -> PathBuf {
    directory.join(format!("{service}-restart"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_state_is_read_as_it_was_written() {
        let directory = tempfile::tempdir().unwrap();
        assert_eq!(ServiceState::read(directory.path(), "email"), None);
        let state = ServiceState {
            pid: Some(7),
            since: Some("2026-11-26T15:00:00Z".parse().unwrap()),
            starts: 2,
            ended: Some("signal SIGKILL".to_owned()),
        };
        ServiceState::default().write(directory.path(), "email").unwrap();
        state.write(directory.path(), "email").unwrap();
        assert_eq!(ServiceState::read(directory.path(), "email"), Some(state));
    }

    #[test]
    fn a_request_is_taken_once() {
        let directory = tempfile::tempdir().unwrap();
        assert!(!take_restart_request(directory.path(), "email"));
        request_restart(directory.path(), "email").unwrap();
        assert!(!take_restart_request(directory.path(), "ingest"));
        assert!(take_restart_request(directory.path(), "email"));
        assert!(!take_restart_request(directory.path(), "email"));
    }
}
