//! Handling one due item, from its read to its outcome.

use std::panic::AssertUnwindSafe;
use std::time::Duration;

use aws_clients::AwsError;
use futures_util::FutureExt as _;
use handlers::Committed;
use jiff::Timestamp;
use outcome::{Done, Failure};
use telemetry::hop::HopLine;
use tokio::time::{Instant, timeout};
use tracing::{Instrument as _, Level};

use crate::conclusion::{Conclusion, NO_LONGER_DUE, PARKED, RETRY};
use crate::due::{DUE_AT, DUE_BUCKET, Item, sortable};
use crate::retries::Retries;
use crate::shared::Shared;
use crate::state::Trouble;
use crate::trace::{SweepSpan, lateness};
use crate::{DueItem, HandleDue};

/// How long the handling of an item may take; shorter than a service's grace period.
const MAX_PROCESSING: Duration = Duration::from_secs(20);

/// The reason for an item whose time cannot be read.
const MALFORMED_DUE: &str = "malformed-due";
/// The reason for an item that was handled and is due as before.
const STILL_DUE: &str = "still-due";
const PANIC: &str = "panic";
const TIMEOUT: &str = "timeout";

/// One bucket, while it is held.
pub(crate) struct Bucket<'a, H> {
    pub(crate) shared: &'a Shared<H>,
    pub(crate) name: &'a str,
    pub(crate) retries: Retries,
}

impl<H: HandleDue> Bucket<'_, H> {
    /// Handles the item with this key if it was due before `cutoff` and it is time for another attempt.
    pub(crate) async fn item(&self, key: &str, cutoff: Timestamp) -> Result<(), Trouble> {
        let Some(attempt) = self.retries.attempt(key) else { return Ok(()) };
        let shared = self.shared;
        // The index is behind the table, so the item itself decides.
        let item = shared.table.item(key).await?;
        let Some(item) = item.filter(|item| self.is_due(item, cutoff)) else {
            self.retries.done(key);
            return Ok(());
        };
        let due = DueItem::read(&shared.settings.service, key, item, shared.clock.now());
        let kind = shared.handler.kind(key);
        let sweep = SweepSpan::start(&shared.settings.service, &shared.table.name, kind, &due, attempt);
        let span = sweep.span.clone();
        let conclusion = async {
            let started = Instant::now();
            let conclusion = self.conclude(&due).await;
            sweep.finish(&conclusion);
            shared.metrics.handled(kind, lateness(&due), &conclusion);
            log(kind, &due, attempt, started.elapsed(), &conclusion);
            conclusion
        }
        .instrument(span)
        .await;
        drop(sweep);
        if conclusion.outcome == RETRY {
            self.retries.failed(key, attempt, conclusion.retry_after);
        } else {
            self.retries.done(key);
        }
        match conclusion.dependency.filter(|_| conclusion.outcome == RETRY && conclusion.unavailable) {
            Some(dependency) => {
                Err(Trouble(format!("{dependency} {}", conclusion.reason.unwrap_or_default())))
            }
            None => Ok(()),
        }
    }

    fn is_due(&self, item: &Item, cutoff: Timestamp) -> bool {
        let text = |name: &str| item.get(name).and_then(|value| value.as_s().ok());
        text(DUE_BUCKET).is_some_and(|bucket| bucket == self.name)
            && text(DUE_AT).is_some_and(|at| *at < sortable(cutoff))
    }

    async fn conclude(&self, due: &DueItem) -> Conclusion {
        if !due.well_formed {
            return self.park(due, Failure::permanent(MALFORMED_DUE)).await;
        }
        match self.attempt(due).await {
            Ok(Committed::Done(done)) => Conclusion::done(done),
            Ok(Committed::Nothing) => Conclusion::done(Done::without_effect(NO_LONGER_DUE)),
            // By another task, or by an attempt whose answer was lost.
            Ok(Committed::Duplicate { .. }) => match self.read_again(due).await {
                Ok(None) => Conclusion::done(Done::DUPLICATE),
                Ok(Some(_)) => self.park(due, Failure::permanent(STILL_DUE)).await,
                Err(error) => Conclusion::retry(error.into()),
            },
            Err(failure) if failure.is_permanent() => self.park(due, failure).await,
            Err(failure) => Conclusion::retry(failure),
        }
    }

    /// Calls the handler and commits its effect.
    async fn attempt(&self, due: &DueItem) -> Result<Committed, Failure> {
        let shared = self.shared;
        let cause = due.cause(&shared.settings.service, shared.handler.kind(&due.key));
        let mut as_read = Some(due.clone());
        let decide = || {
            let known = as_read.take();
            async move {
                let due = match known {
                    Some(due) => Some(due),
                    None => self.read_again(due).await?,
                };
                match due {
                    Some(due) => shared.handler.handle(&due).await.map(Some),
                    None => Ok(None),
                }
            }
        };
        // Asserting unwind safety is sound: a half-done effect is one that was not written.
        let work = AssertUnwindSafe(shared.committer.commit(&cause, decide)).catch_unwind();
        match timeout(MAX_PROCESSING, work).await {
            Ok(Ok(result)) => result,
            Ok(Err(_)) => Err(Failure::transient(PANIC)),
            Err(_) => Err(Failure::transient(TIMEOUT)),
        }
    }

    /// Reads the item again; `None` if it is not due at the same time because of the same event any more.
    async fn read_again(&self, due: &DueItem) -> Result<Option<DueItem>, AwsError> {
        let shared = self.shared;
        let item = shared.table.item(&due.key).await?;
        let item = item.filter(|item| item.get(DUE_BUCKET) == due.item.get(DUE_BUCKET));
        let read =
            item.map(|item| DueItem::read(&shared.settings.service, &due.key, item, shared.clock.now()));
        Ok(read.filter(|read| read.well_formed && read.id == due.id))
    }

    async fn park(&self, due: &DueItem, failure: Failure) -> Conclusion {
        let parked = self.shared.table.park(&due.key, &due.item, failure.reason(), self.shared.clock.now());
        match parked.await {
            Ok(true) => Conclusion::parked(failure),
            Ok(false) => Conclusion::done(Done::without_effect(NO_LONGER_DUE)),
            Err(error) => Conclusion::retry(error.into()),
        }
    }
}

/// Writes the hop's line. Called inside the item's span, which supplies the trace id.
fn log(kind: &str, due: &DueItem, attempt: u32, took: Duration, conclusion: &Conclusion) {
    let millis = |duration: Duration| u64::try_from(duration.as_millis()).unwrap_or(u64::MAX);
    let line = HopLine {
        event_type: Some(kind),
        event_id: Some(due.id.to_string()),
        correlation_id: Some(due.correlation_id().to_string()),
        customer_number: due.origin.customer_number.as_deref(),
        item: Some(&due.key),
        attempt: Some(attempt),
        waiting_ms: Some(millis(lateness(due))),
        processing_ms: millis(took),
        outcome: conclusion.outcome,
        reason: conclusion.reason,
        dependency: conclusion.dependency,
        error: conclusion.detail.as_deref(),
        ..HopLine::default()
    };
    line.write(match conclusion.outcome {
        PARKED => Level::ERROR,
        RETRY => Level::WARN,
        _ => Level::INFO,
    });
}
