//! An in-memory queue that behaves like SQS wherever a consumer can notice: it hides the messages it delivers,
//! redelivers them when their visibility timeout ends, counts receives, and fails on request.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::Duration;

use aws_clients::ErrorClass;
use jiff::Timestamp;
use sqs_consumer::queue::{
    AttributeValue, DeadLetter, Message, MessageAttribute, Queue, QueueError, Receipt, Receive, Rejected,
    SentDeadLetter, VisibilityChange,
};
use tokio::sync::Notify;
use tokio::time::{Instant, sleep_until, timeout};

#[derive(Clone)]
pub(crate) struct FakeQueue(Arc<Inner>);

struct Inner {
    state: Mutex<State>,
    changed: Notify,
    started: Instant,
    epoch: Timestamp,
}

/// A message to put on the queue.
#[derive(Clone, Default)]
pub(crate) struct Put {
    pub(crate) body: String,
    pub(crate) trace_header: Option<String>,
    pub(crate) attributes: HashMap<String, MessageAttribute>,
    /// How long ago it was sent, and first received if its receive count is above zero.
    pub(crate) age: Duration,
    pub(crate) receive_count: u32,
}

struct Stored {
    id: String,
    put: Put,
    sent_at: Timestamp,
    first_received_at: Option<Timestamp>,
    visible_at: Instant,
}

/// A dead letter as it was sent.
pub(crate) struct Letter {
    pub(crate) body: String,
    pub(crate) trace_header: Option<String>,
    pub(crate) attributes: HashMap<String, MessageAttribute>,
}

#[derive(Default)]
pub(crate) struct State {
    messages: Vec<Stored>,
    /// Completed receives: when each ended, its request, and the number of messages returned.
    pub(crate) receives: Vec<(Instant, Receive, usize)>,
    /// The number of receives in flight.
    pub(crate) receiving: usize,
    pub(crate) deliveries: HashMap<String, u32>,
    pub(crate) deletes: Vec<Vec<String>>,
    pub(crate) changes: Vec<(Instant, Vec<(String, Duration)>)>,
    pub(crate) letters: Vec<Letter>,
    pub(crate) fail_receives: usize,
    pub(crate) fail_deletes: usize,
    pub(crate) fail_changes: usize,
    pub(crate) fail_letters: usize,
    /// The most bytes of a dead letter with its attributes, if there is a limit.
    pub(crate) longest_letter: Option<usize>,
    /// For each of the next deletes, taken from the end: the first entry is refused, and this is whether the entry
    /// itself is at fault.
    pub(crate) refuse_deletes: Vec<bool>,
    /// How long a visibility change takes.
    pub(crate) change_takes: Duration,
    pub(crate) deletes_at_once: usize,
    pub(crate) most_deletes_at_once: usize,
    pub(crate) delete_takes: Duration,
}

impl FakeQueue {
    pub(crate) fn new() -> Self {
        let epoch = "2026-03-01T12:00:00Z".parse().unwrap();
        let inner = Inner { state: Mutex::default(), changed: Notify::new(), started: Instant::now(), epoch };
        Self(Arc::new(inner))
    }

    /// Returns the time of day by the paused clock.
    pub(crate) fn now(&self) -> Timestamp {
        self.0.epoch + self.0.started.elapsed()
    }

    pub(crate) fn put(&self, body: impl Into<String>) -> String {
        self.put_with(Put { body: body.into(), ..Put::default() })
    }

    pub(crate) fn put_with(&self, put: Put) -> String {
        let now = self.now();
        let sent_at = now - put.age;
        let first_received_at = (put.receive_count > 0).then_some(sent_at);
        let mut state = self.state();
        let id =
            format!("message-{}", state.messages.len() + state.deletes.iter().map(Vec::len).sum::<usize>());
        let visible_at = Instant::now();
        state.messages.push(Stored { id: id.clone(), put, sent_at, first_received_at, visible_at });
        drop(state);
        self.0.changed.notify_waiters();
        id
    }

    /// Removes all messages, as another consumer that handles them does.
    pub(crate) fn clear(&self) {
        self.state().messages.clear();
    }

    pub(crate) fn state(&self) -> MutexGuard<'_, State> {
        self.0.state.lock().unwrap()
    }

    /// Returns the number of messages on the queue, visible or not.
    pub(crate) fn len(&self) -> usize {
        self.state().messages.len()
    }

    /// Waits until `condition` holds, for at most a day of the paused clock.
    pub(crate) async fn until(&self, condition: impl Fn(&State) -> bool) {
        let wait = async {
            loop {
                let changed = self.0.changed.notified();
                let mut changed = std::pin::pin!(changed);
                changed.as_mut().enable();
                if condition(&self.state()) {
                    return;
                }
                changed.await;
            }
        };
        timeout(Duration::from_hours(24), wait).await.expect("the condition never held");
    }

    /// Waits until the queue is empty.
    pub(crate) async fn until_empty(&self) {
        self.until(|state| state.messages.is_empty()).await;
    }

    fn take(&self, request: Receive) -> Vec<Message> {
        let (now, time) = (Instant::now(), self.now());
        let mut state = self.state();
        let State { messages, deliveries, .. } = &mut *state;
        let visible = messages.iter_mut().filter(|stored| stored.visible_at <= now).take(request.max);
        visible
            .map(|stored| {
                stored.put.receive_count += 1;
                stored.visible_at = now + request.visibility;
                *deliveries.entry(stored.id.clone()).or_default() += 1;
                let first_received_at = *stored.first_received_at.get_or_insert(time);
                Message {
                    receipt: Receipt::new(&stored.id, format!("{}#{}", stored.id, stored.put.receive_count)),
                    body: stored.put.body.clone(),
                    trace_header: stored.put.trace_header.clone(),
                    sent_at: Some(stored.sent_at),
                    first_received_at: Some(first_received_at),
                    receive_count: stored.put.receive_count,
                    attributes: stored.put.attributes.clone(),
                }
            })
            .collect()
    }

    fn next_visible(&self) -> Option<Instant> {
        self.state().messages.iter().map(|stored| stored.visible_at).min()
    }
}

/// Returns the index of the message whose latest delivery has this receipt.
fn size(attribute: &MessageAttribute) -> usize {
    let value = match &attribute.value {
        AttributeValue::Text(text) => text.len(),
        AttributeValue::Binary(bytes) => bytes.len(),
    };
    attribute.data_type.len() + value
}

fn find(messages: &[Stored], receipt: &Receipt) -> Option<usize> {
    messages
        .iter()
        .position(|stored| format!("{}#{}", stored.id, stored.put.receive_count) == receipt.handle())
}

fn refused(index: usize, code: &str, sender_fault: bool) -> Rejected {
    Rejected { index, code: code.to_owned(), sender_fault }
}

fn spend(failures: &mut usize) -> bool {
    let fails = *failures > 0;
    *failures = failures.saturating_sub(1);
    fails
}

impl Queue for FakeQueue {
    fn name(&self) -> &'static str {
        "orders"
    }

    fn url(&self) -> &'static str {
        "https://sqs.test/1/orders"
    }

    fn region(&self) -> Option<&str> {
        Some("eu-central-1")
    }

    fn dead_letter_name(&self) -> &'static str {
        "orders-dead-letter"
    }

    fn dead_letter_url(&self) -> &'static str {
        "https://sqs.test/1/orders-dead-letter"
    }

    async fn receive(&self, request: Receive) -> Result<Vec<Message>, QueueError> {
        assert!((1..=10).contains(&request.max) && request.wait <= Duration::from_secs(20));
        let until = Instant::now() + request.wait;
        self.state().receiving += 1;
        self.0.changed.notify_waiters();
        let result = loop {
            let changed = self.0.changed.notified();
            if spend(&mut self.state().fail_receives) {
                break Err(QueueError::new("ReceiveMessage", "RequestThrottled"));
            }
            let messages = self.take(request);
            if !messages.is_empty() || Instant::now() >= until {
                break Ok(messages);
            }
            let wake = self.next_visible().map_or(until, |visible| visible.min(until));
            tokio::select! {
                () = changed => {}
                () = sleep_until(wake) => {}
            }
        };
        let mut state = self.state();
        state.receiving -= 1;
        let got = result.as_ref().map_or(0, Vec::len);
        state.receives.push((Instant::now(), request, got));
        drop(state);
        self.0.changed.notify_waiters();
        result
    }

    async fn delete(&self, receipts: &[Receipt]) -> Result<Vec<Rejected>, QueueError> {
        assert!((1..=10).contains(&receipts.len()));
        let takes = {
            let mut state = self.state();
            state.deletes_at_once += 1;
            state.most_deletes_at_once = state.most_deletes_at_once.max(state.deletes_at_once);
            state.delete_takes
        };
        tokio::time::sleep(takes).await;
        let mut state = self.state();
        state.deletes_at_once -= 1;
        if spend(&mut state.fail_deletes) {
            return Err(QueueError::new("DeleteMessageBatch", "ServiceUnavailable"));
        }
        let mut rejected = Vec::new();
        let mut deleted = Vec::new();
        let refuse_first = state.refuse_deletes.pop();
        for (index, receipt) in receipts.iter().enumerate() {
            if index == 0
                && let Some(sender_fault) = refuse_first
            {
                rejected.push(refused(0, "InternalError", sender_fault));
                continue;
            }
            if let Some(place) = find(&state.messages, receipt) {
                deleted.push(state.messages.remove(place).id);
            }
        }
        state.deletes.push(deleted);
        drop(state);
        self.0.changed.notify_waiters();
        Ok(rejected)
    }

    async fn change_visibility(&self, changes: &[VisibilityChange]) -> Result<Vec<Rejected>, QueueError> {
        assert!((1..=10).contains(&changes.len()));
        let takes = self.state().change_takes;
        tokio::time::sleep(takes).await;
        let now = Instant::now();
        let mut state = self.state();
        let list = changes.iter().map(|change| (change.receipt.message_id().to_owned(), change.timeout));
        state.changes.push((now, list.collect()));
        if spend(&mut state.fail_changes) {
            drop(state);
            self.0.changed.notify_waiters();
            return Err(QueueError::new("ChangeMessageVisibilityBatch", "ServiceUnavailable"));
        }
        let mut rejected = Vec::new();
        for (index, change) in changes.iter().enumerate() {
            match find(&state.messages, &change.receipt) {
                Some(place) if state.messages[place].visible_at > now => {
                    state.messages[place].visible_at = now + change.timeout;
                }
                Some(_) => rejected.push(refused(index, "MessageNotInflight", true)),
                None => rejected.push(refused(index, "ReceiptHandleIsInvalid", true)),
            }
        }
        drop(state);
        self.0.changed.notify_waiters();
        Ok(rejected)
    }

    async fn send_dead_letter(&self, letter: DeadLetter) -> Result<SentDeadLetter, QueueError> {
        let mut state = self.state();
        if spend(&mut state.fail_letters) {
            return Err(QueueError::new("SendMessage", "ServiceUnavailable"));
        }
        let (body, trace_header, attributes) = letter.into_parts();
        let size =
            body.len() + attributes.iter().map(|(name, value)| name.len() + size(value)).sum::<usize>();
        if state.longest_letter.is_some_and(|longest| size > longest) {
            let error = QueueError::new("SendMessage", "InvalidParameterValue");
            return Err(error.with_class(ErrorClass::Rejected));
        }
        state.letters.push(Letter { body, trace_header, attributes });
        drop(state);
        self.0.changed.notify_waiters();
        Ok(SentDeadLetter { message_id: Some("letter-1".into()), request_id: Some("request-1".into()) })
    }
}
