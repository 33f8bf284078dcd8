//! A replay of archived events.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::time::seconds;
use crate::budget::Share;

#[derive(Debug)]
pub(super) struct Replay {
    pub(super) arn: String,
    pub(super) archive_arn: String,
    pub(super) description: Option<String>,
    pub(super) destination: Destination,
    pub(super) event_start: Timestamp,
    pub(super) event_end: Timestamp,
    pub(super) state: ReplayState,
    pub(super) started: Timestamp,
    pub(super) ended: Option<Timestamp>,
    pub(super) last_replayed: Option<Timestamp>,
    pub(super) _share: Share,
}

#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct Destination {
    pub(super) arn: String,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub(super) filter_arns: Vec<String>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub(super) enum ReplayState {
    Starting,
    Running,
    Cancelling,
    Completed,
    Cancelled,
    Failed,
}

impl Replay {
    pub(super) fn is_active(&self) -> bool {
        matches!(self.state, ReplayState::Starting | ReplayState::Running)
    }

    pub(super) fn shown(&self, name: &str) -> Value {
        let mut shown = json!({
            "ReplayName": name,
            "EventSourceArn": self.archive_arn,
            "State": self.state,
            "EventStartTime": seconds(self.event_start),
            "EventEndTime": seconds(self.event_end),
            "ReplayStartTime": seconds(self.started),
        });
        if let Some(time) = self.last_replayed {
            shown["EventLastReplayedTime"] = seconds(time).into();
        }
        if let Some(time) = self.ended {
            shown["ReplayEndTime"] = seconds(time).into();
        }
        shown
    }
}
