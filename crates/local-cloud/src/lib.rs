//! AWS in one process, behind one HTTP endpoint: for development and tests, never for production.
//!
//! The `rustack-*` crates are the engines, except of SQS, which is implemented here. This crate adds what an event-driven system on AWS relies on and the engines
//! lack: trace headers that travel over EventBridge, SNS and SQS; rules whose targets have dead-letter queues and lose
//! nothing; Pipes from a DynamoDB stream to a bus; message move tasks; SES v2; faults on demand. X-Ray is the crate
//! `xray-engine`. Everything is kept in memory and ends with the process.
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
//! | `/_local/mail` | GET the mail that SES sent, oldest first; DELETE forgets it |
//! | `/_local/faults` | POST a fault, such as `{"service": "ses", "caller": "email", "error": "throttle"}` or `{"service": "sns", "error": {"answer": {"code": "AuthorizationError", "status": 403}}}`; GET, DELETE |
//! | `/_local/calls` | GET who called what; DELETE forgets it |
//!
//! `GET /_local/calls` lists what IAM would have had to authorize:
//! `{"calls": [{"caller", "operation", "action", "resource", "context", "count"}, …], "left_out": 0}`. The caller is the
//! access key that a request is signed with, so programs can be told apart only if each has its own. A DynamoDB
//! transaction counts once per action and table. The requests themselves are not kept, the list holds at most 10,000
//! different entries, and what a Pipe, a rule or a topic does inside the cloud does not appear in it.

mod audit;
mod call;
mod cloud;
mod control;
mod dynamodb;
mod events;
mod faults;
mod gateway;
mod input;
mod models;
mod operation;
mod pipes;
mod reply;
mod server;
mod ses;
mod settings;
mod sns;
mod sqs;
mod sts;
mod template;
mod trace_header;

use std::net::SocketAddr;

pub use server::StartError;
pub use settings::Settings;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

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
/// When one of the addresses cannot be bound.
pub async fn start(settings: Settings) -> Result<LocalCloud, StartError> {
    let (listener, address) = server::bind(settings.address, "AWS endpoint").await?;
    let (otlp_listener, otlp_address) = server::bind(settings.otlp_address, "OTLP endpoint").await?;

    let stop = CancellationToken::new();
    let tasks = TaskTracker::new();
    let xray = xray_engine::Engine::new(xray_engine::Settings::default());
    let cloud = cloud::Cloud::new(&settings, address, stop.clone(), tasks.clone());
    let router = gateway::router(cloud, xray.api_router());
    tasks.spawn(server::serve(listener, router, stop.clone(), tasks.clone()));
    tasks.spawn(server::serve(otlp_listener, xray.otlp_router(), stop.clone(), tasks.clone()));
    tracing::info!(%address, %otlp_address, region = settings.region, "local cloud listening");
    Ok(LocalCloud { address, otlp_address, stop, tasks })
}

impl LocalCloud {
    /// Returns the address of the AWS endpoint, with the port that was chosen.
    #[must_use]
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Returns the address of the OTLP/HTTP endpoint (`/v1/traces`), with the port that was chosen.
    #[must_use]
    pub fn otlp_address(&self) -> SocketAddr {
        self.otlp_address
    }

    /// Returns the value for `AWS_ENDPOINT_URL`.
    #[must_use]
    pub fn endpoint_url(&self) -> String {
        format!("http://{}", self.address)
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
