//! The time, in X-Ray's unit.

use std::time::SystemTime;

/// Returns the current time in epoch seconds.
pub(crate) fn epoch_seconds() -> f64 {
    SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default().as_secs_f64()
}
