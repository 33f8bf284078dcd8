//! Consumers: each drains queues of the local cloud.

use std::path::Path;

use crate::arguments::{Arguments, Peers};
use crate::candidate::{self, Candidate, own};
use crate::measure::Run;
use crate::outcome::Outcome;
use crate::queue::Queue;
use crate::rounds::{self, Measured, ratios, table};
use crate::surroundings::Surroundings;

/// The candidate that all others are measured by.
const BARE: &str = "bare loop";

const HEADS: [&str; 6] = [
    "consumer",
    "CPU by that of the bare loop",
    "CPU of a message",
    "requests for a message",
    "messages a second",
    "memory at most",
];

pub(super) async fn measure(arguments: &Arguments) -> anyhow::Result<Outcome> {
    let mut outcome = Outcome::default();
    let candidates = candidates(arguments, &mut outcome.remarks).await?;
    let around = Surroundings::start().await?;
    let turn = async |candidate: &Candidate| {
        let warm_up = arguments.messages / 5 * candidate.warm_ups;
        drain(candidate, &around, warm_up, arguments.messages).await
    };
    let rows = rounds::measure(arguments.rounds, &candidates, |candidate| &candidate.name, turn).await?;
    around.stop().await;
    outcome.ratios = ratios(&rows, BARE);
    outcome.tables.push(table(&rows, &outcome.ratios, HEADS));
    Ok(outcome)
}

/// Returns the consumers that were asked for, and remarks about those that cannot be built.
async fn candidates(arguments: &Arguments, remarks: &mut Vec<String>) -> anyhow::Result<Vec<Candidate>> {
    let mut candidates = vec![
        own(BARE, "bare", &["receive"], &[])?,
        own("ours, unsampled", "consumer", &[], &[])?,
        own("ours, 5 %", "consumer", &[], &[])?.sampling(20),
        own("ours, 100 %", "consumer", &[], &[])?.sampling(1),
        own("ours, unsampled, no log", "consumer", &[], &[("RUST_LOG", "warn")])?,
    ];
    if arguments.peers == Peers::All {
        let sources = Path::new(env!("CARGO_MANIFEST_DIR")).join("peers");
        std::fs::create_dir_all(&arguments.cache)?;
        let (peers, missing) = candidate::peers(&sources, &arguments.cache.canonicalize()?).await?;
        remarks
            .extend(missing.into_iter().map(|(language, reason)| format!("left out: {language}: {reason}")));
        candidates.extend(peers);
    }
    candidates.retain(|candidate| candidate.name == BARE || arguments.wants(&candidate.name));
    Ok(candidates)
}

/// Lets a consumer drain a queue of `messages` after those of a warm-up.
pub(super) async fn drain(
    candidate: &Candidate,
    around: &Surroundings,
    warm_up: usize,
    messages: usize,
) -> anyhow::Result<Measured> {
    let queue = Queue::create(&around.endpoint()).await?;
    queue.fill(warm_up + messages, candidate.sampled).await?;
    let variables = [
        ("QUEUE_URL", queue.url.clone()),
        ("DEAD_LETTER_QUEUE_URL", queue.dead_letter_url.clone()),
        ("CONSUMER_MAX_POLLERS", "4".to_owned()),
        ("CONSUMER_CONCURRENCY", "32".to_owned()),
        ("WARM_UP", warm_up.to_string()),
    ];
    let run = Run::start(candidate, around, variables).await?;
    queue.drained().await?;
    let measured = run.end(warm_up, messages).await?;
    queue.delete().await?;
    Ok(measured)
}
