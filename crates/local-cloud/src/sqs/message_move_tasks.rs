//! Message move tasks: redriving dead letters to their source queues, or to a given queue.

use std::collections::{HashMap, VecDeque};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;
use uuid::Uuid;

use super::errors::{invalid_parameter, no_such_resource};
use super::queue::{Queue, now_ms};
use super::queues::Queues;
use super::requests::{CancelMessageMoveTask, ListMessageMoveTasks, StartMessageMoveTask};
use crate::reply::AwsError;

/// How many tasks per queue are remembered; `ListMessageMoveTasks` returns at most ten.
const REMEMBERED: usize = 10;
const MAX_PER_SECOND: i64 = 500;
/// How many messages are moved before other tasks get their turn.
const MOVED_AT_ONCE: u64 = 64;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Status {
    Running,
    Completed,
    Cancelled,
    Failed(&'static str),
}

/// What a task's handle contains.
#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Handle {
    task_id: Uuid,
    source_arn: String,
}

#[derive(Debug)]
struct Task {
    id: Uuid,
    handle: String,
    source_arn: String,
    destination_arn: Option<String>,
    per_second: Option<u32>,
    to_move: u64,
    moved: AtomicU64,
    started: i64,
    status: Mutex<Status>,
    cancel: CancellationToken,
}

impl Task {
    fn status(&self) -> MutexGuard<'_, Status> {
        self.status.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn is_running(&self) -> bool {
        *self.status() == Status::Running
    }

    fn moved(&self) -> u64 {
        self.moved.load(Ordering::Relaxed)
    }

    fn to_json(&self) -> Value {
        let status = *self.status();
        let (name, reason) = match status {
            Status::Running if self.cancel.is_cancelled() => ("CANCELLING", None),
            Status::Running => ("RUNNING", None),
            Status::Completed => ("COMPLETED", None),
            Status::Cancelled => ("CANCELLED", None),
            Status::Failed(reason) => ("FAILED", Some(reason)),
        };
        let mut json = json!({
            "Status": name,
            "SourceArn": self.source_arn,
            "ApproximateNumberOfMessagesMoved": self.moved(),
            "ApproximateNumberOfMessagesToMove": self.to_move,
            "StartedTimestamp": self.started,
        });
        // As on AWS, only a running task can be cancelled, so only it shows its handle.
        let optional = [
            ("TaskHandle", (name == "RUNNING").then(|| self.handle.clone().into())),
            ("DestinationArn", self.destination_arn.clone().map(Value::from)),
            ("MaxNumberOfMessagesPerSecond", self.per_second.map(Value::from)),
            ("FailureReason", reason.map(Value::from)),
        ];
        for (member, value) in optional {
            if let Some(value) = value {
                json[member] = value;
            }
        }
        json
    }
}

#[derive(Debug)]
pub(super) struct MessageMoveTasks {
    queues: Queues,
    tasks: Mutex<HashMap<String, VecDeque<Arc<Task>>>>,
    stop: CancellationToken,
    tracker: TaskTracker,
}

impl MessageMoveTasks {
    pub(super) fn new(queues: Queues, stop: CancellationToken, tracker: TaskTracker) -> Self {
        Self { queues, tasks: Mutex::default(), stop, tracker }
    }

    fn tasks(&self) -> MutexGuard<'_, HashMap<String, VecDeque<Arc<Task>>>> {
        self.tasks.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn start(&self, input: StartMessageMoveTask) -> Result<Value, AwsError> {
        let source = self.queue(&input.source_arn, "SourceArn")?;
        if self.queues.sources_of(&source.arn).is_empty() {
            return Err(invalid_parameter("Source queue must be configured as a Dead Letter Queue."));
        }
        if let Some(arn) = &input.destination_arn
            && self.queue(arn, "DestinationArn")?.fifo != source.fifo
        {
            return Err(invalid_parameter("Source queue and destination queue must be of the same type."));
        }
        let per_second = match input.max_number_of_messages_per_second {
            None => None,
            Some(rate) => Some(u32::try_from(rate).ok().filter(|_| (1..=MAX_PER_SECOND).contains(&rate)).ok_or_else(
                || {
                    invalid_parameter(format!(
                        "Value {rate} for parameter MaxNumberOfMessagesPerSecond is invalid. Reason: Must be between 1 \
                         and {MAX_PER_SECOND}, if provided."
                    ))
                },
            )?),
        };
        let id = Uuid::new_v4();
        let handle = serde_json::to_vec(&Handle { task_id: id, source_arn: input.source_arn.clone() })
            .map(|handle| STANDARD.encode(handle))
            .map_err(|_| invalid_parameter("Value for parameter SourceArn is invalid."))?;
        let task = Arc::new(Task {
            id,
            handle: handle.clone(),
            source_arn: input.source_arn,
            destination_arn: input.destination_arn,
            per_second,
            to_move: u64::try_from(source.counts(Instant::now())?.ready).unwrap_or(u64::MAX),
            moved: AtomicU64::new(0),
            started: now_ms(),
            status: Mutex::new(Status::Running),
            cancel: self.stop.child_token(),
        });
        self.remember(&task)?;
        self.tracker.spawn(run(self.queues.clone(), source, task));
        Ok(json!({"TaskHandle": handle}))
    }

    /// Keeps a task for `ListMessageMoveTasks`, if no other is running, and forgets those of deleted queues.
    fn remember(&self, task: &Arc<Task>) -> Result<(), AwsError> {
        let mut tasks = self.tasks();
        tasks.retain(|arn, _| self.queues.exists(arn));
        let of_source = tasks.entry(task.source_arn.clone()).or_default();
        if of_source.iter().any(|task| task.is_running()) {
            return Err(invalid_parameter(
                "There is already a task running. Only one active task is allowed for a source queue arn at a given \
                 time.",
            ));
        }
        of_source.push_front(Arc::clone(task));
        of_source.truncate(REMEMBERED);
        Ok(())
    }

    pub(super) fn list(&self, input: &ListMessageMoveTasks) -> Result<Value, AwsError> {
        self.queue(&input.source_arn, "SourceArn")?;
        let most = input.max_results.unwrap_or(1);
        let most = usize::try_from(most).ok().filter(|most| (1..=REMEMBERED).contains(most)).ok_or_else(|| {
            invalid_parameter(format!(
                "Value {most} for parameter MaxResults is invalid. Reason: Must be between 1 and {REMEMBERED}, if \
                 provided."
            ))
        })?;
        let results: Vec<_> = self
            .tasks()
            .get(&input.source_arn)
            .into_iter()
            .flat_map(|tasks| tasks.iter().take(most))
            .map(|task| task.to_json())
            .collect();
        Ok(if results.is_empty() { json!({}) } else { json!({"Results": results}) })
    }

    pub(super) fn cancel(&self, input: &CancelMessageMoveTask) -> Result<Value, AwsError> {
        let handle: Handle = STANDARD
            .decode(&input.task_handle)
            .ok()
            .and_then(|json| serde_json::from_slice(&json).ok())
            .ok_or_else(|| invalid_parameter("Value for parameter TaskHandle is invalid."))?;
        self.queue(&handle.source_arn, "SourceArn")?;
        let tasks = self.tasks();
        let task = tasks
            .get(&handle.source_arn)
            .and_then(|tasks| tasks.iter().find(|task| task.id == handle.task_id))
            .ok_or_else(|| no_such_resource("Task does not exist."))?;
        if !task.is_running() {
            return Err(invalid_parameter("Only active tasks can be cancelled."));
        }
        task.cancel.cancel();
        Ok(json!({"ApproximateNumberOfMessagesMoved": task.moved()}))
    }

    fn queue(&self, arn: &str, parameter: &str) -> Result<Arc<Queue>, AwsError> {
        if arn.split(':').count() != 6 || !arn.starts_with("arn:") {
            return Err(invalid_parameter(format!(
                "You must use this format to specify the {parameter}: \
                 arn:<partition>:<service>:<region>:<account-id>:<resource-id>"
            )));
        }
        self.queues.by_arn(arn).ok_or_else(|| {
            no_such_resource(format!(
                "The resource that you specified for the {parameter} parameter doesn't exist."
            ))
        })
    }
}

async fn run(queues: Queues, source: Arc<Queue>, task: Arc<Task>) {
    let status = tokio::select! {
        biased;
        () = task.cancel.cancelled() => Status::Cancelled,
        status = move_all(&queues, &source, &task) => status,
    };
    if let Status::Failed(reason) = status {
        tracing::warn!(source = task.source_arn, reason, "message move task failed");
    }
    *task.status() = status;
}

/// Moves as many messages as were in the queue when the task started. Those that are dead-lettered again meanwhile are
/// not moved a second time, or the task might never end.
async fn move_all(queues: &Queues, source: &Queue, task: &Task) -> Status {
    let pause = task.per_second.map(|rate| Duration::from_secs(1) / rate);
    while task.moved() < task.to_move {
        if let Some(pause) = pause {
            tokio::time::sleep(pause).await;
        } else if task.moved() % MOVED_AT_ONCE == MOVED_AT_ONCE - 1 {
            tokio::task::yield_now().await;
        }
        match move_one(queues, source, task) {
            Ok(true) => {
                task.moved.fetch_add(1, Ordering::Relaxed);
            }
            Ok(false) => break,
            Err(reason) => return Status::Failed(reason),
        }
    }
    Status::Completed
}

/// Moves the next message, if any. At every await it is in at least one of the queues.
fn move_one(queues: &Queues, source: &Queue, task: &Task) -> Result<bool, &'static str> {
    const NO_QUEUE: &str = "AWS.SimpleQueueService.NonExistentQueue";
    let now = Instant::now();
    let Some(message) = source.pop(now).map_err(|_| NO_QUEUE)? else { return Ok(false) };
    let destination = task.destination_arn.as_deref().or(message.dead_letter_source.as_deref());
    let (target, reason) = match destination {
        Some(arn) => (queues.by_arn(arn), NO_QUEUE),
        None => (None, "CouldNotDetermineMessageSource"),
    };
    let refused = match target {
        Some(target) => target.take_over(message, true, now).err(),
        None => Some(Box::new(message)),
    };
    match refused {
        None => Ok(true),
        Some(message) => {
            // A deleted source has nothing to keep either.
            drop(source.take_over(*message, false, now));
            Err(reason)
        }
    }
}
