//! Where accepted events go.

use envelope::Envelope;
use publisher::{EventPublisher, PublishError};

/// Publishes an event and waits until it is known to be safe or not. The bus in production, a fake in tests.
pub(crate) trait Publish: Send + Sync + 'static {
    fn publish(&self, envelope: Envelope) -> impl Future<Output = Result<(), PublishError>> + Send;
}

impl Publish for EventPublisher {
    async fn publish(&self, envelope: Envelope) -> Result<(), PublishError> {
        Self::publish(self, envelope).await.map(drop)
    }
}
