//! The messages of one receive: handled independently of each other, by one task.

use std::sync::Arc;

use futures_util::stream::FuturesUnordered;
use futures_util::{FutureExt as _, StreamExt as _};
use jiff::Timestamp;
use tokio::sync::mpsc::UnboundedSender;
use tokio::time::Instant;

use crate::circuit::Signal;
use crate::conclusion::Settlement;
use crate::handler::AtLeastOnceHandler;
use crate::held::Held;
use crate::process::{Handled, handle};
use crate::queue::{Message, Queue, Receipt};
use crate::shared::Shared;

/// Why messages were received.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Purpose {
    Work,
    Probe,
}

/// How a message ended.
pub(crate) struct Finished {
    pub(crate) message: Receipt,
    pub(crate) signal: Signal,
    /// When the message becomes visible again, if it was returned to the queue.
    pub(crate) visible: Option<Instant>,
    pub(crate) purpose: Purpose,
}

/// Handles the messages of one receive at the same time, and reports their ends as soon as they are known. One task for all
/// of them costs less than one for each, and those that end together leave together.
pub(crate) async fn handle_all<Q: Queue, H: AtLeastOnceHandler>(
    shared: Arc<Shared<Q, H>>,
    messages: Vec<(Message, Held)>,
    received_at: Timestamp,
    purpose: Purpose,
    ends: UnboundedSender<Vec<Finished>>,
) {
    let shared = &*shared;
    let handled = |(message, held)| async move { (handle(shared, message, received_at).await, held) };
    let mut running: FuturesUnordered<_> = messages.into_iter().map(handled).collect();
    let mut leaving = FuturesUnordered::new();
    loop {
        let first = tokio::select! {
            Some(handled) = running.next() => handled,
            Some(settled) = leaving.next() => {
                report(&ends, settled, purpose);
                continue;
            }
            else => return,
        };
        let mut together = vec![first];
        while let Some(Some(handled)) = running.next().now_or_never() {
            together.push(handled);
        }
        leaving.push(settle(shared, together));
    }
}

/// A message that has left the consumer, and when it becomes visible again if it was returned to the queue.
type Settled = (Receipt, Signal, Option<Instant>);

/// Has messages settled that ended together, when their spans have left.
async fn settle<Q: Queue, H>(shared: &Shared<Q, H>, mut messages: Vec<(Handled, Held)>) -> Vec<Settled> {
    let recorded = messages.iter().any(|(handled, _)| handled.recorded);
    if recorded && let Some(departure) = shared.departures.of_ended() {
        Held::exchange_permits(&mut messages, &shared.leaving);
        departure.wait().await;
    }
    let mut settled = Vec::with_capacity(messages.len());
    let mut done = Vec::with_capacity(messages.len());
    for (Handled { receipt, settlement, signal, .. }, mut held) in messages {
        match settlement {
            Settlement::Delete => {
                settled.push((receipt.clone(), signal, None));
                done.push((receipt, held));
            }
            Settlement::ReturnToQueue(delay) => {
                held.release().await;
                settled.push((receipt.clone(), signal, Some(Instant::now() + delay)));
                shared.return_to_queue(receipt, delay, held);
            }
        }
    }
    // Messages stay in flight until they are deleted, so that none is redelivered while the delete is retried.
    shared.deletes.settle(done).await;
    settled
}

fn report(ends: &UnboundedSender<Vec<Finished>>, settled: Vec<Settled>, purpose: Purpose) {
    let finished = |(message, signal, visible)| Finished { message, signal, visible, purpose };
    // Without a receiver the consumer has ended.
    drop(ends.send(settled.into_iter().map(finished).collect()));
}
