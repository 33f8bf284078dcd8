//! The thread that exports spans.

use std::sync::Arc;
use std::time::{Duration, Instant};

use bytes::Bytes;
use opentelemetry::Context;
use opentelemetry_proto::tonic::collector::trace::v1::ExportTraceServiceResponse;
use opentelemetry_sdk::Resource;
use prost::Message as _;

use super::encoding::Encoder;
use super::shared::Shared;
use super::waiting::Batch;
use crate::export::delivery::Delivery;

/// Takes batches as they may leave and delivers them, one after the other.
pub(super) struct Worker {
    shared: Arc<Shared>,
    delivery: Delivery,
    encoder: Encoder,
}

impl Worker {
    pub(super) fn new(shared: Arc<Shared>, delivery: Delivery, resource: &Resource) -> Self {
        Self { shared, delivery, encoder: Encoder::new(resource) }
    }

    /// Runs until the queue is closed and empty.
    pub(super) fn run(self) {
        // Whatever exporting does is no telemetry itself.
        let _suppressed = Context::enter_telemetry_suppressed_scope();
        while let Some(batch) = self.next() {
            self.export(batch);
        }
    }

    fn next(&self) -> Option<Batch> {
        let mut waiting = self.shared.lock();
        loop {
            let wait = match waiting.take(Instant::now()) {
                Ok(batch) => return Some(batch),
                Err(_) if waiting.is_closed() => return None,
                Err(wait) => wait.unwrap_or(Duration::MAX),
            };
            waiting = self.shared.sleep(waiting, wait);
        }
    }

    fn export(&self, batch: Batch) {
        let Batch { spans, finished } = batch;
        let request = Bytes::from(self.encoder.encode(&spans));
        drop(spans);
        let lose = |lost: usize| {
            let mut waiting = self.shared.lock();
            // After the end, whoever ended telemetry has counted this batch as lost.
            if waiting.has_left() {
                self.delivery.lose(lost as u64);
            }
            self.shared.has_left(&waiting);
        };
        let delivered = self.delivery.deliver(&request, || lose(finished), || self.shared.stall());
        if let Ok(response) = delivered {
            lose(rejected(&response).min(finished));
        }
    }
}

/// Returns how many spans the collector accepted the request without. A response that cannot be read names none.
fn rejected(response: &[u8]) -> usize {
    let response = ExportTraceServiceResponse::decode(response).unwrap_or_default();
    let rejected = response.partial_success.map_or(0, |partial| partial.rejected_spans);
    usize::try_from(rejected).unwrap_or(0)
}
