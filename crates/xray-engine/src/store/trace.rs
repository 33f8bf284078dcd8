//! What a store returns.

use std::sync::Arc;

use xray::{Annotations, Segment, SegmentId, TraceId};

use crate::facts::Facts;

/// A segment document as it was put.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Document {
    /// The id of the segment.
    pub id: SegmentId,
    /// The document's text.
    pub json: Arc<str>,
}

/// What is known of a trace without reading its documents.
#[derive(Clone, Debug)]
pub struct Overview {
    /// The annotations of all documents.
    pub annotations: Annotations,
    /// First start, epoch seconds.
    pub start: f64,
    /// Last end, epoch seconds; the last start while nothing has ended.
    pub end: f64,
    /// When a document was last put, epoch seconds.
    pub updated: f64,
    /// How often a document was put.
    pub revision: u32,
}

impl Overview {
    /// Returns the overview of a trace without documents, whose first one starts at `start`, in epoch seconds.
    #[must_use]
    pub fn new(start: f64) -> Self {
        Self { annotations: Annotations::default(), start, end: start, updated: start, revision: 0 }
    }

    /// Adds the times and annotations of a document. Returns the key of an annotation that X-Ray would not index, if there
    /// is one.
    pub fn add<'a>(&mut self, segment: &'a Segment) -> Option<&'a str> {
        self.start = self.start.min(segment.start_time);
        self.end = self.end.max(segment.last_end_time().unwrap_or(segment.start_time));
        self.annotations.add(segment)
    }
}

/// Which traces are wanted.
pub trait Wanted {
    /// Whether a trace can be wanted, by what is known of it without reading its documents.
    fn may_want(&self, overview: &Overview) -> bool;

    /// Whether a trace is wanted.
    fn wants(&self, facts: &Facts) -> bool;
}

/// A trace on a [`Page`].
#[derive(Clone, Debug)]
pub struct StoredTrace {
    /// The id of the trace.
    pub id: TraceId,
    /// What its documents say.
    pub facts: Arc<Facts>,
    /// When a document was last put, epoch seconds.
    pub updated: f64,
    /// How often a document was put.
    pub revision: u32,
}

/// One page of a walk over the traces.
#[derive(Clone, Debug)]
pub struct Page {
    /// The traces wanted.
    pub traces: Vec<StoredTrace>,
    /// Where the walk continues; `None` at its end.
    pub next: Option<u64>,
    /// How many traces were examined.
    pub examined: usize,
}
