//! The publisher: events from concurrent callers to a bus of the local cloud.

use benchmarks::DONE;

use crate::arguments::Arguments;
use crate::candidate::{Candidate, own};
use crate::measure::Run;
use crate::outcome::{Outcome, file_name};
use crate::rounds::{self, Measured, logs, ratios, table};
use crate::surroundings::Surroundings;

/// The candidate that all others are measured by.
const BARE: &str = "bare PutEvents";

const HEADS: [&str; 6] = [
    "publisher",
    "CPU by that of the bare loop",
    "CPU of an event",
    "requests for an event",
    "events a second",
    "memory at most",
];

/// Callers of the bare loop, each with ten events at a time: the calls that the publisher has in flight at most.
const BARE_CALLERS: usize = 16;
/// Callers of the publisher, each with one event at a time.
const CALLERS: usize = 160;

pub(super) async fn measure(arguments: &Arguments) -> anyhow::Result<Outcome> {
    let ours = |name, sampler: &'static [(&'static str, &'static str)]| own(name, "publisher", &[], sampler);
    let mut candidates = vec![
        (own(BARE, "bare", &["publish"], &[])?, BARE_CALLERS),
        (ours("publisher, unsampled", &[("OTEL_TRACES_SAMPLER", "always_off")])?, CALLERS),
        (
            ours(
                "publisher, 5 %",
                &[("OTEL_TRACES_SAMPLER", "traceidratio"), ("OTEL_TRACES_SAMPLER_ARG", "0.05")],
            )?,
            CALLERS,
        ),
        (ours("publisher, 100 %", &[("OTEL_TRACES_SAMPLER", "always_on")])?, CALLERS),
    ];
    candidates.retain(|(candidate, _)| candidate.name == BARE || arguments.wants(&candidate.name));
    let around = Surroundings::start().await?;
    let turn = async |(candidate, callers): &(Candidate, usize)| {
        publish(candidate, *callers, &around, arguments.events).await
    };
    let rows = rounds::measure(arguments.rounds, &candidates, name, turn).await?;
    around.stop().await;
    let ratios = ratios(&rows, BARE);
    Ok(Outcome {
        tables: vec![table(&rows, &ratios, HEADS)],
        remarks: vec![format!(
            "{CALLERS} callers with an event each; the bare loop has {BARE_CALLERS} callers with ten. A call is that of a caller."
        )],
        ratios,
        latencies: logs(rows, "from a caller's call to its answer"),
    })
}

fn name((candidate, _): &(Candidate, usize)) -> &str {
    &candidate.name
}

/// Lets a program publish `events` after a warm-up.
async fn publish(
    candidate: &Candidate,
    callers: usize,
    around: &Surroundings,
    events: usize,
) -> anyhow::Result<Measured> {
    let histogram = around.directory().join(file_name(&candidate.name));
    let warm_up = events / 5;
    let variables = [
        ("EVENT_BUS_NAME", "default".to_owned()),
        ("CALLERS", callers.to_string()),
        ("EVENTS", events.to_string()),
        ("WARM_UP", warm_up.to_string()),
        ("HISTOGRAM", histogram.display().to_string()),
    ];
    let mut run = Run::start(candidate, around, variables).await?;
    run.process.reports(DONE).await?;
    let measured = run.end(warm_up, events).await?;
    Ok(Measured { latencies: histogram_log::read(&histogram)?.pop(), ..measured })
}
