//! DynamoDB and its Streams, on dynoxide.
//!
//! dynoxide keeps the rules of expressions, keys, indexes and tables, with AWS's words; its tables are in one `SQLite`
//! database, on disk if there is a directory for it and in memory otherwise. This module adds the rest:
//!
//! | | |
//! |---|---|
//! | [`names`] | tables named by ARN, and this cloud's region and account in ARNs |
//! | [`point_reads`] | `GetItem`: the engine takes several times as long |
//! | [`point_writes`] | `PutItem`, `UpdateItem` and `TransactWriteItems` in their usual forms, for the same reason |
//! | [`streams`] | streams: the engine never trims one, and reads all of it at every write |
//! | [`request_tokens`] | `ClientRequestToken`: the engine goes through all of them at every transaction |
//! | [`expiry`] | time to live, by an index: the engine reads the whole table |
//! | [`table_changes`] | what `UpdateTable` may change at once; encryption |
//! | [`refusal`] | errors |
//!
//! Operations run one at a time: the short ones at once, the others on a thread where they may block. One that panics
//! fails alone.

mod database;
mod engine;
mod expiry;
mod layouts;
mod names;
mod output;
mod point_reads;
mod point_writes;
mod refusal;
mod request_tokens;
mod size;
mod streams;
mod table_changes;

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;
use serde_json::Value;
use tokio::sync::Mutex;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use self::database::Database;
use self::names::Names;
pub(crate) use self::output::Output;
pub(crate) use self::streams::{Reader, Record, Streams};
use crate::call::Call;
use crate::reply::AwsError;
use crate::settings::Settings;

/// How often expired items are looked for. AWS takes up to a few days.
const BETWEEN_SWEEPS: Duration = Duration::from_secs(1);
/// How many expired items are deleted before other requests have their turn.
const SWEPT_AT_ONCE: usize = 25;

/// The operations that read and write so few items that to hand them to another thread costs more than they do.
const SHORT: [&str; 6] =
    ["DeleteItem", "GetItem", "PutItem", "TransactGetItems", "TransactWriteItems", "UpdateItem"];

#[derive(Clone, Debug)]
pub(crate) struct DynamoDb {
    /// Opened by the first request.
    database: Arc<Mutex<Option<Database>>>,
    directory: Option<Arc<Path>>,
    names: Names,
    streams: Streams,
}

impl DynamoDb {
    pub(crate) fn new(settings: &Settings, stop: CancellationToken, tasks: &TaskTracker) -> Self {
        let names = Names::new(settings);
        let streams = Streams::new(names.clone());
        let dynamodb = Self {
            database: Arc::default(),
            directory: settings.data_dir.as_deref().map(Arc::from),
            names,
            streams,
        };
        tasks.spawn(dynamodb.clone().sweep(stop));
        dynamodb
    }

    pub(crate) fn streams(&self) -> Streams {
        self.streams.clone()
    }

    /// Answers a call, whose input is passed apart: the engine keeps parts of it.
    pub(crate) async fn answer(&self, call: &Call, input: Value) -> Result<Output, AwsError> {
        let operation = call.operation.clone();
        let short = SHORT.contains(&operation.as_str());
        let answered =
            self.with_database(short, move |database| Ok(database.respond(&operation, input))).await?;
        answered.unwrap_or_else(|| Err(call.not_supported()))
    }

    pub(crate) fn answer_streams(&self, call: &Call) -> Result<Value, AwsError> {
        let answered = self.streams.answer(&call.operation, call.input.clone());
        answered.unwrap_or_else(|| Err(call.not_supported()))
    }

    /// Does some work on the database. Work that panics fails alone: the next one rolls back what it left open.
    async fn with_database<T: Send + 'static>(
        &self,
        short: bool,
        work: impl FnOnce(&mut Database) -> Result<T, AwsError> + Send + 'static,
    ) -> Result<T, AwsError> {
        let mut database = Arc::clone(&self.database).lock_owned().await;
        let (directory, names, streams) = (self.directory.clone(), self.names.clone(), self.streams.clone());
        let run = move || {
            let database = match &mut *database {
                Some(database) => database,
                closed => closed.insert(Database::open(directory.as_deref(), names, streams)?),
            };
            work(database)
        };
        let done = if short {
            catch_unwind(AssertUnwindSafe(run)).map_err(drop)
        } else {
            tokio::task::spawn_blocking(run).await.map_err(drop)
        };
        done.unwrap_or_else(|()| {
            tracing::error!("an operation of DynamoDB panicked");
            Err(refusal::internal())
        })
    }

    /// Deletes expired items and old stream records until the cloud stops.
    async fn sweep(self, stop: CancellationToken) {
        loop {
            tokio::select! {
                () = stop.cancelled() => return,
                () = tokio::time::sleep(BETWEEN_SWEEPS) => {}
            }
            self.streams.trim();
            let mut more = self.database.lock().await.is_some();
            while more && !stop.is_cancelled() {
                let now_s = Timestamp::now().as_second();
                let swept =
                    self.with_database(false, move |database| database.expire(now_s, SWEPT_AT_ONCE)).await;
                more = match swept {
                    Ok(deleted) => deleted == SWEPT_AT_ONCE,
                    Err(error) => {
                        tracing::error!(code = %error.code, "expired items could not be deleted");
                        false
                    }
                };
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use http::StatusCode;
    use serde_json::json;

    use super::*;

    #[tokio::test]
    async fn work_that_panics_fails_alone_and_what_it_wrote_is_rolled_back() {
        let dynamodb = DynamoDb::new(&Settings::default(), CancellationToken::new(), &TaskTracker::new());
        let create = json!({
            "TableName": "items",
            "BillingMode": "PAY_PER_REQUEST",
            "KeySchema": [{"AttributeName": "pk", "KeyType": "HASH"}],
            "AttributeDefinitions": [{"AttributeName": "pk", "AttributeType": "S"}],
        });
        let run = |operation: &'static str, input: Value| {
            dynamodb.with_database(true, move |database| {
                database.answer(operation, input).unwrap_or(Ok(Value::Null))
            })
        };
        run("CreateTable", create).await.unwrap();
        for short in [true, false] {
            let failed: Result<(), _> = dynamodb
                .with_database(short, |database| {
                    database.begin_for_test();
                    panic!("on purpose");
                })
                .await;
            assert_eq!(failed.unwrap_err().status, StatusCode::INTERNAL_SERVER_ERROR);
        }
        run("PutItem", json!({"TableName": "items", "Item": {"pk": {"S": "a"}}})).await.unwrap();
        assert_eq!(run("ListTables", json!({})).await.unwrap(), json!({"TableNames": ["items"]}));
    }
}
