//! What becomes of each event that was sent: the hops of its chain, put together from the answers and the log.
//!
//! A chain is complete once every event seen in it was handled by each service that consumes its type, an announcement was seen
//! of what must be announced, and a notification of what was notified. Any order of lines leads to the same result.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

use jiff::Timestamp;
use uuid::Uuid;
use xray::TraceId;

use super::document::Input;
use super::expected::{Expected, Kind, Services};
use super::lines::{Hop, Outcome};
use super::times::Times;

/// The chains of a number of events.
pub(super) struct Chains {
    expected: Arc<Expected>,
    /// The time from which microseconds are counted.
    start: Timestamp,
    by_event: HashMap<Uuid, Chain>,
    hops: BTreeMap<(usize, Input), HopTimes>,
    /// Accepted events whose chain is not complete.
    unfinished: usize,
    no_times: Times,
    places: Places,
}

/// The services that are treated apart.
struct Places {
    ingest: Option<usize>,
    /// It stores batches by their age, which says nothing about the layer's speed.
    archive: Option<usize>,
}

/// What became of one event. Times are microseconds since the start.
#[derive(Debug)]
pub(super) struct Chain {
    pub(super) kind: Kind,
    pub(super) intended: i64,
    /// When the answer arrived.
    pub(super) accepted: Option<i64>,
    pub(super) trace: Option<TraceId>,
    /// When the last service but archive was done.
    pub(super) last_effect: Option<i64>,
    /// When ingest was done.
    pub(super) ingested: Option<i64>,
    pub(super) mailed: Option<i64>,
    pub(super) dead_lettered: bool,
    pub(super) complete: bool,
    must_announce: bool,
    seen: Vec<Seen>,
}

/// An event of a chain.
#[derive(Debug)]
struct Seen {
    id: Uuid,
    kind: Option<Kind>,
    handled: Services,
    notified: bool,
}

/// How long a service took with one kind of input.
pub(super) struct HopTimes {
    pub(super) retries: u64,
    pub(super) waiting: Times,
    pub(super) processing: Times,
    pub(super) since_intended: Times,
}

impl Chains {
    /// Returns no chains.
    pub(super) fn new(expected: Arc<Expected>, start: Timestamp, no_times: Times) -> Self {
        let places = Places { ingest: expected.place(ingest::NAME), archive: expected.place(archive::NAME) };
        Self {
            expected,
            start,
            by_event: HashMap::new(),
            hops: BTreeMap::new(),
            unfinished: 0,
            no_times,
            places,
        }
    }

    /// Begins the chain of an event, which is due at `intended` microseconds.
    pub(super) fn sent(&mut self, id: Uuid, event_type: &str, intended: i64) {
        let Some(kind) = self.expected.kind(event_type) else { return };
        let root = Seen { id, kind: Some(kind), handled: Services::default(), notified: false };
        let chain = Chain {
            kind,
            intended,
            accepted: None,
            trace: None,
            last_effect: None,
            ingested: None,
            mailed: None,
            dead_lettered: false,
            complete: false,
            must_announce: false,
            seen: vec![root],
        };
        self.by_event.insert(id, chain);
    }

    /// Notes that ingest has accepted an event.
    pub(super) fn accepted(&mut self, id: Uuid, at: i64, trace: Option<TraceId>) {
        if let Some(chain) = self.by_event.get_mut(&id) {
            chain.accepted = Some(at);
            chain.trace = trace;
            self.unfinished += usize::from(!chain.complete);
        }
    }

    /// Notes a hop. Returns whether it belongs to one of the events and is news.
    pub(super) fn hop(&mut self, hop: &Hop) -> bool {
        let Some(chain) = self.by_event.get_mut(&hop.correlation_id) else { return false };
        let input = input(hop, &self.expected);
        let empty = &self.no_times;
        let times = self.hops.entry((hop.service, input)).or_insert_with(|| HopTimes::none(empty));
        if hop.outcome == Outcome::Again {
            times.retries += 1;
            return false;
        }
        let at = hop.at.as_microsecond() - self.start.as_microsecond();
        if !chain.settle(hop, at, &self.places, &self.expected) {
            return false;
        }
        times.count(hop, at - chain.intended);
        let complete = chain.is_complete(&self.expected);
        if chain.accepted.is_some() {
            match (chain.complete, complete) {
                (false, true) => self.unfinished -= 1,
                (true, false) => self.unfinished += 1,
                _ => {}
            }
        }
        chain.complete = complete;
        true
    }

    /// Returns how many accepted events have not had all their effects.
    pub(super) fn unfinished(&self) -> usize {
        self.unfinished
    }

    /// Iterates over the accepted events, in no order.
    pub(super) fn accepted_ones(&self) -> impl Iterator<Item = (Uuid, &Chain)> {
        self.by_event.iter().filter(|(_, chain)| chain.accepted.is_some()).map(|(id, chain)| (*id, chain))
    }

    /// Iterates over the hops, in the order of the layer.
    pub(super) fn hops(&self) -> impl Iterator<Item = (&'static str, Input, &HopTimes)> {
        self.hops.iter().map(|((place, input), times)| (self.expected.service(*place), *input, times))
    }
}

impl Chain {
    /// Notes that a service is done with an event. Returns false if it was before.
    fn settle(&mut self, hop: &Hop, at: i64, places: &Places, expected: &Expected) -> bool {
        let place = self.seen.iter().position(|seen| seen.id == hop.event_id).unwrap_or_else(|| {
            self.seen.push(Seen {
                id: hop.event_id,
                kind: hop.kind,
                handled: Services::default(),
                notified: false,
            });
            self.seen.len() - 1
        });
        if !self.seen[place].handled.insert(hop.service) {
            return false;
        }
        let service = Some(hop.service);
        if service == places.ingest {
            self.ingested = Some(at);
            return true;
        }
        if service != places.archive {
            self.last_effect = self.last_effect.max(Some(at));
            let is_root = hop.event_id == hop.correlation_id;
            self.must_announce |=
                is_root && hop.outcome == Outcome::Applied && expected.is_announced(self.kind);
        }
        match hop.outcome {
            Outcome::Notified => self.seen[place].notified = true,
            Outcome::Mailed => self.mailed = Some(self.mailed.map_or(at, |mailed| mailed.min(at))),
            Outcome::DeadLettered => self.dead_lettered = true,
            _ => {}
        }
        true
    }

    fn is_complete(&self, expected: &Expected) -> bool {
        let is_notification = |seen: &&Seen| seen.kind.is_some_and(|kind| expected.is_notification(kind));
        let notifications = self.seen.iter().filter(is_notification).count();
        let notified = self.seen.iter().filter(|seen| seen.notified).count();
        let handled =
            |seen: &Seen| seen.kind.is_none_or(|kind| seen.handled.contains_all(expected.consumers(kind)));
        !self.dead_lettered
            && (notifications >= notified || !expected.delivers_every_notification())
            && (!self.must_announce || self.seen.len() - notifications > 1)
            && self.seen.iter().all(handled)
    }
}

/// Returns where in its chain the event of a hop is.
fn input(hop: &Hop, expected: &Expected) -> Input {
    match hop.kind {
        _ if hop.event_id == hop.correlation_id => Input::Event,
        Some(kind) if expected.is_notification(kind) => Input::Notification,
        _ => Input::Announcement,
    }
}

impl HopTimes {
    fn none(empty: &Times) -> Self {
        Self { retries: 0, waiting: empty.clone(), processing: empty.clone(), since_intended: empty.clone() }
    }

    fn count(&mut self, hop: &Hop, since_intended: i64) {
        let microseconds = |ms: u64| i64::try_from(ms.saturating_mul(1000)).unwrap_or(i64::MAX);
        if let Some(waiting) = hop.waiting_ms {
            self.waiting.count(microseconds(waiting));
        }
        self.processing.count(microseconds(hop.processing_ms));
        self.since_intended.count(since_intended);
    }
}

#[cfg(test)]
mod tests;
