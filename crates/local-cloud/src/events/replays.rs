//! The operations on replays, and the replaying.

use std::sync::Arc;

use jiff::{SignedDuration, Timestamp};
use serde::Deserialize;
use serde_json::{Value, json};
use tokio_util::task::TaskTracker;

use super::archive::Archived;
use super::buses::Buses;
use super::errors::{already_exists, limit_exceeded, not_found, parameter};
use super::input::Arrived;
use super::paging::Filtered;
use super::replay::{Destination, Replay, ReplayState};
use super::state::take;
use super::time::seconds;
use crate::reply::AwsError;

/// Service Quotas, "Number of concurrent replays".
const MAX_ACTIVE: usize = 10;
/// Finished replays to remember.
const MAX_REPLAYS: usize = 1000;

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct StartReplay {
    replay_name: String,
    event_source_arn: String,
    description: Option<String>,
    event_start_time: f64,
    event_end_time: f64,
    destination: Destination,
}

fn time(name: &str, seconds: f64) -> Result<Timestamp, AwsError> {
    SignedDuration::try_from_secs_f64(seconds)
        .ok()
        .and_then(|since_epoch| Timestamp::from_duration(since_epoch).ok())
        .ok_or_else(|| parameter(name, "It is not a point in time."))
}

pub(super) fn start(buses: &Buses, tasks: &TaskTracker, input: StartReplay) -> Result<Value, AwsError> {
    let event_start = time("EventStartTime", input.event_start_time)?;
    let event_end = time("EventEndTime", input.event_end_time)?;
    if event_end <= event_start {
        return Err(parameter("EventEndTime", "EventStartTime must be before EventEndTime."));
    }
    if !input.destination.arn.contains(":event-bus/") {
        return Err(parameter("Destination.Arn", "Must contain an event bus ARN."));
    }
    let mut state = buses.state();
    let bus = buses.names().bus_name(Some(&input.destination.arn)).to_owned();
    state.bus(&bus)?;
    let archive_name = input.event_source_arn.rsplit('/').next().unwrap_or_default();
    let archive =
        state.archives.get(archive_name).filter(|archive| archive.arn == input.event_source_arn).ok_or_else(
            || parameter("EventSourceArn", format_args!("Archive {archive_name} does not exist.")),
        )?;
    if archive.bus != bus {
        return Err(parameter("Destination.Arn", "Cross event bus replay is not permitted."));
    }
    if state.replays.contains_key(&input.replay_name) {
        return Err(already_exists(format_args!("Replay {}", input.replay_name)));
    }
    let active = state.replays.values().filter(|replay| replay.is_active()).count();
    if active >= MAX_ACTIVE || state.replays.len() >= MAX_REPLAYS {
        return Err(limit_exceeded());
    }
    let events = archive.between(event_start, event_end);
    let destination = &input.destination;
    let texts = destination.filter_arns.iter().chain([&destination.arn]).map(|arn| 64 + arn.len());
    let share = take(&state.budget, texts.sum())?;
    let replay = Replay {
        arn: buses.names().replay_arn(&input.replay_name),
        archive_arn: input.event_source_arn,
        description: input.description,
        destination: input.destination,
        event_start,
        event_end,
        state: ReplayState::Starting,
        started: Timestamp::now(),
        ended: None,
        last_replayed: None,
        _share: share,
    };
    let answer = json!({
        "ReplayArn": replay.arn, "State": replay.state, "ReplayStartTime": seconds(replay.started),
    });
    let filter = replay.destination.filter_arns.clone();
    state.replays.insert(input.replay_name.clone(), replay);
    drop(state);
    tasks.spawn(run(buses.clone(), input.replay_name, bus, filter, events));
    Ok(answer)
}

async fn run(buses: Buses, name: String, bus: String, filter: Vec<String>, events: Vec<Arc<Archived>>) {
    for event in events {
        let Some(arrived) = with_replay_name(&event, &name) else { continue };
        let rules = {
            let mut state = buses.state();
            let Some(replay) = state.replays.get_mut(&name).filter(|replay| replay.is_active()) else {
                break;
            };
            replay.state = ReplayState::Running;
            replay.last_replayed = Some(event.occurred);
            let Ok(bus) = state.bus(&bus) else { break };
            let mut rules = bus.matching(&arrived.value);
            rules.retain(|rule| filter.is_empty() || filter.contains(&rule.arn));
            rules
        };
        buses.deliver_to(&rules, &arrived).await;
    }
    if let Some(replay) = buses.state().replays.get_mut(&name) {
        replay.state = match replay.state {
            ReplayState::Cancelling => ReplayState::Cancelled,
            _ => ReplayState::Completed,
        };
        replay.ended = Some(Timestamp::now());
    }
}

/// Returns an event as it is replayed: with the replay's name, before its resources.
fn with_replay_name(event: &Archived, name: &str) -> Option<Arrived> {
    let (before, after) = event.text.split_once(r#","resources":"#)?;
    let name = Value::from(name);
    let text = format!(r#"{before},"replay-name":{name},"resources":{after}"#);
    Arrived::read(event.id.clone(), text)
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct OneReplay {
    replay_name: String,
}

fn no_such_replay(name: &str) -> AwsError {
    not_found(format_args!("Replay {name}"))
}

pub(super) fn describe(buses: &Buses, input: &OneReplay) -> Result<Value, AwsError> {
    let state = buses.state();
    let name = &input.replay_name;
    let replay = state.replays.get(name).ok_or_else(|| no_such_replay(name))?;
    let mut described = replay.shown(name);
    described["ReplayArn"] = replay.arn.as_str().into();
    described["Destination"] = json!(replay.destination);
    if let Some(description) = &replay.description {
        described["Description"] = description.as_str().into();
    }
    Ok(described)
}

pub(super) fn cancel(buses: &Buses, input: &OneReplay) -> Result<Value, AwsError> {
    let mut state = buses.state();
    let name = &input.replay_name;
    let replay = state.replays.get_mut(name).ok_or_else(|| no_such_replay(name))?;
    if !replay.is_active() {
        return Err(AwsError::bad_request(
            "IllegalStatusException",
            format!("Replay {name} is not in a valid state for this operation."),
        ));
    }
    replay.state = ReplayState::Cancelling;
    Ok(json!({"ReplayArn": replay.arn, "State": replay.state}))
}

pub(super) fn list(buses: &Buses, input: &Filtered<ReplayState>) -> Result<Value, AwsError> {
    input.check("ListReplays")?;
    let state = buses.state();
    let replays = state.replays.iter().filter(|(name, replay)| {
        input.accepts(name, &replay.archive_arn) && input.state.is_none_or(|state| replay.state == state)
    });
    input.page.of("Replays", replays.map(|(name, replay)| (name.as_str(), replay.shown(name))))
}
