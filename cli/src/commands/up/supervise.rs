//! Keeps a service running until it is drained: restarts it when it dies or when asked to, and reports that.

use std::net::SocketAddr;
use std::time::Duration;

use serde_json::json;
use tokio::sync::watch;
use tokio::task::JoinHandle;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use super::backoff::Backoff;
use super::child::{Report, Running, Spec, describe};
use super::output::ServiceOutput;
use crate::screen::Screen;
use crate::service_environment::{ANY, HEALTH, LISTEN};
use crate::service_state::{ServiceState, take_restart_request};

/// The pause between two looks for a request to restart.
const REQUEST_INTERVAL: Duration = Duration::from_millis(200);

/// The observed state of a service.
#[derive(Debug, Clone, Default)]
pub(super) struct State {
    /// The current process.
    pub(super) pid: Option<u32>,
    /// When it was started.
    since: Option<jiff::Timestamp>,
    /// The number of starts.
    starts: u32,
    /// What this run has reported about itself.
    pub(super) report: Report,
    /// How the last run ended, unless it was asked to.
    pub(super) ended: Option<Ended>,
}

/// The end of a run.
#[derive(Debug, Clone)]
pub(super) struct Ended {
    /// A description.
    pub(super) how: String,
    /// The exit code, unless a signal ended the process.
    pub(super) code: Option<i32>,
    pub(super) last_error: Option<String>,
    /// Whether the run got as far as binding its health address.
    bound: bool,
}

impl Ended {
    /// Describes how the run ended, and why if it reported an error.
    pub(super) fn reason(&self) -> String {
        match &self.last_error {
            Some(last_error) => format!("{} ({last_error})", self.how),
            None => self.how.clone(),
        }
    }
}

/// When to stop.
#[derive(Debug, Clone)]
pub(super) struct Stop {
    /// Requests a drain.
    pub(super) drain: CancellationToken,
    /// Ends the wait for the drain.
    pub(super) kill: CancellationToken,
    /// The time limit for a drain.
    pub(super) patience: Duration,
}

/// A supervised service.
#[derive(Debug)]
pub(super) struct Supervised {
    pub(super) name: &'static str,
    pub(super) state: watch::Receiver<State>,
    task: JoinHandle<()>,
}

impl Supervised {
    /// Starts the service and the task that keeps it running.
    pub(super) fn start(spec: Spec, output: ServiceOutput, screen: Screen, json: bool, stop: Stop) -> Self {
        let (sender, state) = watch::channel(State::default());
        let name = spec.name;
        let supervisor = Supervisor { spec, output, screen, json, stop, state: sender };
        Self { name, state, task: tokio::spawn(supervisor.run()) }
    }

    /// Waits until the service has stopped for good.
    pub(super) async fn ended(self) {
        if let Err(error) = self.task.await {
            tracing::error!(service = self.name, %error, "supervising a service failed");
        }
    }
}

/// Why a run of a service is over.
enum End {
    /// It was drained for good.
    Drained,
    /// It was drained to be started again.
    ForRestart,
    Died(Ended),
}

struct Supervisor {
    spec: Spec,
    output: ServiceOutput,
    screen: Screen,
    json: bool,
    stop: Stop,
    state: watch::Sender<State>,
}

impl Supervisor {
    async fn run(mut self) {
        let mut backoff = Backoff::new();
        while !self.stop.drain.is_cancelled() {
            let began = Instant::now();
            let end = match self.spec.start(&self.output) {
                Ok(running) => self.watch(running).await,
                Err(error) => {
                    let how = format!("could not be started: {error}");
                    End::Died(Ended { how, code: None, last_error: None, bound: true })
                }
            };
            let ended = match end {
                End::Drained => return,
                End::ForRestart => {
                    self.not_running(None);
                    continue;
                }
                End::Died(ended) => ended,
            };
            let pause = backoff.after(began.elapsed());
            if !ended.bound {
                // Another process may have taken the port that the system assigned last time.
                self.spec.environment.insert(HEALTH.to_owned(), ANY.to_owned());
            }
            self.not_running(Some(ended.clone()));
            tracing::warn!(
                child = self.spec.name,
                ended = ended.reason(),
                restart_in_ms = u64::try_from(pause.as_millis()).unwrap_or(u64::MAX),
                "service died; restarting it"
            );
            tokio::select! {
                () = tokio::time::sleep(pause) => {}
                () = self.restart_requested() => {}
                () = self.stop.drain.cancelled() => {}
            }
        }
    }

    /// Records that there is no process.
    fn not_running(&self, ended: Option<Ended>) {
        self.state.send_modify(|state| {
            state.pid = None;
            state.since = None;
            state.report = Report::default();
            state.ended = ended;
        });
        self.publish();
    }

    /// Tells other commands the state of the service.
    fn publish(&self) {
        let state = self.state.borrow().clone();
        let published = ServiceState {
            pid: state.pid,
            since: state.since,
            starts: state.starts,
            ended: state.ended.as_ref().map(Ended::reason),
        };
        if let Err(error) = published.write(&self.spec.directory, self.spec.name) {
            tracing::warn!(child = self.spec.name, %error, "the state of a service cannot be written");
        }
    }

    /// Waits until another command asks for a restart.
    async fn restart_requested(&self) {
        while !take_restart_request(&self.spec.directory, self.spec.name) {
            tokio::time::sleep(REQUEST_INTERVAL).await;
        }
    }

    /// Watches one run until it ends.
    async fn watch(&mut self, mut running: Running) -> End {
        let pid = running.pid();
        let mut report = running.report();
        self.state.send_modify(|state| {
            state.pid = Some(pid);
            state.since = Some(jiff::Timestamp::now());
            state.starts += 1;
        });
        self.publish();
        let starts = self.state.borrow().starts;
        let mut announced = false;
        // No branch loses anything when another one wins: `ended` and `changed` are cancel safe, and a report that
        // changes while the process ends is read below.
        let status = loop {
            tokio::select! {
                status = running.ended() => break status,
                Ok(()) = report.changed() => {
                    let report = report.borrow_and_update().clone();
                    self.keep_addresses(&report);
                    // The first start is announced by the ready line of `up`.
                    if starts > 1 && !announced && let Some(health) = report.addresses.health {
                        announced = true;
                        self.announce(pid, health).await;
                    }
                    self.state.send_modify(|state| state.report = report);
                }
                () = self.stop.drain.cancelled() => {
                    self.drain(running).await;
                    return End::Drained;
                }
                () = self.restart_requested() => {
                    tracing::info!(child = self.spec.name, pid, "draining a service to restart it");
                    self.drain(running).await;
                    return End::ForRestart;
                }
            }
        };
        let report = report.borrow().clone();
        let (how, code) = match status {
            Ok(status) => (describe(status), status.code()),
            Err(error) => (format!("lost: {error}"), None),
        };
        let bound = report.addresses.health.is_some();
        End::Died(Ended { how, code, last_error: report.last_error, bound })
    }

    /// Keeps the addresses for the next start, because others know them.
    fn keep_addresses(&mut self, report: &Report) {
        for (name, address) in [(HEALTH, report.addresses.health), (LISTEN, report.addresses.listening)] {
            if let Some(address) = address {
                self.spec.environment.insert(name.to_owned(), address.to_string());
            }
        }
    }

    async fn announce(&self, pid: u32, health: SocketAddr) {
        tracing::info!(child = self.spec.name, pid, "service restarted");
        if self.json {
            let ended = self.state.borrow().ended.as_ref().map(|ended| ended.how.clone());
            let restarted = json!({"service": self.spec.name, "pid": pid, "health": format!("http://{health}"), "ended": ended});
            self.screen.machine(&json!({ "restarted": restarted })).await;
        }
    }

    async fn drain(&self, mut running: Running) {
        running.terminate();
        tokio::select! {
            _ = running.ended() => return,
            () = tokio::time::sleep(self.stop.patience) => {
                tracing::warn!(child = self.spec.name, patience_s = self.stop.patience.as_secs(),
                    "service did not drain in time; killing it");
            }
            () = self.stop.kill.cancelled() => {}
        }
        running.kill();
        if let Err(error) = running.ended().await {
            tracing::error!(child = self.spec.name, %error, "waiting for a service failed");
        }
    }
}
