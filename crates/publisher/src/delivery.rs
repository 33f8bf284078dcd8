//! Coalesces the entries of concurrent callers into full calls, and resends what failed temporarily.

use std::sync::Arc;
use std::time::Duration;

use aws_clients::{AwsError, ErrorClass};
use tokio::sync::mpsc;
use tokio::task::JoinSet;
use tokio::time::{Instant, sleep_until, timeout_at};
use tokio_util::sync::CancellationToken;

use crate::PublisherSettings;
use crate::call::{Answer, Call};
use crate::job::Job;
use crate::metrics::Metrics;
use crate::pace::Pace;
use crate::waiting::Waiting;

/// The task behind a publisher. It alone decides what is sent next and when; each call is a task that returns its
/// entries with the answer.
pub(crate) struct Delivery<C: Call> {
    call: Arc<C>,
    settings: PublisherSettings,
    metrics: Metrics,
    queue: mpsc::Receiver<Job<C::Entry>>,
    closing: CancellationToken,
    /// Whether the queue is closed and empty.
    drained: bool,
    waiting: Waiting<C>,
    calls: JoinSet<Called<C>>,
    pace: Pace,
}

/// A call that has ended.
struct Called<C: Call> {
    jobs: Vec<Job<C::Entry>>,
    started: Instant,
    answer: Answer,
}

impl<C: Call> Delivery<C> {
    pub(crate) fn new(
        call: C,
        settings: PublisherSettings,
        metrics: Metrics,
        queue: mpsc::Receiver<Job<C::Entry>>,
        closing: CancellationToken,
    ) -> Self {
        Self {
            call: Arc::new(call),
            metrics,
            queue,
            closing,
            drained: false,
            waiting: Waiting::new(settings.linger),
            calls: JoinSet::new(),
            pace: Pace::new(&settings),
            settings,
        }
    }

    /// Sends what arrives in the queue. Ends when the queue is closed and the outcome of each entry is known.
    pub(crate) async fn run(mut self) {
        loop {
            self.abandon_expired();
            self.start_calls();
            if self.drained && self.waiting.is_empty() && self.calls.is_empty() {
                return;
            }
            let wake = self.next_change();
            tokio::select! {
                biased;
                () = self.closing.cancelled(), if !self.queue.is_closed() => self.queue.close(),
                // A call that panicked has dropped its entries, and with them their callers' ends.
                Some(called) = self.calls.join_next() => if let Ok(called) = called {
                    self.settle(called);
                },
                // Under load, waiting until a call may start makes batches fuller instead of more numerous.
                job = self.queue.recv(), if !self.drained && !self.waiting.fills_a_call() => match job {
                    Some(job) => self.waiting.push(job),
                    None => self.drained = true,
                },
                () = sleep_until(wake.unwrap_or_else(Instant::now)), if wake.is_some() => {}
            }
        }
    }

    /// Starts as many calls as the pace allows and the waiting entries fill.
    fn start_calls(&mut self) {
        let now = Instant::now();
        while self.pace.has_room(self.calls.len())
            && self.pace.pause_ends().is_none_or(|end| end <= now)
            && let Some(jobs) = self.waiting.take(now, self.drained, &*self.call)
        {
            let (call, metrics) = (Arc::clone(&self.call), self.metrics.clone());
            self.calls.spawn(send(call, jobs, self.settings.call_timeout, metrics));
        }
    }

    /// Returns when the next call may start or the next entry expires, unless a call in flight has to end first.
    fn next_change(&self) -> Option<Instant> {
        let start = self.waiting.next_ready(self.drained).filter(|_| self.pace.has_room(self.calls.len()));
        let start = start.map(|ready| self.pace.pause_ends().map_or(ready, |end| end.max(ready)));
        start.into_iter().chain(self.waiting.next_deadline()).min()
    }

    /// Settles the entries whose deadline passed while they waited.
    fn abandon_expired(&mut self) {
        for job in self.waiting.take_expired(Instant::now()) {
            let held_up = || self.pace.cause().cloned();
            let error = job.last_error().cloned().or_else(held_up);
            job.failed(error.unwrap_or_else(|| AwsError::timeout(C::SERVICE, C::OPERATION)), &self.metrics);
        }
    }

    fn settle(&mut self, called: Called<C>) {
        let Called { jobs, started, answer } = called;
        match answer.outcome {
            Ok(results) => self.settle_each(jobs, started, results),
            Err(error) => self.settle_all(jobs, started, &error),
        }
    }

    /// Reports the failure of a whole call to its callers, or schedules its repetition.
    fn settle_all(&mut self, jobs: Vec<Job<C::Entry>>, started: Instant, error: &AwsError) {
        if error.class() == ErrorClass::Throttled {
            self.pace.throttled(started, error, false, &self.settings);
        } else {
            self.pace.accepted(started);
        }
        if passes_by_itself(error) {
            // Unchanged: if one of its entries is what makes the call fail, it must not do so to further ones.
            self.resend_together(jobs, error);
        } else if error.class() == ErrorClass::Rejected && jobs.len() > 1 {
            // One bad entry must not fail the others: each is retried separately.
            self.metrics.retrying(jobs.len());
            for job in jobs {
                self.waiting.push_call(vec![job], Instant::now());
            }
        } else {
            for job in jobs {
                job.failed(error.clone(), &self.metrics);
            }
        }
    }

    /// Reports the outcome of each entry of an answered call to its caller, and schedules the retries. Throttled
    /// entries are batched anew, since nothing is wrong with them; the others stay together.
    fn settle_each(
        &mut self,
        jobs: Vec<Job<C::Entry>>,
        started: Instant,
        results: Vec<Result<String, AwsError>>,
    ) {
        let unanswered = || Err(AwsError::unreadable(C::SERVICE, C::OPERATION));
        let results = results.into_iter().chain(std::iter::repeat_with(unanswered));
        let (mut throttled, mut failed, mut accepted) = (Vec::new(), Vec::new(), false);
        for (job, result) in jobs.into_iter().zip(results) {
            match result {
                Ok(id) => {
                    accepted = true;
                    job.accepted(id, &self.metrics);
                }
                Err(error) if error.class() == ErrorClass::Throttled => throttled.push((job, error)),
                Err(error) if passes_by_itself(&error) => failed.push((job, error)),
                Err(error) => job.failed(error, &self.metrics),
            }
        }
        match throttled.first() {
            Some((_, error)) => self.pace.throttled(started, error, accepted, &self.settings),
            None => self.pace.accepted(started),
        }
        for (job, error) in throttled {
            if let Some(job) = self.retryable(job, &error, Duration::ZERO) {
                self.metrics.retrying(1);
                self.waiting.push(job);
            }
        }
        if let Some((_, error)) = failed.first() {
            let error = error.clone();
            self.resend_together(failed.into_iter().map(|(job, _)| job).collect(), &error);
        }
    }

    /// Schedules one more call for the jobs, after a pause that grows with their attempts. The pause after a throttle
    /// is that of all calls.
    fn resend_together(&mut self, jobs: Vec<Job<C::Entry>>, error: &AwsError) {
        let attempts = jobs.iter().map(Job::attempts).max().unwrap_or_default();
        let pause = match error.class() {
            ErrorClass::Throttled => Duration::ZERO,
            _ => self.settings.pause_after(attempts),
        };
        let jobs: Vec<_> = jobs.into_iter().filter_map(|job| self.retryable(job, error, pause)).collect();
        if !jobs.is_empty() {
            self.metrics.retrying(jobs.len());
            self.waiting.push_call(jobs, Instant::now() + pause);
        }
    }

    /// Returns the job if it has an attempt left, and time after the pause; otherwise settles it.
    fn retryable(&self, mut job: Job<C::Entry>, error: &AwsError, pause: Duration) -> Option<Job<C::Entry>> {
        let next = self.pace.pause_ends().unwrap_or_else(Instant::now).max(Instant::now() + pause);
        if job.attempts() < self.settings.max_attempts && next < job.deadline {
            job.keep(error);
            return Some(job);
        }
        job.failed(error.clone(), &self.metrics);
        None
    }
}

/// Makes one call, bounded in time by the settings and by the last deadline among its entries.
async fn send<C: Call>(
    call: Arc<C>,
    mut jobs: Vec<Job<C::Entry>>,
    timeout: Duration,
    metrics: Metrics,
) -> Called<C> {
    let count = jobs.len();
    for job in &jobs {
        job.announced().await;
    }
    let started = Instant::now();
    let limit = started + timeout;
    let limit = jobs.iter().map(|job| job.deadline).max().map_or(limit, |last| last.min(limit));
    let entries: Vec<_> = jobs.iter().map(|job| &job.entry).collect();
    let answer = timeout_at(limit, call.send(&entries)).await;
    let answer = answer.unwrap_or_else(|_| Answer::failed(AwsError::timeout(C::SERVICE, C::OPERATION)));
    metrics.called(count, &answer, started.elapsed());
    for job in &mut jobs {
        job.carried(&answer, count);
    }
    Called { jobs, started, answer }
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
