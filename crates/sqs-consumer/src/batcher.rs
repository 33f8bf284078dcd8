//! Settles messages in batches: each task submits one entry and receives the result for that entry.

use std::future::Future;
use std::sync::Arc;
use std::time::Duration;

use rand::rngs::StdRng;
use tokio::sync::{mpsc, oneshot};
use tokio::task::JoinSet;
use tokio::time::{Instant, sleep, timeout_at};

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
}

/// Deletes messages.
pub(crate) struct Delete<Q>(pub(crate) Arc<Q>);

impl<Q: Queue> BatchCall for Delete<Q> {
    type Entry = Receipt;
    const OPERATION: &'static str = "delete";

    async fn call(&self, entries: &[Receipt]) -> Result<Vec<Rejected>, QueueError> {
        self.0.delete(entries).await
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
}

/// The error of an entry that was not settled after all attempts.
#[derive(Debug, thiserror::Error)]
#[error("{code}")]
pub(crate) struct Unsettled {
    pub(crate) code: String,
}

struct Waiting<E> {
    entry: E,
    reply: oneshot::Sender<Result<(), Unsettled>>,
}

/// A handle that submits entries to the batching task.
pub(crate) struct Batcher<E> {
    entries: mpsc::Sender<Waiting<E>>,
}

impl<E: Send + Sync + 'static> Batcher<E> {
    /// Creates the handle, and the task that the caller has to run for it. The task ends when the handle is dropped and
    /// every submitted entry is settled.
    pub(crate) fn new<C: BatchCall<Entry = E>>(
        call: C,
        settings: SettleSettings,
        metrics: Metrics,
    ) -> (Self, impl Future<Output = ()> + Send) {
        // Callers wait for their entry's result, so there are never more entries than messages in flight.
        let (entries, waiting) = mpsc::channel(MAX_BATCH * settings.concurrency);
        (Self { entries }, run(Arc::new(call), waiting, settings, metrics))
    }

    /// Settles one message. Returns when the queue has confirmed it or every attempt has failed.
    pub(crate) async fn settle(&self, entry: E) -> Result<(), Unsettled> {
        let (reply, answer) = oneshot::channel();
        let stopped = || Unsettled { code: "stopped".to_owned() };
        self.entries.send(Waiting { entry, reply }).await.map_err(|_| stopped())?;
        answer.await.unwrap_or_else(|_| Err(stopped()))
    }
}

async fn run<C: BatchCall>(
    call: Arc<C>,
    mut waiting: mpsc::Receiver<Waiting<C::Entry>>,
    settings: SettleSettings,
    metrics: Metrics,
) {
    let mut calls = JoinSet::new();
    while let Some(first) = waiting.recv().await {
        let batch = fill(first, &mut waiting, settings.linger).await;
        while calls.try_join_next().is_some() {}
        if calls.len() >= settings.concurrency {
            calls.join_next().await;
        }
        calls.spawn(settle(Arc::clone(&call), batch, settings, metrics.clone()));
    }
    while calls.join_next().await.is_some() {}
}

/// Collects entries until the batch is full or `linger` has passed.
async fn fill<E>(
    first: Waiting<E>,
    waiting: &mut mpsc::Receiver<Waiting<E>>,
    linger: Duration,
) -> Vec<Waiting<E>> {
    let mut batch = Vec::with_capacity(MAX_BATCH);
    batch.push(first);
    let until = Instant::now() + linger;
    while batch.len() < MAX_BATCH {
        match timeout_at(until, waiting.recv()).await {
            Ok(Some(next)) => batch.push(next),
            Ok(None) | Err(_) => break,
        }
    }
    batch
}

/// Makes the call and repeats it for the entries that failed, until each is settled or has used up its attempts.
async fn settle<C: BatchCall>(
    call: Arc<C>,
    batch: Vec<Waiting<C::Entry>>,
    settings: SettleSettings,
    metrics: Metrics,
) {
    let mut rng: StdRng = rand::make_rng();
    let (mut entries, mut replies): (Vec<_>, Vec<_>) =
        batch.into_iter().map(|waiting| (waiting.entry, waiting.reply)).unzip();
    for attempt in 1.. {
        let started = Instant::now();
        let result = call.call(&entries).await;
        let failed = result.as_ref().err().map(|error| error.code.as_str());
        metrics.call(C::OPERATION, started.elapsed(), failed);

        let mut verdicts = verdicts(result, entries.len());
        let last = attempt >= settings.attempts;
        let mut retried = (Vec::new(), Vec::new());
        for ((entry, reply), verdict) in entries.into_iter().zip(replies).zip(verdicts.drain(..)) {
            match verdict {
                Verdict::Retry { .. } if !last => {
                    retried.0.push(entry);
                    retried.1.push(reply);
                }
                Verdict::Settled => answer(reply, Ok(())),
                Verdict::Retry { code } | Verdict::Refused { code } => answer(reply, Err(Unsettled { code })),
            }
        }
        (entries, replies) = retried;
        if entries.is_empty() {
            return;
        }
        sleep(settings.backoff.pause(attempt, &mut rng)).await;
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

fn answer(reply: oneshot::Sender<Result<(), Unsettled>>, result: Result<(), Unsettled>) {
    // The receiver may be gone if the message's task was aborted during shutdown.
    drop(reply.send(result));
}
