//! Settles messages in batches. Whoever submits an entry does not wait for it: what the message holds, its permit above all,
//! goes along and is freed when it is settled.

use std::future::Future;
use std::sync::Arc;
use std::time::Duration;

use rand::rngs::StdRng;
use telemetry::Departures;
use tokio::sync::mpsc;
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
type Waiting<E> = (E, Held);

/// A handle that submits entries to the batching task.
pub(crate) struct Batcher<E> {
    entries: mpsc::UnboundedSender<Waiting<E>>,
}

impl<E: Send + Sync + 'static> Batcher<E> {
    /// Creates the handle, and the task that the caller has to run for it. The task ends when the handle is dropped and
    /// every submitted entry is settled.
    pub(crate) fn new<C: BatchCall<Entry = E>>(
        call: C,
        settings: SettleSettings,
        metrics: Metrics,
    ) -> (Self, impl Future<Output = ()> + Send) {
        // Each entry is a message in flight, of which there are no more than permits.
        let (entries, waiting) = mpsc::unbounded_channel();
        (Self { entries }, run(Arc::new(call), waiting, settings, metrics))
    }

    /// Settles one message. What it holds is dropped when the queue has confirmed it or every attempt has failed.
    pub(crate) fn settle(&self, entry: E, held: Held) {
        // Without the task the consumer has ended, and with it everything that its messages held.
        drop(self.entries.send((entry, held)));
    }
}

async fn run<C: BatchCall>(
    call: Arc<C>,
    mut waiting: mpsc::UnboundedReceiver<Waiting<C::Entry>>,
    settings: SettleSettings,
    metrics: Metrics,
) {
    let mut calls = JoinSet::new();
    let mut batch = Vec::with_capacity(MAX_BATCH);
    while waiting.recv_many(&mut batch, MAX_BATCH).await > 0 {
        fill(&mut batch, &mut waiting, settings.linger).await;
        while calls.try_join_next().is_some() {}
        if calls.len() >= settings.concurrency {
            calls.join_next().await;
        }
        let batch = std::mem::replace(&mut batch, Vec::with_capacity(MAX_BATCH));
        calls.spawn(settle(Arc::clone(&call), batch, settings, metrics.clone()));
    }
    while calls.join_next().await.is_some() {}
}

/// Collects entries until the batch is full or `linger` has passed.
async fn fill<T>(batch: &mut Vec<T>, waiting: &mut mpsc::UnboundedReceiver<T>, linger: Duration) {
    let until = Instant::now() + linger;
    while batch.len() < MAX_BATCH {
        let room = MAX_BATCH - batch.len();
        match timeout_at(until, waiting.recv_many(batch, room)).await {
            Ok(1..) => {}
            Ok(0) | Err(_) => break,
        }
    }
}

/// Makes the call and repeats it for the entries that failed, until each is settled or has used up its attempts.
async fn settle<C: BatchCall>(
    call: Arc<C>,
    batch: Vec<Waiting<C::Entry>>,
    settings: SettleSettings,
    metrics: Metrics,
) {
    let (mut entries, mut held): (Vec<_>, Vec<_>) = batch.into_iter().unzip();
    for attempt in 1.. {
        let started = Instant::now();
        let result = call.call(&entries).await;
        metrics.call(C::OPERATION, started.elapsed(), result.as_ref().err().map(|error| error.code.as_str()));
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
