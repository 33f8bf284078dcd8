//! AWS in one process, behind one HTTP endpoint: for development and tests, never for production.
//!
//! The engines are the `rustack-*` crates. What is added here is what an event-driven system on AWS relies on and they
//! lack: trace headers that travel over EventBridge, SNS and SQS; rules whose targets have a dead-letter queue and lose
//! nothing; Pipes from a DynamoDB stream to a bus; message move tasks; SES v2; an X-Ray that takes OTLP; and faults on
//! demand. Everything lives in memory and ends with the process.
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
//! Besides AWS's own paths the endpoint has
//!
//! | path | |
//! |---|---|
//! | `/_local/health` | whether it can be used |
//! | `/_local/mail` | GET what SES sent, oldest first; DELETE forgets it |
//! | `/_local/faults` | POST one, such as `{"service": "ses", "caller": "email", "error": "throttle"}`; GET, DELETE |
//! | `/_local/calls` | GET who called what; DELETE forgets it |
//!
//! `GET /_local/calls` answers what IAM would have been asked:
//! `{"calls": [{"caller", "operation", "action", "resource", "context", "count"}, …], "left_out": 0}`. The caller is the
//! access key that a request is signed with, so each program that is to be told from the others needs one of its own. A
//! transaction of DynamoDB counts once for each action and table. The requests themselves are not kept, 10,000 different
//! entries at most are, and what a Pipe, a rule or a topic does inside the cloud is in none of them.

mod calls;
mod cloud;
mod dynamodb;
mod events;
mod faults;
mod gateway;
mod local;
mod pipes;
mod reply;
mod server;
mod ses;
mod sns;
mod sqs;
mod sts;
mod template;
mod trace;

use std::io;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};

use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

/// Where the cloud listens and which account it plays.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Settings {
    /// Address of the AWS endpoint; port 0 takes a free one.
    pub address: SocketAddr,
    /// Address of the OTLP/HTTP endpoint; port 0 takes a free one.
    pub otlp_address: SocketAddr,
    /// Region in ARNs and events.
    pub region: String,
    /// Account number in ARNs and events, 12 digits. The engine behind DynamoDB writes `000000000000` into table ARNs
    /// whatever is set here.
    pub account_id: String,
}

impl Default for Settings {
    fn default() -> Self {
        let loopback = IpAddr::V4(Ipv4Addr::LOCALHOST);
        Self {
            address: SocketAddr::new(loopback, 4566),
            otlp_address: SocketAddr::new(loopback, 4318),
            region: "eu-central-1".to_owned(),
            account_id: "000000000000".to_owned(),
        }
    }
}

/// Why the cloud could not start.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// Another process listens there.
    #[error("{what} cannot listen on {address}: the address is in use")]
    AddressInUse {
        /// The address that was asked for.
        address: SocketAddr,
        /// Which listener: `AWS endpoint` or `OTLP endpoint`.
        what: &'static str,
    },
    /// The address could not be bound for another reason.
    #[error("{what} cannot listen on {address}")]
    Bind {
        /// The address that was asked for.
        address: SocketAddr,
        /// Which listener: `AWS endpoint` or `OTLP endpoint`.
        what: &'static str,
        /// What the operating system said.
        #[source]
        source: io::Error,
    },
}

/// A running cloud. Dropped without [`shutdown`](Self::shutdown), it stops accepting and ends its tasks in the background.
#[derive(Debug)]
pub struct LocalCloud {
    address: SocketAddr,
    otlp_address: SocketAddr,
    cloud: std::sync::Arc<cloud::Cloud>,
    stop: CancellationToken,
    tasks: TaskTracker,
}

/// Binds both listeners and starts answering. When this returns, clients can connect.
///
/// # Errors
/// [`StartError`] when one of the addresses cannot be bound.
pub async fn start(settings: Settings) -> Result<LocalCloud, StartError> {
    let listener = server::bind(settings.address, "AWS endpoint").await?;
    let otlp_listener = server::bind(settings.otlp_address, "OTLP endpoint").await?;
    let address =
        listener.local_addr().map_err(|source| bind_error(settings.address, "AWS endpoint", source))?;
    let otlp_address = otlp_listener
        .local_addr()
        .map_err(|source| bind_error(settings.otlp_address, "OTLP endpoint", source))?;

    let stop = CancellationToken::new();
    let tasks = TaskTracker::new();
    let xray = xray_engine::Engine::new(xray_engine::Settings::default());
    let cloud = cloud::Cloud::new(&settings, address, stop.clone(), tasks.clone());
    let router = gateway::router(std::sync::Arc::clone(&cloud), xray.api_router());
    tasks.spawn(server::serve(listener, router, stop.clone(), tasks.clone()));
    tasks.spawn(server::serve(otlp_listener, xray.otlp_router(), stop.clone(), tasks.clone()));
    tracing::info!(%address, %otlp_address, region = settings.region, "local cloud listening");
    Ok(LocalCloud { address, otlp_address, cloud, stop, tasks })
}

fn bind_error(address: SocketAddr, what: &'static str, source: io::Error) -> StartError {
    if source.kind() == io::ErrorKind::AddrInUse {
        StartError::AddressInUse { address, what }
    } else {
        StartError::Bind { address, what, source }
    }
}

impl LocalCloud {
    /// Address of the AWS endpoint, with the port that was taken.
    #[must_use]
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Address of the OTLP/HTTP endpoint (`/v1/traces`), with the port that was taken.
    #[must_use]
    pub fn otlp_address(&self) -> SocketAddr {
        self.otlp_address
    }

    /// What to set as `AWS_ENDPOINT_URL`.
    #[must_use]
    pub fn endpoint_url(&self) -> String {
        format!("http://{}", self.address)
    }

    /// Stops: no new connections, long polls end at once with nothing, open requests finish, queues and pipes are
    /// stopped. Returns when every task has ended; a request that does not end within three seconds is dropped.
    pub async fn shutdown(self) {
        self.stop.cancel();
        self.tasks.close();
        self.tasks.wait().await;
        self.cloud.shutdown().await;
    }
}

impl Drop for LocalCloud {
    fn drop(&mut self) {
        self.stop.cancel();
    }
}
