//! The service's settings.

use std::time::Duration;

use handlers::Announcing;
use service_runtime::{Environment, SettingsError};
use sqs_consumer::QueueSettings;

/// The service's settings.
#[derive(Debug)]
pub(crate) struct Settings {
    /// `MEMBERS_TABLE_NAME`.
    pub(crate) table: String,
    /// `ANNOUNCE_UNCHANGED`: whether to announce events that change nothing, such as a rename to the same name.
    pub(crate) announces_unchanged: bool,
    /// `OUTBOX_ITEMS`: whether the first announcement of an event is a part of its marker (`with-marker`), or each is an item
    /// of its own (`separate`, also if the variable is absent).
    pub(crate) announcing: Announcing,
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
        let read = Self {
            table: settings.required("MEMBERS_TABLE_NAME"),
            announces_unchanged: settings.parse("ANNOUNCE_UNCHANGED", false),
            announcing: settings.parse(Announcing::VARIABLE, Announcing::Separately),
            queue: QueueSettings::read(service, grace, &mut settings),
        };
        settings.finish()?;
        Ok(read)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const GRACE: Duration = Duration::from_secs(25);

    #[test]
    fn all_that_is_missing_or_wrong_is_named() {
        let environment =
            Environment::from_pairs([("QUEUE_URL", "http://queue"), ("CONSUMER_WAIT_S", "long")]);
        let error = Settings::read(crate::NAME, &environment, GRACE).unwrap_err();
        let names: Vec<_> = error.wrong().iter().map(|wrong| wrong.name.as_str()).collect();
        assert_eq!(names, ["MEMBERS_TABLE_NAME", "DEAD_LETTER_QUEUE_URL", "CONSUMER_WAIT_S"]);
    }

    #[test]
    fn the_consumer_drains_within_the_grace_period() {
        let environment = Environment::from_pairs([
            ("MEMBERS_TABLE_NAME", "members"),
            ("QUEUE_URL", "http://queue"),
            ("DEAD_LETTER_QUEUE_URL", "http://dead-letter-queue"),
            ("CONSUMER_CONCURRENCY", "8"),
            ("ANNOUNCE_UNCHANGED", "true"),
        ]);
        let settings = Settings::read(crate::NAME, &environment, GRACE).unwrap();
        assert_eq!(settings.queue.consumer.concurrency, 8);
        assert!(settings.announces_unchanged);
        assert!(settings.queue.consumer.drain + settings.queue.consumer.settle_timeout < GRACE);
    }
}
