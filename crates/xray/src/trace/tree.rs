//! The tree behind a trace.

use std::collections::HashMap;

use super::problem::Problem;
use crate::{Segment, SegmentId};

/// Nodes in a list, ordered by start; they refer to each other by their place in it.
#[derive(Clone, Debug)]
pub(super) struct Tree {
    pub(super) nodes: Vec<Entry>,
    /// The entry segment first, then by start.
    pub(super) roots: Vec<usize>,
    pub(super) index: HashMap<SegmentId, usize>,
    pub(super) problems: Vec<Problem>,
}

#[derive(Clone, Debug)]
pub(super) struct Entry {
    pub(super) segment: Segment,
    pub(super) parent: Option<usize>,
    pub(super) children: Vec<usize>,
}
