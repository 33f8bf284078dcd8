//! The engine: dynoxide's operations on one `SQLite` database.

use std::fmt;
use std::future::Future;
use std::io;
use std::path::Path;
use std::pin::pin;
use std::task::{Context, Poll, Waker};

use dynoxide::actions;
use dynoxide::actions::vector_lifecycle::VectorIndexLifecycle;
use dynoxide::storage::Storage;
use dynoxide::{DynoxideError, Result};
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::Value;

use super::refusal::undecodable;
use super::streams::Change;

/// Prepared statements that are kept: a few for each table and index of a layer.
const STATEMENTS: usize = 256;

/// The tables. Operations run one at a time: only one caller holds the engine.
pub(super) struct Engine {
    storage: Storage,
    vectors: VectorIndexLifecycle,
}

impl fmt::Debug for Engine {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("Engine").finish_non_exhaustive()
    }
}

fn on_disk(directory: &Path) -> Result<Storage> {
    let path = directory.join("tables.sqlite");
    for suffix in ["", "-wal", "-shm"] {
        let mut left_behind = path.clone().into_os_string();
        left_behind.push(suffix);
        match std::fs::remove_file(left_behind) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => {
                return Err(DynoxideError::InternalServerError(error.to_string()));
            }
            _ => {}
        }
    }
    let storage = Storage::new(&path.to_string_lossy())?;
    // No other process opens the file, and nothing of it is used after this one has ended.
    storage.conn().execute_batch(
        "PRAGMA locking_mode = EXCLUSIVE; PRAGMA journal_mode = MEMORY; PRAGMA synchronous = OFF;
         PRAGMA cache_size = -16000; PRAGMA temp_store = MEMORY;",
    )?;
    Ok(storage)
}

impl Engine {
    /// Opens an empty database in a directory, or in memory. It does not survive the process: nothing waits for the disk.
    pub(super) fn open(directory: Option<&Path>) -> Result<Self> {
        let storage = match directory {
            Some(directory) => on_disk(directory)?,
            None => Storage::memory()?,
        };
        storage.conn().set_prepared_statement_cache_capacity(STATEMENTS);
        Ok(Self { storage, vectors: VectorIndexLifecycle::new() })
    }

    /// Runs an operation, or returns `None` for one that the engine does not have.
    pub(super) fn run(&self, operation: &str, input: Value) -> Option<Result<Value>> {
        let storage = &self.storage;
        let vectors = &self.vectors;
        Some(match operation {
            "BatchExecuteStatement" => {
                with(input, |input| actions::batch_execute_statement::execute(storage, input))
            }
            "BatchGetItem" => with(input, |input| actions::batch_get_item::execute(storage, input)),
            "BatchWriteItem" => with(input, |input| actions::batch_write_item::execute(storage, input)),
            "CreateTable" => with(input, |input| actions::create_table::execute(storage, input)),
            "DeleteItem" => with(input, |input| actions::delete_item::execute(storage, input)),
            "DeleteTable" => with(input, |input| actions::delete_table::execute(storage, input, vectors)),
            "DescribeTable" => with(input, |input| actions::describe_table::execute(storage, input, vectors)),
            "DescribeTimeToLive" => {
                with(input, |input| actions::describe_time_to_live::execute(storage, input))
            }
            "ExecuteStatement" => with(input, |input| actions::execute_statement::execute(storage, input)),
            "ExecuteTransaction" => {
                with(input, |input| actions::execute_transaction::execute(storage, input))
            }
            "GetItem" => with(input, |input| actions::get_item::execute(storage, input)),
            "ListTables" => with(input, |input| actions::list_tables::execute(storage, input)),
            "ListTagsOfResource" => {
                with(input, |input| actions::list_tags_of_resource::execute(storage, input))
            }
            "PutItem" => with(input, |input| actions::put_item::execute(storage, input)),
            "Query" => with(input, |input| actions::query::execute(storage, input)),
            "Scan" => with(input, |input| actions::scan::execute(storage, input)),
            "SearchVectors" => with(input, |input| actions::search_vectors::execute(storage, input, vectors)),
            "TagResource" => with(input, |input| actions::tag_resource::execute(storage, input)),
            "TransactGetItems" => with(input, |input| actions::transact_get_items::execute(storage, input)),
            "TransactWriteItems" => {
                with(input, |input| actions::transact_write_items::execute(storage, input))
            }
            "UntagResource" => with(input, |input| actions::untag_resource::execute(storage, input)),
            "UpdateItem" => with(input, |input| actions::update_item::execute(storage, input)),
            "UpdateTable" => with(input, |input| actions::update_table::execute(storage, input, vectors)),
            "UpdateTimeToLive" => with(input, |input| actions::update_time_to_live::execute(storage, input)),
            _ => return None,
        })
    }

    /// Rolls back what an operation that panicked may have left open.
    pub(super) fn recover(&self) -> Result<()> {
        if self.storage.conn().is_autocommit() { Ok(()) } else { self.storage.rollback() }
    }

    pub(super) fn storage(&self) -> &Storage {
        &self.storage
    }

    /// Removes and returns the changes that the engine recorded since the last call, oldest first. They live on in
    /// [`Streams`](super::streams::Streams): the engine never trims them, and reads all of them at every write.
    pub(super) fn take_changes(&self) -> Result<Vec<Change>> {
        let connection = self.storage.conn();
        let mut records = connection.prepare_cached(
            "SELECT table_name, event_name, keys_json, new_image, old_image FROM _stream_records ORDER BY id",
        )?;
        let changes = records
            .query_map([], |row| {
                Ok(Change {
                    table: row.get(0)?,
                    event_name: row.get(1)?,
                    keys: row.get(2)?,
                    new_image: row.get(3)?,
                    old_image: row.get(4)?,
                    by_time_to_live: false,
                })
            })?
            .collect::<std::result::Result<Vec<_>, _>>()?;
        if !changes.is_empty() {
            connection.prepare_cached("DELETE FROM _stream_records")?.execute([])?;
        }
        Ok(changes)
    }
}

fn with<I, O, F>(input: Value, action: impl FnOnce(I) -> F) -> Result<Value>
where
    I: DeserializeOwned,
    O: Serialize,
    F: Future<Output = Result<O>>,
{
    let input = serde_json::from_value(input).map_err(|error| undecodable(&error))?;
    let output = completed(action(input))?;
    serde_json::to_value(output).map_err(|error| DynoxideError::InternalServerError(error.to_string()))
}

/// Runs a future of the engine. They are asynchronous for the engine's other back end; with `SQLite` none ever waits.
fn completed<T>(future: impl Future<Output = Result<T>>) -> Result<T> {
    match pin!(future).poll(&mut Context::from_waker(Waker::noop())) {
        Poll::Ready(result) => result,
        Poll::Pending => Err(DynoxideError::InternalServerError("the engine is waiting".to_owned())),
    }
}
