//! A whole trace: its segments and subsegments as a tree.

mod assemble;
mod problem;
mod tree;

pub use self::problem::Problem;
use self::tree::Tree;
use crate::{Annotations, DocumentError, Segment, SegmentId, TraceId};

/// The segments of one trace as a tree.
///
/// Segments, embedded subsegments and independent subsegments all become nodes; embedded ones are removed from their
/// document. Children are ordered by start. Whatever does not fit is kept as another root and listed among the
/// [problems](Trace::problems), so that nothing is lost from sight.
#[derive(Clone, Debug)]
pub struct Trace {
    id: TraceId,
    tree: Tree,
}

/// The error flags of a trace, as `GetTraceSummaries` has them
/// (<https://docs.aws.amazon.com/xray/latest/api/API_TraceSummary.html>).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Flags {
    /// The entry segment has a client error.
    pub error: bool,
    /// The entry segment has a server error.
    pub fault: bool,
    /// At least one call was throttled.
    pub throttle: bool,
}

/// A segment or subsegment at its place in a [`Trace`].
#[derive(Clone, Copy, Debug)]
pub struct Node<'a> {
    trace: &'a Trace,
    index: usize,
}

impl Trace {
    /// Assembles a trace from its documents, in any order.
    #[must_use]
    pub fn assemble(id: TraceId, documents: Vec<Segment>) -> Self {
        Self { id, tree: assemble::assemble(id, documents) }
    }

    /// Assembles a trace from the text of its documents, as `BatchGetTraces` returns them. Inferred segments are left out:
    /// they repeat what the call says, which the trace has too.
    ///
    /// # Errors
    /// When one of the texts is not a segment document.
    pub fn read<'a>(
        id: TraceId,
        documents: impl IntoIterator<Item = &'a str>,
    ) -> Result<Self, DocumentError> {
        let segments = documents.into_iter().map(Segment::read).collect::<Result<Vec<_>, _>>()?;
        let sent = segments.into_iter().filter(|segment| segment.inferred != Some(true));
        Ok(Self::assemble(id, sent.collect()))
    }

    /// Returns the id of the trace.
    #[must_use]
    pub fn id(&self) -> TraceId {
        self.id
    }

    /// Returns what keeps the trace from being one connected tree; empty if it is one.
    #[must_use]
    pub fn problems(&self) -> &[Problem] {
        &self.tree.problems
    }

    /// Iterates over the nodes without a parent in the trace, the entry segment first, then by start.
    pub fn roots(&self) -> impl Iterator<Item = Node<'_>> + Clone {
        self.tree.roots.iter().map(|&index| Node { trace: self, index })
    }

    /// Returns the segment that the trace began with: the first root to start. A subsegment counts only if there is
    /// nothing else.
    #[must_use]
    pub fn entry(&self) -> Option<Node<'_>> {
        self.roots().next()
    }

    /// Iterates over the nodes in no particular order.
    pub fn nodes(&self) -> impl Iterator<Item = Node<'_>> + Clone {
        (0..self.tree.nodes.len()).map(|index| Node { trace: self, index })
    }

    /// Returns the node with this id.
    #[must_use]
    pub fn node(&self, id: SegmentId) -> Option<Node<'_>> {
        self.tree.index.get(&id).map(|&index| Node { trace: self, index })
    }

    /// Iterates over the nodes with their depth, parents before their children, as a tree is printed.
    pub fn walk(&self) -> impl Iterator<Item = (usize, Node<'_>)> {
        let mut waiting: Vec<(usize, usize)> =
            self.tree.roots.iter().rev().map(|&index| (0, index)).collect();
        std::iter::from_fn(move || {
            let (depth, index) = waiting.pop()?;
            waiting.extend(self.tree.nodes[index].children.iter().rev().map(|&child| (depth + 1, child)));
            Some((depth, Node { trace: self, index }))
        })
    }

    /// Returns the first start of any node, in epoch seconds. `None` for a trace without documents.
    #[must_use]
    pub fn start_time(&self) -> Option<f64> {
        self.tree.nodes.iter().map(|entry| entry.segment.start_time).reduce(f64::min)
    }

    /// Returns the last end of any node, in epoch seconds. `None` while nothing has ended.
    #[must_use]
    pub fn end_time(&self) -> Option<f64> {
        self.tree.nodes.iter().filter_map(|entry| entry.segment.end_time).reduce(f64::max)
    }

    /// Returns the seconds from the start of the entry segment to the last end of any node.
    #[must_use]
    pub fn duration(&self) -> Option<f64> {
        Some(seconds_between(self.entry()?.segment().start_time, self.end_time()?))
    }

    /// Returns the seconds that the entry segment took, which is how long the caller waited.
    #[must_use]
    pub fn response_time(&self) -> Option<f64> {
        let entry = self.entry()?.segment();
        Some(seconds_between(entry.start_time, entry.end_time?))
    }

    /// Returns the error flags of the trace.
    #[must_use]
    pub fn flags(&self) -> Flags {
        let entry = self.entry();
        let on_entry =
            |flag: fn(&Segment) -> Option<bool>| entry.is_some_and(|node| flag(node.segment()) == Some(true));
        Flags {
            error: on_entry(|segment| segment.error),
            fault: on_entry(|segment| segment.fault),
            throttle: self.tree.nodes.iter().any(|node| node.segment.throttle == Some(true)),
        }
    }

    /// Returns the annotations of all nodes.
    #[must_use]
    pub fn annotations(&self) -> Annotations {
        let mut annotations = Annotations::default();
        for entry in &self.tree.nodes {
            annotations.add(&entry.segment);
        }
        annotations
    }
}

/// Rounds to microseconds: a 64-bit float holds epoch seconds to a quarter of one, so anything below is noise.
fn seconds_between(start: f64, end: f64) -> f64 {
    ((end - start).max(0.0) * 1e6).round() / 1e6
}

impl<'a> Node<'a> {
    /// Returns the document, without the subsegments embedded in it: those are [children](Node::children).
    #[must_use]
    pub fn segment(self) -> &'a Segment {
        &self.trace.tree.nodes[self.index].segment
    }

    /// Returns the node that called this one.
    #[must_use]
    pub fn parent(self) -> Option<Node<'a>> {
        self.trace.tree.nodes[self.index].parent.map(|index| Node { trace: self.trace, index })
    }

    /// Iterates over the nodes that this one called, ordered by start.
    pub fn children(self) -> impl Iterator<Item = Node<'a>> + Clone {
        self.trace.tree.nodes[self.index].children.iter().map(move |&index| Node { trace: self.trace, index })
    }

    /// Returns the nearest segment at or above this node, which is the service that did the work. Returns the node
    /// itself if there is none.
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

    /// Whether this is a subsegment, embedded or independent.
    #[must_use]
    pub fn is_subsegment(self) -> bool {
        self.segment().is_subsegment()
    }
}
