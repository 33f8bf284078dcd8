//! Handlers whose effect is a transaction in DynamoDB.

use std::future::Future;

use aws_clients::DynamoDb;
use envelope::Event;
use idempotency::outbox::Announcing;
use sqs_consumer::{AtLeastOnceHandler, Delivery, Done, Failure};

use crate::{Committed, Committer, Dispatch, Effect, Route, Subscriber};

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
/// [refused](Effect::refused) stays refused. Contention and throttling are retried here for a few seconds, before they
/// become a transient failure of the message ([`Committer`]).
#[derive(Clone, Debug)]
pub struct EffectivelyOnce<H> {
    committer: Committer,
    handler: H,
}

impl<H: Subscriber> EffectivelyOnce<H> {
    /// Creates a runner for `handler` with markers and outbox in `table`, whose partition key is the string `pk` and
    /// whose TTL attribute is `expires_at`. `service` distinguishes its markers from those of others in the same table.
    #[must_use]
    pub fn new(client: DynamoDb, table: impl Into<String>, service: impl Into<String>, handler: H) -> Self {
        Self { committer: Committer::new(client, table, service), handler }
    }

    /// Sets where announcements are written; by default, the first of an effect is a part of the event's marker.
    #[must_use]
    pub fn announcing(mut self, announcing: Announcing) -> Self {
        self.committer = self.committer.announcing(announcing);
        self
    }
}

impl<E: Event, H: Handle<E>> Route<E> for EffectivelyOnce<H> {
    async fn route(&self, event: E, delivery: &Delivery) -> Result<Done, Failure> {
        let event = &event;
        let decide = || async move { self.handler.handle(event, delivery).await.map(Some) };
        match self.committer.commit(&delivery.envelope, decide).await? {
            Committed::Done(done) => Ok(done),
            Committed::Duplicate { attempt, refused } => {
                delivery.stand_in_for(attempt.as_deref());
                refused.map_or(Ok(Done::DUPLICATE), |refused| Err(refused.into()))
            }
            Committed::Nothing => Ok(Done::IGNORED),
        }
    }
}

impl<H: Subscriber<Events: Dispatch<Self>>> AtLeastOnceHandler for EffectivelyOnce<H> {
    async fn handle(&self, delivery: &Delivery) -> Result<Done, Failure> {
        H::Events::dispatch(self, delivery).await
    }
}
