//! Calls from concurrent callers, whose latencies are recorded.

use std::path::PathBuf;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Instant;

use service_runtime::Environment;
use tokio::task::JoinSet;

use crate::latencies::Latencies;
use crate::progress::{DONE, WARM, report};

/// How many calls a program makes, and from how many callers at the same time, each of which waits for its calls.
#[derive(Clone, Debug)]
pub struct Calls {
    callers: usize,
    warm_up: usize,
    number: usize,
    histogram: PathBuf,
}

/// The calls that were made.
#[derive(Debug)]
pub struct Made {
    latencies: Latencies,
    histogram: PathBuf,
}

impl Calls {
    /// Reads `EVENTS` after `WARM_UP`, both numbers of events, the number of `CALLERS`, and where the `HISTOGRAM` of the latencies
    /// is to be written.
    ///
    /// # Errors
    /// When a variable is missing or wrong.
    pub fn read(environment: &Environment) -> anyhow::Result<Self> {
        Ok(Self {
            callers: environment.parse("CALLERS", 1)?,
            warm_up: environment.parse("WARM_UP", 0)?,
            number: environment.parse("EVENTS", 1)?,
            histogram: environment.required("HISTOGRAM")?.into(),
        })
    }

    /// Makes the calls, each of which is for `events` events. Reports [`WARM`] between the warm-up and the others.
    ///
    /// # Errors
    /// When a call fails.
    pub async fn make<C, F>(self, events: usize, call: C) -> anyhow::Result<Made>
    where
        C: Fn() -> F + Clone + Send + 'static,
        F: Future<Output = anyhow::Result<()>> + Send,
    {
        self.all(self.warm_up / events, &call).await?;
        report(WARM);
        let latencies = self.all(self.number / events, &call).await?;
        Ok(Made { latencies, histogram: self.histogram })
    }

    async fn all<C, F>(&self, number: usize, call: &C) -> anyhow::Result<Latencies>
    where
        C: Fn() -> F + Clone + Send + 'static,
        F: Future<Output = anyhow::Result<()>> + Send,
    {
        let latencies = Arc::new(Mutex::new(Latencies::begin()));
        let begun = Arc::new(AtomicUsize::new(0));
        let mut callers = JoinSet::new();
        for _ in 0..self.callers {
            // One histogram for all callers: it has two hundred kilobytes.
            let (begun, call, latencies) = (Arc::clone(&begun), call.clone(), Arc::clone(&latencies));
            callers.spawn(async move {
                while begun.fetch_add(1, Ordering::Relaxed) < number {
                    let start = Instant::now();
                    call().await?;
                    locked(&latencies).since(start);
                }
                anyhow::Ok(())
            });
        }
        while let Some(ended) = callers.join_next().await {
            ended??;
        }
        let latencies = locked(&latencies).clone();
        Ok(latencies)
    }
}

fn locked(latencies: &Mutex<Latencies>) -> MutexGuard<'_, Latencies> {
    latencies.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Made {
    /// Writes the latencies, then reports [`DONE`].
    ///
    /// # Errors
    /// When the file cannot be written.
    pub fn report(self) -> anyhow::Result<()> {
        // First: whoever reads the report may end this process.
        self.latencies.write(&self.histogram, "from each call to its answer")?;
        report(DONE);
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn calls_after_the_warm_up_are_recorded() {
        let file = tempfile::NamedTempFile::new().unwrap();
        let variables = [("EVENTS", "40"), ("WARM_UP", "20"), ("CALLERS", "3")];
        let histogram = [("HISTOGRAM", file.path().to_str().unwrap())];
        let environment = Environment::from_pairs(variables.into_iter().chain(histogram));
        let made = Arc::new(AtomicUsize::new(0));
        let counted = Arc::clone(&made);
        let call = move || {
            counted.fetch_add(1, Ordering::Relaxed);
            std::future::ready(Ok(()))
        };
        Calls::read(&environment).unwrap().make(10, call).await.unwrap().report().unwrap();
        assert_eq!(made.load(Ordering::Relaxed), 6);
        assert_eq!(histogram_log::read(file.path()).unwrap()[0].histogram.len(), 4);
    }

    #[tokio::test]
    async fn a_call_that_fails_ends_the_measurement() {
        let variables = [("EVENTS", "5"), ("CALLERS", "2"), ("HISTOGRAM", "nowhere")];
        let calls = Calls::read(&Environment::from_pairs(variables)).unwrap();
        let made = calls.make(1, || std::future::ready(Err(anyhow::anyhow!("refused")))).await;
        assert_eq!(made.unwrap_err().to_string(), "refused");
    }
}
