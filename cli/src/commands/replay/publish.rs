//! One event: decrypted, marked and published.

use std::time::Duration;

use anyhow::Context as _;
use archive::domain::Line;
use archive::{KeySettings, Keys};
use aws_config::SdkConfig;
use envelope::{Envelope, Metadata};
use opentelemetry::metrics::MeterProvider as _;
use opentelemetry::metrics::noop::NoopMeterProvider;
use publisher::{EventPublisher, PublisherSettings};
use serde_json::value::RawValue;
use topology::Resources;

/// How long an unwrapped data key stays in memory.
const KEY_LIFE: Duration = Duration::from_mins(5);

/// Publishes events of the archive.
pub(super) struct Replayer {
    keys: Keys,
    publisher: EventPublisher,
    dry_run: bool,
    silent: bool,
}

/// How the replay of one event ended.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Ended {
    /// It is on the bus, or would be, with this type.
    Replayed(String),
    /// Its customer has been erased.
    Erased,
    /// Its data cannot be decrypted, although there is a key.
    Unreadable,
}

impl Replayer {
    pub(super) fn new(config: &SdkConfig, resources: &Resources, dry_run: bool, silent: bool) -> Self {
        let alias = format!("alias/{}", resources.physical_name(archive::KEY));
        let settings = KeySettings {
            table: resources.physical_name(archive::TABLE),
            key_id: alias,
            life: KEY_LIFE,
            branch_keys: false,
            branch_life: KEY_LIFE,
        };
        let keys = Keys::new(aws_clients::dynamodb(config), aws_clients::kms(config), settings);
        let client = aws_sdk_eventbridge::Client::new(config);
        // The metrics of a command go nowhere.
        let meter = NoopMeterProvider::new().meter("foostore");
        let publisher =
            EventPublisher::new(client, resources.bus.clone(), PublisherSettings::default(), &meter);
        Self { keys, publisher, dry_run, silent }
    }

    /// Decrypts an event and publishes it under its own id, marked as replayed. Whoever handles it begins a new trace, which
    /// names the original one.
    ///
    /// # Errors
    /// When AWS cannot be reached or refuses a call.
    pub(super) async fn replay(&self, line: Line) -> anyhow::Result<Ended> {
        let (Some(key), Some(sealed)) = (self.keys.of_line(&line).await?, &line.data) else {
            return Ok(Ended::Erased);
        };
        let data = key.open(&line.additional_data(), sealed).ok();
        let data = data.and_then(|data| String::from_utf8(data).ok());
        let Some(data) = data.and_then(|data| RawValue::from_string(data).ok()) else {
            return Ok(Ended::Unreadable);
        };
        let event_type = line.detail_type.clone();
        if !self.dry_run {
            let event = Envelope {
                source: line.source,
                event_type: line.detail_type,
                customer_number: line.customer_number,
                metadata: Metadata { replayed: true, silent: self.silent, ..line.metadata },
                data,
            };
            let published = self.publisher.publish(event).await;
            published.context("an event could not be published")?;
        }
        Ok(Ended::Replayed(event_type))
    }
}
