//! OpenTelemetry's ids and times in X-Ray's types.

use std::time::Duration;

use xray::{SegmentId, TraceId};

pub(super) fn trace_id(bytes: &[u8]) -> Option<TraceId> {
    let bytes: [u8; 16] = bytes.try_into().ok()?;
    (bytes != [0; 16]).then(|| TraceId::from_bytes(bytes))
}

pub(super) fn span_id(bytes: &[u8]) -> Option<SegmentId> {
    let bytes: [u8; 8] = bytes.try_into().ok()?;
    (bytes != [0; 8]).then(|| SegmentId::from_bytes(bytes))
}

/// Returns a new random id for a segment or an exception.
pub(super) fn new_id() -> SegmentId {
    SegmentId::from_bytes(rand::random::<u64>().max(1).to_be_bytes())
}

/// Converts epoch nanoseconds to X-Ray's epoch seconds, to the quarter of a microsecond that a 64-bit float can hold.
/// (The exporter rounds twice and can be off by another quarter.)
pub(super) fn seconds(nanoseconds: u64) -> f64 {
    Duration::from_nanos(nanoseconds).as_secs_f64()
}
