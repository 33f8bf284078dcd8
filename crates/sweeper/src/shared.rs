//! What the tasks of one sweeper share.

use std::collections::BTreeSet;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use handlers::Committer;
use sqs_consumer::{Clock, Readiness};
use tokio::sync::Semaphore;
use tokio::time::Instant;

use crate::item::Trouble;
use crate::lease::Leases;
use crate::metrics::Metrics;
use crate::settings::SweeperSettings;
use crate::table::SweptTable;

pub(crate) type OnHealth = Box<dyn Fn(Readiness) + Send + Sync>;

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

/// Whether sweeping works, in all buckets.
pub(crate) struct State {
    failing: Mutex<Failing>,
    on_health: OnHealth,
}

#[derive(Default)]
struct Failing {
    buckets: BTreeSet<String>,
    reported: Option<bool>,
}

impl State {
    pub(crate) fn new(on_health: OnHealth) -> Self {
        Self { failing: Mutex::default(), on_health }
    }

    /// Reports that a bucket was swept, or is swept by another task.
    pub(crate) fn works(&self, bucket: &str) {
        let mut failing = self.failing.lock().unwrap_or_else(PoisonError::into_inner);
        failing.buckets.remove(bucket);
        if failing.buckets.is_empty() && failing.reported != Some(true) {
            if failing.reported.is_some() {
                tracing::info!("sweeping works again");
            }
            failing.reported = Some(true);
            (self.on_health)(Readiness::Up);
        }
    }

    /// Reports that a bucket cannot be swept.
    pub(crate) fn fails(&self, bucket: &str, Trouble(reason): &Trouble) {
        let mut failing = self.failing.lock().unwrap_or_else(PoisonError::into_inner);
        failing.buckets.insert(bucket.to_owned());
        if failing.reported != Some(false) {
            failing.reported = Some(false);
            tracing::warn!(reason, "sweeping fails");
            (self.on_health)(Readiness::Down { reason: format!("sweeping fails: {reason}") });
        }
    }
}
