//! One event: its data is encrypted, and its line waits until it is stored.

use std::sync::Arc;

use aws_clients::service;
use contracts::MemberErased;
use envelope::{Envelope, Event as _};
use jiff::{SignedDuration, Timestamp};
use sqs_consumer::{AtLeastOnceHandler, Delivery, Done, Failure};

use crate::batch::{Batches, StoreError};
use crate::data_key::CipherError;
use crate::domain::{Line, Sealed, additional_data};
use crate::keys::Keys;

/// The event is kept without its data, because its customer has been erased.
const WITHOUT_DATA: Done = Done::APPLIED.because("erased");

/// How far in the future an erasure may have occurred: it covers every event until then. Twice what ingest tolerates, so that
/// nothing ingest has accepted is refused because of the difference between two of our own clocks.
const FUTURE_TOLERANCE: SignedDuration = SignedDuration::from_secs(2 * contracts::CLOCK_TOLERANCE.as_secs());

/// Archives events of any type.
///
/// An event that is delivered again is stored again: readers keep one line for each event id.
#[derive(Clone, Debug)]
pub(crate) struct ArchiveEvents {
    keys: Arc<Keys>,
    batches: Batches,
}

impl ArchiveEvents {
    pub(crate) fn new(keys: Keys, batches: Batches) -> Self {
        Self { keys: Arc::new(keys), batches }
    }

    /// Encrypts the data of an event. `None` if the customer has been erased since.
    async fn seal(&self, envelope: &Envelope) -> Result<Option<Sealed>, Failure> {
        let customer_number = envelope.customer_number.as_deref();
        let key = self.keys.of_event(customer_number, envelope.metadata.occurred_at).await?;
        let additional = additional_data(customer_number, envelope.metadata.event_id);
        let sealed = key.map(|key| key.seal(&additional, envelope.data.get().as_bytes())).transpose();
        sealed.map_err(unsealable)
    }
}

impl AtLeastOnceHandler for ArchiveEvents {
    async fn handle(&self, delivery: &Delivery) -> Result<Done, Failure> {
        let envelope = &delivery.envelope;
        if is_erasure(envelope) {
            let (customer_number, erased_at) = erasure(envelope, delivery.received_at)?;
            self.keys.erase(customer_number, erased_at).await?;
        }
        let line = Line::new(envelope, self.seal(envelope).await?);
        let done = if line.erased { WITHOUT_DATA } else { Done::APPLIED };
        let text = serde_json::to_string(&line)
            .map_err(|error| Failure::permanent("event-not-serializable").because(error))?;
        self.batches.store(envelope.metadata.published_at, text).await.map_err(unstored)?;
        Ok(done)
    }
}

fn is_erasure(envelope: &Envelope) -> bool {
    (envelope.source.as_str(), envelope.event_type.as_str()) == (MemberErased::SOURCE, MemberErased::TYPE)
}

/// Returns whom an event erases, and when.
fn erasure(envelope: &Envelope, now: Timestamp) -> Result<(&str, Timestamp), Failure> {
    let occurred_at = envelope.metadata.occurred_at;
    if occurred_at.duration_since(now) > FUTURE_TOLERANCE {
        return Err(Failure::permanent("occurred-in-the-future"));
    }
    let customer_number = envelope.customer_number.as_deref();
    Ok((customer_number.ok_or_else(|| Failure::permanent("malformed-event"))?, occurred_at))
}

fn unsealable(error: CipherError) -> Failure {
    Failure::permanent("not-encrypted").because(error)
}

fn unstored(error: StoreError) -> Failure {
    match error {
        StoreError::Aws(error) => error.into(),
        StoreError::Lost => Failure::transient("batch-lost").on(service::S3).because(error),
    }
}
