//! The options of `foostore up`.

use std::net::SocketAddr;
use std::path::PathBuf;

use clap::builder::PossibleValuesParser;

use super::output::LogFormat;
use crate::commands::traffic;
use crate::failure::Failure;
use crate::{layer, runs};

/// Run everything on this machine: local cloud, all services, an example event with its trace, example traffic
#[derive(Debug, Clone, clap::Args)]
#[command(after_help = "\
Examples:
  foostore up
  foostore up --no-traffic --log-format json
  foostore up --only ingest,membership,notifier,email
  cargo run -- up --watch              # builds and restarts the services when a source file changes
  foostore up --cloud-address 127.0.0.1:0 --otlp-address 127.0.0.1:0 --ingest-address 127.0.0.1:0
  foostore up --endpoint-url http://127.0.0.1:4567      # another emulator in place of the local cloud
  foostore up --json --no-traffic      # for programs: one JSON line once everything is ready

Ctrl-C drains and stops everything; a second Ctrl-C stops it at once.")]
#[expect(clippy::struct_excessive_bools, reason = "each is a switch of the command line")]
pub(crate) struct UpArgs {
    /// Address of the local cloud (all AWS APIs); port 0 picks a free port
    #[arg(long, value_name = "ADDRESS", default_value = "127.0.0.1:4566")]
    pub(super) cloud_address: SocketAddr,
    /// Run only these services, separated by commas, in a layer that has no others; ingest must be among them
    #[arg(
        long,
        value_name = "SERVICE,…",
        value_delimiter = ',',
        value_parser = PossibleValuesParser::new(layer::names()),
        hide_possible_values = true
    )]
    pub(super) only: Vec<String>,
    /// Let the services call AWS at this endpoint, which must be running; the local cloud then serves X-Ray alone
    #[arg(long, value_name = "URL")]
    pub(super) endpoint_url: Option<String>,
    /// Keep traces, X-Ray's configuration and mails in this directory, so that they outlive a restart
    #[arg(long, value_name = "DIR")]
    pub(super) data_dir: Option<PathBuf>,
    /// Create nothing at --endpoint-url, because the templates in deploy/ were deployed there as environment local
    #[arg(long, requires = "endpoint_url")]
    pub(super) no_provision: bool,
    /// Address that receives traces and metrics over OTLP, by HTTP and gRPC; port 0 picks a free port
    #[arg(long, value_name = "ADDRESS", default_value = "127.0.0.1:4318")]
    pub(super) otlp_address: SocketAddr,
    /// Address that accepts events; port 0 picks a free port
    #[arg(long, value_name = "ADDRESS", default_value = "127.0.0.1:8080")]
    pub(super) ingest_address: SocketAddr,
    /// Let ingest take signed requests only, and sign the example and its traffic; several secrets are separated by commas
    #[arg(long, env = "SIGNATURE_SECRET", hide_env_values = true, value_name = "SECRET")]
    pub(super) signature_secret: Option<String>,
    /// Push notifications to this URL, not to the local cloud, which `foostore pushes` reads
    #[arg(long, value_name = "URL")]
    pub(super) webhook_url: Option<String>,
    /// Sign pushes with this secret; several are separated by commas
    #[arg(long, value_name = "SECRET", requires = "webhook_url", default_value = local_cloud::WEBHOOK_SECRET)]
    pub(super) webhook_secret: String,
    /// Print JSON lines for programs on standard output and the log on standard error; send no example event
    #[arg(long)]
    pub(super) json: bool,
    /// Format of log lines on the screen; the files always have them as the services wrote them
    #[arg(long, value_enum, default_value = "text", value_name = "FORMAT")]
    pub(super) log_format: LogFormat,
    /// Directory of the runs, each of which has a directory for its log files; those of the last five are kept
    #[arg(long, value_name = "DIR", default_value = runs::DIRECTORY)]
    pub(super) log_dir: PathBuf,
    /// Build again when a source file of this workspace changes, and restart the services when their program does
    #[arg(long)]
    pub(super) watch: bool,
    /// Do not send the example event
    #[arg(long)]
    pub(super) no_example: bool,
    /// Do not send example traffic
    #[arg(long)]
    pub(super) no_traffic: bool,
    /// Events of example traffic per second
    #[arg(long, value_name = "EVENTS", default_value_t = 0.5, value_parser = traffic::rate)]
    pub(super) traffic_per_second: f64,
    /// Send the services' traces and metrics to this collector over OTLP/HTTP, not to the local cloud
    #[arg(long, value_name = "URL")]
    pub(super) otlp_endpoint: Option<String>,
    /// Send the services' metrics to this address over OTLP/HTTP, not to the local cloud
    #[arg(long, value_name = "URL")]
    pub(super) metrics_endpoint: Option<String>,
    /// Time limit for the services to become ready
    #[arg(long, value_name = "SECONDS", default_value_t = 30)]
    pub(super) ready_timeout_s: u64,
    /// Stop when standard input ends, for a parent that may be killed
    #[arg(long, hide = true)]
    pub(super) exit_with_stdin: bool,
    /// Time limit for a service to drain
    #[arg(long, value_name = "SECONDS", default_value_t = 10)]
    pub(super) shutdown_grace_s: u64,
}

impl UpArgs {
    /// Returns the names of the services that run.
    ///
    /// # Errors
    /// When ingest is not among them.
    pub(super) fn services(&self) -> Result<Vec<&'static str>, Failure> {
        let chosen = |name: &&str| self.only.is_empty() || self.only.iter().any(|one| one == name);
        let services: Vec<_> = layer::names().filter(chosen).collect();
        if services.contains(&ingest::NAME) {
            Ok(services)
        } else {
            Err(Failure::usage("--only: without ingest nothing arrives; name it as well"))
        }
    }
}
