//! The decision about a message whose handler failed.

use std::time::Duration;

use aws_clients::ErrorClass;
use jiff::Timestamp;
use outcome::{BoxError, Failure, describe};
use tokio::time::Instant;

use crate::Backoff;
use crate::circuit::{Signal, Trouble, TroubleKind};
use crate::conclusion::{Conclusion, DEAD_LETTER, Problem, RETRY, Settlement};
use crate::dead_letter;
use crate::failure::{DEAD_LETTER_REFUSED, DEAD_LETTER_UNAVAILABLE};
use crate::queue::{MAX_RECEIVES, Message, Queue, QueueError};
use crate::shared::Shared;
use crate::trace::age;

/// How many receives of a message have the configured delays, whatever they are.
const UNPACED_RECEIVES: u32 = 100;

/// How many receives are spread over the time until a message is given up. The rest are for releases and killed
/// processes, which count as well.
const PACED_RECEIVES: u32 = MAX_RECEIVES * 8 / 10;

/// The longest delay for the sake of the receive count.
const LONGEST_PACE: Duration = Duration::from_mins(15);

/// A message whose handler failed, and when it was put on the queue.
pub(crate) struct Failed<'a, Q: Queue, H> {
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
                let delay = self.delay(self.shared.settings.backoff, dependency, retry_after);
                retry(problem, delay, signal)
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
        let settings = &self.shared.settings;
        // While the brake is engaged nothing is decided within seconds, and short delays would use up the receives that
        // SQS allows.
        let paused = self.shared.rejections.is_paused();
        let backoff = if paused { settings.backoff } else { settings.rejected_backoff() };
        let delay = self.delay(backoff, problem.dependency, None);
        retry(problem, delay, signal)
    }

    /// Returns the limit that the message has passed, if its retries are exhausted. The receive count is considered
    /// only where SQS would move the message without a reason: releases and killed processes raise it as well.
    fn exhausted(&self, dependency: Option<&'static str>) -> Option<String> {
        let settings = &self.shared.settings;
        let limit = settings.max_message_age;
        if self.on_queue() > limit {
            return Some(format!("retries exhausted, on the queue for more than {} s", limit.as_secs()));
        }
        let limit = settings.give_up_after;
        if dependency.is_none() && self.tried() > limit {
            return Some(format!("retries exhausted, tried for more than {} s", limit.as_secs()));
        }
        let receives = self.message.receive_count;
        (receives + 1 >= MAX_RECEIVES).then(|| format!("retries exhausted, received {receives} times"))
    }

    /// Returns the delay before the next attempt, of at least [`pace`](Self::pace).
    fn delay(
        &self,
        backoff: Backoff,
        dependency: Option<&'static str>,
        retry_after: Option<Duration>,
    ) -> Duration {
        let delay = backoff.visibility(self.message.receive_count, retry_after, &mut rand::rng());
        delay.max(self.pace(dependency))
    }

    /// Returns the shortest delay with which the receives that SQS allows last until the message is given up, zero for
    /// the first ones. The configured delays are longer unless their cap is below minutes.
    fn pace(&self, dependency: Option<&'static str>) -> Duration {
        let receives = self.message.receive_count;
        if receives < UNPACED_RECEIVES {
            return Duration::ZERO;
        }
        let settings = &self.shared.settings;
        let left = match dependency {
            Some(_) => settings.max_message_age.saturating_sub(self.on_queue()),
            None => settings.give_up_after.saturating_sub(self.tried()),
        };
        let delay = left / PACED_RECEIVES.saturating_sub(receives).max(1);
        Duration::from_secs(delay.as_secs()).min(LONGEST_PACE)
    }

    fn on_queue(&self) -> Duration {
        age(self.sent_at, self.shared.clock.now())
    }

    /// Returns how long ago the message was first received.
    fn tried(&self) -> Duration {
        let first = self.message.first_received_at;
        first.map(|first| age(first, self.shared.clock.now())).unwrap_or_default()
    }

    /// Sends the message to the dead-letter queue. If that fails, the message is retried later.
    async fn dead_letter(self, problem: Problem, signal: Signal) -> Conclusion {
        let permanent = matches!(signal, Signal::OwnFault);
        match dead_letter::send(self.shared, &self.message, &problem, permanent).await {
            Ok(()) => Conclusion {
                outcome: DEAD_LETTER,
                reason: None,
                problem: Some(problem),
                settlement: Settlement::Delete,
                signal,
            },
            Err(error) if error.class == ErrorClass::Rejected => self.left_to_redrive(&problem, &error),
            Err(error) => {
                let dependency = aws_clients::service::SQS;
                let detail = Some(format!("{}: {}", problem.reason, describe(&error)));
                let problem =
                    Problem { reason: DEAD_LETTER_UNAVAILABLE, dependency: Some(dependency), detail };
                let kind = match error.class {
                    ErrorClass::Misconfigured => TroubleKind::Misconfigured,
                    _ => TroubleKind::Unavailable,
                };
                let signal = Signal::Failed(Trouble { dependency, kind, code: error.code });
                let delay = self.delay(self.shared.settings.backoff, problem.dependency, None);
                retry(problem, delay, signal)
            }
        }
    }

    /// Leaves a message whose dead letter is refused to SQS's own redrive, which moves it after too many receives and
    /// adds no reason: the log line has it instead. The refusal concerns this message alone, so it says nothing
    /// about SQS.
    fn left_to_redrive(&self, problem: &Problem, error: &QueueError) -> Conclusion {
        let message_id = self.message.receipt.message_id();
        if self.shared.undeliverable.is_new(message_id) {
            self.shared.metrics.undeliverable(problem);
            tracing::error!(
                message_id,
                queue = self.shared.queue.name(),
                reason = problem.reason,
                dependency = problem.dependency,
                detail = problem.detail,
                error = error.code,
                bytes = self.message.body.len(),
                "dead letter refused: SQS moves the message without a reason after too many receives"
            );
        }
        let detail = Some(format!("{}: {}", problem.reason, describe(error)));
        let problem = Problem { reason: DEAD_LETTER_REFUSED, dependency: problem.dependency, detail };
        let delay = self.delay(self.shared.settings.backoff, problem.dependency, None);
        retry(problem, delay, Signal::OwnFault)
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
        reason: None,
        problem: Some(problem),
        settlement: Settlement::ReturnToQueue(delay),
        signal,
    }
}
