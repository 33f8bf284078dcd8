//! Reports the outcome of redriven messages, as recorded in their traces.

use std::time::Duration;

use jiff::{SignedDuration, Timestamp};
use telemetry::attributes;
use tokio::time::Instant;
use xray::{Segment, Trace};

use super::queues::Queues;
use super::redrive::Sent;
use super::report::name;
use crate::stdio::{print, remark};
use crate::wanted::Wanted;
use crate::xray_client::XRay;

/// Pause between two looks at the traces.
const POLL_INTERVAL: Duration = Duration::from_millis(500);
/// How far the clock of a service may be behind this one.
const CLOCK_SKEW: SignedDuration = SignedDuration::from_secs(2);

/// Prints the outcome of each message. Those without an outcome in their trace after `wait` are looked up on the
/// dead-letter queues.
///
/// # Errors
/// When X-Ray or SQS cannot be queried.
pub(super) async fn report(
    xray: &XRay,
    queues: &Queues,
    mut sent: Vec<Sent>,
    wait: Duration,
) -> anyhow::Result<()> {
    let deadline = Instant::now() + wait;
    while !sent.is_empty() && Instant::now() < deadline {
        let mut unknown = Vec::new();
        for one in sent {
            match fate(xray, &one).await? {
                Some(outcome) => print(&format!("{}  {outcome}", name(&one.letter)))?,
                None => unknown.push(one),
            }
        }
        sent = unknown;
        if !sent.is_empty() {
            tokio::time::sleep(POLL_INTERVAL).await;
        }
    }
    if sent.is_empty() {
        return Ok(());
    }
    let letters = queues.letters().await?;
    for one in &sent {
        let name = name(&one.letter);
        match letters.iter().find(|letter| one.letter.is_same_message(letter)) {
            Some(letter) => print(&format!("{name}  dead-letter  {}", letter.reason))?,
            None => remark(&format!(
                "{name}  nothing in the traces after {} s: it waits for its turn, or is not sampled",
                wait.as_secs()
            )),
        }
    }
    Ok(())
}

/// Returns the outcome of the first attempt after a message was redriven.
async fn fate(xray: &XRay, sent: &Sent) -> anyhow::Result<Option<String>> {
    let mut traces = Vec::new();
    if let Some(id) = sent.letter.trace_id() {
        traces.extend(xray.find(&Wanted::Trace(id)).await?);
    }
    let mut outcome = traces.iter().find_map(|trace| outcome_in(trace, sent));
    // An event that is a day old continues in another trace.
    if let (None, Some(event)) = (&outcome, &sent.letter.event) {
        let traces = xray.find(&Wanted::Event(event.id)).await?;
        outcome = traces.iter().find_map(|trace| outcome_in(trace, sent));
    }
    Ok(outcome)
}

fn outcome_in(trace: &Trace, sent: &Sent) -> Option<String> {
    let annotation = |segment: &Segment, name: &str| segment.annotations.get(name).map(ToString::to_string);
    let event_id = sent.letter.event.as_ref().map(|event| event.id.to_string());
    let segment = trace
        .nodes()
        .map(xray::Node::segment)
        .filter(|segment| segment.name == sent.letter.service())
        .filter(|segment| event_id.is_none() || annotation(segment, attributes::EVENT_ID) == event_id)
        .filter(|segment| {
            started_after(segment, sent.at) && segment.annotations.contains_key(attributes::OUTCOME)
        })
        .min_by(|one, other| one.start_time.total_cmp(&other.start_time))?;
    annotation(segment, attributes::OUTCOME)
}

fn started_after(segment: &Segment, at: Timestamp) -> bool {
    SignedDuration::try_from_secs_f64(segment.start_time)
        .is_ok_and(|start| start >= at.as_duration() - CLOCK_SKEW)
}
