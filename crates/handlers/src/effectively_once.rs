//! Handlers whose effect is a transaction in DynamoDB.

use std::future::Future;
use std::time::Duration;

use aws_sdk_dynamodb::Client;
use envelope::Event;
use idempotency::{Commit, CommitError, Retry, Transaction};
use sqs_consumer::{AtLeastOnceHandler, Delivery, Done, Failure};
use telemetry::context::recorded_header;
use tokio::time::{Instant, timeout_at};

use crate::turns::Turns;
use crate::{Dispatch, Effect, Route, Subscriber};

/// The reason for an event that an earlier delivery refused for good, and that the handler would not refuse now.
const REFUSED_BEFORE: &str = "refused-before";

/// How often a handler is called when the items it read keep changing: enough for twenty processes with events on one item
/// at the same time, however many each has, because within a process they take turns.
const CONTENDED_ATTEMPTS: u32 = 20;

/// How long after a message's handling has begun a handler may still be called again because of contention. A read and a
/// commit that take as long as they may still end before the consumer's limit for a message, 25 seconds by default.
pub const CONTENDED_WITHIN: Duration = Duration::from_secs(10);

/// The reason for an event whose turn did not come in time.
const CONTENDED: &str = "contended";

/// Handles events of type `E` by an effect in DynamoDB.
pub trait Handle<E: Event>: Subscriber {
    /// Decides what `event` leads to. It reads what it needs and writes nothing: the returned [`Effect`] is committed
    /// together with the event's marker, so it happens once, however often the event is delivered.
    ///
    /// If a condition of the effect does not hold, the handler is called again for a new decision.
    ///
    /// # Errors
    /// [`Failure`] if the event is to be retried or dead-lettered; nothing is written then.
    fn handle(&self, event: &E, delivery: &Delivery) -> impl Future<Output = Result<Effect, Failure>> + Send;
}

/// Runs the handlers of `H` and commits the effects that they return.
///
/// Each event is one transaction of its marker, the handler's writes and its announcements
/// ([`idempotency::Transaction`]). An event that was already handled is a success with the outcome `duplicate`; an
/// event with the id of another one is the permanent failure `event-id-reused`; an event that was
/// [refused](Effect::refused) stays refused. Throttling is retried
/// here for a few seconds, before it becomes a transient failure of the message, and so is contention: events of one customer
/// that got in each other's way take turns.
#[derive(Clone, Debug)]
pub struct EffectivelyOnce<H> {
    client: Client,
    table: String,
    service: String,
    turns: Turns,
    handler: H,
}

impl<H: Subscriber> EffectivelyOnce<H> {
    /// Creates a runner for `handler` with markers and outbox in `table`, whose partition key is the string `pk` and
    /// whose TTL attribute is `expires_at`. `service` distinguishes its markers from those of others in the same table.
    #[must_use]
    pub fn new(client: Client, table: impl Into<String>, service: impl Into<String>, handler: H) -> Self {
        Self { client, table: table.into(), service: service.into(), turns: Turns::default(), handler }
    }
}

impl<E: Event, H: Handle<E>> Route<E> for EffectivelyOnce<H> {
    async fn route(&self, event: E, delivery: &Delivery) -> Result<Done, Failure> {
        let envelope = &delivery.envelope;
        let attempt = recorded_header();
        let mut attempts =
            Retry { attempts: CONTENDED_ATTEMPTS, within: CONTENDED_WITHIN, ..Retry::default() }.start();
        let (turns, customer_number) = (&self.turns, event.customer_number());
        let last_turn = Instant::now() + CONTENDED_WITHIN;
        let mut turn = timeout_at(last_turn, turns.take_behind_others(customer_number))
            .await
            .map_err(|_| Failure::transient(CONTENDED))?;
        loop {
            let effect = self.handler.handle(&event, delivery).await?;
            let (done, refusal) = (effect.done(), effect.refusal());
            let parts = effect
                .into_parts(&self.table, &envelope.metadata)
                .map_err(|error| Failure::permanent("invalid-effect").because(error))?;
            let mut transaction =
                Transaction::new(&self.table, envelope, &self.service).attempt(attempt.clone());
            transaction = transaction.without_waiting_out_contention();
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
                    return refusal.map_or(Ok(done), |reason| Err(Failure::permanent(reason)));
                }
                Ok(Commit::Duplicate { attempt, refusal: earlier }) => {
                    delivery.stand_in_for(attempt.as_deref());
                    return earlier
                        .map_or(Ok(Done::DUPLICATE), |earlier| Err(refused_again(earlier, refusal)));
                }
                // An item has changed since the handler read it, or is being changed: let the handler decide again.
                Err(error @ (CommitError::Conflict | CommitError::Contended { .. })) => {
                    let in_time = match turn {
                        Some(_) => attempts.again().await,
                        None => {
                            turn = timeout_at(last_turn, turns.take(customer_number)).await.ok();
                            turn.is_some()
                        }
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

/// Returns the failure of an event that an earlier delivery refused for the reason `earlier`, and this one for `now`.
fn refused_again(earlier: String, now: Option<&'static str>) -> Failure {
    match now {
        Some(reason) if reason == earlier => Failure::permanent(reason),
        _ => Failure::permanent(REFUSED_BEFORE).because(earlier),
    }
}

impl<H: Subscriber<Events: Dispatch<Self>>> AtLeastOnceHandler for EffectivelyOnce<H> {
    async fn handle(&self, delivery: &Delivery) -> Result<Done, Failure> {
        H::Events::dispatch(self, delivery).await
    }
}
