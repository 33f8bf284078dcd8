//! SQS: queues in memory that answer as AWS's do.
//!
//! `queue` is one queue and its lock, `backlog` and `order` are the logic of its messages, `queues` is all of them.
//! `management` and `messaging` are the operations.

mod attempts;
mod attributes;
mod backlog;
mod batch;
mod characters;
mod deduplication;
mod digest;
mod draft;
mod errors;
mod management;
mod message;
mod message_attributes;
mod message_move_tasks;
mod messaging;
mod order;
mod outgoing;
mod permissions;
mod queue;
mod queues;
mod receipt_handle;
mod redrive;
mod requests;

use std::net::SocketAddr;

use serde_json::{Value, json};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use self::message_move_tasks::MessageMoveTasks;
pub(crate) use self::outgoing::{MessageAttributeValue, Outgoing};
pub(crate) use self::queues::Queues;
use crate::call::Call;
use crate::reply::AwsError;
use crate::settings::Settings;
use crate::trace_header;

#[derive(Debug)]
pub(crate) struct Sqs {
    queues: Queues,
    move_tasks: MessageMoveTasks,
    stop: CancellationToken,
}

impl Sqs {
    pub(crate) fn new(
        settings: &Settings,
        address: SocketAddr,
        stop: CancellationToken,
        tasks: TaskTracker,
    ) -> Self {
        let host =
            if address.ip().is_unspecified() { "localhost".to_owned() } else { address.ip().to_string() };
        let endpoint = format!("http://{host}:{}", address.port());
        let queues = Queues::new(&settings.region, &settings.account_id, &endpoint, settings.message_bytes());
        Self { move_tasks: MessageMoveTasks::new(queues.clone(), stop.clone(), tasks), queues, stop }
    }

    pub(crate) fn queues(&self) -> Queues {
        self.queues.clone()
    }

    pub(crate) async fn answer(&self, call: &Call) -> Result<Value, AwsError> {
        let queues = &self.queues;
        let of_request = trace_header::of_http(&call.headers);
        let output = match call.operation.as_str() {
            "SendMessage" => messaging::send(queues, call.read()?, of_request.as_ref()),
            "SendMessageBatch" => messaging::send_batch(queues, call.read()?, of_request.as_ref()),
            "ReceiveMessage" => messaging::receive(queues, call.read()?, &self.stop).await,
            "DeleteMessage" => messaging::delete(queues, &call.read()?),
            "DeleteMessageBatch" => messaging::delete_batch(queues, call.read()?),
            "ChangeMessageVisibility" => messaging::change_visibility(queues, &call.read()?),
            "ChangeMessageVisibilityBatch" => messaging::change_visibility_batch(queues, call.read()?),
            "CreateQueue" => management::create(queues, call.read()?),
            "GetQueueUrl" => management::url(queues, &call.read()?),
            "ListQueues" => management::list(queues, &call.read()?),
            "ListDeadLetterSourceQueues" => management::dead_letter_sources(queues, &call.read()?),
            "DeleteQueue" => management::delete(queues, &call.read()?),
            "PurgeQueue" => management::purge(queues, &call.read()?),
            "GetQueueAttributes" => management::attributes(queues, &call.read()?),
            "SetQueueAttributes" => management::set_attributes(queues, &call.read()?),
            "AddPermission" => management::add_permission(queues, &call.read()?),
            "RemovePermission" => management::remove_permission(queues, &call.read()?),
            "TagQueue" => management::tag(queues, call.read()?),
            "UntagQueue" => management::untag(queues, &call.read()?),
            "ListQueueTags" => management::tags(queues, &call.read()?),
            "StartMessageMoveTask" => self.move_tasks.start(call.read()?),
            "ListMessageMoveTasks" => self.move_tasks.list(&call.read()?),
            "CancelMessageMoveTask" => self.move_tasks.cancel(&call.read()?),
            _ => Err(call.not_supported()),
        };
        // Operations without output answer with an empty object.
        output.map(|output| if output.is_null() { json!({}) } else { output })
    }
}
