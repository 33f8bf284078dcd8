//! Assembling the documents of a trace. Trees can be deep, so nothing here is recursive.

use std::collections::{HashMap, HashSet};
use std::hash::Hash;

use super::problem::Problem;
use super::tree::{Entry, Tree};
use crate::{Segment, TraceId};

pub(super) fn assemble(id: TraceId, documents: Vec<Segment>) -> Tree {
    let mut problems = Vec::new();
    let mut nodes: Vec<Entry> = Vec::with_capacity(documents.len());
    let mut index = HashMap::with_capacity(documents.len());

    for segment in flatten(id, documents, &mut problems) {
        match index.get(&segment.id).copied() {
            None => {
                index.insert(segment.id, nodes.len());
                nodes.push(Entry { segment, parent: None, children: Vec::new() });
            }
            Some(known) => keep_one(&mut nodes[known].segment, segment, &mut problems),
        }
    }
    nodes.sort_by(|a, b| a.segment.start_time.total_cmp(&b.segment.start_time));
    for (place, node) in nodes.iter().enumerate() {
        index.insert(node.segment.id, place);
    }

    let mut roots = Vec::new();
    for place in 0..nodes.len() {
        match nodes[place].segment.parent_id.and_then(|parent| index.get(&parent).copied()) {
            Some(parent) => {
                nodes[place].parent = Some(parent);
                nodes[parent].children.push(place);
            }
            None => roots.push(place),
        }
    }
    break_cycles(&mut nodes, &mut roots, &mut problems);

    // The entry is the first segment to start or, if there is none, the first subsegment.
    roots.sort_by_key(|&root| (nodes[root].segment.is_subsegment(), root));
    // The entry may name a parent outside the trace, the caller's, and so may the entries of further requests of the same
    // caller. But if some root names no parent at all, the trace began there, and nobody called it from outside.
    let called_from_outside = roots.iter().all(|&root| nodes[root].segment.parent_id.is_some());
    let is_entry = |number: usize, segment: &Segment| {
        let request = segment.http.as_ref().is_some_and(|http| http.request.is_some());
        called_from_outside && !segment.is_subsegment() && (number == 0 || request)
    };
    let mut strangers = 0;
    for (number, &root) in roots.iter().enumerate() {
        let segment = &nodes[root].segment;
        if is_entry(number, segment) {
            continue;
        }
        strangers += 1;
        if let Some(parent_id) = segment.parent_id
            && !index.contains_key(&parent_id)
        {
            problems.push(Problem::Orphan { id: segment.id, parent_id });
        }
    }
    if roots.len() > 1 && strangers > 0 {
        problems
            .push(Problem::SeveralRoots { ids: roots.iter().map(|&root| nodes[root].segment.id).collect() });
    }
    Tree { nodes, roots, index, problems }
}

/// Returns the documents of the trace and the subsegments embedded in them, each with its parent and type set.
fn flatten(id: TraceId, documents: Vec<Segment>, problems: &mut Vec<Problem>) -> Vec<Segment> {
    let mut flat = Vec::with_capacity(documents.len());
    let mut waiting = documents;
    waiting.reverse();
    while let Some(mut segment) = waiting.pop() {
        if let Some(trace_id) = segment.trace_id
            && trace_id != id
        {
            problems.push(Problem::OtherTrace { id: segment.id, trace_id });
            continue;
        }
        for mut embedded in std::mem::take(&mut segment.subsegments).into_iter().rev() {
            embedded.parent_id = Some(segment.id);
            embedded.trace_id = Some(id);
            embedded.set_subsegment(true);
            waiting.push(embedded);
        }
        flat.push(segment);
    }
    flat
}

/// Decides between two documents with the same id. A complete one replaces the one in progress; of two different ones
/// the later counts, as in X-Ray.
fn keep_one(known: &mut Segment, other: Segment, problems: &mut Vec<Problem>) {
    if *known == other || (other.is_in_progress() && !known.is_in_progress()) {
        return;
    }
    if known.is_in_progress() == other.is_in_progress() {
        let problem = Problem::DuplicateId { id: other.id };
        if !problems.contains(&problem) {
            problems.push(problem);
        }
    }
    *known = other;
}

/// Makes every node reachable. Those that no root reaches are in or below a cycle; until none is left, the first node
/// of a cycle to start loses its parent and becomes a root.
fn break_cycles(nodes: &mut [Entry], roots: &mut Vec<usize>, problems: &mut Vec<Problem>) {
    let mut reached = HashSet::with_capacity(nodes.len());
    for &root in roots.iter() {
        reach(nodes, root, &mut reached);
    }
    for place in 0..nodes.len() {
        if reached.contains(&place) {
            continue;
        }
        // This node may be below the cycle rather than on it; the first ancestor to repeat is on it.
        let on_cycle = first_repeated(place, |node| nodes[node].parent);
        let cycle = std::iter::successors(nodes[on_cycle].parent, |&node| nodes[node].parent)
            .take_while(|&node| node != on_cycle);
        let first = cycle.chain([on_cycle]).min().unwrap_or(on_cycle);
        if let Some(parent) = nodes[first].parent.take() {
            nodes[parent].children.retain(|&child| child != first);
        }
        problems.push(Problem::Cycle { id: nodes[first].segment.id });
        roots.push(first);
        reach(nodes, first, &mut reached);
    }
}

fn reach(nodes: &[Entry], from: usize, reached: &mut HashSet<usize>) {
    let mut waiting = vec![from];
    while let Some(node) = waiting.pop() {
        if reached.insert(node) {
            waiting.extend(&nodes[node].children);
        }
    }
}

/// Follows `next` from `start` and returns the first value to occur twice, or the last one if the chain ends.
fn first_repeated<T: Copy + Eq + Hash>(start: T, next: impl Fn(T) -> Option<T>) -> T {
    let mut seen = HashSet::new();
    let mut current = start;
    while seen.insert(current) {
        match next(current) {
            Some(following) => current = following,
            None => break,
        }
    }
    current
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::{SegmentId, Trace};

    const TRACE: TraceId = TraceId::from_bytes([7; 16]);

    fn id(number: u64) -> SegmentId {
        SegmentId::from_bytes(number.to_be_bytes())
    }

    fn segment(number: u64, parent: Option<u64>, start: f64, end: f64) -> Segment {
        Segment {
            trace_id: Some(TRACE),
            parent_id: parent.map(id),
            end_time: Some(end),
            ..Segment::new(format!("s{number}"), id(number), start)
        }
    }

    fn subsegment(number: u64, parent: u64, start: f64, end: f64) -> Segment {
        let mut made = segment(number, Some(parent), start, end);
        made.set_subsegment(true);
        made
    }

    fn printed(trace: &Trace) -> String {
        let lines = trace.walk().map(|(depth, node)| format!("{depth}{}", node.segment().name));
        lines.collect::<Vec<_>>().join(" ")
    }

    #[test]
    fn documents_in_any_order_make_one_tree() {
        let mut embedding = segment(3, Some(2), 2.0, 5.0);
        let mut embedded = Segment { end_time: Some(4.5), ..Segment::new("s4", id(4), 4.0) };
        embedded.subsegments.push(Segment { end_time: Some(4.4), ..Segment::new("s5", id(5), 4.1) });
        embedding.subsegments = vec![embedded];
        let documents = vec![
            subsegment(6, 3, 3.0, 3.5),
            embedding,
            subsegment(2, 1, 1.0, 1.5),
            segment(1, None, 0.5, 2.0),
        ];
        let trace = Trace::assemble(TRACE, documents);
        assert_eq!(printed(&trace), "0s1 1s2 2s3 3s6 3s4 4s5");
        assert!(trace.problems().is_empty());
        assert_eq!(trace.duration(), Some(4.5));
        assert_eq!(trace.response_time(), Some(1.5));
        let deepest = trace.node(id(5)).unwrap();
        assert!(deepest.is_subsegment());
        assert_eq!(deepest.service().segment().name, "s3");
        assert_eq!(deepest.segment().trace_id, Some(TRACE));
    }

    #[test]
    fn the_entry_segment_may_have_the_callers_parent() {
        let trace = Trace::assemble(TRACE, vec![segment(1, Some(99), 0.0, 1.0), subsegment(2, 1, 0.1, 0.2)]);
        assert!(trace.problems().is_empty());
        assert_eq!(trace.entry().unwrap().segment().id, id(1));
    }

    #[test]
    fn a_subsegment_without_its_segment_is_an_orphan() {
        let trace = Trace::assemble(TRACE, vec![subsegment(2, 1, 0.1, 0.2)]);
        assert_eq!(trace.problems(), [Problem::Orphan { id: id(2), parent_id: id(1) }]);
    }

    #[test]
    fn a_broken_trace_keeps_everything_and_lists_its_problems() {
        let trace = Trace::assemble(TRACE, vec![segment(3, Some(99), 0.0, 2.0), segment(1, None, 1.0, 2.0)]);
        assert_eq!(trace.nodes().count(), 2);
        assert_eq!(
            trace.problems(),
            [
                Problem::Orphan { id: id(3), parent_id: id(99) },
                Problem::SeveralRoots { ids: vec![id(3), id(1)] }
            ]
        );
    }

    #[test]
    fn several_requests_of_one_caller_are_siblings() {
        let request = |number, parent| {
            let http = crate::Http { request: Some(crate::HttpRequest::default()), ..crate::Http::default() };
            Segment { http: Some(http), ..segment(number, Some(parent), 0.0, 1.0) }
        };
        let message = |number, parent| segment(number, parent, 0.5, 1.0);
        let problems = |documents| Trace::assemble(TRACE, documents).problems().len();
        assert_eq!(problems(vec![request(1, 90), request(2, 90), message(3, Some(1))]), 0);
        assert_eq!(problems(vec![request(1, 90), request(2, 91)]), 0);
        // What handled a message has a parent in the trace, unless a document is missing.
        assert_eq!(problems(vec![request(1, 90), message(2, Some(91))]), 2);
        assert_eq!(problems(vec![message(1, None), request(2, 90)]), 2);
    }

    #[test]
    fn of_several_messages_with_parents_outside_only_the_first_is_the_entry() {
        let trace =
            Trace::assemble(TRACE, vec![segment(1, Some(98), 1.0, 2.0), segment(2, Some(99), 0.5, 2.0)]);
        assert_eq!(
            trace.problems(),
            [
                Problem::Orphan { id: id(1), parent_id: id(98) },
                Problem::SeveralRoots { ids: vec![id(2), id(1)] }
            ]
        );
    }

    #[test]
    fn the_complete_document_replaces_the_one_in_progress() {
        let complete = segment(1, None, 0.0, 1.0);
        let begun = Segment { end_time: None, in_progress: Some(true), ..complete.clone() };
        for documents in [vec![begun.clone(), complete.clone()], vec![complete.clone(), begun, complete]] {
            let trace = Trace::assemble(TRACE, documents);
            assert!(trace.problems().is_empty());
            assert_eq!(trace.duration(), Some(1.0));
        }
    }

    #[test]
    fn two_different_documents_with_one_id_are_a_problem() {
        let trace = Trace::assemble(TRACE, vec![segment(1, None, 0.0, 1.0), segment(1, None, 0.0, 3.0)]);
        assert_eq!(trace.problems(), [Problem::DuplicateId { id: id(1) }]);
        assert_eq!(trace.duration(), Some(3.0));
    }

    #[test]
    fn a_cycle_is_broken_where_it_starts() {
        let documents = vec![
            segment(1, Some(3), 0.0, 1.0),
            segment(2, Some(1), 0.1, 1.0),
            segment(3, Some(2), 0.2, 1.0),
            segment(4, Some(3), -1.0, 1.0),
            segment(5, Some(5), 0.4, 1.0),
        ];
        let trace = Trace::assemble(TRACE, documents);
        assert_eq!(printed(&trace), "0s1 1s2 2s3 3s4 0s5");
        assert_eq!(trace.problems()[..2], [Problem::Cycle { id: id(1) }, Problem::Cycle { id: id(5) }]);
    }

    #[test]
    fn a_document_of_another_trace_is_left_out() {
        let other = TraceId::from_bytes([8; 16]);
        let stray = Segment { trace_id: Some(other), ..segment(2, None, 0.0, 1.0) };
        let trace = Trace::assemble(TRACE, vec![segment(1, None, 0.0, 1.0), stray]);
        assert_eq!(printed(&trace), "0s1");
        assert_eq!(trace.problems(), [Problem::OtherTrace { id: id(2), trace_id: other }]);
    }

    #[test]
    fn flags_come_from_the_entry_and_throttling_from_anywhere() {
        let entry = Segment { error: Some(true), fault: Some(false), ..segment(1, None, 0.0, 1.0) };
        let call = Segment { fault: Some(true), throttle: Some(true), ..subsegment(2, 1, 0.0, 1.0) };
        let flags = Trace::assemble(TRACE, vec![entry, call]).flags();
        assert_eq!((flags.error, flags.fault, flags.throttle), (true, false, true));
    }

    #[test]
    fn an_empty_trace_has_no_times() {
        let trace = Trace::assemble(TRACE, Vec::new());
        assert_eq!((trace.duration(), trace.response_time(), trace.start_time()), (None, None, None));
        assert!(trace.problems().is_empty() && trace.entry().is_none());
    }

    #[test]
    fn a_chain_of_a_hundred_thousand_does_not_overflow_the_stack() {
        let documents = (1..100_000_u64).map(|n| segment(n, (n > 1).then(|| n - 1), 0.0, 1.0)).collect();
        let trace = Trace::assemble(TRACE, documents);
        assert_eq!(trace.walk().last().unwrap().0, 99_998);
    }

    proptest! {
        #[test]
        fn every_node_is_walked_exactly_once_whatever_the_parents(
            parents in proptest::collection::vec(proptest::option::of(1_u64..30), 1..25),
            order: u64,
        ) {
            let mut documents: Vec<_> =
                (1_u64..).zip(&parents).map(|(number, parent)| segment(number, *parent, 0.0, 1.0)).collect();
            let turn = usize::try_from(order % documents.len() as u64).unwrap();
            documents.rotate_left(turn);
            let trace = Trace::assemble(TRACE, documents);
            let walked: HashSet<_> = trace.walk().map(|(_, node)| node.segment().id).collect();
            prop_assert_eq!(trace.walk().count(), parents.len());
            prop_assert_eq!(walked.len(), parents.len());
        }
    }
}
