//! What can be wrong with a trace.

use thiserror::Error;

use crate::{SegmentId, TraceId};

/// A place where a trace is not one connected tree.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum Problem {
    /// The parent is not in the trace. The entry segment may have such a parent, that of the caller, and so may the
    /// segments of further requests of the same caller.
    #[error("segment {id} has the parent {parent_id}, which is not in the trace")]
    Orphan {
        /// The segment.
        id: SegmentId,
        /// The parent it names.
        parent_id: SegmentId,
    },
    /// More than one node has no parent in the trace, and not all of them are requests of one caller.
    #[error("the trace has {} roots", ids.len())]
    SeveralRoots {
        /// The roots, the entry segment first.
        ids: Vec<SegmentId>,
    },
    /// Two complete documents have the same id and different contents; the later one was kept.
    #[error("segment {id} occurs twice")]
    DuplicateId {
        /// The id.
        id: SegmentId,
    },
    /// Nodes are each other's ancestors; the named one was made a root.
    #[error("segment {id} is among its own ancestors")]
    Cycle {
        /// The first of them to start.
        id: SegmentId,
    },
    /// A document belongs to another trace; it was left out.
    #[error("segment {id} belongs to trace {trace_id}")]
    OtherTrace {
        /// The segment.
        id: SegmentId,
        /// Its trace.
        trace_id: TraceId,
    },
}
