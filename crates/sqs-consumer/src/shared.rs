//! The state shared by the tasks of all messages.

use std::sync::Arc;
use std::time::Duration;

use telemetry::Departures;
use tokio_util::sync::CancellationToken;

use crate::batcher::Batcher;
use crate::clock::Clock;
use crate::held::Held;
use crate::in_hand::InHand;
use crate::metrics::Metrics;
use crate::queue::{Receipt, VisibilityChange};
use crate::rejections::Rejections;
use crate::reported::Reported;
use crate::settings::ConsumerSettings;
use crate::trace::Source;
use crate::visibility::InFlightMessages;

/// The state shared by the tasks of all messages.
pub(crate) struct Shared<Q, H> {
    pub(crate) queue: Arc<Q>,
    pub(crate) source: Arc<Source>,
    pub(crate) handler: H,
    pub(crate) settings: ConsumerSettings,
    pub(crate) clock: Arc<dyn Clock>,
    pub(crate) departures: Departures,
    pub(crate) metrics: Metrics,
    pub(crate) deletes: Batcher<Receipt>,
    pub(crate) visibility: Batcher<VisibilityChange>,
    pub(crate) in_flight: Arc<InFlightMessages>,
    pub(crate) in_hand: Arc<InHand>,
    pub(crate) rejections: Rejections,
    /// The messages whose dead letters are refused.
    pub(crate) undeliverable: Reported,
    /// Cancelled when the grace period of a shutdown is over.
    pub(crate) grace_over: CancellationToken,
}

impl<Q, H> Shared<Q, H> {
    /// Makes a message visible again after `delay`. What it holds is freed then.
    pub(crate) fn return_to_queue(&self, receipt: Receipt, delay: Duration, held: Held) {
        self.visibility.settle(VisibilityChange { receipt, timeout: delay }, held);
    }
}
