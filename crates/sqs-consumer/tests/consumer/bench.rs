//! A consumer running on a fake queue, with its telemetry recorded.

use std::pin::Pin;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use envelope::{Envelope, Event, Metadata};
use opentelemetry::metrics::{Meter, MeterProvider as _};
use opentelemetry_sdk::metrics::SdkMeterProvider;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use sqs_consumer::{
    AtLeastOnceHandler, Consumer, ConsumerError, ConsumerSettings, Delivery, Done, Failure, Readiness,
};
use telemetry::testing::Recorder;
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

use crate::fake_queue::FakeQueue;

#[derive(Serialize, Deserialize)]
pub(crate) struct Ordered {
    pub(crate) customer_number: String,
    pub(crate) item: u32,
}

impl Event for Ordered {
    const TYPE: &'static str = "Ordered";
    const SOURCE: &'static str = "shop";
    fn customer_number(&self) -> &str {
        &self.customer_number
    }
}

pub(crate) const CUSTOMER: &str = "123456789012";

/// Returns an envelope with the event number `item`.
pub(crate) fn ordered(queue: &FakeQueue, item: u32) -> Envelope {
    let metadata = Metadata::first(Uuid::new_v4(), queue.now(), queue.now());
    Envelope::new(metadata, &Ordered { customer_number: CUSTOMER.into(), item }).unwrap()
}

/// Returns the item of the event in a delivery.
pub(crate) fn item(delivery: &Delivery) -> u32 {
    delivery.envelope.decode::<Ordered>().unwrap().item
}

pub(crate) type Answer = Pin<Box<dyn Future<Output = Result<Done, Failure>> + Send>>;

/// A handler made from a closure.
pub(crate) struct Does<F>(pub(crate) F);

impl<F: Fn(&Delivery) -> Answer + Send + Sync + 'static> AtLeastOnceHandler for Does<F> {
    async fn handle(&self, delivery: &Delivery) -> Result<Done, Failure> {
        (self.0)(delivery).await
    }
}

/// Returns a handler that returns the result of `answer` at once.
pub(crate) fn answers(
    answer: impl Fn(&Delivery) -> Result<Done, Failure> + Send + Sync + 'static,
) -> impl AtLeastOnceHandler {
    Does(move |delivery: &Delivery| {
        let result = answer(delivery);
        Box::pin(async move { result }) as Answer
    })
}

/// Returns a handler that takes `duration`.
pub(crate) fn takes(duration: Duration) -> impl AtLeastOnceHandler {
    Does(move |_: &Delivery| {
        Box::pin(async move {
            tokio::time::sleep(duration).await;
            Ok(Done::APPLIED)
        }) as Answer
    })
}

pub(crate) fn settings() -> ConsumerSettings {
    ConsumerSettings::new("membership")
}

/// The environment of a test: the queue, the recorded telemetry and the shutdown.
pub(crate) struct Bench {
    pub(crate) queue: FakeQueue,
    pub(crate) recorder: Recorder,
    pub(crate) shutdown: CancellationToken,
    pub(crate) readiness: Arc<Mutex<Vec<Readiness>>>,
    meter: Meter,
    _telemetry: tracing::dispatcher::DefaultGuard,
}

pub(crate) type Task = JoinHandle<Result<(), ConsumerError>>;

impl Bench {
    pub(crate) fn new() -> Self {
        Self::with(SdkMeterProvider::builder().build().meter("test"), Recorder::new())
    }

    pub(crate) fn with(meter: Meter, recorder: Recorder) -> Self {
        Self {
            queue: FakeQueue::new(),
            _telemetry: recorder.install(),
            recorder,
            shutdown: CancellationToken::new(),
            readiness: Arc::default(),
            meter,
        }
    }

    pub(crate) fn start(&self, handler: impl AtLeastOnceHandler) -> Task {
        self.start_with(settings(), handler)
    }

    pub(crate) fn start_with(&self, settings: ConsumerSettings, handler: impl AtLeastOnceHandler) -> Task {
        let (clock, readiness) = (self.queue.clone(), Arc::clone(&self.readiness));
        let consumer = Consumer::new(self.queue.clone(), handler, settings, &self.meter)
            .with_clock(move || clock.now())
            .on_health(move |now| readiness.lock().unwrap().push(now));
        tokio::spawn(consumer.run(self.shutdown.clone()))
    }

    /// Puts `count` events on the queue.
    pub(crate) fn put(&self, count: u32) -> Vec<String> {
        (0..count).map(|item| self.queue.put(ordered(&self.queue, item).message())).collect()
    }

    /// Stops the consumer and waits until it has ended.
    pub(crate) async fn stop(&self, task: Task) {
        self.shutdown.cancel();
        task.await.unwrap().unwrap();
    }

    /// Returns the hop lines written so far.
    pub(crate) fn hops(&self) -> Vec<Value> {
        let mut logs = self.recorder.logs();
        logs.retain(|line| line["message"] == "event");
        logs
    }

    /// Returns the log lines whose message starts with `text`.
    pub(crate) fn lines(&self, text: &str) -> Vec<Value> {
        let mut logs = self.recorder.logs();
        logs.retain(|line| line["message"].as_str().unwrap().starts_with(text));
        logs
    }

    pub(crate) fn readiness(&self) -> Vec<Readiness> {
        self.readiness.lock().unwrap().clone()
    }
}

pub(crate) fn down(reason: &str) -> Readiness {
    Readiness::Down { reason: reason.to_owned() }
}
