//! One thing that is measured.

use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use benchmarks::Latencies;
use futures_util::future::BoxFuture;
use nix::sys::time::TimeValLike as _;
use nix::time::{ClockId, clock_gettime};
use serde::Serialize;
use telemetry::Departures;

/// How long a round should take, in processor time.
const ROUND: Duration = Duration::from_millis(20);
/// The most repetitions of a round: as many spans fit the queue to the collector.
const MOST: u32 = 10_000;

/// Does something a number of times.
type Work = Box<dyn Fn(u32) -> BoxFuture<'static, anyhow::Result<()>> + Send>;

/// A case with what its rounds took.
pub(crate) struct Case {
    name: &'static str,
    against: Option<&'static str>,
    work: Work,
    times: u32,
    most: u32,
    rounds: Vec<Duration>,
    latencies: Option<(Arc<Mutex<Latencies>>, PathBuf)>,
}

/// What is reported of a case.
#[derive(Debug, Serialize)]
pub(crate) struct Report {
    name: &'static str,
    /// The case that it is compared with.
    against: Option<&'static str>,
    /// The processor time of one repetition in each round, in nanoseconds.
    cpu_ns: Vec<f64>,
    /// The log of the latencies of single calls.
    histogram: Option<PathBuf>,
}

impl Case {
    /// Returns a case of something that waits for nothing.
    pub(crate) fn of<T>(name: &'static str, step: impl Fn() -> T + Send + Sync + 'static) -> Self {
        let step = Arc::new(step);
        Self::new(
            name,
            Box::new(move |times| {
                let step = Arc::clone(&step);
                Box::pin(async move {
                    for _ in 0..times {
                        std::hint::black_box(step());
                    }
                    Ok(())
                })
            }),
        )
    }

    /// Returns a case of something that may wait.
    pub(crate) fn new(name: &'static str, work: Work) -> Self {
        Self { name, against: None, work, times: 1, most: MOST, rounds: Vec::new(), latencies: None }
    }

    /// Compares it with the case of this name.
    pub(crate) fn against(self, name: &'static str) -> Self {
        Self { against: Some(name), ..self }
    }

    /// Writes the latencies that the work records to a log.
    pub(crate) fn latencies(self, latencies: Arc<Mutex<Latencies>>, log: PathBuf) -> Self {
        Self { latencies: Some((latencies, log)), ..self }
    }

    /// Repeats it more and more often until a round takes long enough to be measured.
    pub(crate) async fn warm_up(&mut self, departures: &Departures) -> anyhow::Result<()> {
        while self.take(departures).await? < ROUND && self.times < self.most {
            self.times = (self.times * 2).min(self.most);
        }
        if let Some((latencies, _)) = &self.latencies {
            *latencies.lock().unwrap_or_else(PoisonError::into_inner) = Latencies::begin();
        }
        Ok(())
    }

    /// Measures a round.
    pub(crate) async fn round(&mut self, departures: &Departures) -> anyhow::Result<()> {
        let took = self.take(departures).await?;
        self.rounds.push(took);
        Ok(())
    }

    /// Returns the processor time of this process for the repetitions, with what they leave to other threads.
    async fn take(&self, departures: &Departures) -> anyhow::Result<Duration> {
        let before = cpu()?;
        (self.work)(self.times).await?;
        if let Some(departure) = departures.of_ended() {
            departure.wait().await;
        }
        departures.write_lines();
        Ok(cpu()?.saturating_sub(before))
    }

    /// Returns the result, and writes the log.
    pub(crate) fn result(self) -> anyhow::Result<Report> {
        let one = |round: &Duration| round.as_secs_f64() * 1e9 / f64::from(self.times);
        let cpu_ns = self.rounds.iter().map(one).collect();
        let histogram = self.latencies.map(|(latencies, log)| {
            let latencies = latencies.lock().unwrap_or_else(PoisonError::into_inner).clone();
            latencies.write(&log, "from a call to its answer").map(|()| log)
        });
        Ok(Report { name: self.name, against: self.against, cpu_ns, histogram: histogram.transpose()? })
    }
}

/// Returns the processor time of all threads of this process.
fn cpu() -> anyhow::Result<Duration> {
    let time = clock_gettime(ClockId::CLOCK_PROCESS_CPUTIME_ID)?;
    Ok(Duration::from_nanos(u64::try_from(time.num_nanoseconds())?))
}
