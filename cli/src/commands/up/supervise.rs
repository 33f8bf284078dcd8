//! Keeps a service running until it is told to drain: starts it again when it dies, and says so.

use std::net::SocketAddr;
use std::time::Duration;

use serde_json::json;
use tokio::sync::watch;
use tokio::task::JoinHandle;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use super::backoff::Backoff;
use super::child::{Running, Said, Spec, describe};
use super::output::ServiceOutput;
use crate::screen::Screen;
use crate::service_environment::{ANY, HEALTH, LISTEN};

/// What is known of a service from outside.
#[derive(Debug, Clone, Default)]
pub(super) struct State {
    /// The process that runs now.
    pub(super) pid: Option<u32>,
    /// How often it was started.
    pub(super) starts: u32,
    /// What this run said about itself.
    pub(super) said: Said,
    /// How the last run ended, and what it said last.
    pub(super) ended: Option<Ended>,
}

/// The end of a run.
#[derive(Debug, Clone)]
pub(super) struct Ended {
    /// In words.
    pub(super) how: String,
    /// The exit code, unless a signal ended it.
    pub(super) code: Option<i32>,
    pub(super) complaint: Option<String>,
    /// Whether it came as far as binding its health address.
    bound: bool,
}

impl Ended {
    /// How it ended and why, as far as it said.
    pub(super) fn reason(&self) -> String {
        match &self.complaint {
            Some(complaint) => format!("{} ({complaint})", self.how),
            None => self.how.clone(),
        }
    }
}

/// When to stop.
#[derive(Debug, Clone)]
pub(super) struct Stop {
    /// Drain.
    pub(super) drain: CancellationToken,
    /// Do not wait for the drain.
    pub(super) kill: CancellationToken,
    /// How long a drain may take.
    pub(super) patience: Duration,
}

/// A service being kept running.
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

    /// Waits until the service has ended for good.
    pub(super) async fn ended(self) {
        if let Err(error) = self.task.await {
            tracing::error!(service = self.name, %error, "the supervision of a service failed");
        }
    }
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
            let ended = match self.spec.start(&self.output) {
                Ok(running) => self.watch(running).await,
                Err(error) => {
                    let how = format!("could not be started: {error}");
                    Some(Ended { how, code: None, complaint: None, bound: true })
                }
            };
            let Some(ended) = ended else { return };
            let pause = backoff.after(began.elapsed());
            if !ended.bound {
                // The port that the system gave it last time may be somebody else's by now.
                self.spec.environment.insert(HEALTH.to_owned(), ANY.to_owned());
            }
            self.state.send_modify(|state| {
                state.pid = None;
                state.said = Said::default();
                state.ended = Some(ended.clone());
            });
            tracing::warn!(
                child = self.spec.name,
                ended = ended.reason(),
                restart_in_ms = u64::try_from(pause.as_millis()).unwrap_or(u64::MAX),
                "service died and is restarted"
            );
            tokio::select! {
                () = tokio::time::sleep(pause) => {}
                () = self.stop.drain.cancelled() => {}
            }
        }
    }

    /// Stays with one run to its end; `None` when it ended because it was asked to.
    async fn watch(&mut self, mut running: Running) -> Option<Ended> {
        let pid = running.pid();
        let mut said = running.said();
        self.state.send_modify(|state| {
            state.pid = Some(pid);
            state.starts += 1;
        });
        let starts = self.state.borrow().starts;
        let mut announced = false;
        let status = loop {
            tokio::select! {
                status = running.ended() => break status,
                Ok(()) = said.changed() => {
                    let said = said.borrow_and_update().clone();
                    self.keep_addresses(&said);
                    if starts > 1 && !announced && let Some(health) = said.health {
                        announced = true;
                        self.announce(pid, health).await;
                    }
                    self.state.send_modify(|state| state.said = said);
                }
                () = self.stop.drain.cancelled() => {
                    self.drain(running).await;
                    return None;
                }
            }
        };
        let said = said.borrow().clone();
        let (how, code) = match status {
            Ok(status) => (describe(status), status.code()),
            Err(error) => (format!("lost: {error}"), None),
        };
        Some(Ended { how, code, complaint: said.complaint, bound: said.health.is_some() })
    }

    /// A restarted service takes the same addresses again, because others know them.
    fn keep_addresses(&mut self, said: &Said) {
        for (name, address) in [(HEALTH, said.health), (LISTEN, said.listening)] {
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
                    "service did not drain in time and is killed");
            }
            () = self.stop.kill.cancelled() => {}
        }
        running.kill();
        if let Err(error) = running.ended().await {
            tracing::error!(child = self.spec.name, %error, "service could not be waited for");
        }
    }
}
