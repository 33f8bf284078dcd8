//! Keeps a sampler's rules up to date.

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::watch;
use tokio::time::{Instant, sleep_until};

use crate::calls::{CallError, Calls, MAX_DOCUMENTS};
use crate::journal::Journal;
use crate::sampler::XRaySampler;
use crate::shared::Shared;
use crate::timing::{Timing, jittered};
use crate::transport::Transport;
use crate::wire::{self, Reporter, Targets};

/// Fetches rules, reports statistics and receives quotas for one [`XRaySampler`].
///
/// Rules are fetched immediately, then every five minutes, and as soon as X-Ray reports that one was modified.
/// Statistics are reported every ten seconds, or at the interval that X-Ray returns. Rules without requests are left
/// out of the report, and there is no call if nothing is left. After a failure the last rules remain in use, statistics
/// are added to the next report, and fetching rules is retried after one second, two, four and so on. Calls never
/// overlap, and time out after ten seconds.
///
/// The first of consecutive failures is logged as a warning, and so is the expiry of rules that were not refreshed for
/// an hour.
#[derive(Debug)]
pub struct Poller<T> {
    shared: Arc<Shared>,
    pub(crate) calls: Calls<T>,
    pub(crate) timing: Timing,
    reporter: Reporter,
    stop: Arc<watch::Sender<bool>>,
    journal: Journal,
    /// The date of the latest modification that the rules in use are known to include, by X-Ray's clock.
    included: Option<f64>,
    /// The date of the latest modification that X-Ray reported.
    announced: Option<f64>,
    /// The number of consecutive failures to fetch rules.
    failures: u32,
}

/// Stops a [`Poller`]. Clones stop the same poller; dropping a handle does not stop it.
#[derive(Clone, Debug)]
pub struct PollerHandle {
    stop: Arc<watch::Sender<bool>>,
}

impl PollerHandle {
    /// Ends [`Poller::run`], even during a call. The sampler keeps applying its rules until they expire.
    pub fn stop(&self) {
        self.stop.send_replace(true);
    }
}

impl<T: Transport> Poller<T> {
    /// Creates a poller for a sampler, which should have no other. It does nothing until it [runs](Self::run).
    #[must_use]
    pub fn new(sampler: &XRaySampler, transport: T) -> Self {
        let timing = Timing::default();
        Self {
            shared: sampler.shared().clone(),
            calls: Calls { transport, timeout: timing.call },
            timing,
            reporter: Reporter {
                client_id: client_id(),
                service: sampler.shared().service_name().to_owned(),
            },
            stop: Arc::new(watch::Sender::new(false)),
            journal: Journal::default(),
            included: None,
            announced: None,
            failures: 0,
        }
    }

    /// Sets the interval at which rules are fetched. The default is five minutes. The interval is limited to between
    /// one second and half an hour, so that a single failure does not let rules expire, and prolonged by up to 1 % at
    /// random, so that services that start together do not keep calling together.
    #[must_use]
    pub fn with_interval(mut self, interval: Duration) -> Self {
        self.timing.rules = interval.clamp(Duration::from_secs(1), Duration::from_mins(30));
        self
    }

    /// Returns a handle that stops this poller.
    #[must_use]
    pub fn handle(&self) -> PollerHandle {
        PollerHandle { stop: self.stop.clone() }
    }

    /// Polls until the [handle](Self::handle) stops it. Spawn it as a task on a Tokio runtime with time and I/O
    /// enabled.
    pub async fn run(mut self) {
        let mut stop = self.stop.subscribe();
        tokio::select! {
            // Cannot return an error, because this poller owns a sender.
            _ = stop.wait_for(|stopped| *stopped) => {}
            () = self.poll() => {}
        }
    }

    /// Makes the calls, one at a time.
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

    /// Fetches rules, and returns the time until they are due again.
    pub(crate) async fn refresh(&mut self) -> Duration {
        let started = self.shared.both_clocks().date;
        match self.calls.rules().await {
            Ok(fetched) => {
                self.journal.rules_fetched(fetched.rules.len(), fetched.unreadable);
                self.shared.install(fetched.rules);
                // Dates of X-Ray are compared with each other, because this host's clock may be wrong.
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

    /// Returns whether a rule was modified after the rules in use were fetched. While fetching fails this is `false`,
    /// so that retries remain spaced out.
    fn is_modified(&self) -> bool {
        self.failures == 0
            && self.included.zip(self.announced).is_some_and(|(included, last)| last > included)
    }

    /// Reports statistics, and returns the time until the next report is due.
    pub(crate) async fn report(&mut self) -> Duration {
        let mut waiting = self.shared.take_statistics().into_iter();
        if waiting.len() == 0 {
            return jittered(self.timing.next_report(None));
        }
        let (mut interval, mut failure) = (None, None);
        while waiting.len() > 0 {
            let documents: Vec<_> = waiting.by_ref().take(MAX_DOCUMENTS).collect();
            let date = self.shared.both_clocks().date;
            match self.calls.targets(&self.reporter, date, &documents).await {
                Ok(targets) => interval = shorter(interval, self.reported(&targets)),
                Err(error) => {
                    self.shared.put_back(documents);
                    let hangs = matches!(error, CallError::Timeout(_));
                    failure = Some(error);
                    if hangs {
                        // The other calls would time out too, and delay fetching rules.
                        break;
                    }
                }
            }
        }
        self.shared.put_back(waiting.collect());
        self.journal.reported(failure.as_ref());
        jittered(self.timing.next_report(interval))
    }

    /// Applies the response to a report, and returns the shortest interval in it.
    fn reported(&mut self, targets: &Targets) -> Option<u64> {
        self.shared.apply(&targets.updates, self.shared.both_clocks());
        self.announced = wire::later(self.announced, targets.last_modification);
        if !targets.unprocessed.is_empty() {
            // Not a failure by itself: a rule may have been deleted since.
            tracing::debug!(reasons = ?targets.unprocessed, "X-Ray did not process some sampling statistics");
        }
        targets.updates.iter().filter_map(|update| update.interval).min()
    }
}

/// Returns the shorter of two intervals.
fn shorter(one: Option<u64>, other: Option<u64>) -> Option<u64> {
    one.into_iter().chain(other).min()
}

/// Returns a random id of 24 hexadecimal digits, as the service's model requires.
fn client_id() -> String {
    format!("{:024x}", rand::random::<u128>() >> 32)
}

#[cfg(test)]
mod tests;
