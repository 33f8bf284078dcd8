//! Whether sweeping works.

use std::collections::BTreeSet;
use std::sync::{Mutex, PoisonError};

use aws_clients::AwsError;
use sqs_consumer::Readiness;

pub(crate) type OnHealth = Box<dyn Fn(Readiness) + Send + Sync>;

/// A dependency that fails, so that other items would fail too.
#[derive(Clone, Debug)]
pub(crate) struct Trouble(pub(crate) String);

impl From<AwsError> for Trouble {
    fn from(error: AwsError) -> Self {
        Self(format!("{} {}", error.service(), error.code()))
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
