//! `foostore up`: runs the whole loyalty layer on this machine.

mod arguments;
mod backoff;
mod banner;
mod child;
mod example;
mod local_run;
mod output;
mod ready;
mod resources;
mod supervise;
mod watch;

use std::time::Duration;

use anyhow::Context as _;
use service_runtime::Environment;
use tokio_util::sync::CancellationToken;
use tokio_util::task::AbortOnDropHandle;
use webhook_signature::Secrets;

pub(crate) use self::arguments::UpArgs;
use self::local_run::LocalRun;
use self::output::Output;
use self::supervise::Stop;
use self::watch::Watch;
use super::traffic;
use crate::failure::Failure;
use crate::ingest_client::{IngestClient, http_client};
use crate::log_lines::Renderer;
use crate::ports;
use crate::runs::Run;
use crate::screen::{Audience, Screen};
use crate::service_state::{ServiceState, UP};
use crate::signals::Signals;
use crate::style::Style;

/// Time beyond a service's own drain limit before the service is killed.
const MARGIN: Duration = Duration::from_secs(3);

/// Runs the command until Ctrl-C or SIGTERM.
///
/// # Errors
/// When an address is in use, or something does not start or become ready. Nothing is left running in that case either.
pub(crate) async fn run(args: UpArgs, environment: &Environment) -> anyhow::Result<()> {
    let services = args.services()?;
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
    let renderer = Renderer::new(style, services.iter().copied().chain(["foostore"]));
    let run = Run::start(&args.log_dir)
        .with_context(|| format!("the log directory {} cannot be used", args.log_dir.display()))?;
    let own_state = ServiceState {
        pid: Some(std::process::id()),
        since: Some(jiff::Timestamp::now()),
        starts: 1,
        ended: None,
    };
    own_state.write(run.directory(), UP).context("the state of this process cannot be written")?;
    let output = Output::new(run.directory().to_owned(), screen.clone(), renderer, args.log_format);
    let own = output.of("foostore").context("the log file cannot be created")?;
    crate::log_lines::install(environment, move |name, line| own.record(name, &line))?;

    let stop = Stop {
        drain: CancellationToken::new(),
        kill: CancellationToken::new(),
        patience: Duration::from_secs(args.shutdown_grace_s) + MARGIN,
    };
    // Everything is taken down afterwards, whatever happens in between.
    let mut local_run = LocalRun::new(stop.clone(), args.endpoint_url.clone());
    let outcome = tokio::select! {
        outcome = Box::pin(work(&args, environment, &mut local_run, &run, &output, &screen, style)) => outcome,
        () = signals.next() => {
            if !args.json {
                screen.text("\ndraining; press Ctrl-C again to stop at once\n".to_owned()).await;
            }
            Ok(())
        }
        () = end_of_input(args.exit_with_stdin) => Ok(()),
    };
    let down = local_run.down();
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

/// Waits for the end of standard input, or for ever if that is not `wanted`.
async fn end_of_input(wanted: bool) {
    if wanted {
        let input = || std::io::copy(&mut std::io::stdin().lock(), &mut std::io::sink());
        // An error means the same as the end of the input: the parent is gone.
        drop(tokio::task::spawn_blocking(input).await);
    } else {
        std::future::pending::<()>().await;
    }
}

/// Returns what requests to ingest are signed with.
///
/// # Errors
/// When the secret is malformed, or missing although other machines can reach ingest.
fn secrets(args: &UpArgs) -> Result<Option<Secrets>, Failure> {
    let parse = |secret: &String| {
        secret.parse().map_err(|error| Failure::usage(format!("--signature-secret {error}")))
    };
    let secrets = args.signature_secret.as_ref().map(parse).transpose()?;
    if secrets.is_none() && !args.ingest_address.ip().is_loopback() {
        let address = args.ingest_address;
        return Err(Failure::usage(format!(
            "other machines can reach ingest at {address}: set --signature-secret, or a loopback --ingest-address"
        )));
    }
    Ok(secrets)
}

/// Does everything between the start and the signal that ends it. Returns only if something fails.
async fn work(
    args: &UpArgs,
    environment: &Environment,
    local_run: &mut LocalRun,
    run: &Run,
    output: &Output,
    screen: &Screen,
    style: Style,
) -> anyhow::Result<()> {
    let http = http_client()?;
    let secrets = secrets(args)?;
    let watch = args.watch.then(|| Watch::open(environment)).transpose()?;
    if let Some(url) = &args.endpoint_url {
        resources::reachable(url, &http).await?;
    }
    local_run.start_cloud(args).await?;
    local_run.start_services(args, environment, output, screen).await?;
    local_run.ready(&http, Duration::from_secs(args.ready_timeout_s)).await?;

    let addresses = local_run.addresses(output)?;
    let ready = banner::machine(&addresses);
    run.ready(&ready).context("the addresses of the run cannot be written")?;
    if args.json {
        screen.machine(&ready).await;
    } else {
        screen.text(banner::people(&addresses, style)).await;
    }
    let _watching = watch.map(|watch| {
        let services = addresses.services.iter().map(|service| service.name).collect();
        AbortOnDropHandle::new(tokio::spawn(watch.run(run.directory().to_owned(), services, screen.clone())))
    });
    let ingest = IngestClient::new(http, &addresses.ingest, secrets);
    if !args.json && !args.no_example {
        let xray = addresses.xray(environment).await;
        if let Err(error) = example::run(&ingest, &xray, screen, style, &addresses).await {
            screen.text(format!("the example failed: {error:#}\n")).await;
        }
    }
    if !args.no_traffic {
        if !args.json {
            let rate = args.traffic_per_second;
            screen
                .text(format!("example traffic: {rate} events per second (disable it with --no-traffic)\n"))
                .await;
        }
        traffic::send(ingest, args.traffic_per_second).await;
    }
    std::future::pending().await
}
