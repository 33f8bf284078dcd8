//! What `up` runs: the local cloud in this process and a process for each service. Stops in reverse order of the start.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

use anyhow::Context as _;
use futures_util::future::join_all;
use local_cloud::{LocalCloud, Settings, StartError};
use service_runtime::Environment;

use super::arguments::UpArgs;
use super::child::Spec;
use super::output::Output;
use super::supervise::{Stop, Supervised};
use super::{ready, resources};
use crate::endpoint::{DEFAULT_ENDPOINT_URL, REGION, local_config};
use crate::ports;
use crate::screen::Screen;
use crate::service_environment::{self, LISTEN, SIGNATURE_SECRET, Shared, WEBHOOK_SECRET, WEBHOOK_URL};
use crate::xray_client::XRay;

/// The time between two exports of metrics to the local cloud: short enough for someone who watches them.
const METRICS_INTERVAL: Duration = Duration::from_secs(3);

/// The running parts.
pub(super) struct LocalRun {
    stop: Stop,
    cloud: Option<LocalCloud>,
    /// The endpoint of AWS, if the local cloud serves X-Ray alone.
    other_endpoint: Option<String>,
    services: Vec<Supervised>,
}

/// The addresses of a run that is ready.
#[derive(Debug, Clone)]
pub(super) struct Addresses {
    /// Address of ingest.
    pub(super) ingest: String,
    /// Address of all AWS APIs that the services call.
    pub(super) endpoint: String,
    /// Address of X-Ray's API.
    pub(super) xray: String,
    /// Address of OTLP.
    pub(super) otlp: String,
    /// The running services.
    pub(super) services: Vec<Service>,
    /// Where the log files are.
    pub(super) log_dir: PathBuf,
    /// How this program was invoked, for examples to copy.
    pub(super) program: String,
}

/// A running service.
#[derive(Debug, Clone)]
pub(super) struct Service {
    pub(super) name: &'static str,
    pub(super) pid: u32,
    /// Where it answers health checks.
    pub(super) health: SocketAddr,
    /// Where it accepts requests, if it does.
    pub(super) listening: Option<SocketAddr>,
}

impl Addresses {
    /// Returns a command of this program against the local cloud, to copy.
    pub(super) fn command(&self, name: &str) -> String {
        let endpoint = if self.xray == DEFAULT_ENDPOINT_URL {
            String::new()
        } else {
            format!(" --endpoint-url {}", self.xray)
        };
        format!("{} {name}{endpoint}", self.program)
    }

    /// Returns a client of the run's X-Ray.
    pub(super) async fn xray(&self, environment: &Environment) -> XRay {
        XRay::new(&local_config(&self.xray, REGION, environment).await, &self.xray)
    }
}

/// Returns the address at which a collector receives metrics.
fn metrics_of(collector: &str) -> String {
    format!("{}/v1/metrics", collector.trim_end_matches('/'))
}

impl LocalRun {
    pub(super) fn new(stop: Stop, other_endpoint: Option<String>) -> Self {
        Self { stop, cloud: None, other_endpoint, services: Vec::new() }
    }

    /// Starts the local cloud.
    ///
    /// # Errors
    /// When one of its addresses is in use.
    pub(super) async fn start_cloud(&mut self, args: &UpArgs) -> anyhow::Result<()> {
        let settings = Settings {
            address: args.cloud_address,
            otlp_address: args.otlp_address,
            region: REGION.to_owned(),
            data_dir: args.data_dir.clone(),
            ..Settings::default()
        };
        let cloud = local_cloud::start(settings).await.map_err(|error| match error {
            // Taken since the check.
            StartError::AddressInUse { address, .. } if address == args.otlp_address => {
                anyhow::Error::new(ports::in_use(address, "OTLP", "--otlp-address"))
            }
            StartError::AddressInUse { address, .. } => {
                anyhow::Error::new(ports::in_use(address, "the local cloud", "--cloud-address"))
            }
            other => anyhow::Error::new(other),
        })?;
        self.cloud = Some(cloud);
        Ok(())
    }

    /// Creates or locates the services' resources and starts the services.
    ///
    /// # Errors
    /// When the resources cannot be created or found, or this program cannot be found.
    pub(super) async fn start_services(
        &mut self,
        args: &UpArgs,
        own: &Environment,
        output: &Output,
        screen: &Screen,
    ) -> anyhow::Result<()> {
        let cloud = self.cloud.as_ref().context("the local cloud is not running")?;
        let endpoint_url = self.other_endpoint.clone().unwrap_or_else(|| cloud.endpoint_url());
        let own_otlp = format!("http://{}", cloud.otlp_address());
        let otlp_url = args.otlp_endpoint.as_ref().unwrap_or(&own_otlp);
        let metrics_url = args.metrics_endpoint.clone().unwrap_or_else(|| metrics_of(otlp_url));
        let to_cloud = args.otlp_endpoint.is_none() && args.metrics_endpoint.is_none();
        let services = args.services()?;
        let outputs = Box::pin(resources::at(&endpoint_url, &services, !args.no_provision)).await?;
        let program = std::env::current_exe().context("the path of this program is unknown")?;
        let shared = Shared {
            endpoint_url: &endpoint_url,
            cloud_url: &cloud.endpoint_url(),
            otlp_url,
            metrics_url: &metrics_url,
            metrics_interval: to_cloud.then_some(METRICS_INTERVAL),
            grace: Duration::from_secs(args.shutdown_grace_s),
        };
        for name in services {
            let mut environment = service_environment::of(name, &shared, outputs.environment(name), own);
            if name == ingest::NAME {
                environment.insert(LISTEN.to_owned(), args.ingest_address.to_string());
                if let Some(secret) = &args.signature_secret {
                    environment.insert(SIGNATURE_SECRET.to_owned(), secret.clone());
                }
            }
            if let Some(url) = args.webhook_url.as_ref().filter(|_| name == app::NAME) {
                environment.insert(WEBHOOK_URL.to_owned(), url.clone());
                environment.insert(WEBHOOK_SECRET.to_owned(), args.webhook_secret.clone());
            }
            let spec = Spec {
                name,
                program: program.clone(),
                arguments: ["service", name, "--exit-with-stdin"].map(str::to_owned).into(),
                environment,
                directory: output.directory().to_owned(),
            };
            let output =
                output.of(name).with_context(|| format!("the log file of {name} cannot be created"))?;
            self.services.push(Supervised::start(spec, output, screen.clone(), args.json, self.stop.clone()));
        }
        Ok(())
    }

    /// Waits until all services are ready.
    ///
    /// # Errors
    /// When one does not become ready.
    pub(super) async fn ready(&self, http: &reqwest::Client, limit: Duration) -> anyhow::Result<()> {
        Ok(ready::wait(&self.services, http, limit).await?)
    }

    /// Returns the addresses of everything, once it is ready.
    ///
    /// # Errors
    /// When a service has not reported its addresses.
    pub(super) fn addresses(&self, output: &Output) -> anyhow::Result<Addresses> {
        let cloud = self.cloud.as_ref().context("the local cloud is not running")?;
        let mut listening = None;
        let mut services = Vec::new();
        for service in &self.services {
            let state = service.state.borrow();
            if service.name == ingest::NAME {
                listening = state.report.addresses.listening;
            }
            let (Some(pid), Some(health)) = (state.pid, state.report.addresses.health) else {
                anyhow::bail!("service {} died as soon as it was ready", service.name);
            };
            let listening = state.report.addresses.listening;
            services.push(Service { name: service.name, pid, health, listening });
        }
        let listening = listening.context("ingest has not reported its address")?;
        Ok(Addresses {
            ingest: format!("http://{listening}"),
            endpoint: self.other_endpoint.clone().unwrap_or_else(|| cloud.endpoint_url()),
            xray: cloud.endpoint_url(),
            otlp: format!("http://{}", cloud.otlp_address()),
            services,
            log_dir: output.directory().to_owned(),
            program: std::env::args().next().unwrap_or_else(|| "foostore".to_owned()),
        })
    }

    /// Drains all services, then stops the cloud, which they need to drain.
    pub(super) async fn down(&mut self) {
        // The order matters: a draining service still settles its messages and exports its last spans.
        self.stop.drain.cancel();
        join_all(self.services.drain(..).map(Supervised::ended)).await;
        if let Some(cloud) = self.cloud.take() {
            tokio::select! {
                () = cloud.shutdown() => {}
                () = self.stop.kill.cancelled() => {}
            }
        }
    }
}
