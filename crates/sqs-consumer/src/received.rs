//! The messages of one receive: handled independently of each other, by one task.

use std::sync::Arc;

use futures_util::StreamExt as _;
use futures_util::stream::FuturesUnordered;
use jiff::Timestamp;
use tokio::sync::mpsc::UnboundedSender;
use tokio::time::Instant;

use crate::circuit::Signal;
use crate::handler::AtLeastOnceHandler;
use crate::held::Held;
use crate::process::process;
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

/// Handles the messages of one receive at the same time, and reports the end of each as soon as it is known. One task for
/// all of them costs less than one for each, and those that are done together are deleted together.
pub(crate) async fn handle_all<Q: Queue, H: AtLeastOnceHandler>(
    shared: Arc<Shared<Q, H>>,
    messages: Vec<(Message, Held)>,
    received_at: Timestamp,
    purpose: Purpose,
    ends: UnboundedSender<Finished>,
) {
    let handled = |(message, held): (Message, Held)| {
        let shared = &*shared;
        async move {
            let receipt = message.receipt.clone();
            let (signal, returned) = process(shared, message, held, received_at).await;
            let visible = returned.map(|delay| Instant::now() + delay);
            Finished { message: receipt, signal, visible, purpose }
        }
    };
    let mut running: FuturesUnordered<_> = messages.into_iter().map(handled).collect();
    while let Some(finished) = running.next().await {
        // Without a receiver the consumer has ended.
        drop(ends.send(finished));
    }
}
