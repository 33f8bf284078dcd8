//! The decision about a message whose handler failed.

use std::time::Duration;

use jiff::Timestamp;
use outcome::{BoxError, Failure};
use tokio::time::Instant;

use crate::circuit::{Signal, Trouble, TroubleKind};
use crate::conclusion::{Conclusion, DEAD_LETTER, Problem, RETRY, Settlement};
use crate::dead_letter;
use crate::failure::{DEAD_LETTER_UNAVAILABLE, describe};
use crate::queue::{Message, Queue};
use crate::shared::Shared;
use crate::trace::age;

/// A message whose handler failed, and when it was put on the queue.
pub(crate) struct Failed<'a, Q, H> {
    pub(crate) shared: &'a Shared<Q, H>,
    pub(crate) message: Message,
    /// The type of its event; `None` if the body is not an event.
    pub(crate) event_type: Option<&'a str>,
    pub(crate) sent_at: Timestamp,
}

impl<Q: Queue, H> Failed<'_, Q, H> {
    /// Decides whether to retry or dead-letter the message, and sends the dead letter.
    pub(crate) async fn conclude(self, failure: Failure) -> Conclusion {
        match failure {
            Failure::Permanent { reason, source } => {
                let problem = Problem { reason, dependency: None, detail: detail(source) };
                self.dead_letter(problem, Signal::OwnFault).await
            }
            Failure::Transient { reason, dependency, misconfigured, code, source, retry_after } => {
                let problem = Problem { reason, dependency, detail: detail(source) };
                let kind = if misconfigured { TroubleKind::Misconfigured } else { TroubleKind::Unavailable };
                let code = code.unwrap_or_else(|| reason.to_owned());
                let signal = dependency
                    .map_or(Signal::Unclear, |dependency| Signal::Failed(Trouble { dependency, kind, code }));
                if let Some(limit) = self.exhausted(dependency) {
                    return self.dead_letter(problem.after(limit), signal).await;
                }
                let attempt = self.message.receive_count;
                let backoff = self.shared.settings.backoff;
                retry(problem, backoff.visibility(attempt, retry_after, &mut rand::rng()), signal)
            }
            Failure::Rejected { reason, dependency, code, source } => {
                let problem = Problem { reason, dependency: Some(dependency), detail: detail(source) };
                let signal = Signal::Failed(Trouble { dependency, kind: TroubleKind::Rejected, code });
                self.rejected(problem, signal).await
            }
        }
    }

    /// Concludes a rejection. Unless the message's retries are exhausted, its first rejection never dead-letters it:
    /// see [`Rejections`](crate::rejections::Rejections).
    async fn rejected(self, problem: Problem, signal: Signal) -> Conclusion {
        if let Some(limit) = self.exhausted(problem.dependency) {
            return self.dead_letter(problem.after(limit), signal).await;
        }
        let message_id = self.message.receipt.message_id();
        let event_type = self.event_type.unwrap_or_default();
        if self.shared.rejections.is_own_fault(message_id, event_type, Instant::now()) {
            return self.dead_letter(problem, Signal::OwnFault).await;
        }
        let backoff = self.shared.settings.rejected_backoff();
        let delay = backoff.visibility(self.message.receive_count, None, &mut rand::rng());
        retry(problem, delay, signal)
    }

    /// Returns the limit that the message has passed, if its retries are exhausted. The receive count is not
    /// considered: releases and killed processes raise it as well.
    fn exhausted(&self, dependency: Option<&'static str>) -> Option<String> {
        let (now, settings) = (self.shared.clock.now(), &self.shared.settings);
        let (on_queue, limit) = (age(self.sent_at, now), settings.max_message_age);
        if on_queue > limit {
            return Some(format!("retries exhausted, on the queue for more than {} s", limit.as_secs()));
        }
        let tried = self.message.first_received_at.map(|first| age(first, now)).unwrap_or_default();
        let limit = settings.give_up_after;
        (dependency.is_none() && tried > limit)
            .then(|| format!("retries exhausted, tried for more than {} s", limit.as_secs()))
    }

    /// Sends the message to the dead-letter queue. If that fails, the message is retried later.
    async fn dead_letter(self, problem: Problem, signal: Signal) -> Conclusion {
        let Self { shared, message, .. } = self;
        let attempts = message.receive_count;
        let permanent = matches!(signal, Signal::OwnFault);
        match dead_letter::send(shared, message, &problem, permanent).await {
            Ok(()) => Conclusion {
                outcome: DEAD_LETTER,
                problem: Some(problem),
                settlement: Settlement::Delete,
                signal,
            },
            Err(error) => {
                let dependency = aws_clients::service::SQS;
                let detail = Some(format!("{}: {}", problem.reason, describe(&error)));
                let problem =
                    Problem { reason: DEAD_LETTER_UNAVAILABLE, dependency: Some(dependency), detail };
                let trouble = Trouble { dependency, kind: TroubleKind::Unavailable, code: error.code };
                let delay = shared.settings.backoff.visibility(attempts, None, &mut rand::rng());
                retry(problem, delay, Signal::Failed(trouble))
            }
        }
    }
}

impl Problem {
    /// Adds to the detail that the message has passed `limit`.
    fn after(self, limit: String) -> Self {
        let detail = match self.detail {
            Some(detail) => format!("{limit}: {detail}"),
            None => limit,
        };
        Self { detail: Some(detail), ..self }
    }
}

fn detail(source: Option<BoxError>) -> Option<String> {
    source.map(|source| describe(&*source))
}

fn retry(problem: Problem, delay: Duration, signal: Signal) -> Conclusion {
    Conclusion {
        outcome: RETRY,
        problem: Some(problem),
        settlement: Settlement::ReturnToQueue(delay),
        signal,
    }
}
