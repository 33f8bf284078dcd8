//! A whole trace: its segments and subsegments put together into a tree.

mod assemble;

use std::collections::HashMap;

use thiserror::Error;

use crate::{Annotations, DocumentError, Segment, SegmentId, TraceId};

/// The segments of one trace as a tree.
///
/// Segments, embedded subsegments and subsegments that are documents of their own all become nodes; embedded ones are
/// taken out of the document they came in. Children are ordered by start. Whatever does not fit is kept as
/// a further root and named among the [problems](Trace::problems), so that nothing is lost from sight.
#[derive(Clone, Debug)]
pub struct Trace {
    id: TraceId,
    nodes: Vec<Entry>,
    roots: Vec<usize>,
    index: HashMap<SegmentId, usize>,
    problems: Vec<Problem>,
}

#[derive(Clone, Debug)]
struct Entry {
    segment: Segment,
    parent: Option<usize>,
    children: Vec<usize>,
}

/// Where a trace is not one connected tree.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum Problem {
    /// The parent is not in the trace. The entry segment may have such a parent: that of the caller.
    #[error("segment {id} has the parent {parent_id}, which is not in the trace")]
    Orphan {
        /// The segment.
        id: SegmentId,
        /// The parent it names.
        parent_id: SegmentId,
    },
    /// More than one node has no parent in the trace; the ids, the entry segment first.
    #[error("the trace has {} roots", ids.len())]
    SeveralRoots {
        /// The roots.
        ids: Vec<SegmentId>,
    },
    /// Two complete documents with the same id and different contents; the later is kept.
    #[error("segment {id} is there twice")]
    DuplicateId {
        /// The id.
        id: SegmentId,
    },
    /// Nodes that are each other's parents; the named one was made a root.
    #[error("segment {id} is among its own ancestors")]
    Cycle {
        /// The first of them to start.
        id: SegmentId,
    },
    /// A document of another trace; it was left out.
    #[error("segment {id} belongs to trace {trace_id}")]
    OtherTrace {
        /// The segment.
        id: SegmentId,
        /// Its trace.
        trace_id: TraceId,
    },
}

/// The error flags of a trace, as `GetTraceSummaries` has them
/// (<https://docs.aws.amazon.com/xray/latest/api/API_TraceSummary.html>).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Flags {
    /// The entry segment has a client error.
    pub error: bool,
    /// The entry segment has a server error.
    pub fault: bool,
    /// Some document was throttled.
    pub throttle: bool,
}

/// A segment or subsegment in its place in a [`Trace`].
#[derive(Clone, Copy, Debug)]
pub struct Node<'a> {
    trace: &'a Trace,
    index: usize,
}

impl Trace {
    /// Puts a trace together from its documents, in any order.
    #[must_use]
    pub fn assemble(id: TraceId, documents: Vec<Segment>) -> Self {
        assemble::assemble(id, documents)
    }

    /// The same from the documents as text, as `BatchGetTraces` returns them.
    ///
    /// # Errors
    /// When one of the texts is no segment document.
    pub fn read<'a>(
        id: TraceId,
        documents: impl IntoIterator<Item = &'a str>,
    ) -> Result<Self, DocumentError> {
        let segments = documents.into_iter().map(Segment::read).collect::<Result<_, _>>()?;
        Ok(Self::assemble(id, segments))
    }

    /// The id of the trace.
    #[must_use]
    pub fn id(&self) -> TraceId {
        self.id
    }

    /// What keeps the trace from being one connected tree; empty if it is one.
    #[must_use]
    pub fn problems(&self) -> &[Problem] {
        &self.problems
    }

    /// The nodes without a parent in the trace, the entry segment first, then by start.
    pub fn roots(&self) -> impl Iterator<Item = Node<'_>> + Clone {
        self.roots.iter().map(|&index| Node { trace: self, index })
    }

    /// The segment the trace began with: the first root to start, subsegments only where there is nothing else.
    #[must_use]
    pub fn entry(&self) -> Option<Node<'_>> {
        self.roots().next()
    }

    /// Every node in no particular order.
    pub fn nodes(&self) -> impl Iterator<Item = Node<'_>> + Clone {
        (0..self.nodes.len()).map(|index| Node { trace: self, index })
    }

    /// The node with this id.
    #[must_use]
    pub fn node(&self, id: SegmentId) -> Option<Node<'_>> {
        self.index.get(&id).map(|&index| Node { trace: self, index })
    }

    /// Every node with its depth, parents before their children, as a tree is printed.
    pub fn walk(&self) -> impl Iterator<Item = (usize, Node<'_>)> {
        let mut waiting: Vec<(usize, usize)> = self.roots.iter().rev().map(|&index| (0, index)).collect();
        std::iter::from_fn(move || {
            let (depth, index) = waiting.pop()?;
            waiting.extend(self.nodes[index].children.iter().rev().map(|&child| (depth + 1, child)));
            Some((depth, Node { trace: self, index }))
        })
    }

    /// The first start of any node, in epoch seconds. `None` for a trace without documents.
    #[must_use]
    pub fn start_time(&self) -> Option<f64> {
        self.nodes.iter().map(|entry| entry.segment.start_time).reduce(f64::min)
    }

    /// The last end of any node, in epoch seconds. `None` while nothing has ended.
    #[must_use]
    pub fn end_time(&self) -> Option<f64> {
        self.nodes.iter().filter_map(|entry| entry.segment.end_time).reduce(f64::max)
    }

    /// Seconds from the start of the entry segment to the last end of anything.
    #[must_use]
    pub fn duration(&self) -> Option<f64> {
        Some(seconds_between(self.entry()?.segment().start_time, self.end_time()?))
    }

    /// Seconds that the entry segment took, which is how long the caller waited.
    #[must_use]
    pub fn response_time(&self) -> Option<f64> {
        let entry = self.entry()?.segment();
        Some(seconds_between(entry.start_time, entry.end_time?))
    }

    /// The error flags of the trace.
    #[must_use]
    pub fn flags(&self) -> Flags {
        let entry = self.entry();
        let on_entry =
            |flag: fn(&Segment) -> Option<bool>| entry.is_some_and(|node| flag(node.segment()) == Some(true));
        Flags {
            error: on_entry(|segment| segment.error),
            fault: on_entry(|segment| segment.fault),
            throttle: self.nodes.iter().any(|node| node.segment.throttle == Some(true)),
        }
    }

    /// The annotations of all nodes.
    #[must_use]
    pub fn annotations(&self) -> Annotations {
        let mut annotations = Annotations::default();
        for entry in &self.nodes {
            annotations.add(&entry.segment);
        }
        annotations
    }
}

/// Epoch seconds are held to a quarter of a microsecond, so everything below a microsecond is noise.
fn seconds_between(start: f64, end: f64) -> f64 {
    ((end - start).max(0.0) * 1e6).round() / 1e6
}

impl<'a> Node<'a> {
    /// The document. Its embedded subsegments are not in it any more: they are [children](Node::children).
    #[must_use]
    pub fn segment(self) -> &'a Segment {
        &self.trace.nodes[self.index].segment
    }

    /// The node that called this one.
    #[must_use]
    pub fn parent(self) -> Option<Node<'a>> {
        self.trace.nodes[self.index].parent.map(|index| Node { trace: self.trace, index })
    }

    /// The nodes that this one called, by start.
    pub fn children(self) -> impl Iterator<Item = Node<'a>> + Clone {
        self.trace.nodes[self.index].children.iter().map(move |&index| Node { trace: self.trace, index })
    }

    /// The segment this node is or is inside of: the service that did it. The node itself where there is none.
    #[must_use]
    pub fn service(self) -> Node<'a> {
        let mut node = self;
        while node.is_subsegment() {
            match node.parent() {
                Some(parent) => node = parent,
                None => return self,
            }
        }
        node
    }

    /// Whether this is a subsegment, embedded or a document of its own.
    #[must_use]
    pub fn is_subsegment(self) -> bool {
        self.segment().is_subsegment()
    }
}
