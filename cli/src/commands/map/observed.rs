//! A map with the time that it is about.

use jiff::Timestamp;

use crate::service_map::ServiceMap;

/// A map, and the time within which its requests were made.
pub(super) struct Observed {
    pub(super) map: ServiceMap,
    pub(super) from: Timestamp,
    pub(super) to: Timestamp,
}

impl Observed {
    /// Returns the length of that time.
    pub(super) fn seconds(&self) -> f64 {
        self.to.duration_since(self.from).as_secs_f64()
    }
}
