//! Messages that SQS delivers again or late, because of a fault. SQS itself does not know: the answers of its
//! receives are changed on their way to the client, as happens to a client of several of SQS's servers
//! (<https://docs.aws.amazon.com/AWSSimpleQueueService/latest/SQSDeveloperGuide/standard-queues-at-least-once-delivery.html>).

use std::collections::{BTreeMap, VecDeque};
use std::sync::{Mutex, MutexGuard, PoisonError};

use serde_json::{Value, json};

/// Messages kept for a later receive, in all queues together.
const MAX_KEPT: usize = 10_000;
/// The number of messages in an answer unless the request names another.
const DEFAULT_MESSAGES: usize = 1;

/// What happens to a delivery.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Delivery {
    /// The next receive delivers the messages once more.
    Duplicate,
    /// Younger messages come first.
    Reorder,
}

/// The messages that the next receive of a queue delivers besides its own, by queue.
#[derive(Debug, Default)]
pub(super) struct Deliveries(Mutex<BTreeMap<String, VecDeque<Value>>>);

/// The messages of earlier receives that belong into an answer.
#[derive(Debug, Default)]
pub(super) struct Due {
    queue: String,
    messages: Vec<Value>,
    /// Whether they fill the answer, so that nothing is received from the queue.
    pub(super) is_full: bool,
}

impl Deliveries {
    fn kept(&self) -> MutexGuard<'_, BTreeMap<String, VecDeque<Value>>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Returns what is due in the answer to this receive, and leaves room for it in the request, which then does not wait.
    pub(super) fn due(&self, input: &mut Value) -> Due {
        let queue = input["QueueUrl"].as_str().unwrap_or_default().to_owned();
        let mut kept = self.kept();
        let Some(waiting) = kept.get_mut(&queue) else { return Due { queue, ..Due::default() } };
        let room = input["MaxNumberOfMessages"]
            .as_u64()
            .map_or(DEFAULT_MESSAGES, |most| usize::try_from(most).unwrap_or(DEFAULT_MESSAGES));
        let messages: Vec<_> = waiting.drain(..room.min(waiting.len())).collect();
        if waiting.is_empty() {
            kept.remove(&queue);
        }
        let is_full = messages.len() == room;
        input["WaitTimeSeconds"] = 0.into();
        input["MaxNumberOfMessages"] = (room - messages.len()).into();
        Due { queue, messages, is_full }
    }

    /// Completes an answer with what is due, and applies the fault to its own messages.
    pub(super) fn deliver(&self, output: &mut Value, due: Due, fault: Option<Delivery>) {
        let mut messages = match output.get_mut("Messages").map(Value::take) {
            Some(Value::Array(messages)) => messages,
            _ => Vec::new(),
        };
        match fault {
            Some(Delivery::Duplicate) => self.keep(&due.queue, messages.iter().map(once_more)),
            // Held back until the next receive, which puts its own messages first.
            Some(Delivery::Reorder) if messages.len() == 1 && due.messages.is_empty() => {
                self.keep(&due.queue, messages.drain(..));
            }
            Some(Delivery::Reorder) => messages.reverse(),
            None => {}
        }
        messages.extend(due.messages);
        if !messages.is_empty() {
            output["Messages"] = Value::Array(messages);
        } else if let Some(output) = output.as_object_mut() {
            output.remove("Messages");
        }
    }

    fn keep(&self, queue: &str, messages: impl Iterator<Item = Value>) {
        let mut kept = self.kept();
        let room = MAX_KEPT.saturating_sub(kept.values().map(VecDeque::len).sum());
        let mut messages = messages.take(room).peekable();
        if messages.peek().is_some() {
            kept.entry(queue.to_owned()).or_default().extend(messages);
        }
    }
}

/// Returns the message as it is delivered once more.
fn once_more(message: &Value) -> Value {
    let mut message = message.clone();
    if let Some(count) = message["Attributes"]["ApproximateReceiveCount"].as_str()
        && let Ok(count) = count.parse::<u64>()
    {
        message["Attributes"]["ApproximateReceiveCount"] = json!((count + 1).to_string());
    }
    message
}

#[cfg(test)]
mod tests {
    use super::*;

    fn receive(
        deliveries: &Deliveries,
        most: u64,
        available: &[u64],
        fault: Option<Delivery>,
    ) -> (Vec<u64>, Value) {
        let mut input = json!({"QueueUrl": "q", "MaxNumberOfMessages": most, "WaitTimeSeconds": 20});
        let due = deliveries.due(&mut input);
        let messages: Vec<_> = available
            .iter()
            .map(|id| json!({"MessageId": id, "Attributes": {"ApproximateReceiveCount": "1"}}))
            .collect();
        let mut output = json!({ "Messages": messages });
        deliveries.deliver(&mut output, due, fault);
        let ids = output["Messages"].as_array().into_iter().flatten();
        (ids.map(|message| message["MessageId"].as_u64().unwrap()).collect(), input)
    }

    #[test]
    fn duplicates_come_with_the_next_receive_which_does_not_wait() {
        let deliveries = Deliveries::default();
        let (first, input) = receive(&deliveries, 10, &[1, 2], Some(Delivery::Duplicate));
        assert_eq!((first, &input["WaitTimeSeconds"]), (vec![1, 2], &json!(20)));
        let (second, input) = receive(&deliveries, 10, &[3], None);
        assert_eq!((second, &input["WaitTimeSeconds"]), (vec![3, 1, 2], &json!(0)));
        assert_eq!(input["MaxNumberOfMessages"], 8);
        assert_eq!(receive(&deliveries, 10, &[], None).0, Vec::<u64>::new());
    }

    #[test]
    fn a_full_answer_leaves_the_rest_for_later() {
        let deliveries = Deliveries::default();
        receive(&deliveries, 2, &[1, 2], Some(Delivery::Duplicate));
        let mut input = json!({"QueueUrl": "q"});
        let due = deliveries.due(&mut input);
        assert!(due.is_full);
        let mut output = json!({});
        deliveries.deliver(&mut output, due, None);
        assert_eq!(output["Messages"][0]["MessageId"], 1);
        assert_eq!(output["Messages"][0]["Attributes"]["ApproximateReceiveCount"], "2");
        assert_eq!(receive(&deliveries, 1, &[], None).0, [2]);
    }

    #[test]
    fn younger_messages_come_first() {
        let deliveries = Deliveries::default();
        assert_eq!(receive(&deliveries, 10, &[1, 2, 3], Some(Delivery::Reorder)).0, [3, 2, 1]);
        assert_eq!(receive(&deliveries, 10, &[4], Some(Delivery::Reorder)).0, Vec::<u64>::new());
        assert_eq!(receive(&deliveries, 10, &[5], Some(Delivery::Reorder)).0, [5, 4]);
        // Nothing is lost if no younger one follows.
        receive(&deliveries, 10, &[6], Some(Delivery::Reorder));
        assert_eq!(receive(&deliveries, 10, &[], None).0, [6]);
    }
}
