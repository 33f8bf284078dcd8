//! How many events a minute each hop takes without a higher quota.

use super::flow::Flow;
use super::load::Load;
use super::number::grouped;
use super::prices::{Quota, Quotas};
use super::tasks::SLOWEST_HANDLING_MS;

/// Entries of a call to PutEvents under load: the most it takes.
const ENTRIES_A_CALL: f64 = 10.0;

/// One hop and its quota.
#[derive(Debug)]
pub(super) struct Hop<'a> {
    pub(super) name: String,
    pub(super) quota: &'a Quota,
    /// What an event takes of the quota.
    pub(super) an_event: f64,
    /// Events a minute; absent if the quota is unknown.
    pub(super) ceiling: Option<f64>,
    /// Whether events wait or fail beyond it. Otherwise only traces are missing.
    pub(super) bounds_events: bool,
    pub(super) remark: String,
}

impl<'a> Hop<'a> {
    fn of(name: &str, quota: &'a Quota, an_event: f64) -> Self {
        Self {
            name: name.to_owned(),
            quota,
            an_event,
            ceiling: quota.value.map(|value| (60.0 * f64::from(value) / an_event).floor()),
            bounds_events: true,
            remark: String::new(),
        }
    }

    fn remark(self, remark: String) -> Self {
        Self { remark, ..self }
    }
}

/// Returns every hop that has a quota, in the order an event passes them.
pub(super) fn hops<'a>(quotas: &'a Quotas, flow: &Flow, load: &Load) -> Vec<Hop<'a>> {
    let entries = f64::from(flow.events);
    let mut hops = vec![
        Hop::of("EventBridge, PutEvents", &quotas.put_events, entries / ENTRIES_A_CALL).remark(
            quotas.put_events.value.map_or_else(String::new, |value| {
                format!("{} if each entry of a call counts (A4)", grouped(60.0 * f64::from(value) / entries))
            }),
        ),
        Hop::of("EventBridge, invocations", &quotas.invocations, f64::from(flow.invocations)).remark(
            quotas.invocations.value.map_or_else(String::new, |value| {
                let enrolments = f64::from(flow.invocations_of_an_enrolment);
                format!("{} if every event is an enrolment", grouped(60.0 * f64::from(value) / enrolments))
            }),
        ),
        // What a queue holds in flight is its rate times the time that a message is handled for.
        Hop::of(
            "SQS, messages in flight of a queue",
            &quotas.messages_in_flight,
            f64::from(SLOWEST_HANDLING_MS) / 1_000.0,
        ),
    ];
    hops.extend(flow.writes.iter().map(|(table, units)| {
        Hop::of(&format!("DynamoDB, {table}"), &quotas.table_writes, f64::from(*units))
    }));
    if flow.notifications > 0 {
        hops.push(Hop::of("SNS, messages", &quotas.topic_messages, f64::from(flow.notifications)).remark(
            match quotas.topic_messages.value {
                Some(_) => String::new(),
                None => format!(
                    "needs {} a second",
                    grouped((load.a_second() * f64::from(flow.notifications)).ceil())
                ),
            },
        ));
    }
    let documents = f64::from(flow.documents) * load.sampling_rate;
    if documents > 0.0 {
        let hop = Hop::of("X-Ray, documents", &quotas.trace_documents, documents)
            .remark(format!("at a sampling rate of {}; beyond it traces are missing", load.sampling_rate));
        hops.push(Hop { bounds_events: false, ..hop });
    }
    hops
}

/// Returns the hop that bounds the events.
pub(super) fn first<'a, 'b>(hops: &'b [Hop<'a>]) -> Option<&'b Hop<'a>> {
    hops.iter()
        .filter(|hop| hop.bounds_events)
        .filter_map(|hop| hop.ceiling.map(|ceiling| (hop, ceiling)))
        .min_by(|(_, one), (_, other)| one.total_cmp(other))
        .map(|(hop, _)| hop)
}

/// What the number of an event's consumers means for the bus.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Consumers {
    /// Events a minute by invocations.
    pub(super) ceiling: f64,
    /// The same with one consumer more.
    pub(super) with_one_more: f64,
    /// Invocations that an event may have at the given rate.
    pub(super) most_invocations: f64,
    /// The ceiling if one rule hands the announcement to a topic, whose subscriptions are no invocations.
    pub(super) by_topic: f64,
}

impl Consumers {
    /// Returns what holds for `flow`, unless the quota is unknown.
    pub(super) fn of(quotas: &Quotas, flow: &Flow, load: &Load) -> Option<Self> {
        let a_minute = 60.0 * f64::from(quotas.invocations.value?);
        // The CRM's event has a separate consumer; the topic replaces those of the announcement.
        let by_topic = f64::from(flow.events);
        Some(Self {
            ceiling: (a_minute / f64::from(flow.invocations)).floor(),
            with_one_more: (a_minute / f64::from(flow.invocations + 1)).floor(),
            most_invocations: (a_minute / f64::from(load.events_a_minute)).floor(),
            by_topic: (a_minute / by_topic).floor(),
        })
    }

    /// Whether the bus cannot deliver the announcement to every consumer, but to a topic.
    pub(super) fn topic_pays(self, load: &Load) -> bool {
        let rate = f64::from(load.events_a_minute);
        self.ceiling < rate && rate <= self.by_topic
    }
}
