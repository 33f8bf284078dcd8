//! X-Ray's traces, in memory and, with a data directory, in a file that the next start reads.

use std::io;
use std::path::Path;
use std::sync::Arc;

use serde::Deserialize;
use serde_json::value::RawValue;
use xray::{Segment, TraceId};
use xray_engine::{Document, Facts, MemoryStore, Page, Store, Wanted};

use crate::journal::Journal;

/// Most traces kept; usually the limit in bytes comes first.
const MAX_TRACES: usize = 100_000;

#[derive(Debug)]
pub(crate) struct Traces {
    memory: MemoryStore,
    journal: Option<Journal>,
}

/// A document as the file keeps it.
#[derive(Deserialize)]
struct Line<'a> {
    /// When it was put, epoch seconds.
    put: f64,
    #[serde(borrow)]
    document: &'a RawValue,
}

impl Traces {
    /// Returns the traces of earlier runs in the directory, if one is given; keeps about `max_bytes` in memory, and as
    /// much in the file.
    pub(crate) fn open(directory: Option<&Path>, max_bytes: usize) -> io::Result<Self> {
        let memory = MemoryStore::new(MAX_TRACES, max_bytes);
        let journal = match directory {
            Some(directory) => {
                Some(Journal::open(directory, "traces", max_bytes, |line| restore(&memory, line))?)
            }
            None => None,
        };
        Ok(Self { memory, journal })
    }
}

/// Puts the document of a line. A line of another version is skipped.
fn restore(memory: &MemoryStore, line: &str) {
    let Ok(Line { put, document }) = serde_json::from_str(line) else { return };
    let Ok(segment) = Segment::read(document.get()) else { return };
    if let Some(trace_id) = segment.trace_id {
        memory.put(trace_id, &segment, document.get().to_owned(), put);
    }
}

impl Store for Traces {
    fn put(&self, trace_id: TraceId, segment: &Segment, json: String, now: f64) -> Option<String> {
        if let Some(journal) = &self.journal {
            // In JSON a line break can only be white space.
            let document = json.replace(['\n', '\r'], " ");
            journal.append(&format!(r#"{{"put":{now},"document":{document}}}"#));
        }
        self.memory.put(trace_id, segment, json, now)
    }

    fn documents(&self, id: TraceId) -> Option<Vec<Document>> {
        self.memory.documents(id)
    }

    fn facts(&self, id: TraceId) -> Option<Arc<Facts>> {
        self.memory.facts(id)
    }

    fn page(&self, from: u64, size: usize, wanted: &dyn Wanted) -> Page {
        self.memory.page(from, size, wanted)
    }
}

#[cfg(test)]
mod tests {
    use xray_engine::Overview;

    use super::*;

    const DOCUMENT: &str = r#"{"trace_id":"1-5759e988-bd862e3fe1be46a994272793","id":"53995c3f42cd8ad8",
        "name":"ingest","start_time":1764126000.25,"end_time":1764126001.5,"annotations":{"event_id":"e"}}"#;

    struct WithEvent;

    impl Wanted for WithEvent {
        fn may_want(&self, overview: &Overview) -> bool {
            !overview.annotations.values("event_id").is_empty()
        }

        fn wants(&self, _: &Facts) -> bool {
            true
        }
    }

    #[test]
    fn a_trace_is_found_after_a_restart() {
        let directory = tempfile::tempdir().unwrap();
        let segment = Segment::read(DOCUMENT).unwrap();
        let id = segment.trace_id.unwrap();
        let traces = Traces::open(Some(directory.path()), 1_000_000).unwrap();
        traces.put(id, &segment, DOCUMENT.to_owned(), 1_764_126_002.5);
        drop(traces);
        let traces = Traces::open(Some(directory.path()), 1_000_000).unwrap();
        let document = traces.documents(id).unwrap().remove(0);
        assert_eq!(document.json.as_ref(), DOCUMENT.replace('\n', " "));
        let page = traces.page(0, 10, &WithEvent);
        assert_eq!((page.traces.len(), page.traces[0].updated.to_bits()), (1, 1_764_126_002.5_f64.to_bits()));
    }
}
