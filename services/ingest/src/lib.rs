//! The ingest service: takes events of the CRM over HTTP and publishes them to the bus.
//!
//! `POST /v1/events` takes one event or a list of up to 500. 202 means that the bus has accepted the event: it
//! is safe from then on. Problem details ([RFC 9457](https://www.rfc-editor.org/rfc/rfc9457)) name every wrong field;
//! for an event that could not be published they carry the event id under which to send it again. `GET /openapi.json`
//! describes the interface.
//!
//! Requests are signed as Standard Webhooks has it. An event without `event_id` or `occurred_at` gets them from what was
//! signed, so that a repeated request is a duplicate.
//!
//! A single event continues the caller's trace (`X-Amzn-Trace-Id` or `traceparent`). Each event of a list starts its
//! own trace, annotated with the request's.
//!
//! | setting | default | meaning |
//! |---|---|---|
//! | `LISTEN_ADDRESS` | `127.0.0.1:8080` | where to listen; port 0 picks a free one |
//! | `EVENT_BUS_NAME` | required | the bus that events go to |
//! | `SIGNATURE_SECRET` | required unless `ENVIRONMENT` is `local` and the address a loopback one | what requests are signed with; several are separated by commas |
//! | `UNSIGNED_REQUESTS` | `refuse` | `accept` takes requests without a signature where there is no secret |
//! | `MAX_CONCURRENT_REQUESTS` | 256 | more at a time are answered with 503 |
//! | `REQUEST_TIMEOUT_MS` | 10000 | from the end of the headers until the answer |
//! | `MAX_CONNECTIONS` | 512 | beyond that, the one that has waited longest gives way |
//! | `MAX_BUFFERED_BYTES` | 8388608 | bytes of bodies in memory; beyond that, a body that has not ended gives way |
//! | `HEADER_READ_TIMEOUT_MS` | 10000 | from the first byte of a request to the end of its headers |
//! | `IDLE_TIMEOUT_MS` | 75000 | between two requests of a connection |
//!
//! ```
//! assert_eq!(ingest::topology().name(), ingest::NAME);
//! ```

mod admission;
mod app;
mod body;
mod errors;
mod hop;
mod limits;
mod metrics;
mod openapi;
mod problem;
mod publish;
mod readiness;
mod reading;
mod refusals;
mod routes;
mod schema;
mod server;
mod settings;
mod signature;
mod span;
#[cfg(test)]
mod tests;
mod validation;

use std::io;
use std::sync::Arc;

use contracts::{
    ContactPreferencesChanged, CustomerEnrolled, CustomerErased, CustomerRenamed, DiscountGifted,
    DiscountRedeemed, PointsEarned, PointsRedeemed,
};
use jiff::Timestamp;
use publisher::EventPublisher;
use service_runtime::{BoxError, Runtime, SettingsError, Unavailable};
use tokio::net::TcpListener;
use tokio::sync::Semaphore;
use tokio_util::task::TaskTracker;
use topology::{Http, Service};

use crate::admission::Admission;
use crate::app::App;
use crate::metrics::Metrics;
use crate::readiness::Readiness;
use crate::refusals::Refusals;
use crate::schema::Schemas;
use crate::settings::Settings;
use crate::span::Labels;
use crate::validation::Validator;

/// The service's name.
pub const NAME: &str = "ingest";

/// The events that the service accepts and publishes.
pub(crate) type Emits = (
    CustomerEnrolled,
    CustomerRenamed,
    ContactPreferencesChanged,
    CustomerErased,
    PointsEarned,
    PointsRedeemed,
    DiscountGifted,
    DiscountRedeemed,
);

/// What the service listens to and emits.
#[must_use]
pub fn topology() -> Service {
    Service::new(NAME).listens(Http::new()).secret("SIGNATURE_SECRET").publishes_to_bus().emits::<Emits>()
}

/// Runs the service until shutdown; requests begun by then are answered first.
///
/// Logs `listening` with the field `address` when it accepts requests.
///
/// # Errors
/// If a setting is missing or wrong, the address cannot be listened on, or a background task fails.
pub async fn run(runtime: Runtime) -> Result<(), BoxError> {
    let settings = Settings::read(&runtime.environment, &runtime.deployment_environment)?;
    let listener =
        TcpListener::bind(settings.listen_address).await.map_err(|error| not_bound(&settings, error))?;
    let address = listener.local_addr()?;

    // Without the interceptor: each entry has its own span and header, a call has none.
    let client = aws_sdk_eventbridge::Client::new(&runtime.aws);
    let bus = EventPublisher::new(
        client,
        settings.event_bus_name,
        publisher::PublisherSettings::default(),
        &runtime.meter,
    )
    .announcing(runtime.departures.clone());
    let readiness = Readiness::new(runtime.health.register("bus"));
    let watching = readiness.clone().watch(runtime.shutdown.clone());
    runtime.tasks.spawn("readiness", async move {
        watching.await;
        Ok(())
    });

    let metrics = Metrics::new(&runtime.meter);
    let refusals = Refusals::new(metrics.clone(), runtime.health.register("admission"));
    let watching = refusals.clone().watch(runtime.shutdown.clone());
    runtime.tasks.spawn("refusals", async move {
        watching.await;
        Ok(())
    });
    let admission = Admission::new(settings.limits.bounds, refusals.clone());

    let answers = TaskTracker::new();
    let schemas = Schemas::of::<Emits>();
    let validator = Validator::new(&schemas)?;
    let description = openapi::document(&schemas, &validator)?.to_string();
    let app = App {
        bus: bus.clone(),
        validator,
        description: description.into(),
        secrets: settings.secrets,
        permits: Arc::new(Semaphore::new(settings.limits.concurrent_requests)),
        labels: Labels { application: runtime.application, environment: runtime.deployment_environment },
        readiness,
        metrics,
        admission: admission.clone(),
        refusals,
        tasks: answers.clone(),
        now: Timestamp::now,
        limits: settings.limits.clone(),
    };
    let router = routes::router(Arc::new(app), &runtime.health);
    runtime.health.ready();
    runtime.addresses.tell("listening", address)?;
    tracing::info!(address = %address, "listening");
    server::serve(listener, router, admission, settings.limits.time, runtime.shutdown).await;

    // Answers whose callers have hung up are finished too, then everything the publisher still holds.
    answers.close();
    answers.wait().await;
    bus.close().await;
    Ok(())
}

fn not_bound(settings: &Settings, error: io::Error) -> BoxError {
    let address = settings.listen_address;
    match error.kind() {
        io::ErrorKind::AddrInUse => {
            SettingsError::one("LISTEN_ADDRESS", format!("{address} is taken")).into()
        }
        io::ErrorKind::AddrNotAvailable | io::ErrorKind::PermissionDenied => {
            SettingsError::one("LISTEN_ADDRESS", format!("cannot listen on {address}: {error}")).into()
        }
        _ => Unavailable::new("listener", error).into(),
    }
}
