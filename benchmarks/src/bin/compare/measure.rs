//! A program that is measured from the end of its warm-up until its work is done.

use std::time::{Duration, Instant};

use benchmarks::WARM;

use crate::candidate::Candidate;
use crate::outcome::file_name;
use crate::process::Process;
use crate::rounds::Measured;
use crate::surroundings::Surroundings;

/// A program at work.
pub(crate) struct Run<'a> {
    around: &'a Surroundings,
    pub(crate) process: Process,
    began: Instant,
    cpu_before: Duration,
}

impl<'a> Run<'a> {
    /// Starts a program with these variables in its environment and waits until it has warmed up.
    pub(crate) async fn start(
        candidate: &Candidate,
        around: &'a Surroundings,
        variables: impl IntoIterator<Item = (&'static str, String)>,
    ) -> anyhow::Result<Self> {
        let mut command = candidate.command();
        around.describe(&mut command);
        command.envs(variables);
        around.forget_requests().await?;
        let log = around.directory().join(file_name(&candidate.name)).with_extension("log");
        let mut process = Process::start(command, &log)?;
        process.reports(WARM).await?;
        let (began, cpu_before) = (Instant::now(), process.cpu()?);
        Ok(Self { around, process, began, cpu_before })
    }

    /// Ends the program, which has handled so many events, the first of them to warm up.
    pub(crate) async fn end(self, warm_up: usize, events: usize) -> anyhow::Result<Measured> {
        let cpu = self.process.cpu()?.saturating_sub(self.cpu_before);
        let wall = self.began.elapsed();
        let peak_memory = self.process.memory("VmHWM:")?;
        let requests = self.around.requests().await?;
        self.process.end().await?;
        #[expect(clippy::cast_precision_loss, reason = "a number of events")]
        let (all, events) = ((warm_up + events) as f64, events as f64);
        Ok(Measured {
            cpu_us: cpu.as_secs_f64() * 1e6 / events,
            requests: requests / all,
            per_second: events / wall.as_secs_f64(),
            peak_memory,
            latencies: None,
        })
    }
}
