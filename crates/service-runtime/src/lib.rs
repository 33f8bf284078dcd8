//! The life of a service: settings, telemetry, AWS configuration, health, signals, drain, exit code.
//!
//! A service is a function from [`Runtime`] to a result; its `main.rs` is this:
//!
//! ```no_run
//! use std::process::ExitCode;
//!
//! use service_runtime::{BoxError, Runtime};
//!
//! async fn run(runtime: Runtime) -> Result<(), BoxError> {
//!     let mut settings = runtime.environment.settings();
//!     let queue_url = settings.required("QUEUE_URL");
//!     let linger = settings.duration_ms("LINGER_MS", std::time::Duration::from_millis(5));
//!     settings.finish()?; // Every wrong setting at once: exit code 64.
//!     runtime.health.ready();
//!     runtime.shutdown.cancelled().await;
//!     Ok(())
//! }
//!
//! fn main() -> ExitCode {
//!     service_runtime::main("shop", "shipping", env!("CARGO_PKG_VERSION"), run)
//! }
//! ```
//!
//! | exit code | meaning |
//! |---|---|
//! | 0 | ended, and drained, after a signal or because the work was done |
//! | 64 | a setting is missing or wrong; each is named on the standard error |
//! | 69 | something the service needs could not be reached at the start ([`Unavailable`]) |
//! | 70 | failed: an error, a panic, a background task that ended, or a drain that took longer than the grace period |
//!
//! With the argument `health` the same binary queries the readiness of the running service and exits with 0 or 1: the
//! health check of an image without a shell. `health started` and `health live` query the other two routes.

mod addresses;
mod boot;
mod environment;
mod exit;
mod health;
mod life;
mod probe;
mod signals;
mod tasks;

use std::net::SocketAddr;
use std::time::Duration;

use aws_types::SdkConfig;
use opentelemetry::metrics::Meter;
use telemetry::Departures;
use tokio_util::sync::CancellationToken;

pub use addresses::Addresses;
pub use environment::{Environment, Settings, SettingsError, WrongSetting};
pub use exit::{BoxError, Unavailable};
pub use health::{Check, Health};
pub use life::{main, run};
pub use probe::{Unhealthy, health, probe};
pub use tasks::Tasks;

/// What the runtime provides to a service.
#[derive(Clone, Debug)]
pub struct Runtime {
    /// The service's name.
    pub service: &'static str,
    /// The service's version.
    pub version: &'static str,
    /// The service's settings.
    pub environment: Environment,
    /// The system the service belongs to (`APPLICATION`).
    pub application: String,
    /// Where it runs (`ENVIRONMENT`): `local`, `prod`.
    pub deployment_environment: String,
    /// Configuration for AWS clients, with one connection pool for all of them.
    pub aws: SdkConfig,
    /// The meter for metrics.
    pub meter: Meter,
    /// The departures of spans, for what is to happen only after them.
    pub departures: Departures,
    /// The service's health; [`Health::ready`] reports that it has started.
    pub health: Health,
    /// Where the health routes are served.
    pub health_address: SocketAddr,
    /// Where the process that started this one finds its addresses.
    pub addresses: Addresses,
    /// Cancelled at shutdown: take no new work, finish what was begun, return.
    pub shutdown: CancellationToken,
    /// How long shutdown may take (`SHUTDOWN_GRACE_S`); after it the process exits with code 70.
    pub grace: Duration,
    /// Background tasks that are essential to the service.
    pub tasks: Tasks,
}
