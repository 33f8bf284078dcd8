//! What can go wrong at the start and at the end.

use thiserror::Error;

use crate::settings::InvalidLogFilter;

/// Why telemetry could not start.
#[derive(Debug, Error)]
pub enum StartError {
    /// The log filter is not in the syntax of `RUST_LOG`.
    #[error("log filter: {0}")]
    LogFilter(#[from] InvalidLogFilter),
    /// The address at which sampling rules are fetched is invalid.
    #[error("endpoint of sampling rules: {0}")]
    Rules(#[from] xray_sampler::InvalidEndpoint),
    /// Sampling rules are fetched by a Tokio task, and the caller is not in the context of a runtime.
    #[error("fetching sampling rules needs a Tokio runtime")]
    NoRuntime,
    /// This process already has a subscriber.
    #[error("telemetry has already been started in this process")]
    AlreadyStarted,
    /// A thread could not be started.
    #[error("telemetry thread: {0}")]
    Thread(#[from] std::io::Error),
}

/// Why the last telemetry did not arrive.
#[derive(Debug, Error)]
pub enum ShutdownError {
    /// The collector did not accept everything in time.
    #[error("telemetry was not flushed: {spans} spans and {data_points} data points are lost")]
    Lost {
        /// The spans lost since the last log line that named a number.
        spans: u64,
        /// The data points of metrics lost since then.
        data_points: u64,
    },
    /// The flushing thread could not be started.
    #[error("telemetry was not flushed: {0}")]
    Thread(#[from] std::io::Error),
}
