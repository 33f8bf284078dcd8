//! The documents, by trace, the newest traces only.

use std::collections::{BTreeMap, HashMap};

use ::xray::{Annotations, Segment, SegmentId, TraceId};

/// Documents are kept as they were put. Parsed they would take several times the memory, so a trace keeps
/// beside them only what searching needs; everything else is read from the documents when asked for.
#[derive(Debug)]
pub(super) struct Store {
    max_traces: usize,
    max_bytes: usize,
    bytes: usize,
    next: u64,
    traces: HashMap<TraceId, Stored>,
    /// Traces in the order in which they were first heard of.
    order: BTreeMap<u64, TraceId>,
}

#[derive(Debug)]
pub(super) struct Stored {
    number: u64,
    documents: Vec<Document>,
    pub(super) annotations: Annotations,
    /// First start, epoch seconds.
    pub(super) start: f64,
    /// Last end, epoch seconds; the last start while nothing has ended.
    pub(super) end: f64,
    /// When a document was last put, epoch seconds.
    pub(super) updated: f64,
    /// How often a document was put.
    pub(super) revision: u32,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Document {
    pub(super) id: SegmentId,
    pub(super) json: Box<str>,
}

/// One page of a walk over the traces, and the number to go on from if there is more.
#[derive(Debug)]
pub(super) struct Page {
    pub(super) ids: Vec<TraceId>,
    pub(super) next: Option<u64>,
    /// How many traces were looked at.
    pub(super) seen: usize,
}

impl Store {
    pub(super) fn new(max_traces: usize, max_bytes: usize) -> Self {
        Self { max_traces, max_bytes, bytes: 0, next: 1, traces: HashMap::new(), order: BTreeMap::new() }
    }

    /// Adds a document, or replaces the one with its id. A document in progress never replaces a complete one.
    /// `json` is the document of `segment`; `now` is in epoch seconds.
    pub(super) fn put(&mut self, trace_id: TraceId, segment: &Segment, json: String, now: f64) {
        let document = Document { id: segment.id, json: json.into_boxed_str() };
        let trace = self.traces.entry(trace_id).or_insert_with(|| {
            let number = self.next;
            self.next += 1;
            self.order.insert(number, trace_id);
            Stored::new(number, segment.start_time)
        });
        trace.updated = now;
        trace.revision += 1;
        match trace.documents.iter().position(|known| known.id == document.id) {
            None => {
                self.bytes += document.json.len();
                trace.documents.push(document);
                trace.note(segment);
            }
            Some(place) => {
                let known = &mut trace.documents[place];
                let complete = Segment::read(&known.json).is_ok_and(|known| !known.is_in_progress());
                if complete && segment.is_in_progress() {
                    return;
                }
                self.bytes = self.bytes + document.json.len() - known.json.len();
                *known = document;
                trace.note_anew();
            }
        }
        while self.traces.len() > self.max_traces || (self.bytes > self.max_bytes && self.traces.len() > 1) {
            self.remove_oldest();
        }
    }

    fn remove_oldest(&mut self) {
        let Some((_, id)) = self.order.pop_first() else { return };
        if let Some(trace) = self.traces.remove(&id) {
            self.bytes -= trace.documents.iter().map(|document| document.json.len()).sum::<usize>();
        }
    }

    /// The documents of a trace in the order in which they came.
    pub(super) fn documents(&self, id: TraceId) -> Option<&[Document]> {
        self.traces.get(&id).map(|trace| trace.documents.as_slice())
    }

    pub(super) fn trace(&self, id: TraceId) -> Option<&Stored> {
        self.traces.get(&id)
    }

    /// The first `size` traces from `from` on that are wanted, in the order in which they were first heard of.
    pub(super) fn page(&self, from: u64, size: usize, wanted: impl Fn(&Stored) -> bool) -> Page {
        let mut page = Page { ids: Vec::new(), next: None, seen: 0 };
        for (&number, &id) in self.order.range(from..) {
            if !self.traces.get(&id).is_some_and(&wanted) {
                page.seen += 1;
                continue;
            }
            if page.ids.len() == size {
                page.next = Some(number);
                break;
            }
            page.seen += 1;
            page.ids.push(id);
        }
        page
    }
}

impl Stored {
    fn new(number: u64, start: f64) -> Self {
        Self {
            number,
            documents: Vec::new(),
            annotations: Annotations::default(),
            start,
            end: start,
            updated: start,
            revision: 0,
        }
    }

    fn note(&mut self, segment: &Segment) {
        self.start = self.start.min(segment.start_time);
        self.end = self.end.max(segment.last_end_time().unwrap_or(segment.start_time));
        self.annotations.add(segment);
    }

    /// After a document was replaced: what only the old one said must not be found any more.
    fn note_anew(&mut self) {
        let segments: Vec<_> =
            self.documents.iter().filter_map(|document| Segment::read(&document.json).ok()).collect();
        let start = segments.iter().map(|segment| segment.start_time).reduce(f64::min).unwrap_or(self.start);
        let (documents, updated, revision) =
            (std::mem::take(&mut self.documents), self.updated, self.revision);
        *self = Self { documents, updated, revision, ..Self::new(self.number, start) };
        for segment in &segments {
            self.note(segment);
        }
    }
}

#[cfg(test)]
mod tests {
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

    fn put(store: &mut Store, trace: u8, segment: &Segment) {
        store.put(id(trace), segment, segment.to_json(), 100.0);
    }

    #[test]
    fn the_oldest_traces_go_when_there_are_too_many() {
        let mut store = Store::new(3, usize::MAX);
        for number in 1..=5 {
            put(&mut store, number, &segment(number, 1.0));
        }
        put(&mut store, 3, &segment(9, 1.0));
        let page = store.page(0, 10, |_| true);
        assert_eq!((page.ids, page.next, page.seen), (vec![id(3), id(4), id(5)], None, 3));
        assert!(store.documents(id(1)).is_none());
        assert_eq!(store.documents(id(3)).unwrap().len(), 2);
    }

    #[test]
    fn the_oldest_traces_go_when_they_are_too_large() {
        let size = segment(1, 1.0).to_json().len();
        let mut store = Store::new(100, size * 3);
        for number in 1..=9 {
            put(&mut store, number, &segment(number, 1.0));
        }
        assert_eq!((store.traces.len(), store.order.len(), store.bytes), (3, 3, size * 3));
        let mut large = segment(1, 1.0);
        large.name = "x".repeat(size * 4);
        put(&mut store, 10, &large);
        assert_eq!(store.traces.len(), 1);
        assert!(store.documents(id(10)).is_some());
    }

    #[test]
    fn a_document_replaces_the_one_with_its_id() {
        let mut store = Store::new(3, usize::MAX);
        let mut begun = Segment { end_time: None, in_progress: Some(true), ..segment(1, 5.0) };
        begun.annotations.insert("outcome".to_owned(), "unknown".into());
        put(&mut store, 1, &begun);
        let mut complete = segment(1, 5.0);
        complete.annotations.insert("outcome".to_owned(), "applied".into());
        put(&mut store, 1, &complete);
        put(&mut store, 1, &begun);

        let stored = store.trace(id(1)).unwrap();
        assert_eq!(store.documents(id(1)).unwrap().len(), 1);
        assert_eq!((stored.start, stored.end, stored.revision), (5.0, 6.0, 3));
        assert_eq!(stored.annotations.values("outcome"), ["applied".into()]);
        assert_eq!(store.bytes, complete.to_json().len());
    }

    #[test]
    fn pages_follow_each_other_without_gaps() {
        let mut store = Store::new(100, usize::MAX);
        for number in 1..=7 {
            put(&mut store, number, &segment(number, f64::from(number)));
        }
        let odd = |trace: &Stored| trace.start % 2.0 > 0.0;
        let first = store.page(0, 3, odd);
        assert_eq!(first.ids, [id(1), id(3), id(5)]);
        let second = store.page(first.next.unwrap(), 3, odd);
        assert_eq!((second.ids, second.next), (vec![id(7)], None));
    }
}
