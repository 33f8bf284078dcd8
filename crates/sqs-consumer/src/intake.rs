//! One receive: permits first, then messages.

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::{Mutex, OwnedSemaphorePermit, Semaphore};
use tokio::time::{Instant, timeout};
use tokio_util::sync::CancellationToken;

use crate::queue::{Message, Queue, QueueError, Receive};

/// How long a poll waits for more permits after its first, unless there are enough before. When all permits are taken they
/// become free a few at a time, and each receive would fetch as few messages.
const GATHER: Duration = Duration::from_millis(5);

/// How a poll ended.
pub(crate) enum Polled {
    /// Before its receive: receiving was paused or stopped while the poll waited for permits.
    Stopped,
    /// With messages, or without any. There is a permit for each message that was requested.
    Received { requested: usize, permits: OwnedSemaphorePermit, messages: Vec<Message>, took: Duration },
    /// With an error.
    Failed { error: QueueError, took: Duration },
}

/// Takes up to `request.max` permits, then receives at most as many messages. `stop` ends the poll only while it waits
/// for permits: a receive in flight is never dropped, because its messages would stay invisible until their visibility
/// timeout ends.
pub(crate) async fn poll<Q: Queue>(
    queue: Arc<Q>,
    permits: Arc<Permits>,
    request: Receive,
    stop: CancellationToken,
) -> Polled {
    let Some(Some(permits)) = stop.run_until_cancelled(permits.acquire(request.max)).await else {
        return Polled::Stopped;
    };
    let requested = permits.num_permits();
    let started = Instant::now();
    let received = queue.receive(Receive { max: requested, ..request }).await;
    let took = started.elapsed();
    match received {
        Ok(messages) => Polled::Received { requested, permits, messages, took },
        Err(error) => Polled::Failed { error, took },
    }
}

/// The permits, one for each message that may be in flight.
pub(crate) struct Permits {
    free: Arc<Semaphore>,
    /// Held while a poll gathers permits: if all polls waited at once, each would get one of the permits that become
    /// free.
    gathering: Mutex<()>,
}

impl Permits {
    pub(crate) fn new(permits: usize) -> Self {
        Self { free: Arc::new(Semaphore::new(permits)), gathering: Mutex::new(()) }
    }

    /// Takes at least one permit and at most `most`.
    async fn acquire(&self, most: usize) -> Option<OwnedSemaphorePermit> {
        let _gathering = self.gathering.lock().await;
        let mut taken = Arc::clone(&self.free).acquire_owned().await.ok()?;
        self.take_free(&mut taken, most);
        let missing = missing(&taken, most);
        if missing > 0 {
            match timeout(GATHER, Arc::clone(&self.free).acquire_many_owned(missing)).await {
                Ok(rest) => taken.merge(rest.ok()?),
                Err(_) => self.take_free(&mut taken, most),
            }
        }
        Some(taken)
    }

    fn take_free(&self, taken: &mut OwnedSemaphorePermit, most: usize) {
        let free = u32::try_from(self.free.available_permits()).unwrap_or(u32::MAX);
        let wanted = missing(taken, most).min(free);
        if let Ok(more) = Arc::clone(&self.free).try_acquire_many_owned(wanted) {
            taken.merge(more);
        }
    }
}

fn missing(taken: &OwnedSemaphorePermit, most: usize) -> u32 {
    u32::try_from(most.saturating_sub(taken.num_permits())).unwrap_or(u32::MAX)
}
