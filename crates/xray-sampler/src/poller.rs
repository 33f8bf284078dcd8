//! Keeps a sampler's rules up to date.

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::watch;
use tokio::time::{Instant, sleep_until};
use tracing::debug;

use crate::calls::{CallError, Calls, MAX_DOCUMENTS};
use crate::journal::Journal;
use crate::sampler::XRaySampler;
use crate::shared::Shared;
use crate::timing::{Timing, jittered};
use crate::transport::Transport;
use crate::wire::{self, Targets};

/// Fetches rules, reports statistics and receives quotas for one [`XRaySampler`].
///
/// Rules are fetched at once, then every five minutes, and as soon as X-Ray says that one was modified. Statistics are
/// reported every ten seconds, or at the interval that X-Ray returns; rules that matched nothing are left out, and without
/// any there is no call. After a failure the last rules stay in use, statistics go with the next report, and rules are
/// fetched again after a second, then after two, four and so on. Calls never overlap. A report is given up after ten
/// seconds, and so is fetching rules.
///
/// A failure is logged once as a warning, and so is the end of a rule set that was not refreshed for an hour.
#[derive(Debug)]
pub struct Poller<T> {
    shared: Arc<Shared>,
    pub(crate) calls: Calls<T>,
    pub(crate) timing: Timing,
    client_id: String,
    stop: Arc<watch::Sender<bool>>,
    journal: Journal,
    /// The latest modification that the rules in use are known to include, as a date of X-Ray's clock.
    included: Option<f64>,
    /// The latest modification that X-Ray reported.
    announced: Option<f64>,
    failures: u32,
}

/// Stops a [`Poller`]. Clones stop the same one; dropping them stops nothing.
#[derive(Clone, Debug)]
pub struct PollerHandle {
    stop: Arc<watch::Sender<bool>>,
}

impl PollerHandle {
    /// Ends [`Poller::run`], even during a call. The sampler stays usable; an hour later it falls back.
    pub fn stop(&self) {
        self.stop.send_replace(true);
    }
}

impl<T: Transport> Poller<T> {
    /// Creates a poller for a sampler, which must be the only one. Nothing happens before [`run`](Self::run).
    #[must_use]
    pub fn new(sampler: &XRaySampler, transport: T) -> Self {
        let timing = Timing::default();
        Self {
            shared: sampler.shared().clone(),
            calls: Calls { transport, timeout: timing.call },
            timing,
            client_id: client_id(),
            stop: Arc::new(watch::Sender::new(false)),
            journal: Journal::default(),
            included: None,
            announced: None,
            failures: 0,
        }
    }

    /// Sets the time between two fetches of rules: five minutes unless set, and between a second and half an hour, so that
    /// one failure does not make rules expire. It is prolonged by up to 1 %, so that services that start together do not
    /// call together for ever.
    #[must_use]
    pub fn with_interval(mut self, interval: Duration) -> Self {
        self.timing.rules = interval.clamp(Duration::from_secs(1), Duration::from_mins(30));
        self
    }

    /// Returns what stops this poller.
    #[must_use]
    pub fn handle(&self) -> PollerHandle {
        PollerHandle { stop: self.stop.clone() }
    }

    /// Polls until the [handle](Self::handle) stops it. Run it as a task on a Tokio runtime with time and I/O enabled.
    pub async fn run(mut self) {
        let mut stop = self.stop.subscribe();
        tokio::select! {
            // The sender is a field of this poller, so waiting cannot end with an error.
            _ = stop.wait_for(|stopped| *stopped) => {}
            () = self.poll() => {}
        }
    }

    /// Makes one call after the other, for ever.
    async fn poll(&mut self) {
        let mut rules_due = Instant::now();
        let mut report_due = rules_due + jittered(self.timing.report);
        loop {
            sleep_until(rules_due.min(report_due)).await;
            if rules_due <= Instant::now() {
                let pause = self.refresh().await;
                rules_due = Instant::now() + pause;
            }
            if report_due <= Instant::now() {
                let pause = self.report().await;
                report_due = Instant::now() + pause;
                if self.is_modified() {
                    rules_due = Instant::now();
                }
            }
        }
    }

    /// Fetches rules, and returns the pause until the next time.
    pub(crate) async fn refresh(&mut self) -> Duration {
        let started = self.shared.received_now().date;
        match self.calls.rules().await {
            Ok(fetched) => {
                self.journal.rules_fetched(fetched.rules.len(), fetched.unreadable);
                self.shared.install(fetched.rules);
                // Dates of X-Ray's clock are compared with each other; this host's may be wrong.
                self.included = wire::later(self.announced, fetched.modified).or(Some(started));
                self.failures = 0;
                jittered(self.timing.rules)
            }
            Err(error) => {
                self.journal.rules_failed(&error, self.shared.is_falling_back());
                self.failures = self.failures.saturating_add(1);
                jittered(self.timing.retry(self.failures))
            }
        }
    }

    /// Returns whether a rule was modified since rules were fetched. While fetching fails, it is retried at growing pauses
    /// anyway.
    fn is_modified(&self) -> bool {
        self.failures == 0
            && self.included.zip(self.announced).is_some_and(|(included, last)| last > included)
    }

    /// Reports statistics, and returns the pause until the next time.
    pub(crate) async fn report(&mut self) -> Duration {
        let mut waiting = self.shared.take_statistics().into_iter();
        if waiting.len() == 0 {
            return jittered(self.timing.next_report(None));
        }
        let (mut interval, mut failure) = (None, None);
        while waiting.len() > 0 {
            let documents: Vec<_> = waiting.by_ref().take(MAX_DOCUMENTS).collect();
            let date = self.shared.received_now().date;
            match self.calls.targets(&self.client_id, date, &documents).await {
                Ok(targets) => interval = shorter(interval, self.answered(&targets)),
                Err(error) => {
                    self.shared.put_back(documents);
                    let hangs = matches!(error, CallError::Timeout(_));
                    failure = Some(error);
                    if hangs {
                        // Each further call would take as long, and meanwhile no rules are fetched.
                        break;
                    }
                }
            }
        }
        self.shared.put_back(waiting.collect());
        self.journal.reported(failure.as_ref());
        jittered(self.timing.next_report(interval))
    }

    /// Applies the answer to a report, and returns the shortest interval in it.
    fn answered(&mut self, targets: &Targets) -> Option<u64> {
        self.shared.apply(&targets.answers, self.shared.received_now());
        self.announced = wire::later(self.announced, targets.last_modification);
        if !targets.unprocessed.is_empty() {
            // A rule may have been removed since, so this alone is no failure.
            debug!(reasons = ?targets.unprocessed, "X-Ray did not process some sampling statistics");
        }
        targets.answers.iter().filter_map(|answer| answer.interval).min()
    }
}

/// Returns the shorter of two intervals.
fn shorter(one: Option<u64>, other: Option<u64>) -> Option<u64> {
    one.into_iter().chain(other).min()
}

/// Returns a random identity, of 24 hexadecimal digits as the service demands.
fn client_id() -> String {
    format!("{:024x}", rand::random::<u128>() >> 32)
}

#[cfg(test)]
mod tests;
