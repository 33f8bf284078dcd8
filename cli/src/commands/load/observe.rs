//! Follows events from their posts to their last effects.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::mpsc::{Receiver, UnboundedReceiver, channel};
use tokio::time::Instant;

use super::chains::Chains;
use super::expected::Expected;
use super::lines::Hop;
use super::post::{Answer, Report};
use super::processes::Processes;
use super::times::Times;
use crate::log_lines::LogFiles;

/// The pause between two looks at the log.
const POLL: Duration = Duration::from_millis(200);
/// How long nothing may arrive until a layer without unfinished events counts as idle: an announcement nobody has handled yet
/// shows in no line.
const QUIET: Duration = Duration::from_secs(1);
/// The reports taken at once.
const REPORTS: usize = 1024;

/// The log of a run, from now on.
pub(super) struct Log {
    hops: Receiver<anyhow::Result<Vec<Hop>>>,
}

impl Log {
    /// Begins to follow the log files of the run in this directory.
    ///
    /// # Errors
    /// When it has none, or one cannot be read.
    pub(super) fn follow(directory: &Path, expected: Arc<Expected>) -> anyhow::Result<Self> {
        let mut files = LogFiles::at_end(directory)?;
        let (sender, hops) = channel(4);
        tokio::task::spawn_blocking(move || {
            loop {
                let mut found = Vec::new();
                let read = files.lines(|service, line| found.extend(Hop::read(service, line, &expected)));
                let has_failed = read.is_err();
                if sender.blocking_send(read.map(|()| found)).is_err() || has_failed {
                    return;
                }
                std::thread::sleep(POLL);
            }
        });
        Ok(Self { hops })
    }

    /// Returns what has been written since the last call, a few times a second, even if it is nothing. Cancel safe.
    async fn next(&mut self) -> anyhow::Result<Vec<Hop>> {
        self.hops.recv().await.unwrap_or_else(|| anyhow::bail!("the log is no longer followed"))
    }
}

/// What is known of a number of events.
pub(super) struct Observation {
    pub(super) chains: Chains,
    pub(super) types: BTreeMap<&'static str, u64>,
    pub(super) accept: Times,
    pub(super) rejected: BTreeMap<String, u64>,
    pub(super) failed: BTreeMap<String, u64>,
    pub(super) processes: Option<Processes>,
}

impl Observation {
    /// Returns an observation of nothing yet.
    pub(super) fn new(chains: Chains, no_times: Times, processes: Option<Processes>) -> Self {
        Self {
            chains,
            types: BTreeMap::new(),
            accept: no_times,
            rejected: BTreeMap::new(),
            failed: BTreeMap::new(),
            processes,
        }
    }

    /// Follows posts until all have ended, and the log meanwhile.
    ///
    /// # Errors
    /// When the log cannot be read.
    pub(super) async fn of_posts(
        &mut self,
        mut reports: UnboundedReceiver<Report>,
        mut log: Option<&mut Log>,
    ) -> anyhow::Result<()> {
        let mut taken = Vec::with_capacity(REPORTS);
        loop {
            tokio::select! {
                // Reports first: a line of an event that is not known yet would be a stranger's.
                biased;
                count = reports.recv_many(&mut taken, REPORTS) => {
                    if count == 0 {
                        return Ok(());
                    }
                    taken.drain(..).for_each(|report| self.take(report));
                }
                hops = next(&mut log) => {
                    self.lines(&hops?);
                }
            }
        }
    }

    /// Follows the log until every accepted event has had its effects and nothing more arrives, or nothing has for `limit`.
    ///
    /// # Errors
    /// When the log cannot be read.
    pub(super) async fn drain(&mut self, log: &mut Log, limit: Duration) -> anyhow::Result<()> {
        let mut latest = Instant::now();
        loop {
            if self.lines(&log.next().await?) {
                latest = Instant::now();
            }
            let wait = if self.chains.unfinished() == 0 { QUIET.min(limit) } else { limit };
            if latest.elapsed() >= wait {
                return Ok(());
            }
        }
    }

    /// Reads what the log has by now.
    ///
    /// # Errors
    /// When the log cannot be read.
    pub(super) async fn catch_up(&mut self, log: &mut Log) -> anyhow::Result<()> {
        // What waits in the channel was read before now.
        for _ in 0..=log.hops.max_capacity() {
            self.lines(&log.next().await?);
        }
        Ok(())
    }

    /// Notes what happened to an event.
    pub(super) fn take(&mut self, report: Report) {
        match report {
            Report::Sent { id, kind, intended } => {
                *self.types.entry(kind).or_default() += 1;
                self.chains.sent(id, kind, intended);
            }
            Report::Ended { id, intended, at, answer } => match answer {
                Answer::Accepted(trace) => {
                    self.accept.count(at - intended);
                    self.chains.accepted(id, at, trace);
                }
                Answer::Rejected(problem) => *self.rejected.entry(problem).or_default() += 1,
                Answer::Failed(problem) => *self.failed.entry(problem).or_default() += 1,
            },
        }
    }

    /// Returns whether there was news of the events.
    fn lines(&mut self, hops: &[Hop]) -> bool {
        let news = hops.iter().filter(|hop| self.chains.hop(hop)).count() > 0;
        if let Some(processes) = &mut self.processes {
            processes.look(news);
        }
        news
    }
}

/// Returns the next lines; never, if no log is followed.
async fn next(log: &mut Option<&mut Log>) -> anyhow::Result<Vec<Hop>> {
    match log {
        Some(log) => log.next().await,
        None => std::future::pending().await,
    }
}
