//! The callers' end of a publisher's queue.

use opentelemetry::metrics::Meter;
use telemetry::Departure;
use tokio::sync::mpsc;
use tokio::time::timeout_at;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;
use tracing::Span;

use crate::call::Call;
use crate::delivery::Delivery;
use crate::job::Job;
use crate::metrics::Metrics;
use crate::{PublishError, Published, PublisherSettings};

/// The callers' end of a queue. At the other end, one task fills batches and sends them ([`Delivery`]).
pub(crate) struct Batcher<C: Call> {
    queue: mpsc::Sender<Job<C::Entry>>,
    settings: PublisherSettings,
    metrics: Metrics,
    closing: CancellationToken,
    task: TaskTracker,
}

impl<C: Call> Clone for Batcher<C> {
    fn clone(&self) -> Self {
        Self {
            queue: self.queue.clone(),
            settings: self.settings.clone(),
            metrics: self.metrics.clone(),
            closing: self.closing.clone(),
            task: self.task.clone(),
        }
    }
}

impl<C: Call> Batcher<C> {
    /// Starts the batching task; requires a Tokio runtime. The task ends after [`Batcher::close`] or once the last
    /// clone is dropped, when it has sent all waiting entries.
    pub(crate) fn start(call: C, destination: &str, settings: PublisherSettings, meter: &Meter) -> Self {
        let (queue, waiting) = mpsc::channel(settings.queue.max(1));
        let metrics = Metrics::new(meter, destination);
        let (closing, task) = (CancellationToken::new(), TaskTracker::new());
        task.spawn(Delivery::new(call, settings.clone(), metrics.clone(), waiting, closing.clone()).run());
        Self { queue, settings, metrics, closing, task }
    }

    /// Publishes one entry of `size` bytes, after `announced`, and waits for its outcome. First it waits for room in the
    /// queue; from then on the entry is sent even if this future is dropped.
    pub(crate) async fn publish(
        &self,
        entry: C::Entry,
        size: usize,
        span: Span,
        announced: Option<Departure>,
    ) -> Result<Published, PublishError> {
        let (job, fate) = Job::new(entry, size, span, announced, self.settings.deadline);
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
        job.settle(Err(refusal.clone()), &self.metrics);
        Err(refusal)
    }

    /// Stops accepting entries, sends the waiting ones, and returns when the outcome of each is known.
    pub(crate) async fn close(self) {
        self.closing.cancel();
        self.task.close();
        self.task.wait().await;
    }
}
