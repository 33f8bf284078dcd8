//! Publishing to an EventBridge bus.

use aws_clients::{AwsError, DirectClient, service};
use aws_sdk_eventbridge::Client;
use aws_sdk_eventbridge::config::retry::RetryConfig;
use aws_sdk_eventbridge::types::PutEventsRequestEntry;
use aws_smithy_types::DateTime;
use aws_types::request_id::RequestId as _;
use envelope::{Envelope, Metadata};
use opentelemetry::metrics::Meter;
use telemetry::{Departure, Departures, context};

use crate::batcher::Batcher;
use crate::call::{Answer, Call};
use crate::span::{self, Target};
use crate::{PublishError, Published, PublisherSettings};

/// The most bytes that the entries of one call may have: the quota says less than 256 KB
/// (<https://docs.aws.amazon.com/eventbridge/latest/userguide/eb-putevents.html#eb-putevent-size>).
const MAX_BYTES: usize = 256 * 1024 - 1;
/// The number of bytes that `Time` counts as, in whatever format (same page).
const TIME_BYTES: usize = 14;

/// Publishes events to one EventBridge bus, in batches across concurrent callers.
///
/// Clones share one queue and one batching task.
#[derive(Clone)]
pub struct EventPublisher {
    batcher: Batcher<PutEvents>,
    target: Target,
    departures: Option<Departures>,
}

impl EventPublisher {
    /// Creates a publisher to the bus `bus_name`. It starts a task, so it requires a Tokio runtime.
    ///
    /// `client` must be one **without** a tracing interceptor: the call belongs to the traces of all its entries, so
    /// each entry has its own span and header instead. The client's retries are disabled for these calls, because only
    /// the publisher's own retries know which entries failed.
    #[must_use]
    #[expect(clippy::needless_pass_by_value, reason = "the caller has no more use for it")]
    pub fn new(client: Client, bus_name: String, settings: PublisherSettings, meter: &Meter) -> Self {
        let target = Target {
            destination: bus_name,
            system: "aws.eventbridge",
            service: PutEvents::SERVICE,
            method: PutEvents::OPERATION,
            region: client.config().region().map(ToString::to_string),
        };
        let retries_off = client.config().to_builder().retry_config(RetryConfig::disabled());
        let client = DirectClient::untraced(retries_off);
        let batcher = Batcher::start(PutEvents { client }, &target.destination, settings, meter);
        Self { batcher, target, departures: None }
    }

    /// Sends a copy of each event's span, and of the one above it, before the event: marked as in progress, so that the
    /// event's trace has them even if this process is killed before they end.
    ///
    /// For producers whose work is not redelivered, such as those that answer requests. A consumer does not need it: its
    /// next attempt sends what is missing.
    #[must_use]
    pub fn announcing(mut self, departures: Departures) -> Self {
        self.departures = Some(departures);
        self
    }

    /// Publishes one event and waits until the bus has accepted it or publishing has failed.
    ///
    /// Creates the PRODUCER span `send <bus>` under the current span, and writes its header to the entry's
    /// `TraceHeader` and to the event's `metadata.trace`, so that consumers continue the trace. Waits while the queue
    /// is full. Once queued, the event is sent even if this future is dropped.
    ///
    /// # Errors
    /// [`PublishError`]; the event may be republished under the same id if
    /// [`is_transient`](PublishError::is_transient).
    pub async fn publish(&self, mut envelope: Envelope) -> Result<Published, PublishError> {
        let span = span::start(&self.target, &envelope.metadata);
        let header = context::header_of(&span);
        if header.is_some() {
            envelope.metadata.trace.clone_from(&header);
        }
        let announced = self.announce(&envelope.metadata);
        let published_at = DateTime::from_secs(envelope.metadata.published_at.as_second());
        let entry = PutEventsRequestEntry::builder()
            .event_bus_name(&self.target.destination)
            .time(published_at)
            .detail(envelope.detail())
            .source(envelope.source)
            .detail_type(envelope.event_type)
            .set_trace_header(header)
            .build();
        let size = size_of_entry(&entry);
        self.batcher.publish(entry, size, span, announced).await
    }

    /// Sends the copies, if the trace is recorded.
    fn announce(&self, metadata: &Metadata) -> Option<Departure> {
        let departures = self.departures.as_ref()?;
        let parent = context::recorded_header()?;
        drop(span::stand_in(&self.target, metadata, &parent));
        departures.of_ended()
    }

    /// Stops accepting events (from other clones too), sends the waiting ones, and returns when the outcome of each is
    /// known: [`PublisherSettings::deadline`] later at the latest.
    pub async fn close(self) {
        self.batcher.close().await;
    }
}

impl std::fmt::Debug for EventPublisher {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("EventPublisher").field("target", &self.target).finish_non_exhaustive()
    }
}

/// Returns the bytes of an entry as EventBridge counts them: time, source, detail type, detail and resources, but
/// neither the bus name nor the trace header.
fn size_of_entry(entry: &PutEventsRequestEntry) -> usize {
    let texts = [entry.source(), entry.detail_type(), entry.detail()];
    entry.time().map_or(0, |_| TIME_BYTES)
        + texts.into_iter().flatten().map(str::len).sum::<usize>()
        + entry.resources().iter().map(String::len).sum::<usize>()
}

/// The call behind [`EventPublisher`].
struct PutEvents {
    client: DirectClient<Client>,
}

impl Call for PutEvents {
    type Entry = PutEventsRequestEntry;

    const MAX_ENTRIES: usize = 10;
    const MAX_BYTES: usize = MAX_BYTES;
    const SERVICE: &'static str = service::EVENTBRIDGE;
    const OPERATION: &'static str = "PutEvents";

    async fn send(&self, entries: &[&Self::Entry]) -> Answer {
        let entries = entries.iter().copied().cloned().collect();
        let request = self.client.put_events().set_entries(Some(entries));
        let output = match self.client.call(request).await {
            Ok(output) => output,
            Err(error) => {
                return Answer::failed(AwsError::of(Self::SERVICE, Self::OPERATION, error));
            }
        };
        let request_id = output.request_id().map(str::to_owned);
        let results = output.entries.unwrap_or_default().into_iter().map(|entry| {
            entry.event_id.ok_or_else(|| {
                let code = entry.error_code.as_deref().unwrap_or_default();
                let error = AwsError::of_entry(Self::SERVICE, Self::OPERATION, code, None);
                error.with_request_id(request_id.clone())
            })
        });
        let results = results.collect();
        Answer { request_id, status: Some(200), outcome: Ok(results) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_entry_is_measured_as_eventbridge_counts_it() {
        let entry = PutEventsRequestEntry::builder()
            .event_bus_name("not counted")
            .trace_header("not counted")
            .source("crm")
            .detail_type("Ä")
            .detail("{}")
            .resources("arn");
        assert_eq!(size_of_entry(&entry.clone().build()), 3 + 2 + 2 + 3);
        assert_eq!(size_of_entry(&entry.time(DateTime::from_secs(0)).build()), 14 + 3 + 2 + 2 + 3);
    }
}
