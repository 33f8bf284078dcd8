//! Handling of one message, from its receive to the end of its span.

use std::panic::AssertUnwindSafe;
use std::time::Duration;

use envelope::{Envelope, Received};
use futures_util::FutureExt as _;
use jiff::Timestamp;
use outcome::{Done, Failure, MALFORMED_EVENT};
use tokio::time::{Instant, timeout};
use tracing::Instrument as _;

use crate::circuit::Signal;
use crate::conclusion::{Conclusion, RELEASED, Settlement};
use crate::failed::Failed;
use crate::failure::{NEVER_FINISHED, PANIC, TIMEOUT};
use crate::handler::{AtLeastOnceHandler, Delivery};
use crate::hop::Hop;
use crate::queue::{MAX_RECEIVES, Message, Queue, Receipt};
use crate::shared::Shared;
use crate::trace::{Place, ProcessSpan, age};

/// The handler's result, or that the handler was cut off.
enum Verdict {
    Returned(Result<Done, Failure>),
    GraceOver,
}

/// What remains of a message when its span has ended.
pub(crate) struct Handled {
    pub(crate) receipt: Receipt,
    pub(crate) settlement: Settlement,
    pub(crate) signal: Signal,
    /// Whether the span is recorded.
    pub(crate) recorded: bool,
}

/// Handles one message inside its span.
pub(crate) async fn handle<Q: Queue, H: AtLeastOnceHandler>(
    shared: &Shared<Q, H>,
    message: Message,
    received_at: Timestamp,
) -> Handled {
    let started = Instant::now();
    let receipt = message.receipt.clone();
    let read = Envelope::read(&message.body);
    let new_trace_after = shared.settings.new_trace_after;
    let (process, place) =
        ProcessSpan::start(&shared.source, new_trace_after, &message, read.as_ref().ok(), received_at);
    let span = process.span.clone();
    let recorded = process.recorded;
    async {
        let mut hop = Hop::new(&message, received_at);
        let (verdict, event) = match read {
            Ok(received) => {
                let metadata = &received.envelope.metadata;
                let of_type = shared.metrics.of(&received.envelope.event_type);
                of_type.received.record(age(metadata.occurred_at, received_at).as_secs_f64());
                hop.sent_at = message.sent_at.unwrap_or(metadata.published_at);
                // A replay hands an event out again, and what it is late by begins there.
                let replayed = received.is_replayed();
                hop.published_at = if replayed { hop.sent_at } else { metadata.published_at };
                let delivery = delivery(received, &message, received_at, hop.sent_at, place);
                let verdict = if message.receive_count >= MAX_RECEIVES {
                    Verdict::Returned(Err(never_finished(message.receive_count)))
                } else {
                    attempt(shared, &delivery).await
                };
                (verdict, Some((delivery.envelope, of_type)))
            }
            // A body that is not an event now will not be one at the next attempt either.
            Err(error) => (Verdict::Returned(Err(Failure::permanent(MALFORMED_EVENT).because(error))), None),
        };
        let (envelope, of_type) = event.as_ref().map(|(envelope, of_type)| (envelope, &**of_type)).unzip();
        let conclusion = conclude(shared, message, envelope, hop.sent_at, verdict).await;

        process.finish(&conclusion);
        let took = started.elapsed();
        shared.metrics.processed(took, of_type, &conclusion);
        if let (Some(envelope), Some(of_type), None) = (envelope, of_type, &conclusion.problem)
            && conclusion.outcome != RELEASED
        {
            let now = shared.clock.now();
            of_type.done.record(age(envelope.metadata.occurred_at, now).as_secs_f64());
            shared.metrics.event_delay(age(hop.published_at, now));
        }
        hop.log(envelope, took, &conclusion);
        Handled { receipt, settlement: conclusion.settlement, signal: conclusion.signal, recorded }
    }
    .instrument(span)
    .await
}

fn delivery(
    received: Received,
    message: &Message,
    received_at: Timestamp,
    sent_at: Timestamp,
    place: Place,
) -> Delivery {
    Delivery {
        envelope: received.envelope,
        attempt: message.receive_count,
        message_id: message.receipt.message_id().to_owned(),
        sent_at,
        first_received_at: message.first_received_at.unwrap_or(received_at),
        received_at,
        replay_name: received.replay_name,
        place,
    }
}

/// The failure of a message whose last receive this is. A handler that failed the time before would have dead-lettered
/// it, so its process was killed, and perhaps each time by this message: another attempt could leave no reason.
fn never_finished(receives: u32) -> Failure {
    Failure::permanent(NEVER_FINISHED).because(format!("received {receives} times"))
}

/// Runs the handler until it returns, its time is up, or the grace period of a shutdown ends.
async fn attempt<Q: Queue, H: AtLeastOnceHandler>(shared: &Shared<Q, H>, delivery: &Delivery) -> Verdict {
    // The call to `handle` is inside the async block, so that a panic before the first await is caught as well.
    // Asserting unwind safety is sound: effects are idempotent, so the next attempt copes with a half-done effect just
    // as it does after a crash.
    let work = AssertUnwindSafe(async { shared.handler.handle(delivery).await }).catch_unwind();
    tokio::select! {
        biased;
        result = timeout(shared.settings.max_processing, work) => Verdict::Returned(match result {
            Ok(Ok(result)) => result,
            Ok(Err(_)) => Err(Failure::transient(PANIC)),
            Err(_) => Err(Failure::transient(TIMEOUT)),
        }),
        () = shared.grace_over.cancelled() => Verdict::GraceOver,
    }
}

/// Decides how the message ends, and sends it to the dead-letter queue if that is the decision.
async fn conclude<Q: Queue, H>(
    shared: &Shared<Q, H>,
    message: Message,
    envelope: Option<&Envelope>,
    sent_at: Timestamp,
    verdict: Verdict,
) -> Conclusion {
    let event_type = envelope.map(|envelope| envelope.event_type.as_str());
    match verdict {
        Verdict::Returned(Ok(done)) => {
            let message_id = message.receipt.message_id();
            shared.rejections.handled(message_id, event_type.unwrap_or_default(), done);
            Conclusion {
                outcome: done.outcome,
                reason: done.reason,
                problem: None,
                settlement: Settlement::Delete,
                signal: Signal::Handled,
            }
        }
        Verdict::GraceOver => Conclusion {
            outcome: RELEASED,
            reason: None,
            problem: None,
            settlement: Settlement::ReturnToQueue(Duration::ZERO),
            signal: Signal::Unclear,
        },
        Verdict::Returned(Err(failure)) => {
            // In a box, because it is rare and large: the future of every message would have room for it.
            Box::pin(Failed { shared, message, event_type, sent_at }.conclude(failure)).await
        }
    }
}
