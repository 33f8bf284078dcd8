//! All queues: finding, creating and deleting them, and sending to them.

use std::collections::{BTreeMap, HashMap};
use std::sync::{Arc, Mutex, PoisonError, RwLock};
use std::time::Duration;

use tokio::time::Instant;
use uuid::Uuid;

use super::attributes::{Attributes, Given};
use super::deduplication::Sent;
use super::digest;
use super::draft::Draft;
use super::errors::{invalid_parameter, no_such_queue, over_limit, queue_deleted_recently, queue_exists};
use super::message::{Message, Received};
use super::outgoing::Outgoing;
use super::queue::{Identity, Queue, Receive, now_ms};
use super::receipt_handle::Seal;
use super::redrive::RedrivePolicy;
use crate::budget::Budget;
use crate::reply::AwsError;

/// What a message takes besides its texts.
const OVERHEAD: usize = 600;
const MAX_QUEUES: usize = 10_000;
const FIFO_SUFFIX: &str = ".fifo";
/// How long the name of a deleted queue cannot be used again (API reference, `DeleteQueue`).
const NAME_BLOCKED: Duration = Duration::from_mins(1);

/// A handle to all queues; cheap to clone.
#[derive(Clone, Debug)]
pub(crate) struct Queues(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    account: Arc<str>,
    /// The beginning of every queue's ARN.
    arn_prefix: String,
    /// The beginning of every queue's URL.
    url_prefix: String,
    queues: RwLock<BTreeMap<String, Arc<Queue>>>,
    deleted: Mutex<HashMap<String, Instant>>,
    seal: Seal,
    budget: Budget,
    memory: usize,
}

impl Queues {
    /// `endpoint` is what queue URLs begin with; `memory` is how many bytes all messages may take.
    pub(super) fn new(region: &str, account: &str, endpoint: &str, memory: usize) -> Self {
        Self(Arc::new(Inner {
            account: account.into(),
            arn_prefix: format!("arn:aws:sqs:{region}:{account}:"),
            url_prefix: format!("{endpoint}/{account}/"),
            queues: RwLock::default(),
            deleted: Mutex::default(),
            seal: Seal::default(),
            budget: Budget::new(memory),
            memory,
        }))
    }

    /// Returns the URL of the queue with this ARN, which must be of this account and region but need not exist.
    pub(crate) fn url_of(&self, arn: &str) -> Result<String, AwsError> {
        self.name_in(arn).map(|name| format!("{}{name}", self.0.url_prefix)).ok_or_else(|| {
            invalid_parameter(format!("{arn} is not the ARN of a queue of this account and region"))
        })
    }

    /// Returns whether there is a queue with this ARN.
    pub(crate) fn exists(&self, arn: &str) -> bool {
        self.by_arn(arn).is_some()
    }

    /// Sends to the queue with this ARN.
    pub(crate) async fn send_to(&self, arn: &str, message: Outgoing) -> Result<(), AwsError> {
        // A topic or rule sends to many queues in a row, and must not keep the thread from others.
        tokio::task::coop::consume_budget().await;
        let queue = self.by_arn(arn).ok_or_else(no_such_queue)?;
        let draft = Draft {
            body: message.body,
            attributes: message.attributes.into_iter().collect(),
            trace_header: message.trace_header,
            group_id: message.group_id,
            deduplication_id: message.deduplication_id.filter(|_| queue.fifo),
            delay: None,
        };
        self.send(&queue, draft, Instant::now()).map(drop)
    }

    /// Checks and sends a message.
    pub(super) fn send(&self, queue: &Queue, draft: Draft, now: Instant) -> Result<Sent, AwsError> {
        let draft = draft.checked(queue.send_rules())?;
        let delay = draft.delay.and_then(|delay| u64::try_from(delay).ok()).map(Duration::from_secs);
        // FIFO queues only know the delay of the queue.
        queue.send(self.message(draft, now)?, delay.filter(|_| !queue.fifo))
    }

    fn message(&self, draft: Draft, now: Instant) -> Result<Message, AwsError> {
        let bytes = draft.size() + OVERHEAD;
        let share = self
            .0
            .budget
            .take(bytes)
            .or_else(|| {
                self.drop_expired(now);
                self.0.budget.take(bytes)
            })
            .ok_or_else(|| {
                over_limit(format!(
                    "The local cloud keeps at most {} bytes of messages in all queues.",
                    self.0.memory
                ))
            })?;
        Ok(Message {
            id: Uuid::new_v4(),
            md5_of_body: digest::of_body(&draft.body),
            body: draft.body,
            attributes: draft.attributes,
            trace_header: draft.trace_header,
            sender_id: Arc::clone(&self.0.account),
            group_id: draft.group_id.map(Into::into),
            deduplication_id: draft.deduplication_id,
            sequence_number: None,
            sent: now_ms(),
            since: now,
            first_received: None,
            receive_count: 0,
            dead_letter_source: None,
            _share: share,
        })
    }

    /// Receives messages, and moves those that were received too often to the dead-letter queue. If that no longer
    /// exists, they stay and go on being received.
    pub(super) fn receive(
        &self,
        queue: &Queue,
        receive: &Receive,
        now: Instant,
    ) -> Result<Vec<Received>, AwsError> {
        let redrive = queue.redrive();
        let target = redrive.as_ref().and_then(|policy| self.by_arn(&policy.target_arn));
        let max_receives = redrive.filter(|_| target.is_some()).map(|policy| policy.max_receive_count);
        let (received, dead) = queue.receive(receive, max_receives, now)?;
        if let Some(target) = target {
            for mut message in dead {
                message.dead_letter_source = Some(Arc::clone(&queue.arn));
                if let Err(message) = target.take_over(message, false, now) {
                    // The dead-letter queue was deleted in this moment. Deleted queues drop what they are given.
                    drop(queue.take_over(*message, false, now));
                }
            }
        }
        Ok(received)
    }

    /// Creates a queue, or returns the one that has this name and no other attributes.
    pub(super) fn create(
        &self,
        name: &str,
        given: &Given,
        tags: BTreeMap<String, String>,
        now: Instant,
    ) -> Result<Arc<Queue>, AwsError> {
        let wants_fifo = given.get("FifoQueue").and_then(Option::as_deref);
        let fifo = check_name(name, wants_fifo.is_some_and(|value| value.eq_ignore_ascii_case("true")))?;
        if let Some(queue) = self.by_name(name) {
            return match queue.attributes().difference(given)? {
                Some(attribute) => Err(queue_exists(&attribute)),
                None => Ok(queue),
            };
        }
        let mut attributes = Attributes::new(fifo);
        attributes.apply(given)?;
        let arn = format!("{}{name}", self.0.arn_prefix);
        self.check_redrive(attributes.redrive.as_ref(), &arn, fifo)?;
        self.check_not_deleted_recently(name, now)?;

        let mut queues = self.0.queues.write().unwrap_or_else(PoisonError::into_inner);
        if queues.len() >= MAX_QUEUES {
            return Err(over_limit(format!("The local cloud has at most {MAX_QUEUES} queues.")));
        }
        let queue = queues.entry(name.to_owned()).or_insert_with(|| {
            let identity = Identity {
                name: name.to_owned(),
                arn,
                url: format!("{}{name}", self.0.url_prefix),
                id: rand::random(),
            };
            Arc::new(Queue::new(identity, attributes, tags, self.0.seal.clone()))
        });
        Ok(Arc::clone(queue))
    }

    pub(super) fn delete(&self, queue: &Queue, now: Instant) {
        self.0.queues.write().unwrap_or_else(PoisonError::into_inner).remove(&queue.name);
        queue.mark_deleted();
        let mut deleted = self.0.deleted.lock().unwrap_or_else(PoisonError::into_inner);
        deleted.retain(|_, at| now < *at + NAME_BLOCKED);
        deleted.insert(queue.name.clone(), now);
    }

    fn check_not_deleted_recently(&self, name: &str, now: Instant) -> Result<(), AwsError> {
        let mut deleted = self.0.deleted.lock().unwrap_or_else(PoisonError::into_inner);
        deleted.retain(|_, at| now < *at + NAME_BLOCKED);
        if deleted.contains_key(name) { Err(queue_deleted_recently()) } else { Ok(()) }
    }

    /// Checks that the queue of a redrive policy exists, is of the same type, and takes dead letters from this one.
    pub(super) fn check_redrive(
        &self,
        policy: Option<&RedrivePolicy>,
        source_arn: &str,
        fifo: bool,
    ) -> Result<(), AwsError> {
        let Some(policy) = policy else { return Ok(()) };
        let refused = |reason: String| RedrivePolicy::refused(&policy.text, reason);
        if is_fifo_name(&policy.target_arn) != fifo {
            return Err(refused("Dead-letter queue must be same type of queue as the source.".to_owned()));
        }
        let target = self
            .by_arn(&policy.target_arn)
            .ok_or_else(|| refused("Dead letter target does not exist.".to_owned()))?;
        match target.attributes().redrive_allow {
            Some(allow) if !allow.allows(source_arn) => Err(refused(format!(
                "The redrive allow policy of {} does not allow this queue to use it as its dead-letter queue.",
                policy.target_arn
            ))),
            _ => Ok(()),
        }
    }

    /// Returns the queue that a request names: by its URL, whatever the host, or by its name alone.
    pub(super) fn by_url(&self, url: &str) -> Result<Arc<Queue>, AwsError> {
        let mut segments = url.trim_end_matches('/').rsplit('/');
        let name = segments.next().unwrap_or_default();
        let is_account = |segment: &&str| segment.len() == 12 && segment.bytes().all(|b| b.is_ascii_digit());
        match segments.next().filter(is_account) {
            Some(account) if *account != *self.0.account => Err(no_such_queue()),
            _ => self.by_name(name).ok_or_else(no_such_queue),
        }
    }

    pub(super) fn by_name(&self, name: &str) -> Option<Arc<Queue>> {
        self.0.queues.read().unwrap_or_else(PoisonError::into_inner).get(name).cloned()
    }

    pub(super) fn by_arn(&self, arn: &str) -> Option<Arc<Queue>> {
        self.by_name(self.name_in(arn)?)
    }

    pub(super) fn account(&self) -> &str {
        &self.0.account
    }

    /// Returns the queues whose names begin with a prefix and come after a name, in the order of their names.
    pub(super) fn list(&self, prefix: &str, after: Option<&str>, most: usize) -> Vec<Arc<Queue>> {
        let queues = self.0.queues.read().unwrap_or_else(PoisonError::into_inner);
        queues
            .values()
            .filter(|queue| queue.name.starts_with(prefix))
            .filter(|queue| after.is_none_or(|after| queue.name.as_str() > after))
            .take(most)
            .cloned()
            .collect()
    }

    /// Returns the queues that name this one as their dead-letter queue.
    pub(super) fn sources_of(&self, arn: &str) -> Vec<Arc<Queue>> {
        let mut all = self.list("", None, usize::MAX);
        all.retain(|queue| queue.redrive().is_some_and(|policy| policy.target_arn == arn));
        all
    }

    fn name_in<'a>(&self, arn: &'a str) -> Option<&'a str> {
        arn.strip_prefix(&self.0.arn_prefix).filter(|name| is_name(name))
    }

    fn drop_expired(&self, now: Instant) {
        for queue in self.list("", None, usize::MAX) {
            queue.drop_expired(now);
        }
    }
}

/// Returns whether a name or ARN is that of a FIFO queue.
fn is_fifo_name(name: &str) -> bool {
    name.strip_suffix(FIFO_SUFFIX).is_some()
}

fn is_name(name: &str) -> bool {
    let base = name.strip_suffix(FIFO_SUFFIX).unwrap_or(name);
    (1..=80).contains(&name.len())
        && !base.is_empty()
        && base.bytes().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_'))
}

/// Checks the name of a new queue. Returns whether it is a FIFO queue.
fn check_name(name: &str, wants_fifo: bool) -> Result<bool, AwsError> {
    if name.is_empty() {
        return Err(invalid_parameter("Queue name cannot be empty"));
    }
    if wants_fifo && !(is_name(name) && is_fifo_name(name)) {
        return Err(invalid_parameter(
            "The name of a FIFO queue can only include alphanumeric characters, hyphens, or underscores, must end with \
             .fifo suffix and be 1 to 80 in length.",
        ));
    }
    if !is_name(name) || is_fifo_name(name) != wants_fifo {
        return Err(invalid_parameter(
            "Can only include alphanumeric characters, hyphens, or underscores. 1 to 80 in length",
        ));
    }
    Ok(wants_fifo)
}

#[cfg(test)]
mod tests;
