//! One run of one service as a separate process.

use std::collections::BTreeMap;
use std::io;
use std::path::PathBuf;
use std::process::{ExitStatus, Stdio};
use std::time::Duration;

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use tokio::io::AsyncRead;
use tokio::process::{Child, ChildStdin, Command};
use tokio::sync::watch;
use tokio::task::JoinHandle;
use tokio_util::task::AbortOnDropHandle;

use super::output::ServiceOutput;
use crate::log_lines::{BoundedLines, Line};
use crate::service_addresses::Addresses;
use crate::service_environment::ADDRESSES_FILE;
use crate::service_state::addresses_file;

/// How to start a service.
#[derive(Debug, Clone)]
pub(super) struct Spec {
    pub(super) name: &'static str,
    pub(super) program: PathBuf,
    pub(super) arguments: Vec<String>,
    /// The whole environment of the process: nothing is inherited.
    pub(super) environment: BTreeMap<String, String>,
    /// The directory of the run.
    pub(super) directory: PathBuf,
}

/// The pauses between two looks at the file of addresses: short while the service starts.
const FIRST_PAUSE: Duration = Duration::from_millis(10);
const LONGEST_PAUSE: Duration = Duration::from_secs(1);

/// What a run has reported about itself so far.
#[derive(Debug, Clone, Default)]
pub(super) struct Report {
    /// Where it listens.
    pub(super) addresses: Addresses,
    /// The last error it reported.
    pub(super) last_error: Option<String>,
}

impl Report {
    /// Updates the state from what the service has written to its file of addresses; returns whether there was anything new.
    fn update_addresses(&mut self, text: &str) -> bool {
        let before = std::mem::replace(&mut self.addresses, Addresses::read(text));
        before != self.addresses
    }

    /// Updates the state from a line of output; returns whether the line had anything of interest.
    fn update(&mut self, line: &Line) -> bool {
        match line {
            Line::Record(_) => match line.field("message") {
                Some(message) if line.field("level") == Some("ERROR") => {
                    let error = line.field("error").map(|error| format!(": {error}")).unwrap_or_default();
                    self.last_error = Some(format!("{message}{error}"));
                }
                _ => return false,
            },
            Line::Text(text) if text.trim().is_empty() => return false,
            Line::Text(text) => self.last_error = Some(text.trim().to_owned()),
        }
        true
    }
}

/// A running service.
#[derive(Debug)]
pub(super) struct Running {
    child: Child,
    pid: u32,
    report: watch::Receiver<Report>,
    readers: Vec<JoinHandle<()>>,
    _addresses: AbortOnDropHandle<()>,
    /// Held open: the child drains when it is closed, and so ends with this process, however that ends.
    _stdin: Option<ChildStdin>,
}

impl Spec {
    /// Starts the process in a separate process group: a terminal's Ctrl-C then reaches `up` alone, which signals each
    /// service once.
    ///
    /// # Errors
    /// When the system cannot start it.
    pub(super) fn start(&self, output: &ServiceOutput) -> io::Result<Running> {
        // Those of the previous run are no longer true.
        let addresses_file = addresses_file(&self.directory, self.name);
        match std::fs::remove_file(&addresses_file) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
            _ => {}
        }
        let mut child = Command::new(&self.program)
            .args(&self.arguments)
            .env_clear()
            .envs(&self.environment)
            .env(ADDRESSES_FILE, &addresses_file)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .process_group(0)
            .kill_on_drop(true)
            .spawn()?;
        let pid = child.id().ok_or_else(|| io::Error::other("ended before its process id was known"))?;
        let (sender, report) = watch::channel(Report::default());
        let mut readers = Vec::new();
        if let Some(stdout) = child.stdout.take() {
            readers.push(tokio::spawn(read(stdout, "stdout", output.clone(), sender.clone())));
        }
        if let Some(stderr) = child.stderr.take() {
            readers.push(tokio::spawn(read(stderr, "stderr", output.clone(), sender.clone())));
        }
        let addresses = AbortOnDropHandle::new(tokio::spawn(follow(addresses_file, sender)));
        // Taken, because waiting for a child closes the standard input it still owns.
        let stdin = child.stdin.take();
        Ok(Running { child, pid, report, readers, _addresses: addresses, _stdin: stdin })
    }
}

impl Running {
    pub(super) fn pid(&self) -> u32 {
        self.pid
    }

    pub(super) fn report(&self) -> watch::Receiver<Report> {
        self.report.clone()
    }

    /// Waits for the end of the process and of its output. Cancel safe.
    ///
    /// # Errors
    /// When the system cannot wait for it.
    pub(super) async fn ended(&mut self) -> io::Result<ExitStatus> {
        let status = self.child.wait().await?;
        // The last lines explain why it ended. Do not wait forever: a grandchild could hold the pipe open.
        let rest = async {
            for reader in &mut self.readers {
                if !reader.is_finished() {
                    drop(reader.await);
                }
            }
        };
        drop(tokio::time::timeout(Duration::from_secs(1), rest).await);
        Ok(status)
    }

    /// Signals the process to drain.
    pub(super) fn terminate(&self) {
        self.signal(Signal::SIGTERM);
    }

    /// Ends the process at once.
    pub(super) fn kill(&self) {
        self.signal(Signal::SIGKILL);
    }

    fn signal(&self, signal: Signal) {
        // `id` is `None` once the process has been waited for, so the number cannot belong to another process.
        if let Some(pid) = self.child.id().and_then(|pid| i32::try_from(pid).ok())
            && let Err(error) = kill(Pid::from_raw(pid), signal)
        {
            // It has just ended by itself, which is what the signal was for.
            tracing::debug!(%error, pid, "signal not delivered");
        }
    }
}

async fn read(
    pipe: impl AsyncRead + Unpin,
    stream: &'static str,
    output: ServiceOutput,
    report: watch::Sender<Report>,
) {
    let mut lines = BoundedLines::new(pipe);
    loop {
        match lines.next_group().await {
            Ok(texts) if texts.is_empty() => return,
            Ok(texts) => {
                for line in output.take(texts, stream) {
                    report.send_if_modified(|report| report.update(&line));
                }
            }
            Err(error) => {
                tracing::warn!(%error, stream, "a service's output cannot be read");
                return;
            }
        }
    }
}

/// Follows the file of addresses.
async fn follow(file: PathBuf, report: watch::Sender<Report>) {
    let mut pause = FIRST_PAUSE;
    loop {
        // There is none before the service has its first address.
        if let Ok(text) = tokio::fs::read_to_string(&file).await {
            report.send_if_modified(|report| report.update_addresses(&text));
        }
        tokio::time::sleep(pause).await;
        pause = LONGEST_PAUSE.min(pause * 9 / 8);
    }
}

/// Describes how a process ended.
pub(super) fn describe(status: ExitStatus) -> String {
    use std::os::unix::process::ExitStatusExt as _;

    if let Some(code) = status.code() {
        return format!("exit code {code}");
    }
    let Some(number) = status.signal() else { return status.to_string() };
    let signal =
        Signal::try_from(number).map_or_else(|_| number.to_string(), |signal| signal.as_str().to_owned());
    format!("signal {signal}")
}

#[cfg(test)]
mod tests {
    use std::os::unix::process::ExitStatusExt as _;

    use super::*;

    #[test]
    fn addresses_and_errors_are_recognised() {
        let mut report = Report::default();
        assert!(report.update_addresses("health 127.0.0.1:41001\nlistening 127.0.0.1:41002\n"));
        assert!(!report.update_addresses("health 127.0.0.1:41001\nlistening 127.0.0.1:41002\n"));
        let failed = r#"{"level":"ERROR","message":"the service failed","error":"no such table"}"#;
        assert!(report.update(&Line::read(failed)));
        assert_eq!(report.addresses.health, Some("127.0.0.1:41001".parse().unwrap()));
        assert_eq!(report.last_error.as_deref(), Some("the service failed: no such table"));
        assert!(!report.update(&Line::read(r#"{"level":"INFO","message":"event"}"#)));
        assert!(report.update(&Line::read("thread 'main' panicked")));
        assert_eq!(report.last_error.as_deref(), Some("thread 'main' panicked"));
    }

    #[test]
    fn endings_are_named() {
        assert_eq!(describe(ExitStatus::from_raw(64 << 8)), "exit code 64");
        assert_eq!(describe(ExitStatus::from_raw(9)), "signal SIGKILL");
    }
}
