//! Batches: lines wait together until there are enough of them, or the first has waited long enough.

use std::collections::BTreeMap;
use std::future::pending;
use std::sync::Arc;
use std::time::Duration;

use aws_clients::AwsError;
use jiff::Timestamp;
use thiserror::Error;
use tokio::sync::{mpsc, oneshot};
use tokio::task::{JoinSet, spawn_blocking};
use tokio::time::{Instant, sleep_until};
use tokio_util::sync::CancellationToken;
use tracing::Span;

use crate::bucket::{Object, Store, pack};
use crate::domain::prefix;
use crate::metrics::Metrics;

/// When a batch is stored.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct BatchSettings {
    /// How long its first line waits at most. `ARCHIVE_BATCH_AGE_MS`, 2,000.
    pub(crate) age: Duration,
    /// The bytes of its lines. `ARCHIVE_BATCH_BYTES`, 4,194,304.
    pub(crate) bytes: usize,
    /// The number of its lines: half of the messages that may be in flight, so that one batch fills while another is stored.
    pub(crate) events: usize,
}

/// Why a line is not stored.
#[derive(Clone, Debug, Error)]
pub(crate) enum StoreError {
    /// S3 did not answer, or refused.
    #[error(transparent)]
    Aws(#[from] AwsError),
    /// The batch ended before it was stored: the process shuts down, or there is a fault in this service.
    #[error("the batch ended before it was stored")]
    Lost,
}

/// The way into the batches. Clones share them.
#[derive(Clone, Debug)]
pub(crate) struct Batches {
    lines: mpsc::Sender<Waiting>,
}

/// A line that waits for its object, with the message's span.
#[derive(Debug)]
struct Waiting {
    prefix: String,
    line: String,
    span: Span,
    stored: oneshot::Sender<Result<(), StoreError>>,
}

impl Batches {
    /// Creates the batches, and the future that stores them. It ends when every clone has been dropped and what was in them is
    /// stored. Once `closing` is cancelled nothing waits for more.
    pub(crate) fn new<S: Store>(
        store: S,
        settings: BatchSettings,
        metrics: Metrics,
        closing: CancellationToken,
    ) -> (Self, impl Future<Output = ()> + Send + 'static) {
        let (sender, lines) = mpsc::channel(settings.events.max(1));
        let collector = Collector {
            store: Arc::new(store),
            settings,
            metrics,
            closing,
            batch: Batch::default(),
            stores: JoinSet::new(),
        };
        (Self { lines: sender }, collector.run(lines))
    }

    /// Returns when the object with this line is stored. The line is traced as a part of the current span.
    pub(crate) async fn store(&self, published_at: Timestamp, line: String) -> Result<(), StoreError> {
        let (stored, result) = oneshot::channel();
        let waiting = Waiting { prefix: prefix(published_at), line, span: Span::current(), stored };
        self.lines.send(waiting).await.map_err(|_| StoreError::Lost)?;
        result.await.map_err(|_| StoreError::Lost)?
    }
}

/// The lines that wait.
#[derive(Debug, Default)]
struct Batch {
    /// By the prefix of their objects: mostly one.
    lines: BTreeMap<String, Vec<Waiting>>,
    events: usize,
    bytes: usize,
    since: Option<Instant>,
}

impl Batch {
    fn push(&mut self, waiting: Waiting) {
        self.since.get_or_insert_with(Instant::now);
        self.events += 1;
        self.bytes += waiting.line.len();
        self.lines.entry(waiting.prefix.clone()).or_default().push(waiting);
    }
}

struct Collector<S> {
    store: Arc<S>,
    settings: BatchSettings,
    metrics: Metrics,
    closing: CancellationToken,
    batch: Batch,
    stores: JoinSet<()>,
}

impl<S: Store> Collector<S> {
    async fn run(mut self, mut lines: mpsc::Receiver<Waiting>) {
        loop {
            let due = self.batch.since.map(|since| since + self.settings.age);
            tokio::select! {
                // Lines first, so that a batch whose time has come takes those that are there already.
                biased;
                line = lines.recv() => match line {
                    Some(line) => self.batch.push(line),
                    None => break,
                },
                () = until(due) => self.flush(),
                () = self.closing.cancelled(), if self.batch.events > 0 => self.flush(),
                Some(_) = self.stores.join_next() => {}
            }
            if self.batch.events >= self.settings.events || self.batch.bytes >= self.settings.bytes {
                self.flush();
            }
        }
        self.flush();
        while self.stores.join_next().await.is_some() {}
    }

    fn flush(&mut self) {
        for (prefix, lines) in std::mem::take(&mut self.batch).lines {
            self.stores.spawn(store(Arc::clone(&self.store), self.metrics.clone(), prefix, lines));
        }
    }
}

async fn until(due: Option<Instant>) {
    match due {
        Some(due) => sleep_until(due).await,
        None => pending().await,
    }
}

/// Stores one object and says so to everybody who waits for it.
async fn store<S: Store>(store: Arc<S>, metrics: Metrics, prefix: String, waiting: Vec<Waiting>) {
    let packed = spawn_blocking(move || {
        let packed = pack(&prefix, waiting.iter().map(|waiting| waiting.line.as_str()));
        let (spans, stored): (Vec<_>, Vec<_>) =
            waiting.into_iter().map(|waiting| (waiting.span, waiting.stored)).unzip();
        (packed, spans, stored)
    });
    // Whoever waits learns that the line is lost when its end is dropped.
    let Ok((Ok((key, body)), spans, stored)) = packed.await else { return };
    let bytes = body.len();
    let result = store.store(Object { key, body, spans }).await;
    if result.is_ok() {
        metrics.stored(stored.len(), bytes);
    }
    for stored in stored {
        // A handler that was cut off does not wait any more; its message is delivered and stored again.
        drop(stored.send(result.clone().map_err(StoreError::from)));
    }
}
