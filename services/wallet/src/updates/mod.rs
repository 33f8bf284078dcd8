//! The web service that phones ask for changes of passes, by
//! [Apple's interface](https://developer.apple.com/documentation/walletpasses/adding-a-web-service-to-update-passes).

mod answers;
mod intake;
mod log;
mod metrics;
mod routes;
pub(crate) mod server;
mod span;
mod tag;

use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;
use opentelemetry::metrics::Meter;
use tokio::sync::Semaphore;

use self::log::Reports;
use self::metrics::Metrics;
pub(crate) use self::routes::router;
use self::span::Labels;
use crate::passes::Passes;
use crate::registrations::Registrations;
use crate::tokens::Tokens;

/// What one request may carry and take.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Limits {
    /// `MAX_CONCURRENT_REQUESTS`: requests in flight; further ones are refused with 503.
    pub(crate) concurrent_requests: usize,
    /// `REQUEST_TIMEOUT_MS`: from the end of the headers until the answer.
    pub(crate) request_timeout: Duration,
}

/// Everything that answering a request needs.
#[derive(Clone, Debug)]
pub(crate) struct Updates {
    passes: Passes,
    registrations: Registrations,
    tokens: Tokens,
    labels: Arc<Labels>,
    metrics: Metrics,
    reports: Reports,
    permits: Arc<Semaphore>,
    request_timeout: Duration,
    now: fn() -> Timestamp,
}

impl Updates {
    pub(crate) fn new(
        passes: Passes,
        registrations: Registrations,
        tokens: Tokens,
        limits: Limits,
        (application, environment): (String, String),
        meter: &Meter,
    ) -> Self {
        Self {
            passes,
            registrations,
            tokens,
            labels: Arc::new(Labels { application, environment }),
            metrics: Metrics::new(meter),
            reports: Reports::default(),
            permits: Arc::new(Semaphore::new(limits.concurrent_requests)),
            request_timeout: limits.request_timeout,
            now: Timestamp::now,
        }
    }
}
