//! The layer under test: `foostore up` as a child process, with a separate process for each service.

use std::collections::BTreeMap;
use std::path::Path;
use std::process::Stdio;
use std::time::Duration;

use anyhow::{Context as _, bail};
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use serde_json::Value;
use tokio::io::{AsyncBufReadExt as _, BufReader, Lines};
use tokio::process::{Child, ChildStdin, ChildStdout, Command};
use tokio::sync::watch;
use tokio::time::timeout;
use tokio_util::task::AbortOnDropHandle;

use crate::failure::Failure;

/// The longest wait for the layer to start, and for a service to be started again.
const PATIENCE: Duration = Duration::from_mins(2);

/// The process id of each service.
type Pids = BTreeMap<String, u32>;

/// A running layer. It ends with this process, however that ends.
#[derive(Debug)]
pub(super) struct Layer {
    up: Child,
    /// Held open: `up` stops when it is closed.
    stdin: Option<ChildStdin>,
    pids: watch::Receiver<Pids>,
    _reader: AbortOnDropHandle<()>,
    /// Where events are posted to.
    pub(super) ingest: String,
    /// Where AWS is.
    pub(super) endpoint: String,
}

impl Layer {
    /// Starts `foostore up` on free ports, with log files below `directory` and these settings for every service, and
    /// waits until it is ready.
    ///
    /// # Errors
    /// When it does not become ready.
    pub(super) async fn start(directory: &Path, settings: &[(&str, &str)]) -> anyhow::Result<Self> {
        let program = std::env::current_exe().context("the path of this program is unknown")?;
        let mut up = Command::new(program)
            .args(["up", "--json", "--no-traffic", "--exit-with-stdin", "--ready-timeout-s", "100"])
            .args(["--cloud-address", "127.0.0.1:0", "--otlp-address", "127.0.0.1:0"])
            .args(["--ingest-address", "127.0.0.1:0", "--log-dir"])
            .arg(directory)
            .env_remove("SIGNATURE_SECRET")
            .envs(settings.iter().copied())
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            // Ctrl-C in a terminal reaches this process alone.
            .process_group(0)
            .kill_on_drop(true)
            .spawn()
            .context("foostore up cannot be started")?;
        let stdin = up.stdin.take();
        let stdout = up.stdout.take().context("foostore up has no standard output")?;
        let mut lines = BufReader::new(stdout).lines();
        let ready = timeout(PATIENCE, ready(&mut lines)).await;
        let logs = || Failure::unavailable(format!("the layer did not start; see {}", directory.display()));
        let ready = ready.map_err(|_| logs())?.with_context(logs)?;
        let address = |name: &str| {
            ready[name].as_str().map(str::to_owned).with_context(|| format!("foostore up names no {name}"))
        };
        let (sender, pids) = watch::channel(pids(&ready["services"]));
        Ok(Self {
            up,
            stdin,
            pids,
            _reader: AbortOnDropHandle::new(tokio::spawn(follow(lines, sender))),
            ingest: address("ingest")?,
            endpoint: address("endpoint")?,
        })
    }

    /// Sends a signal to a service.
    ///
    /// # Errors
    /// When the service has no process.
    pub(super) fn signal(&self, service: &str, signal: Signal) -> anyhow::Result<()> {
        let pid = self.pid(service).with_context(|| format!("{service} has no process"))?;
        kill(Pid::from_raw(pid.cast_signed()), signal)
            .with_context(|| format!("{service} cannot be sent {signal}"))
    }

    /// Ends a service by a signal, and waits until another process has taken its place.
    ///
    /// # Errors
    /// When it has no process, or is not started again.
    pub(super) async fn end(&self, service: &str, signal: Signal) -> anyhow::Result<()> {
        let before = self.pid(service);
        self.signal(service, signal)?;
        let mut pids = self.pids.clone();
        let again = pids.wait_for(|pids| pids.get(service).copied() != before);
        let again = timeout(PATIENCE, again).await;
        again
            .with_context(|| format!("{service} was not started again"))?
            .context("foostore up has ended")?;
        Ok(())
    }

    /// Stops everything.
    pub(super) async fn stop(mut self) {
        drop(self.stdin.take());
        // What does not end is killed when it is dropped.
        drop(timeout(PATIENCE, self.up.wait()).await);
    }

    fn pid(&self, service: &str) -> Option<u32> {
        self.pids.borrow().get(service).copied()
    }
}

/// Returns the line by which `foostore up` says that it is ready.
async fn ready(lines: &mut Lines<BufReader<ChildStdout>>) -> anyhow::Result<Value> {
    while let Some(line) = lines.next_line().await? {
        let line: Value = serde_json::from_str(&line)?;
        if line["ready"] == true {
            return Ok(line);
        }
    }
    bail!("foostore up ended before it was ready")
}

/// Keeps the process ids up to date.
async fn follow(mut lines: Lines<BufReader<ChildStdout>>, sender: watch::Sender<Pids>) {
    while let Ok(Some(line)) = lines.next_line().await {
        let line: Value = serde_json::from_str(&line).unwrap_or_default();
        let restarted = &line["restarted"];
        if let (Some(service), Some(pid)) = (restarted["service"].as_str(), pid_in(restarted)) {
            sender.send_modify(|pids| {
                pids.insert(service.to_owned(), pid);
            });
        }
    }
}

fn pids(services: &Value) -> Pids {
    let each = services.as_object().into_iter().flatten();
    each.filter_map(|(name, service)| Some((name.clone(), pid_in(service)?))).collect()
}

fn pid_in(service: &Value) -> Option<u32> {
    u32::try_from(service["pid"].as_u64()?).ok()
}
