//! `foostore up`: the whole loyalty layer on this machine.

mod backoff;
mod banner;
mod child;
pub(crate) mod environment;
mod example;
mod output;
mod ready;
mod resources;
mod stack;
mod supervise;

use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

use anyhow::Context as _;
use service_runtime::Environment;
use tokio_util::sync::CancellationToken;

use self::output::{LogFormat, Output};
use self::stack::Stack;
use self::supervise::Stop;
use crate::ingest_client::{IngestClient, http_client};
use crate::log::{DEFAULT_DIRECTORY, Renderer};
use crate::ports;
use crate::screen::{Audience, Screen};
use crate::services;
use crate::signals::Signals;
use crate::style::Style;
use crate::traffic;

/// A drain gets this much longer than the service gives itself, before it is killed.
const MARGIN: Duration = Duration::from_secs(3);

/// Run everything here: local cloud, all services, one example event with its trace, example traffic
#[derive(Debug, Clone, clap::Args)]
#[command(after_help = "\
Examples:
  foostore up
  foostore up --no-traffic --log-format json
  foostore up --cloud-address 127.0.0.1:0 --otlp-address 127.0.0.1:0 --ingest-address 127.0.0.1:0
  foostore up --endpoint-url http://127.0.0.1:4567      # another emulator in place of the local cloud
  foostore up --json --no-traffic      # for programs: one JSON line once everything is ready

Ctrl-C drains everything and ends it; a second Ctrl-C ends it at once.")]
#[expect(clippy::struct_excessive_bools, reason = "each is a switch of the command line")]
pub(crate) struct UpArgs {
    /// Address of the local cloud (all AWS APIs); port 0 takes a free one
    #[arg(long, value_name = "ADDRESS", default_value = "127.0.0.1:4566")]
    cloud_address: SocketAddr,
    /// Let the services call AWS at this endpoint, which runs already; the local cloud is then X-Ray alone
    #[arg(long, value_name = "URL")]
    endpoint_url: Option<String>,
    /// Create nothing at --endpoint-url: the templates in deploy/ were deployed there as environment local
    #[arg(long, requires = "endpoint_url")]
    no_provision: bool,
    /// Address that takes traces over OTLP/HTTP; port 0 takes a free one
    #[arg(long, value_name = "ADDRESS", default_value = "127.0.0.1:4318")]
    otlp_address: SocketAddr,
    /// Address that takes events; port 0 takes a free one
    #[arg(long, value_name = "ADDRESS", default_value = "127.0.0.1:8080")]
    ingest_address: SocketAddr,
    /// Print JSON lines for programs on standard output and the log on standard error; sends no example event
    #[arg(long)]
    json: bool,
    /// How log lines are shown; the files always have them as the services wrote them
    #[arg(long, value_enum, default_value = "text", value_name = "FORMAT")]
    log_format: LogFormat,
    /// Directory of the log files, emptied of the run before
    #[arg(long, value_name = "DIR", default_value = DEFAULT_DIRECTORY)]
    log_dir: PathBuf,
    /// Do not send the example event
    #[arg(long)]
    no_example: bool,
    /// Send no example traffic
    #[arg(long)]
    no_traffic: bool,
    /// Events of example traffic a second
    #[arg(long, value_name = "EVENTS", default_value_t = 0.5, value_parser = traffic::rate)]
    traffic_per_second: f64,
    /// Send the services' traces and metrics to this collector over OTLP/HTTP, not to the local cloud
    #[arg(long, value_name = "URL")]
    otlp_endpoint: Option<String>,
    /// Send the services' metrics there over OTLP/HTTP
    #[arg(long, value_name = "URL")]
    metrics_endpoint: Option<String>,
    /// How long the services have to become ready
    #[arg(long, value_name = "SECONDS", default_value_t = 30)]
    ready_timeout_s: u64,
    /// How long a service has to drain
    #[arg(long, value_name = "SECONDS", default_value_t = 10)]
    shutdown_grace_s: u64,
}

/// Runs the command until Ctrl-C or SIGTERM.
///
/// # Errors
/// When an address is taken, or something does not start or become ready. Nothing is left running then either.
pub(crate) async fn run(args: UpArgs, environment: &Environment) -> anyhow::Result<()> {
    let mut signals = Signals::install().context("signals cannot be handled")?;
    ports::free(args.cloud_address, "the local cloud", "--cloud-address")?;
    ports::free(args.otlp_address, "OTLP", "--otlp-address")?;
    ports::free(args.ingest_address, "ingest", "--ingest-address")?;

    let (audience, style) = if args.json {
        (Audience::Program, Style::for_stream(&std::io::stderr(), environment))
    } else {
        (Audience::People, Style::for_stream(&std::io::stdout(), environment))
    };
    let screen = Screen::start(audience).context("the screen thread cannot be started")?;
    let renderer = Renderer::new(style, services::names().chain(["foostore"]));
    let output = Output::new(&args.log_dir, screen.clone(), renderer, args.log_format)
        .with_context(|| format!("the log directory {} cannot be used", args.log_dir.display()))?;
    let own = output.of("foostore").context("the log file cannot be created")?;
    crate::log::install(environment, move |name, line| own.record(name, &line))?;

    let stop = Stop {
        drain: CancellationToken::new(),
        kill: CancellationToken::new(),
        patience: Duration::from_secs(args.shutdown_grace_s) + MARGIN,
    };
    // Whatever happens in it, the stack is taken down afterwards.
    let mut stack = Stack::new(stop.clone(), args.endpoint_url.clone());
    let outcome = tokio::select! {
        outcome = Box::pin(work(&args, environment, &mut stack, &output, &screen, style)) => outcome,
        () = signals.next() => {
            if !args.json {
                screen.text("\ndraining; press Ctrl-C again to end at once\n".to_owned()).await;
            }
            Ok(())
        }
    };
    let down = stack.down();
    tokio::pin!(down);
    loop {
        tokio::select! {
            () = &mut down => break,
            () = signals.next() => stop.kill.cancel(),
        }
    }
    screen.flushed().await;
    outcome
}

/// Everything between the start and the signal that ends it. Returns only when something fails.
async fn work(
    args: &UpArgs,
    environment: &Environment,
    stack: &mut Stack,
    output: &Output,
    screen: &Screen,
    style: Style,
) -> anyhow::Result<()> {
    let http = http_client()?;
    if let Some(url) = &args.endpoint_url {
        resources::reachable(url, &http).await?;
    }
    stack.start_cloud(args).await?;
    stack.start_services(args, environment, output, screen).await?;
    stack.ready(&http, Duration::from_secs(args.ready_timeout_s)).await?;

    let place = stack.place(output)?;
    if args.json {
        screen.machine(&banner::machine(&place)).await;
    } else {
        screen.text(banner::people(&place, style)).await;
    }
    let ingest = IngestClient::new(http, &place.ingest, None);
    if !args.json && !args.no_example {
        let xray = place.xray(environment).await;
        if let Err(error) = example::run(&ingest, &xray, screen, style, &place.command("trace")).await {
            screen.text(format!("the example failed: {error:#}\n")).await;
        }
    }
    if !args.no_traffic {
        if !args.json {
            let rate = args.traffic_per_second;
            screen
                .text(format!("example traffic: {rate} events a second (--no-traffic turns it off)\n"))
                .await;
        }
        traffic::send(ingest, args.traffic_per_second).await;
    }
    std::future::pending().await
}
