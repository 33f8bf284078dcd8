//! What is searched for, and found.

use std::sync::Arc;

use xray::{Segment, SegmentId, TraceId};

use crate::facts::Facts;
use crate::filter::{FilterExpression, Needs};

/// The times of a trace, in epoch seconds.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Times {
    /// Its first start.
    pub(crate) start: f64,
    /// Its last end; the last start while nothing has ended.
    pub(crate) end: f64,
    /// When a document was last put.
    pub(crate) updated: f64,
}

impl Times {
    /// Returns the times of a trace with these documents.
    pub(super) fn of(segments: &[Segment], updated: f64) -> Self {
        let start = segments.iter().map(|segment| segment.start_time).reduce(f64::min);
        let ends = segments.iter().map(|segment| segment.last_end_time().unwrap_or(segment.start_time));
        let start = start.unwrap_or(updated);
        Self { start, end: ends.reduce(f64::max).unwrap_or(start), updated }
    }

    /// Returns the earliest and the latest times of traces, of which there must be some.
    pub(super) fn span<'a>(all: &(impl Iterator<Item = &'a Self> + Clone)) -> (Self, Self) {
        let with = |choose: fn(f64, f64) -> f64, other: f64| {
            all.clone().fold(Self { start: other, end: other, updated: other }, |found, times| Self {
                start: choose(found.start, times.start),
                end: choose(found.end, times.end),
                updated: choose(found.updated, times.updated),
            })
        };
        (with(f64::min, f64::MAX), with(f64::max, f64::MIN))
    }
}

/// Which of the times must lie in the range.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum TraceTime {
    Start,
    End,
    Updated,
}

/// Which traces are wanted.
#[derive(Clone, Debug)]
pub(crate) struct Search {
    /// Epoch seconds.
    from: f64,
    /// Epoch seconds.
    to: f64,
    time: TraceTime,
    filter: FilterExpression,
    needs: Needs,
    /// The share of the traces that is looked at, from 0 to 1.
    share: f64,
}

impl Search {
    /// Returns a search for traces with a time in a range, in epoch seconds; `None` if it ends before it begins.
    pub(crate) fn new(from: f64, to: f64, time: TraceTime, filter: FilterExpression) -> Option<Self> {
        let needs = Needs::of(filter.expression());
        // Whole seconds are compared, as X-Ray does with the time in a trace id. Clients send the end of the range without
        // its fraction, and a trace that started within that second is still found.
        (from <= to).then(|| Self {
            from: from.floor(),
            to: to.floor() + 1.0,
            time,
            filter,
            needs,
            share: 1.0,
        })
    }

    /// Looks at a share of the traces only, from 0 to 1: always at the same ones.
    pub(crate) fn of_a_share(self, share: f64) -> Self {
        Self { share, ..self }
    }

    /// Returns a search for traces that started in a range.
    pub(crate) fn started(from: f64, to: f64, filter: FilterExpression) -> Option<Self> {
        Self::new(from, to, TraceTime::Start, filter)
    }

    pub(super) fn filter(&self) -> &FilterExpression {
        &self.filter
    }

    /// Whether the filter is about root causes.
    pub(super) fn needs_causes(&self) -> bool {
        self.filter.expression().is_about_causes()
    }

    pub(super) fn needs(&self) -> &Needs {
        &self.needs
    }

    /// Whether a trace is among the share that is looked at. The end of an id is random.
    pub(super) fn looks_at(&self, id: TraceId) -> bool {
        let [.., a, b, c, d] = id.to_bytes();
        f64::from(u32::from_be_bytes([a, b, c, d])) < self.share * 2_f64.powi(32)
    }

    /// Whether the time of a trace lies in the range.
    pub(super) fn covers(&self, times: &Times) -> bool {
        self.overlaps(times, times)
    }

    /// Whether a range of traces, given by its earliest and its latest times, overlaps the range wanted.
    pub(super) fn overlaps(&self, earliest: &Times, latest: &Times) -> bool {
        let time = |times: &Times| match self.time {
            TraceTime::Start => times.start,
            TraceTime::End => times.end,
            TraceTime::Updated => times.updated,
        };
        time(latest) >= self.from && time(earliest) < self.to
    }
}

/// A segment document as it was put.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Document {
    /// The id of the segment.
    pub(crate) id: SegmentId,
    /// Its text.
    pub(crate) json: String,
}

/// A trace that was found.
#[derive(Clone, Debug)]
pub(crate) struct StoredTrace {
    pub(crate) id: TraceId,
    /// What its documents say.
    pub(crate) facts: Arc<Facts>,
    /// When a document was last put, epoch seconds.
    pub(crate) updated: f64,
    /// How often a document was put.
    pub(crate) revision: u32,
}

/// One page of what was found.
#[derive(Clone, Debug, Default)]
pub(crate) struct Page {
    pub(crate) traces: Vec<StoredTrace>,
    /// Where the search continues; `None` at its end.
    pub(crate) next: Option<u64>,
    /// How many traces of the range were examined.
    pub(crate) examined: usize,
}
