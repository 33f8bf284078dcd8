//! The wallet service keeps each customer's wallet pass, and tells phones when it changes.
//!
//! It consumes what is announced of members, points and discounts. [`domain::Card`] merges that in whatever order it arrives,
//! and [`domain::pass`] writes it as a pass, which is signed and stored as one object of the bucket `wallet-passes`. What the
//! card consists of travels in the pass, so that the next event is merged with the object and written on the condition that
//! it is still the same: an older event never overwrites a newer pass.
//!
//! Phones register for a pass, are told by Apple's push service that it has changed, ask which passes have, and fetch them:
//! the service answers by Apple's
//! [interface for updates](https://developer.apple.com/documentation/walletpasses/adding-a-web-service-to-update-passes).
//! The certificate of the pass type signs passes, and is the client's towards the push service.
//!
//! ```
//! use contracts::{PointsBalanceChanged, Tier};
//! use wallet::domain::{Card, Place};
//!
//! let event = PointsBalanceChanged {
//!     customer_number: "123456789012".parse()?, balance: 150, tier: Tier::Silver, tier_points: 1_250, revision: 7,
//! };
//! let place = Place {
//!     event_id: uuid::Uuid::nil(),
//!     occurred_at: "2026-03-01T12:00:00Z".parse()?,
//!     published_at: "2026-03-01T12:00:01Z".parse()?,
//! };
//! let mut card = Card::new(event.customer_number.clone());
//! assert!(card.apply(event.clone().into(), place));
//! assert!(!card.apply(event.into(), place), "the second time it changes nothing");
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

mod apns;
mod device;
pub mod domain;
mod endpoint;
mod handler;
mod identity;
mod passes;
mod registrations;
mod settings;
#[cfg(test)]
mod tests;
mod tokens;
mod updates;

use std::io;
use std::net::SocketAddr;
use std::time::Duration;

use handlers::{AtLeastOnce, subscriptions};
use jiff::Timestamp;
use service_runtime::{BoxError, Runtime, SettingsError, Unavailable};
use tokio::net::TcpListener;
use topology::{Bucket, BucketAccess, Http, Parameter, Service, Table, TableAccess};

use crate::apns::Apns;
use crate::handler::KeepPasses;
use crate::passes::Passes;
use crate::registrations::{EXPIRES_AT, Registrations};
use crate::settings::Settings;
use crate::updates::Updates;

/// The service's name.
pub const NAME: &str = "wallet";

/// The bucket of the passes.
pub const BUCKET: &str = "wallet-passes";

/// How long handling a message may take: reading and writing a pass, some rounds if others write it too, and a push of ten
/// seconds.
const HANDLES_WITHIN: Duration = Duration::from_mins(1);

/// What the service consumes and owns, and what a deployment says of passes.
///
/// A pass names its customer until an erasure empties it. The table holds no names or addresses: it has serial numbers of
/// passes, and what phones are called and reached by, and forgets these some time after an erasure.
///
/// ```
/// assert_eq!(wallet::topology().name(), wallet::NAME);
/// ```
#[must_use]
pub fn topology() -> Service {
    Service::new(NAME)
        .consumes(subscriptions::<KeepPasses>())
        .owns_bucket(Bucket::new(BUCKET).access([BucketAccess::Get, BucketAccess::Put]).personal_data())
        .owns(
            Table::new("wallet-registrations")
                .expires_at(EXPIRES_AT)
                .access([TableAccess::Get, TableAccess::Update, TableAccess::Delete])
                .personal_data(),
        )
        .listens(Http::new())
        .parameter(
            Parameter::new("PASS_TYPE", "Identifier of the pass type, which the certificate is for")
                .matches("pass\\.[A-Za-z0-9.-]+", "an identifier such as pass.com.example.loyalty"),
        )
        .parameter(
            Parameter::new("PASS_TEAM", "Identifier of the team at Apple that the pass type belongs to")
                .matches("[A-Z0-9]{10}", "ten letters and digits"),
        )
        .parameter(Parameter::new("PASS_ORGANIZATION", "Name on passes, shown to customers"))
        .parameter(
            Parameter::new(
                "PASS_WEB_SERVICE_URL",
                "Where phones reach this service, to ask for changes of passes",
            )
            .matches("https://[^\\s?#@]+", "an https URL without user, password and query"),
        )
        .parameter(
            Parameter::new("APNS_URL", "Where pushes to phones go")
                .matches("https://[^\\s?#@]+", "an https URL without user, password and query")
                .or("https://api.push.apple.com"),
        )
        .secret("PASS_IDENTITY")
        .secret("PASS_TOKEN_SECRET")
        .handles_within(HANDLES_WITHIN)
}

/// Runs the service until it is stopped, the messages in flight are settled and the requests in flight are answered.
///
/// It reads `QUEUE_URL`, `DEAD_LETTER_QUEUE_URL`, `WALLET_PASSES_BUCKET_NAME`, `WALLET_REGISTRATIONS_TABLE_NAME`,
/// `LISTEN_ADDRESS` (`127.0.0.1:8080`), `PASS_TYPE`, `PASS_TEAM`, `PASS_ORGANIZATION`, `PASS_WEB_SERVICE_URL`,
/// `PASS_IDENTITY` (the key, the certificate of the pass type and the intermediate certificate, in PEM, one after another),
/// `PASS_TOKEN_SECRET` (one, or several separated by commas: new passes get tokens by the first), `APNS_URL`,
/// `PUSH_TIMEOUT_MS` (10,000), `MAX_CONCURRENT_REQUESTS` (128), `REQUEST_TIMEOUT_MS` (10,000) and the `CONSUMER_*` settings.
///
/// Logs `listening` with the field `address` when it accepts requests.
///
/// # Errors
/// [`SettingsError`], an address that cannot be listened on, no certificate of an authority on this system, or a drain that
/// took too long.
pub async fn run(runtime: Runtime) -> Result<(), BoxError> {
    let mut settings =
        Settings::read(NAME, &runtime.environment, &runtime.deployment_environment, runtime.grace)?;
    let listener = TcpListener::bind(settings.listen_address)
        .await
        .map_err(|error| not_bound(settings.listen_address, error))?;
    let address = listener.local_addr()?;
    if settings.issuer.web_service_url.is_empty() {
        settings.issuer.web_service_url = format!("http://{address}");
    }
    let pass_type = settings.issuer.pass_type.clone();
    let apns = Apns::new(settings.endpoint, pass_type, &settings.identity, settings.push_timeout)?;
    let registrations = Registrations::new(aws_clients::dynamodb(&runtime.aws), settings.table);
    let passes = Passes::new(
        aws_clients::s3(&runtime.aws),
        settings.bucket,
        settings.issuer,
        settings.identity.into_signer(),
        settings.tokens.clone(),
        Timestamp::now,
    );
    let updates = Updates::new(
        passes.clone(),
        registrations.clone(),
        settings.tokens,
        settings.limits,
        (runtime.application.clone(), runtime.deployment_environment.clone()),
        &runtime.meter,
    );
    let serving =
        updates::server::serve(listener, updates::router(updates, &runtime.health), runtime.shutdown.clone());
    runtime.tasks.spawn("updates", async move {
        serving.await;
        Ok(())
    });
    runtime.addresses.tell("listening", address)?;
    tracing::info!(address = %address, "listening");
    let handler = AtLeastOnce::new(KeepPasses { passes, registrations, apns });
    Ok(sqs_consumer::serve(&runtime, settings.queue, handler).await?)
}

fn not_bound(address: SocketAddr, error: io::Error) -> BoxError {
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
