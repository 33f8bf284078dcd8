//! Enables this process's own log, for commands that run something in it.

use anyhow::Context as _;
use service_runtime::Environment;
use tracing_subscriber::EnvFilter;
use tracing_subscriber::layer::SubscriberExt as _;
use tracing_subscriber::util::SubscriberInitExt as _;

use super::capture::Capture;
use super::line::Line;
use super::render::Renderer;
use crate::failure::Failure;
use crate::stdio::remark;
use crate::style::Style;

/// The default filter: the engines inside the local cloud log every request at `info`.
const DEFAULT_FILTER: &str = "warn,foostore=info,local_cloud=info";

/// Passes every event of this process that `RUST_LOG` admits to `sink`.
///
/// # Errors
/// When `RUST_LOG` is not a valid filter.
pub(crate) fn install(
    environment: &Environment,
    sink: impl Fn(&'static str, Line) + Send + Sync + 'static,
) -> anyhow::Result<()> {
    let filter = EnvFilter::builder()
        .parse(environment.get("RUST_LOG").filter(|filter| !filter.is_empty()).unwrap_or(DEFAULT_FILTER))
        .map_err(|error| Failure::usage(format!("RUST_LOG is not a valid log filter: {error}")))?;
    tracing_subscriber::registry()
        .with(filter)
        .with(Capture::new(sink))
        .try_init()
        .context("the log cannot be enabled")
}

/// Shows every event of this process on standard error.
///
/// # Errors
/// When `RUST_LOG` is not a valid filter.
pub(crate) fn to_standard_error(environment: &Environment) -> anyhow::Result<()> {
    let renderer = Renderer::new(Style::for_stream(&std::io::stderr(), environment), ["cloud"]);
    install(environment, move |name, line| remark(&renderer.line(name, &line)))
}
