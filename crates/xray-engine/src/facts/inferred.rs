//! Inferred segments: what X-Ray makes of calls to services that send none
//! (<https://docs.aws.amazon.com/xray/latest/devguide/xray-concepts.html#xray-concepts-inferredsegments>).

use xray::{Node, Segment, SegmentId, Trace};

use super::service::{REMOTE, ServiceId, is_call, is_inferred};

/// Returns the segments that the documents of a trace lack, each with the call that it was inferred from as its parent.
pub(crate) fn inferred(trace: &Trace) -> Vec<Segment> {
    trace.nodes().filter(|node| is_call(*node) && is_inferred(*node)).map(|call| of(trace, call)).collect()
}

fn of(trace: &Trace, call: Node<'_>) -> Segment {
    let segment = call.segment();
    let service = ServiceId::of_call(segment);
    Segment {
        trace_id: Some(trace.id()),
        parent_id: Some(segment.id),
        end_time: segment.end_time,
        in_progress: segment.in_progress,
        inferred: Some(true),
        origin: service.kind.filter(|kind| **kind != *REMOTE).map(|kind| kind.to_string()),
        http: segment.http.clone(),
        aws: segment.aws.clone(),
        sql: segment.sql.clone(),
        error: segment.error,
        throttle: segment.throttle,
        fault: segment.fault,
        ..Segment::new(&*service.name, derived(segment.id), segment.start_time)
    }
}

/// Returns the same id whenever the trace is read, and one that nothing sent is likely to have.
fn derived(call: SegmentId) -> SegmentId {
    SegmentId::from_bytes(call.to_bytes().map(|byte| !byte))
}
