//! AWS in one process, behind one HTTP endpoint: for development and tests, never for production.
//!
//! SQS, SNS, EventBridge, Pipes, SES, S3 and KMS are implemented here; `dynoxide-rs` is the engine of DynamoDB, and X-Ray is the crate
//! `xray-engine`. Trace headers travel over EventBridge, SNS and SQS, and there are faults on demand. Everything is kept in
//! memory and ends with the process, except for mails and traces if [`Settings::data_dir`] is set.
//!
//! ```no_run
//! # async fn example() -> Result<(), local_cloud::StartError> {
//! let cloud = local_cloud::start(local_cloud::Settings::default()).await?;
//! println!("AWS_ENDPOINT_URL={}", cloud.endpoint_url());
//! println!("OTEL_EXPORTER_OTLP_ENDPOINT=http://{}", cloud.otlp_address());
//! cloud.shutdown().await;
//! # Ok(())
//! # }
//! ```
//!
//! Besides AWS's own paths the endpoint serves
//!
//! | path | |
//! |---|---|
//! | `/_local/health` | GET whether it is ready |
//! | `/_local/mail` | GET the mail that SES accepted, oldest first, with `feedback` from recipients that are suppressed or simulate a bounce, a complaint or a reply; DELETE forgets it |
//! | `/_local/faults` | POST a fault, such as `{"service": "sns", "caller": "notifier", "error": {"answer": {"code": "AuthorizationError", "status": 403}}}`; GET, DELETE. `docs/faults.md` describes every kind |
//! | `/_local/webhook` | POST a push, signed by Standard Webhooks with [`WEBHOOK_SECRET`]; GET the newest 1,000; DELETE forgets them |
//! | `/_local/apns` | POST a push to a phone, to `/_local/apns/3/device/TOKEN`; GET the newest 1,000; DELETE forgets them |
//! | `/_local/calls` | GET who called what; DELETE forgets it |
//! | `/_local/metrics` | GET the latest value of every metric that arrived over OTLP, as `docs/schemas/metrics.json` describes; DELETE forgets them |
//!
//! Web pages cannot: requests with `Origin`, or with the `Host` of another server, are refused, and a POST needs
//! `content-type: application/json`.
//!
//! `GET /_local/calls` lists what IAM would have had to authorize:
//! `{"calls": [{"caller", "operation", "action", "resource", "context", "count"}, …], "left_out": 0}`. The caller is the
//! access key that a request is signed with, so programs can be told apart only if each has its own. A DynamoDB
//! transaction counts once per action and table. The requests themselves are not kept, the list holds at most 10,000
//! different entries, and what a Pipe, a rule or a topic does inside the cloud does not appear in it.

mod apns;
mod audit;
mod budget;
mod call;
mod cloud;
mod control;
#[cfg(test)]
mod coverage;
mod dynamodb;
mod error;
mod events;
mod faults;
mod gateway;
mod guard;
mod input;
mod journal;
mod kinder;
mod kms;
mod metrics;
mod models;
mod operation;
mod page;
mod parts;
mod pipes;
mod pushes;
mod reply;
mod s3;
mod server;
mod ses;
mod settings;
mod sns;
mod sqs;
mod sts;
mod template;
mod trace_header;
mod webhook;

use std::net::SocketAddr;
use std::sync::Arc;

use axum::Router;
use gateway::Gateway;
pub use server::StartError;
pub use settings::{Settings, WEBHOOK_SECRET};
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;
use xray_engine::TraceStore;

/// The path at which the cloud receives webhooks.
pub const WEBHOOK_PATH: &str = "/_local/webhook";
/// The path below which the cloud receives pushes to phones, as Apple's push service does below `https://api.push.apple.com`.
pub const APNS_PATH: &str = "/_local/apns";
/// What passes are signed with in the local environment: key, certificate and intermediate certificate in PEM. Everybody has
/// it, so it proves nothing; `passes/make.sh` made it.
pub const PASS_IDENTITY: &str = include_str!("../passes/identity.pem");
/// The certificate of the authority behind [`PASS_IDENTITY`], which no phone trusts.
pub const PASS_AUTHORITY: &str = include_str!("../passes/authority.pem");

/// A running cloud. If it is dropped without [`shutdown`](Self::shutdown), it stops accepting connections and ends its
/// tasks in the background.
#[derive(Debug)]
pub struct LocalCloud {
    address: SocketAddr,
    otlp_address: SocketAddr,
    stop: CancellationToken,
    tasks: TaskTracker,
}

/// Binds both listeners and starts serving. When this returns, clients can connect.
///
/// # Errors
/// When one of the addresses cannot be bound, or the data directory cannot be used.
pub async fn start(settings: Settings) -> Result<LocalCloud, StartError> {
    Ok(Bound::new(&settings).await?.serve())
}

/// Does the same, but serves no client before `prepare` has returned: it creates what clients rely on, at a private
/// endpoint whose URL it is given. Meanwhile clients' connections wait. An event that arrived after its bus was created
/// and before its rules were would be lost.
///
/// # Errors
/// When one of the addresses cannot be bound, the data directory cannot be used, or `prepare` fails.
pub async fn start_prepared<E: From<StartError>>(
    settings: Settings,
    prepare: impl AsyncFnOnce(String) -> Result<(), E>,
) -> Result<LocalCloud, E> {
    let bound = Bound::new(&settings).await?;
    let (listener, address) = server::bind(([127, 0, 0, 1], 0).into(), "private endpoint").await?;
    let stop = bound.local.stop.child_token();
    let tasks = bound.local.tasks.clone();
    tasks.spawn(server::serve(listener, bound.gateway.clone(), stop.clone(), tasks.clone()));
    prepare(format!("http://{address}")).await?;
    stop.cancel();
    Ok(bound.serve())
}

/// A cloud whose addresses are bound and whose clients are not served yet.
struct Bound {
    local: LocalCloud,
    listener: TcpListener,
    gateway: Gateway,
    otlp_listener: TcpListener,
    otlp_router: Router,
}

impl Bound {
    async fn new(settings: &Settings) -> Result<Self, StartError> {
        let (listener, address) = server::bind(settings.address, "AWS endpoint").await?;
        let (otlp_listener, otlp_address) = server::bind(settings.otlp_address, "OTLP endpoint").await?;
        let (mails, traces) = kept(settings)?;

        let stop = CancellationToken::new();
        let tasks = TaskTracker::new();
        let xray_settings = xray_engine::Settings {
            region: settings.region.clone(),
            account_id: settings.account_id.clone(),
            ..xray_engine::Settings::default()
        };
        let xray = xray_engine::Engine::with_store(xray_settings, traces)?;
        let cloud = cloud::Cloud::new(settings, address, mails, stop.clone(), tasks.clone());
        let otlp_router = xray.otlp_router_with(Arc::new(metrics::Sink(Arc::clone(&cloud.metrics))));
        let gateway = Gateway::new(cloud, xray.api_router());
        let local = LocalCloud { address, otlp_address, stop, tasks };
        Ok(Self { local, listener, gateway, otlp_listener, otlp_router })
    }

    fn serve(self) -> LocalCloud {
        let Self { local, listener, gateway, otlp_listener, otlp_router } = self;
        let (stop, tasks) = (&local.stop, &local.tasks);
        tasks.spawn(server::serve(listener, gateway, stop.clone(), tasks.clone()));
        tasks.spawn(server::serve(otlp_listener, otlp_router, stop.clone(), tasks.clone()));
        tracing::info!(address = %local.address, otlp_address = %local.otlp_address, "local cloud listening");
        local
    }
}

/// Returns the mails and traces that earlier runs have left in the data directory.
fn kept(settings: &Settings) -> Result<(ses::Sent, TraceStore), StartError> {
    let directory = settings.data_dir.as_deref();
    let unusable = |source| StartError::DataDirectory {
        directory: settings.data_dir.clone().unwrap_or_default(),
        source,
    };
    let mails = ses::Sent::open(directory, settings.mail_bytes()).map_err(unusable)?;
    let traces = match directory {
        Some(directory) => TraceStore::open(&directory.join("traces"), settings.trace_bytes())?,
        None => TraceStore::temporary(settings.trace_bytes())?,
    };
    Ok((mails, traces))
}

impl LocalCloud {
    /// Returns the address of the AWS endpoint, with the port that was chosen.
    #[must_use]
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Returns the address of the OTLP endpoint (`/v1/traces`, `/v1/metrics`), with the port that was chosen.
    #[must_use]
    pub fn otlp_address(&self) -> SocketAddr {
        self.otlp_address
    }

    /// Returns the value for `AWS_ENDPOINT_URL`.
    #[must_use]
    pub fn endpoint_url(&self) -> String {
        format!("http://{}", self.address)
    }

    /// Returns the URL at which the cloud receives webhooks.
    #[must_use]
    pub fn webhook_url(&self) -> String {
        format!("{}{WEBHOOK_PATH}", self.endpoint_url())
    }

    /// Returns the URL below which the cloud receives pushes to phones.
    #[must_use]
    pub fn apns_url(&self) -> String {
        format!("{}{APNS_PATH}", self.endpoint_url())
    }

    /// Stops the cloud: accepts no new connections, ends long polls with an empty response, lets open requests finish, and
    /// stops queues and pipes. Returns when every task has ended; a request that takes longer than three seconds is
    /// dropped.
    pub async fn shutdown(self) {
        self.stop.cancel();
        self.tasks.close();
        self.tasks.wait().await;
    }
}

impl Drop for LocalCloud {
    fn drop(&mut self) {
        self.stop.cancel();
    }
}
