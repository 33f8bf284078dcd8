//! Coalesces the entries of concurrent callers into full calls.

use std::sync::Arc;

use opentelemetry::metrics::Meter;
use tokio::sync::{OwnedSemaphorePermit, Semaphore, mpsc};
use tokio::time::{sleep, timeout_at};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;
use tracing::Span;

use crate::call::Call;
use crate::delivery::Delivery;
use crate::job::Job;
use crate::metrics::Metrics;
use crate::{PublishError, Published, PublisherSettings};

/// The callers' end of a queue. At the other end, one task fills batches and passes them to [`Delivery`].
pub(crate) struct Batcher<C: Call> {
    queue: mpsc::Sender<Job<C::Entry>>,
    delivery: Arc<Delivery<C>>,
    closing: CancellationToken,
}

impl<C: Call> Clone for Batcher<C> {
    fn clone(&self) -> Self {
        Self {
            queue: self.queue.clone(),
            delivery: Arc::clone(&self.delivery),
            closing: self.closing.clone(),
        }
    }
}

impl<C: Call> Batcher<C> {
    /// Starts the batching task; requires a Tokio runtime. The task ends after [`Batcher::close`] or once the last
    /// clone is dropped, when it has sent all waiting entries.
    pub(crate) fn start(call: C, destination: &str, settings: PublisherSettings, meter: &Meter) -> Self {
        let (queue, waiting) = mpsc::channel(settings.queue.max(1));
        let delivery = Arc::new(Delivery {
            call,
            permits: Arc::new(Semaphore::new(settings.concurrent_calls.max(1))),
            metrics: Metrics::new(meter, destination),
            tasks: TaskTracker::new(),
            settings,
        });
        let closing = CancellationToken::new();
        let filling = Filling {
            queue: waiting,
            carried: None,
            delivery: Arc::clone(&delivery),
            closing: closing.clone(),
        };
        delivery.tasks.spawn(filling.run());
        Self { queue, delivery, closing }
    }

    /// Publishes one entry of `size` bytes and waits for its outcome. First it waits for room in the queue; from then
    /// on the entry is sent even if this future is dropped.
    pub(crate) async fn publish(
        &self,
        entry: C::Entry,
        size: usize,
        span: Span,
    ) -> Result<Published, PublishError> {
        let (job, fate) = Job::new(entry, size, span, self.delivery.settings.deadline);
        let refusal = if size > C::MAX_BYTES {
            PublishError::TooLarge { size, limit: C::MAX_BYTES }
        } else {
            match timeout_at(job.deadline, self.queue.reserve()).await {
                Ok(Ok(room)) => {
                    room.send(job);
                    return fate.await.unwrap_or(Err(PublishError::Interrupted));
                }
                Ok(Err(_)) => PublishError::Closed,
                Err(_) => PublishError::QueueFull { service: C::SERVICE },
            }
        };
        job.settle(Err(refusal.clone()), &self.delivery.metrics);
        Err(refusal)
    }

    /// Stops accepting entries, sends the waiting ones, and returns when the outcome of each is known.
    pub(crate) async fn close(self) {
        self.closing.cancel();
        self.delivery.tasks.close();
        self.delivery.tasks.wait().await;
    }
}

/// The batching task's end of the queue.
struct Filling<C: Call> {
    queue: mpsc::Receiver<Job<C::Entry>>,
    /// The entry that did not fit into the last batch: it becomes the first of the next one.
    carried: Option<Job<C::Entry>>,
    delivery: Arc<Delivery<C>>,
    closing: CancellationToken,
}

impl<C: Call> Filling<C> {
    async fn run(mut self) {
        while let Some(first) = self.first().await {
            let (batch, permit) = self.fill(first).await;
            self.delivery.start_grouped(batch, permit);
        }
    }

    async fn first(&mut self) -> Option<Job<C::Entry>> {
        if let Some(job) = self.carried.take() {
            return Some(job);
        }
        loop {
            tokio::select! {
                biased;
                () = self.closing.cancelled(), if !self.queue.is_closed() => self.queue.close(),
                job = self.queue.recv() => return job,
            }
        }
    }

    /// Fills a batch with the entries that arrive while the first one lingers, and then until a call may start. Under
    /// load, waiting for a permit thus makes batches fuller instead of more numerous.
    async fn fill(&mut self, first: Job<C::Entry>) -> (Vec<Job<C::Entry>>, Option<OwnedSemaphorePermit>) {
        let lingering = sleep(self.delivery.settings.linger);
        let permitted = Arc::clone(&self.delivery.permits).acquire_owned();
        tokio::pin!(lingering, permitted);
        let (mut lingered, mut drained, mut bytes) = (false, false, first.size);
        let mut batch = Vec::with_capacity(C::MAX_ENTRIES);
        batch.push(first);
        while batch.len() < C::MAX_ENTRIES {
            tokio::select! {
                biased;
                () = self.closing.cancelled(), if !self.queue.is_closed() => self.queue.close(),
                job = self.queue.recv(), if !drained => match job {
                    Some(job) if bytes + job.size > C::MAX_BYTES => {
                        self.carried = Some(job);
                        break;
                    }
                    Some(job) => {
                        bytes += job.size;
                        batch.push(job);
                    }
                    None => (drained, lingered) = (true, true),
                },
                () = &mut lingering, if !lingered => lingered = true,
                permit = &mut permitted, if lingered => return (batch, permit.ok()),
            }
        }
        (batch, permitted.await.ok())
    }
}
