//! Sends the events of a history to ingest, each until it is accepted, as a producer does.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use futures_util::StreamExt as _;
use tokio::time::Instant;

use super::customer::Sent;
use crate::ingest_client::{Answer, IngestClient};

/// Requests in flight at a time.
const REQUESTS: usize = 8;
/// Events of a request.
const BATCH: usize = 5;
/// The pause before a request is repeated.
const PAUSE: Duration = Duration::from_millis(200);
/// How long an event is sent again.
const PATIENCE: Duration = Duration::from_mins(2);

/// The progress of a burst.
#[derive(Debug, Default)]
pub(super) struct Progress {
    accepted: AtomicUsize,
}

impl Progress {
    /// Waits until `count` events have been accepted.
    pub(super) async fn reached(&self, count: usize) {
        while self.accepted.load(Ordering::Relaxed) < count {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    }
}

/// Sends all events; returns how many were not accepted within the limit.
pub(super) async fn send(ingest: &IngestClient, events: &[Sent], progress: &Progress) -> usize {
    let deadline = Instant::now() + PATIENCE;
    let batches = futures_util::stream::iter(events.chunks(BATCH));
    let left = batches
        .map(|batch| async move {
            let left = send_batch(ingest, batch, progress, deadline).await;
            // Nobody waits for what is given up.
            progress.accepted.fetch_add(left, Ordering::Relaxed);
            left
        })
        .buffer_unordered(REQUESTS);
    left.fold(0, async |all, left| all + left).await
}

async fn send_batch(ingest: &IngestClient, batch: &[Sent], progress: &Progress, deadline: Instant) -> usize {
    let mut left: Vec<_> = batch.iter().map(|event| event.json.clone()).collect();
    while !left.is_empty() && Instant::now() < deadline {
        // Without an answer, none counts as accepted.
        if let Ok(answers) = ingest.post_list(&left).await {
            let before = left.len();
            let mut answers = answers.iter();
            left.retain(|_| !matches!(answers.next(), Some(Answer::Accepted { .. })));
            progress.accepted.fetch_add(before - left.len(), Ordering::Relaxed);
        }
        if !left.is_empty() {
            tokio::time::sleep(PAUSE).await;
        }
    }
    left.len()
}
