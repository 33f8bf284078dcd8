//! Handlers whose effect is a call to something that cannot take part in a transaction.

use std::future::Future;
use std::sync::Arc;
use std::time::Duration;

use aws_clients::DynamoDb;
use envelope::Event;
use idempotency::{Claim, ClaimError, Claims, Retry, Token};
use sqs_consumer::{AtLeastOnceHandler, Clock, Delivery, Done, Failure, SystemClock};
use telemetry::context::recorded_header;
use tokio::time::{Instant, timeout};

use crate::{Dispatch, Route, Subscriber};

/// The dependency that is named when the table of claims is at fault.
const DYNAMODB: &str = "DynamoDB";
/// The reason for a message whose effect another worker has claimed.
const CLAIMED_BY_ANOTHER: &str = "claimed-by-another";
/// The reason for a message whose claim took so long that the effect could outlast it.
const CLAIM_TOOK_TOO_LONG: &str = "claim-took-too-long";
/// The reason for a message whose effect outlasted its claim.
const TIMEOUT: &str = "timeout";

/// Handles events of type `E` by an effect outside DynamoDB, such as a mail.
pub trait Perform<E: Event>: Subscriber {
    /// Returns what to claim before the effect: the same text for every delivery of the same effect, used as the whole
    /// partition key of the claim's item.
    ///
    /// # Errors
    /// [`Failure`] if the event does not concern this service; nothing is claimed then.
    fn claim(&self, event: &E, delivery: &Delivery) -> Result<String, Failure>;

    /// Carries out the effect. No other worker does so at the same time.
    ///
    /// # Errors
    /// [`Failure`] if the effect did not happen, or is not known to have happened. The claim is released, and a
    /// transient failure is retried: better a repeated effect than a lost one.
    fn perform(&self, event: E, delivery: &Delivery) -> impl Future<Output = Result<Done, Failure>> + Send;
}

/// How long an effect is claimed, and how long it may take.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Lease {
    /// How long the effect stays claimed if the process dies. It must be shorter than the queue's visibility timeout,
    /// so that the claim is free when the message is redelivered.
    pub duration: Duration,
    /// How long the effect may take, at most half of `duration`: an effect that outlasts its claim can happen twice.
    pub effect: Duration,
}

impl Lease {
    /// Returns how long the claim itself may take: a third of what the effect leaves. The rest is for what a handler does
    /// before and after the call, and for the record.
    fn claiming(self) -> Duration {
        self.duration.saturating_sub(self.effect) / 3
    }
}

/// Runs the handlers of `H`, each effect under a claim.
///
/// The effect is claimed in a table before it is carried out, and recorded as done afterwards
/// ([`idempotency::Claims`]). A second delivery in between is retried when the lease ends; a later one is a
/// `duplicate`. The effect happens twice only if the process dies, or a response is lost, between the effect and the
/// record:
///
/// - If the effect fails, the claim is released, so that the retry need not wait for the lease to end. Waiting would
///   not help an effect whose response was lost either: it would still be repeated, only later.
/// - If the process dies, the claim ends with its lease, and the next delivery carries out the effect.
/// - If the record fails, it is retried for a few seconds. After that the message is acknowledged nevertheless: a retry
///   of the message would certainly repeat the effect, whereas an acknowledged message repeats it only if it is
///   delivered again.
pub struct Claimed<H> {
    client: DynamoDb,
    claims: Claims,
    lease: Lease,
    clock: Arc<dyn Clock>,
    handler: H,
}

impl<H: Subscriber> Claimed<H> {
    /// Creates a runner for `handler` with claims in `table`, whose partition key is the string `pk` and whose TTL
    /// attribute is `expires_at`.
    #[must_use]
    pub fn new(client: DynamoDb, table: impl Into<String>, lease: Lease, handler: H) -> Self {
        Self { client, claims: Claims::new(table), lease, clock: Arc::new(SystemClock), handler }
    }

    /// Uses `clock` for the time of day, in place of the system's.
    #[must_use]
    pub fn with_clock(mut self, clock: impl Clock) -> Self {
        self.clock = Arc::new(clock);
        self
    }

    async fn release(&self, token: &Token) {
        if let Err(error) = self.claims.release(&self.client, token).await {
            // The consumer reports the failure that led here; this one only delays the retry.
            tracing::warn!(reason = %error, "claim not released: it stays until its lease ends");
        }
    }

    async fn complete(&self, token: &Token) {
        let mut attempts = Retry::default().start();
        loop {
            let Err(error) = self.claims.complete(&self.client, token, self.clock.now()).await else {
                return;
            };
            let lost = matches!(error, ClaimError::Lost { .. });
            if lost || !attempts.again().await {
                tracing::error!(claim = token.id(), reason = %error, "effect carried out but not recorded");
                return;
            }
        }
    }
}

impl<E: Event, H: Perform<E>> Route<E> for Claimed<H> {
    async fn route(&self, event: E, delivery: &Delivery) -> Result<Done, Failure> {
        let id = self.handler.claim(&event, delivery)?;
        // Measured from before the claim: the lease begins when DynamoDB receives the call, not when it responds.
        let claimed_at = Instant::now();
        let now = self.clock.now();
        let claim = self.claims.claim(&self.client, &id, self.lease.duration, now, recorded_header()).await;
        let token = match claim.map_err(Failure::from)? {
            Claim::Claimed(token) => token,
            Claim::Done { attempt } => {
                delivery.stand_in_for(attempt.as_deref());
                return Ok(Done::DUPLICATE);
            }
            Claim::InProgress { until } => {
                let left = until.duration_since(self.clock.now()).try_into().unwrap_or(Duration::ZERO);
                return Err(Failure::transient(CLAIMED_BY_ANOTHER).retry_after(left));
            }
        };
        delivery.stand_in_for(token.replaced());
        let left = self.lease.duration.saturating_sub(claimed_at.elapsed());
        if claimed_at.elapsed() > self.lease.claiming() {
            // Another worker could claim the effect while this one is still carrying it out, or has not recorded it.
            self.release(&token).await;
            return Err(Failure::transient(CLAIM_TOOK_TOO_LONG).on(DYNAMODB));
        }
        match timeout(left, self.handler.perform(event, delivery)).await {
            Ok(Ok(done)) => {
                self.complete(&token).await;
                Ok(done)
            }
            Ok(Err(failure)) => {
                self.release(&token).await;
                Err(failure)
            }
            // The lease ended at the same time, so there is nothing to release.
            Err(_) => Err(Failure::transient(TIMEOUT)),
        }
    }
}

impl<H: Subscriber<Events: Dispatch<Self>>> AtLeastOnceHandler for Claimed<H> {
    async fn handle(&self, delivery: &Delivery) -> Result<Done, Failure> {
        H::Events::dispatch(self, delivery).await
    }
}

impl<H> std::fmt::Debug for Claimed<H> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Claimed")
            .field("claims", &self.claims)
            .field("lease", &self.lease)
            .finish_non_exhaustive()
    }
}
