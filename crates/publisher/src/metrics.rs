//! The metrics of a publisher.

use std::time::Duration;

use opentelemetry::KeyValue;
use opentelemetry::metrics::{Counter, Histogram, Meter};
use opentelemetry_semantic_conventions::{attribute, metric};
use telemetry::bounds;

use crate::call::Answer;
use crate::{PublishError, Published};

/// The number of entries in one call, for which there is no semantic convention.
const BATCH_FILL: &str = "publisher.batch.fill";
/// The time from `publish` to the entry's outcome, including waiting and retries.
const PUBLISH_DURATION: &str = "publisher.publish.duration";
/// The number of entries resent.
const RETRIES: &str = "publisher.retries";

/// The instruments of one publisher. Attributes stay few: event ids and customer numbers are never among them.
#[derive(Debug, Clone)]
pub(crate) struct Metrics {
    destination: KeyValue,
    batch_fill: Histogram<u64>,
    call_duration: Histogram<f64>,
    publish_duration: Histogram<f64>,
    sent: Counter<u64>,
    retries: Counter<u64>,
}

impl Metrics {
    /// Creates instruments that distinguish publishers by the name of their bus or topic.
    pub(crate) fn new(meter: &Meter, destination: &str) -> Self {
        Self {
            destination: KeyValue::new(attribute::MESSAGING_DESTINATION_NAME, destination.to_owned()),
            batch_fill: meter
                .u64_histogram(BATCH_FILL)
                .with_unit("{entry}")
                .with_description("Entries in one call")
                .with_boundaries((1..=10).map(f64::from).collect())
                .build(),
            call_duration: meter
                .f64_histogram(metric::MESSAGING_CLIENT_OPERATION_DURATION)
                .with_unit("s")
                .with_description("Duration of one batched call")
                .with_boundaries(bounds::DURATIONS.to_vec())
                .build(),
            publish_duration: meter
                .f64_histogram(PUBLISH_DURATION)
                .with_unit("s")
                .with_description("Time from publishing an entry until its fate is known")
                .with_boundaries(bounds::DURATIONS.to_vec())
                .build(),
            sent: meter
                .u64_counter(metric::MESSAGING_CLIENT_SENT_MESSAGES)
                .with_unit("{message}")
                .with_description("Entries whose fate is known, failed ones with error.type")
                .build(),
            retries: meter
                .u64_counter(RETRIES)
                .with_unit("{entry}")
                .with_description("Entries sent again")
                .build(),
        }
    }

    /// Records one call of `entries` entries, which completed after `took`.
    pub(crate) fn called(&self, entries: usize, answer: &Answer, took: Duration) {
        let fill = u64::try_from(entries).unwrap_or(u64::MAX);
        self.batch_fill.record(fill, std::slice::from_ref(&self.destination));
        let mut attributes =
            vec![self.destination.clone(), KeyValue::new(attribute::MESSAGING_OPERATION_NAME, "send")];
        if let Err(error) = &answer.outcome {
            attributes.push(KeyValue::new(attribute::ERROR_TYPE, error.code().to_owned()));
        }
        self.call_duration.record(took.as_secs_f64(), &attributes);
    }

    /// Records that entries are about to be resent.
    pub(crate) fn retrying(&self, entries: usize) {
        let entries = u64::try_from(entries).unwrap_or(u64::MAX);
        self.retries.add(entries, std::slice::from_ref(&self.destination));
    }

    /// Records the outcome of an entry.
    pub(crate) fn settled(&self, result: &Result<Published, PublishError>, took: Duration) {
        let mut attributes = vec![self.destination.clone()];
        if let Err(error) = result {
            attributes.push(KeyValue::new(attribute::ERROR_TYPE, error.reason().to_owned()));
        }
        self.publish_duration.record(took.as_secs_f64(), &attributes);
        self.sent.add(1, &attributes);
    }
}
