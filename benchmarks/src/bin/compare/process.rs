//! A measured program as a process, and what it uses.

use std::fs::File;
use std::path::Path;
use std::process::Stdio;
use std::time::Duration;

use anyhow::Context as _;
use nix::sys::time::TimeValLike as _;
use nix::time::{ClockId, clock_getcpuclockid};
use nix::unistd::Pid;
use tokio::io::{AsyncBufReadExt as _, AsyncWriteExt as _, BufReader, Lines};
use tokio::process::{Child, ChildStderr, Command};

/// How long a program may take to warm up, and to do its work.
const PATIENCE: Duration = Duration::from_mins(5);

/// A running program. It is killed when this is dropped.
pub(crate) struct Process {
    child: Child,
    clock: ClockId,
    pid: u32,
    reports: Lines<BufReader<ChildStderr>>,
}

impl Process {
    /// Starts the program. Its log lines go to `log`, as to the file that a container's log driver reads.
    pub(crate) fn start(mut command: Command, log: &Path) -> anyhow::Result<Self> {
        let log = File::create(log).context("creating the log")?;
        let program = command.as_std().get_program().to_owned();
        command.stdin(Stdio::piped()).stdout(log).stderr(Stdio::piped()).kill_on_drop(true);
        let mut child = command.spawn().with_context(|| format!("starting {}", program.display()))?;
        let pid = child.id().context("the program has ended")?;
        let clock = clock_getcpuclockid(Pid::from_raw(i32::try_from(pid)?))?;
        let stderr = child.stderr.take().context("no standard error")?;
        Ok(Self { child, clock, pid, reports: BufReader::new(stderr).lines() })
    }

    /// Waits for a line of the standard error, and returns those before it.
    pub(crate) async fn reports(&mut self, line: &str) -> anyhow::Result<Vec<String>> {
        let found = async {
            let mut others = Vec::new();
            while let Some(next) = self.reports.next_line().await? {
                if next == line {
                    return Ok(others);
                }
                others.push(next);
            }
            anyhow::bail!("the program ended before it reported {line}: {}", others.join("\n"))
        };
        tokio::time::timeout(PATIENCE, found).await.with_context(|| format!("waiting for {line}"))?
    }

    /// Waits for the next line of the standard error.
    pub(crate) async fn next_report(&mut self) -> anyhow::Result<String> {
        let next = tokio::time::timeout(PATIENCE, self.reports.next_line()).await;
        next.context("waiting for a report")??.context("the program has ended")
    }

    /// Lets a program go on that waits for a line of its standard input.
    pub(crate) async fn go_on(&mut self) -> anyhow::Result<()> {
        let stdin = self.child.stdin.as_mut().context("no standard input")?;
        Ok(stdin.write_all(b"\n").await?)
    }

    /// Returns the processor time of all its threads so far.
    pub(crate) fn cpu(&self) -> anyhow::Result<Duration> {
        let time = self.clock.now().context("reading the processor time")?;
        Ok(Duration::from_nanos(u64::try_from(time.num_nanoseconds())?))
    }

    /// Returns an amount of memory that Linux knows of it, such as `VmHWM:`, in bytes.
    pub(crate) fn memory(&self, what: &str) -> anyhow::Result<u64> {
        memory(self.pid, what)
    }

    /// Kills the program and waits for its end.
    pub(crate) async fn end(mut self) -> anyhow::Result<()> {
        Ok(self.child.kill().await?)
    }
}

/// Returns an amount of memory that Linux knows of a process, such as `VmRSS:`, in bytes.
pub(crate) fn memory(pid: u32, what: &str) -> anyhow::Result<u64> {
    let status = std::fs::read_to_string(format!("/proc/{pid}/status"))?;
    let line = status.lines().find_map(|line| line.strip_prefix(what));
    let line = line.with_context(|| format!("no {what}"))?;
    let kibibytes: u64 = line.trim().trim_end_matches("kB").trim().parse()?;
    Ok(kibibytes * 1024)
}
