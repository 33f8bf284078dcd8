//! Message move tasks: redriving dead letters to their source queues, or to a given queue.

use std::collections::{HashMap, VecDeque};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use base64::Engine as _;
use jiff::Timestamp;
use rustack_sqs_model::error::{SqsError, SqsErrorCode};
use rustack_sqs_model::input::{
    CancelMessageMoveTaskInput, ListDeadLetterSourceQueuesInput, ListMessageMoveTasksInput,
    StartMessageMoveTaskInput,
};
use rustack_sqs_model::output::{
    CancelMessageMoveTaskOutput, ListMessageMoveTasksOutput, StartMessageMoveTaskOutput,
};
use rustack_sqs_model::types::{ListMessageMoveTasksResultEntry, Message};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;
use uuid::Uuid;

use super::queues::Queues;
use crate::reply::AwsError;

/// How many tasks per queue are remembered; `ListMessageMoveTasks` returns at most ten.
const REMEMBERED: usize = 10;
/// How long a message being moved is hidden from other consumers.
const VISIBILITY_S: i32 = 30;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Status {
    Running,
    Completed,
    Cancelled,
    Failed(&'static str),
}

#[derive(Debug)]
struct Task {
    handle: String,
    source_arn: String,
    destination_arn: Option<String>,
    per_second: Option<i32>,
    to_move: u64,
    moved: AtomicU64,
    started: Timestamp,
    status: Mutex<Status>,
    cancel: CancellationToken,
}

impl Task {
    fn status(&self) -> MutexGuard<'_, Status> {
        self.status.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn moved(&self) -> Option<i64> {
        i64::try_from(self.moved.load(Ordering::Relaxed)).ok()
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

    pub(super) async fn start(
        &self,
        input: StartMessageMoveTaskInput,
    ) -> Result<StartMessageMoveTaskOutput, SqsError> {
        let source_url = self.queues.url_of(&input.source_arn).map_err(engine_error)?;
        let to_move = self.queues.depth(&source_url).await.map_err(|_| no_such_resource())?;
        if let Some(arn) = &input.destination_arn {
            let url = self.queues.url_of(arn).map_err(engine_error)?;
            self.queues.depth(&url).await.map_err(|_| no_such_resource())?;
        }
        let sources = ListDeadLetterSourceQueuesInput {
            queue_url: source_url.clone(),
            ..ListDeadLetterSourceQueuesInput::default()
        };
        if self.queues.engine.list_dead_letter_source_queues(sources).await?.queue_urls.is_empty() {
            return Err(SqsError::invalid_parameter_value(
                "Source queue must be configured as a Dead Letter Queue.",
            ));
        }

        let task = Arc::new(Task {
            handle: base64::engine::general_purpose::STANDARD.encode(format!(
                r#"{{"taskId":"{}","sourceArn":"{}"}}"#,
                Uuid::new_v4(),
                input.source_arn
            )),
            source_arn: input.source_arn.clone(),
            destination_arn: input.destination_arn,
            per_second: input.max_number_of_messages_per_second,
            to_move,
            moved: AtomicU64::new(0),
            started: Timestamp::now(),
            status: Mutex::new(Status::Running),
            cancel: self.stop.child_token(),
        });
        {
            let mut tasks = self.tasks();
            let of_source = tasks.entry(input.source_arn).or_default();
            if of_source.iter().any(|task| *task.status() == Status::Running) {
                return Err(SqsError::new(
                    SqsErrorCode::UnsupportedOperation,
                    "Only one active message movement task is supported per queue.",
                ));
            }
            of_source.push_front(Arc::clone(&task));
            of_source.truncate(REMEMBERED);
        }
        let handle = task.handle.clone();
        self.tracker.spawn(run(self.queues.clone(), source_url, task));
        Ok(StartMessageMoveTaskOutput { task_handle: Some(handle) })
    }

    pub(super) fn list(
        &self,
        input: &ListMessageMoveTasksInput,
    ) -> Result<ListMessageMoveTasksOutput, SqsError> {
        self.queues.url_of(&input.source_arn).map_err(engine_error)?;
        let most = usize::try_from(input.max_results.unwrap_or(1)).unwrap_or(1).clamp(1, REMEMBERED);
        let results = self
            .tasks()
            .get(&input.source_arn)
            .map(|tasks| tasks.iter().take(most).map(|task| entry(task)).collect())
            .unwrap_or_default();
        Ok(ListMessageMoveTasksOutput { results })
    }

    pub(super) fn cancel(
        &self,
        input: &CancelMessageMoveTaskInput,
    ) -> Result<CancelMessageMoveTaskOutput, SqsError> {
        let tasks = self.tasks();
        let task = tasks
            .values()
            .flatten()
            .find(|task| task.handle == input.task_handle && *task.status() == Status::Running)
            .ok_or_else(|| SqsError::resource_not_found("Task does not exist or is not running."))?;
        task.cancel.cancel();
        Ok(CancelMessageMoveTaskOutput { approximate_number_of_messages_moved: task.moved() })
    }
}

fn no_such_resource() -> SqsError {
    SqsError::resource_not_found(
        "The resource that you specified for the SourceArn or DestinationArn parameter doesn't exist.",
    )
}

fn engine_error(error: AwsError) -> SqsError {
    SqsError::invalid_parameter_value(error.message)
}

fn entry(task: &Task) -> ListMessageMoveTasksResultEntry {
    let status = *task.status();
    let (name, reason) = match status {
        Status::Running if task.cancel.is_cancelled() => ("CANCELLING", None),
        Status::Running => ("RUNNING", None),
        Status::Completed => ("COMPLETED", None),
        Status::Cancelled => ("CANCELLED", None),
        Status::Failed(reason) => ("FAILED", Some(reason)),
    };
    ListMessageMoveTasksResultEntry {
        // As on AWS, only a running task can be cancelled, so only it shows its handle.
        task_handle: (status == Status::Running).then(|| task.handle.clone()),
        source_arn: Some(task.source_arn.clone()),
        destination_arn: task.destination_arn.clone(),
        max_number_of_messages_per_second: task.per_second,
        approximate_number_of_messages_moved: task.moved(),
        approximate_number_of_messages_to_move: i64::try_from(task.to_move).ok(),
        failure_reason: reason.map(str::to_owned),
        status: Some(name.to_owned()),
        started_timestamp: Some(task.started.as_millisecond()),
    }
}

async fn run(queues: Queues, source_url: String, task: Arc<Task>) {
    let status = tokio::select! {
        biased;
        () = task.cancel.cancelled() => Status::Cancelled,
        status = move_all(&queues, &source_url, &task) => status,
    };
    if let Status::Failed(reason) = status {
        tracing::warn!(source = task.source_arn, reason, "message move task failed");
    }
    *task.status() = status;
}

/// Moves as many messages as were in the queue when the task started. Those that are dead-lettered again meanwhile are
/// not moved a second time, or the task might never end.
async fn move_all(queues: &Queues, source_url: &str, task: &Task) -> Status {
    let pause = task
        .per_second
        .and_then(|rate| u32::try_from(rate).ok())
        .filter(|rate| *rate > 0)
        .map(|rate| Duration::from_secs(1) / rate);
    while task.moved.load(Ordering::Relaxed) < task.to_move {
        let Ok(messages) = queues.receive_packed(source_url, VISIBILITY_S).await else {
            return Status::Failed("AWS.SimpleQueueService.NonExistentQueue");
        };
        if messages.is_empty() {
            break;
        }
        for message in messages {
            if let Err(reason) = move_one(queues, source_url, task, &message).await {
                return Status::Failed(reason);
            }
            task.moved.fetch_add(1, Ordering::Relaxed);
            if let Some(pause) = pause {
                tokio::time::sleep(pause).await;
            }
        }
    }
    Status::Completed
}

/// Sends before it deletes: an interrupted task duplicates a message rather than losing it.
async fn move_one(
    queues: &Queues,
    source_url: &str,
    task: &Task,
    message: &Message,
) -> Result<(), &'static str> {
    let destination = task
        .destination_arn
        .as_ref()
        .or_else(|| message.attributes.get("DeadLetterQueueSourceArn"))
        .ok_or("CouldNotDetermineMessageSource")?;
    let url = queues.url_of(destination).map_err(|_| "AWS.SimpleQueueService.NonExistentQueue")?;
    queues.send_packed(&url, message).await.map_err(|error| error.code.error_type())?;
    let receipt_handle = message.receipt_handle.as_deref().unwrap_or_default();
    queues.delete(source_url, receipt_handle).await.map_err(|error| error.code.error_type())
}
