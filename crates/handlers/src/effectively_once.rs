//! Handlers whose effect is a transaction in DynamoDB.

use std::future::Future;

use aws_sdk_dynamodb::Client;
use envelope::Event;
use idempotency::{Commit, CommitError, Retry, Transaction};
use sqs_consumer::{AtLeastOnceHandler, Delivery, Done, Failure};
use telemetry::context::recorded_header;

use crate::{Dispatch, Effect, Route, Subscriber};

/// How often a handler is called when the items it read keep changing: enough for about twenty concurrent events on one
/// item.
const CONTENDED_ATTEMPTS: u32 = 20;

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
/// event with the id of another one is the permanent failure `event-id-reused`. Contention and throttling are retried
/// here for a few seconds, before they become a transient failure of the message.
#[derive(Clone, Debug)]
pub struct EffectivelyOnce<H> {
    client: Client,
    table: String,
    service: String,
    handler: H,
}

impl<H: Subscriber> EffectivelyOnce<H> {
    /// Creates a runner for `handler` with markers and outbox in `table`, whose partition key is the string `pk` and
    /// whose TTL attribute is `expires_at`. `service` distinguishes its markers from those of others in the same table.
    #[must_use]
    pub fn new(client: Client, table: impl Into<String>, service: impl Into<String>, handler: H) -> Self {
        Self { client, table: table.into(), service: service.into(), handler }
    }
}

impl<E: Event, H: Handle<E>> Route<E> for EffectivelyOnce<H> {
    async fn route(&self, event: E, delivery: &Delivery) -> Result<Done, Failure> {
        let envelope = &delivery.envelope;
        let attempt = recorded_header();
        let mut attempts = Retry { attempts: CONTENDED_ATTEMPTS, ..Retry::default() }.start();
        loop {
            let effect = self.handler.handle(&event, delivery).await?;
            let done = effect.done();
            let (writes, announcements) = effect
                .into_parts(&self.table, &envelope.metadata)
                .map_err(|error| Failure::permanent("invalid-effect").because(error))?;
            let mut transaction =
                Transaction::new(&self.table, envelope, &self.service).attempt(attempt.clone());
            for write in writes {
                transaction = transaction.change(write);
            }
            for announcement in &announcements {
                transaction = transaction.announce(announcement);
            }
            match transaction.commit(&self.client).await {
                Ok(Commit::Applied) => return Ok(done),
                Ok(Commit::Duplicate { attempt }) => {
                    delivery.stand_in_for(attempt.as_deref());
                    return Ok(Done::DUPLICATE);
                }
                // An item has changed since the handler read it: let the handler decide again.
                Err(CommitError::Conflict) if attempts.again().await => {}
                Err(error) => return Err(error.into()),
            }
        }
    }
}

impl<H: Subscriber<Events: Dispatch<Self>>> AtLeastOnceHandler for EffectivelyOnce<H> {
    async fn handle(&self, delivery: &Delivery) -> Result<Done, Failure> {
        H::Events::dispatch(self, delivery).await
    }
}
