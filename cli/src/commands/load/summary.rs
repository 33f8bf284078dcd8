//! Turns what was observed into the result of a step.

use std::collections::BTreeMap;

use jiff::Timestamp;
use uuid::Uuid;

use super::chains::{Chain, Chains};
use super::document::{Count, Effects, Generator, Hop, Problem, Process, Step, Trail};
use super::expected::Expected;
use super::histograms::Recorded;
use super::observe::Observation;
use super::post::{Lateness, microseconds};
use super::processes::of_the_services;
use super::schedule::Schedule;
use super::steps::not_kept_up;
use super::times::Times;
use crate::commands::latency::buckets;
use crate::service_map::Histogram;

/// The events named of those that were slowest, and of those that are unfinished.
const NAMED: usize = 5;

/// What a step was to do, and how it was done.
pub(super) struct Circumstances<'a> {
    pub(super) schedule: Schedule,
    pub(super) lateness: &'a Lateness,
    pub(super) generator_cpu_s: Option<f64>,
    /// Whether what is unfinished was waited for.
    pub(super) drained: bool,
    pub(super) began: Timestamp,
    pub(super) no_times: &'a Times,
    pub(super) expected: &'a Expected,
}

/// The result of a step.
pub(super) struct Result {
    pub(super) step: Step,
    /// The times to draw: to the last effect, or to the answer of a layer that is not followed.
    pub(super) times: Histogram,
    pub(super) began: Timestamp,
    /// All times, to be kept.
    pub(super) recorded: Vec<Recorded>,
}

/// Returns the result of a step.
pub(super) fn result(observed: &Observation, circumstances: &Circumstances<'_>) -> Result {
    let last_effect = last_effect(&observed.chains, circumstances.no_times);
    let to_mail = to_mail(&observed.chains, circumstances.no_times);
    let step = step(observed, &last_effect, &to_mail, circumstances);
    let times = if step.effects.is_some() { &last_effect } else { &observed.accept }.histogram();
    let recorded = recorded(observed, last_effect, to_mail);
    Result { step, times, began: circumstances.began, recorded }
}

/// Returns all times of which there are any.
fn recorded(observed: &Observation, last_effect: Times, to_mail: Times) -> Vec<Recorded> {
    let kept = |name: &str, what, times| Recorded { name: name.to_owned(), what, times };
    let whole = [
        kept("accept", "from the intended time to ingest's answer", observed.accept.clone()),
        kept("last-effect", "from the intended time to the last effect", last_effect),
        kept("accept-to-mail", "from ingest's line to email's", to_mail),
    ];
    let hops = observed.chains.hops().map(|(service, input, times)| {
        let name = format!("hop-{service}-{}", input.name());
        kept(&name, "from the intended time until the service was done", times.since_intended.clone())
    });
    whole.into_iter().chain(hops).filter(|recorded| recorded.times.total() > 0).collect()
}

fn to_mail(chains: &Chains, no_times: &Times) -> Times {
    let mut times = no_times.clone();
    for (_, chain) in chains.accepted_ones() {
        if let (Some(mailed), Some(ingested)) = (chain.mailed, chain.ingested) {
            times.count(mailed - ingested);
        }
    }
    times
}

fn last_effect(chains: &Chains, no_times: &Times) -> Times {
    let mut times = no_times.clone();
    chains
        .accepted_ones()
        .filter(|(_, chain)| chain.complete)
        .filter_map(|(_, chain)| since_intended(chain))
        .for_each(|since| times.count(since));
    times
}

fn step(
    observed: &Observation,
    last_effect: &Times,
    to_mail: &Times,
    circumstances: &Circumstances<'_>,
) -> Step {
    let Circumstances { schedule, lateness, .. } = circumstances;
    let mut step = Step {
        rate_per_s: schedule.rate.as_f64(),
        for_s: schedule.length.as_secs_f64(),
        sent: observed.types.values().sum(),
        types: observed.types.iter().map(|(kind, count)| ((*kind).to_owned(), *count)).collect(),
        accepted: observed.accept.total(),
        rejected: problems(&observed.rejected),
        failed: problems(&observed.failed),
        accept_s: observed.accept.percentiles(),
        accept_buckets: counts(&observed.accept),
        generator: Generator {
            lag_s: lateness.own.percentiles(),
            waited_for_connection: lateness.waited_for_connection,
            most_in_flight: lateness.most_in_flight,
            cpu_s: circumstances.generator_cpu_s,
        },
        kept_up: true,
        reason: None,
        effects: observed
            .processes
            .as_ref()
            .map(|processes| effects(observed, processes.used(), last_effect, to_mail, circumstances)),
    };
    step.reason = not_kept_up(&step);
    step.kept_up = step.reason.is_none();
    step
}

fn effects(
    observed: &Observation,
    processes: Vec<Process>,
    last_effect: &Times,
    to_mail: &Times,
    circumstances: &Circumstances<'_>,
) -> Effects {
    let Circumstances { schedule, drained, expected, .. } = circumstances;
    let chains = &observed.chains;
    let unfinished = count(chains.accepted_ones().filter(|(_, chain)| !chain.complete).count());
    let finished = observed.accept.total().saturating_sub(unfinished);
    let services_cpu_s = of_the_services(&processes);
    let end = microseconds(schedule.length);
    Effects {
        drained: *drained,
        finished,
        lost: drained.then_some(unfinished),
        unfinished,
        dead_lettered: count(chains.accepted_ones().filter(|(_, chain)| chain.dead_lettered).count()),
        unfinished_events: trails(chains, expected, |chain| !chain.complete),
        last_effect_s: last_effect.percentiles(),
        last_effect_buckets: counts(last_effect),
        accept_to_mail_s: to_mail.percentiles(),
        hops: hops(chains),
        slowest: trails(chains, expected, |chain| chain.complete),
        finished_per_s: finished_between(chains, end / 2, end) / (schedule.length.as_secs_f64() / 2.0),
        backlog_growth: backlog(chains, end) - backlog(chains, end / 2),
        backlog: backlog(chains, end),
        events_per_cpu_s: services_cpu_s.filter(|cpu_s| *cpu_s > 0.0).map(|cpu_s| as_f64(finished) / cpu_s),
        services_cpu_s,
        processes,
    }
}

/// Returns how many events that were due by then had not had their last effect.
fn backlog(chains: &Chains, at: i64) -> i64 {
    let waits = |chain: &Chain| chain.intended <= at && ended(chain).is_none_or(|ended| ended > at);
    i64::try_from(chains.accepted_ones().filter(|(_, chain)| waits(chain)).count()).unwrap_or(i64::MAX)
}

fn finished_between(chains: &Chains, from: i64, to: i64) -> f64 {
    let within = |chain: &Chain| ended(chain).is_some_and(|ended| from < ended && ended <= to);
    as_f64(count(chains.accepted_ones().filter(|(_, chain)| within(chain)).count()))
}

/// Returns when a chain was complete, apart from archive.
fn ended(chain: &Chain) -> Option<i64> {
    chain.last_effect.filter(|_| chain.complete)
}

fn since_intended(chain: &Chain) -> Option<i64> {
    chain.last_effect.map(|at| at - chain.intended)
}

/// Returns the slowest of some events, of which those without any effect are first.
fn trails(chains: &Chains, expected: &Expected, choose: impl Fn(&Chain) -> bool) -> Vec<Trail> {
    let mut chosen: Vec<(Uuid, &Chain)> = chains.accepted_ones().filter(|(_, chain)| choose(chain)).collect();
    chosen.sort_by_key(|(id, chain)| (std::cmp::Reverse(since_intended(chain).unwrap_or(i64::MAX)), *id));
    let trail = |(id, chain): &(Uuid, &Chain)| Trail {
        event_id: id.to_string(),
        trace_id: chain.trace.map(|trace| trace.to_string()),
        event_type: expected.name(chain.kind).to_owned(),
        last_effect_s: since_intended(chain).map(seconds),
    };
    chosen.iter().take(NAMED).map(trail).collect()
}

fn hops(chains: &Chains) -> Vec<Hop> {
    let hop = |(service, input, times): (&str, _, &super::chains::HopTimes)| Hop {
        service: service.to_owned(),
        input,
        count: times.since_intended.total(),
        retries: times.retries,
        waiting_s: times.waiting.percentiles(),
        processing_s: times.processing.percentiles(),
        since_intended_s: times.since_intended.percentiles(),
    };
    chains.hops().map(hop).collect()
}

fn problems(counts: &BTreeMap<String, u64>) -> Vec<Problem> {
    let problem = |(problem, count): (&String, &u64)| Problem { problem: problem.clone(), count: *count };
    counts.iter().map(problem).collect()
}

fn counts(times: &Times) -> Vec<Count> {
    buckets(&times.histogram())
        .into_iter()
        .map(|bucket| Count { up_to_s: bucket.up_to, count: bucket.count })
        .collect()
}

fn count(number: usize) -> u64 {
    u64::try_from(number).unwrap_or(u64::MAX)
}

#[expect(clippy::cast_precision_loss, reason = "numbers of events are far below 2^52")]
fn as_f64(number: u64) -> f64 {
    number as f64
}

#[expect(clippy::cast_precision_loss, reason = "times of a run in microseconds are far below 2^52")]
fn seconds(microseconds: i64) -> f64 {
    microseconds as f64 / 1e6
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;
    use std::time::Duration;

    use jiff::Timestamp;

    use super::super::lines::{Hop as Line, Outcome};
    use super::super::post::{Answer, Report};
    use super::super::processes::Processes;
    use super::*;

    /// Renames four customers in four seconds: the last effect comes after 0.1, 0.2, 2.5 seconds, and never.
    fn observed(expected: &Arc<Expected>, no_times: &Times) -> Observation {
        let chains = Chains::new(Arc::clone(expected), Timestamp::UNIX_EPOCH, no_times.clone());
        let nothing = Processes::watch(std::path::Path::new("nowhere"), &[]);
        let mut observed = Observation::new(chains, no_times.clone(), Some(nothing));
        for (number, effect_ms) in [(0, Some(100)), (1, Some(1_200)), (2, Some(4_500)), (3, None)] {
            let id = Uuid::from_u128(number);
            let intended = i64::try_from(number).unwrap() * 1_000_000;
            observed.take(Report::Sent { id, kind: "CustomerRenamed", intended });
            let answer = Answer::Accepted(None);
            observed.take(Report::Ended { id, intended, at: intended + 5_000, answer });
            for (service, ms) in [("membership", effect_ms), ("archive", Some(9_000))] {
                let Some(ms) = ms else { continue };
                observed.chains.hop(&Line {
                    service: expected.place(service).unwrap(),
                    at: Timestamp::from_millisecond(ms).unwrap(),
                    event_id: id,
                    correlation_id: id,
                    kind: expected.kind("CustomerRenamed"),
                    outcome: Outcome::Applied,
                    waiting_ms: Some(1),
                    processing_ms: 1,
                });
            }
        }
        observed
    }

    #[test]
    fn what_is_unfinished_is_lost_and_the_backlog_is_that_of_its_time() {
        let (expected, no_times) = (Arc::new(Expected::of_the_layer().unwrap()), Times::none());
        let observed = observed(&expected, &no_times);
        let lateness = Lateness { own: no_times.clone(), waited_for_connection: 0, most_in_flight: 1 };
        let circumstances = |drained| Circumstances {
            schedule: Schedule { rate: "1/s".parse().unwrap(), length: Duration::from_secs(4) },
            lateness: &lateness,
            generator_cpu_s: None,
            drained,
            began: Timestamp::UNIX_EPOCH,
            no_times: &no_times,
            expected: &expected,
        };
        let Result { step, times, recorded, .. } = result(&observed, &circumstances(true));
        let effects = step.effects.unwrap();
        assert_eq!((step.sent, step.accepted, effects.finished, effects.lost), (4, 4, 3, Some(1)));
        // At half time only the third was due and unfinished, at the end the fourth as well.
        assert_eq!((effects.backlog, effects.backlog_growth), (2, 1));
        assert!((effects.finished_per_s - 0.0).abs() < 1e-9, "{}", effects.finished_per_s);
        assert_eq!(times.total(), 3);
        let recorded: Vec<_> = recorded.iter().map(|one| (one.name.as_str(), one.times.total())).collect();
        let hops = [("hop-membership-event", 3), ("hop-archive-event", 4)];
        assert_eq!(recorded, [&[("accept", 4), ("last-effect", 3)][..], &hops].concat());
        assert_eq!(effects.unfinished_events[0].event_id, Uuid::from_u128(3).to_string());
        assert_eq!(effects.slowest[0].event_id, Uuid::from_u128(2).to_string());
        assert_eq!(effects.events_per_cpu_s, None, "no process is known");
        let unlimited = result(&observed, &circumstances(false)).step.effects.unwrap();
        assert_eq!((unlimited.lost, unlimited.unfinished), (None, 1));
    }
}
