//! The bytes of objects: in files while the process runs, or in memory where no file can be written. Without a data directory
//! small ones are in memory too, as far as there is room. What they may take is limited.

use std::io;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};

use bytes::Bytes;
use http::StatusCode;
use tempfile::TempDir;

use super::refusal::refused;
use crate::budget::{Budget, Share};
use crate::error::AwsError;
use crate::settings::Settings;

/// The code of the error that there is no room.
const FULL: &str = "ServiceUnavailable";
/// The largest object that need not be in a file: writing one costs more than all else about the request.
const SMALL_BYTES: usize = 64 * 1024;
/// What the small objects in memory may take together.
const SMALL_BYTES_TOGETHER: usize = 8 * 1024 * 1024;
/// What the files may take together.
const DISK_BYTES: usize = 4 * 1024 * 1024 * 1024;

#[derive(Debug)]
pub(super) struct Bodies {
    memory: Budget,
    small: Budget,
    disk: Budget,
    directory: Option<Directory>,
    next: AtomicU64,
}

/// Where the files are.
#[derive(Debug)]
enum Directory {
    Given(PathBuf),
    Temporary(TempDir),
}

/// The bytes of an object; they are released when this is dropped.
#[derive(Debug)]
pub(super) struct Body {
    content: Content,
    _shares: [Share; 2],
}

#[derive(Debug)]
enum Content {
    Memory(Bytes),
    File(TemporaryFile),
}

#[derive(Debug)]
struct TemporaryFile(PathBuf);

impl Drop for TemporaryFile {
    fn drop(&mut self) {
        if let Err(error) = std::fs::remove_file(&self.0) {
            tracing::debug!(file = %self.0.display(), %error, "the file of an object was not removed");
        }
    }
}

impl Bodies {
    pub(super) fn new(settings: &Settings) -> Self {
        let directory = match settings.data_dir.as_deref() {
            Some(directory) => Some(Directory::given(directory.join("objects"))),
            None => Directory::temporary(),
        };
        let (memory, disk) = (Budget::new(settings.object_bytes()), Budget::new(DISK_BYTES));
        let small = Budget::new(SMALL_BYTES_TOGETHER);
        Self { memory, small, disk, directory, next: AtomicU64::new(0) }
    }

    /// Takes memory for what is kept besides bytes of objects.
    pub(super) fn take(&self, bytes: usize) -> Result<Share, AwsError> {
        self.memory.take(bytes).ok_or_else(full)
    }

    /// Keeps the bytes of an object, whose other properties take `others` bytes of memory.
    pub(super) async fn keep(&self, bytes: Bytes, others: usize) -> Result<Body, AwsError> {
        let Some(directory) = &self.directory else {
            // A slice of a request would hold all of it.
            let shares = [self.take(bytes.len())?, self.take(others)?];
            return Ok(Body { content: Content::Memory(Bytes::copy_from_slice(&bytes)), _shares: shares });
        };
        if bytes.len() <= SMALL_BYTES
            && matches!(directory, Directory::Temporary(_))
            && let Some(share) = self.small.take(bytes.len())
        {
            let shares = [share, self.take(others)?];
            return Ok(Body { content: Content::Memory(Bytes::copy_from_slice(&bytes)), _shares: shares });
        }
        let shares = [self.disk.take(bytes.len()).ok_or_else(full)?, self.take(others)?];
        let number = self.next.fetch_add(1, Ordering::Relaxed);
        let file = write(directory.path(), number, &bytes).await.map_err(|error| failed(&error))?;
        Ok(Body { content: Content::File(file), _shares: shares })
    }
}

impl Directory {
    /// Removes the files of an earlier run, whose buckets are gone.
    fn given(directory: PathBuf) -> Self {
        if let Err(error) = std::fs::remove_dir_all(&directory)
            && error.kind() != io::ErrorKind::NotFound
        {
            tracing::warn!(directory = %directory.display(), %error, "objects of an earlier run were not removed");
        }
        Self::Given(directory)
    }

    fn temporary() -> Option<Self> {
        match tempfile::Builder::new().prefix("foostore-objects-").tempdir() {
            Ok(directory) => Some(Self::Temporary(directory)),
            Err(error) => {
                tracing::info!(%error, "no temporary directory: objects are kept in memory");
                None
            }
        }
    }

    fn path(&self) -> &Path {
        match self {
            Self::Given(directory) => directory,
            Self::Temporary(directory) => directory.path(),
        }
    }
}

impl Body {
    pub(super) async fn read(&self) -> Result<Bytes, AwsError> {
        match &self.content {
            Content::Memory(bytes) => Ok(bytes.clone()),
            Content::File(TemporaryFile(path)) => {
                tokio::fs::read(path).await.map(Bytes::from).map_err(|error| failed(&error))
            }
        }
    }
}

async fn write(directory: &Path, number: u64, bytes: &Bytes) -> io::Result<TemporaryFile> {
    tokio::fs::create_dir_all(directory).await?;
    let file = TemporaryFile(directory.join(number.to_string()));
    tokio::fs::write(&file.0, bytes).await?;
    Ok(file)
}

/// Whether there is no room, rather than a file that cannot be written.
pub(super) fn is_full(error: &AwsError) -> bool {
    error.code == FULL
}

fn full() -> AwsError {
    let message = "The local cloud has no room for this: delete objects, or give it more memory";
    refused(StatusCode::SERVICE_UNAVAILABLE, FULL, message)
}

fn failed(error: &io::Error) -> AwsError {
    tracing::error!(%error, "an object could not be kept or read");
    refused(
        StatusCode::INTERNAL_SERVER_ERROR,
        "InternalError",
        "We encountered an internal error. Please try again.",
    )
}
