//! A load and its result, as `--json` prints them and `--compare` reads them: what `docs/schemas/load.json` describes.

use std::collections::BTreeMap;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::times::Percentiles;

/// A load and its result.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(super) struct Document {
    pub(super) began: Timestamp,
    pub(super) version: String,
    pub(super) url: String,
    /// The directory of the run that was followed.
    pub(super) run: Option<String>,
    pub(super) seed: u64,
    /// The share of each event type that was wanted.
    pub(super) mix: BTreeMap<String, f64>,
    /// The customers enrolled beforehand, who are not counted in the steps.
    pub(super) customers: u64,
    pub(super) connections: usize,
    pub(super) tracing: Option<Tracing>,
    /// One, or with `--steps` several, in the order of their time.
    pub(super) steps: Vec<Step>,
    pub(super) saturation: Option<Saturation>,
}

/// How ingest, at which traces begin, samples them.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Tracing {
    pub(super) sampler: String,
    pub(super) argument: Option<String>,
}

/// What happened at one rate.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(super) struct Step {
    pub(super) rate_per_s: f64,
    pub(super) for_s: f64,
    pub(super) sent: u64,
    pub(super) types: BTreeMap<String, u64>,
    pub(super) accepted: u64,
    pub(super) rejected: Vec<Problem>,
    pub(super) failed: Vec<Problem>,
    pub(super) accept_s: Option<Percentiles>,
    pub(super) accept_buckets: Vec<Count>,
    pub(super) generator: Generator,
    pub(super) kept_up: bool,
    /// Why not.
    pub(super) reason: Option<String>,
    /// What is known of a layer whose log is followed.
    pub(super) effects: Option<Effects>,
}

/// How often a problem occurred.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Problem {
    pub(super) problem: String,
    pub(super) count: u64,
}

/// A bucket of a histogram.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub(super) struct Count {
    pub(super) up_to_s: f64,
    pub(super) count: u64,
}

/// How well the generator kept its schedule.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(super) struct Generator {
    /// How much later than intended the generator itself was ready to send.
    pub(super) lag_s: Option<Percentiles>,
    /// Events that waited for a connection because the layer had not answered earlier ones.
    pub(super) waited_for_connection: u64,
    pub(super) most_in_flight: usize,
    pub(super) cpu_s: Option<f64>,
}

/// What the layer made of the accepted events.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(super) struct Effects {
    pub(super) drained: bool,
    /// Events with all their effects.
    pub(super) finished: u64,
    /// Events without, at the end of the drain; `None` without a drain.
    pub(super) lost: Option<u64>,
    /// Events without, at the end of the observation.
    pub(super) unfinished: u64,
    /// Of these, those of which a message was dead-lettered.
    pub(super) dead_lettered: u64,
    /// Some of the unfinished ones.
    pub(super) unfinished_events: Vec<Trail>,
    /// From the intended time to the last effect.
    pub(super) last_effect_s: Option<Percentiles>,
    pub(super) last_effect_buckets: Vec<Count>,
    /// From ingest's acceptance to the mail.
    pub(super) accept_to_mail_s: Option<Percentiles>,
    pub(super) hops: Vec<Hop>,
    pub(super) slowest: Vec<Trail>,
    /// Events finished per second in the second half of the step.
    pub(super) finished_per_s: f64,
    /// By how many unfinished events there were more at the end of the step than at its half.
    pub(super) backlog_growth: i64,
    /// Unfinished events at the end of the step.
    pub(super) backlog: i64,
    pub(super) processes: Vec<Process>,
    pub(super) services_cpu_s: Option<f64>,
    pub(super) events_per_cpu_s: Option<f64>,
}

/// An event to look up.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(super) struct Trail {
    pub(super) event_id: String,
    pub(super) trace_id: Option<String>,
    pub(super) event_type: String,
    /// From the intended time to the last effect so far.
    pub(super) last_effect_s: Option<f64>,
}

/// What a service did with one kind of input.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(super) struct Hop {
    pub(super) service: String,
    pub(super) input: Input,
    pub(super) count: u64,
    /// Attempts that are to be repeated.
    pub(super) retries: u64,
    /// From sending the message until its receipt; ingest has no message.
    pub(super) waiting_s: Option<Percentiles>,
    /// From there until the outcome.
    pub(super) processing_s: Option<Percentiles>,
    /// From the intended time until the outcome.
    pub(super) since_intended_s: Option<Percentiles>,
}

/// Where in its chain an event is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum Input {
    /// Sent by the generator.
    Event,
    /// Announced by a service because of it.
    Announcement,
    /// Requested by notifier because of that.
    Notification,
}

impl Input {
    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Event => "event",
            Self::Announcement => "announcement",
            Self::Notification => "notification",
        }
    }
}

/// What a process of the run used.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(super) struct Process {
    pub(super) name: String,
    /// Until the last effect.
    pub(super) cpu_s: Option<f64>,
    pub(super) memory_bytes_max: Option<u64>,
    pub(super) restarts: u32,
}

/// How much the layer can take.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(super) struct Saturation {
    /// The highest rate that it kept up with.
    pub(super) kept_up_per_s: Option<f64>,
    /// The lowest rate that it did not; `None` if it was not reached.
    pub(super) failed_per_s: Option<f64>,
    /// Events finished per second in the step with that rate.
    pub(super) finished_per_s: Option<f64>,
    /// Why the steps ended.
    pub(super) ended: String,
}
