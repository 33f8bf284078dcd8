//! The commit of an effect, for whatever decides on it.

use std::future::Future;
use std::time::Duration;

use aws_clients::DynamoDb;
use envelope::Envelope;
use idempotency::outbox::Announcing;
use idempotency::{Commit, CommitError, Retry, Transaction};
use sqs_consumer::{Done, Failure};
use telemetry::context::recorded_header;
use tokio::time::{Instant, timeout_at};

use crate::Effect;
use crate::turns::Turns;

/// The reason for an event that was refused for good before, and that would not be refused now.
const REFUSED_BEFORE: &str = "refused-before";
/// The reason for an event whose turn did not come in time.
const CONTENDED: &str = "contended";

/// How often a decision is made when the items it read keep changing: enough for twenty processes with events on one item at
/// the same time, however many each has, because within a process they take turns.
const CONTENDED_ATTEMPTS: u32 = 20;

/// How long after the handling of a message has begun a decision may still be made again because of contention. A read and
/// a commit that take as long as they may still end before the consumer's limit for a message, 25 seconds by default.
pub const CONTENDED_WITHIN: Duration = Duration::from_secs(10);

/// Commits effects, each with its announcements and the marker of its cause, in one transaction
/// ([`idempotency::Transaction`]).
///
/// Throttling is retried here for a few seconds, before it becomes a transient failure, and so is contention: causes of one
/// customer that got in each other's way take turns.
#[derive(Clone, Debug)]
pub struct Committer {
    client: DynamoDb,
    table: String,
    service: String,
    announcing: Announcing,
    turns: Turns,
}

/// How a commit ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Committed {
    /// The effect was written.
    Done(Done),
    /// The effect of the same cause had been written before; nothing was written now.
    Duplicate {
        /// The [`recorded_header`] of the attempt that wrote it.
        attempt: Option<String>,
        /// What that attempt refused the cause for, if it did.
        refused: Option<Refused>,
    },
    /// There was nothing to decide any more; nothing was written.
    Nothing,
}

/// A refusal that is final ([`Effect::refused`]).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Refused {
    /// The earlier decision.
    earlier: String,
    /// The decision now.
    now: Option<&'static str>,
}

impl From<Refused> for Failure {
    fn from(Refused { earlier, now }: Refused) -> Self {
        match now {
            Some(reason) if reason == earlier => Self::permanent(reason),
            _ => Self::permanent(REFUSED_BEFORE).because(earlier),
        }
    }
}

impl Committer {
    /// Creates a committer with markers and outbox in `table`, whose partition key is the string `pk` and whose TTL
    /// attribute is `expires_at`. `service` distinguishes its markers from those of others in the same table.
    #[must_use]
    pub fn new(client: DynamoDb, table: impl Into<String>, service: impl Into<String>) -> Self {
        let (table, service) = (table.into(), service.into());
        Self { client, table, service, announcing: Announcing::default(), turns: Turns::default() }
    }

    /// Sets where announcements are written; by default, the first of an effect is a part of the marker.
    #[must_use]
    pub fn announcing(mut self, announcing: Announcing) -> Self {
        self.announcing = announcing;
        self
    }

    /// Commits the effect that `decide` returns for `cause`. If a condition of the effect does not hold, an item has changed
    /// since it was read, and `decide` is called again. It returns `None` if nothing is left to decide.
    ///
    /// # Errors
    /// The [`Failure`] of `decide`; that of an effect that [refuses](Effect::refused) the cause, once it is written; a
    /// permanent one, `invalid-effect`, if its effect cannot be written; [`idempotency::CommitError`] as a failure
    /// otherwise.
    pub async fn commit<F, D>(&self, cause: &Envelope, mut decide: F) -> Result<Committed, Failure>
    where
        F: FnMut() -> D + Send,
        D: Future<Output = Result<Option<Effect>, Failure>> + Send,
    {
        let attempt = recorded_header();
        let mut attempts =
            Retry { attempts: CONTENDED_ATTEMPTS, within: CONTENDED_WITHIN, ..Retry::default() }.start();
        let (turns, customer_number) = (&self.turns, cause.customer_number.as_deref().unwrap_or_default());
        let last_turn = Instant::now() + CONTENDED_WITHIN;
        let mut turn = timeout_at(last_turn, turns.take_behind_others(customer_number))
            .await
            .map_err(|_| Failure::transient(CONTENDED))?;
        loop {
            let Some(effect) = decide().await? else { return Ok(Committed::Nothing) };
            let (done, refusal) = (effect.done(), effect.refusal());
            let parts = effect
                .into_parts(&self.table, &cause.metadata)
                .map_err(|error| Failure::permanent("invalid-effect").because(error))?;
            let mut transaction =
                Transaction::new(&self.table, cause, &self.service).attempt(attempt.clone());
            transaction = transaction.announcing(self.announcing).without_waiting_out_contention();
            if let Some(record) = parts.record {
                transaction = transaction.record(record);
            }
            if let Some(reason) = refusal {
                transaction = transaction.refusal(reason);
            }
            transaction = parts.writes.into_iter().fold(transaction, Transaction::change);
            transaction = parts.announcements.iter().fold(transaction, Transaction::announce);
            match transaction.commit(&self.client).await {
                Ok(Commit::Applied) => {
                    return refusal
                        .map_or(Ok(Committed::Done(done)), |reason| Err(Failure::permanent(reason)));
                }
                Ok(Commit::Duplicate { attempt, refusal: earlier }) => {
                    let refused = earlier.map(|earlier| Refused { earlier, now: refusal });
                    return Ok(Committed::Duplicate { attempt, refused });
                }
                // An item has changed since it was read, or is being changed: decide again.
                Err(error @ (CommitError::Conflict | CommitError::Contended { .. })) => {
                    let in_time = if turn.is_some() {
                        attempts.again().await
                    } else {
                        turn = timeout_at(last_turn, turns.take(customer_number)).await.ok();
                        turn.is_some()
                    };
                    if !in_time {
                        return Err(error.into());
                    }
                }
                Err(error) => return Err(error.into()),
            }
        }
    }
}
