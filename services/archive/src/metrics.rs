//! The metrics of the archive.

use opentelemetry::metrics::{Histogram, Meter};

/// Bucket bounds for the events of an object.
const EVENTS: [f64; 10] = [1.0, 2.0, 5.0, 10.0, 25.0, 50.0, 100.0, 250.0, 500.0, 1_000.0];
/// Bucket bounds for the bytes of an object.
const BYTES: [f64; 8] =
    [1_024.0, 4_096.0, 16_384.0, 65_536.0, 262_144.0, 1_048_576.0, 4_194_304.0, 16_777_216.0];

#[derive(Clone, Debug)]
pub(crate) struct Metrics {
    events: Histogram<u64>,
    size: Histogram<u64>,
}

impl Metrics {
    pub(crate) fn new(meter: &Meter) -> Self {
        Self {
            events: meter
                .u64_histogram("archive.object.events")
                .with_unit("{event}")
                .with_description("events of an object")
                .with_boundaries(EVENTS.to_vec())
                .build(),
            size: meter
                .u64_histogram("archive.object.size")
                .with_unit("By")
                .with_description("compressed size of an object")
                .with_boundaries(BYTES.to_vec())
                .build(),
        }
    }

    /// Counts an object that was stored.
    pub(crate) fn stored(&self, events: usize, bytes: usize) {
        self.events.record(events as u64, &[]);
        self.size.record(bytes as u64, &[]);
    }
}
