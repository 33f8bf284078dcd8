//! Documents by trace, and an index of what they say, in a file.
//!
//! A document is one row, written when it arrives. What filters read of its trace is worked out later, when the trace has
//! been quiet for a moment or a query asks, and is kept in blocks of traces with an index of each block's times, marks and
//! strings. A query reads the blocks that its index does not rule out, one at a time, so that it takes little memory and
//! holds up nobody who puts documents.

mod block;
mod codec;
mod database;
mod error;
mod facts;
mod search;
mod upkeep;

#[cfg(test)]
mod tests;

use std::path::Path;
use std::sync::{Arc, Mutex, MutexGuard};

use tempfile::TempDir;
use xray::{Segment, Trace, TraceId};

use self::database::{Candidate, Database, lock};
pub use self::error::StoreError;
pub(crate) use self::search::{Document, Page, Search, StoredTrace, TraceTime};
use self::upkeep::Upkeep;
use crate::facts::Facts;

/// What the traces may take on disk by default, in bytes.
const MAX_BYTES: u64 = 1024 * 1024 * 1024;
/// The same in memory.
const MAX_BYTES_IN_MEMORY: u64 = 96 * 1024 * 1024;
const FILE: &str = "traces.sqlite";

/// Where traces are kept; clones share them. Beyond its limit, the oldest traces are dropped.
///
/// After a crash of the process, what arrived in the last tenths of a second may be missing.
#[derive(Clone, Debug)]
pub struct TraceStore(Arc<Shared>);

#[derive(Debug)]
struct Shared {
    /// Dropped first: it writes what is still to be written.
    _upkeep: Upkeep,
    database: Arc<Mutex<Database>>,
    /// Removed with the store.
    _directory: Option<TempDir>,
}

impl TraceStore {
    /// Opens the traces in a directory, which is created. One process at a time may use it. `max_bytes` is about what
    /// the traces may take there.
    ///
    /// # Errors
    /// When the directory cannot be created, or the database in it not opened.
    pub fn open(directory: &Path, max_bytes: u64) -> Result<Self, StoreError> {
        std::fs::create_dir_all(directory)
            .map_err(|source| StoreError::Directory { directory: directory.to_owned(), source })?;
        let database = Database::open(Some(&directory.join(FILE)), max_bytes)?;
        Ok(Self::with(database, None))
    }

    /// Returns a store whose traces end with it: in a temporary directory or, where none can be created, in memory.
    ///
    /// # Errors
    /// When the database cannot be created.
    pub fn temporary(max_bytes: u64) -> Result<Self, StoreError> {
        match tempfile::Builder::new().prefix("xray-traces-").tempdir() {
            Ok(directory) => {
                let database = Database::open(Some(&directory.path().join(FILE)), max_bytes)?;
                Ok(Self::with(database, Some(directory)))
            }
            Err(error) => {
                tracing::info!(%error, "no temporary directory: traces are kept in memory");
                Ok(Self::with(Database::open(None, max_bytes.min(MAX_BYTES_IN_MEMORY))?, None))
            }
        }
    }

    fn with(database: Database, directory: Option<TempDir>) -> Self {
        let database = Arc::new(Mutex::new(database));
        Self(Arc::new(Shared {
            _upkeep: Upkeep::start(Arc::clone(&database)),
            database,
            _directory: directory,
        }))
    }

    /// Returns the limit that suits a laptop, in bytes.
    #[must_use]
    pub fn default_bytes() -> u64 {
        MAX_BYTES
    }

    /// Adds a document to its trace, or replaces the one with the same id. A document in progress never replaces a
    /// complete one.
    ///
    /// `json` is the text of `segment`, which is kept as it is; `now` is in epoch seconds. Returns the key of an annotation
    /// that X-Ray would not index, if there is one.
    ///
    /// # Errors
    /// When the document cannot be written.
    pub(crate) fn put(
        &self,
        trace_id: TraceId,
        segment: &Segment,
        json: &str,
        now: f64,
    ) -> Result<Option<String>, StoreError> {
        self.database().put(trace_id, segment, json, now)
    }

    /// Returns the documents of a trace in the order in which they arrived, or `None` if the trace is unknown.
    pub(crate) fn documents(&self, id: TraceId) -> Result<Option<Vec<Document>>, StoreError> {
        self.database().documents(id)
    }

    /// Returns what the documents of a trace say, or `None` if the trace is unknown.
    pub(crate) fn facts(&self, id: TraceId) -> Result<Option<Facts>, StoreError> {
        Ok(self.documents(id)?.map(|documents| Facts::of(&assembled(id, &documents))))
    }

    /// Returns the first `size` traces from `from` on that are wanted, in the order in which their first documents arrived. A
    /// walk begins at 0 and continues at [`Page::next`].
    pub(crate) fn page(&self, from: u64, size: usize, search: &Search) -> Result<Page, StoreError> {
        let mut page = Page::default();
        page.examined = self.walk(from, search, |number, trace| {
            let full = page.traces.len() == size;
            if full {
                page.next = Some(number);
            } else {
                page.traces.push(trace);
            }
            !full
        })?;
        Ok(page)
    }

    /// Passes each trace that is wanted to `take`.
    pub(crate) fn each(&self, search: &Search, mut take: impl FnMut(&Facts)) -> Result<(), StoreError> {
        self.walk(0, search, |_, trace| {
            take(&trace.facts);
            true
        })?;
        Ok(())
    }

    /// Passes the traces from a number on that are wanted to `take`, until that returns false. Returns how many traces of the
    /// range were examined.
    fn walk(
        &self,
        from: u64,
        search: &Search,
        mut take: impl FnMut(u64, StoredTrace) -> bool,
    ) -> Result<usize, StoreError> {
        self.database().index()?;
        let mut examined = 0;
        let mut next = from / block::TRACES;
        let mut on = true;
        while on {
            // Not held while a block is read, nor while a trace is taken.
            let Candidate { passed, block } = self.database().candidate(next, search)?;
            examined += passed;
            let Some((number, data)) = block else { break };
            next = number + 1;
            let found = block::search(&data, from, search, |entry| {
                let trace = StoredTrace {
                    id: entry.id,
                    facts: entry.facts,
                    updated: entry.times.updated,
                    revision: entry.revision,
                };
                on = take(entry.number, trace);
                on
            });
            examined += found.ok_or(StoreError::Damaged(number * block::TRACES))?;
        }
        Ok(examined)
    }

    /// Returns a text that was kept under a name.
    pub(crate) fn kept(&self, name: &str) -> Result<Option<String>, StoreError> {
        self.database().kept(name)
    }

    /// Keeps a text under a name.
    pub(crate) fn keep(&self, name: &str, text: &str) -> Result<(), StoreError> {
        self.database().keep(name, text)
    }

    fn database(&self) -> MutexGuard<'_, Database> {
        lock(&self.0.database)
    }
}

/// Puts the documents of a trace together.
pub(crate) fn assembled(id: TraceId, documents: &[Document]) -> Trace {
    // They were read before they were put.
    let segments = documents.iter().flat_map(|document| Segment::read(&document.json));
    Trace::assemble(id, segments.collect())
}
