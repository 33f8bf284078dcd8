//! The records of one stream, and who reads them.

use std::collections::VecDeque;
use std::sync::Arc;

use super::record::Record;

/// How long records are kept (developer guide, "Reading and processing a stream").
const KEPT_S: i64 = 24 * 60 * 60;
/// How many records are kept for a look after every Pipe has taken them.
const KEPT_AFTER_READING: usize = 1_000;
/// How many bytes of records are kept that no Pipe waits for.
const MOST_BYTES_UNREAD: usize = 16 * 1024 * 1024;
/// How many bytes of records are kept for a Pipe that is stopped or cannot deliver.
const MOST_BYTES: usize = 64 * 1024 * 1024;

#[derive(Debug, Default)]
pub(super) struct Log {
    records: VecDeque<Arc<Record>>,
    /// The position of the oldest record, which is how many were trimmed.
    first: u64,
    bytes: usize,
    readers: Vec<Place>,
    next_reader: u64,
}

#[derive(Debug)]
struct Place {
    reader: u64,
    next: u64,
}

impl Log {
    pub(super) fn first(&self) -> u64 {
        self.first
    }

    /// Returns the position that the next record will have.
    pub(super) fn end(&self) -> u64 {
        self.first + self.records.len() as u64
    }

    pub(super) fn is_empty(&self) -> bool {
        self.records.is_empty()
    }

    pub(super) fn push(&mut self, record: Record) {
        self.bytes += record.bytes();
        self.records.push_back(Arc::new(record));
    }

    /// Returns up to `most` records, beginning with the one at `from`, or with the oldest if that one was trimmed.
    pub(super) fn read(&self, from: u64, most: usize) -> Vec<Arc<Record>> {
        let skipped = usize::try_from(from.saturating_sub(self.first)).unwrap_or(usize::MAX);
        self.records.iter().skip(skipped).take(most).cloned().collect()
    }

    pub(super) fn add_reader(&mut self, next: u64) -> u64 {
        self.next_reader += 1;
        self.readers.push(Place { reader: self.next_reader, next });
        self.next_reader
    }

    pub(super) fn remove_reader(&mut self, reader: u64) {
        self.readers.retain(|place| place.reader != reader);
    }

    /// Returns the position of the record that a reader reads next.
    pub(super) fn place(&self, reader: u64) -> Option<u64> {
        self.readers.iter().find(|place| place.reader == reader).map(|place| place.next)
    }

    pub(super) fn move_reader(&mut self, reader: u64, next: u64) {
        if let Some(place) = self.readers.iter_mut().find(|place| place.reader == reader) {
            place.next = next;
        }
    }

    /// Drops the records that no reader needs any longer. Returns how many were dropped before a Pipe took them.
    pub(super) fn trim(&mut self, now_s: i64) -> u64 {
        let slowest = self.readers.iter().map(|place| place.next).min();
        let mut lost = 0;
        while let Some(oldest) = self.records.front() {
            let taken = slowest.is_some_and(|next| next > oldest.position);
            let most = if slowest.is_some() && !taken { MOST_BYTES } else { MOST_BYTES_UNREAD };
            let expired = now_s - oldest.created_s >= KEPT_S;
            if !(expired || self.bytes > most || taken && self.records.len() > KEPT_AFTER_READING) {
                break;
            }
            if slowest.is_some() && !taken {
                lost += 1;
            }
            self.bytes = self.bytes.saturating_sub(oldest.bytes());
            self.records.pop_front();
            self.first += 1;
        }
        lost
    }
}

#[cfg(test)]
mod tests {
    use super::super::record::{Change, View};
    use super::*;

    fn push(log: &mut Log, bytes: usize, created_s: i64) {
        let change = Change {
            table: "t".to_owned(),
            event_name: "INSERT".to_owned(),
            keys: "{}".to_owned(),
            new_image: Some("x".repeat(bytes)),
            old_image: None,
            by_time_to_live: false,
        };
        log.push(Record::new(change, log.end(), View::NewImage, created_s));
    }

    #[test]
    fn what_every_reader_took_goes_but_for_the_last_ones() {
        let mut log = Log::default();
        let (fast, slow) = (log.add_reader(0), log.add_reader(0));
        for _ in 0..3_000 {
            push(&mut log, 10, 0);
        }
        log.move_reader(fast, 3_000);
        log.trim(0);
        assert_eq!(log.first(), 0, "the slow reader still needs all");
        log.move_reader(slow, 1_500);
        log.trim(0);
        assert_eq!(log.first(), 1_500);
        log.move_reader(slow, 3_000);
        log.trim(0);
        assert_eq!((log.first(), log.end()), (2_000, 3_000));
        assert_eq!(log.read(0, 2)[0].position, 2_000);
    }

    #[test]
    fn records_go_after_a_day_and_when_they_are_too_many() {
        let mut log = Log::default();
        push(&mut log, 10, 0);
        push(&mut log, 10, 10);
        log.trim(KEPT_S);
        assert_eq!(log.first(), 1);
        for _ in 0..40 {
            push(&mut log, 1024 * 1024, 10);
        }
        log.trim(10);
        assert!(log.bytes <= MOST_BYTES_UNREAD, "{}", log.bytes);
        assert_eq!(log.end(), 42);
        let reader = log.add_reader(log.first());
        for _ in 0..40 {
            push(&mut log, 1024 * 1024, 10);
        }
        assert_eq!(log.trim(10), 0, "a reader's records are kept longer");
        assert_eq!(log.place(reader), Some(log.first()));
    }
}
