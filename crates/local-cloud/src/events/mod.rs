//! EventBridge: buses, rules and their targets, schedules, archives and replays.
//!
//! An event is sent straight to the queues of the matching rules, before `PutEvents` answers: none is dropped because
//! something is busy.

mod archive;
mod archives;
mod bus;
mod buses;
mod clock;
mod entry;
mod errors;
mod input;
mod names;
mod paging;
mod replay;
mod replays;
mod rules;
mod schedule;
mod state;
mod target;
mod targets;
mod time;

use serde_json::{Value, json};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

pub(crate) use self::buses::Buses;
use self::entry::PutEvents;
pub(crate) use self::entry::{Entry, Rejected, ServiceEvent};
use self::state::RuleState;
use crate::call::Call;
use crate::reply::AwsError;
use crate::settings::Settings;
use crate::sns::Publisher;
use crate::sqs::Queues;
use crate::trace_header;

#[derive(Debug)]
pub(crate) struct Events {
    buses: Buses,
    tasks: TaskTracker,
}

impl Events {
    pub(crate) fn new(
        settings: &Settings,
        queues: Queues,
        topics: Publisher,
        stop: CancellationToken,
        tasks: TaskTracker,
    ) -> Self {
        let buses = Buses::new(queues, topics, settings);
        tasks.spawn(clock::run(buses.clone(), stop));
        Self { buses, tasks }
    }

    pub(crate) fn buses(&self) -> Buses {
        self.buses.clone()
    }

    pub(crate) async fn answer(&self, call: &Call) -> Result<Value, AwsError> {
        let buses = &self.buses;
        match call.operation.as_str() {
            "PutEvents" => self.put_events(call).await,
            "CreateEventBus" => bus::create(buses, call.read()?),
            "DeleteEventBus" => bus::delete(buses, &call.read()?),
            "DescribeEventBus" => bus::describe(buses, &call.read()?),
            "ListEventBuses" => bus::list(buses, &call.read()?),
            "UpdateEventBus" => bus::update(buses, call.read()?),
            "PutPermission" => bus::put_permission(buses, call.read()?),
            "RemovePermission" => bus::remove_permission(buses, &call.read()?),
            "PutRule" => rules::put(buses, call.read()?),
            "DeleteRule" => rules::delete(buses, &call.read()?),
            "DescribeRule" => rules::describe(buses, &call.read()?),
            "ListRules" => rules::list(buses, &call.read()?),
            "EnableRule" => rules::set_state(buses, &call.read()?, RuleState::Enabled),
            "DisableRule" => rules::set_state(buses, &call.read()?, RuleState::Disabled),
            "TestEventPattern" => rules::test_pattern(&call.read()?),
            "TagResource" => rules::tag(buses, call.read()?),
            "UntagResource" => rules::untag(buses, &call.read()?),
            "ListTagsForResource" => rules::list_tags(buses, &call.read()?),
            "PutTargets" => targets::put(buses, &call.read()?),
            "RemoveTargets" => targets::remove(buses, &call.read()?),
            "ListTargetsByRule" => targets::list(buses, &call.read()?),
            "ListRuleNamesByTarget" => targets::list_rule_names(buses, &call.read()?),
            "CreateArchive" => archives::create(buses, call.read()?),
            "UpdateArchive" => archives::update(buses, call.read()?),
            "DescribeArchive" => archives::describe(buses, &call.read()?),
            "DeleteArchive" => archives::delete(buses, &call.read()?),
            "ListArchives" => archives::list(buses, &call.read()?),
            "StartReplay" => replays::start(buses, &self.tasks, call.read()?),
            "CancelReplay" => replays::cancel(buses, &call.read()?),
            "DescribeReplay" => replays::describe(buses, &call.read()?),
            "ListReplays" => replays::list(buses, &call.read()?),
            _ => Err(call.not_supported()),
        }
    }

    async fn put_events(&self, call: &Call) -> Result<Value, AwsError> {
        let entries = call.read::<PutEvents>()?.entries()?;
        let of_request = trace_header::of_http(&call.headers);
        let buses = self.buses.clone();
        // In a separate task: a producer that disconnects must not leave an event delivered to only some targets.
        let task = self.tasks.spawn(async move {
            let mut failed = 0;
            let mut results = Vec::with_capacity(entries.len());
            for entry in entries {
                let header = trace_header::own_or(entry.trace_header.as_deref(), of_request.as_ref());
                results.push(match buses.put(&entry, header).await {
                    Ok(id) => json!({"EventId": id}),
                    Err(Rejected { code, message }) => {
                        failed += 1;
                        json!({"ErrorCode": code, "ErrorMessage": message})
                    }
                });
            }
            json!({"FailedEntryCount": failed, "Entries": results})
        });
        task.await.map_err(|error| {
            tracing::error!(%error, "putting events failed");
            call.service.internal_failure()
        })
    }
}
