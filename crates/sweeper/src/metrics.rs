//! The metrics of a sweeper.

use std::time::Duration;

use opentelemetry::KeyValue;
use opentelemetry::metrics::{Counter, Gauge, Histogram, Meter};
use opentelemetry_semantic_conventions::attribute;
use telemetry::attributes;

use crate::conclusion::Conclusion;

/// Bucket bounds for lateness in seconds: from what nobody notices to a day.
const LATENESS: [f64; 14] =
    [0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0, 300.0, 900.0, 3_600.0, 21_600.0, 86_400.0];

#[derive(Clone, Debug)]
pub(crate) struct Metrics {
    table: KeyValue,
    items: Counter<u64>,
    lateness: Histogram<f64>,
    buckets: Gauge<u64>,
}

impl Metrics {
    pub(crate) fn new(meter: &Meter, table: &str) -> Self {
        Self {
            table: KeyValue::new(attribute::DB_COLLECTION_NAME, table.to_owned()),
            items: meter.u64_counter("sweeper.items").with_description("due items by outcome").build(),
            lateness: meter
                .f64_histogram("sweeper.lateness")
                .with_unit("s")
                .with_description("time since the item fell due")
                .with_boundaries(LATENESS.to_vec())
                .build(),
            buckets: meter
                .u64_gauge("sweeper.buckets")
                .with_description("buckets that this task sweeps")
                .build(),
        }
    }

    pub(crate) fn handled(&self, kind: &'static str, late: Duration, conclusion: &Conclusion) {
        let mut attributes = vec![
            self.table.clone(),
            KeyValue::new(attributes::EVENT_TYPE, kind),
            KeyValue::new(attributes::OUTCOME, conclusion.outcome),
        ];
        attributes.extend(conclusion.reason.map(|reason| KeyValue::new("reason", reason)));
        attributes.extend(conclusion.dependency.map(|dependency| KeyValue::new("dependency", dependency)));
        self.items.add(1, &attributes);
        self.lateness.record(late.as_secs_f64(), std::slice::from_ref(&self.table));
    }

    pub(crate) fn buckets(&self, held: usize) {
        self.buckets.record(held as u64, std::slice::from_ref(&self.table));
    }
}
