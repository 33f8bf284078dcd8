//! Finding traces by time and filter expression.

use crate::facts::Facts;
use crate::filter::FilterExpression;
use crate::store::{Overview, Page, Store, StoredTrace, Wanted};

/// Which traces are wanted. Times are in epoch seconds.
#[derive(Clone, Debug)]
pub(crate) struct Search {
    pub(crate) from: f64,
    pub(crate) to: f64,
    /// Which of a trace's times must lie in the range.
    pub(crate) time: TraceTime,
    pub(crate) filter: FilterExpression,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum TraceTime {
    Start,
    /// The end of its last segment.
    End,
    /// When its last document arrived.
    LastUpdate,
}

impl Search {
    /// Returns a search for traces that started in a range; `None` if it ends before it begins.
    pub(crate) fn started(from: f64, to: f64, filter: FilterExpression) -> Option<Self> {
        (from <= to).then_some(Self { from, to, time: TraceTime::Start, filter })
    }

    /// Returns all traces wanted.
    pub(crate) fn all(&self, store: &dyn Store) -> Vec<StoredTrace> {
        self.page(store, 0, usize::MAX).traces
    }

    /// Returns a page of the traces wanted; see [`Store::page`].
    pub(crate) fn page(&self, store: &dyn Store, from: u64, size: usize) -> Page {
        store.page(from, size, self)
    }

    /// Compares whole seconds, as X-Ray does with the time in a trace id. Clients send the end of the range without its
    /// fraction, and a trace that started within that second is still found.
    fn covers(&self, trace: &Overview) -> bool {
        let time = match self.time {
            TraceTime::Start => trace.start,
            TraceTime::End => trace.end,
            TraceTime::LastUpdate => trace.updated,
        };
        (self.from.floor()..=self.to).contains(&time.floor())
    }
}

impl Wanted for Search {
    fn may_want(&self, overview: &Overview) -> bool {
        self.covers(overview) && self.filter.may_match(&overview.annotations)
    }

    fn wants(&self, facts: &Facts) -> bool {
        self.filter.matches(facts)
    }
}
