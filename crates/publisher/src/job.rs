//! A pending entry, with the caller that waits for its outcome.

use std::time::Duration;

use aws_clients::{AwsError, ErrorClass};
use telemetry::Departure;
use tokio::sync::oneshot;
use tokio::time::Instant;
use tracing::Span;

use crate::call::{Answer, LastCall};
use crate::metrics::Metrics;
use crate::span;
use crate::{PublishError, Published};

/// A pending entry, with the caller that waits for its outcome.
///
/// It owns the PRODUCER span of its entry: the span ends when the entry's outcome is known, even if the caller is no
/// longer waiting.
pub(crate) struct Job<E> {
    pub(crate) entry: E,
    pub(crate) size: usize,
    pub(crate) deadline: Instant,
    attempts: u32,
    last_error: Option<AwsError>,
    started: Instant,
    last_call: LastCall,
    span: Span,
    /// The departure of copies of the span and its parent.
    announced: Option<Departure>,
    reply: oneshot::Sender<Result<Published, PublishError>>,
}

/// The caller's end, which resolves to the entry's outcome.
pub(crate) type Fate = oneshot::Receiver<Result<Published, PublishError>>;

impl<E> Job<E> {
    pub(crate) fn new(
        entry: E,
        size: usize,
        span: Span,
        announced: Option<Departure>,
        lifetime: Duration,
    ) -> (Self, Fate) {
        let (reply, fate) = oneshot::channel();
        let started = Instant::now();
        let last_call = LastCall::default();
        let deadline = started + lifetime;
        let (attempts, last_error) = (0, None);
        let job =
            Self { entry, size, deadline, attempts, last_error, started, last_call, span, announced, reply };
        (job, fate)
    }

    /// Waits until the copies of its span and the parent have left, if there are any.
    pub(crate) async fn announced(&self) {
        if let Some(departure) = &self.announced {
            departure.wait().await;
        }
    }

    /// Returns how many times the entry was sent.
    pub(crate) fn attempts(&self) -> u32 {
        self.attempts
    }

    /// Returns the error because of which the entry is to be resent.
    pub(crate) fn last_error(&self) -> Option<&AwsError> {
        self.last_error.as_ref()
    }

    /// Keeps the error because of which the entry is to be resent.
    pub(crate) fn keep(&mut self, error: &AwsError) {
        self.last_error = Some(error.clone());
    }

    /// Records the call that has just carried the entry, together with `entries - 1` others.
    pub(crate) fn carried(&mut self, answer: &Answer, entries: usize) {
        self.attempts += 1;
        self.last_call =
            LastCall { request_id: answer.request_id.clone(), status: answer.status, entries, failed: None };
    }

    /// Settles an entry that the service accepted under `id`.
    pub(crate) fn accepted(self, id: String, metrics: &Metrics) {
        self.settle(Ok(Published { id }), metrics);
    }

    /// Settles an entry that failed for good: with a permanent failure, or because attempts or time ran out.
    pub(crate) fn failed(mut self, error: AwsError, metrics: &Metrics) {
        self.last_call.failed = Some(error.class());
        let attempts = self.attempts;
        let error = if error.class() == ErrorClass::Rejected {
            PublishError::Refused { error, attempts }
        } else {
            PublishError::GaveUp { error, attempts }
        };
        self.settle(Err(error), metrics);
    }

    /// Ends the span, records the metrics and notifies the caller.
    pub(crate) fn settle(self, result: Result<Published, PublishError>, metrics: &Metrics) {
        span::finish(&self.span, &result, &self.last_call, self.attempts);
        // End the span before the caller continues, or it could outlive the caller's own span.
        drop(self.span);
        metrics.settled(&result, self.started.elapsed());
        if self.reply.send(result).is_err() {
            tracing::debug!("the caller left before the outcome of its entry was known");
        }
    }
}
