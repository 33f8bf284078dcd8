//! Settles messages in batches. What a message holds, its permit above all, goes along and is freed when it is settled.

use std::future::Future;
use std::sync::Arc;
use std::time::Duration;

use rand::rngs::StdRng;
use telemetry::Departures;
use tokio::sync::{Semaphore, mpsc};
use tokio::task::JoinSet;
use tokio::time::{Instant, sleep, timeout_at};

use crate::held::Held;
use crate::metrics::Metrics;
use crate::queue::{MAX_BATCH, Queue, QueueError, Receipt, Rejected, VisibilityChange};
use crate::settings::SettleSettings;

/// One kind of batched call.
pub(crate) trait BatchCall: Send + Sync + 'static {
    /// The entry for one message.
    type Entry: Send + Sync + 'static;

    /// The operation's name in metrics.
    const OPERATION: &'static str;

    /// Makes the call for at most [`MAX_BATCH`] entries.
    fn call(&self, entries: &[Self::Entry])
    -> impl Future<Output = Result<Vec<Rejected>, QueueError>> + Send;

    /// Logs what follows from an entry that was not settled after all attempts.
    fn failed(&self, entry: &Self::Entry, code: &str);
}

/// Deletes messages, whose log lines are written before.
pub(crate) struct Delete<Q>(pub(crate) Arc<Q>, pub(crate) Departures);

impl<Q: Queue> BatchCall for Delete<Q> {
    type Entry = Receipt;
    const OPERATION: &'static str = "delete";

    async fn call(&self, entries: &[Receipt]) -> Result<Vec<Rejected>, QueueError> {
        self.1.write_lines();
        self.0.delete(entries).await
    }

    fn failed(&self, entry: &Receipt, code: &str) {
        tracing::error!(
            message_id = entry.message_id(),
            error = code,
            "message settled but not deleted: it will be redelivered when its visibility timeout ends"
        );
    }
}

/// Changes when messages become visible again.
pub(crate) struct ChangeVisibility<Q>(pub(crate) Arc<Q>);

impl<Q: Queue> BatchCall for ChangeVisibility<Q> {
    type Entry = VisibilityChange;
    const OPERATION: &'static str = "change_visibility";

    async fn call(&self, entries: &[VisibilityChange]) -> Result<Vec<Rejected>, QueueError> {
        self.0.change_visibility(entries).await
    }

    fn failed(&self, entry: &VisibilityChange, code: &str) {
        tracing::warn!(
            message_id = entry.receipt.message_id(),
            error = code,
            delay_s = entry.timeout.as_secs(),
            "visibility not changed: the message becomes visible when its visibility timeout ends instead"
        );
    }
}

/// An entry that waits, with what is freed when it is settled.
type Waiting<C> = (<C as BatchCall>::Entry, Held);

/// A handle that submits entries.
pub(crate) struct Batcher<C: BatchCall> {
    entries: mpsc::UnboundedSender<Vec<Waiting<C>>>,
    calls: Arc<Calls<C>>,
}

/// The calls in flight.
struct Calls<C> {
    call: C,
    settings: SettleSettings,
    metrics: Metrics,
    /// A permit for each call that may be in flight. It is never closed.
    free: Arc<Semaphore>,
}

impl<C: BatchCall> Batcher<C> {
    /// Creates the handle, and the task that the caller has to run for it. The task ends when the handle is dropped and
    /// every submitted entry is settled.
    pub(crate) fn new(
        call: C,
        settings: SettleSettings,
        metrics: Metrics,
    ) -> (Self, impl Future<Output = ()> + Send) {
        // Each entry is a message in flight, of which there are no more than permits.
        let (entries, waiting) = mpsc::unbounded_channel();
        let calls = Calls { call, settings, metrics, free: Arc::new(Semaphore::new(settings.concurrency)) };
        let calls = Arc::new(calls);
        (Self { entries, calls: Arc::clone(&calls) }, run(calls, waiting))
    }

    /// Has messages settled. What each holds is dropped when the queue has confirmed it or every attempt has failed. A full
    /// batch needs no others, and is settled within this call.
    pub(crate) async fn settle(&self, entries: Vec<Waiting<C>>) {
        match entries.len() {
            0 => {}
            MAX_BATCH => {
                let _permit = self.calls.free.acquire().await;
                self.calls.settle(entries).await;
            }
            _ => self.submit(entries),
        }
    }

    /// Has messages settled together with others.
    pub(crate) fn submit(&self, entries: Vec<Waiting<C>>) {
        // Without the task the consumer has ended, and with it everything that its messages held.
        drop(self.entries.send(entries));
    }
}

async fn run<C: BatchCall>(calls: Arc<Calls<C>>, mut waiting: mpsc::UnboundedReceiver<Vec<Waiting<C>>>) {
    let mut in_flight = JoinSet::new();
    let mut gathered = Vec::new();
    loop {
        if gathered.is_empty() {
            let Some(first) = waiting.recv().await else { break };
            gathered = first;
        }
        fill(&mut gathered, &mut waiting, calls.settings.linger).await;
        let rest = gathered.split_off(gathered.len().min(MAX_BATCH));
        let batch = std::mem::replace(&mut gathered, rest);
        while in_flight.try_join_next().is_some() {}
        let permit = Arc::clone(&calls.free).acquire_owned().await;
        let calls = Arc::clone(&calls);
        in_flight.spawn(async move {
            let _permit = permit;
            calls.settle(batch).await;
        });
    }
    while in_flight.join_next().await.is_some() {}
}

/// Collects entries until they fill a batch or `linger` has passed.
async fn fill<T>(gathered: &mut Vec<T>, waiting: &mut mpsc::UnboundedReceiver<Vec<T>>, linger: Duration) {
    let until = Instant::now() + linger;
    while gathered.len() < MAX_BATCH {
        match timeout_at(until, waiting.recv()).await {
            Ok(Some(more)) => gathered.extend(more),
            Ok(None) | Err(_) => break,
        }
    }
}

impl<C: BatchCall> Calls<C> {
    /// Makes the call and repeats it for the entries that failed, until each is settled or has used up its attempts.
    async fn settle(&self, batch: Vec<Waiting<C>>) {
        let Self { call, settings, metrics, .. } = self;
        let (mut entries, mut held): (Vec<_>, Vec<_>) = batch.into_iter().unzip();
        for attempt in 1.. {
            let started = Instant::now();
            let result = call.call(&entries).await;
            let code = result.as_ref().err().map(|error| error.code.as_str());
            metrics.call(C::OPERATION, started.elapsed(), code);
            let verdicts = match result {
                Ok(rejected) if rejected.is_empty() => return Held::free_all(held),
                result => verdicts(result, entries.len()),
            };
            let last = attempt >= settings.attempts;
            let mut again = (Vec::new(), Vec::new());
            for ((entry, held), verdict) in entries.into_iter().zip(held).zip(verdicts) {
                match verdict {
                    Verdict::Settled => {}
                    Verdict::Retry { .. } if !last => {
                        again.0.push(entry);
                        again.1.push(held);
                    }
                    Verdict::Retry { code } | Verdict::Refused { code } => {
                        metrics.unsettled(C::OPERATION, &code);
                        call.failed(&entry, &code);
                    }
                }
            }
            (entries, held) = again;
            if entries.is_empty() {
                return;
            }
            let pause = settings.backoff.pause(attempt, &mut rand::make_rng::<StdRng>());
            sleep(pause).await;
        }
    }
}

enum Verdict {
    Settled,
    Retry { code: String },
    Refused { code: String },
}

fn verdicts(result: Result<Vec<Rejected>, QueueError>, entries: usize) -> Vec<Verdict> {
    match result {
        Err(error) => (0..entries).map(|_| Verdict::Retry { code: error.code.clone() }).collect(),
        Ok(rejected) => {
            let mut verdicts: Vec<_> = (0..entries).map(|_| Verdict::Settled).collect();
            for Rejected { index, code, sender_fault } in rejected {
                if let Some(verdict) = verdicts.get_mut(index) {
                    *verdict = if sender_fault { Verdict::Refused { code } } else { Verdict::Retry { code } };
                }
            }
            verdicts
        }
    }
}
