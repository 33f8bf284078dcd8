//! Why the store failed.

use std::io;
use std::path::PathBuf;

/// What was kept cannot be read, or what arrived cannot be kept.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// The directory cannot be created.
    #[error("the directory {directory} of the traces cannot be used")]
    Directory {
        /// The directory.
        directory: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// The database refused: the disk is full, say, or the file belongs to somebody else.
    #[error("the database of traces failed")]
    Database(#[from] rusqlite::Error),
    /// The index of a block of traces cannot be read.
    #[error(
        "the index of the traces from number {0} on is damaged; remove the directory to start without traces"
    )]
    Damaged(u64),
}
