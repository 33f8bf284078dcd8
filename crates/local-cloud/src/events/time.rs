//! Points in time as EventBridge writes them.

use jiff::Timestamp;

/// Returns a point in time as AWS's JSON has it: seconds with a fraction.
#[expect(clippy::cast_precision_loss, reason = "milliseconds of this age are exact in a double")]
pub(super) fn seconds(time: Timestamp) -> f64 {
    time.as_millisecond() as f64 / 1000.0
}

/// Returns a point in time as events have it.
pub(super) fn written(time: Timestamp) -> String {
    time.strftime("%Y-%m-%dT%H:%M:%SZ").to_string()
}
