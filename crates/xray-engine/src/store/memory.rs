//! A store in memory that keeps the newest traces.

use std::collections::{BTreeMap, HashMap};
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};

use xray::{Segment, Trace as Assembled, TraceId};

use super::Store;
use super::trace::{Document, Overview, Page, StoredTrace, Wanted};
use crate::facts::Facts;

/// Traces kept by default.
const MAX_TRACES: usize = 20_000;
/// Memory by default, in bytes.
const MAX_BYTES: usize = 256 * 1024 * 1024;
/// What a trace takes in memory besides its documents, in bytes: its places in the two maps and its overview, of which the
/// annotations are the most.
const TRACE_BYTES: usize = 3 * 1024;
/// What a document takes besides its text, in bytes.
const DOCUMENT_BYTES: usize = 100;

/// Keeps documents in memory. Beyond its limits, the oldest traces are dropped.
///
/// Documents are kept as text: parsed, they would take several times the memory. Beside them a trace keeps an
/// [`Overview`], which is all that a search needs.
#[derive(Debug)]
pub struct MemoryStore(Mutex<Kept>);

#[derive(Debug)]
struct Kept {
    max_traces: usize,
    max_bytes: usize,
    /// About how much memory the traces take.
    bytes: usize,
    next: u64,
    by_id: HashMap<TraceId, Trace>,
    /// In the order in which the first document of each trace arrived.
    order: BTreeMap<u64, TraceId>,
}

#[derive(Debug)]
struct Trace {
    documents: Vec<Document>,
    overview: Overview,
    /// What the documents say, once a search has read them.
    facts: OnceLock<Arc<Facts>>,
}

impl MemoryStore {
    /// Returns a store for at most `max_traces` traces, which take about `max_bytes` of memory. The newest trace is kept
    /// even if it alone is larger.
    #[must_use]
    pub fn new(max_traces: usize, max_bytes: usize) -> Self {
        Self(Mutex::new(Kept {
            max_traces,
            max_bytes,
            bytes: 0,
            next: 1,
            by_id: HashMap::new(),
            order: BTreeMap::new(),
        }))
    }

    /// No method leaves the traces in disorder, so a panic while the lock was held does no harm.
    fn kept(&self) -> MutexGuard<'_, Kept> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Default for MemoryStore {
    /// Returns a store for 20,000 traces in 256 MiB.
    fn default() -> Self {
        Self::new(MAX_TRACES, MAX_BYTES)
    }
}

impl Store for MemoryStore {
    fn put(&self, trace_id: TraceId, segment: &Segment, json: String, now: f64) -> Option<String> {
        self.kept().put(trace_id, segment, json, now)
    }

    fn documents(&self, id: TraceId) -> Option<Vec<Document>> {
        self.kept().by_id.get(&id).map(|trace| trace.documents.clone())
    }

    fn facts(&self, id: TraceId) -> Option<Arc<Facts>> {
        self.kept().by_id.get(&id).map(|trace| Arc::clone(trace.facts(id)))
    }

    fn page(&self, from: u64, size: usize, wanted: &dyn Wanted) -> Page {
        self.kept().page(from, size, wanted)
    }
}

impl Kept {
    fn put(&mut self, trace_id: TraceId, segment: &Segment, json: String, now: f64) -> Option<String> {
        let document = Document { id: segment.id, json: json.into() };
        let trace = self.by_id.entry(trace_id).or_insert_with(|| {
            let number = self.next;
            self.next += 1;
            self.order.insert(number, trace_id);
            self.bytes += TRACE_BYTES;
            Trace::new(segment.start_time)
        });
        trace.facts.take();
        trace.overview.updated = now;
        trace.overview.revision += 1;
        let not_indexed = match trace.documents.iter().position(|known| known.id == document.id) {
            None => {
                self.bytes += document_bytes(&document);
                trace.documents.push(document);
                trace.overview.add(segment).map(str::to_owned)
            }
            Some(place) => {
                let known = &mut trace.documents[place];
                let complete = Segment::read(&known.json).is_ok_and(|known| !known.is_in_progress());
                if complete && segment.is_in_progress() {
                    return None;
                }
                self.bytes = self.bytes + document.json.len() - known.json.len();
                *known = document;
                trace.rebuild_overview();
                None
            }
        };
        // One trace always stays: dropping the trace just added to would lose a document at once.
        while self.by_id.len() > self.max_traces || (self.bytes > self.max_bytes && self.by_id.len() > 1) {
            self.remove_oldest();
        }
        not_indexed
    }

    fn remove_oldest(&mut self) {
        let Some((_, id)) = self.order.pop_first() else { return };
        if let Some(trace) = self.by_id.remove(&id) {
            self.bytes -= TRACE_BYTES + trace.documents.iter().map(document_bytes).sum::<usize>();
        }
    }

    fn page(&self, from: u64, size: usize, wanted: &dyn Wanted) -> Page {
        let mut page = Page { traces: Vec::new(), next: None, examined: 0 };
        for (&number, &id) in self.order.range(from..) {
            if let Some(trace) = self.by_id.get(&id).filter(|trace| trace.is_wanted(id, wanted)) {
                if page.traces.len() == size {
                    page.next = Some(number);
                    break;
                }
                page.traces.push(StoredTrace {
                    id,
                    facts: Arc::clone(trace.facts(id)),
                    updated: trace.overview.updated,
                    revision: trace.overview.revision,
                });
            }
            page.examined += 1;
        }
        page
    }
}

fn document_bytes(document: &Document) -> usize {
    DOCUMENT_BYTES + document.json.len()
}

impl Trace {
    fn new(start: f64) -> Self {
        Self { documents: Vec::new(), overview: Overview::new(start), facts: OnceLock::new() }
    }

    fn is_wanted(&self, id: TraceId, wanted: &dyn Wanted) -> bool {
        wanted.may_want(&self.overview) && wanted.wants(self.facts(id))
    }

    fn facts(&self, id: TraceId) -> &Arc<Facts> {
        self.facts.get_or_init(|| {
            let segments = self.documents.iter().filter_map(|document| Segment::read(&document.json).ok());
            Arc::new(Facts::of(&Assembled::assemble(id, segments.collect())))
        })
    }

    /// After a document was replaced, nothing that only the old one said may be found any longer.
    fn rebuild_overview(&mut self) {
        let segments: Vec<_> =
            self.documents.iter().filter_map(|document| Segment::read(&document.json).ok()).collect();
        let start = segments.iter().map(|segment| segment.start_time).reduce(f64::min);
        let start = start.unwrap_or(self.overview.start);
        let Overview { updated, revision, .. } = self.overview;
        self.overview = Overview { updated, revision, ..Overview::new(start) };
        for segment in &segments {
            self.overview.add(segment);
        }
    }
}

#[cfg(test)]
mod tests {
    use xray::SegmentId;

    use super::*;

    fn id(number: u8) -> TraceId {
        TraceId::from_bytes([number; 16])
    }

    fn segment(number: u8, start: f64) -> Segment {
        Segment {
            end_time: Some(start + 1.0),
            ..Segment::new("s", SegmentId::from_bytes([number; 8]), start)
        }
    }

    fn put(store: &MemoryStore, trace: u8, segment: &Segment) {
        store.put(id(trace), segment, segment.to_json(), 100.0);
    }

    /// Traces that start at an odd second, or all.
    struct Odd(bool);

    impl Wanted for Odd {
        fn may_want(&self, overview: &Overview) -> bool {
            !self.0 || overview.start % 2.0 > 0.0
        }

        fn wants(&self, _: &Facts) -> bool {
            true
        }
    }

    fn ids(page: &Page) -> Vec<TraceId> {
        page.traces.iter().map(|trace| trace.id).collect()
    }

    #[test]
    fn the_oldest_traces_are_dropped_when_there_are_too_many() {
        let store = MemoryStore::new(3, usize::MAX);
        for number in 1..=5 {
            put(&store, number, &segment(number, 1.0));
        }
        put(&store, 3, &segment(9, 1.0));
        let page = store.page(0, 10, &Odd(false));
        assert_eq!((ids(&page), page.next, page.examined), (vec![id(3), id(4), id(5)], None, 3));
        assert!(store.documents(id(1)).is_none());
        assert_eq!(store.documents(id(3)).unwrap().len(), 2);
    }

    #[test]
    fn the_oldest_traces_are_dropped_when_they_are_too_large() {
        let size = TRACE_BYTES + DOCUMENT_BYTES + segment(1, 1.0).to_json().len();
        let store = MemoryStore::new(100, size * 3);
        for number in 1..=9 {
            put(&store, number, &segment(number, 1.0));
        }
        {
            let kept = store.kept();
            assert_eq!((kept.by_id.len(), kept.order.len(), kept.bytes), (3, 3, size * 3));
        }
        let mut large = segment(1, 1.0);
        large.name = "x".repeat(size * 4);
        put(&store, 10, &large);
        assert_eq!(store.kept().by_id.len(), 1);
        assert!(store.documents(id(10)).is_some());
    }

    #[test]
    fn a_document_replaces_the_one_with_its_id() {
        let store = MemoryStore::new(3, usize::MAX);
        let mut begun = Segment { end_time: None, in_progress: Some(true), ..segment(1, 5.0) };
        begun.annotations.insert("outcome".to_owned(), "unknown".into());
        put(&store, 1, &begun);
        let mut complete = segment(1, 5.0);
        complete.annotations.insert("outcome".to_owned(), "applied".into());
        put(&store, 1, &complete);
        put(&store, 1, &begun);

        assert_eq!(store.documents(id(1)).unwrap().len(), 1);
        let kept = store.kept();
        let stored = &kept.by_id[&id(1)].overview;
        assert_eq!((stored.start, stored.end, stored.revision), (5.0, 6.0, 3));
        assert_eq!(stored.annotations.values("outcome"), ["applied".into()]);
        assert_eq!(kept.bytes, TRACE_BYTES + DOCUMENT_BYTES + complete.to_json().len());
    }

    #[test]
    fn pages_follow_each_other_without_gaps() {
        let store = MemoryStore::new(100, usize::MAX);
        for number in 1..=7 {
            put(&store, number, &segment(number, f64::from(number)));
        }
        let odd = Odd(true);
        let first = store.page(0, 3, &odd);
        assert_eq!(ids(&first), [id(1), id(3), id(5)]);
        let second = store.page(first.next.unwrap(), 3, &odd);
        assert_eq!((ids(&second), second.next), (vec![id(7)], None));
    }
}
