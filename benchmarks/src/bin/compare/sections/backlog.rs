//! The consumer with queues of all lengths: what a message costs is to be the same, however many wait.

use crate::arguments::Arguments;
use crate::candidate::own;
use crate::outcome::Outcome;
use crate::rounds::{self, ratios, table};
use crate::sections::consumers::drain;
use crate::surroundings::Surroundings;

const SHORTEST: usize = 10;
/// The length that all others are compared with: a shorter queue does not fill the batches.
const USUAL: usize = 1_000;
/// The messages of a warm-up.
const WARM_UP: usize = 1_000;
/// Of short queues so many are drained that this many messages are measured.
const AT_LEAST: usize = 1_000;

const HEADS: [&str; 6] = [
    "length of the queue",
    "CPU by that of a thousand",
    "CPU of a message",
    "requests for a message",
    "messages a second",
    "memory at most",
];

pub(super) async fn measure(arguments: &Arguments) -> anyhow::Result<Outcome> {
    let consumer = own("ours, unsampled", "consumer", &[], &[])?;
    let around = Surroundings::start().await?;
    let mut rows = Vec::new();
    let lengths = std::iter::successors(Some(SHORTEST), |length| length.checked_mul(10));
    for length in lengths.take_while(|length| *length <= arguments.backlog.max(USUAL)) {
        let rounds = arguments.rounds.max(u16::try_from(AT_LEAST / length).unwrap_or(u16::MAX));
        // The longest are long enough by themselves.
        let rounds = if length > 10 * AT_LEAST { 1 } else { rounds };
        let queue = (length.to_string(), length);
        let turn = async |(_, length): &(String, usize)| drain(&consumer, &around, WARM_UP, *length).await;
        rows.extend(rounds::measure(rounds, &[queue], |(name, _)| name, turn).await?);
    }
    around.stop().await;
    let ratios = ratios(&rows, &USUAL.to_string());
    Ok(Outcome {
        tables: vec![table(&rows, &ratios, HEADS)],
        remarks: vec!["A consumer has drained a thousand messages before.".to_owned()],
        ..Outcome::default()
    })
}
