//! The state shared by the tasks of all messages.

use std::sync::Arc;
use std::time::Duration;

use telemetry::Departures;
use tokio_util::sync::CancellationToken;

use crate::batcher::Batcher;
use crate::clock::Clock;
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
    pub(crate) rejections: Rejections,
    /// The messages whose dead letters are refused.
    pub(crate) undeliverable: Reported,
    /// Cancelled when the grace period of a shutdown is over.
    pub(crate) grace_over: CancellationToken,
}

impl<Q, H> Shared<Q, H> {
    /// Makes a message visible again after `delay`.
    pub(crate) async fn return_to_queue(&self, receipt: Receipt, delay: Duration) {
        let change = VisibilityChange { receipt: receipt.clone(), timeout: delay };
        if let Err(error) = self.visibility.settle(change).await {
            self.metrics.unsettled("change_visibility", &error.code);
            tracing::warn!(
                message_id = receipt.message_id(),
                error = error.code,
                delay_s = delay.as_secs(),
                "visibility not changed: the message becomes visible when its visibility timeout ends instead"
            );
        }
    }
}
