//! One receive: permits first, then messages.

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::{Mutex, OwnedSemaphorePermit, Semaphore};
use tokio::time::{Instant, sleep};
use tokio_util::sync::CancellationToken;

use crate::queue::{Message, Queue, QueueError, Receive};

/// How long a receive waits for a second permit after its first. When all permits are taken they come free one at a
/// time, and each receive would ask for a single message.
const GATHER: Duration = Duration::from_millis(5);

/// How a poll ended.
pub(crate) enum Polled {
    /// Before it received: receiving was paused or stopped while it waited for permits.
    Stopped,
    /// With messages, or none. There is a permit for each message that was requested.
    Received { asked: usize, permits: OwnedSemaphorePermit, messages: Vec<Message>, took: Duration },
    /// With an error.
    Failed { error: QueueError, took: Duration },
}

/// Takes permits, up to `request.max`, then receives as many messages. `stop` ends it only while it has no receive in
/// flight: messages that are on their way would be lost until their visibility ends.
pub(crate) async fn poll<Q: Queue>(
    queue: Arc<Q>,
    permits: Arc<Permits>,
    request: Receive,
    stop: CancellationToken,
) -> Polled {
    let Some(Some(permits)) = stop.run_until_cancelled(permits.acquire(request.max)).await else {
        return Polled::Stopped;
    };
    let asked = permits.num_permits();
    let started = Instant::now();
    let received = queue.receive(Receive { max: asked, ..request }).await;
    let took = started.elapsed();
    match received {
        Ok(messages) => Polled::Received { asked, permits, messages, took },
        Err(error) => Polled::Failed { error, took },
    }
}

/// The permits, one for each message that may be in flight.
pub(crate) struct Permits {
    free: Arc<Semaphore>,
    /// Held while a poll gathers: if all polls waited at once, each would get one of the permits that come free.
    gathering: Mutex<()>,
}

impl Permits {
    pub(crate) fn new(permits: usize) -> Self {
        Self { free: Arc::new(Semaphore::new(permits)), gathering: Mutex::new(()) }
    }

    /// At least one permit and at most `most`.
    async fn acquire(&self, most: usize) -> Option<OwnedSemaphorePermit> {
        let _gathering = self.gathering.lock().await;
        let mut taken = Arc::clone(&self.free).acquire_owned().await.ok()?;
        self.take_free(&mut taken, most);
        if taken.num_permits() < most {
            sleep(GATHER).await;
            self.take_free(&mut taken, most);
        }
        Some(taken)
    }

    fn take_free(&self, taken: &mut OwnedSemaphorePermit, most: usize) {
        while taken.num_permits() < most
            && let Ok(another) = Arc::clone(&self.free).try_acquire_owned()
        {
            taken.merge(another);
        }
    }
}
