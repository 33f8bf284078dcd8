//! The tables.
//!
//! | table | |
//! |---|---|
//! | `trace` | the number and the id of each trace; numbers grow as traces arrive |
//! | `document` | the documents; the id begins with the number of the trace and ends with the place within it |
//! | `unindexed` | the traces with documents that their block does not have yet |
//! | `block` | the facts of 256 traces, and which times, marks and words occur in them |
//! | `kept` | other texts by name |

use std::collections::{BTreeMap, HashMap};
use std::path::Path;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use rusqlite::{Connection, OptionalExtension as _, params};
use xray::{Annotations, Segment, SegmentId, Trace, TraceId};

use super::block::{self, Entry, Index, Marks, Words};
use super::error::StoreError;
use super::search::{Document, Search, Times};
use crate::facts::Facts;

/// In the id of a document, the bits of the place in its trace.
const PLACE_BITS: u32 = 20;
/// Traces whose documents are known in memory until they are indexed.
const MAX_OPEN: usize = 8192;

const SCHEMA: &str = "
    CREATE TABLE IF NOT EXISTS trace (number INTEGER PRIMARY KEY, id BLOB NOT NULL UNIQUE);
    CREATE TABLE IF NOT EXISTS document (
        id INTEGER PRIMARY KEY, segment BLOB NOT NULL, complete INTEGER NOT NULL,
        put REAL NOT NULL, version INTEGER NOT NULL, json TEXT NOT NULL
    );
    CREATE TABLE IF NOT EXISTS unindexed (number INTEGER PRIMARY KEY);
    CREATE TABLE IF NOT EXISTS block (
        number INTEGER PRIMARY KEY, traces INTEGER NOT NULL, bytes INTEGER NOT NULL,
        first_start REAL NOT NULL, last_start REAL NOT NULL,
        first_end REAL NOT NULL, last_end REAL NOT NULL,
        first_updated REAL NOT NULL, last_updated REAL NOT NULL,
        marks INTEGER NOT NULL, words BLOB NOT NULL, data BLOB NOT NULL
    );
    CREATE TABLE IF NOT EXISTS kept (name TEXT PRIMARY KEY, text TEXT NOT NULL) WITHOUT ROWID;
";

/// A connection, and what it knows of the newest traces.
#[derive(Debug)]
pub(super) struct Database {
    connection: Connection,
    /// The traces with documents that their block does not have yet.
    open: HashMap<TraceId, Open>,
    /// The number of the next trace.
    next: u64,
    /// About what everything takes, in bytes.
    bytes: u64,
    max_bytes: u64,
    in_transaction: bool,
}

/// A trace whose documents have changed.
#[derive(Debug, Default)]
struct Open {
    number: u64,
    documents: HashMap<SegmentId, Known>,
    annotations: Annotations,
}

#[derive(Clone, Copy, Debug)]
struct Known {
    id: i64,
    complete: bool,
}

/// A part of a walk over the blocks.
#[derive(Debug)]
pub(super) struct Candidate {
    /// Traces of blocks that cannot have what is wanted.
    pub(super) passed: usize,
    /// The number and the contents of the block after them; `None` at the end.
    pub(super) block: Option<(u64, Vec<u8>)>,
}

impl Database {
    /// Opens the database in a file, or one in memory.
    pub(super) fn open(file: Option<&Path>, max_bytes: u64) -> Result<Self, StoreError> {
        let connection = file.map_or_else(Connection::open_in_memory, Connection::open)?;
        // A power failure may cost the last moments of traces, but not the database.
        connection.execute_batch(
            "PRAGMA page_size = 8192; PRAGMA journal_mode = WAL; PRAGMA synchronous = NORMAL; PRAGMA cache_size = -8192;
             PRAGMA temp_store = MEMORY; PRAGMA auto_vacuum = NONE;",
        )?;
        connection.execute_batch(SCHEMA)?;
        connection.set_prepared_statement_cache_capacity(32);
        let count = |sql| connection.query_row(sql, [], |row| row.get::<_, i64>(0)).map(i64::cast_unsigned);
        let next = count("SELECT coalesce(max(number) + 1, 0) FROM trace")?;
        let bytes = count("SELECT coalesce(sum(bytes + length(data)), 0) FROM block")?;
        let open = HashMap::new();
        let mut database = Self { connection, open, next, bytes, max_bytes, in_transaction: false };
        database.open_unindexed()?;
        Ok(database)
    }

    /// Continues with what an earlier process had not indexed when it ended.
    fn open_unindexed(&mut self) -> Result<(), StoreError> {
        let ids: Vec<TraceId> = {
            let mut select = self
                .connection
                .prepare("SELECT trace.id FROM unindexed JOIN trace ON trace.number = unindexed.number")?;
            let ids = select.query_map([], |row| row.get(0).map(TraceId::from_bytes))?;
            ids.collect::<Result<_, _>>()?
        };
        for id in ids {
            self.open_trace(id)?;
        }
        Ok(())
    }

    /// See [`TraceStore::put`](super::TraceStore::put).
    pub(super) fn put(
        &mut self,
        trace_id: TraceId,
        segment: &Segment,
        json: &str,
        now: f64,
    ) -> Result<Option<String>, StoreError> {
        self.begin()?;
        if self.open.len() >= MAX_OPEN && !self.open.contains_key(&trace_id) {
            self.index()?;
            self.begin()?;
        }
        self.open_trace(trace_id)?;
        let Some(open) = self.open.get_mut(&trace_id) else { return Ok(None) };
        let complete = !segment.is_in_progress();
        match open.documents.get_mut(&segment.id) {
            Some(known) if known.complete && !complete => {}
            Some(known) => {
                known.complete = complete;
                let mut update = self.connection.prepare_cached(
                    "UPDATE document SET complete = ?, put = ?, version = version + 1, json = ? WHERE id = ?",
                )?;
                update.execute(params![complete, now, json, known.id])?;
            }
            None => {
                let id = document_id(open.number, open.documents.len());
                open.documents.insert(segment.id, Known { id, complete });
                let mut insert = self.connection.prepare_cached(
                    "INSERT INTO document (id, segment, complete, put, version, json) VALUES (?, ?, ?, ?, 1, ?)",
                )?;
                insert.execute(params![id, segment.id.to_bytes(), complete, now, json])?;
                self.bytes += u64::try_from(json.len()).unwrap_or_default();
            }
        }
        Ok(open.annotations.add(segment).map(str::to_owned))
    }

    /// Makes sure that the documents of a trace are known.
    fn open_trace(&mut self, id: TraceId) -> Result<(), StoreError> {
        if self.open.contains_key(&id) {
            return Ok(());
        }
        let open = if let Some(number) = self.number(id)? {
            Open { number, documents: self.known(number)?, annotations: Annotations::default() }
        } else {
            let number = self.next;
            self.next += 1;
            let mut insert =
                self.connection.prepare_cached("INSERT INTO trace (number, id) VALUES (?, ?)")?;
            insert.execute(params![number.cast_signed(), id.to_bytes()])?;
            Open { number, ..Open::default() }
        };
        let mut mark =
            self.connection.prepare_cached("INSERT OR IGNORE INTO unindexed (number) VALUES (?)")?;
        mark.execute([open.number.cast_signed()])?;
        self.open.insert(id, open);
        Ok(())
    }

    fn number(&self, id: TraceId) -> Result<Option<u64>, StoreError> {
        if let Some(open) = self.open.get(&id) {
            return Ok(Some(open.number));
        }
        let mut select = self.connection.prepare_cached("SELECT number FROM trace WHERE id = ?")?;
        let number = select.query_row([id.to_bytes()], |row| row.get(0)).optional()?;
        Ok(number.map(i64::cast_unsigned))
    }

    fn known(&self, number: u64) -> Result<HashMap<SegmentId, Known>, StoreError> {
        let mut select = self
            .connection
            .prepare_cached("SELECT id, segment, complete FROM document WHERE id BETWEEN ? AND ?")?;
        let known = select.query_map(documents_of(number), |row| {
            let segment = SegmentId::from_bytes(row.get(1)?);
            Ok((segment, Known { id: row.get(0)?, complete: row.get(2)? }))
        })?;
        Ok(known.collect::<Result<_, _>>()?)
    }

    /// Returns the documents of a trace in the order in which they arrived, or `None` if the trace is unknown.
    pub(super) fn documents(&self, id: TraceId) -> Result<Option<Vec<Document>>, StoreError> {
        let Some(number) = self.number(id)? else { return Ok(None) };
        let mut select = self
            .connection
            .prepare_cached("SELECT segment, json FROM document WHERE id BETWEEN ? AND ? ORDER BY id")?;
        let documents = select.query_map(documents_of(number), |row| {
            Ok(Document { id: SegmentId::from_bytes(row.get(0)?), json: row.get(1)? })
        })?;
        Ok(Some(documents.collect::<Result<_, _>>()?))
    }

    /// Brings the blocks up to date, drops the oldest beyond the limit, and makes everything durable.
    pub(super) fn index(&mut self) -> Result<(), StoreError> {
        let mut changed: BTreeMap<u64, Vec<(TraceId, u64)>> = BTreeMap::new();
        for (id, open) in &self.open {
            changed.entry(open.number / block::TRACES).or_default().push((*id, open.number));
        }
        if !changed.is_empty() {
            self.begin()?;
        }
        for (number, traces) in changed {
            self.index_block(number, &traces)?;
        }
        self.open.clear();
        self.make_room()?;
        self.commit()
    }

    fn index_block(&mut self, number: u64, traces: &[(TraceId, u64)]) -> Result<(), StoreError> {
        let mut entries: BTreeMap<u64, Entry> = BTreeMap::new();
        let mut before = 0;
        if let Some(data) = self.block(number)? {
            before = u64::try_from(data.len()).unwrap_or_default();
            let decoded = block::decode(&data).ok_or(StoreError::Damaged(number * block::TRACES))?;
            entries.extend(decoded.into_iter().map(|entry| (entry.number, entry)));
        }
        for (id, trace) in traces {
            entries.insert(*trace, self.entry(*id, *trace)?);
            let mut unmark = self.connection.prepare_cached("DELETE FROM unindexed WHERE number = ?")?;
            unmark.execute([trace.cast_signed()])?;
        }
        let entries: Vec<_> = entries.into_values().collect();
        let encoded = block::encode(&entries);
        let after = u64::try_from(encoded.data.len()).unwrap_or_default();
        self.bytes = (self.bytes + after).saturating_sub(before);
        let (first, last) = Times::span(&entries.iter().map(|entry| &entry.times));
        let bytes: u64 = entries.iter().map(|entry| entry.bytes).sum();
        let mut replace = self
            .connection
            .prepare_cached("INSERT OR REPLACE INTO block VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)")?;
        replace.execute(params![
            number.cast_signed(),
            i64::try_from(entries.len()).unwrap_or_default(),
            bytes.cast_signed(),
            first.start,
            last.start,
            first.end,
            last.end,
            first.updated,
            last.updated,
            encoded.marks,
            encoded.words,
            encoded.data
        ])?;
        Ok(())
    }

    fn block(&self, number: u64) -> Result<Option<Vec<u8>>, StoreError> {
        let mut select = self.connection.prepare_cached("SELECT data FROM block WHERE number = ?")?;
        Ok(select.query_row([number.cast_signed()], |row| row.get(0)).optional()?)
    }

    /// Reads the facts of a trace from its documents.
    fn entry(&self, id: TraceId, number: u64) -> Result<Entry, StoreError> {
        let mut select = self
            .connection
            .prepare_cached("SELECT put, version, json FROM document WHERE id BETWEEN ? AND ? ORDER BY id")?;
        let mut rows = select.query(documents_of(number))?;
        let mut segments = Vec::new();
        let (mut updated, mut revision, mut bytes) = (0.0_f64, 0, 0);
        while let Some(row) = rows.next()? {
            updated = updated.max(row.get(0)?);
            revision += row.get::<_, u32>(1)?;
            let json = row.get_ref(2)?.as_str().map_err(rusqlite::Error::from)?;
            bytes += u64::try_from(json.len()).unwrap_or_default();
            // It was read before it was put.
            segments.extend(Segment::read(json));
        }
        let times = Times::of(&segments, updated);
        let facts = Arc::new(Facts::of(&Trace::assemble(id, segments)));
        Ok(Entry { number, id, times, revision, bytes, facts })
    }

    /// Returns the first block from a number on that can have what is wanted.
    pub(super) fn candidate(&self, from: u64, search: &Search) -> Result<Candidate, StoreError> {
        let mut select = self.connection.prepare_cached(
            "SELECT number, traces, first_start, last_start, first_end, last_end, first_updated, last_updated, marks, words
             FROM block WHERE number >= ? ORDER BY number",
        )?;
        let mut rows = select.query([from.cast_signed()])?;
        let mut passed = 0;
        while let Some(row) = rows.next()? {
            let times = |first: usize| {
                Ok::<_, rusqlite::Error>(Times {
                    start: row.get(first)?,
                    end: row.get(first + 2)?,
                    updated: row.get(first + 4)?,
                })
            };
            if !search.overlaps(&times(2)?, &times(3)?) {
                continue;
            }
            let words = row.get_ref(9)?.as_blob().map_err(rusqlite::Error::from)?;
            let index = Index { marks: Marks(row.get(8)?), words: Words(words) };
            if !search.needs().may_hold(&index) {
                passed += row.get::<_, usize>(1)?;
                continue;
            }
            let number = row.get::<_, i64>(0)?.cast_unsigned();
            let data = self.block(number)?.unwrap_or_default();
            return Ok(Candidate { passed, block: Some((number, data)) });
        }
        Ok(Candidate { passed, block: None })
    }

    /// Drops blocks that nothing was added to since `oldest`, in epoch seconds.
    pub(super) fn expire(&mut self, oldest: f64) -> Result<(), StoreError> {
        let blocks: Vec<u64> = {
            let mut select =
                self.connection.prepare_cached("SELECT number FROM block WHERE last_updated < ?")?;
            let numbers = select.query_map([oldest], |row| row.get::<_, i64>(0).map(i64::cast_unsigned))?;
            numbers.collect::<Result<_, _>>()?
        };
        if blocks.is_empty() {
            return Ok(());
        }
        self.begin()?;
        for number in blocks {
            self.drop_block(number)?;
        }
        self.commit()
    }

    /// The newest block always stays: dropping the trace just added to would lose a document at once.
    fn make_room(&mut self) -> Result<(), StoreError> {
        while self.bytes > self.max_bytes {
            let oldest: Option<i64> = self
                .connection
                .query_row("SELECT number FROM block ORDER BY number LIMIT 1", [], |row| row.get(0))
                .optional()?;
            match oldest.map(i64::cast_unsigned) {
                Some(oldest) if oldest < self.next.saturating_sub(1) / block::TRACES => {
                    self.drop_block(oldest)?;
                }
                _ => break,
            }
        }
        Ok(())
    }

    fn drop_block(&mut self, number: u64) -> Result<(), StoreError> {
        let bytes = "SELECT bytes + length(data) FROM block WHERE number = ?";
        let bytes: i64 = self.connection.query_row(bytes, [number.cast_signed()], |row| row.get(0))?;
        self.bytes = self.bytes.saturating_sub(bytes.cast_unsigned());
        let (first, last) = (number * block::TRACES, (number + 1) * block::TRACES - 1);
        let [from, _] = documents_of(first);
        let [_, to] = documents_of(last);
        let (first, last) = (first.cast_signed(), last.cast_signed());
        self.connection
            .prepare_cached("DELETE FROM document WHERE id BETWEEN ? AND ?")?
            .execute([from, to])?;
        self.connection
            .prepare_cached("DELETE FROM trace WHERE number BETWEEN ? AND ?")?
            .execute([first, last])?;
        self.connection
            .prepare_cached("DELETE FROM block WHERE number = ?")?
            .execute([number.cast_signed()])?;
        // Nothing is open here: this happens after all were indexed.
        Ok(())
    }

    /// Returns a text kept under a name.
    pub(super) fn kept(&self, name: &str) -> Result<Option<String>, StoreError> {
        let mut select = self.connection.prepare_cached("SELECT text FROM kept WHERE name = ?")?;
        Ok(select.query_row([name], |row| row.get(0)).optional()?)
    }

    /// Keeps a text under a name.
    pub(super) fn keep(&mut self, name: &str, text: &str) -> Result<(), StoreError> {
        self.connection.prepare_cached("INSERT OR REPLACE INTO kept VALUES (?, ?)")?.execute([name, text])?;
        Ok(())
    }

    fn begin(&mut self) -> Result<(), StoreError> {
        if !self.in_transaction {
            self.connection.prepare_cached("BEGIN IMMEDIATE")?.execute([])?;
            self.in_transaction = true;
        }
        Ok(())
    }

    /// Makes what was put durable.
    pub(super) fn commit(&mut self) -> Result<(), StoreError> {
        if self.in_transaction {
            self.connection.prepare_cached("COMMIT")?.execute([])?;
            self.in_transaction = false;
        }
        Ok(())
    }
}

/// A method that panicked has left a transaction that ends with the next one, at worst with a document less.
pub(super) fn lock(database: &Mutex<Database>) -> MutexGuard<'_, Database> {
    database.lock().unwrap_or_else(PoisonError::into_inner)
}

fn document_id(trace: u64, place: usize) -> i64 {
    let place = u64::try_from(place).unwrap_or(u64::MAX).min((1 << PLACE_BITS) - 1);
    (trace << PLACE_BITS | place).cast_signed()
}

/// Returns the first and the last id that the documents of a trace can have.
fn documents_of(trace: u64) -> [i64; 2] {
    [document_id(trace, 0), document_id(trace, usize::MAX)]
}
