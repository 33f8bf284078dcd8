//! The service's settings.

use std::time::Duration;

use service_runtime::{Environment, SettingsError};
use sqs_consumer::QueueSettings;

use crate::batch::BatchSettings;
use crate::keys::KeySettings;

/// The longest that a batch may wait, far below the time that a message has.
const LONGEST_AGE: Duration = Duration::from_secs(10);

/// The service's settings.
#[derive(Debug)]
pub(crate) struct Settings {
    /// `EVENT_ARCHIVE_BUCKET_NAME`.
    pub(crate) bucket: String,
    /// `ARCHIVE_KEYS_TABLE_NAME`, `ARCHIVE_KEY_ID`, `ARCHIVE_KEY_LIFE_S`, `ARCHIVE_BRANCH_KEYS`, `ARCHIVE_BRANCH_KEY_LIFE_S`.
    pub(crate) keys: KeySettings,
    /// `ARCHIVE_BATCH_*`.
    pub(crate) batch: BatchSettings,
    /// `QUEUE_URL`, `DEAD_LETTER_QUEUE_URL`, `CONSUMER_*`.
    pub(crate) queue: QueueSettings,
}

impl Settings {
    /// Reads them from the environment. `grace` is the time the service has for shutting down.
    ///
    /// # Errors
    /// [`SettingsError`] names every setting that is missing or wrong.
    pub(crate) fn read(
        service: &'static str,
        environment: &Environment,
        grace: Duration,
    ) -> Result<Self, SettingsError> {
        let mut settings = environment.settings();
        let bucket = settings.required("EVENT_ARCHIVE_BUCKET_NAME");
        let keys = KeySettings {
            table: settings.required("ARCHIVE_KEYS_TABLE_NAME"),
            key_id: settings.required("ARCHIVE_KEY_ID"),
            life: settings.duration_s("ARCHIVE_KEY_LIFE_S", Duration::from_mins(5)),
            branch_keys: settings.parse("ARCHIVE_BRANCH_KEYS", true),
            branch_life: settings.duration_s("ARCHIVE_BRANCH_KEY_LIFE_S", Duration::from_hours(1)),
        };
        let age = settings.duration_ms("ARCHIVE_BATCH_AGE_MS", Duration::from_secs(2));
        if age > LONGEST_AGE {
            settings.wrong("ARCHIVE_BATCH_AGE_MS", "expected at most 10,000");
        }
        let bytes = settings.parse("ARCHIVE_BATCH_BYTES", 4 * 1024 * 1024);
        let queue = QueueSettings::read(service, grace, &mut settings);
        settings.finish()?;
        let events = (queue.consumer.concurrency / 2).max(1);
        Ok(Self { bucket, keys, batch: BatchSettings { age, bytes, events }, queue })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::kms::CALL_TIMEOUT;

    const REQUIRED: [(&str, &str); 5] = [
        ("QUEUE_URL", "http://127.0.0.1:4566/000000000000/archive"),
        ("DEAD_LETTER_QUEUE_URL", "http://127.0.0.1:4566/000000000000/archive-dead-letter"),
        ("EVENT_ARCHIVE_BUCKET_NAME", "event-archive"),
        ("ARCHIVE_KEYS_TABLE_NAME", "archive-keys"),
        ("ARCHIVE_KEY_ID", "key"),
    ];

    fn read(more: &[(&'static str, &'static str)]) -> Result<Settings, SettingsError> {
        let environment = Environment::from_pairs(REQUIRED.iter().chain(more).copied());
        Settings::read(crate::NAME, &environment, Duration::from_secs(25))
    }

    #[test]
    fn a_batch_fills_while_another_is_stored() {
        for (concurrency, events) in [("500", 250), ("1", 1)] {
            assert_eq!(read(&[("CONSUMER_CONCURRENCY", concurrency)]).unwrap().batch.events, events);
        }
    }

    #[test]
    fn a_message_has_time_for_every_attempt_of_every_call() {
        // The key is read, made, and lost to another task's, which is read and unwrapped; a branch key is found within the time
        // of one call; then the batch, and the object.
        let table = aws_clients::dynamodb_limits::CALL_TIMEOUT * 3;
        let longest = table + CALL_TIMEOUT * 2 + LONGEST_AGE + CALL_TIMEOUT;
        assert!(longest < crate::HANDLES_WITHIN, "{longest:?}");
    }

    #[test]
    fn all_that_is_missing_or_wrong_is_named() {
        let environment = Environment::from_pairs([
            ("QUEUE_URL", "http://queue"),
            ("ARCHIVE_BATCH_AGE_MS", "10001"),
            ("ARCHIVE_BATCH_BYTES", "many"),
        ]);
        let error = Settings::read(crate::NAME, &environment, Duration::from_secs(25)).unwrap_err();
        let names: Vec<_> = error.wrong().iter().map(|wrong| wrong.name.as_str()).collect();
        assert_eq!(
            names,
            [
                "EVENT_ARCHIVE_BUCKET_NAME",
                "ARCHIVE_KEYS_TABLE_NAME",
                "ARCHIVE_KEY_ID",
                "ARCHIVE_BATCH_AGE_MS",
                "ARCHIVE_BATCH_BYTES",
                "DEAD_LETTER_QUEUE_URL"
            ]
        );
    }
}
