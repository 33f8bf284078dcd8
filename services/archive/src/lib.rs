//! The archive keeps every event on the bus in S3, as lines of JSON in compressed objects, by the hour of their publication.
//!
//! A message is acknowledged once the object with its event is stored, so no event is lost; one that is delivered again is
//! stored again, and readers keep one line for each event id. Nothing but the messages in flight is in memory, and the
//! consumer bounds their number and their bytes.
//!
//! What an event says is encrypted with a data key of its customer. A branch key wraps the data keys of a month, and KMS wraps the
//! branch key, so that KMS is asked once an hour and not for each customer. An erasure removes the data key, and with it the
//! meaning of every line about the customer, in objects that nobody may change any more.
//!
//! Whoever reads the archive needs [`domain::Line`] and [`Keys::of_line`].
//!
//! ```
//! use archive::domain::{Line, prefix};
//!
//! assert_eq!(archive::topology().name(), archive::NAME);
//! assert_eq!(prefix("2026-03-01T12:59:59Z".parse()?), "year=2026/month=03/day=01/hour=12/");
//! let line = r#"{"source":"foostore.crm","detail_type":"CustomerErased","customer_number":"123456789012","metadata":{
//!     "event_id":"2f0c1d43-7f0f-5a0e-9a4c-0c6b6f0b1c11","occurred_at":"2026-03-01T12:00:00Z",
//!     "published_at":"2026-03-01T12:00:01Z","schema_version":1,
//!     "correlation_id":"2f0c1d43-7f0f-5a0e-9a4c-0c6b6f0b1c11"},"data":null,"erased":true}"#;
//! assert!(serde_json::from_str::<Line>(line)?.erased);
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

mod batch;
mod branch_key;
mod branches;
mod bucket;
mod cache;
pub mod data_key;
pub mod domain;
mod handler;
mod key_error;
mod key_table;
mod keys;
mod kms;
mod metrics;
mod settings;
#[cfg(test)]
mod tests;

use std::time::Duration;

use aws_smithy_types::timeout::TimeoutConfig;
use aws_types::SdkConfig;
use service_runtime::{BoxError, Runtime};
use topology::{Bucket, BucketAccess, Key, Parameter, Service, Table, TableAccess};

use crate::batch::Batches;
use crate::bucket::EventArchive;
use crate::handler::ArchiveEvents;
use crate::kms::CALL_TIMEOUT;
use crate::metrics::Metrics;
use crate::settings::Settings;

pub use crate::domain::NAME;
pub use crate::key_error::KeyError;
pub use crate::keys::{KeySettings, Keys};

/// The bucket of the objects.
pub const BUCKET: &str = "event-archive";
/// The table of the wrapped keys, an item for each customer and one for each month.
pub const TABLE: &str = "archive-keys";
/// The key of KMS that wraps the branch keys.
pub const KEY: &str = "archive";

/// Messages in flight: more than other services have, since each waits for its batch.
const HANDLES_AT_ONCE: u32 = 500;

/// How long handling a message may take: its data key, the age of its batch, and the object, each with all attempts.
const HANDLES_WITHIN: Duration = Duration::from_mins(1);

/// What the service consumes and owns.
#[must_use]
pub fn topology() -> Service {
    Service::new(NAME)
        .consumes_all_events()
        .owns_bucket(
            Bucket::new(BUCKET)
                .access([BucketAccess::Put])
                .lockable()
                .personal_data()
                .expires_locally_after_days(30),
        )
        .owns(Table::new(TABLE).access([TableAccess::Get, TableAccess::Update]))
        .encrypts_with(Key::new(KEY))
        .parameter(
            Parameter::new(
                "ARCHIVE_BRANCH_KEYS",
                "Whether branch keys wrap data keys; false has KMS wrap each, as tasks of an earlier version need",
            )
            .one_of(&["true", "false"])
            .or("true"),
        )
        .handles_at_once(HANDLES_AT_ONCE)
        .handles_within(HANDLES_WITHIN)
}

/// Runs the service until it is stopped and what was received is stored.
///
/// It reads `EVENT_ARCHIVE_BUCKET_NAME`, `ARCHIVE_KEYS_TABLE_NAME`, `ARCHIVE_KEY_ID`, `ARCHIVE_BATCH_AGE_MS` (2,000: when a
/// batch is stored at the latest), `ARCHIVE_BATCH_BYTES` (4,194,304: the size at which it is stored earlier),
/// `ARCHIVE_KEY_LIFE_S` (300: how long a data key stays in memory), `ARCHIVE_BRANCH_KEYS` (`true`: whether branch keys wrap the
/// data keys, or KMS wraps each), `ARCHIVE_BRANCH_KEY_LIFE_S` (3,600: how long a branch key stays in memory), `QUEUE_URL`, `DEAD_LETTER_QUEUE_URL` and the `CONSUMER_*`
/// settings.
///
/// # Errors
/// [`service_runtime::SettingsError`], or a drain that took too long.
pub async fn run(runtime: Runtime) -> Result<(), BoxError> {
    let settings = Settings::read(NAME, &runtime.environment, runtime.grace)?;
    let aws = bounded(&runtime.aws);
    let bucket = EventArchive::new(aws_clients::untraced_s3(&aws), settings.bucket);
    let metrics = Metrics::new(&runtime.meter);
    let (batches, storing) = Batches::new(bucket, settings.batch, metrics, runtime.shutdown.clone());
    runtime.tasks.spawn("batches", async move {
        storing.await;
        Ok(())
    });
    let keys = Keys::new(aws_clients::dynamodb(&runtime.aws), aws_clients::kms(&aws), settings.keys);
    Ok(sqs_consumer::serve(&runtime, settings.queue, ArchiveEvents::new(keys, batches)).await?)
}

/// Returns the configuration with an end to every call.
fn bounded(aws: &SdkConfig) -> SdkConfig {
    let timeouts = aws.timeout_config().cloned().unwrap_or_else(TimeoutConfig::disabled);
    let timeouts = timeouts.to_builder().operation_timeout(CALL_TIMEOUT).build();
    aws.to_builder().timeout_config(timeouts).build()
}
