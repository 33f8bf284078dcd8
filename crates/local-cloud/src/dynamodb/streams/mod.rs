//! The streams of tables, kept in memory.
//!
//! A stream has one shard. Its records are kept as long as AWS keeps them, 24 hours, as far as memory allows: once every
//! Pipe that reads the stream has taken a record, only the last 1,000 remain; a stream without Pipes keeps 16 MB of
//! records; and one whose Pipe is stopped or cannot deliver keeps 64 MB. A stream that was disabled, or whose table was
//! deleted, can still be read until its records are gone.

mod api;
mod log;
mod record;

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use jiff::Timestamp;
use tokio::sync::watch;

use self::log::Log;
pub(super) use self::record::Change;
pub(crate) use self::record::{Record, View};
use super::names::Names;

/// How many streams without a table are kept.
const MOST_DISABLED: usize = 100;

/// All streams; cheap to clone.
#[derive(Clone, Debug)]
pub(crate) struct Streams {
    by_arn: Arc<Mutex<BTreeMap<String, Stream>>>,
    written: watch::Sender<()>,
    names: Names,
}

#[derive(Debug)]
struct Stream {
    table: String,
    label: String,
    view: View,
    /// The table's key, as `DescribeTable` returns it.
    key_schema: serde_json::Value,
    created: Timestamp,
    enabled: bool,
    /// Whether the table was deleted. Another one may have its name since.
    orphaned: bool,
    log: Log,
}

/// A stream as the description of its table shows it.
#[derive(Clone, Debug)]
pub(super) struct Latest {
    pub(super) arn: String,
    pub(super) label: String,
    pub(super) view: View,
    pub(super) enabled: bool,
}

impl Streams {
    pub(super) fn new(names: Names) -> Self {
        Self { by_arn: Arc::default(), written: watch::Sender::new(()), names }
    }

    /// Begins a new stream for a table.
    pub(super) fn enable(&self, table: &str, view: View, key_schema: serde_json::Value) {
        let mut streams = self.lock();
        let mut created = Timestamp::now();
        let mut label = label(created);
        while streams.contains_key(&self.names.stream_arn(table, &label)) {
            created += jiff::SignedDuration::from_millis(1);
            label = self::label(created);
        }
        let arn = self.names.stream_arn(table, &label);
        let stream = Stream {
            table: table.to_owned(),
            label,
            view,
            key_schema,
            created,
            enabled: true,
            orphaned: false,
            log: Log::default(),
        };
        streams.insert(arn, stream);
    }

    /// Ends the stream of a table. What is in it can still be read.
    pub(super) fn disable(&self, table: &str) {
        let mut streams = self.lock();
        for stream in streams.values_mut().filter(|stream| stream.table == table) {
            stream.enabled = false;
        }
        drop(streams);
        self.written.send_replace(());
    }

    /// Ends the stream of a table that was deleted.
    pub(super) fn orphan(&self, table: &str) {
        self.disable(table);
        for stream in self.lock().values_mut().filter(|stream| stream.table == table) {
            stream.orphaned = true;
        }
    }

    /// Returns the latest stream of a table.
    pub(super) fn latest(&self, table: &str) -> Option<Latest> {
        let streams = self.lock();
        let of_table = streams.iter().filter(|(_, stream)| !stream.orphaned && stream.table == table);
        of_table.max_by_key(|(_, stream)| stream.created).map(|(arn, stream)| Latest {
            arn: arn.clone(),
            label: stream.label.clone(),
            view: stream.view,
            enabled: stream.enabled,
        })
    }

    /// Appends changes to the streams of their tables.
    pub(super) fn append(&self, changes: Vec<Change>) {
        if changes.is_empty() {
            return;
        }
        let now_s = Timestamp::now().as_second();
        let mut streams = self.lock();
        for change in changes {
            let stream = streams.values_mut().find(|stream| stream.enabled && stream.table == change.table);
            if let Some(stream) = stream
                && change.changes_something()
            {
                stream.log.push(Record::new(change, stream.log.end(), stream.view, now_s));
                stream.trim(now_s);
            }
        }
        drop(streams);
        self.written.send_replace(());
    }

    /// Drops what has become too old. Streams that are written to do this themselves.
    pub(super) fn trim(&self) {
        let now_s = Timestamp::now().as_second();
        let mut streams = self.lock();
        streams.values_mut().for_each(|stream| stream.trim(now_s));
        let mut disabled: Vec<_> = streams
            .iter()
            .filter(|(_, stream)| !stream.enabled)
            .map(|(arn, stream)| (stream.created, stream.log.is_empty(), arn.clone()))
            .collect();
        disabled.sort_unstable();
        let too_many = disabled.len().saturating_sub(MOST_DISABLED);
        for (_, _, arn) in disabled.into_iter().take(too_many) {
            streams.remove(&arn);
        }
    }

    /// Returns a receiver that is notified of every write to any stream. Subscribe before reading, and no write is missed.
    pub(crate) fn written(&self) -> watch::Receiver<()> {
        self.written.subscribe()
    }

    pub(crate) fn contains(&self, arn: &str) -> bool {
        self.lock().contains_key(arn)
    }

    /// Starts reading a stream at its oldest record, or behind its latest one. `None` if there is no such stream.
    pub(crate) fn reader(&self, arn: &str, at_the_end: bool) -> Option<Reader> {
        let mut streams = self.lock();
        let log = &mut streams.get_mut(arn)?.log;
        let next = if at_the_end { log.end() } else { log.first() };
        let id = log.add_reader(next);
        Some(Reader { streams: self.clone(), arn: arn.to_owned(), id })
    }

    pub(crate) fn region(&self) -> &str {
        &self.names.region
    }

    /// Nothing that holds the lock calls anything that could leave the streams half changed.
    fn lock(&self) -> MutexGuard<'_, BTreeMap<String, Stream>> {
        self.by_arn.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Stream {
    fn shard_id(&self) -> String {
        format!("shardId-{:020}-{:08x}", self.created.as_millisecond(), self.created.subsec_nanosecond())
    }

    fn trim(&mut self, now_s: i64) {
        let lost = self.log.trim(now_s);
        if lost > 0 {
            tracing::warn!(
                table = self.table,
                lost,
                "stream records were trimmed before every pipe had read them"
            );
        }
    }
}

/// Consecutive records of a stream.
#[derive(Debug)]
pub(crate) struct Records {
    pub(crate) shard_id: String,
    pub(crate) records: Vec<Arc<Record>>,
}

/// A position in a stream that only its reader moves. Records behind it may be trimmed.
#[derive(Debug)]
pub(crate) struct Reader {
    streams: Streams,
    arn: String,
    id: u64,
}

impl Reader {
    /// Returns the next records, up to `most`, or `None` if the stream is gone.
    pub(crate) fn read(&self, most: usize) -> Option<Records> {
        let streams = self.streams.lock();
        let stream = streams.get(&self.arn)?;
        let next = stream.log.place(self.id)?;
        Some(Records { shard_id: stream.shard_id(), records: stream.log.read(next, most) })
    }

    /// Moves behind a record.
    pub(crate) fn took(&self, record: &Record) {
        if let Some(stream) = self.streams.lock().get_mut(&self.arn) {
            stream.log.move_reader(self.id, record.position + 1);
            stream.trim(Timestamp::now().as_second());
        }
    }

    /// Returns how many records of the stream lie behind.
    pub(crate) fn position(&self) -> u64 {
        self.streams.lock().get(&self.arn).and_then(|stream| stream.log.place(self.id)).unwrap_or_default()
    }
}

impl Drop for Reader {
    fn drop(&mut self) {
        if let Some(stream) = self.streams.lock().get_mut(&self.arn) {
            stream.log.remove_reader(self.id);
        }
    }
}

/// Returns a stream's label, which is when it was created, in milliseconds.
fn label(created: Timestamp) -> String {
    created.strftime("%Y-%m-%dT%H:%M:%S.%3f").to_string()
}
