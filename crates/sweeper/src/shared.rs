//! What the tasks of one sweeper share.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};

use handlers::Committer;
use sqs_consumer::Clock;
use tokio::sync::Semaphore;
use tokio::time::Instant;

use crate::lease::Leases;
use crate::metrics::Metrics;
use crate::settings::SweeperSettings;
use crate::state::State;
use crate::table::SweptTable;

/// What the tasks of one sweeper share.
pub(crate) struct Shared<H> {
    pub(crate) handler: H,
    pub(crate) settings: SweeperSettings,
    pub(crate) clock: Arc<dyn Clock>,
    pub(crate) table: SweptTable,
    pub(crate) committer: Committer,
    pub(crate) leases: Leases,
    pub(crate) metrics: Metrics,
    /// The places for items being handled.
    pub(crate) places: Semaphore,
    pub(crate) held: Held,
    pub(crate) state: State,
    /// When this task last wanted a bucket of another.
    pub(crate) wanted_at: Mutex<Option<Instant>>,
}

/// The number of buckets held.
#[derive(Debug, Default)]
pub(crate) struct Held(AtomicUsize);

impl Held {
    pub(crate) fn count(&self) -> usize {
        self.0.load(Ordering::Relaxed)
    }

    pub(crate) fn change(&self, taken: bool, metrics: &Metrics) {
        let before = if taken {
            self.0.fetch_add(1, Ordering::Relaxed)
        } else {
            self.0.fetch_sub(1, Ordering::Relaxed)
        };
        metrics.buckets(if taken { before + 1 } else { before - 1 });
    }
}
