//! Root causes (<https://docs.aws.amazon.com/xray/latest/devguide/xray-console-analytics.html>).
//!
//! How X-Ray finds them is not published. Here a failure begins at a segment or subsegment that failed, and below which
//! nothing did. A response took long because of the slowest part, and of that the slowest part, and so on while a part
//! covers at least half of the whole.

use std::sync::Arc;

use xray::{Cause, Node, Segment, Trace};

use super::measure::{response_time, rounded};
use super::service::{ServiceId, is_call, is_inferred};
use super::{CauseEntity, CauseService, RootCause};

/// The most root causes of one kind; more of a failure say nothing new.
const MOST: usize = 20;
/// The share of its parent that the slowest part must cover to be the cause.
const HALF: f64 = 0.5;

/// Returns where failures of a kind began.
pub(super) fn of_failure(trace: &Trace, failed: impl Fn(&Segment) -> bool) -> Vec<RootCause> {
    let noticed = trace.entry().is_some_and(|entry| failed(entry.segment()));
    let began =
        |node: &Node<'_>| failed(node.segment()) && node.children().all(|child| !failed(child.segment()));
    let to_cause = |origin: Node<'_>| {
        let path = path_to(origin);
        let unbroken = path.iter().all(|node| failed(node.segment()));
        RootCause { services: services(&path, |_| None), client_impacting: noticed && unbroken }
    };
    trace.walk().map(|(_, node)| node).filter(began).take(MOST).map(to_cause).collect()
}

/// Returns what the entry point spent its time on.
pub(super) fn of_response_time(trace: &Trace) -> Option<RootCause> {
    let entry = trace.entry()?;
    let whole = response_time(entry.segment()).filter(|whole| *whole > 0.0)?;
    let mut path = vec![entry];
    let mut last = entry;
    while let Some(slowest) = slowest_part(last) {
        path.push(slowest);
        last = slowest;
    }
    let coverage = |segment: &Segment| Some(rounded((response_time(segment)? / whole).min(1.0)));
    Some(RootCause { services: services(&path, coverage), client_impacting: true })
}

/// Returns the part that its parent waited for longest, if that was for at least half of its time.
fn slowest_part(parent: Node<'_>) -> Option<Node<'_>> {
    let (start, end) = (parent.segment().start_time, parent.segment().end_time?);
    let covered = |part: &Node<'_>| {
        let segment = part.segment();
        segment.end_time.map_or(0.0, |ended| ended.min(end) - segment.start_time.max(start))
    };
    let slowest = parent.children().max_by(|a, b| covered(a).total_cmp(&covered(b)))?;
    (covered(&slowest) >= (end - start) * HALF && end > start).then_some(slowest)
}

/// Returns the nodes from the root to this one.
fn path_to(node: Node<'_>) -> Vec<Node<'_>> {
    let mut path: Vec<_> = std::iter::successors(Some(node), |node| node.parent()).collect();
    path.reverse();
    path
}

/// Groups a path by service. A call to a service that sent no segment ends with that service.
fn services(path: &[Node<'_>], coverage: impl Fn(&Segment) -> Option<f64>) -> Vec<CauseService> {
    let mut services: Vec<CauseService> = Vec::new();
    for &node in path {
        let segment = node.segment();
        if !node.is_subsegment() || services.is_empty() {
            let service = ServiceId::of_segment(segment);
            services.push(CauseService { service, ..CauseService::default() });
        }
        let call = is_call(node);
        let entity = CauseEntity {
            name: segment.name.as_str().into(),
            remote: call,
            coverage: coverage(segment),
            exceptions: exceptions(segment),
        };
        if let Some(current) = services.last_mut() {
            current.path.push(entity.clone());
        }
        if call && is_inferred(node) {
            let service = ServiceId::of_call(segment);
            let path = vec![CauseEntity { name: service.name.clone(), remote: false, ..entity }];
            services.push(CauseService { service, inferred: true, path });
        }
    }
    services
}

fn exceptions(segment: &Segment) -> Vec<(Arc<str>, Arc<str>)> {
    let Some(Cause::Detail(detail)) = &segment.cause else { return Vec::new() };
    let text = |text: &Option<String>| Arc::from(text.as_deref().unwrap_or_default());
    detail.exceptions.iter().map(|exception| (text(&exception.kind), text(&exception.message))).collect()
}
