//! Which finished spans leave when.
//!
//! The first span of this process in a trace (a request, a message) and the spans below it leave together, when the first
//! has ended: at once if no batch left a moment ago, else with the next one. Then whoever reads the trace finds it whole,
//! and whatever another process does under these spans has its parent. Work that takes longer sends what has ended before,
//! at the latest after a delay, and with it a *copy* of its first span, marked as in progress: should the process be
//! killed, the trace still shows who had begun, and no span that has left lacks its parent. The span itself has the same id, and
//! X-Ray replaces the copy by it. So a copy costs a document only for work that outlasts the delay.

use std::collections::{BTreeSet, HashMap, VecDeque};
use std::time::{Duration, Instant};

use opentelemetry::trace::SpanId;
use opentelemetry::{Array, KeyValue, StringValue, Value};
use opentelemetry_sdk::trace::SpanData;

use crate::attributes;

/// How many spans wait for how long.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Limits {
    /// Spans in memory, beyond which those that end are lost.
    pub(crate) capacity: usize,
    /// Spans in one batch.
    pub(crate) batch: usize,
    /// How long a finished span waits for the first span of its process.
    pub(crate) delay: Duration,
}

impl Limits {
    /// The least time between two batches that are not full. It bounds the number of requests under load, and is short
    /// because a kill costs the spans that ended since the last batch.
    fn gap(&self) -> Duration {
        self.delay / 40
    }
}

/// Finished spans that have not left, and the first spans that are still open.
#[derive(Debug)]
pub(super) struct Waiting {
    limits: Limits,
    open: HashMap<SpanId, Open>,
    /// The open spans whose finished ones must leave, by when.
    due: BTreeSet<(Instant, [u8; 8])>,
    ready: VecDeque<SpanData>,
    held: usize,
    leaving: usize,
    departed: u64,
    created: Instant,
    not_before: Instant,
    hurried: bool,
    closed: bool,
    expected: Option<Instant>,
}

/// The first span of this process in a trace, still open.
#[derive(Debug)]
struct Open {
    /// As it was at its start; taken when the copy leaves.
    copy: Option<SpanData>,
    held: Vec<SpanData>,
    due: Option<Instant>,
}

/// Spans that leave together.
#[derive(Debug)]
pub(super) struct Batch {
    /// Copies first, then finished spans.
    pub(super) spans: Vec<SpanData>,
    /// How many of them are finished.
    pub(super) finished: usize,
}

impl Waiting {
    pub(super) fn new(limits: Limits, now: Instant) -> Self {
        Self {
            limits,
            open: HashMap::new(),
            due: BTreeSet::new(),
            ready: VecDeque::new(),
            held: 0,
            leaving: 0,
            departed: 0,
            created: now,
            not_before: now,
            hurried: false,
            closed: false,
            expected: None,
        }
    }

    /// Returns the number of finished spans that have not left.
    pub(super) fn len(&self) -> usize {
        self.ready.len() + self.held + self.leaving
    }

    /// Notes the first span of this process in a trace. Beyond the capacity there is no copy, and the spans below it do
    /// not wait for it.
    pub(super) fn started(&mut self, span: SpanData) {
        if self.open.len() < self.limits.capacity && !self.closed {
            let id = span.span_context.span_id();
            self.open.insert(id, Open { copy: Some(span), held: Vec::new(), due: None });
        }
    }

    /// Takes a finished span. Returns whether it found a place; if not, it is lost.
    pub(super) fn ended(&mut self, span: SpanData, now: Instant) -> bool {
        let accepted = self.len() < self.limits.capacity && !self.closed;
        if let Some(open) = self.open.remove(&span.span_context.span_id()) {
            self.no_longer_due(span.span_context.span_id(), open.due);
            self.held -= open.held.len();
            self.ready.extend(open.held);
        }
        if !accepted {
            return false;
        }
        let Some(open) = self.open.get_mut(&span.parent_span_id).filter(|_| !is_in_progress(&span)) else {
            self.ready.push_back(span);
            return true;
        };
        if open.due.is_none() {
            let due = now + self.limits.delay;
            open.due = Some(due);
            self.due.insert((due, span.parent_span_id.to_bytes()));
        }
        open.held.push(span);
        self.held += 1;
        true
    }

    fn no_longer_due(&mut self, id: SpanId, due: Option<Instant>) {
        if let Some(due) = due {
            self.due.remove(&(due, id.to_bytes()));
        }
    }

    /// Returns when the next batch may leave, if there is anything to wait for.
    fn next(&self) -> Option<Instant> {
        let due = self.due.first().map(|(due, _)| *due);
        if self.ready.is_empty() {
            return due;
        }
        let at_once = self.hurried || self.ready.len() >= self.limits.batch;
        let ready = if at_once { self.created } else { self.not_before };
        Some(due.map_or(ready, |due| due.min(ready)))
    }

    /// Returns the next batch, if one may leave now, and else how long to wait: `None` until something changes.
    pub(super) fn take(&mut self, now: Instant) -> Result<Batch, Option<Duration>> {
        self.release(now);
        self.expected = self.next();
        match self.expected {
            Some(next) if next <= now => Ok(self.batch(now)),
            next => Err(next.map(|next| next.saturating_duration_since(now))),
        }
    }

    /// Whether a batch may leave earlier than the last [`take`](Self::take) said.
    pub(super) fn is_earlier_than_expected(&self) -> bool {
        self.next().is_some_and(|next| self.expected.is_none_or(|expected| next < expected))
    }

    /// Lets the finished spans go whose first span has been open for too long.
    fn release(&mut self, now: Instant) {
        while let Some((due, id)) = self.due.first().copied() {
            if due > now && !self.hurried {
                return;
            }
            self.due.pop_first();
            if let Some(open) = self.open.get_mut(&SpanId::from_bytes(id)) {
                open.due = None;
                self.held -= open.held.len();
                self.ready.extend(open.held.drain(..));
            }
        }
    }

    fn batch(&mut self, now: Instant) -> Batch {
        let finished = self.ready.len().min(self.limits.batch);
        let mut spans = Vec::with_capacity(finished);
        // Only now, because many first spans have ended since the spans below them were let go.
        for span in self.ready.iter().take(finished) {
            let open = self.open.get_mut(&span.parent_span_id);
            spans.extend(open.and_then(|open| open.copy.take()).map(in_progress));
        }
        spans.extend(self.ready.drain(..finished));
        self.leaving = finished;
        self.not_before = now + self.limits.gap();
        self.hurried &= !self.ready.is_empty();
        Batch { spans, finished }
    }

    /// Notes that the last batch was accepted or lost. Returns whether it still counts.
    pub(super) fn has_left(&mut self) -> bool {
        self.departed += self.leaving as u64;
        std::mem::take(&mut self.leaving) > 0
    }

    /// Returns how many spans have left so far.
    pub(super) fn departed(&self) -> u64 {
        self.departed
    }

    /// Returns how many spans will have left when those that are ready have, which leave in their order.
    pub(super) fn ready(&self) -> u64 {
        self.departed + (self.leaving + self.ready.len()) as u64
    }

    /// Lets everything go at once.
    pub(super) fn hurry(&mut self) {
        self.hurried = true;
        self.release(Instant::now());
    }

    /// Takes no further spans, and lets everything go at once. Returns false if that was so already.
    pub(super) fn close(&mut self) -> bool {
        self.hurry();
        !std::mem::replace(&mut self.closed, true)
    }

    pub(super) fn is_closed(&self) -> bool {
        self.closed
    }

    /// Gives up what has not left. Returns how much that is.
    pub(super) fn abandon(&mut self) -> usize {
        let abandoned = self.len();
        self.ready.clear();
        self.open.clear();
        (self.held, self.leaving) = (0, 0);
        abandoned
    }
}

fn is_in_progress(span: &SpanData) -> bool {
    span.attributes.iter().any(|attribute| attribute.key.as_str() == attributes::AWS_XRAY_IN_PROGRESS)
}

/// Marks a span as in progress, and lists those annotations that it has from the start.
fn in_progress(mut span: SpanData) -> SpanData {
    let known = attributes::ANNOTATIONS.into_iter();
    let annotations: Vec<_> = known
        .filter(|key| span.attributes.iter().any(|attribute| attribute.key.as_str() == *key))
        .map(StringValue::from)
        .collect();
    if !annotations.is_empty() {
        let list = Value::Array(Array::String(annotations));
        span.attributes.push(KeyValue::new(attributes::AWS_XRAY_ANNOTATIONS, list));
    }
    span.attributes.push(KeyValue::new(attributes::AWS_XRAY_IN_PROGRESS, true));
    span
}

#[cfg(test)]
mod tests;
