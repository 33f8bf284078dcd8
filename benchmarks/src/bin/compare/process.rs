//! A measured program as a process, and what it uses.

use std::fs::File;
use std::path::Path;
use std::process::Stdio;
use std::time::Duration;

use anyhow::Context as _;
use nix::sys::time::TimeValLike as _;
use nix::time::{ClockId, clock_getcpuclockid};
use nix::unistd::Pid;
use tokio::io::{AsyncBufReadExt as _, BufReader, Lines};
use tokio::process::{Child, ChildStderr, Command};

/// How long a program may take to start and warm up.
const PATIENCE: Duration = Duration::from_mins(2);

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
        command.stdin(Stdio::null()).stdout(log).stderr(Stdio::piped()).kill_on_drop(true);
        let mut child = command.spawn().with_context(|| format!("starting {}", program.display()))?;
        let pid = child.id().context("the program has ended")?;
        let clock = clock_getcpuclockid(Pid::from_raw(i32::try_from(pid)?))?;
        let stderr = child.stderr.take().context("no standard error")?;
        Ok(Self { child, clock, pid, reports: BufReader::new(stderr).lines() })
    }

    /// Waits for a line of the standard error.
    pub(crate) async fn reports(&mut self, line: &str) -> anyhow::Result<()> {
        let found = async {
            let mut others = Vec::new();
            while let Some(next) = self.reports.next_line().await? {
                if next == line {
                    return Ok(());
                }
                others.push(next);
            }
            anyhow::bail!("the program ended before it said {line}: {}", others.join("\n"))
        };
        tokio::time::timeout(PATIENCE, found).await.with_context(|| format!("waiting for {line}"))?
    }

    /// Returns the processor time of all its threads so far.
    pub(crate) fn cpu(&self) -> anyhow::Result<Duration> {
        let time = self.clock.now().context("reading the processor time")?;
        Ok(Duration::from_nanos(u64::try_from(time.num_nanoseconds())?))
    }

    /// Returns the most memory that was resident, in bytes.
    pub(crate) fn peak_memory(&self) -> anyhow::Result<u64> {
        let status = std::fs::read_to_string(format!("/proc/{}/status", self.pid))?;
        let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:")).context("no VmHWM")?;
        let kibibytes: u64 = line.trim().trim_end_matches("kB").trim().parse()?;
        Ok(kibibytes * 1024)
    }

    /// Kills the program and waits for its end.
    pub(crate) async fn end(mut self) -> anyhow::Result<()> {
        Ok(self.child.kill().await?)
    }
}
