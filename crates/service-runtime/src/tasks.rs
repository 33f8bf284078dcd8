//! Background tasks that are essential to a service.

use std::panic::AssertUnwindSafe;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use futures_util::FutureExt as _;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;
use tracing::Instrument as _;

use crate::exit::BoxError;
use crate::health::Health;

/// Tasks that run beside the service until it ends. One that ends early, fails or panics ends the service: liveness
/// fails, shutdown begins, and the exit code is 70. Clones share them.
#[derive(Clone, Debug)]
pub struct Tasks {
    tracker: TaskTracker,
    shutdown: CancellationToken,
    health: Health,
    crashed: Arc<AtomicBool>,
}

impl Tasks {
    pub(crate) fn new(shutdown: CancellationToken, health: Health) -> Self {
        Self { tracker: TaskTracker::new(), shutdown, health, crashed: Arc::default() }
    }

    /// Starts a task. It must end with `Ok` after `shutdown` is cancelled; the service's drain waits for it.
    pub fn spawn<F>(&self, name: &'static str, task: F)
    where
        F: Future<Output = Result<(), BoxError>> + Send + 'static,
    {
        let tasks = self.clone();
        let supervised = async move {
            let problem = match AssertUnwindSafe(task).catch_unwind().await {
                Ok(Ok(())) if tasks.shutdown.is_cancelled() => return,
                Ok(Ok(())) => {
                    tracing::error!(task = name, "background task ended");
                    "ended"
                }
                Ok(Err(error)) => {
                    let error: &(dyn std::error::Error + 'static) = &*error;
                    tracing::error!(task = name, error, "background task failed");
                    "failed"
                }
                // The panic hook has logged the panic itself.
                Err(_) => {
                    tracing::error!(task = name, "background task panicked");
                    "panicked"
                }
            };
            tasks.crashed.store(true, Ordering::Release);
            tasks.health.failed(format!("task {name} {problem}"));
            tasks.shutdown.cancel();
        };
        self.tracker.spawn(supervised.in_current_span());
    }

    /// Returns whether a task has ended the service.
    pub(crate) fn crashed(&self) -> bool {
        self.crashed.load(Ordering::Acquire)
    }

    /// Waits until all tasks have ended.
    pub(crate) async fn ended(&self) {
        self.tracker.close();
        self.tracker.wait().await;
    }
}
