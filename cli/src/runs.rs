//! The runs of `foostore up`: each has a directory with its log files and a file with its addresses.
//!
//! The file is locked for as long as the run lasts, whatever ends it, so a stale one is recognised.

use std::fs::{File, TryLockError};
use std::io::{self, Read as _};
use std::path::{Path, PathBuf};

use serde_json::Value;

/// Where the directories of the runs are.
pub(crate) const DIRECTORY: &str = ".foostore/logs";
/// The addresses of a run, once it is ready.
const FILE: &str = "run.json";
/// The number of directories kept, besides those of active runs.
#[cfg(feature = "local")]
const KEPT: usize = 5;

/// The directory of this process's run.
#[cfg(feature = "local")]
#[derive(Debug)]
pub(crate) struct Run {
    directory: PathBuf,
    file: File,
}

#[cfg(feature = "local")]
impl Run {
    /// Creates a directory below `parent` and deletes the oldest of earlier runs.
    ///
    /// # Errors
    /// When a directory or file cannot be created.
    pub(crate) fn start(parent: &Path) -> io::Result<Self> {
        std::fs::create_dir_all(parent)?;
        let mut earlier = directories(parent)?;
        earlier.retain(|directory| !is_running(directory));
        let surplus = (earlier.len() + 1).saturating_sub(KEPT);
        for directory in &earlier[..surplus] {
            std::fs::remove_dir_all(directory)?;
        }
        let now = jiff::Timestamp::now().strftime("%Y%m%dT%H%M%S%.6f");
        let directory = parent.canonicalize()?.join(format!("run-{now}-{}", std::process::id()));
        std::fs::create_dir(&directory)?;
        let file = File::create(directory.join(FILE))?;
        file.lock()?;
        Ok(Self { directory, file })
    }

    /// Returns the absolute path of the directory.
    pub(crate) fn directory(&self) -> &Path {
        &self.directory
    }

    /// Publishes the addresses of the run to other commands.
    ///
    /// # Errors
    /// When the file cannot be written.
    pub(crate) fn ready(&self, addresses: &Value) -> io::Result<()> {
        crate::stdio::write(&self.file, &addresses.to_string())
    }
}

/// A run that is ready.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Running {
    pub(crate) directory: PathBuf,
    /// The address of all AWS APIs that the services call.
    pub(crate) endpoint: String,
    /// The address of X-Ray's API.
    pub(crate) xray: String,
    /// The address of ingest.
    pub(crate) ingest: String,
    /// The names of its services.
    pub(crate) services: Vec<String>,
}

/// Returns the runs below `parent` that are ready, oldest first.
pub(crate) fn running(parent: &Path) -> Vec<Running> {
    active(parent).into_iter().filter_map(read).collect()
}

/// Returns the directories of the runs below `parent` that have not ended, ready or not, oldest first.
pub(crate) fn active(parent: &Path) -> Vec<PathBuf> {
    let directories = directories(parent).unwrap_or_default();
    directories.into_iter().filter(|directory| is_running(directory)).collect()
}

/// Returns the directory of the newest run below `parent`, if there is one.
///
/// # Errors
/// When the directory cannot be read.
pub(crate) fn newest(parent: &Path) -> io::Result<Option<PathBuf>> {
    Ok(directories(parent)?.pop())
}

/// Returns the directories of runs, oldest first.
fn directories(parent: &Path) -> io::Result<Vec<PathBuf>> {
    let mut directories = Vec::new();
    for entry in std::fs::read_dir(parent)? {
        let path = entry?.path();
        if path.join(FILE).is_file() {
            directories.push(path);
        }
    }
    directories.sort_unstable();
    Ok(directories)
}

/// Whether the run of this directory has not ended.
pub(crate) fn is_running(directory: &Path) -> bool {
    File::open(directory.join(FILE))
        .is_ok_and(|file| matches!(file.try_lock_shared(), Err(TryLockError::WouldBlock)))
}

/// Returns the run of a directory, if it is ready.
pub(crate) fn read(directory: PathBuf) -> Option<Running> {
    let mut text = String::new();
    File::open(directory.join(FILE)).ok()?.read_to_string(&mut text).ok()?;
    let addresses: Value = serde_json::from_str(&text).ok()?;
    let address = |name: &str| Some(addresses.get(name)?.as_str()?.to_owned());
    let services = addresses.get("services").and_then(Value::as_object);
    Some(Running {
        services: services.into_iter().flatten().map(|(name, _)| name.clone()).collect(),
        endpoint: address("endpoint")?,
        xray: address("xray")?,
        ingest: address("ingest")?,
        directory,
    })
}

#[cfg(all(test, feature = "local"))]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_run_is_found_while_it_lasts_and_its_directory_afterwards() {
        let parent = tempfile::tempdir().unwrap();
        let start = || Run::start(parent.path()).unwrap();
        let first = start();
        assert_eq!(running(parent.path()), [], "not ready yet");
        first
            .ready(&json!({"endpoint": "http://a", "xray": "http://b", "ingest": "http://c", "services": {"email": {}}, "more": 1}))
            .unwrap();
        let second = start();
        let found = running(parent.path());
        let [run] = &found[..] else { panic!("{found:?}") };
        assert_eq!((&*run.endpoint, &*run.xray, &*run.ingest), ("http://a", "http://b", "http://c"));
        assert_eq!(run.services, ["email"]);
        assert_eq!(run.directory.canonicalize().unwrap(), first.directory());

        drop(first);
        assert_eq!(running(parent.path()), []);
        assert_eq!(newest(parent.path()).unwrap().unwrap().canonicalize().unwrap(), second.directory());
    }

    #[test]
    fn old_directories_are_deleted_but_not_those_of_runs_that_last() {
        let parent = tempfile::tempdir().unwrap();
        let lasting = Run::start(parent.path()).unwrap();
        std::fs::write(lasting.directory().join("email.jsonl"), "{}\n").unwrap();
        for _ in 0..9 {
            drop(Run::start(parent.path()).unwrap());
        }
        assert_eq!(directories(parent.path()).unwrap().len(), KEPT + 1);
        assert!(lasting.directory().join("email.jsonl").exists());
    }
}
