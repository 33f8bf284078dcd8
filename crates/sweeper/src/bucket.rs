//! The life of one bucket in one task: its lease is taken, it is swept repeatedly, and it is released.

use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use futures_util::StreamExt as _;
use futures_util::stream;
use tokio::time::{Instant, sleep};
use tokio_util::sync::CancellationToken;

use crate::HandleDue;
use crate::due::Item;
use crate::item::Bucket;
use crate::lease::{Renewed, Taken};
use crate::retries::Retries;
use crate::shared::Shared;
use crate::state::Trouble;

/// Items in a page of the index. No more keys than these are in memory for each bucket.
const PAGE: i32 = 100;
/// How often a bucket that another task holds is looked at, in parts of a lease.
const LOOKS: u32 = 6;
/// How often a lease is renewed, in parts of a lease.
const RENEWALS: u32 = 3;
/// The pause after a failed pass; it doubles with every further one.
const TROUBLE_BASE: Duration = Duration::from_secs(1);
/// The longest pause after a failed pass.
const TROUBLE_CAP: Duration = Duration::from_mins(1);

/// Why a bucket is no longer held.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum End {
    Shutdown,
    /// A task with fewer buckets wants it.
    Yielded,
    Lost,
}

impl<H: HandleDue> Shared<H> {
    /// Sweeps a bucket whenever its lease is to be had, until shutdown.
    pub(crate) async fn tend(&self, bucket: &str, shutdown: &CancellationToken) {
        let mut failures = 0;
        while !shutdown.is_cancelled() {
            let look_again = self.leases.duration / LOOKS;
            let pause = match self.leases.take(bucket, self.held.count() + 1, self.clock.now()).await {
                Ok(Taken::Ours) => {
                    failures = 0;
                    self.held.change(true, &self.metrics);
                    let end = self.hold(bucket, shutdown).await;
                    self.held.change(false, &self.metrics);
                    // Time for the task that wants it.
                    if end == End::Yielded { look_again * 2 } else { look_again }
                }
                Ok(Taken::Other { left, holds }) => {
                    failures = 0;
                    self.state.works(bucket);
                    self.ask_for(bucket, holds).await;
                    left.min(look_again)
                }
                Err(error) => {
                    failures += 1;
                    self.trouble(bucket, failures, &error.into())
                }
            };
            wait(pause, shutdown).await;
        }
    }

    /// Wants a bucket of a task that holds more, one at a time, so that the buckets spread evenly.
    async fn ask_for(&self, bucket: &str, holds: usize) {
        if holds <= self.held.count() + 1 {
            return;
        }
        let now = Instant::now();
        {
            let mut wanted_at = self.wanted_at.lock().unwrap_or_else(PoisonError::into_inner);
            if wanted_at.is_some_and(|at| now < at + self.leases.duration / LOOKS) {
                return;
            }
            *wanted_at = Some(now);
        }
        // If it fails, the next look asks again, and reports what is wrong.
        drop(self.leases.want(bucket, self.clock.now()).await);
    }

    async fn hold(&self, bucket: &str, shutdown: &CancellationToken) -> End {
        let stop = shutdown.child_token();
        let renewing = async {
            let end = self.renew(bucket, &stop).await;
            stop.cancel();
            end
        };
        let (end, ()) = tokio::join!(renewing, self.sweep(bucket, &stop));
        if end != End::Lost
            && let Err(error) = self.leases.release(bucket).await
        {
            tracing::warn!(bucket, reason = %error, "bucket not released: it stays leased until the lease ends");
        }
        end
    }

    /// Renews the lease until it is lost or wanted, or `stop`.
    async fn renew(&self, bucket: &str, stop: &CancellationToken) -> End {
        let mut ends_at = Instant::now() + self.leases.duration;
        loop {
            wait(self.leases.duration / RENEWALS, stop).await;
            if stop.is_cancelled() {
                return End::Shutdown;
            }
            // The lease begins when DynamoDB receives the call, not when it responds.
            let asked_at = Instant::now();
            match self.leases.renew(bucket, self.held.count(), self.clock.now()).await {
                Ok(Renewed::Ours) => ends_at = asked_at + self.leases.duration,
                Ok(Renewed::Wanted) => return End::Yielded,
                Ok(Renewed::Lost) => return End::Lost,
                Err(error) => {
                    self.state.fails(bucket, &error.into());
                    if Instant::now() >= ends_at {
                        return End::Lost;
                    }
                }
            }
        }
    }

    /// Makes pass after pass until `stop`.
    async fn sweep(&self, bucket: &str, stop: &CancellationToken) {
        let held = Bucket { shared: self, name: bucket, retries: Retries::default() };
        let mut failures = 0;
        while !stop.is_cancelled() {
            let pause = match held.pass(stop).await {
                Ok(()) => {
                    failures = 0;
                    self.state.works(bucket);
                    // With jitter, so that the buckets are not queried all at once.
                    rand::random_range(self.settings.poll..=self.settings.poll * 3 / 2)
                }
                Err(trouble) => {
                    failures += 1;
                    self.trouble(bucket, failures, &trouble)
                }
            };
            wait(pause, stop).await;
        }
    }

    /// Returns the pause after a failure, and reports the second one in a row.
    fn trouble(&self, bucket: &str, failures: u32, trouble: &Trouble) -> Duration {
        if failures > 1 {
            self.state.fails(bucket, trouble);
        }
        let ceiling = TROUBLE_BASE.saturating_mul(1 << (failures - 1).min(16)).min(TROUBLE_CAP);
        rand::random_range(ceiling / 2..=ceiling)
    }
}

impl<H: HandleDue> Bucket<'_, H> {
    /// Handles everything that is due now, page by page. Ends early when a dependency fails.
    async fn pass(&self, stop: &CancellationToken) -> Result<(), Trouble> {
        let shared = self.shared;
        let lag = jiff::SignedDuration::try_from(shared.settings.lag).unwrap_or_default();
        let cutoff = shared.clock.now().saturating_sub(lag).unwrap_or(jiff::Timestamp::MIN);
        let trouble = Mutex::new(None);
        let troubled = || trouble.lock().unwrap_or_else(PoisonError::into_inner);
        let mut start: Option<Item> = None;
        loop {
            let page = shared.table.page(self.name, cutoff, start, PAGE).await?;
            let items =
                stream::iter(page.keys).for_each_concurrent(shared.settings.concurrency, async |key| {
                    let Ok(_place) = shared.places.acquire().await else { return };
                    if stop.is_cancelled() || troubled().is_some() {
                        return;
                    }
                    let started = Instant::now();
                    if let Err(found) = self.item(&key, cutoff).await {
                        *troubled() = Some(found);
                    }
                    // Leaves the table and the processor to other handlers.
                    wait(shared.settings.pause(started.elapsed()), stop).await;
                });
            items.await;
            if let Some(found) = troubled().take() {
                return Err(found);
            }
            start = page.next;
            if start.is_none() || stop.is_cancelled() {
                return Ok(());
            }
        }
    }
}

async fn wait(pause: Duration, stop: &CancellationToken) {
    tokio::select! {
        () = stop.cancelled() => {}
        () = sleep(pause) => {}
    }
}
