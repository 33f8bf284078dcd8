//! The consumer: its parts and how it starts.

use std::sync::Arc;

use opentelemetry::metrics::Meter;
use telemetry::Departures;
use thiserror::Error;
use tokio::sync::Semaphore;
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;
use tokio_util::task::AbortOnDropHandle;

use crate::batcher::{Batcher, ChangeVisibility, Delete};
use crate::clock::{Clock, SystemClock};
use crate::handler::AtLeastOnceHandler;
use crate::in_hand::InHand;
use crate::metrics::Metrics;
use crate::queue::Queue;
use crate::readiness::{OnHealth, OnWork, Readiness};
use crate::rejections::Rejections;
use crate::reported::Reported;
use crate::running::{DrainOverran, Running};
use crate::settings::{ConsumerSettings, MAX_LEAVING, SettingsError};
use crate::shared::Shared;
use crate::trace::Source;
use crate::visibility::InFlightMessages;

/// A consumer that has not been started.
pub struct Consumer<Q, H> {
    queue: Q,
    handler: H,
    settings: ConsumerSettings,
    meter: Meter,
    clock: Arc<dyn Clock>,
    departures: Departures,
    on_health: OnHealth,
    on_work: OnWork,
}

impl<Q: Queue, H: AtLeastOnceHandler> Consumer<Q, H> {
    /// Creates a consumer that passes the messages of `queue` to `handler`.
    #[must_use]
    pub fn new(queue: Q, handler: H, settings: ConsumerSettings, meter: &Meter) -> Self {
        Self {
            queue,
            handler,
            settings,
            meter: meter.clone(),
            clock: Arc::new(SystemClock),
            departures: Departures::default(),
            on_health: Box::new(|_| ()),
            on_work: Box::new(|_| ()),
        }
    }

    /// Calls `report` whenever readiness changes, for the first time after the first receive, which does not wait for
    /// messages. `report` is called between receives and must not block.
    #[must_use]
    pub fn on_health(mut self, report: impl Fn(Readiness) + Send + Sync + 'static) -> Self {
        self.on_health = Box::new(report);
        self
    }

    /// Calls `report` with `true` when the first message is in flight and with `false` when none is left. `report` must
    /// not block.
    #[must_use]
    pub fn on_work(mut self, report: impl Fn(bool) + Send + Sync + 'static) -> Self {
        self.on_work = Box::new(report);
        self
    }

    /// Reads the time of day from `clock`.
    #[must_use]
    pub fn with_clock(mut self, clock: impl Clock) -> Self {
        self.clock = Arc::new(clock);
        self
    }

    /// Deletes a message only after its log line has been written and, if its trace is recorded, its spans have left: if the
    /// process is killed before they do, the message is redelivered, and the next attempt can send what is missing
    /// ([`Delivery::stand_in_for`]).
    ///
    /// [`Delivery::stand_in_for`]: crate::Delivery::stand_in_for
    #[must_use]
    pub fn after(mut self, departures: Departures) -> Self {
        self.departures = departures;
        self
    }

    /// Consumes until `shutdown` is cancelled and the messages in flight are settled. Dropping the future stops
    /// everything at once; messages in flight become visible when their visibility timeout ends.
    ///
    /// # Errors
    /// Returns [`ConsumerError::Settings`] before anything is received, and [`ConsumerError::DrainOverran`] if messages
    /// could be neither finished nor released in time.
    pub async fn run(self, shutdown: CancellationToken) -> Result<(), ConsumerError> {
        let Self { queue, handler, settings, meter, clock, departures, on_health, on_work } = self;
        settings.validate()?;
        let queue = Arc::new(queue);
        let in_hand = InHand::new(settings.max_bytes);
        let metrics = Metrics::new(&meter, queue.name(), &in_hand);
        let rejections = Rejections::new(settings.circuit.window);
        let in_flight = InFlightMessages::new(settings.visibility);
        let delete = Delete(Arc::clone(&queue), departures.clone());
        let (deletes, deleting) = Batcher::new(delete, settings.deletes(), metrics.clone());
        let (visibility, changing) =
            Batcher::new(ChangeVisibility(Arc::clone(&queue)), settings.settle, metrics.clone());

        let mut background = JoinSet::new();
        background.spawn(deleting);
        background.spawn(changing);
        background.spawn(Arc::clone(&in_flight).extend(Arc::clone(&queue), metrics.clone()));

        let leaving = Arc::new(Semaphore::new(MAX_LEAVING));
        let source = Arc::new(Source::new(&*queue, &settings.service));
        let shared = Shared {
            queue,
            source,
            handler,
            settings,
            clock,
            departures,
            metrics,
            deletes,
            visibility,
            in_flight,
            in_hand,
            leaving,
            rejections,
            undeliverable: Reported::default(),
            grace_over: CancellationToken::new(),
        };
        // A task like those it starts and hears from: on the thread that waits for the service, each of their reports would
        // have to wake that thread.
        let running = Running::new(Arc::new(shared), on_health, on_work).run(shutdown);
        let result = match AbortOnDropHandle::new(tokio::spawn(running)).await {
            Ok(result) => result,
            Err(error) => match error.try_into_panic() {
                Ok(panic) => std::panic::resume_unwind(panic),
                // The runtime is shutting down, and drops this as well.
                Err(_) => std::future::pending().await,
            },
        };
        // Every message is settled or given up, so nothing waits for these tasks any more.
        background.shutdown().await;
        result.map_err(|DrainOverran { unsettled }| ConsumerError::DrainOverran { unsettled })
    }
}

/// The reason why a consumer ended with an error.
#[derive(Debug, Error, PartialEq, Eq)]
pub enum ConsumerError {
    /// A setting cannot be used.
    #[error(transparent)]
    Settings(#[from] SettingsError),
    /// The shutdown ran out of time with messages neither finished nor released. They become visible when their
    /// visibility timeout ends.
    #[error("{unsettled} messages were neither finished nor released in time")]
    DrainOverran {
        /// The number of such messages.
        unsettled: usize,
    },
}
