//! From the first setting to the exit code.

use std::any::Any;
use std::error::Error;
use std::io::{self, Write as _};
use std::panic::AssertUnwindSafe;
use std::process::ExitCode;
use std::time::Duration;

use futures_util::FutureExt as _;
use telemetry::{ShutdownError, StartError, Telemetry};
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;
use tokio_util::task::AbortOnDropHandle;

use crate::addresses::Addresses;
use crate::boot::Boot;
use crate::environment::{Environment, SettingsError};
use crate::exit::Exit;
use crate::health::Health;
use crate::probe;
use crate::signals::Signals;
use crate::tasks::Tasks;
use crate::{BoxError, Runtime};

/// The time between two heartbeats of the runtime.
const HEARTBEAT: Duration = Duration::from_secs(1);

/// How long leftover blocking work may delay the end of the process.
const LEFTOVERS: Duration = Duration::from_secs(1);

/// Runs a service as this process: builds the async runtime, reads the settings from the process's environment, and
/// returns the exit code. `application` is the application unless `APPLICATION` is set. See [`run`]. With the argument
/// `health` it queries the running service instead, see [`health`](crate::health()).
pub fn main<F, Fut>(application: &str, name: &'static str, version: &'static str, service: F) -> ExitCode
where
    F: FnOnce(Runtime) -> Fut,
    Fut: Future<Output = Result<(), BoxError>>,
{
    if let Some(path) = probe::asked(std::env::args_os().skip(1)) {
        return probe::answer(&Environment::from_process(), &path);
    }
    let runtime = match tokio::runtime::Builder::new_multi_thread().enable_all().build() {
        Ok(runtime) => runtime,
        Err(error) => {
            complain(name, &format!("cannot build the async runtime: {error}"));
            return Exit::Failure.into();
        }
    };
    let code = runtime.block_on(run(application, name, version, Environment::from_process(), service));
    runtime.shutdown_timeout(LEFTOVERS);
    code
}

/// Runs a service inside an async runtime, at most once per process, because telemetry belongs to the process.
///
/// The order: settings, telemetry, signals, AWS configuration, the health listener, then the service. On SIGTERM or
/// SIGINT `shutdown` is cancelled and readiness fails; the service and its tasks then have the grace period to finish,
/// or until a second signal. Telemetry is flushed on every exit path.
pub async fn run<F, Fut>(
    application: &str,
    name: &'static str,
    version: &'static str,
    environment: Environment,
    service: F,
) -> ExitCode
where
    F: FnOnce(Runtime) -> Fut,
    Fut: Future<Output = Result<(), BoxError>>,
{
    let boot = match Boot::read(application, name, version, &environment) {
        Ok(boot) => boot,
        Err(error) => {
            complain_about(name, &error);
            return Exit::Settings.into();
        }
    };
    // Off the async threads: it may query the task's metadata and wait for the answer.
    let settings = boot.telemetry.clone();
    let started = tokio::task::spawn_blocking(move || telemetry::start(settings)).await;
    let telemetry = match started {
        Ok(Ok(telemetry)) => telemetry,
        Ok(Err(error)) => {
            complain(name, &error.to_string());
            let settings = matches!(error, StartError::LogFilter(_));
            return if settings { Exit::Settings } else { Exit::Failure }.into();
        }
        Err(error) => {
            complain(name, &error.to_string());
            return Exit::Failure.into();
        }
    };
    Box::pin(live(boot, environment, telemetry, service)).await.into()
}

/// A service's life between the start of telemetry and its flush.
pub(crate) async fn live<F, Fut>(
    boot: Boot,
    environment: Environment,
    telemetry: Telemetry,
    service: F,
) -> Exit
where
    F: FnOnce(Runtime) -> Fut,
    Fut: Future<Output = Result<(), BoxError>>,
{
    let name = boot.service;
    // A panic in here must not prevent the last spans from being exported.
    let exit = match AssertUnwindSafe(work(boot, environment, &telemetry, service)).catch_unwind().await {
        Ok(Ok(exit)) => exit,
        Ok(Err(error)) => report(name, &*error),
        Err(panic) => {
            tracing::error!(reason = panic_message(&*panic), "service panicked");
            Exit::Failure
        }
    };
    tracing::info!(exit_code = exit as u8, "stopped");
    // The log outlives spans and metrics.
    match telemetry.shutdown().await {
        Ok(()) => {}
        Err(ShutdownError::Lost { spans, data_points }) => {
            tracing::warn!(lost_spans = spans, lost_data_points = data_points, "telemetry not flushed");
        }
        Err(error) => complain(name, &error.to_string()),
    }
    exit
}

async fn work<F, Fut>(
    boot: Boot,
    environment: Environment,
    telemetry: &Telemetry,
    service: F,
) -> Result<Exit, BoxError>
where
    F: FnOnce(Runtime) -> Fut,
    Fut: Future<Output = Result<(), BoxError>>,
{
    let mut signals = Signals::catch()?;
    let health = Health::new();
    let listener = TcpListener::bind(boot.health_address).await.map_err(|error| bind_error(&boot, &error))?;
    let address = listener.local_addr()?;
    let shutdown = CancellationToken::new();
    let tasks = Tasks::new(shutdown.clone(), health.clone());
    // Health is served until the drain ends; the handles stop it when this function returns.
    let _heartbeat = AbortOnDropHandle::new(tokio::spawn(heartbeat(health.clone())));
    let _health_server = AbortOnDropHandle::new(tokio::spawn(serve_health(listener, health.clone())));
    let addresses = Addresses::of(&environment);
    addresses.tell("health", address)?;
    tracing::info!(version = boot.version, health_address = %address, "health listening");

    let runtime = Runtime {
        service: boot.service,
        version: boot.version,
        environment,
        application: boot.application,
        deployment_environment: boot.deployment_environment,
        aws: aws_clients::sdk_config(&boot.aws).await,
        meter: telemetry.meter(),
        departures: telemetry.departures(),
        health: health.clone(),
        health_address: address,
        addresses,
        shutdown: shutdown.clone(),
        grace: boot.grace,
        tasks: tasks.clone(),
    };
    let service = async {
        let result = service(runtime).await;
        // The service has ended, so its background tasks end too.
        shutdown.cancel();
        tasks.ended().await;
        result
    };
    tokio::select! {
        biased;
        result = service => {
            result?;
            Ok(if tasks.crashed() { Exit::Failure } else { Exit::Clean })
        }
        reason = deadline(&mut signals, &shutdown, &health, boot.grace) => {
            tracing::error!(reason, grace_s = boot.grace.as_secs(), "drain overran");
            Ok(Exit::Failure)
        }
    }
}

/// Waits for a shutdown request, passes it on, and returns when the grace period is over.
async fn deadline(
    signals: &mut Signals,
    shutdown: &CancellationToken,
    health: &Health,
    grace: Duration,
) -> &'static str {
    tokio::select! {
        signal = signals.next() => tracing::info!(signal, grace_s = grace.as_secs(), "shutting down"),
        () = shutdown.cancelled() => {}
    }
    health.draining();
    shutdown.cancel();
    tokio::select! {
        () = tokio::time::sleep(grace) => "grace period over",
        _ = signals.next() => "second signal",
    }
}

async fn heartbeat(health: Health) {
    let mut beats = tokio::time::interval(HEARTBEAT);
    loop {
        beats.tick().await;
        health.beat();
    }
}

async fn serve_health(listener: TcpListener, health: Health) {
    if let Err(error) = axum::serve(listener, health.router()).await {
        tracing::error!(%error, "health listener failed");
        health.failed("health listener failed");
    }
}

/// An address that is in use or impossible is a wrong setting.
fn bind_error(boot: &Boot, error: &io::Error) -> SettingsError {
    let problem = match error.kind() {
        io::ErrorKind::AddrInUse => format!("{} is taken", boot.health_address),
        _ => format!("cannot listen on {}: {error}", boot.health_address),
    };
    SettingsError::one("HEALTH_ADDRESS", problem)
}

/// Logs why the service ended; nothing else does.
fn report(name: &str, error: &(dyn Error + 'static)) -> Exit {
    tracing::error!(error, "service failed");
    let exit = Exit::of(error);
    if let Some(settings) = settings_error(error) {
        complain_about(name, settings);
    }
    exit
}

fn settings_error<'a>(error: &'a (dyn Error + 'static)) -> Option<&'a SettingsError> {
    error.downcast_ref().or_else(|| settings_error(error.source()?))
}

fn complain_about(name: &str, error: &SettingsError) {
    for wrong in error.wrong() {
        complain(name, &format!("setting {wrong}"));
    }
}

/// Writes to standard error, for errors before the log starts or after it ends.
fn complain(name: &str, problem: &str) {
    // Without a standard error there is nowhere left to report to.
    drop(writeln!(io::stderr(), "{name}: {problem}"));
}

fn panic_message(panic: &(dyn Any + Send)) -> &str {
    panic
        .downcast_ref::<&str>()
        .copied()
        .or_else(|| panic.downcast_ref::<String>().map(String::as_str))
        .unwrap_or("no message")
}

#[cfg(test)]
mod tests;
