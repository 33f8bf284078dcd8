//! Sends batches, and resends what failed temporarily.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use aws_clients::{AwsError, ErrorClass};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::time::{Instant, sleep, timeout_at};
use tokio_util::task::TaskTracker;

use crate::PublisherSettings;
use crate::call::{Answer, Call};
use crate::job::Job;
use crate::metrics::Metrics;

/// Sends batches, each in a separate task, and bounds the number of calls in flight.
pub(crate) struct Delivery<C> {
    pub(crate) call: C,
    pub(crate) settings: PublisherSettings,
    pub(crate) permits: Arc<Semaphore>,
    pub(crate) metrics: Metrics,
    pub(crate) tasks: TaskTracker,
}

impl<C: Call> Delivery<C> {
    /// Starts sending a batch, in the groups the call prefers unless the batch is full.
    pub(crate) fn start_grouped(
        self: &Arc<Self>,
        batch: Vec<Job<C::Entry>>,
        mut permit: Option<OwnedSemaphorePermit>,
    ) {
        if batch.len() >= C::MAX_ENTRIES {
            return self.start(batch, Duration::ZERO, permit);
        }
        let numbers = self.call.groups(&batch.iter().map(|job| &job.entry).collect::<Vec<_>>());
        let mut groups = BTreeMap::<usize, Vec<_>>::new();
        for (number, job) in numbers.into_iter().zip(batch) {
            groups.entry(number).or_default().push(job);
        }
        for group in groups.into_values() {
            self.start(group, Duration::ZERO, permit.take());
        }
    }

    /// Starts a task that sends the jobs in one call after a pause. Not an `async fn`, because a delivery starts
    /// further ones: its future would contain itself.
    fn start(
        self: &Arc<Self>,
        jobs: Vec<Job<C::Entry>>,
        pause: Duration,
        permit: Option<OwnedSemaphorePermit>,
    ) {
        let delivery = Arc::clone(self);
        self.tasks.spawn(async move { delivery.deliver(jobs, pause, permit).await });
    }

    async fn deliver(
        self: Arc<Self>,
        mut jobs: Vec<Job<C::Entry>>,
        pause: Duration,
        mut permit: Option<OwnedSemaphorePermit>,
    ) {
        if !pause.is_zero() {
            sleep(pause).await;
        }
        loop {
            let held = match permit.take() {
                Some(permit) => Ok(permit),
                None => Arc::clone(&self.permits).acquire_owned().await,
            };
            jobs = self.without_expired(jobs);
            if jobs.is_empty() {
                return;
            }
            let answer = self.send(&mut jobs).await;
            drop(held);
            match answer.outcome {
                Ok(results) => return self.settle_each(jobs, results),
                Err(error) if passes_by_itself(&error) => {
                    let Some(pause) = self.keep_retryable(&mut jobs, &error) else { return };
                    sleep(pause).await;
                }
                // One bad entry must not fail the others: each is retried separately.
                Err(error) if error.class() == ErrorClass::Rejected && jobs.len() > 1 => {
                    self.metrics.retrying(jobs.len());
                    return jobs.into_iter().for_each(|job| self.start(vec![job], Duration::ZERO, None));
                }
                Err(error) => {
                    return jobs.into_iter().for_each(|job| job.failed(error.clone(), &self.metrics));
                }
            }
        }
    }

    /// Makes one call, bounded in time by the settings and by the last deadline among its entries.
    async fn send(&self, jobs: &mut [Job<C::Entry>]) -> Answer {
        let count = jobs.len();
        let started = Instant::now();
        let limit = started + self.settings.call_timeout;
        let limit = jobs.iter().map(|job| job.deadline).max().map_or(limit, |last| last.min(limit));
        let entries: Vec<_> = jobs.iter().map(|job| &job.entry).collect();
        let answer = timeout_at(limit, self.call.send(&entries)).await;
        let answer = answer.unwrap_or_else(|_| Answer::failed(AwsError::timeout(C::SERVICE, C::OPERATION)));
        self.metrics.called(count, &answer, started.elapsed());
        for job in jobs {
            job.carried(&answer, count);
        }
        answer
    }

    /// Reports the outcome of each entry of an answered call to its caller, and starts the retries, each entry in its
    /// own call.
    fn settle_each(self: &Arc<Self>, jobs: Vec<Job<C::Entry>>, results: Vec<Result<String, AwsError>>) {
        let unanswered = || Err(AwsError::unreadable(C::SERVICE, C::OPERATION));
        let results = results.into_iter().chain(std::iter::repeat_with(unanswered));
        for (job, result) in jobs.into_iter().zip(results) {
            match result {
                Ok(id) => job.accepted(id, &self.metrics),
                Err(error) if passes_by_itself(&error) => {
                    let mut alone = vec![job];
                    if let Some(pause) = self.keep_retryable(&mut alone, &error) {
                        self.start(alone, pause, None);
                    }
                }
                Err(error) => job.failed(error, &self.metrics),
            }
        }
    }

    /// Keeps the jobs that have an attempt and time left, settles the others, and returns the pause before the next
    /// attempt, if there is one.
    fn keep_retryable(&self, jobs: &mut Vec<Job<C::Entry>>, error: &AwsError) -> Option<Duration> {
        let attempts = jobs.iter().map(|job| job.attempts).max().unwrap_or_default();
        let pause = self.settings.pause_after(attempts);
        let next = Instant::now() + pause;
        let (kept, over): (Vec<_>, Vec<_>) = std::mem::take(jobs)
            .into_iter()
            .partition(|job| job.attempts < self.settings.max_attempts && next < job.deadline);
        for job in over {
            job.failed(error.clone(), &self.metrics);
        }
        *jobs = kept;
        if jobs.is_empty() {
            return None;
        }
        self.metrics.retrying(jobs.len());
        Some(pause)
    }

    /// Settles the jobs whose deadline passed while they waited, and returns the others.
    fn without_expired(&self, jobs: Vec<Job<C::Entry>>) -> Vec<Job<C::Entry>> {
        let now = Instant::now();
        let (expired, left): (Vec<_>, Vec<_>) = jobs.into_iter().partition(|job| job.deadline <= now);
        for job in expired {
            job.failed(AwsError::timeout(C::SERVICE, C::OPERATION), &self.metrics);
        }
        left
    }
}

/// Returns whether the same call may succeed after a pause of seconds. A misconfiguration lasts until the deployment is
/// fixed, with one exception: expired credentials are renewed in the background, and the next call is signed with new
/// ones.
fn passes_by_itself(error: &AwsError) -> bool {
    match error.class() {
        ErrorClass::Throttled | ErrorClass::Unavailable => true,
        ErrorClass::Misconfigured => {
            matches!(error.code(), "ExpiredToken" | "ExpiredTokenException" | "RequestExpired")
        }
        ErrorClass::Rejected => false,
    }
}
