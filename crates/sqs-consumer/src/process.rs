//! One message from its receive to its settlement.

use std::panic::AssertUnwindSafe;
use std::sync::Arc;
use std::time::Duration;

use envelope::{Envelope, Received};
use futures_util::FutureExt as _;
use jiff::Timestamp;
use outcome::MALFORMED_EVENT;
use tokio::time::{Instant, timeout};
use tokio_util::sync::CancellationToken;
use tracing::Instrument as _;

use crate::batcher::Batcher;
use crate::circuit::Signal;
use crate::clock::Clock;
use crate::failure::{DEAD_LETTER_UNAVAILABLE, PANIC, TIMEOUT, describe};
use crate::hop::Hop;
use crate::metrics::Metrics;
use crate::queue::{Message, Queue, Receipt, VisibilityChange};
use crate::settings::ConsumerSettings;
use crate::trace::{ProcessSpan, age};
use crate::visibility::{Held, InHand};
use crate::{AtLeastOnceHandler, Delivery, Done, Failure, dead_letter};

/// Outcome of a message that is to be retried.
pub(crate) const RETRY: &str = "retry";
/// Outcome of a message that was moved to the dead-letter queue.
pub(crate) const DEAD_LETTER: &str = "dead-letter";
/// Outcome of a message that was given back because the consumer stops.
pub(crate) const GIVEN_BACK: &str = "given-back";

/// What the tasks of all messages use.
pub(crate) struct Shared<Q, H> {
    pub(crate) queue: Arc<Q>,
    pub(crate) handler: H,
    pub(crate) settings: ConsumerSettings,
    pub(crate) clock: Arc<dyn Clock>,
    pub(crate) metrics: Metrics,
    pub(crate) deletes: Batcher<Receipt>,
    pub(crate) visibility: Batcher<VisibilityChange>,
    pub(crate) in_hand: Arc<InHand>,
    /// Cancelled when the grace period of a shutdown is over.
    pub(crate) grace_over: CancellationToken,
}

/// How a message leaves our hands.
enum Settlement {
    Delete,
    /// Stays invisible for this long, then comes back.
    ComeBack(Duration),
}

/// What came of a message.
struct Conclusion {
    outcome: &'static str,
    /// Reason and detail.
    failure: Option<(&'static str, Option<String>)>,
    settlement: Settlement,
    signal: Signal,
}

/// What a handler came to.
enum Verdict {
    Answered(Result<Done, Failure>),
    GraceOver,
}

/// Handles one message and settles it. `Held` keeps it invisible until then.
pub(crate) async fn process<Q: Queue, H: AtLeastOnceHandler>(
    shared: &Shared<Q, H>,
    message: Message,
    held: Held,
    received_at: Timestamp,
) -> Signal {
    let _in_flight = shared.metrics.in_flight();
    let receipt = message.receipt.clone();
    let (settlement, signal) = handle(shared, message, received_at).await;
    settle(shared, receipt, held, settlement).await;
    signal
}

/// Everything that happens inside the message's span.
async fn handle<Q: Queue, H: AtLeastOnceHandler>(
    shared: &Shared<Q, H>,
    message: Message,
    received_at: Timestamp,
) -> (Settlement, Signal) {
    let started = Instant::now();
    let read = Envelope::read(&message.body);
    let process =
        ProcessSpan::start(&*shared.queue, &shared.settings, &message, read.as_ref().ok(), received_at);
    let span = process.span.clone();
    async {
        let mut hop = Hop::new(&message, received_at);
        let (verdict, received) = match read {
            Ok(received) => {
                let metadata = &received.envelope.metadata;
                let event_age = age(metadata.occurred_at, received_at);
                shared.metrics.event_age("received", event_age, &received.envelope.event_type);
                hop.sent_at = message.sent_at.unwrap_or(metadata.published_at);
                let delivery = delivery(received, &message, received_at, hop.sent_at);
                let verdict = attempt(shared, &delivery).await;
                let Delivery { envelope, replay_name, .. } = delivery;
                (verdict, Some(Received { envelope, replay_name }))
            }
            // A body that is no event will be none at the next attempt either.
            Err(error) => (Verdict::Answered(Err(Failure::permanent(MALFORMED_EVENT).because(error))), None),
        };
        let conclusion = conclude(shared, message, hop.sent_at, verdict).await;

        let failure = conclusion.failure.as_ref().map(|(reason, detail)| (*reason, detail.as_deref()));
        process.finish(received.as_ref(), hop.attempt, conclusion.outcome, failure);
        let envelope = received.as_ref().map(|received| &received.envelope);
        shared.metrics.processed(
            started.elapsed(),
            envelope.map(|envelope| envelope.event_type.as_str()),
            conclusion.outcome,
            failure.map(|(reason, _)| reason),
        );
        if let (Some(envelope), None) = (envelope, failure)
            && conclusion.outcome != GIVEN_BACK
        {
            let event_age = age(envelope.metadata.occurred_at, shared.clock.now());
            shared.metrics.event_age("done", event_age, &envelope.event_type);
        }
        hop.log(envelope, started.elapsed(), conclusion.outcome, failure);
        (conclusion.settlement, conclusion.signal)
    }
    .instrument(span)
    .await
}

fn delivery(received: Received, message: &Message, received_at: Timestamp, sent_at: Timestamp) -> Delivery {
    Delivery {
        envelope: received.envelope,
        attempt: message.receive_count,
        message_id: message.receipt.message_id().to_owned(),
        sent_at,
        first_received_at: message.first_received_at.unwrap_or(received_at),
        received_at,
        replay_name: received.replay_name,
    }
}

/// Lets the handler do its work, for as long as it may.
async fn attempt<Q: Queue, H: AtLeastOnceHandler>(shared: &Shared<Q, H>, delivery: &Delivery) -> Verdict {
    // The call is inside the future as well, so that a panic before the first await is caught too. What the handler
    // left half done is its own: effects are idempotent, and the next attempt finds them as after a crash.
    let work = AssertUnwindSafe(async { shared.handler.handle(delivery).await }).catch_unwind();
    tokio::select! {
        biased;
        result = timeout(shared.settings.max_processing, work) => Verdict::Answered(match result {
            Ok(Ok(answer)) => answer,
            Ok(Err(_)) => Err(Failure::transient(PANIC)),
            Err(_) => Err(Failure::transient(TIMEOUT)),
        }),
        () = shared.grace_over.cancelled() => Verdict::GraceOver,
    }
}

/// Decides what becomes of the message, and moves it to the dead-letter queue if that is it.
async fn conclude<Q: Queue, H>(
    shared: &Shared<Q, H>,
    message: Message,
    sent_at: Timestamp,
    verdict: Verdict,
) -> Conclusion {
    let failure = match verdict {
        Verdict::Answered(Ok(done)) => {
            return Conclusion {
                outcome: done.outcome,
                failure: None,
                settlement: Settlement::Delete,
                signal: Signal::Answered,
            };
        }
        Verdict::GraceOver => {
            return Conclusion {
                outcome: GIVEN_BACK,
                failure: None,
                settlement: Settlement::ComeBack(Duration::ZERO),
                signal: Signal::Unclear,
            };
        }
        Verdict::Answered(Err(failure)) => failure,
    };
    match failure {
        Failure::Permanent { reason, source } | Failure::Rejected { reason, source, .. } => {
            let detail = source.map(|source| describe(&*source));
            put_aside(shared, message, reason, detail, Signal::Answered).await
        }
        Failure::Transient { reason, dependency, source, retry_after, .. } => {
            let detail = source.map(|source| describe(&*source));
            let signal = dependency.map_or(Signal::Unclear, Signal::Away);
            match given_up(shared, &message, sent_at, dependency) {
                Some(why) => {
                    let detail = match detail {
                        Some(detail) => format!("{why}: {detail}"),
                        None => why,
                    };
                    put_aside(shared, message, reason, Some(detail), signal).await
                }
                None => retry(shared, message.receive_count, reason, detail, retry_after, signal),
            }
        }
    }
}

/// Whether a message that failed transiently has been tried for long enough, and in what words. The receive count
/// says nothing about that: give-backs and killed processes raise it as well.
fn given_up<Q, H>(
    shared: &Shared<Q, H>,
    message: &Message,
    sent_at: Timestamp,
    dependency: Option<&'static str>,
) -> Option<String> {
    let now = shared.clock.now();
    let (on_queue, limit) = (age(sent_at, now), shared.settings.max_message_age);
    if on_queue > limit {
        return Some(format!("given up, on the queue for more than {} s", limit.as_secs()));
    }
    let tried = message.first_received_at.map(|first| age(first, now)).unwrap_or_default();
    let limit = shared.settings.give_up_after;
    (dependency.is_none() && tried > limit)
        .then(|| format!("given up, tried for more than {} s", limit.as_secs()))
}

/// Moves the message to the dead-letter queue; when that cannot be done, it is tried again later.
async fn put_aside<Q: Queue, H>(
    shared: &Shared<Q, H>,
    message: Message,
    reason: &'static str,
    detail: Option<String>,
    signal: Signal,
) -> Conclusion {
    let attempts = message.receive_count;
    match dead_letter::send(shared, message, reason, detail.as_deref()).await {
        Ok(()) => {
            shared.metrics.dead_lettered(reason);
            let failure = Some((reason, detail));
            Conclusion { outcome: DEAD_LETTER, failure, settlement: Settlement::Delete, signal }
        }
        Err(error) => {
            let detail = Some(format!("{reason}: {}", describe(&error)));
            retry(shared, attempts, DEAD_LETTER_UNAVAILABLE, detail, None, Signal::Away("SQS"))
        }
    }
}

fn retry<Q, H>(
    shared: &Shared<Q, H>,
    attempt: u32,
    reason: &'static str,
    detail: Option<String>,
    retry_after: Option<Duration>,
    signal: Signal,
) -> Conclusion {
    shared.metrics.retried(reason);
    let delay = shared.settings.backoff.visibility(attempt, retry_after, &mut rand::rng());
    Conclusion {
        outcome: RETRY,
        failure: Some((reason, detail)),
        settlement: Settlement::ComeBack(delay),
        signal,
    }
}

async fn settle<Q: Queue, H>(shared: &Shared<Q, H>, receipt: Receipt, held: Held, settlement: Settlement) {
    match settlement {
        Settlement::Delete => {
            // The message stays held until it is gone, so that it does not come back while the delete is retried.
            if let Err(error) = shared.deletes.settle(receipt.clone()).await {
                shared.metrics.unsettled("delete", &error.code);
                tracing::error!(
                    message_id = receipt.message_id(),
                    error = error.code,
                    "message settled but not deleted: it will be delivered again when its visibility ends"
                );
            }
            drop(held);
        }
        Settlement::ComeBack(delay) => {
            held.release().await;
            come_back(shared, receipt, delay).await;
        }
    }
}

/// Makes a message visible again after `delay`.
pub(crate) async fn come_back<Q, H>(shared: &Shared<Q, H>, receipt: Receipt, delay: Duration) {
    let change = VisibilityChange { receipt: receipt.clone(), timeout: delay };
    if let Err(error) = shared.visibility.settle(change).await {
        shared.metrics.unsettled("change_visibility", &error.code);
        tracing::warn!(
            message_id = receipt.message_id(),
            error = error.code,
            delay_s = delay.as_secs(),
            "visibility not changed: the message comes back when its visibility ends instead"
        );
    }
}
