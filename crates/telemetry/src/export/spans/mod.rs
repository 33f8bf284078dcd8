//! The span processor: finished spans leave in batches, and none that was accepted is dropped while the collector is
//! unavailable and memory allows.

mod departure;
mod encoding;
mod shared;
mod waiting;
mod worker;

use std::sync::Arc;
use std::thread;
use std::time::{Duration, Instant};

use opentelemetry::Context;
use opentelemetry::trace::TraceContextExt as _;
use opentelemetry_sdk::Resource;
use opentelemetry_sdk::error::{OTelSdkError, OTelSdkResult};
use opentelemetry_sdk::trace::{Span, SpanData, SpanProcessor};

use super::collector::Collector;
use super::delivery::Delivery;
use super::ending::Ending;
use super::report::Lost;
use crate::processor::without_placeholder;
pub use departure::{Departure, Departures};
use shared::Shared;
pub(crate) use waiting::Limits;
use waiting::Waiting;
use worker::Worker;

/// Collects finished spans and exports them from its own thread. See [`waiting`] for which leave when.
#[derive(Debug)]
pub(crate) struct SpanQueue {
    shared: Arc<Shared>,
    ending: Arc<Ending>,
    lost: Arc<Lost>,
}

impl SpanQueue {
    /// Starts the exporting thread.
    pub(crate) fn start(
        collector: Collector,
        limits: Limits,
        ending: Arc<Ending>,
        lost: Arc<Lost>,
        resource: &Resource,
    ) -> std::io::Result<Self> {
        let shared = Arc::new(Shared::new(Waiting::new(limits, Instant::now())));
        let delivery = Delivery::of_spans(collector, Arc::clone(&ending), Arc::clone(&lost));
        let worker = Worker::new(Arc::clone(&shared), delivery, resource);
        thread::Builder::new().name("telemetry-spans".to_owned()).spawn(move || worker.run())?;
        Ok(Self { shared, ending, lost })
    }
}

impl SpanQueue {
    pub(crate) fn departures(&self) -> Departures {
        Departures::of(&self.shared)
    }
}

impl SpanProcessor for SpanQueue {
    fn on_start(&self, span: &mut Span, context: &Context) {
        let parent = context.span();
        let parent = parent.span_context();
        if parent.is_valid() && !parent.is_remote() {
            return;
        }
        if let Some(mut started) = span.exported_data().filter(|span| span.span_context.is_sampled()) {
            without_placeholder(&mut started);
            self.shared.lock().started(started);
        }
    }

    fn on_end(&self, span: SpanData) {
        if !span.span_context.is_sampled() {
            return;
        }
        let mut waiting = self.shared.lock();
        if waiting.ended(span, Instant::now()) {
            self.shared.wake(&waiting);
        } else {
            drop(waiting);
            self.lost.add(1);
        }
    }

    fn force_flush(&self) -> OTelSdkResult {
        const LIMIT: Duration = Duration::from_secs(5);
        let mut waiting = self.shared.lock();
        waiting.hurry();
        self.shared.wake(&waiting);
        drop(waiting);
        match self.shared.wait_until_empty(LIMIT) {
            0 => Ok(()),
            _ => Err(OTelSdkError::Timeout(LIMIT)),
        }
    }

    fn shutdown_with_timeout(&self, timeout: Duration) -> OTelSdkResult {
        let mut waiting = self.shared.lock();
        if !waiting.close() {
            return Err(OTelSdkError::AlreadyShutdown);
        }
        self.shared.wake(&waiting);
        drop(waiting);
        self.ending.begin(timeout);
        let left = self.shared.wait_until_empty(timeout);
        // The worker counts nothing from here on, so that nothing is counted twice.
        let left = if left > 0 { self.shared.lock().abandon() } else { 0 };
        self.lost.add(left as u64);
        if left > 0 { Err(OTelSdkError::Timeout(timeout)) } else { Ok(()) }
    }
}
