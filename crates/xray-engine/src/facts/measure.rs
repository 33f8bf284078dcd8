//! How one document ended and how long it took.

use xray::Segment;

use super::Outcome;

pub(super) fn outcome(segment: &Segment) -> Outcome {
    let is = |flag: Option<bool>| flag == Some(true);
    let status = segment.http.as_ref().and_then(|http| http.response.as_ref()?.status);
    let partial = segment.is_in_progress();
    let failed = is(segment.error) || is(segment.fault) || is(segment.throttle);
    Outcome {
        ok: !partial && status.map_or(!failed, |status| (200..300).contains(&status)),
        error: is(segment.error),
        throttle: is(segment.throttle),
        fault: is(segment.fault),
        partial,
    }
}

pub(super) fn response_time(segment: &Segment) -> Option<f64> {
    segment.end_time.map(|end| rounded(end - segment.start_time))
}

/// Rounds to microseconds: a 64-bit float holds epoch seconds to a quarter of one, so anything below is noise.
pub(super) fn rounded(seconds: f64) -> f64 {
    (seconds * 1e6).round() / 1e6
}
