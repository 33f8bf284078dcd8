//! The state shared by the tasks of all messages.

use std::sync::Arc;
use std::time::Duration;

use telemetry::Departures;
use tokio::sync::Semaphore;
use tokio_util::sync::CancellationToken;

use crate::batcher::{Batcher, ChangeVisibility, Delete};
use crate::clock::Clock;
use crate::held::Held;
use crate::in_hand::InHand;
use crate::metrics::Metrics;
use crate::queue::{Queue, Receipt, VisibilityChange};
use crate::rejections::Rejections;
use crate::reported::Reported;
use crate::settings::ConsumerSettings;
use crate::trace::Source;
use crate::visibility::InFlightMessages;

/// The state shared by the tasks of all messages.
pub(crate) struct Shared<Q: Queue, H> {
    pub(crate) queue: Arc<Q>,
    pub(crate) source: Arc<Source>,
    pub(crate) handler: H,
    pub(crate) settings: ConsumerSettings,
    pub(crate) clock: Arc<dyn Clock>,
    pub(crate) departures: Departures,
    pub(crate) metrics: Metrics,
    pub(crate) deletes: Batcher<Delete<Q>>,
    pub(crate) visibility: Batcher<ChangeVisibility<Q>>,
    pub(crate) in_flight: Arc<InFlightMessages>,
    pub(crate) in_hand: Arc<InHand>,
    /// Permits for messages that only wait for their spans to leave, so that they keep no other from being received.
    pub(crate) leaving: Arc<Semaphore>,
    pub(crate) rejections: Rejections,
    /// The messages whose dead letters are refused.
    pub(crate) undeliverable: Reported,
    /// Cancelled when the grace period of a shutdown is over.
    pub(crate) grace_over: CancellationToken,
}

impl<Q: Queue, H> Shared<Q, H> {
    /// Makes a message visible again after `delay`. What it holds is freed then.
    pub(crate) fn return_to_queue(&self, receipt: Receipt, delay: Duration, held: Held) {
        self.visibility.submit(vec![(VisibilityChange { receipt, timeout: delay }, held)]);
    }
}
